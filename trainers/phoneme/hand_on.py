"""A run of phones as a model folder: adapters merged into the language model, the rows of its new tokens in it.

`language_model/` is a causal language model like any other: servers that load no adapters with tokens of their own
(vllm-project/vllm#55796) load it, and are handed the projected sound as embeddings before the question.

What is written is read again, and held against the base with the checkpoint: logits of a clip of noise and a few
phones.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import DamagedError, UsageError
from ..models.model_loading import quiet_transformers, read_config, require_torch
from ..models.training_model import FP32, Loading
from ..serving.equality import TOLERANCE, TOLERANCE_16, TOLERANCE_ADAPTED, Equality
from ..serving.merge import CARD, Merged, check_out
from .base import ALONE, inner
from .recognizer import ENCODER, FILE, FORMAT, LANGUAGE_MODEL, PROJECTOR, PhoneRecognizer, Run, sums_of

if TYPE_CHECKING:
    import torch

_NAMES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}


def hand_on(run: Path, out: Path, *, layout: str, checkpoint: str, base: Path | None = None) -> Merged:
    """Make a model folder of a run of phones.

    Args:
        layout: `transformers` or `vllm`: the folder is the same, its language model is loaded by both.

    Raises:
        UsageError: There is no such checkpoint or base, or `out` is taken.
        DamagedError: The result does not say what base and checkpoint say.
    """
    require_torch("train")
    found = Run.open(run, checkpoint, base=base)
    check_out(out, found.base.folder)
    kind = _kind_of(found.base.folder)
    model = found.load(_plain(found), device="cpu")
    names = {name for name, value in model.named_parameters() if value.requires_grad}
    probe = _probe(found)
    adapted = _logits(inner(model), probe)
    merged = inner(model.merge_and_unload() if hasattr(model, "merge_and_unload") else model)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        _write(found, merged, kind, partial)
        equality = _held(merged, adapted, probe, partial, kind, weights=len(names))
        if (run / CARD).is_file():
            shutil.copyfile(run / CARD, partial / CARD)
        partial.chmod(0o755)
        if out.is_dir():
            out.rmdir()
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return Merged(out, found.checkpoint.name, layout, equality.weights, _NAMES[kind], (), equality)


def _plain(found: Run) -> Any:
    """The settings of the run, in 32 bits and not quantized."""
    if found.config.model.quantization != "none":
        raise UsageError(
            "the run's language model was quantized: merged with weights of 16 bits, it would say other phones than the"
            " run was scored with.",
            hint="ask the run itself (triptych phoneme infer RUN), or train again without model.quantization",
        )
    return replace(Loading(), dtype=FP32)


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
        language.get_input_embeddings().weight[numbers] = model.new_tokens.embedding
        if model.new_tokens.head is not None:
            language.get_output_embeddings().weight[numbers] = model.new_tokens.head
    end = [tokenizer.eos_token_id, *(numbers[1:2].tolist() if found.parts.has_boundaries else ())]
    language.generation_config.eos_token_id = end
    language.config.use_cache = True
    with quiet_transformers():
        language.to(dtype).save_pretrained(folder / LANGUAGE_MODEL)
        found.parts.vocabulary.save(folder / LANGUAGE_MODEL, tokenizer)
        encoder = model.audio_tower.encoder.to(dtype)
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


def _held(merged: Any, adapted: torch.Tensor, probe: _Probe, folder: Path, kind: str, *, weights: int) -> Equality:
    """Hold the folder against what it was made of.

    `merged` has the numbers of the files by now: rounded to their format, and computed with in 32 bits.
    """
    written = PhoneRecognizer.open(folder, device="cpu").decoder.model.float()
    found, expected = _logits(written, probe), _logits(merged.float(), probe)
    width = min(found.shape[-1], adapted.shape[-1])
    difference, rounding = (_apart(each[..., :width], found[..., :width]) for each in (expected, adapted))
    tolerance = TOLERANCE if kind == "float32" else TOLERANCE_16
    if not (difference <= tolerance and (kind != "float32" or rounding <= TOLERANCE_ADAPTED)):
        raise DamagedError(
            f"the model folder differs from the base with its checkpoint: its logits by {max(difference, rounding):.2g}"
            f" of the largest, where {tolerance:.2g} is rounding. Nothing was written.",
            hint="please report this with the versions of transformers and peft",
        )
    return Equality(difference, tolerance, rounding, FP32, weights)


def _apart(one: torch.Tensor, other: torch.Tensor) -> float:
    known = one.isfinite() & other.isfinite()
    if not bool(known.any()):
        return float("nan")
    return float((one - other)[known].abs().max()) / max(float(one[known].abs().max()), 1e-9)
