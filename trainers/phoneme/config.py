"""The configuration of phone recognition: that of every run, with the section `phoneme`.

Defaults are those of the phoneme-LoRA scripts where they name one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from ..runs.config.sections import (
    OURS,
    PHONEME,
    LoraSection,
    ModelSection,
    RunConfig,
    Section,
    TrainingSection,
)
from ..runs.config.values import Components, Name, Number, Whole, key

PROMPT = "请你做语音评测"
ROWS = "rows"
"""As a prompt: the question of each row."""

PER = "per"
"""As what checkpoints are compared by, and as a score: the phone error rate."""

NEW_PARTS = ("projector", "new_tokens")
"""What has no weights before the first step, and is always there."""


class PhonemeModelSection(ModelSection):
    """The language model, and how it is loaded."""

    gradient_checkpointing: Annotated[
        bool, key("Compute activations again in the backward pass: less memory, more time.", source=PHONEME)
    ] = True


class PhonemeTraining(TrainingSection):
    """Steps, batches and learning rates."""

    batch_size: Annotated[Whole, key("Rows of a batch, on each device.", source=PHONEME, ge=1)] = 2
    epochs: Annotated[Whole, key("How often every row is trained on.", source=PHONEME, ge=1)] = 2
    lr: Annotated[Number, key("Learning rate of the adapters: the highest of the schedule.", source=PHONEME, gt=0)] = (
        1e-4
    )


class PhonemeLora(LoraSection):
    """LoRA in the language model; what is new is trained whole."""

    r: Annotated[Whole, key("Rank of the matrices.", source=PHONEME, ge=1)] = 64
    whole: Annotated[
        Components, key("Parts whose own weights are trained too; one that a model lacks is skipped.", source=PHONEME)
    ] = ("projector", "new_tokens", "ctc_head")


class PhonemeSection(Section):
    """What hears, and what is said; only `triptych train phoneme` has this section."""

    encoder: Annotated[
        Name, key("The speech encoder: a Whisper, as a folder or a name on the hub.", source=PHONEME)
    ] = "openai/whisper-large-v3"
    encoder_revision: Annotated[Name | None, key("Branch, tag or commit of it on the hub.")] = None
    random_encoder: Annotated[
        bool, key("Random weights in the encoder: the control that every result belongs beside.", source=OURS)
    ] = False
    min_freq: Annotated[
        Whole, key("How often the rows must have a phone, where model.tokenizer names no vocabulary.", source=PHONEME,
                   ge=1)
    ] = 1  # fmt: skip
    prompt: Annotated[
        Name, key("What is asked about every clip; rows: the question of each row.", source=PHONEME)
    ] = PROMPT  # fmt: skip
    boundary_tokens: Annotated[
        bool, key("Phones stand between <PH_START> and <PH_END>.", source=PHONEME)
    ] = True  # fmt: skip
    ctc_weight: Annotated[
        Number, key("Weight of the CTC loss of a linear layer over the frames; 0: there is no such layer.", source=OURS,
                    ge=0)
    ] = 0.0  # fmt: skip
    best_metric: Annotated[
        Literal["loss", "per"],
        key("What checkpoints are compared by on data.validation: its loss, or the phone error rate of what is heard.",
            source=OURS),
    ] = "loss"  # fmt: skip
    per_rows: Annotated[
        Whole, key("How many of its rows are heard for that, the first of the export.", source=OURS, ge=1)
    ] = 200
    keep_states: Annotated[
        Number, key("Gigabytes of memory for what the encoder makes of clips: each is heard once, not in every epoch.",
                    source=OURS, ge=0)
    ] = 0.0  # fmt: skip


def _none_is_off(value: Any) -> Any:
    return None if value == "none" else value


class PhonemeConfig(RunConfig):
    """The configuration of one run of `triptych train phoneme`; `model` is the language model."""

    model: PhonemeModelSection
    training: PhonemeTraining = Field(default_factory=PhonemeTraining)
    lora: Annotated[PhonemeLora | None, BeforeValidator(_none_is_off)] = Field(default_factory=PhonemeLora)
    phoneme: PhonemeSection = Field(default_factory=PhonemeSection)

    @model_validator(mode="after")
    def _only_what_is_there(self) -> Self:
        if self.evaluation is not None:
            raise ValueError(
                "evaluation: phones are not scored as answers: name data.validation, whose loss is measured, and with "
                "phoneme.best_metric: per its phone error rate"
            )
        if self.phoneme.best_metric == PER and self.data.validation is None:
            raise ValueError("phoneme.best_metric: per is measured on rows of data.validation: name that export")
        if self.model.audio_padding != "full":
            raise ValueError("model.audio_padding: Whisper's encoder takes its 30 s; remove the key")
        if self.model.tokenizer is not None and self.phoneme.min_freq != 1:
            raise ValueError(
                "phoneme.min_freq: the vocabulary that model.tokenizer names was built already: remove the key, or "
                "build it with --min-freq"
            )
        if self.lora is not None and self.stages:
            raise ValueError("stages and lora: stages are for weights of their own: lora: none")
        return self

    def remarks(self) -> Iterator[str]:
        if self.phoneme.random_encoder:
            yield "phoneme.random_encoder: the encoder's weights are random: this run is a control"
        if self.lora is not None and (left := set(NEW_PARTS).difference(self.lora.whole)):
            yield f"lora.whole: {' and '.join(sorted(left))} begin with random weights and are not trained"
