"""What is unusual in a configuration, for this model and device."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ....errors import amount
from ...models.families import EXPERTS, LANGUAGE_MODEL
from .findings import WARNING, Finding

if TYPE_CHECKING:
    from ..config.sections import RunConfig
    from ..prepare import Prepared

LORA_RATES = (1e-6, 1e-3)
"""Learning rates of adapters that are usual (Hu et al., 2021, train with 2e-4; the scripts here name 1e-4 to 2e-5)."""

FULL_RATE = 5e-5
"""The highest usual learning rate where pre-trained weights are trained themselves."""

_ANSWERS = re.compile(r"instruct|chat|thinking|(?:^|[-_])it(?:$|[-_])", re.IGNORECASE)


def learning_rates(config: RunConfig) -> Iterator[Finding]:
    """Yield rates that are out of the usual range."""
    rate = config.training.lr
    if config.lora is not None:
        low, high = LORA_RATES
        if not low <= rate <= high:
            yield Finding(
                WARNING, "learning_rate", f"training.lr is {rate:g}; adapters are trained with {low:g} to {high:g}.",
                "--set training.lr=1e-4" if rate > high else "--set training.lr=2e-5",
            )  # fmt: skip
        return
    given = {"training.lr": rate} if not config.stages else {}
    given["training.lr_pretrained"] = config.training.lr_pretrained
    for number, stage in enumerate(config.stages):
        pretrained = [each for each in stage.train if each not in ("projector", "visual_projector")]
        if stage.lr is not None and pretrained:
            given[f"stages[{number}].lr"] = stage.lr
    high_rates = {name: value for name, value in given.items() if value > FULL_RATE}
    if "training.lr" in high_rates and high_rates.get("training.lr_pretrained") == rate:
        del high_rates["training.lr_pretrained"]  # it follows lr
    if high_rates:
        named = ", ".join(f"{name} is {value:g}" for name, value in high_rates.items())
        yield Finding(
            WARNING, "learning_rate",
            f"{named}; above {FULL_RATE:g} pre-trained weights that are trained themselves lose what they know.",
            "--set training.lr=2e-5, or train adapters: --set lora={}",
        )  # fmt: skip


def warm_up(steps: int, warmup: int, row_count: int) -> Iterator[Finding]:
    """Yield a run that is over before, or soon after, its learning rate has risen."""
    if warmup and 2 * warmup >= steps:
        ends = "never ends" if warmup >= steps else f"takes {warmup / steps:.0%} of the run"
        yield Finding(
            WARNING, "warm_up",
            f"{amount(steps, 'step')} of {amount(row_count, 'row')}, and a warm-up of {warmup:,}: it {ends}.",
            "--set training.warmup_steps=0, more epochs, or fewer rows a step: training.gradient_accumulation_steps",
        )  # fmt: skip


def adapters_elsewhere(config: RunConfig) -> Iterator[Finding]:
    """Yield adapters outside the language model."""
    if config.lora is None:
        return
    outside = [each for each in config.lora.components if each not in (LANGUAGE_MODEL, EXPERTS)]
    if outside:
        yield Finding(
            WARNING, "adapters_elsewhere",
            f"lora.components: adapters in {', '.join(outside)}; servers such as vLLM load adapters of the language "
            "model alone.",
            "hand on merged weights: triptych train export RUN --merge",
        )  # fmt: skip


def number_format_of(prepared: Prepared, *, asked: str) -> Iterator[Finding]:
    """`number_format` of a run on the device that it is on."""
    import torch

    device = next(prepared.model.parameters()).device
    has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False) if device.type == "cuda" else True
    yield from number_format(prepared.loaded.dtype, asked=asked, on_gpu=device.type == "cuda", has_bf16=has_bf16)


def number_format(dtype: str, *, asked: str, on_gpu: bool, has_bf16: bool) -> Iterator[Finding]:
    """Yield a number format that overflows, or one that costs time or digits for nothing."""
    if dtype == "fp16":
        why = "" if has_bf16 else " This device does not compute in bf16."
        yield Finding(
            WARNING, "number_format",
            f"model.dtype: fp16 holds numbers up to 65,504; activations of models that were trained in bf16 can be "
            f"larger, and then the loss is no number.{why}",
            "--set model.dtype=bf16" if has_bf16 else "--set model.dtype=fp32, or a GPU with bf16 (Ampere or later)",
        )  # fmt: skip
    elif dtype == "bf16" and not on_gpu:
        yield Finding(
            WARNING, "number_format",
            "model.dtype: bf16 on a processor: numbers have 8 bits, so losses differ from those of fp32, and most "
            "processors compute more slowly in it.",
            "--set model.dtype=fp32, or auto, where there is memory for it; on a GPU bf16 is right",
        )  # fmt: skip
    elif dtype == "fp32" and on_gpu and has_bf16 and asked == "fp32":
        yield Finding(
            WARNING, "number_format", "model.dtype: fp32 takes twice the memory of bf16 and several times its time.",
            "--set model.dtype=bf16; trained weights stay in fp32",
        )  # fmt: skip


def chat_template(base_model: str, *, form: str) -> Iterator[Finding]:
    """Yield a model by whose name it answers in turns, and whose files have no template of them.

    Args:
        form: What rows are written as: `chat` or `raw`.
    """
    if form == "raw" and _ANSWERS.search(base_model.rstrip("/").rpartition("/")[2]):
        yield Finding(
            WARNING, "chat_template",
            f"{base_model} has no chat template in its files: rows are written as bare text; it was tuned on turns.",
            "copy chat_template.jinja (or .json) of the original model into its folder",
        )  # fmt: skip


def memory_room(
    estimate: int, device: int | None, *, is_full: float, on_gpu: bool, advice: str | None = None
) -> Iterator[Finding]:
    """Yield a step for which the device has hardly room."""
    if device is not None and estimate > is_full * device:
        what = "the GPU" if on_gpu else "this machine"
        yield Finding(
            WARNING, "memory", f"a step takes about {estimate / 1e9:,.1f} GB, and {what} has {device / 1e9:,.1f} GB.",
            advice or MEMORY_ADVICE,
        )  # fmt: skip


MEMORY_ADVICE = (
    "in this order: --set model.gradient_checkpointing=true; training.batch_size=1 with more "
    "training.gradient_accumulation_steps, or a smaller data.batch_tokens; adapters: --set lora={}; of dense models "
    "--set model.quantization=4bit; more GPUs with FSDP: triptych train config"
)
"""What to do where memory is too small."""
