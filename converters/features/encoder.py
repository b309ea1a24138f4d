"""Hidden states of an encoder that lies in a local folder, as transformers saves it: Whisper, wav2vec 2.0 and its kin.

Weights are read from safetensors alone; no code of the folder runs. A clip is encoded alone, so its numbers depend on
no other. Whisper sees a clip padded to 30 s and gives a state for two mel frames: those that are sound are kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from ...shards.media.streams import MediaError
from .extractors import RATE, Extractor

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

EXTRA = 'python -m pip install "triptych[train]"'
OF_WAVES = ("wav2vec2", "hubert", "wavlm", "data2vec-audio", "unispeech", "unispeech-sat")
"""Types of models that take samples; `whisper` takes spectrograms."""
_UNUSED = "masked_spec_embed"
"""A parameter that only training uses, which many published models lack."""
_LONGEST_S = 30


def digest(folder: Path) -> str:
    """What identifies a model: the SHA-256 of its settings and weights.

    Raises:
        UsageError: The folder has no weights in safetensors, or a model of another type.
    """
    kind = _settings(folder).get("model_type")
    if kind not in ("whisper", *OF_WAVES):
        raise UsageError(f"--encoder {folder}: the type {kind!r} is not known: it is whisper, {', '.join(OF_WAVES)}.")
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise UsageError(
            f"--encoder {folder}: it has no weights in safetensors, and others may hold code.",
            hint="save them again: model.save_pretrained(folder)",
        )
    found = hashlib.sha256()
    for path in (folder / "config.json", folder / "preprocessor_config.json", *weights):
        if path.is_file():
            with path.open("rb") as file:
                found.update(f"{path.name} {hashlib.file_digest(file, 'sha256').hexdigest()}\n".encode())
    return found.hexdigest()


def _settings(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"--encoder {folder}: no model of transformers lies there ({error}).", hint="name a folder with config.json"
        ) from error
    return found if isinstance(found, dict) else {}


@lru_cache(maxsize=1)
def load(folder: str, layer: int | None, expected: str) -> Encoder:
    """The encoder in a folder.

    Args:
        expected: Its digest when the request was made.

    Raises:
        UsageError: transformers is not installed; the model has changed, lacks weights or has no such layer.
    """
    try:
        import torch  # noqa: F401
        import transformers
    except ImportError as error:
        raise UsageError(f"Hidden states need {error.name}, which is not installed.", hint=EXTRA) from error
    path = Path(folder)
    if digest(path) != expected:
        raise UsageError(f"--encoder {folder}: it is not the model that the features were made with.")
    local = {"local_files_only": True, "trust_remote_code": False}
    prepare = transformers.AutoFeatureExtractor.from_pretrained(folder, **local)
    with _quietly():
        model, told = transformers.AutoModel.from_pretrained(
            folder, use_safetensors=True, output_loading_info=True, dtype="float32", **local
        )
    lacking = [name for name in told["missing_keys"] if not name.endswith(_UNUSED)] + [*told["mismatched_keys"]]
    if lacking:
        raise UsageError(
            f"--encoder {folder}: {len(lacking)} of its weights are missing or of another shape, the first is "
            f"{lacking[0]}: they would be random."
        )
    if prepare.sampling_rate != RATE:
        raise UsageError(f"--encoder {folder}: it takes sound of {prepare.sampling_rate} Hz; only {RATE} Hz is known.")
    return Encoder(model.eval(), prepare, layer, folder)


@contextmanager
def _quietly() -> Iterator[None]:
    """No progress bar of transformers: it would be in the output of the command."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


class Encoder:
    """A model that is ready to encode clips."""

    def __init__(self, model: Any, prepare: Any, layer: int | None, folder: str) -> None:
        self._mel = model.config.model_type == "whisper"
        self._model = model.get_encoder() if self._mel else model
        self._prepare = prepare
        layers = model.config.encoder_layers if self._mel else model.config.num_hidden_layers
        if layer is not None and layer > layers:
            raise UsageError(f"--layer {layer}: {folder} has layers 0 to {layers}.")
        self._layer = layer

    def states(self, samples: Floats) -> Floats:
        """The states of a clip of mono sound at 16 kHz, of shape (frames, dims).

        Raises:
            MediaError: `longer_than_30_s`: Whisper would cut the rest off; `too_short`: it gives no state.
        """
        import torch

        if self._mel and len(samples) > _LONGEST_S * RATE:
            raise MediaError(f"longer_than_{_LONGEST_S}_s", f"{len(samples) / RATE:.3f} s")
        if not len(samples):
            raise MediaError("too_short", "no samples")
        given = self._prepare(samples, sampling_rate=RATE, return_tensors="pt")
        name = "input_features" if self._mel else "input_values"
        with torch.inference_mode():
            try:
                made = self._model(given[name], output_hidden_states=self._layer is not None)
            except RuntimeError as error:
                if len(samples) < RATE // 20:  # shorter than what the convolutions span
                    raise MediaError("too_short", str(error)) from error
                raise
        states = (made.last_hidden_state if self._layer is None else made.hidden_states[self._layer])[0]
        if self._mel:
            frames = Extractor("whisper", 0, _LONGEST_S).frames_of(len(samples))
            states = states[: (frames + 1) // 2]
        found: Floats = states.contiguous().numpy()
        return found
