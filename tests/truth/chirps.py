"""Chirps: sounds whose frequency tells the time, and an ear that says which of them a file holds, and from when.

A `Voice` is one channel of one clip. Its frequency rises or falls from its first sample to its last, as fast as no
other voice's: a piece of it correlates with its own voice at one place only, to the sample, and hardly with any other.
A mix of two voices correlates with each by 0.7, so a downmix is told from a channel.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

RATE = 16_000
SECONDS = 3.0
FULL = 0.9
"""The least correlation of a piece with its voice; lossy codecs stay above 0.95, a mix of two is at 0.7."""

CLIPS = 14
"""Clips that can be told apart."""

_LOWEST = 300.0
_SLOWEST, _STEP = 300.0, 50.0
"""Hz per second: channels 0 and 2 rise, 1 and 3 fall, and no two voices are closer than half a step."""
_LOUDNESS = 0.4
_BLOCK = 1 << 17
"""A power of two, longer than two voices."""


@dataclass(frozen=True, order=True)
class Voice:
    """One channel of one clip; clips are numbered from 0."""

    clip: int
    channel: int = 0

    def __str__(self) -> str:
        return f"clip {self.clip} channel {self.channel}"


@dataclass(frozen=True)
class Heard:
    """A voice in a file: `start_s`, the time in the voice of the file's first sample, and the correlation."""

    voice: Voice
    start_s: float
    correlation: float

    def __str__(self) -> str:
        return f"{self.voice} from {self.start_s:.4f} s (correlation {self.correlation:.2f})"


@cache
def samples(voice: Voice, *, rate: int = RATE) -> np.ndarray:
    """The whole voice as int16 at that rate; its content does not depend on the rate."""
    time = np.arange(round(SECONDS * rate)) / rate
    slope = _SLOWEST + _STEP * (voice.clip + (voice.channel // 2) / 2)
    start = _LOWEST
    if voice.channel % 2:
        start, slope = _LOWEST + slope * SECONDS, -slope
    wave = np.sin(2 * np.pi * (start * time + 0.5 * slope * time * time))
    return np.rint(_LOUDNESS * 32767 * wave).astype(np.int16)


def stereo(clip: int, *, channels: int = 2, rate: int = RATE) -> np.ndarray:
    """All channels of a clip, (frames, channels)."""
    return np.stack([samples(Voice(clip, channel), rate=rate) for channel in range(channels)], axis=1)


def hear(sound: np.ndarray, voices: Iterable[Voice]) -> Heard:
    """The voice, of these, that a sound at `RATE` holds; of the first that fits fully, without asking the others."""
    best = Heard(Voice(-1), 0.0, 0.0)
    if not len(sound):
        return best
    spectrum = np.fft.rfft(sound.astype(np.float64), _BLOCK)
    energy = float(np.sum(sound.astype(np.float64) ** 2))
    for voice in voices:
        found = _place(spectrum, len(sound), energy, voice)
        if found.correlation > best.correlation:
            best = found
        if best.correlation >= FULL:
            break
    return best


def _place(spectrum: np.ndarray, length: int, energy: float, voice: Voice) -> Heard:
    """Where a sound fits a voice best; a sound may begin before the voice (a delay) and end after it (padding)."""
    product = np.fft.irfft(np.conj(spectrum) * _spectrum(voice), _BLOCK)
    whole = len(samples(voice))
    lags = np.concatenate([np.arange(whole), np.arange(-length + 1, 0)])
    values = np.concatenate([product[:whole], product[_BLOCK - length + 1 :]])
    shared = np.minimum(lags + length, whole) - np.maximum(lags, 0)
    power = (_LOUDNESS * 32767) ** 2 / 2
    # A short overlap must not win by chance: padding counts as if the sound had that power.
    scale = np.sqrt(np.maximum(energy, power * np.minimum(length, whole) / 4) * power * np.maximum(shared, length // 2))
    place = int(np.argmax(values / scale))
    return Heard(voice, float(lags[place]) / RATE, float(values[place] / scale[place]))


@cache
def _spectrum(voice: Voice) -> np.ndarray:
    return np.fft.rfft(samples(voice).astype(np.float64), _BLOCK)


def decode(path: Path) -> np.ndarray:
    """A file's sound from its first sample to its last, (frames, channels) at its own rate, by FFmpeg alone.

    No seeking and no use of time stamps: what comes out first is what a listener hears first.
    """
    import av

    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        channels = stream.codec_context.channels
        resampler = av.AudioResampler(format="s16", layout=stream.codec_context.layout, rate=RATE)
        blocks = [block for frame in container.decode(stream) for block in resampler.resample(frame)]
        blocks += resampler.resample(None)
        pieces = [block.to_ndarray().reshape(-1, channels) for block in blocks]
    return np.concatenate(pieces) if pieces else np.zeros((0, channels), np.int16)
