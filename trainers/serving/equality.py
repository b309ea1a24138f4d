"""A merged model says what its base says with the checkpoint on it: held weight by weight, and on a batch with sound.

Two ways to the same numbers: here the checkpoint is put into the base as training resumes from it, and peft itself
merges its adapters. Each weight must be that of the merged files to the rounding of their number format. Then both
models, with equal rounding, are asked for the logits of a prompt with a second of noise, in 32 bits where memory allows
it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import DamagedError
from ..models.adapters import LoraSettings, add_adapters
from ..models.training_model import BF16, FP32, Loading, TrainingModel, load_for_training
from ..models.weights import read_tensors
from .layouts import FORMATS, Layout

if TYPE_CHECKING:
    from .changes import Changes

TOLERANCE = 1e-5
"""Of the largest logit, in 32 bits."""
TOLERANCE_ADAPTED = 1e-4
"""The same where adapters are applied beside the weights: each layer adds in another order."""
TOLERANCE_16 = 1e-3
"""Where weights are rounded to 16 bits: the few that lie between two numbers may be rounded to either."""
TOLERANCE_BF16 = 2**-5
"""Where the logits themselves are computed in 8 bits."""

_ROUNDING = {"F32": 2**-22, "F16": 2**-10, "BF16": 2**-7}
"""Of a weight: two units in its last place."""
_SUM = 2**-21
"""Of the largest numbers of a weight and of what is added to it: the order of the additions in a product."""

_PROMPT = "Write down what is heard."
_LARGE = 0.4
"""Models are compared in 32 bits if they take this share of the memory at most."""


@dataclass(frozen=True, slots=True)
class Equality:
    """How near a merged model is to its base with the checkpoint.

    Attributes:
        difference: The largest of all logits', as a share of the largest logit, from those of the base whose merged
            weights were rounded as the files are.
        tolerance: What is allowed.
        rounding: The same from those of the base with its adapters: what the number format of the files costs.
        computed_in: `fp32` or `bf16`.
        weights: How many weights were compared.
    """

    difference: float
    tolerance: float
    rounding: float
    computed_in: str
    weights: int


def check_equal(
    base: Path, checkpoint: Path, merged: Path, *, lora: LoraSettings | None, changes: Changes, layout: Layout
) -> Equality:
    """Hold a merged folder against its base with a checkpoint.

    Raises:
        DamagedError: They differ by more than rounding.
    """
    import torch

    numbers = sum(math.prod(each.shape) for each in layout.stored.values())
    computed_in = FP32 if fits_in_memory(numbers) else BF16
    loaded = load_for_training(base, Loading(dtype=computed_in), device="cpu")
    prompt = prompt_with_sound(loaded)
    model = loaded.model if lora is None else add_adapters(loaded.model, loaded.family, lora)
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, tensor in read_tensors(checkpoint):
            parameters[name].copy_(tensor)
    adapted = _logits(model, prompt)
    model = model.merge_and_unload() if hasattr(model, "merge_and_unload") else model
    weights = _check_weights(model, merged, changes, layout, computed_in)
    expected = _logits(model, prompt)
    del model, parameters, loaded
    found = _logits(load_for_training(merged, Loading(dtype=computed_in), device="cpu").model, prompt)

    is_short = any(layout.stored[key].format != "F32" for name in changes.names for key in layout.places(name))
    tolerance = TOLERANCE_BF16 if computed_in == BF16 else TOLERANCE_16 if is_short else TOLERANCE
    difference, rounding = _apart(expected, found), _apart(adapted, found)
    is_near = difference <= tolerance and (is_short or computed_in == BF16 or rounding <= TOLERANCE_ADAPTED)
    if not is_near:  # NaN is not
        raise DamagedError(
            f"the merged model differs from the base with {checkpoint.name}: its logits by"
            f" {max(difference, rounding):.2g} of the largest, where {tolerance:.2g} is rounding. Nothing was written.",
            hint="please report this with the versions of transformers and peft",
        )
    return Equality(difference, tolerance, rounding, computed_in, weights)


def _apart(expected: Any, found: Any) -> float:
    return float((expected - found).abs().max()) / max(float(expected.abs().max()), 1e-9)


def _logits(model: Any, prompt: dict[str, Any]) -> Any:
    import torch

    model.eval()
    with torch.no_grad():
        return model(**prompt).logits.float()


def _check_weights(model: Any, merged: Path, changes: Changes, layout: Layout, computed_in: str) -> int:
    """Compare each changed weight of the files with what peft has merged, and round that as the files are."""
    import torch

    count = 0
    for name in changes.names:
        weight = model.get_parameter(name).detach()
        for key, tensor in layout.in_files(name, weight).items():
            stored = layout.stored[key]
            expected, before = tensor.float(), stored.read().float()
            apart = (stored.read(merged / stored.file.name).float() - expected).abs()
            largest = float(before.abs().max()) + float((expected - before).abs().max())
            rounding = max(_ROUNDING[stored.format], _ROUNDING["BF16"] if computed_in == BF16 else 0.0)
            if not bool((apart <= rounding * expected.abs() + _SUM * largest).all()):
                raise DamagedError(
                    f"the merged model differs from the base with its checkpoint in {key}. Nothing was written.",
                    hint="please report this with the versions of transformers and peft",
                )
            count += 1
        weight.copy_(weight.to(getattr(torch, FORMATS[stored.format])))
    return count


def prompt_with_sound(loaded: TrainingModel) -> dict[str, Any]:
    """A prompt with a second of noise; for a model of text, a prompt of text alone."""
    import numpy as np

    text = loaded.family.placeholder + _PROMPT
    if not loaded.family.placeholder:
        return dict(loaded.tokenizer([text], return_tensors="pt"))
    rate = loaded.processor.feature_extractor.sampling_rate
    noise = np.random.default_rng(0).normal(0.0, 0.1, rate).astype(np.float32)
    inputs = dict(loaded.processor(text=[text], audio=[noise], sampling_rate=rate, return_tensors="pt"))
    kind = next(loaded.model.parameters()).dtype
    return {name: each.to(kind) if each.is_floating_point() else each for name, each in inputs.items()}


def fits_in_memory(numbers: int) -> bool:
    """Whether two models of so many weights can be compared in 32 bits here."""
    import os

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 4 * numbers <= _LARGE * memory
