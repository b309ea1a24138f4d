"""A run of phones as a model folder: adapters merged into the language model, the rows of its new tokens in it.

`language_model/` is a causal language model like any other: servers that load no adapters with tokens of their own
(vllm-project/vllm#55796) load it, and are handed the projected sound as embeddings before the question.

What is written is read again, and held against the base with the checkpoint: logits of a clip of noise and a few
phones.
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import DamagedError, UsageError
from ..models.model_loading import quiet_transformers, read_config, require_torch
from ..models.training_model import BF16, FP32, Loading
from ..runs.records.card import merged_card, put_card
from ..serving.equality import (
    TOLERANCE,
    TOLERANCE_16,
    TOLERANCE_ADAPTED,
    TOLERANCE_BF16,
    Equality,
    fits_in_memory,
)
from ..serving.layouts import stored_tensors
from ..serving.merge import Merged, check_out
from .base import ALONE, inner
from .recognizer import ENCODER, FILE, FORMAT, LANGUAGE_MODEL, PROJECTOR, PhoneRecognizer, Run, sums_of

if TYPE_CHECKING:
    import torch

_NAMES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}


def hand_on(
    run: Path, out: Path, *, layout: str, checkpoint: str, base: Path | None = None, encoder: Path | None = None
) -> Merged:
    """Make a model folder of a run of phones.

    Args:
        layout: `transformers` or `vllm`: the folder is the same, its language model is loaded by both.

    Raises:
        UsageError: There is no such checkpoint or base, or `out` is taken.
        DamagedError: The result does not say what base and checkpoint say.
    """
    require_torch("train")
    found = Run.open(run, checkpoint, base=base, encoder=encoder)
    check_out(out, found.base.folder)
    kind = _kind_of(found.base.folder)
    loading = _loading(found.base.folder, kind)
    model = found.load(loading, device="cpu")
    names = {name for name, value in model.named_parameters() if value.requires_grad}
    probe = _probe(found)
    adapted = _logits(inner(model), probe)
    merged = inner(model.merge_and_unload() if hasattr(model, "merge_and_unload") else model)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        _write(found, merged, kind, partial)
        equality = _held(merged, adapted, probe, partial, kind, loading, weights=len(names))
        put_card(partial, merged_card(run, found.checkpoint.name))
        partial.chmod(0o755)
        if out.is_dir():
            out.rmdir()
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return Merged(out, found.checkpoint.name, layout, equality.weights, _NAMES[kind], (), equality)


def _loading(folder: Path, kind: str) -> Loading:
    """How the base is loaded: as it is, also where a run had quantized it; in 32 bits where memory allows it."""
    numbers = sum(math.prod(each.shape) for each in stored_tensors(folder).values())
    if fits_in_memory(numbers):
        return Loading(dtype=FP32)
    if kind != "bfloat16":
        raise UsageError(
            f"{folder}: merging its {numbers / 1e9:.1f} billion weights of {kind} takes {8 * numbers / 1e9:.0f} GB of"
            " memory.",
            hint="run it on a machine that has them; of a base in bf16, half of them are enough",
        )
    return Loading(dtype=BF16)


def _kind_of(folder: Path) -> str:
    """The number format of the base."""
    config = read_config(folder)
    told = getattr(config, "dtype", None)
    name = str(told).removeprefix("torch.") if told is not None else "float32"
    return name if name in _NAMES else "float32"


def _write(found: Run, model: Any, kind: str, folder: Path) -> None:
    import torch
    from safetensors.torch import save_file
    from transformers import AutoFeatureExtractor

    dtype = getattr(torch, kind)
    language, tokenizer = model.language_model, found.parts.vocabulary.extended(found.base.folder)
    rows = max(len(language.get_input_embeddings().weight), len(model.place))
    with quiet_transformers():
        language.resize_token_embeddings(rows, mean_resizing=False)
    numbers = model.tokens
    with torch.no_grad():
        new = model.new_tokens
        for matrix, own in ((language.get_input_embeddings().weight, new.embedding),
                            (language.get_output_embeddings().weight, new.head)):  # fmt: skip
            if own is not None:
                own.copy_(own.to(dtype))  # rounded as in the files, to be compared with them
                matrix[numbers] = own.to(matrix.dtype)
    end = [tokenizer.eos_token_id, *(numbers[1:2].tolist() if found.parts.has_boundaries else ())]
    language.generation_config.eos_token_id = end
    language.config.use_cache = True
    held = language.get_input_embeddings().weight.dtype
    tables = {name: buffer.clone() for name, buffer in language.named_buffers()}
    with quiet_transformers():
        language.to(dtype).save_pretrained(folder / LANGUAGE_MODEL)
        for name, buffer in language.to(held).named_buffers():
            buffer.data = tables[name]  # positions are not rounded: they are in no file
        found.parts.vocabulary.save(folder / LANGUAGE_MODEL, tokenizer)
        encoder = found.parts.whisper(getattr(torch, _kind_of(found.parts.hearing)))  # as it is in its files
        encoder.config.architectures = [ALONE]
        encoder.save_pretrained(folder / ENCODER)
        AutoFeatureExtractor.from_pretrained(found.parts.hearing).save_pretrained(folder / ENCODER)
    save_file({name: value.detach().float().contiguous() for name, value in model.projector.state_dict().items()},
              folder / PROJECTOR, metadata={"format": "pt"})  # fmt: skip
    told = {"format": FORMAT, "prompt": found.prompt, "asks_rows": found.parts.prompt is None,
            "boundary_tokens": found.parts.has_boundaries,
            "revision": f"{found.revision}, {found.checkpoint.name}", "files": sums_of(folder)}  # fmt: skip
    (folder / FILE).write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


@dataclass(frozen=True, slots=True, eq=False)
class _Probe:
    """A clip of noise, a question and all phones."""

    ids: torch.Tensor
    features: torch.Tensor


def _probe(found: Run) -> _Probe:
    import numpy as np
    import torch

    encoder = found.parts.encoder()
    noise = np.random.default_rng(0).normal(0.0, 0.1, encoder.rate).astype(np.float32)
    spectrum = encoder.log_mel.padded(noise)
    tokenizer = encoder.tokenizer
    text = f"{found.prompt}\n{encoder.form.answer(found.parts.vocabulary.phones)}"
    ids = [encoder.sound_id] * encoder.frames(len(noise))
    ids += tokenizer(text, add_special_tokens=False)["input_ids"]
    return _Probe(torch.tensor([ids]), encoder.join_spectra([spectrum]))


def _logits(model: Any, probe: _Probe) -> torch.Tensor:
    import torch

    model.eval()
    with torch.no_grad():
        out = model(input_ids=probe.ids, attention_mask=torch.ones_like(probe.ids), input_features=probe.features)
    logits: torch.Tensor = out.logits.float()
    return logits


def _held(
    merged: Any, adapted: torch.Tensor, probe: _Probe, folder: Path, kind: str, loading: Loading, *, weights: int
) -> Equality:
    """Hold the folder against what it was made of.

    `merged` has the numbers of the files by now, rounded to their format; both compute in the format of `loading`.
    """
    written = PhoneRecognizer.open(folder, device="cpu", dtype=loading.dtype).decoder.model
    found, expected = _logits(written, probe), _logits(merged, probe)
    width = min(found.shape[-1], adapted.shape[-1])
    difference, rounding = (_apart(each[..., :width], found[..., :width]) for each in (expected, adapted))
    is_exact = kind == "float32" and loading.dtype == FP32
    tolerance = TOLERANCE_BF16 if loading.dtype == BF16 else TOLERANCE if is_exact else TOLERANCE_16
    if not (difference <= tolerance and (not is_exact or rounding <= TOLERANCE_ADAPTED)):
        raise DamagedError(
            f"the model folder differs from the base with its checkpoint: its logits by {max(difference, rounding):.2g}"
            f" of the largest, where {tolerance:.2g} is rounding. Nothing was written.",
            hint="please report this with the versions of transformers and peft",
        )
    return Equality(difference, tolerance, rounding, loading.dtype, weights)


def _apart(one: torch.Tensor, other: torch.Tensor) -> float:
    known = one.isfinite() & other.isfinite()
    if not bool(known.any()):
        return float("nan")
    return float((one - other)[known].abs().max()) / max(float(one[known].abs().max()), 1e-9)
