"""The configuration of contrastive training: that of every run, and the section `retrieval`.

Its keys have the names of InfiniSST's launcher where there is one.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ..runs.config.sections import OURS, ModelSection, RunConfig, Section, TrainingSection
from ..runs.config.values import Name, Number, Whole, key
from .loss import LossSettings

LAUNCHER = "InfiniSST's launcher"
SLICE = 1000
"""Training rows of `single_slice`."""

_OF_OTHERS = ("lora", "evaluation", "stages")
_NOT_HERE = {
    "model": ("dtype", "tokenizer", "quantization", "attention", "experts", "gradient_checkpointing", "audio_padding"),
    "data": ("max_tokens", "batch_tokens", "max_audio_seconds", "long", "allow_held_out", "workers"),
}
"""Keys of other trainers' runs, by section: they would change nothing of this one."""


class ContrastiveTraining(TrainingSection):
    """Steps, batches and the learning rate of the projections."""

    batch_size: Annotated[Whole, key("Clips of a batch; all are told apart.", source=LAUNCHER, ge=2)] = 32
    gradient_accumulation_steps: Annotated[Whole, key("Batches of a step.", source=OURS, ge=1)] = 1
    epochs: Annotated[Whole, key("How often every clip is trained on.", source=LAUNCHER, ge=1)] = 20
    lr: Annotated[Number, key("Learning rate of the projections: the highest of the schedule.", source=LAUNCHER,
                              gt=0)] = 1e-3  # fmt: skip


class RetrievalSection(Section):
    """What is told apart, and what retrieval is measured by."""

    text_model: Annotated[
        Name | None, key("The encoder of texts: a folder or a name on the hub; default: model.base_model.")
    ] = None
    text_revision: Annotated[Name | None, key("Branch, tag or commit of it on the hub.")] = None
    random_speech: Annotated[
        bool, key("Random weights in the speech encoder: the control that every result belongs beside.", source=OURS)
    ] = False
    dimension: Annotated[Whole, key("Numbers of a projected vector.", source=LAUNCHER, ge=2)] = 512
    text_field: Annotated[
        Literal["term", "short_description"], key("What stands for a term.", source=LAUNCHER)
    ] = "term"  # fmt: skip
    single_slice: Annotated[bool, key("Train on the first 1,000 clips only: a quick look.", source=LAUNCHER)] = False
    audio_text_loss_ratio: Annotated[Number, key("Weight of the loss on texts.", source=LAUNCHER, ge=0)] = 0.3
    audio_term_loss_ratio: Annotated[Number, key("Weight of the loss on terms.", source=LAUNCHER, ge=0)] = 0.7
    temperature: Annotated[Number, key("Similarities are divided by it.", source=LAUNCHER, gt=0)] = 0.07
    enable_no_term: Annotated[bool, key("Train on clips that name no term.", source=LAUNCHER)] = True
    no_term_loss_ratio: Annotated[Number, key("Weight of the loss on them.", source=LAUNCHER, ge=0)] = 0.5
    no_term_margin: Annotated[Number, key("The cosine that they may have with a term.", source=LAUNCHER)] = 0.15
    enable_hard_neg: Annotated[bool, key("Hold clips against near terms too.", source=LAUNCHER)] = False
    hard_neg_source: Annotated[
        Literal["glossary", "batch"], key("Where near terms are looked for.", source=LAUNCHER)
    ] = "glossary"  # fmt: skip
    hard_neg_loss_ratio: Annotated[Number, key("Weight of the loss on near terms.", source=LAUNCHER, ge=0)] = 0.2
    hard_neg_margin: Annotated[Number, key("By how much they must be less near.", source=LAUNCHER, ge=0)] = 0.1
    hard_neg_count: Annotated[Whole, key("Near terms of a clip.", source=LAUNCHER, ge=1)] = 10
    hard_neg_drawn: Annotated[
        Whole, key("Terms of the glossary that a batch looks for them among, drawn anew each time.", source=OURS, ge=1)
    ] = 4096
    enable_full_eval: Annotated[
        bool, key("Measure against the whole glossary; else against the terms that clips name.", source=LAUNCHER)
    ] = False
    full_eval_every_n_epochs: Annotated[Whole, key("Epochs from one measurement to the next.", source=OURS, ge=1)] = 1
    threshold: Annotated[
        Number, key("The cosine under which no term is said; the margin of the loss.", source=OURS, ge=-1, le=1)
    ] = 0.15
    patience: Annotated[
        Whole | None, key("Stop after so many measurements on validation rows without a better one.", ge=1)
    ] = None

    @property
    def losses(self) -> LossSettings:
        return LossSettings(
            temperature=self.temperature, audio_text=self.audio_text_loss_ratio, audio_term=self.audio_term_loss_ratio,
            hard_negative=self.hard_neg_loss_ratio, no_term=self.no_term_loss_ratio,
            hard_negative_margin=self.hard_neg_margin, no_term_margin=self.no_term_margin,
        )  # fmt: skip


class ContrastiveConfig(RunConfig):
    """The configuration of `triptych train contrastive`; `model` is the speech encoder."""

    model: ModelSection
    training: ContrastiveTraining = Field(default_factory=ContrastiveTraining)
    retrieval: RetrievalSection = Field(default_factory=RetrievalSection)

    @model_validator(mode="after")
    def _only_projections(self) -> Self:
        for name in _OF_OTHERS:
            if getattr(self, name):
                raise ValueError(f"{name}: encoders are not trained, only the projections: remove the section")
        if self.data.validation is not None:
            raise ValueError("data.validation: clips of validation and test splits in the export itself are measured")
        for name, keys in _NOT_HERE.items():
            section: Section = getattr(self, name)
            for each in keys:
                if getattr(section, each) != type(section).model_fields[each].get_default(call_default_factory=True):
                    raise ValueError(f"{name}.{each}: it changes nothing of contrastive training: remove the key")
        for each in ("lr_projector", "lr_pretrained"):
            if getattr(self.training, each) != self.training.lr:  # which it is where it is not given
                raise ValueError(f"training.{each}: it changes nothing of contrastive training: remove the key")
        return self
