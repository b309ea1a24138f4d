"""What is said: which part of which clip a row states, and whether the media of a row is that part.

`Utterance` is the truth that a layout writes down. `faults` compares one row of an export with it: the clip, the
channel, the time of its first sample, its length, the frames of its film.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from truth import chirps, films
from truth.chirps import FULL, RATE, Heard, Voice
from truth.forms import FORMS, delay_s

TIME_S = 0.001
"""The largest error of a cut: a span is exact to the sample, whatever the codec."""

PADDING_S = 0.1
"""What an encoder may leave behind the last sample of a whole file."""

_SHARE = 0.6
"""The least correlation with each of two channels that were mixed."""


@dataclass(frozen=True)
class Utterance:
    """One utterance and where it is: a span in seconds, None for the start or the end; a channel, None for all."""

    name: str
    clip: int
    start_s: float | None = None
    end_s: float | None = None
    channel: int | None = None

    @property
    def text(self) -> str:
        """Words that no other utterance has, in every case and with every normalization of a view."""
        return f"the words of {self.name}"

    @property
    def is_whole(self) -> bool:
        return self.start_s is None and self.end_s is None and self.channel is None


@dataclass(frozen=True)
class Media:
    """How the clips of a corpus are stored: the form of every file, and its channels."""

    form: str = "wav"
    channels: int = 1


MONO = Media()

WHOLE = (Utterance("u0", 0), Utterance("u1", 1))
SPANS = (
    Utterance("u2", 2, 0.5, 1.5),
    Utterance("u3", 2, 1.75, 2.625),
    Utterance("u4", 2, 0.0, 0.75),
    Utterance("u5", 3, 2.25, 3.0),
)
CHANNELS = (
    Utterance("u6", 4, 0.5, 1.5, channel=0),
    Utterance("u7", 4, 0.5, 1.5, channel=1),
    Utterance("u8", 5, 1.0, 2.0, channel=1),
)
MIXED = (Utterance("u11", 7, 0.5, 1.5), Utterance("u12", 7, 1.75, 2.625))
OPEN = (Utterance("u13", 8, 1.25, None), Utterance("u14", 9, None, 1.75))
FOUR = (Utterance("u15", 10, 0.5, 1.5, channel=2), Utterance("u16", 10, channel=3), Utterance("u17", 11, channel=0))
WHOLE_CHANNELS = (Utterance("u9", 6, channel=0), Utterance("u10", 6, channel=1))


def faults(utterance: Utterance, media: Media, *, audio: Path | None, video: Path | None = None) -> Iterator[str]:
    """What is wrong with the media of a row that has this utterance's text; nothing if it is right."""
    if audio is None and video is None:
        yield "the row has no media"
        return
    if audio is not None:
        yield from _sound_faults(utterance, media, audio)
    if video is not None:
        yield from _film_faults(utterance, video)


def _sound_faults(utterance: Utterance, media: Media, path: Path) -> Iterator[str]:
    digest = _opened(path)
    sound, heard = _heard(digest, utterance.clip, utterance.channel, media.channels)
    wanted = (utterance.start_s or 0.0) - delay_s(media.form, utterance.clip, media.channels)
    lasting = (utterance.end_s or chirps.SECONDS) - (utterance.start_s or 0.0)
    slack = TIME_S if utterance.end_s is not None else PADDING_S
    if not heard:
        yield f"{path.name} holds {_best(digest)} instead of clip {utterance.clip}, channel {utterance.channel}"
    for each in heard:
        if abs(each.start_s - wanted) > TIME_S:
            yield f"{each} instead of {wanted:.4f} s: {1000 * (each.start_s - wanted):+.1f} ms"
    if utterance.end_s == chirps.SECONDS:
        lasting -= FORMS[media.form].short_s
    if abs(len(sound) / RATE - lasting) > slack:
        yield f"{len(sound) / RATE:.4f} s long instead of {lasting:.4f} s"


_SEEN: dict[str, Path] = {}
"""A file with these bytes: most files of the cases are the same, and each is decoded once."""


def _opened(path: Path) -> str:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    _SEEN[digest] = path
    return digest


@cache
def _decoded(digest: str) -> np.ndarray:
    return chirps.decode(_SEEN[digest])


@cache
def _heard(digest: str, clip: int, channel: int | None, channels: int) -> tuple[np.ndarray, tuple[Heard, ...]]:
    """The sound, and the voices in it if they are those that are wanted; else none."""
    sound = _decoded(digest)
    if channel is not None:
        # A file with more channels than the one that is stated is not what the row says.
        fit = chirps.hear(sound[:, 0], [Voice(clip, channel)])
        return sound, (fit,) if sound.shape[1] == 1 and fit.correlation >= FULL else ()
    if sound.shape[1] == channels:
        each = [chirps.hear(sound[:, number], [Voice(clip, number)]) for number in range(channels)]
        return sound, tuple(each) if min(fit.correlation for fit in each) >= FULL else ()
    mixed = [chirps.hear(sound[:, 0], [Voice(clip, number)]) for number in range(channels)]
    return sound, tuple(mixed) if min(fit.correlation for fit in mixed) >= _SHARE else ()


@cache
def _best(digest: str) -> str:
    """What a file holds, of all voices."""
    sound = _decoded(digest)
    everything = [Voice(clip, channel) for clip in range(chirps.CLIPS) for channel in range(4)]
    found = [chirps.hear(sound[:, number], everything) for number in range(sound.shape[1])]
    return " and ".join(str(each) if each.correlation > _SHARE else "no clip" for each in found)


def _film_faults(utterance: Utterance, path: Path) -> Iterator[str]:
    seen = _watched(_opened(path))
    start_s = utterance.start_s or 0.0
    end_s = chirps.SECONDS if utterance.end_s is None else utterance.end_s
    expected = list(range(round(start_s * films.FPS), round(end_s * films.FPS)))
    if seen.clip != utterance.clip:
        yield f"{path.name} shows clip {seen.clip} instead of {utterance.clip}"
    if seen.numbers != expected:
        yield (
            f"{path.name} has the frames {seen.numbers[0]} to {seen.numbers[-1]} ({len(seen.numbers)}) instead of "
            f"{expected[0]} to {expected[-1]}"
        )
    if not utterance.is_whole:
        heard = chirps.hear(chirps.decode(path)[:, 0], [chirps.Voice(utterance.clip)])
        if abs(heard.start_s - start_s) > PADDING_S:
            yield f"{path.name}: its sound begins at {heard.start_s:.3f} s instead of {start_s} s"


@cache
def _watched(digest: str) -> films.Seen:
    return films.watch(_SEEN[digest])


def named(utterances: Iterable[Utterance]) -> dict[str, Utterance]:
    """Utterances by their text."""
    return {each.text: each for each in utterances}
