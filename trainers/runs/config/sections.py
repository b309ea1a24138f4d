"""The sections of a configuration and their keys: each has a type, a default, and the source of the default.

    model: {base_model: Qwen/Qwen2-Audio-7B-Instruct, dtype: bf16}
    data: {train: conversation@v1, validation: conversation-validation}
    training: {epochs: 3, lr: 2e-5}
    lora: {r: 16}
    output_dir: runs/first

The reference page `docs/reference/training-configuration.md` is made from these models. A trainer with keys of its own
derives its configuration from `RunConfig`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from ....errors import UsageError
from .values import Betas, Components, Dtype, Metric, Name, Names, Number, PathValue, Trained, Whole, key, listed, names

TEMPLATE = "the chain-of-thought template"
NOTES = "the Qwen2-Audio notes"
PHONEME = "the phoneme-LoRA scripts"
LAUNCHER = "InfiniSST's launcher"
TORCH = "torch"
TRANSFORMERS = "transformers"
OURS = "Triptych"
"""Where defaults come from; the reference page says what each is."""

PROJECTOR_RATE, PRETRAINED_RATE = 1e-4, 1e-5


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, and nothing is converted silently."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ModelSection(Section):
    """The model that is trained, and how it is loaded."""

    base_model: Annotated[Name, key("A folder with a model, or the name of one on the hub.")]
    revision: Annotated[Name | None, key("Branch, tag or commit of a model on the hub; default: main.")] = None
    download: Annotated[bool, key("Download a model that is not here; without it, its size is told.")] = False
    dtype: Annotated[
        Dtype,
        key("Type of frozen weights and of computation: auto (bf16 if the device computes it, else fp32), bf16, fp16 "
            "or fp32. Trained weights are fp32.", source=OURS),
    ] = "auto"  # fmt: skip
    tokenizer: Annotated[
        PathValue | None,
        key("A folder with another tokenizer; default: the model's own. SFT refuses it: the model has no rows for it."),
    ] = None
    quantization: Annotated[
        Literal["none", "8bit", "4bit"],
        key("Quantize the frozen weights with bitsandbytes; dense models only, with LoRA.", source=OURS),
    ] = "none"
    attention: Annotated[
        Literal["sdpa", "eager", "flash_attention_2"], key("How attention is computed.", source=TRANSFORMERS)
    ] = "sdpa"
    experts: Annotated[
        Literal["grouped_mm", "batched_mm", "eager"],
        key("How the experts of a mixture are computed.", source=TRANSFORMERS),
    ] = "grouped_mm"
    gradient_checkpointing: Annotated[
        bool, key("Compute activations again in the backward pass: less memory, more time.", source=TRANSFORMERS)
    ] = False
    audio_padding: Annotated[
        Literal["full", "batch"],
        key("full: clips are padded to the 30 s of Whisper's window, as in inference; batch: to the longest of the "
            "batch, where the encoder allows it.", source=OURS),
    ] = "full"  # fmt: skip


class DataSection(Section):
    """The exports that are read, and how their rows become batches."""

    train: Annotated[Name, key("The export that is trained on: NAME (its latest version) or NAME@vN.")]
    validation: Annotated[Name | None, key("An export on which the loss is measured.")] = None
    max_tokens: Annotated[
        Whole, key("The longest row, in tokens with those of media; a longer row is bad.", source=NOTES, ge=1)
    ] = 8192
    batch_tokens: Annotated[
        Whole | None, key("Batches of at most so many tokens; default: of training.batch_size rows.", ge=1)
    ] = None
    max_audio_seconds: Annotated[
        Number | None, key("The longest clip; default: what the model hears (Qwen2-Audio: 30 s).", gt=0)
    ] = None
    long: Annotated[
        Literal["refuse", "cut"], key("What becomes of a longer clip: its row is bad, or it is cut.", source=OURS)
    ] = "refuse"
    bad_rows: Annotated[
        Literal["refuse", "leave_out"],
        key("What becomes of a bad row: the run stops, or goes on without it; each is named and counted.", source=OURS),
    ] = "refuse"
    allow_held_out: Annotated[
        bool, key("Train on an export that holds rows of test or validation splits.", source=OURS)
    ] = False
    allow_overlap: Annotated[
        bool, key("Measure on samples or media that are trained on too; the run warns of them.", source=OURS)
    ] = False
    workers: Annotated[Whole, key("Processes that decode ahead; 0: none.", source=OURS, ge=0)] = 2


class TrainingSection(Section):
    """Steps, batches and learning rates."""

    batch_size: Annotated[Whole, key("Rows of a batch, on each device.", source=TEMPLATE, ge=1)] = 1
    gradient_accumulation_steps: Annotated[Whole, key("Batches of a step.", source=TEMPLATE, ge=1)] = 8
    epochs: Annotated[Whole, key("How often every row is trained on.", source=TEMPLATE, ge=1)] = 3
    max_steps: Annotated[
        Whole | None, key("Stop after so many steps, if that is before the last epoch ends.", ge=1)
    ] = None
    lr: Annotated[Number, key("Learning rate: the highest of the schedule.", source=f"{TEMPLATE}, {NOTES}", gt=0)] = (
        2e-5
    )
    lr_projector: Annotated[
        Number,
        key("Learning rate of the projector where its own weights are trained; default without LoRA and stages: lr.",
            source=NOTES, gt=0),
    ] = PROJECTOR_RATE  # fmt: skip
    lr_pretrained: Annotated[
        Number,
        key("Learning rate of every other part whose own weights are trained; default without LoRA and stages: lr.",
            source=NOTES, gt=0),
    ] = PRETRAINED_RATE  # fmt: skip
    schedule: Annotated[
        Literal["cosine", "linear", "constant"], key("How the learning rate falls after the warm-up.", source=NOTES)
    ] = "cosine"
    warmup_steps: Annotated[
        Whole | None, key("Steps in which the learning rate rises from 0; default: by warmup_ratio.", ge=0)
    ] = None
    warmup_ratio: Annotated[Number, key("The same as a share of all steps.", source=PHONEME, ge=0, lt=1)] = 0.03
    weight_decay: Annotated[Number, key("Weight decay.", source=TEMPLATE, ge=0)] = 0.01
    max_grad_norm: Annotated[Number, key("Gradients are scaled down to this norm.", source=TEMPLATE, gt=0)] = 1.0
    seed: Annotated[
        Whole, key("Seed of the order of rows, of new weights and of dropout.", source=TEMPLATE, ge=0, lt=2**32)
    ] = 42


class OptimizerSection(Section):
    """The optimizer."""

    name: Annotated[Literal["adamw"], key("AdamW, of torch.", source=TEMPLATE)] = "adamw"
    betas: Annotated[Betas, key("Its two decay rates.", source=TEMPLATE)] = (0.9, 0.95)
    eps: Annotated[Number, key("Added to its denominator.", source=TORCH, gt=0)] = 1e-8


class LoraSection(Section):
    """LoRA: small matrices beside frozen weights."""

    r: Annotated[Whole, key("Rank of the matrices.", source=TEMPLATE, ge=1)] = 16
    alpha: Annotated[Number, key("Their product is scaled by alpha / r.", source=TEMPLATE, gt=0)] = 32
    dropout: Annotated[
        Number, key("Dropout of their input; 0 where experts are adapted.", source=TEMPLATE, ge=0, lt=1)
    ] = 0.05
    targets: Annotated[
        Annotated[Names, Field(min_length=1)] | None,
        key("The layers that get them, by the last part of their names (q_proj ...); default: attention and MLP of the "
            "language model, of a mixture of experts attention alone.", source=OURS),
    ] = None  # fmt: skip
    components: Annotated[
        Components, key("The parts of the model in which they are looked for.", source=OURS, min_length=1)
    ] = ("language_model",)
    whole: Annotated[
        Components, key("Parts whose own weights are trained too; one that a model lacks is skipped.",
                        source=OURS),
    ] = ("projector",)  # fmt: skip


class Stage(Section):
    """One stage of a staged run: what is trained, and for how long."""

    train: Annotated[
        Annotated[tuple[Trained, ...], BeforeValidator(names)],
        key("What is trained: all, parts of the model, or `encoder_top: N` (its last N layers).", min_length=1),
    ]
    epochs: Annotated[Whole | None, key("How long, in epochs; the last stage may leave it out.", ge=1)] = None
    steps: Annotated[Whole | None, key("How long, in steps.", ge=1)] = None
    lr: Annotated[Number | None, key("Learning rate of all that it trains; default: that of each part.", gt=0)] = None

    @model_validator(mode="after")
    def _one_length(self) -> Self:
        if self.epochs is not None and self.steps is not None:
            raise ValueError("epochs and steps both say how long the stage is: give one of them")
        return self


class EvaluationSection(Section):
    """Answers to the questions of an export, scored while the model is trained; the best checkpoint is kept."""

    export: Annotated[Name, key("The export whose rows are asked.")]
    metric: Annotated[Metric | None, key("What checkpoints are compared by; default: by the task of the rows.")] = None
    steps: Annotated[Whole | None, key("Steps from one to the next; default: logging.save_steps.", ge=1)] = None
    rows: Annotated[Whole, key("How many rows are asked, the first of the export.", source=OURS, ge=1)] = 200
    max_new_tokens: Annotated[Whole, key("The longest answer.", source="`triptych infer`", ge=1)] = 1024
    patience: Annotated[
        Whole | None, key("Stop after so many evaluations without a better one; default: go on.", ge=1)
    ] = None
    base: Annotated[bool, key("Ask the base model first.", source=OURS)] = True


class LoggingSection(Section):
    """What is written while the model is trained."""

    logging_steps: Annotated[Whole, key("Steps from one line of metrics to the next.", source=OURS, ge=1)] = 10
    save_steps: Annotated[Whole, key("Steps from one checkpoint to the next.", source=TRANSFORMERS, ge=1)] = 500
    keep: Annotated[Whole, key("How many checkpoints are kept, beside the best.", source=OURS, ge=1)] = 2
    report_to: Annotated[
        Names, key("Further places for metrics, by their names in transformers: wandb, tensorboard, swanlab ...")
    ] = ()


def off_by_name(value: Any) -> Any:
    """A section that is switched off: `lora: none`."""
    return None if value == "none" else value


class RunConfig(Section):
    """The configuration of one run."""

    model: ModelSection
    data: DataSection
    training: TrainingSection = Field(default_factory=TrainingSection)
    optimizer: OptimizerSection = Field(default_factory=OptimizerSection)
    lora: Annotated[LoraSection | None, BeforeValidator(off_by_name)] = None
    stages: Annotated[tuple[Stage, ...], BeforeValidator(listed)] = ()
    evaluation: Annotated[EvaluationSection | None, BeforeValidator(off_by_name)] = None
    logging: LoggingSection = Field(default_factory=LoggingSection)
    output_dir: Annotated[PathValue | None, key("The folder of the run; `--output-dir` on the command line.")] = None

    @property
    def folder(self) -> Path:
        """The folder of the run.

        Raises:
            UsageError: The configuration names none.
        """
        if self.output_dir is None:
            raise UsageError("The run has no folder.", hint="--output-dir DIR, or output_dir in the configuration")
        return self.output_dir

    def remarks(self) -> Iterator[str]:
        """Yield what is allowed and easily a mistake in the keys that only this trainer has."""
        yield from ()

    @property
    def evaluation_steps(self) -> int:
        """Steps from one evaluation to the next."""
        asked = self.evaluation.steps if self.evaluation is not None else None
        return asked or self.logging.save_steps

    @model_validator(mode="after")
    def _rates_of_full_training(self) -> Self:
        """Without LoRA and stages, all parts have the one learning rate, unless theirs is given."""
        if self.lora is None and not self.stages:
            given = self.training.model_fields_set
            rates = {name: self.training.lr for name in ("lr_projector", "lr_pretrained") if name not in given}
            self.__dict__["training"] = self.training.model_copy(update=rates)
        return self
