"""The memory of a step: what is counted, what is estimated, and what was measured.

* Weights, gradients (4 bytes for each number that is trained) and AdamW's two moments (8 bytes) are counted.
* Activations are what the forward pass keeps for the backward pass. Estimated for a position of a decoder layer of
  hidden size h, with q and k numbers of queries and keys, feed-forward size f, and s bytes for each number:

      frozen weights           8 h + s (2 q + 2 k + 3 f)       inputs of two norms in 32 bits; queries, keys, values and
                                                               the result of attention; gate, its activation, up
      weights of its own       + s (4 h + q + f)               the inputs of its linear layers, and normed numbers
      an adapted layer         + its input as s and as the mask of dropout (1 byte; 4 on a processor), and its rank

  times layers, where anything at or below them is trained; and for each position that is trained three vectors of the
  vocabulary (logits in s bytes and twice in 32 bits), for each that is not one. With gradient checkpointing: h for
  each layer, and one layer whole. An encoder counts where it is trained: for a position of a layer of width d
  s (9 d + 2 f), with the mask of attention of each clip and what its convolutions take.
* Measured: the tensors that autograd keeps of the costliest batch, each storage once, weights left out; and on a GPU
  the peak of the allocator. With gradient checkpointing autograd's tensors say nothing, and only the peak is measured.

The formula follows the layers of transformers' Qwen2 with scaled dot-product attention; how far it is from what was
measured is told beside it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...models.families import AUDIO_TOWER, LANGUAGE_MODEL, PROJECTOR, VISUAL, is_adapter

if TYPE_CHECKING:
    from ..prepare import Prepared

GRADIENT, MOMENTS = 4, 8
"""Bytes for each number that is trained."""

FULL = 0.9
"""The share of a device's memory above which a step is likely to fail: allocators need room."""

_BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}
_WHOLE = 4
"""Bytes of a number in 32 bits, whatever the format."""


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


def memory_measured(
    modules: Sequence[Any], trained: Collection[str], *, activations: int | None, peak: int | None
) -> Memory:
    """The memory of a step that was tried, of a model that no formula is known for.

    Args:
        modules: The model, and whatever else holds weights; a weight that is in two counts once.
        trained: Parameters of the first that are trained.
        activations: As measured; None: they were not.
    """
    model = modules[0]
    numbers = sum(value.numel() for name, value in model.named_parameters() if name in set(trained))
    weights = _weights(*modules)
    return Memory(
        weights=weights, gradients=GRADIENT * numbers, optimizer=MOMENTS * numbers, activations=activations or 0,
        measured_activations=activations, peak=peak, device=_total(next(model.parameters()).device),
        estimate=weights + (GRADIENT + MOMENTS) * numbers + (activations or 0), error=None,
    )  # fmt: skip


def _weights(*modules: Any) -> int:
    held = {value.untyped_storage().data_ptr(): value.untyped_storage().nbytes()
            for module in modules for value in (*module.parameters(), *module.buffers())}  # fmt: skip
    return sum(held.values())


def activations_of(prepared: Prepared, inputs: Any, *, is_checkpointed: bool) -> int:
    """The formula of this file's docstring, for a batch."""
    from ...sft.labels import IGNORED

    size = _BYTES[prepared.loaded.dtype]
    rows, width = inputs["input_ids"].shape
    text = prepared.model.config.get_text_config()
    layer, layers = _layer(prepared, text, size), text.num_hidden_layers
    kept = layer + layers * text.hidden_size * size if is_checkpointed else layer * layers
    labels = inputs.get("labels")
    trained = rows * width if labels is None else int((labels != IGNORED).sum())
    norm = text.hidden_size * (size + _WHOLE)
    total = rows * width * (kept + norm) + trained * text.vocab_size * 2 * _WHOLE
    return int(total + _towers(prepared, inputs, size))


def _layer(prepared: Prepared, text: Any, size: int) -> float:
    """Bytes that one layer keeps for a position."""
    hidden = text.hidden_size
    head = getattr(text, "head_dim", None) or hidden // text.num_attention_heads
    queries = head * text.num_attention_heads
    keys = head * (getattr(text, "num_key_value_heads", None) or text.num_attention_heads)
    wide = getattr(text, "intermediate_size", None) or 4 * hidden
    is_mixture = bool(getattr(text, "num_experts_per_tok", None) and getattr(text, "moe_intermediate_size", None))
    if is_mixture:
        wide = text.num_experts_per_tok * text.moe_intermediate_size
    kept = 2.0 * hidden * _WHOLE + size * (2 * queries + 2 * keys + 3 * wide)
    trained = {(prepared.family.component_of(name), is_adapter(name)) for name in prepared.trained.names}
    if (LANGUAGE_MODEL, False) in trained:
        kept += size * (4 * hidden + queries + wide)
    if is_mixture:  # each expert takes a copy of its positions, and gives one
        kept += 2 * size * text.num_experts_per_tok * hidden
    return float(kept + _adapters(prepared, size, text.num_hidden_layers))


def _adapters(prepared: Prepared, size: int, layers: int) -> float:
    """Bytes that adapters keep for a position, in a layer of the language model on average."""
    model = prepared.model
    on_gpu = next(model.parameters()).device.type == "cuda"
    drops = any(".lora_dropout." in name and getattr(module, "p", 0) for name, module in model.named_modules())
    mask = (1 if on_gpu else _WHOLE) if drops else 0
    found = 0.0
    for name, value in model.named_parameters():
        if ".lora_A." in name and value.dim() == 2 and prepared.family.component_of(name) == LANGUAGE_MODEL:
            rank, wide = value.shape
            found += wide * (size + mask) + rank * size
    return found / layers


def _towers(prepared: Prepared, inputs: Any, size: int) -> float:
    """Bytes of encoders that are trained, and of projectors."""
    trained = {prepared.family.component_of(name) for name in prepared.trained.names}
    config = prepared.model.config
    total = 0.0
    sound = inputs.get("input_features")
    if sound is not None:
        tower = config.audio_config
        clips, frames = (len(sound), sound.shape[-1]) if sound.dim() == 3 else (1, sound.shape[-1])
        positions = frames // 2
        if AUDIO_TOWER in trained:
            each = size * (9 * tower.d_model + 2 * tower.encoder_ffn_dim)
            taken = size * frames * (tower.num_mel_bins + 3 * tower.d_model)
            total += clips * (positions * each * tower.encoder_layers + taken + size * positions**2)
        if PROJECTOR in trained:
            total += clips * positions // 2 * size * (tower.d_model + config.get_text_config().hidden_size)
    patches = sum(len(inputs[name]) for name in ("pixel_values", "pixel_values_videos") if inputs.get(name) is not None)
    if VISUAL in trained and patches:
        tower = config.vision_config
        total += patches * size * (9 * tower.hidden_size + 2 * tower.intermediate_size) * tower.depth
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
