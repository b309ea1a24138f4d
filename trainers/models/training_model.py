"""Models that are loaded to be trained: in the number format of a device, quantized or not, on the lengths of clips.

What is frozen is kept in the format, and the forward pass computes in it (autocast). Weights that are trained are kept
in 32 bits whatever the format (`TrainingPlan.prepare`): a step of 1e-5 is lost in the 8 bits of a bfloat16.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ...errors import UsageError
from .families import Family, base_model, family_of, has_fused_experts
from .model_loading import read_config, read_model, require_torch
from .real_lengths import hear_real_lengths
from .short_clips import hear_short_clips_alone

AUTO, FP32, BF16, FP16 = "auto", "fp32", "bf16", "fp16"
DTYPES = (AUTO, BF16, FP16, FP32)
NONE, EIGHT_BIT, FOUR_BIT = "none", "8bit", "4bit"
QUANTIZATIONS = (NONE, EIGHT_BIT, FOUR_BIT)
FULL, BATCH = "full", "batch"
AUDIO_PADDINGS = (FULL, BATCH)

TORCH_NAMES = {FP32: "float32", BF16: "bfloat16", FP16: "float16"}


class LoadSettings(Protocol):
    """How a model is loaded, as the section `model` of a configuration says.

    Attributes:
        dtype: `auto` (bf16 on a device that computes in it, else fp16; fp32 without a device), `bf16`, `fp16`, `fp32`.
        quantization: Of frozen weights, under LoRA: `none`, `8bit` or `4bit`.
        attention: As transformers names it: `sdpa`, `eager`, `flash_attention_2` ...
        experts: As transformers names it: `grouped_mm`, `batched_mm`, `eager`.
        gradient_checkpointing: Compute activations again in the backward pass instead of keeping them.
        audio_padding: `full`, to what the encoder was trained on, or `batch`, to the longest clip of the batch.
    """

    @property
    def dtype(self) -> str: ...
    @property
    def quantization(self) -> str: ...
    @property
    def attention(self) -> str: ...
    @property
    def experts(self) -> str: ...
    @property
    def gradient_checkpointing(self) -> bool: ...
    @property
    def audio_padding(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """Settings with their defaults; see `LoadSettings`."""

    dtype: str = AUTO
    quantization: str = NONE
    attention: str = "sdpa"
    experts: str = "grouped_mm"
    gradient_checkpointing: bool = False
    audio_padding: str = FULL


@dataclass(slots=True, eq=False)
class TrainingModel:
    """A model to be trained; of an Omni, its thinker.

    Attributes:
        folder: Where its files lie.
        revision: Which they are.
        dtype: `fp32`, `bf16` or `fp16`: what it computes in.
        quantization: `none`, `8bit` or `4bit`.
    """

    model: Any
    processor: Any
    tokenizer: Any
    family: Family
    folder: Path
    revision: str
    dtype: str
    quantization: str


def load_for_training(
    folder: Path, settings: LoadSettings, *, revision: str = "", device: str | None = None
) -> TrainingModel:
    """Load the model of a folder to train it.

    Args:
        revision: Which it is, as `model_files.locate` says.
        device: `cpu`, `cuda`, `cuda:1`; default: a GPU where there is one.

    Raises:
        UsageError: It cannot be trained, or not like this on this device.
        DamagedError: Its files cannot be loaded.
    """
    torch = require_torch("train")
    where = device or ("cuda" if torch.cuda.is_available() else "cpu")
    config = read_config(folder)
    family = family_of(config)
    dtype = dtype_on(settings.dtype, where)
    options: dict[str, Any] = {
        "dtype": getattr(torch, TORCH_NAMES[dtype]),
        "attn_implementation": settings.attention,
    }
    if has_fused_experts(config):
        options["experts_implementation"] = settings.experts
    if settings.quantization != NONE:
        options["quantization_config"] = _quantization(settings.quantization, config, family, dtype)
        options["device_map"] = {"": where}
    try:
        read = read_model(folder, config=config, **options)
    except ImportError as error:
        raise UsageError(
            f"model.attention: {settings.attention}: {str(error).splitlines()[0]}", hint="model.attention: sdpa"
        ) from error
    model = read.model if settings.quantization != NONE else read.model.to(where)
    model.config.use_cache = False
    if settings.audio_padding == BATCH:
        hear_real_lengths(model, family)
    hear_short_clips_alone(model, family)
    if settings.gradient_checkpointing:
        _keep_few_activations(model)
    for name, parameter in model.named_parameters():
        if family.is_fixed(name) or settings.quantization != NONE:
            parameter.requires_grad_(False)
    tokenizer = getattr(read.processor, "tokenizer", read.processor)
    return TrainingModel(
        model=model, processor=read.processor, tokenizer=tokenizer, family=family, folder=folder, revision=revision,
        dtype=dtype, quantization=settings.quantization,
    )  # fmt: skip


def _keep_few_activations(model: Any) -> None:
    """Gradient checkpointing, by its name in this version of transformers."""
    options = {"use_reentrant": False}
    if hasattr(model, "activation_checkpointing_enable"):
        model.activation_checkpointing_enable(activation_checkpointing_kwargs=options)
    else:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=options)


def dtype_on(asked: str, device: str) -> str:
    """The number format to compute in on a device.

    Raises:
        UsageError: The device does not compute in it.
    """
    import torch

    is_cuda = device.startswith("cuda")
    has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False) if is_cuda else device.startswith("cpu")
    if asked == AUTO:
        return FP32 if not is_cuda else BF16 if has_bf16 else FP16
    if asked == BF16 and not has_bf16:
        what = torch.cuda.get_device_name() if is_cuda else device
        raise UsageError(f"model.dtype: bf16: {what} does not compute in it.", hint="model.dtype: fp16, or fp32")
    if asked == FP16 and not is_cuda:
        raise UsageError(f"model.dtype: fp16: needs a GPU; this runs on {device}.", hint="model.dtype: fp32, or bf16")
    return asked


def _quantization(asked: str, config: Any, family: Family, dtype: str) -> Any:
    """How frozen weights are quantized: the language model's, since the encoders are small and hear with theirs."""
    import importlib.util

    import torch
    from transformers import BitsAndBytesConfig

    if has_fused_experts(config):
        raise UsageError(
            f"model.quantization: {asked}: {config.model_type} holds the experts of a layer as one tensor, which"
            " bitsandbytes leaves as it is (bitsandbytes-foundation/bitsandbytes#1849): next to nothing is saved.",
            hint="model.quantization: none; to save memory: lora, gradient_checkpointing, FSDP or ZeRO-3",
        )
    if importlib.util.find_spec("bitsandbytes") is None:
        raise UsageError(
            f"model.quantization: {asked}: bitsandbytes is not installed.", hint="pip install 'bitsandbytes>=0.46'"
        )
    kept = [*family.modules.values(), "lm_head"]
    if asked == EIGHT_BIT:
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=kept)
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, TORCH_NAMES[dtype]), llm_int8_skip_modules=kept,
    )  # fmt: skip


def device_of(model: Any) -> Any:
    """Where a model's weights lie."""
    return next(base_model(model).parameters()).device
