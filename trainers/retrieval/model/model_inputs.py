"""What a model is given of clips and texts: vectors that were made once, or what an encoder takes that is trained.

A batch holds it under the name of what it is of: `audio.vectors`, or `audio.features` and `audio.reached`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ...data.sound import read_sound
from .encoders import by_length

if TYPE_CHECKING:
    from ..scores.metrics import Vectors
    from ..term_rows import TermRow
    from .encoders import SpeechEncoder, TextEncoder

AUDIO, TEXT, TERMS, NEAR = "audio", "text", "terms", "near"
VECTORS = "vectors"
_HELD_AT_ONCE, _CLIPS_AT_ONCE, _TEXTS_AT_ONCE = 8192, 8, 64


class Given(Protocol):
    """Clips or texts, by number."""

    def __len__(self) -> int:
        """How many there are."""

    def of(self, numbers: Sequence[int]) -> dict[str, Any]:
        """What the model takes of some of them, as tensors."""

    def parts(self) -> Sequence[Sequence[int]]:
        """All numbers, in parts that are encoded at once."""


@dataclass(frozen=True, slots=True, eq=False)
class HeldVectors:
    """Of an encoder that is not trained."""

    vectors: Vectors

    def __len__(self) -> int:
        return len(self.vectors)

    def of(self, numbers: Sequence[int]) -> dict[str, Any]:
        import torch

        return {VECTORS: torch.from_numpy(self.vectors[list(numbers)])}

    def parts(self) -> Sequence[Sequence[int]]:
        return _in_parts(len(self), _HELD_AT_ONCE)


@dataclass(frozen=True, slots=True, eq=False)
class Sounds:
    """Of a speech encoder that is trained: clips are decoded when they are asked for."""

    rows: Sequence[TermRow]
    encoder: SpeechEncoder

    def __len__(self) -> int:
        return len(self.rows)

    def of(self, numbers: Sequence[int]) -> dict[str, Any]:
        return self.encoder.inputs([read_sound(self.rows[number].audio, self.encoder.rate) for number in numbers])

    def parts(self) -> Sequence[Sequence[int]]:
        return _in_parts(len(self), _CLIPS_AT_ONCE)


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """Of a text encoder that is trained."""

    texts: Sequence[str]
    encoder: TextEncoder

    def __len__(self) -> int:
        return len(self.texts)

    def of(self, numbers: Sequence[int]) -> dict[str, Any]:
        return self.encoder.inputs([self.texts[number] for number in numbers])

    def parts(self) -> Sequence[Sequence[int]]:
        return list(by_length(self.texts, _TEXTS_AT_ONCE))


def named(name: str, given: dict[str, Any]) -> dict[str, Any]:
    """The entries of a batch: `audio.vectors` ..."""
    return {f"{name}.{key}": value for key, value in given.items()}


def under(name: str, inputs: Any) -> dict[str, Any]:
    """The entries of a batch under a name, without it."""
    return {key.partition(".")[2]: value for key, value in inputs.items() if key.startswith(f"{name}.")}


def projected(model: Any, given: Given, name: str) -> Vectors:
    """The vectors of all clips (`audio`) or texts (`text`) by a model as it is."""
    import numpy as np
    import torch

    place = next(model.parameters()).device
    found = np.zeros((len(given), model.dimension), np.float32)
    with torch.no_grad():
        for numbers in given.parts():
            moved = {key: value.to(place) for key, value in named(name, given.of(numbers)).items()}
            found[list(numbers)] = model(moved)[name].float().cpu().numpy()
    return found


def _in_parts(count: int, size: int) -> list[range]:
    return [range(start, min(start + size, count)) for start in range(0, count, size)]
