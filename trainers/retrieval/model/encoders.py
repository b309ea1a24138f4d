"""What speech and text become before they are projected: one vector each.

Speech: the encoder of a Whisper, or the audio tower of a Qwen2-Audio; the vector is the mean over the frames that the
clip reaches, never over the silence that it is padded with. Text: the language model of a Qwen2-Audio, or any encoder
of text that transformers knows; the vector is the mean over tokens. Texts are lower-cased. SONAR's encoder of speech,
which makes vectors itself, is in `sonar.py`.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....errors import UsageError
from ...models.model_files import locate
from ...models.model_loading import quiet_transformers, read_config, read_model, require_torch
from ...models.training_model import AUTO, TORCH_NAMES, dtype_on

if TYPE_CHECKING:
    from ...data.sound import Samples
    from ..scores.metrics import Vectors

WHISPER, QWEN2_AUDIO = "whisper", "qwen2_audio"
_TEXTS = 64


@dataclass(frozen=True, slots=True, eq=False)
class SpeechEncoder:
    """Makes a vector of a clip.

    Attributes:
        model: What makes states of features; weights are those of the model's files until it is trained.
        width: Numbers of a vector.
        positions: States of a clip of full length.
        rate: Hz that it hears.
        heard_s: The longest clip.
        revision: Of the model's files, and `random` where its weights are.
        folder: Where these lie.
    """

    model: Any
    extractor: Any
    width: int
    positions: int
    rate: int
    heard_s: float
    revision: str
    folder: Path

    @property
    def can_be_trained(self) -> bool:
        """Whether the model takes what `inputs` makes."""
        return True

    def check_length(self, samples: Samples) -> None:
        """Raise UsageError if a clip is longer than the encoder hears."""
        if len(samples) > round(self.heard_s * self.rate):
            raise UsageError(f"a clip of {len(samples) / self.rate:.1f} s; {self.heard_s:g} s are heard.")

    def inputs(self, clips: Sequence[Samples]) -> dict[str, Any]:
        """What the model takes of clips: `features`, and `reached`, the states that each clip reaches.

        Raises:
            UsageError: One is longer than the encoder hears.
        """
        import torch

        for samples in clips:
            self.check_length(samples)
        whole = round(self.heard_s * self.rate)
        features = self.extractor(list(clips), sampling_rate=self.rate, return_tensors="pt").input_features
        reached = [max(1, -(-len(samples) * self.positions // whole)) for samples in clips]
        return {"features": features, "reached": torch.tensor(reached)}

    def vector(self, samples: Samples) -> Vectors:
        """The vector of one clip, the same in any company.

        Raises:
            UsageError: It is longer than the encoder hears.
        """
        import torch

        place = next(self.model.parameters()).device
        with torch.no_grad():
            given = {name: value.to(place) for name, value in self.inputs([samples]).items()}
            found: Vectors = heard_by(self.model, **given)[0].cpu().numpy()
        return found


def heard_by(model: Any, features: Any, reached: Any) -> Any:
    """The vectors of clips: the mean over the states that each reaches."""
    import torch

    states = model(features.to(next(model.parameters()).dtype)).last_hidden_state
    mask = torch.arange(states.shape[1], device=states.device) < reached[:, None]
    return _mean(states, mask)


@dataclass(frozen=True, slots=True, eq=False)
class TextEncoder:
    """Makes vectors of texts."""

    model: Any
    tokenizer: Any
    width: int
    revision: str

    @property
    def longest(self) -> int:
        """The most tokens of a text."""
        positions = getattr(self.model.config, "max_position_embeddings", None)
        return min(int(self.tokenizer.model_max_length), *([] if positions is None else [int(positions)]), sys.maxsize)

    def inputs(self, texts: Sequence[str]) -> dict[str, Any]:
        """What the model takes of texts: `input_ids` and `attention_mask`.

        Raises:
            UsageError: One has more tokens than the model reads.
        """
        given = self.tokenizer([text.lower() for text in texts], return_tensors="pt", padding=True)
        counts = given["attention_mask"].sum(1)
        if int(counts.max()) > self.longest:
            text = texts[int(counts.argmax())]
            raise UsageError(
                f"a text of {int(counts.max()):,} tokens; the encoder of texts reads {self.longest:,}: {text!r:.80}.",
                hint="shorten it in the glossary, or name another encoder: retrieval.text_model",
            )
        return {name: given[name] for name in ("input_ids", "attention_mask")}

    def tokens(self, texts: Sequence[str]) -> list[bytes]:
        """The tokens of each text: texts with the same ones, such as words of unknown letters, are read alike."""
        return [array("q", ids).tobytes() for ids in self.tokenizer([text.lower() for text in texts])["input_ids"]]

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """The vector of each text."""
        import numpy as np
        import torch

        found = np.zeros((len(texts), self.width), np.float32)
        place = next(self.model.parameters()).device
        for numbers in by_length(texts, _TEXTS):
            given = self.inputs([texts[number] for number in numbers])
            with torch.no_grad():
                moved = {name: value.to(place) for name, value in given.items()}
                found[numbers] = read_by(self.model, **moved).cpu().numpy()
        return found


def read_by(model: Any, input_ids: Any, attention_mask: Any) -> Any:
    """The vectors of texts: the mean over tokens."""
    return _mean(model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state, attention_mask)


def by_length(texts: Sequence[str], size: int) -> Iterator[list[int]]:
    """Numbers of texts of similar lengths, so many at a time."""
    order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
    for start in range(0, len(order), size):
        yield order[start : start + size]


def _mean(states: Any, mask: Any) -> Any:
    """The mean over the states of a mask, in 32 bits."""
    counted = mask[..., None]
    return (states.float() * counted).sum(1) / counted.sum(1).clamp(min=1)


def speech_encoder(
    name: str, *, revision: str | None = None, download: bool = False, random_seed: int | None = None,
    dtype: str = AUTO,
) -> SpeechEncoder:  # fmt: skip
    """Open the speech encoder of a model.

    Args:
        name: A folder, or a name on the hub.
        dtype: What it computes in: `fp32`, `bf16`, `fp16`, or `auto`, as the device does best.
        random_seed: Random weights in place of the model's: what the encoder is worth shows beside them.

    Raises:
        UsageError: It is not here, or hears nothing that is known.
    """
    torch = require_torch("retrieval")
    import transformers

    files = locate(name, revision=revision, download=download)
    config = read_config(files.folder)
    if config.model_type == WHISPER:
        model = read_model(files.folder, config=config, dtype=_dtype(dtype)).model.get_encoder()
    elif config.model_type == QWEN2_AUDIO:
        model = _part(read_model(files.folder, config=config, dtype=_dtype(dtype)).model, "audio_tower")
    else:
        raise UsageError(
            f"{name}: no speech encoder is known in a model of the type {config.model_type!r}.",
            hint="name a Whisper or a Qwen2-Audio",
        )
    if random_seed is not None:
        torch.manual_seed(random_seed)
        model = type(model)(model.config).to(_dtype(dtype))
    with quiet_transformers():
        extractor = transformers.AutoFeatureExtractor.from_pretrained(files.folder)
    told = files.revision if random_seed is None else f"{files.revision}, random {random_seed}"
    positions = int(model.config.max_source_positions) // (2 if config.model_type == QWEN2_AUDIO else 1)
    return SpeechEncoder(
        _ready(model), extractor, int(model.config.d_model), positions, int(extractor.sampling_rate),
        float(extractor.chunk_length), told, files.folder,
    )  # fmt: skip


def text_encoder(
    name: str, *, revision: str | None = None, download: bool = False, dtype: str = AUTO
) -> TextEncoder:  # fmt: skip
    """Open the text encoder of a model; `dtype` as of speech.

    Raises:
        UsageError: It is not here, or reads no text.
    """
    require_torch("retrieval")
    import transformers

    files = locate(name, revision=revision, download=download)
    config = read_config(files.folder)
    if config.model_type == WHISPER:
        raise UsageError(f"{name}: a Whisper reads no texts.", hint="name an encoder of text: retrieval.text_model")
    with quiet_transformers():
        if config.model_type == QWEN2_AUDIO:
            whole = read_model(files.folder, config=config, dtype=_dtype(dtype)).model
            model = _part(whole, "language_model")
            model = getattr(model, "model", model)
        else:
            model = transformers.AutoModel.from_pretrained(files.folder, dtype=_dtype(dtype))
        tokenizer = transformers.AutoTokenizer.from_pretrained(files.folder, padding_side="right")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return TextEncoder(_ready(model), tokenizer, int(model.config.hidden_size), files.revision)


def _part(model: Any, name: str) -> Any:
    """A part of a model, wherever its class keeps it."""
    return next(part for path, part in model.named_modules() if path.rpartition(".")[2] == name)


def device_here() -> str:
    """Where encoders compute: a GPU where there is one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _dtype(asked: str) -> Any:
    import torch

    return getattr(torch, TORCH_NAMES[dtype_on(asked, device_here())])


def _ready(model: Any) -> Any:
    return model.to(device_here()).eval().requires_grad_(False)
