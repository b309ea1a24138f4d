"""The configuration of DPO: that of every run, with a section `dpo`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from ..runs.config.sections import NOTES, OURS, RunConfig, Section
from ..runs.config.values import Number, key

USUAL = (0.1, 0.5)
"""The values of beta that the Qwen2-Audio notes name."""

HIGHEST_USUAL_RATE = 1e-5


class DpoSection(Section):
    """The loss of pairs; only `triptych train dpo` has this section."""

    beta: Annotated[
        Number, key("How closely the model is held to the reference; higher is closer.", source=NOTES, gt=0)
    ] = 0.1
    label_smoothing: Annotated[
        Number, key("The share of pairs that are taken to be the wrong way round.", source=OURS, ge=0, lt=0.5)
    ] = 0.0
    sft_weight: Annotated[
        Number,
        key("Weight of the cross-entropy of chosen answers (a mean over the tokens of each), a loss `answer` beside.",
            source=OURS, ge=0),
    ] = 0.0  # fmt: skip


class DpoConfig(RunConfig):
    """The configuration of one run of DPO."""

    dpo: DpoSection = Field(default_factory=DpoSection)

    def remarks(self) -> Iterator[str]:
        low, high = USUAL
        if not low <= self.dpo.beta <= high:
            yield f"dpo.beta is {self.dpo.beta:g}; {low:g} to {high:g} is usual"
        if self.lora is None and self.training.lr > HIGHEST_USUAL_RATE:
            yield (
                f"training.lr is {self.training.lr:g}: DPO of all weights mostly takes 5e-7 to 5e-6; a higher one soon "
                "makes both answers unlikely"
            )
