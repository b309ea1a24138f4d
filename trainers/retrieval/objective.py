"""The losses of a batch of clips, by name, as a run takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .loss import (
    AUDIO_TERM,
    AUDIO_TEXT,
    HARD_NEGATIVE,
    NO_TERM,
    LossSettings,
    hard_negative_loss,
    info_nce,
    no_term_loss,
)

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True)
class ContrastiveLoss:
    """The objective.

    The inputs of a batch: `audio` and `text`, vectors of each clip and its words; `has_text`; `same_text`, where two
    clips have the same words; `terms`, vectors of each term that the batch names, once; `names`, which clip names
    which; and, to look for near terms among, `near`, vectors of terms, with `names_near`.

    Attributes:
        near: Near terms of a clip; None: clips are not held against them.
    """

    settings: LossSettings
    near: int | None = None

    def items(self, inputs: Mapping[str, Any]) -> int:
        """The clips of a batch."""
        return len(inputs["audio"])

    def losses(self, model: Any, inputs: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        import torch

        settings, names = self.settings, inputs["names"]
        audio = model.speech(inputs["audio"])
        worded = inputs["has_text"].nonzero()[:, 0]
        texts = audio[worded] @ model.text(inputs["text"][worded]).T
        found = {AUDIO_TEXT: info_nce(texts, inputs["same_text"][worded][:, worded], settings.temperature).mean}
        terms = audio @ model.text(inputs["terms"]).T
        is_named = names.any(1)
        # Clips without terms have a loss of their own; here a term is told from the clips that name others.
        found[AUDIO_TERM] = info_nce(terms[is_named], names[is_named], settings.temperature).mean
        others, is_own = terms, names
        if "near" in inputs:
            others = torch.cat([terms, audio @ model.text(inputs["near"]).T], 1)
            is_own = torch.cat([names, inputs["names_near"]], 1)
        if bool((~is_named).any()):
            found[NO_TERM] = no_term_loss(others[~is_named], settings.no_term_margin)
        if self.near is not None and bool(is_named.any()):
            own = terms.masked_fill(~names, -2.0).amax(1)[is_named]
            near = others.masked_fill(is_own, -2.0)[is_named]
            near = near.topk(min(self.near, near.shape[1]), dim=1).values
            found[HARD_NEGATIVE] = hard_negative_loss(own, near, near > -2.0, settings.hard_negative_margin)
        clips = self.items(inputs)
        return {name: loss * clips for name, loss in settings.weighted(found).items()}
