"""The sound of a clip as a model hears it: mono, at the model's rate; and clips that are longer than it hears.

A model's extractor cuts a longer clip off without a word. Here such a clip is refused, cut, or heard in windows, and
each is counted. Windows end where the sound is quietest in their last seconds, so that few words are cut apart.
"""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...shards.media.fence import fenced
from ...shards.media.sound import heard, sound_from
from ...shards.media.streams import MediaError, open_media

if TYPE_CHECKING:
    import numpy as np

    Samples = np.ndarray[Any, np.dtype[np.float32]]

REFUSE, CUT, WINDOW = "refuse", "cut", "window"
LONG = (REFUSE, CUT, WINDOW)

QUIET_S = 5.0
"""Seconds at the end of a window in which its end is looked for."""
_FRAME_S = 0.02


def read_sound(path: Path, rate: int) -> Samples:
    """Decode the first audio stream of a file to mono samples between -1 and 1.

    Raises:
        MediaError: `missing_media`, `unreadable_media`, `no_audio_stream`, `no_sound` of a stream without samples, or
            `not_finite` where a sample is NaN or infinite.
    """
    import numpy as np

    samples = _read_plain(path, rate)
    return samples if samples is not None else np.concatenate(list(sound_blocks(path, rate)))


def sound_blocks(path: Path, rate: int) -> Iterator[Samples]:
    """The same samples, block by block as they are decoded: a recording of hours takes the memory of one block.

    Raises:
        MediaError: As `read_sound`; the blocks before a fault have been given.
    """
    import numpy as np

    count = 0
    with fenced(path.name), open_media(path) as container:
        _, frames = sound_from(container)
        for block in heard(frames, rate):
            samples = block.astype(np.float32)
            if not np.isfinite(samples).all():
                raise MediaError("not_finite", f"{path.name} has samples that are NaN or infinite")
            count += len(samples)
            yield samples
    if not count:
        raise MediaError("no_sound", f"{path.name} has an audio stream without samples")


def _read_plain(path: Path, rate: int) -> Samples | None:
    """The samples of a FLAC or WAV file of one channel, 16 bits and this rate: libsndfile gives the same numbers as
    FFmpeg in half the time. None: FFmpeg is to read it, or to say what is wrong with it."""
    import soundfile

    if path.suffix.lower() not in _PLAIN:
        return None
    try:
        with soundfile.SoundFile(path) as file:
            if (file.format, file.subtype, file.channels, file.samplerate) != (
                _PLAIN[path.suffix.lower()], "PCM_16", 1, rate,
            ):  # fmt: skip
                return None
            samples: Samples = file.read(dtype="float32")
            return samples if len(samples) == file.frames > 0 else None
    except (soundfile.SoundFileError, OSError):
        return None


_PLAIN = {".flac": "FLAC", ".wav": "WAV"}


def windows_of(samples: Samples, rate: int, seconds: float) -> list[Samples]:
    """Part a sound into windows of at most so many seconds; all of them together are the sound."""
    longest = int(seconds * rate)
    found = []
    start = 0
    while len(samples) - start > longest:
        end = start + _quietest(samples[start : start + longest], rate)
        found.append(samples[start:end])
        start = end
    return [*found, samples[start:]]


def _quietest(samples: Samples, rate: int) -> int:
    """Where the quietest moment of the last seconds begins, in samples."""
    import numpy as np

    frame = int(_FRAME_S * rate)
    tail = min(len(samples) // 2, int(QUIET_S * rate)) // frame * frame
    first = len(samples) - tail
    power = np.square(samples[first : first + tail]).reshape(-1, frame).mean(axis=1)
    return first + int(power.argmin()) * frame if tail else len(samples)


def fit(samples: Samples, rate: int, *, heard_s: float | None, long: str) -> list[Samples]:
    """The pieces of a sound that a model hears one after the other: one, unless `long` is `window`.

    Raises:
        MediaError: `too_long`, where `long` is `refuse`.
    """
    if heard_s is None or len(samples) <= round(heard_s * rate):
        return [samples]
    if long == WINDOW:
        return windows_of(samples, rate, heard_s)
    if long == CUT:
        return [samples[: round(heard_s * rate)]]
    raise MediaError("too_long", f"{len(samples) / rate:.1f} s; {heard_s:g} s are heard")


def as_wav(samples: Samples, rate: int) -> bytes:
    """The samples as a WAV file of 16 bits."""
    import numpy as np

    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        scaled = np.clip(np.rint(samples * 32768.0), -32768, 32767)
        out.writeframes(scaled.astype("<i2").tobytes())
    return file.getvalue()


def as_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def seconds_of(sounds: Sequence[Samples], rate: int) -> float:
    """Seconds of all these sounds, to the millisecond."""
    return round(sum(map(len, sounds)) / rate, 3)
