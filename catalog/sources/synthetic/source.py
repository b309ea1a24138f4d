"""The `synthetic` source: corpora of any size, generated from a seed; no network, exact transcripts.

Four kinds: `speech` (espeak-ng sentences in five languages, with word and phone times), `digits` (one spoken English
digit), `video` (a moving shape and its caption) and `av` (a moving shape and a voice describing it). A sample is a
media file followed by a sidecar:

    train/speech-000012.flac    16 kHz mono FLAC; `video` and `av` are MP4, H.264 and AAC
    train/speech-000012.json    a JSON object of sample columns, read by the `sidecar` reader

A sample depends only on seed, kind, languages and its number, so that the first N samples of any two corpora with the
same seed are the same files, byte for byte (with the same versions of espeak-ng, PyAV and libsndfile). A file is
generated when it is first read; an unread one costs nothing.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import count as count_up
from math import ceil
from typing import TYPE_CHECKING, Any, BinaryIO

from ....converters.candidate import Blob, RawFile
from ....errors import UsageError
from ....shards.in_memory import encoded
from ....shards.sample import check_name
from . import speech as espeak
from . import video as testvideo
from .sentences import GRAMMAR, make_sentence

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

REVISION = 1
"""Part of every file's revision; incremented whenever the same seed yields different bytes."""

SAMPLE_RATE = 16_000
SPLITS: Mapping[str, float] = {"train": 0.8, "validation": 0.1, "test": 0.1}
SUFFIXES: Mapping[str, str] = {"speech": ".flac", "digits": ".flac", "video": ".mp4", "av": ".mp4"}
LANGUAGES = ("en", "de", "fr", "es", "zh")
ENGLISH_SHARE = 0.6
"""Share of English samples if other languages are requested too."""

VOICES: Mapping[str, Sequence[str]] = {
    "en": ("en-us", "en-gb-x-rp"),
    "de": ("de",),
    "fr": ("fr",),
    "es": ("es", "es-419"),
    "zh": ("cmn",),
}
VARIANTS = ("f1", "f2", "f3", "f5", "m1", "m2", "m3", "m7")
WORDS_A_MINUTE: Mapping[str, int] = {"zh": 200}
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
REMARKS = (
    "Here comes {subject}. It {motion}.",
    "I can see {subject}, and it {motion}.",
    "Watch how {subject} {motion}.",
    "Now {subject} {motion} very slowly.",
)
TAIL_FRAMES = 4
"""Frames of an `av` sample after the end of the speech."""


@dataclass(slots=True)
class GeneratedFile(RawFile):
    """A raw file whose bytes are generated when it is first read; its size is unknown before."""

    def blob(self) -> Blob:
        return Blob(self.name, data=self.read())


@dataclass(frozen=True, slots=True)
class _Generated:
    """One sample as bytes: the media file and its sidecar."""

    media: bytes
    sidecar: bytes


@dataclass(frozen=True, slots=True)
class _Spoken:
    """One spoken text: audio at `SAMPLE_RATE`, and the columns and facts that describe it."""

    pcm: npt.NDArray[np.int16]
    columns: Mapping[str, Any]
    facts: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class SyntheticSource:
    """A synthetic corpus.

    Attributes:
        kind: `speech`, `digits`, `video` or `av`.
        seed: A different seed yields a different corpus.
        count: Number of samples; None is unlimited.
        splits: Share of each split; splits are evenly interleaved, whatever the number of samples.
        languages: Languages of `speech` (BCP 47); English is the most frequent. `digits`, `av`: always English.

    Example:
        >>> source = SyntheticSource(kind="speech", seed=7, count=2)
        >>> [file.name for file in source.files()]
        ['train/speech-000000.flac', 'train/speech-000000.json', 'train/speech-000001.flac', 'train/speech-000001.json']
    """

    kind: str
    seed: int = 7
    count: int | None = None
    splits: Mapping[str, float] = field(default_factory=lambda: dict(SPLITS))
    languages: Sequence[str] = LANGUAGES

    def __post_init__(self) -> None:
        if self.kind not in SUFFIXES:
            raise UsageError(f"unknown kind {self.kind!r} of synthetic data: use one of {', '.join(SUFFIXES)}.")
        if self.count is not None and self.count < 0:
            raise UsageError(f"count is {self.count}: a synthetic dataset has 0 samples or more.")
        if unknown := [language for language in self.languages if language not in GRAMMAR]:
            raise UsageError(f"no synthetic speech in {', '.join(unknown)}: use {', '.join(GRAMMAR)}.")
        if not self.languages or not self.splits or any(share <= 0 for share in self.splits.values()):
            raise UsageError("synthetic data needs a language, and splits with shares above 0.")
        for name in self.splits:
            check_name(name, what="the split")

    @property
    def revision(self) -> str:
        """What determines the bytes: revision of this source, seed, and the languages if they are not the default."""
        languages = "" if self.kind != "speech" or tuple(self.languages) == LANGUAGES else "+".join(self.languages)
        return f"synthetic-{REVISION}:seed={self.seed}" + (f",languages={languages}" if languages else "")

    def files(self, *, wants: Callable[[str | None], bool] = lambda split: True) -> Iterator[RawFile]:
        """Yield the media file and sidecar of every sample of the splits that `wants` accepts.

        Raises:
            UsageError: The kind needs speech, and espeak-ng is not installed.
        """
        if self.kind != "video":
            espeak.find_espeak()
        for number in count_up() if self.count is None else range(self.count):
            split = self.split_of(number)
            if wants(split):
                yield from self._files_of(number, split)

    def split_of(self, number: int) -> str:
        """Return the split of a sample, which depends only on its number."""
        position = (number * 2654435769 % 2**32) / 2**32 * sum(self.splits.values())  # golden ratio: evenly interleaved
        for name, share in self.splits.items():
            if position < share:
                return name
            position -= share
        return name

    def _files_of(self, number: int, split: str) -> Iterator[RawFile]:
        stem = f"{self.kind}-{number:06d}"
        generated = cache(lambda: self._make(number, stem))
        yield self._file(f"{split}/{stem}{SUFFIXES[self.kind]}", number, split, lambda: io.BytesIO(generated().media))
        yield self._file(f"{split}/{stem}.json", number, split, lambda: io.BytesIO(generated().sidecar))

    def _file(self, name: str, number: int, split: str, opener: Callable[[], BinaryIO]) -> RawFile:
        return GeneratedFile(
            name=name,
            uri=f"synthetic:{self.kind}?seed={self.seed}#{number:06d}",
            revision=self.revision,
            size=None,
            opener=opener,
            split=split,
        )

    def _make(self, number: int, stem: str) -> _Generated:
        rng = random.Random(f"{self.seed}:{self.kind}:{number}")
        make = {
            "speech": self._make_speech, "digits": self._make_digit, "video": self._make_video, "av": self._make_av,
        }[self.kind]  # fmt: skip
        media, columns, facts = make(rng)
        extra = {name: str(value) for name, value in facts.items()}
        sidecar = {"source_id": stem, **columns, "extra": extra}
        return _Generated(media, json.dumps(sidecar, ensure_ascii=False, indent=1).encode())

    def _make_speech(self, rng: random.Random) -> tuple[bytes, Mapping[str, Any], Mapping[str, Any]]:
        language = _draw_language(self.languages, rng)
        sentence = make_sentence(language, rng)
        spoken = _speak(sentence.text, sentence.words, language, rng)
        columns = {"panel": "S1", "modality": "audio", "task": "asr", "text": sentence.text, **spoken.columns}
        return encode_flac(spoken.pcm), columns, spoken.facts

    def _make_digit(self, rng: random.Random) -> tuple[bytes, Mapping[str, Any], Mapping[str, Any]]:
        digit = rng.choice(DIGITS)
        spoken = _speak(digit, (digit,), "en", rng)
        columns = {"panel": "S1", "modality": "audio", "task": "kws", "labels": [digit], **spoken.columns}
        return encode_flac(spoken.pcm), columns, spoken.facts

    def _make_video(self, rng: random.Random) -> tuple[bytes, Mapping[str, Any], Mapping[str, Any]]:
        scene = testvideo.draw_scene(rng)
        frames = rng.randint(2 * testvideo.FPS, 4 * testvideo.FPS)
        columns = {
            "panel": "S2",
            "modality": "video",
            "task": "captioning",
            "text": scene.caption,
            "language": "en",
            "captions": [scene.caption],
        }
        return testvideo.encode_scene(scene, frames=frames), columns, _scene_facts(scene, frames)

    def _make_av(self, rng: random.Random) -> tuple[bytes, Mapping[str, Any], Mapping[str, Any]]:
        scene = testvideo.draw_scene(rng)
        motion = testvideo.MOTIONS[scene.motion]
        remark = rng.choice(REMARKS).format(subject=scene.subject, motion=motion)
        spoken = _speak(remark, espeak.split_words(remark), "en", rng)
        frames = ceil(len(spoken.pcm) / SAMPLE_RATE * testvideo.FPS) + TAIL_FRAMES
        media = testvideo.encode_scene(scene, frames=frames, sound=testvideo.Sound(spoken.pcm, SAMPLE_RATE))
        columns = {
            "panel": "S3",
            "modality": "mixed",
            "task": "captioning",
            "text": f'{scene.caption} A voice says: "{remark}"',
            "captions": [scene.caption],
            **spoken.columns,
        }
        return media, columns, {"speech": remark, **_scene_facts(scene, frames), **spoken.facts}


def _draw_language(languages: Sequence[str], rng: random.Random) -> str:
    others = [language for language in languages if language != "en"]
    if not others or ("en" in languages and rng.random() < ENGLISH_SHARE):
        return "en"
    return rng.choice(others)


def _speak(text: str, words: Sequence[str], language: str, rng: random.Random) -> _Spoken:
    """Speak with a randomly drawn voice, rate, pitch and level."""
    voice = f"{rng.choice(VOICES[language])}+{rng.choice(VARIANTS)}"
    rate = WORDS_A_MINUTE.get(language, 160) + rng.randint(-15, 15)
    pitch = rng.randint(40, 60)
    speech = espeak.speak(text, voice, words=words, rate=rate, pitch=pitch)
    pcm = to_16_khz(speech.pcm, gain=rng.uniform(0.5, 0.9))
    columns = {
        "language": language,
        "speaker": voice,
        "words": None if speech.words is None else [_times(word) for word in speech.words],
        "phones": [_times(phone) for phone in speech.phones],
    }
    return _Spoken(pcm, columns, {"voice": voice, "words_a_minute": rate, "pitch": pitch, "frames_16k": len(pcm)})


def _times(timed: espeak.Timed) -> dict[str, Any]:
    return {"text": timed.text, "start_s": round(timed.start_s, 5), "end_s": round(timed.end_s, 5)}


def to_16_khz(pcm: npt.NDArray[np.int16], *, gain: float) -> npt.NDArray[np.int16]:
    """Resample speech from espeak-ng to `SAMPLE_RATE` and scale it by `gain`."""
    import numpy as np
    import soxr

    resampled = soxr.resample(pcm.astype(np.float64) * gain, espeak.SAMPLE_RATE, SAMPLE_RATE)
    rounded: npt.NDArray[np.int16] = np.clip(np.rint(resampled), -32768, 32767).astype(np.int16)
    return rounded


def encode_flac(pcm: npt.NDArray[np.int16]) -> bytes:
    """Encode int16 mono samples at `SAMPLE_RATE` as a FLAC file."""
    return encoded(pcm, SAMPLE_RATE)


def _scene_facts(scene: testvideo.Scene, frames: int) -> Mapping[str, Any]:
    return {
        "shape": scene.shape,
        "colour": scene.colour,
        "motion": scene.motion,
        "background": scene.background,
        "video_frames": frames,
        "fps": testvideo.FPS,
    }
