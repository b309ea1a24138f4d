"""The folder of a pruned model: written beside its place, held against the base with its routers masked, renamed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....errors import DamagedError, UsageError
from ....shards.store.lock import claim
from ...models.training_model import Loading, TrainingModel, device_of, load_for_training
from ...runs.records.card import put_card
from ...serving.equality import prompt_with_sound
from ...serving.layouts import stored_tensors
from ..card import card_text
from ..criteria import Kept
from ..scores.expert_sums import ExpertSums
from ..scores.masks import pruned_to
from ..scores.measure import inputs_on
from ..scores.moe_layers import MoeLayer
from .slices import check_room, copy_rest, slices_of, write_config, write_slices

MANIFEST = "pruning.json"

_TOLERANCES = {"fp32": 1e-5, "fp16": 2**-8, "bf16": 2**-5}
"""Of the largest logit. On a CPU the difference is 0; elsewhere a product of other sizes may add in another order."""


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """What the pruned model must say: the logits of a prompt, of the base with its routers masked."""

    inputs: Mapping[str, Any]
    logits: Any
    dtype: str
    device: str


def expected_of(loaded: TrainingModel, layers: Sequence[MoeLayer], kept: Kept) -> Expected:
    """What the model says with its routers masked."""
    import torch

    inputs = inputs_on(loaded.model, prompt_with_sound(loaded))
    with torch.inference_mode(), pruned_to(layers, kept):
        logits = loaded.model(**inputs).logits.float().cpu()
    return Expected(inputs, logits, loaded.dtype, str(device_of(loaded.model)))


def write_model(
    base: Path, out: Path, sums: ExpertSums, kept: Kept, manifest: Mapping[str, Any], expected: Expected
) -> float:
    """Write the pruned model, and hold it against what is expected of it.

    Returns:
        How far their logits differ, of the largest.
    """
    slices = slices_of(stored_tensors(base), sums.layers, sums.experts, kept)
    check_room(out, slices)
    with _partial(out.resolve()) as partial:
        left_out = copy_rest(base, partial)
        write_slices(base, partial, slices)
        write_config(partial, experts=sums.experts, count=len(kept[0]))
        told = {**manifest, "left_out": list(left_out), "base_pruning": _pruning_of(base)}
        (partial / MANIFEST).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        put_card(partial, card_text(told, base))
        difference = _held_against(partial, expected)
        try:
            # An empty folder gives way.
            partial.rename(out.resolve())
        except OSError as error:
            raise UsageError(
                f"--output {out}: the pruned model cannot get this name: {error.strerror}.",
                hint="the same command with another --output; nothing is measured again with the same --report",
            ) from error
    return difference


@contextmanager
def _partial(out: Path) -> Iterator[Path]:
    """A folder beside a place, held by this process; what a process that was killed left in it is removed.

    Raises:
        UsageError: Another process writes there.
    """
    partial = out.with_name(f".{out.name}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    handle = os.open(partial, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # One that another process held may have got its name meanwhile: then it is not there any more.
        if not claim(handle) or not partial.exists() or not os.path.samestat(partial.stat(), os.fstat(handle)):
            raise UsageError(
                f"--output {out}: another process is writing it.", hint="wait for it, or name another folder"
            )
        try:
            for each in partial.iterdir():
                shutil.rmtree(each) if each.is_dir() and not each.is_symlink() else each.unlink()
            yield partial
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    finally:
        os.close(handle)


def _pruning_of(base: Path) -> Any:
    """What was pruned of the base itself before; None: nothing that it tells of."""
    path = base / MANIFEST
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{path}: invalid JSON: {error}.", hint="remove it") from error


def _held_against(pruned: Path, expected: Expected) -> float:
    """Load the pruned files and compare.

    Raises:
        DamagedError: Their logits differ.
    """
    import torch

    other = load_for_training(pruned, Loading(dtype=expected.dtype), device=expected.device)
    with torch.inference_mode():
        found = other.model.eval()(**expected.inputs).logits.float().cpu()
    difference = float((expected.logits - found).abs().max()) / max(float(expected.logits.abs().max()), 1e-9)
    if not difference <= _TOLERANCES[expected.dtype]:
        raise DamagedError(
            f"the pruned model differs from its base with the pruned experts masked: its logits by {difference:.2g} of"
            " the largest. Nothing was written.",
            hint="please report this with the version of transformers",
        )
    return difference
