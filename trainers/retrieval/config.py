"""The configuration of contrastive training: that of every run, and the section `retrieval`.

Its keys have the names of InfiniSST's launcher where there is one.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from ..runs.config.sections import (
    LAUNCHER,
    OURS,
    LoraSection,
    ModelSection,
    RunConfig,
    Section,
    TrainingSection,
    off_by_name,
)
from ..runs.config.values import Name, Number, Whole, key, names
from .objective.loss import LossSettings

SLICE = 1000
"""Training rows of `single_slice`."""

ENCODERS_RATE = 0.1
"""The learning rate of what is trained of encoders, as a share of that of projections, unless it is given."""

_OF_OTHERS = ("evaluation", "stages")
_NOT_HERE = {
    "model": ("tokenizer", "quantization", "attention", "experts", "audio_padding"),
    "data": ("max_tokens", "batch_tokens", "max_audio_seconds", "long", "allow_held_out", "workers"),
}
"""Keys of other trainers' runs, by section: they would change nothing of this one."""

Encoder = Literal["speech_encoder", "text_encoder"]


class ContrastiveTraining(TrainingSection):
    """Steps, batches and the learning rate of the projections."""

    batch_size: Annotated[Whole, key("Clips of a batch; all are told apart.", source=LAUNCHER, ge=2)] = 32
    gradient_accumulation_steps: Annotated[Whole, key("Batches of a step.", source=OURS, ge=1)] = 1
    epochs: Annotated[Whole, key("How often every clip is trained on.", source=LAUNCHER, ge=1)] = 20
    lr: Annotated[Number, key("Learning rate of the projections: the highest of the schedule.", source=LAUNCHER,
                              gt=0)] = 1e-3  # fmt: skip
    lr_pretrained: Annotated[
        Number,
        key("Learning rate of what is trained of encoders: unfrozen layers, and adapters; default: a tenth of lr.",
            source=LAUNCHER, gt=0),
    ] = 1e-4  # fmt: skip


class EncoderLora(LoraSection):
    """LoRA of encoders: small matrices beside frozen weights."""

    targets: Annotated[
        Annotated[tuple[Name, ...], BeforeValidator(names), Field(min_length=1)] | None,
        key("The layers that get them, by the last part of their names; default: of a speech encoder q_proj, k_proj, "
            "v_proj; of a language model its attention and MLP; of another text encoder query, key, value.",
            source=LAUNCHER),
    ] = None  # fmt: skip
    components: Annotated[
        Annotated[tuple[Encoder, ...], BeforeValidator(names)],
        key("The encoders that get them: speech_encoder, text_encoder.", source=LAUNCHER, min_length=1),
    ] = ("speech_encoder",)  # type: ignore[assignment]
    whole: Annotated[
        Annotated[tuple[Name, ...], BeforeValidator(names)],
        key(
            "Nothing else: projections are always trained, own layers by retrieval.unfreeze_layers.",
            source=OURS,
            max_length=0,
        ),
    ] = ()  # type: ignore[assignment]


class RetrievalSection(Section):
    """What is told apart, and what retrieval is measured by."""

    text_model: Annotated[
        Name | None, key("The encoder of texts: a folder or a name on the hub; default: model.base_model.")
    ] = None
    text_revision: Annotated[Name | None, key("Branch, tag or commit of it on the hub.")] = None
    random_speech: Annotated[
        bool, key("Random weights in the speech encoder: the control that every result belongs beside.", source=OURS)
    ] = False
    random_control: Annotated[
        bool,
        key("Train the same once more with random_speech, in the folder random_control of the run, and tell its scores "
            "beside.", source=OURS),
    ] = False  # fmt: skip
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
    hard_neg_refresh_steps: Annotated[
        Whole | None,
        key("Steps from one index of the glossary, in which near terms are looked for, to the next; default: an epoch.",
            source=LAUNCHER, ge=1),
    ] = None  # fmt: skip
    unfreeze_layers: Annotated[
        Whole, key("The last N layers of the speech encoder are trained themselves.", source=LAUNCHER, ge=0)
    ] = 0
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
    lora: Annotated[EncoderLora | None, BeforeValidator(off_by_name)] = None
    retrieval: RetrievalSection = Field(default_factory=RetrievalSection)

    @model_validator(mode="after")
    def _rates_of_full_training(self) -> Self:
        """Encoders are trained at a tenth of the projections' rate, unless theirs is given."""
        training = self.training
        rates = {"lr_projector": training.lr, "lr_pretrained": ENCODERS_RATE * training.lr}
        given = {name: rate for name, rate in rates.items() if name not in training.model_fields_set}
        self.__dict__["training"] = training.model_copy(update=given)
        return self

    @model_validator(mode="after")
    def _only_what_is_used(self) -> Self:
        section, training = self.retrieval, self.training
        for name in _OF_OTHERS:
            if getattr(self, name):
                raise ValueError(
                    f"{name}: it is for models that answer: remove the section; encoders are trained by "
                    "retrieval.unfreeze_layers or the section lora"
                )
        if not (section.audio_text_loss_ratio or section.audio_term_loss_ratio):
            raise ValueError(
                "retrieval.audio_term_loss_ratio: this or audio_text_loss_ratio is above 0: else nothing is told apart"
            )
        if self.data.validation is not None:
            raise ValueError("data.validation: clips of validation and test splits in the export itself are measured")
        for name, keys in _NOT_HERE.items():
            for each in keys:
                if _is_given(getattr(self, name), each):
                    raise ValueError(f"{name}.{each}: it changes nothing of contrastive training: remove the key")
        if training.lr_projector != training.lr:
            raise ValueError("training.lr_projector: it changes nothing beside training.lr: remove the key")
        if self.lora is not None and section.unfreeze_layers and "speech_encoder" in self.lora.components:
            raise ValueError(
                "retrieval.unfreeze_layers: the section lora has adapters in the speech encoder: give one of them"
            )
        if not (self.lora or section.unfreeze_layers):
            unused = {"model.gradient_checkpointing": self.model.gradient_checkpointing,
                      "training.lr_pretrained": training.lr_pretrained != ENCODERS_RATE * training.lr}  # fmt: skip
            for name, is_given in unused.items():
                if is_given:
                    raise ValueError(
                        f"{name}: it changes nothing where no encoder is trained: remove the key, or add "
                        "retrieval.unfreeze_layers or the section lora"
                    )
        if section.random_control and section.random_speech:
            raise ValueError("retrieval.random_control: this run is the control (random_speech): remove one of them")
        return self


def _is_given(section: Section, name: str) -> bool:
    """Whether a key has another value than by default; `config.yaml` of a run has them all."""
    default = type(section).model_fields[name].get_default(call_default_factory=True)
    return bool(getattr(section, name) != default)
