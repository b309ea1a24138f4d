"""The memory of a step: what is counted, what is estimated, and what was measured.

* Weights, gradients (4 bytes for each number that is trained) and AdamW's two moments (8 bytes) are counted.
* Activations are what the forward pass keeps for the backward pass. Estimated for one decoder layer of hidden size h,
  feed-forward size f and kv numbers of keys per position, in units of one number per position:

      with gradients of its own weights   8 h + 4 kv + 4 f     (two norms, attention with its result, gate, up, product)
      with adapters on all its layers     the same, and for each adapted layer its input once more (dropout), and 1/4

  times layers and positions, and for each position that is trained three vectors of the vocabulary (logits in the
  format, in 32 bits, and their logarithms). With gradient checkpointing: h for each layer, and one layer whole.
  Audio and vision encoders count where they are trained.
* Measured: the tensors that autograd keeps of the costliest batch, each storage once, weights left out; and on a GPU
  the peak of the allocator. With gradient checkpointing autograd's tensors say nothing, and only the peak is measured.

The formula follows the layers of transformers' Qwen2 with scaled dot-product attention; how far it is from what was
measured is told beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...models.families import AUDIO_TOWER, VISUAL

if TYPE_CHECKING:
    from ..prepare import Prepared

GRADIENT, MOMENTS = 4, 8
"""Bytes for each number that is trained."""

FULL = 0.9
"""The share of a device's memory above which a step is likely to fail: allocators need room."""

_BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}
_NORM_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes of a step.

    Attributes:
        weights, gradients, optimizer: Counted.
        activations: Estimated, of the costliest batch.
        measured_activations, peak: Measured; None: not measured here.
        device: What the device has; of a processor its main memory.
        estimate: Of a step; with activations as measured, where they were.
        error: How far the estimate of activations is from what was measured, as a share of that.
    """

    weights: int
    gradients: int
    optimizer: int
    activations: int
    measured_activations: int | None
    peak: int | None
    device: int | None
    estimate: int
    error: float | None


def memory_of(
    prepared: Prepared, inputs: Any, *, is_checkpointed: bool, measured: int | None, peak: int | None
) -> Memory:
    """The memory of a step whose costliest batch has these inputs."""
    model = prepared.model
    trained = set(prepared.trained.names)
    numbers = sum(value.numel() for name, value in model.named_parameters() if name in trained)
    weights, estimated = _weights(model), activations_of(prepared, inputs, is_checkpointed=is_checkpointed)
    measured = None if is_checkpointed else measured
    return Memory(
        weights=weights, gradients=GRADIENT * numbers, optimizer=MOMENTS * numbers, activations=estimated,
        measured_activations=measured, peak=peak, device=_total(next(model.parameters()).device),
        estimate=weights + (GRADIENT + MOMENTS) * numbers + (estimated if measured is None else measured),
        error=estimated / measured - 1 if measured else None,
    )  # fmt: skip


def _weights(model: Any) -> int:
    held = {value.untyped_storage().data_ptr(): value.untyped_storage().nbytes()
            for value in (*model.parameters(), *model.buffers())}  # fmt: skip
    return sum(held.values())


def activations_of(prepared: Prepared, inputs: Any, *, is_checkpointed: bool) -> int:
    """The formula of this file's docstring, for a batch."""
    from ...sft.labels import IGNORED

    size = _BYTES[prepared.loaded.dtype]
    rows, width = inputs["input_ids"].shape
    text = _text_config(prepared.model)
    layer = _layer(text, size) + _adapters(prepared, size, text.num_hidden_layers)
    layers = text.num_hidden_layers
    kept = layer + layers * text.hidden_size * size if is_checkpointed else layer * layers
    labels = inputs.get("labels")
    trained = rows * width if labels is None else int((labels != IGNORED).sum())
    total = rows * width * (kept + text.hidden_size * (size + _NORM_BYTES)) + trained * text.vocab_size * (size + 8)
    return int(total + _towers(prepared, inputs, size))


def _text_config(model: Any) -> Any:
    return model.config.get_text_config()


def _layer(text: Any, size: int) -> float:
    """Bytes that one layer keeps for a position."""
    head = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    queries = head * text.num_attention_heads
    keys = head * (getattr(text, "num_key_value_heads", None) or text.num_attention_heads)
    wide = text.intermediate_size
    if getattr(text, "num_experts_per_tok", None) and getattr(text, "moe_intermediate_size", None):
        wide = text.num_experts_per_tok * text.moe_intermediate_size
    norms = 2 * text.hidden_size * (2 * _NORM_BYTES + size)
    return norms + size * (2 * queries + 4 * keys + 4 * wide)


def _adapters(prepared: Prepared, size: int, layers: int) -> float:
    """Bytes that adapters keep for a position, a layer of the language model: their input after dropout, and in r."""
    found = 0.0
    for name, value in prepared.model.named_parameters():
        if ".lora_A." in name and value.dim() == 2 and prepared.family.component_of(name) == "language_model":
            rank, wide = value.shape
            found += wide * (size + _NORM_BYTES) + rank * _NORM_BYTES
    return found / layers


def _towers(prepared: Prepared, inputs: Any, size: int) -> float:
    """Bytes of encoders that are trained: as a layer of the language model, by their own sizes."""
    trained = {prepared.family.component_of(name) for name in prepared.trained.names}
    config = prepared.model.config
    total = 0.0
    sound = inputs.get("input_features")
    if AUDIO_TOWER in trained and sound is not None:
        tower = config.audio_config
        frames = sound.numel() / tower.num_mel_bins / 2
        each = tower.d_model * (8 * size + 2 * _NORM_BYTES) + 2 * size * tower.encoder_ffn_dim
        total += frames * (each * tower.encoder_layers + 4 * size * tower.d_model)
    patches = sum(len(inputs[name]) for name in ("pixel_values", "pixel_values_videos") if inputs.get(name) is not None)
    if VISUAL in trained and patches:
        tower = config.vision_config
        each = tower.hidden_size * (8 * size + 2 * _NORM_BYTES) + 2 * size * tower.intermediate_size
        total += patches * each * tower.depth
    return total


def _total(device: Any) -> int | None:
    import os

    import torch

    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return None


# ---- measuring


@dataclass(slots=True)
class Kept:
    """Storages that autograd keeps of the batch that is under way."""

    most: int | None = None
    _sizes: dict[int, int] = field(default_factory=dict)
    _is_on: bool = True

    def see(self, tensor: Any, weights: set[int]) -> None:
        storage = tensor.untyped_storage()
        if self._is_on and storage.data_ptr() not in weights:
            self._sizes[storage.data_ptr()] = storage.nbytes()

    def stop(self) -> None:
        """The forward pass of the first batch is over: the costliest."""
        if self._is_on:
            self.most = sum(self._sizes.values())
            self._is_on = False


@contextmanager
def activations_kept(model: Any, *, is_on: bool) -> Iterator[Kept]:
    """Count what autograd keeps within a forward pass, until `stop`."""
    import torch

    kept = Kept()
    if not is_on:
        kept._is_on = False
        yield kept
        return
    weights = {value.untyped_storage().data_ptr() for value in (*model.parameters(), *model.buffers())}

    def pack(tensor: Any) -> Any:
        kept.see(tensor, weights)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield kept


def reset_peak(device: Any) -> None:
    import torch

    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_of(device: Any) -> int | None:
    import torch

    return int(torch.cuda.max_memory_allocated(device)) if device.type == "cuda" else None
