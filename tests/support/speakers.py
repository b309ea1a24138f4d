"""Speech whose words and their times are known: sentences of espeak-ng, as files beside a table."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from triptych.catalog.sources.synthetic.source import SyntheticSource

Word = tuple[str, float, float]


@dataclass(frozen=True)
class Sentence:
    """One spoken sentence: 16 kHz int16 mono, its text, its words with start and end in seconds."""

    sound: np.ndarray
    text: str
    words: list[Word]

    @property
    def seconds(self) -> float:
        return len(self.sound) / 16_000

    def first(self, count: int) -> Sentence:
        """Its first words; the next word begins where it ends."""
        kept = self.words[:count]
        return Sentence(self.sound[: round(kept[-1][2] * 16_000)], " ".join(text for text, *_ in kept), kept)

    def write(self, path: Path) -> str:
        soundfile.write(path, self.sound, 16_000, subtype="PCM_16")
        return str(path)


def sentences(count: int, *, seed: int = 11) -> list[Sentence]:
    """English sentences; the same for the same seed."""
    files = list(SyntheticSource(kind="speech", seed=seed, count=count, languages=("en",)).files())
    made = []
    for media, sidecar in zip(files[::2], files[1::2], strict=True):
        sound, _ = soundfile.read(io.BytesIO(media.read()), dtype="int16")
        facts = json.loads(sidecar.read())
        words = [(word["text"], word["start_s"], word["end_s"]) for word in facts["words"]]
        made.append(Sentence(sound, facts["text"], words))
    return made
