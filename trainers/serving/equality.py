"""A merged model says what its base says with the checkpoint on it: held weight by weight, and on a batch with sound.

Two ways to the same numbers: here the checkpoint is put into the base as training resumes from it, and peft itself
merges its adapters. Each weight must be that of the merged files to the rounding of their number format. Then both
models are asked for the logits of a prompt with a second of noise, in 32 bits where memory allows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import DamagedError
from ..models.adapters import LoraSettings, add_adapters
from ..models.training_model import BF16, FP32, Loading, TrainingModel, load_for_training
from ..models.weights import read_tensors

if TYPE_CHECKING:
    from .changes import Changes
    from .layouts import Layout

TOLERANCES = {"F32": 1e-5, "F16": 2**-8, "BF16": 2**-5}
"""Of the largest logit, by the number format of the files: merged weights are rounded to it, 24, 11 or 8 bits."""
_ROUNDING = {"F32": 2**-22, "F16": 2**-10, "BF16": 2**-7}
"""Of a weight and what was added to it: one unit in its last place, and for 32 bits the order of additions as well."""

_PROMPT = "Write down what is heard."
_LARGE = 0.4
"""Models are compared in 32 bits if they take this share of the memory at most."""


@dataclass(frozen=True, slots=True)
class Equality:
    """How near a merged model is to its base with the checkpoint.

    Attributes:
        difference: The largest of all logits', as a share of the largest logit.
        tolerance: What is allowed.
        computed_in: `fp32` or `bf16`.
        weights: How many weights were compared.
    """

    difference: float
    tolerance: float
    computed_in: str
    weights: int


def check_equal(
    base: Path, checkpoint: Path, merged: Path, *, lora: LoraSettings | None, changes: Changes, layout: Layout
) -> Equality:
    """Hold a merged folder against its base with a checkpoint.

    Raises:
        DamagedError: They differ by more than rounding.
    """
    formats = {each.format for each in layout.stored.values()}
    computed_in = FP32 if _fits(layout) else BF16
    one, expected = _logits(base, computed_in, checkpoint=checkpoint, lora=lora)
    count = _check_weights(one, merged, changes, layout, computed_in)
    del one
    other, found = _logits(merged, computed_in)
    del other
    tolerance = max(TOLERANCES[each] for each in formats if each in TOLERANCES)
    if computed_in == BF16:
        tolerance = TOLERANCES["BF16"]
    scale = max(float(expected.abs().max()), 1e-9)
    difference = float((expected - found).abs().max()) / scale
    if not difference <= tolerance:  # NaN is not
        raise DamagedError(
            f"the merged model differs from the base with {checkpoint.name}: its logits by {difference:.2g} of the"
            f" largest, where {tolerance:.2g} is rounding. Nothing was written.",
            hint="please report this with the versions of transformers and peft",
        )
    return Equality(difference, tolerance, computed_in, count)


def _logits(
    folder: Path, dtype: str, *, checkpoint: Path | None = None, lora: LoraSettings | None = None
) -> tuple[Any, Any]:
    """A model, with a checkpoint put into it, and its logits of a prompt with sound."""
    import torch

    loaded = load_for_training(folder, Loading(dtype=dtype), device="cpu")
    model = loaded.model if lora is None else add_adapters(loaded.model, loaded.family, lora)
    if checkpoint is not None:
        parameters = dict(model.named_parameters())
        with torch.no_grad():
            for name, tensor in read_tensors(checkpoint):
                parameters[name].copy_(tensor)
    model.eval()
    with torch.no_grad():
        return model, model(**prompt_with_sound(loaded)).logits.float()


def _check_weights(model: Any, merged: Path, changes: Changes, layout: Layout, computed_in: str) -> int:
    """Compare each changed weight of the files with what peft merges."""
    whole = model.merge_and_unload() if hasattr(model, "merge_and_unload") else model
    count = 0
    for name in changes.names:
        for key, tensor in layout.in_files(name, whole.get_parameter(name).detach()).items():
            stored = layout.stored[key]
            before, after = stored.read().float(), stored.read(merged / stored.file.name).float()
            rounding = max(_ROUNDING[stored.format], _ROUNDING["BF16"] if computed_in == BF16 else 0.0)
            allowed = rounding * (tensor.float().abs() + (tensor.float() - before).abs() + before.abs())
            if not bool(((after - tensor.float()).abs() <= allowed).all()):
                raise DamagedError(
                    f"the merged model differs from the base with its checkpoint in {key}. Nothing was written.",
                    hint="please report this with the versions of transformers and peft",
                )
            count += 1
    return count


def prompt_with_sound(loaded: TrainingModel) -> dict[str, Any]:
    """A prompt with a second of noise; for a model of text, without."""
    import numpy as np

    text = loaded.family.placeholder + _PROMPT
    if not loaded.family.placeholder:
        return dict(loaded.tokenizer([text], return_tensors="pt"))
    rate = loaded.processor.feature_extractor.sampling_rate
    noise = np.random.default_rng(0).normal(0.0, 0.1, rate).astype(np.float32)
    inputs = dict(loaded.processor(text=[text], audio=[noise], sampling_rate=rate, return_tensors="pt"))
    kind = next(loaded.model.parameters()).dtype
    return {name: each.to(kind) if each.is_floating_point() else each for name, each in inputs.items()}


def _fits(layout: Layout) -> bool:
    import math
    import os

    needed = 4 * sum(math.prod(each.shape) for each in layout.stored.values())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return needed <= _LARGE * memory
