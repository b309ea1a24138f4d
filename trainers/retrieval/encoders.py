"""What speech and text become before they are projected: one vector each, of encoders that are not trained.

Speech: the encoder of a Whisper, or the audio tower of a Qwen2-Audio; the vector is the mean over the frames that the
clip reaches, never over the silence that it is padded with. Text: the language model of a Qwen2-Audio, or any encoder
of text that transformers knows; the vector is the mean over tokens. Texts are lower-cased.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from ..models.model_files import locate
from ..models.model_loading import quiet_transformers, read_config, read_model, require_torch

if TYPE_CHECKING:
    from ..data.sound import Samples
    from .metrics import Vectors

WHISPER, QWEN2_AUDIO = "whisper", "qwen2_audio"
_TEXTS = 64


@dataclass(frozen=True, slots=True, eq=False)
class SpeechEncoder:
    """Makes a vector of a clip.

    Attributes:
        width: Numbers of a vector.
        rate: Hz that it hears.
        heard_s: The longest clip.
        revision: Of the model's files, and `random` where its weights are.
    """

    model: Any
    extractor: Any
    width: int
    rate: int
    heard_s: float
    revision: str

    def vector(self, samples: Samples) -> Vectors:
        """The vector of one clip, the same in any company.

        Raises:
            UsageError: It is longer than the encoder hears.
        """
        import torch

        if len(samples) > round(self.heard_s * self.rate):
            raise UsageError(f"a clip of {len(samples) / self.rate:.1f} s; {self.heard_s:g} s are heard.")
        features = self.extractor(samples, sampling_rate=self.rate, return_tensors="pt").input_features
        place = next(self.model.parameters())
        with torch.no_grad():
            states = self.model(features.to(place.device, place.dtype)).last_hidden_state[0]
        reached = -(-len(samples) * len(states) // round(self.heard_s * self.rate))
        found: Vectors = states[: max(1, reached)].float().mean(0).cpu().numpy()
        return found


@dataclass(frozen=True, slots=True, eq=False)
class TextEncoder:
    """Makes vectors of texts."""

    model: Any
    tokenizer: Any
    width: int
    revision: str

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """The vector of each text."""
        import numpy as np
        import torch

        found = np.zeros((len(texts), self.width), np.float32)
        lowered = [text.lower() for text in texts]
        order = sorted(range(len(texts)), key=lambda number: len(lowered[number]))
        place = next(self.model.parameters()).device
        for start in range(0, len(order), _TEXTS):
            numbers = order[start : start + _TEXTS]
            given = self.tokenizer([lowered[number] for number in numbers], return_tensors="pt", padding=True)
            given = {name: given[name].to(place) for name in ("input_ids", "attention_mask")}
            with torch.no_grad():
                states = self.model(**given).last_hidden_state.float()
            mask = given["attention_mask"][..., None]
            found[numbers] = ((states * mask).sum(1) / mask.sum(1).clamp(min=1)).cpu().numpy()
        return found


def speech_encoder(
    name: str, *, revision: str | None = None, download: bool = False, random_seed: int | None = None
) -> SpeechEncoder:
    """Open the speech encoder of a model.

    Args:
        name: A folder, or a name on the hub.
        random_seed: Random weights in place of the model's: what the encoder is worth shows beside them.

    Raises:
        UsageError: It is not here, or hears nothing that is known.
    """
    torch = require_torch("retrieval")
    import transformers

    files = locate(name, revision=revision, download=download)
    config = read_config(files.folder)
    if config.model_type == WHISPER:
        whole = read_model(files.folder, config=config).model
        model = whole.get_encoder()
    elif config.model_type == QWEN2_AUDIO:
        whole = read_model(files.folder, config=config).model
        model = _part(whole, "audio_tower")
    else:
        raise UsageError(
            f"{name}: no speech encoder is known in a model of the type {config.model_type!r}.",
            hint="name a Whisper or a Qwen2-Audio",
        )
    if random_seed is not None:
        torch.manual_seed(random_seed)
        model = type(model)(model.config)
    with quiet_transformers():
        extractor = transformers.AutoFeatureExtractor.from_pretrained(files.folder)
    told = files.revision if random_seed is None else f"{files.revision}, random {random_seed}"
    return SpeechEncoder(
        _ready(model), extractor, int(model.config.d_model), int(extractor.sampling_rate),
        float(extractor.chunk_length), told,
    )  # fmt: skip


def text_encoder(name: str, *, revision: str | None = None, download: bool = False) -> TextEncoder:
    """Open the text encoder of a model.

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
            model = _part(read_model(files.folder, config=config).model, "language_model")
            model = getattr(model, "model", model)
        else:
            model = transformers.AutoModel.from_pretrained(files.folder)
        tokenizer = transformers.AutoTokenizer.from_pretrained(files.folder, padding_side="right")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return TextEncoder(_ready(model), tokenizer, int(model.config.hidden_size), files.revision)


def _part(model: Any, name: str) -> Any:
    """A part of a model, wherever its class keeps it."""
    return next(part for path, part in model.named_modules() if path.rpartition(".")[2] == name)


def _ready(model: Any) -> Any:
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    return model.to(device).eval().requires_grad_(False)
