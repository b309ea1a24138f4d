"""Audio measurements: one full decode, summarised in 10 ms frames, from which every value is computed.

`decode.scan` decodes a file once, in blocks of half a megabyte. A `Scan` keeps per 10 ms frame its peak, energy, sum
and count of clipped samples (about 1.6 kB a second of mono sound, whatever the sample rate). `measure` reduces the
frames of a span, or of the whole file, to the columns of the checks table.

With x the samples of all channels of the span, full scale 1.0, N their number:

* `peak_dbfs` = 20 log10 max|x|; `rms_dbfs` = 10 log10(sum(x^2) / N). A full-scale sine is 0 and -3.01 dBFS. Digital
  silence is reported as `FLOOR_DBFS` in both.
* `mono_gain_db` = 10 log10 of the power of the mean of all channels over their mean power: 0 dB where they are equal,
  -3 dB where two are independent, `FLOOR_DBFS` where they cancel out. Null for one channel, and for silence.
* `dc_offset` = the mean of the channel with the largest mean in magnitude, -1 to 1.
* `clipped_share` = the share of samples with |x| at full scale: 127/128 for 8-bit codecs, 32767/32768 for all others.
* A frame is silent if its peak is below `SILENCE_DBFS`, or more than `SILENCE_BELOW_PEAK_DB` below the span's peak
  (the latter makes the measure independent of the recording level). `leading_silence_s` and `trailing_silence_s` are
  the silence before the first and after the last frame that is not silent; `silence_ratio` is the share of silent
  frames.
* `non_finite` = the number of samples in the file that are NaN, infinite or above `LARGEST` (a misread float file);
  they count as zero in the other figures.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ...shards.media.sound import check_channel

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

FRAMES_PER_SECOND = 100
SILENCE_DBFS = -60.0
SILENCE_BELOW_PEAK_DB = 40.0
FLOOR_DBFS = -200.0
FULL_SCALE = 32767 / 32768
FULL_SCALE_8_BIT = 127 / 128
LARGEST = 1e6
SLICE_SAMPLES = 128 * 1024
BLOCK_SAMPLES = 1024 * 1024

_CODECS = {"pcm_s8": "pcm_8"}
_EIGHT_BIT = ("pcm_u8", "pcm_s8", "pcm_8")


@dataclass(slots=True)
class Scan:
    """One decoded file: what its header declares, and its 10 ms frames as arrays of equal length.

    Attributes:
        channel: The one channel to summarise, counted from 0; None: all.
        container: As libsndfile calls it.
        channels, file_channels: Summarised ones, and those of the file.
        frame_length: Samples of one channel in a frame; the last frame may be shorter.
        peaks, energies, clipped: A frame's max|x|, sum(x^2) and number of samples at full scale, over all channels.
        mixed: Sum of the squares of the frame's mean over the channels; of one channel, its energy.
        sums: Sum of each channel, shape (frames, channels).
        undeclared_s: Seconds of sound behind the end that the header declares, which no decoder reads.
        soundfile_s: Seconds that libsndfile reads without an error, where that is only a part of the sound.
        cut_short: The file ends inside a page.
        error: The decoder's error, None if every frame was decoded.
    """

    channel: int | None = None
    container: str | None = None
    codec: str | None = None
    sample_rate: int = 0
    channels: int = 0
    file_channels: int = 0
    declared_duration: float | None = None
    decoded_frames: int = 0
    non_finite: int = 0
    frame_length: int = 1
    peaks: Any = None
    energies: Any = None
    clipped: Any = None
    sums: Any = None
    mixed: Any = None
    undeclared_s: float | None = None
    soundfile_s: float | None = None
    cut_short: bool | None = None
    error: str | None = None
    parts: list[tuple[Any, Any, Any, Any, Any]] = field(default_factory=list)

    def declare(self, codec: str, sample_rate: int, channels: int, declared_duration: float | None) -> None:
        """Set what the header declares, before the first block.

        Raises:
            MediaError: `no_such_channel`.
        """
        check_channel(self.channel, channels)
        self.codec = _CODECS.get(codec, codec)
        self.sample_rate, self.declared_duration = sample_rate, declared_duration
        self.file_channels, self.channels = channels, channels if self.channel is None else 1
        self.frame_length = max(1, sample_rate // FRAMES_PER_SECOND)

    def add(self, block: Samples) -> None:
        """Add a block of shape (samples, channels of the file): whole frames, except at the end of the file."""
        if self.channel is not None:
            block = block[:, self.channel : self.channel + 1].copy()
        whole = len(block) // self.frame_length * self.frame_length
        step = max(1, SLICE_SAMPLES // (self.frame_length * self.channels)) * self.frame_length
        for start in range(0, whole, step):
            part = block[start : min(start + step, whole)]
            self.parts.append(self._summarise(part.reshape(-1, self.frame_length * self.channels)))
        if whole < len(block):
            self.parts.append(self._summarise(block[whole:].reshape(1, -1)))
        self.decoded_frames += len(block)

    def close(self) -> None:
        """Join the blocks' frames into single arrays."""
        import numpy as np

        if self.parts:
            joined = self.parts[0] if len(self.parts) == 1 else map(np.concatenate, zip(*self.parts, strict=True))
            self.peaks, self.energies, self.sums, self.clipped, self.mixed = joined
            self.parts = []

    def _summarise(self, frames: Samples) -> tuple[Any, Any, Any, Any, Any]:
        import numpy as np

        sizes = np.abs(frames, out=_scratch("sizes", frames.size).reshape(frames.shape))
        # Non-negative floats sort like their bit patterns as integers, and integers need no NaN handling.
        peaks = sizes.view(np.int32).max(axis=1).view(np.float32)
        if not peaks.max() <= LARGEST:  # false for NaN too
            finite = sizes <= LARGEST
            self.non_finite += int(finite.size - np.count_nonzero(finite))
            frames = np.where(finite, frames, np.float32(0))
            sizes = np.abs(frames)
            peaks = sizes.max(axis=1)
        energies = np.vecdot(frames, frames)
        if self.channels == 1:
            sums, mixed = (frames @ _ones(frames.shape[1]))[:, None], energies
        else:
            channels = frames.reshape(len(frames), -1, self.channels)
            mono = channels @ _ones(self.channels)
            sums, mixed = channels.sum(axis=1), np.vecdot(mono, mono) / self.channels**2
        full = np.float32(FULL_SCALE_8_BIT if self.codec in _EIGHT_BIT else FULL_SCALE)
        if peaks.max() >= full:
            clipped = np.count_nonzero(sizes >= full, axis=1).astype(np.int32)
        else:
            clipped = np.zeros(len(frames), np.int32)
        return peaks, energies, sums, clipped, mixed


def block_buffer(found: Scan) -> Samples:
    """An array of whole frames that fits in a core's cache."""
    rows = max(1, BLOCK_SAMPLES // (found.frame_length * found.file_channels)) * found.frame_length
    return _scratch("block", rows * found.file_channels).reshape(rows, found.file_channels)


@lru_cache(maxsize=8)
def _ones(size: int) -> Samples:
    import numpy as np

    return np.ones(size, np.float32)


_arrays = threading.local()


def _scratch(which: str, size: int) -> Samples:
    """One of this thread's two arrays, reused across files: allocating costs as much as measuring."""
    import numpy as np

    kept: Samples | None = getattr(_arrays, which, None)
    if kept is None or len(kept) < size:
        kept = np.empty(max(size, BLOCK_SAMPLES), np.float32)
        setattr(_arrays, which, kept)
    return kept[:size]


def measure(found: Scan, *, start_s: float | None = None, end_s: float | None = None) -> dict[str, Any]:
    """Return the columns of a scan: values of the file, levels and silences of the span (in whole 10 ms frames)."""
    if not found.sample_rate:
        return {}
    row: dict[str, Any] = {
        "audio_codec": found.codec,
        "audio_sample_rate": found.sample_rate,
        "audio_channels": found.file_channels,
        "audio_declared_duration": found.declared_duration,
        "audio_decoded_frames": found.decoded_frames,
        "audio_decoded_duration": found.decoded_frames / found.sample_rate,
        "audio_undeclared_s": found.undeclared_s,
        "audio_soundfile_s": found.soundfile_s,
        "audio_cut_short": found.cut_short,
        "non_finite": found.non_finite,
    }
    frames = _span(found, start_s, end_s)
    if frames.start < frames.stop:
        row.update(_levels(found, frames), **_silences(found, frames))
    return row


def _span(found: Scan, start_s: float | None, end_s: float | None) -> slice:
    count = 0 if found.peaks is None else len(found.peaks)
    per_second = found.sample_rate / found.frame_length
    first = 0 if start_s is None else int(max(0.0, start_s) * per_second)
    last = count if end_s is None else min(count, round(max(0.0, end_s) * per_second))
    return slice(min(first, count), last)


def _samples(found: Scan, frames: slice) -> int:
    """The number of samples per channel in these frames."""
    end: int = min(frames.stop * found.frame_length, found.decoded_frames)
    return end - int(frames.start) * found.frame_length


def _levels(found: Scan, frames: slice) -> dict[str, Any]:
    import numpy as np

    samples = _samples(found, frames)
    means = found.sums[frames].sum(axis=0, dtype=np.float64) / samples
    power = float(found.energies[frames].sum(dtype=np.float64)) / (samples * found.channels)
    return {
        "peak_dbfs": _decibels(float(found.peaks[frames].max()) ** 2),
        "rms_dbfs": _decibels(power),
        "mono_gain_db": _mono_gain(found, frames, power * samples),
        "dc_offset": float(means[np.abs(means).argmax()]),
        "clipped_share": int(found.clipped[frames].sum()) / (samples * found.channels),
    }


def _mono_gain(found: Scan, frames: slice, energy: float) -> float | None:
    import numpy as np

    if found.channels == 1 or energy <= 0:
        return None
    return _decibels(float(found.mixed[frames].sum(dtype=np.float64)) / energy)


def _decibels(power: float) -> float:
    import math

    return max(FLOOR_DBFS, 10 * math.log10(power)) if power > 0 else FLOOR_DBFS


def _silences(found: Scan, frames: slice) -> dict[str, Any]:
    import numpy as np

    peaks = found.peaks[frames]
    threshold = max(10 ** (SILENCE_DBFS / 20), float(peaks.max()) * 10 ** (-SILENCE_BELOW_PEAK_DB / 20))
    heard = np.flatnonzero(peaks >= threshold)
    if not len(heard):
        seconds = _samples(found, frames) / found.sample_rate
        return {"silence_ratio": 1.0, "leading_silence_s": seconds, "trailing_silence_s": seconds}
    frame_s = found.frame_length / found.sample_rate
    after = slice(frames.start + int(heard[-1]) + 1, frames.stop)
    trailing = _samples(found, after) / found.sample_rate if after.start < after.stop else 0.0
    return {
        "silence_ratio": 1 - len(heard) / len(peaks),
        "leading_silence_s": float(heard[0]) * frame_s,
        "trailing_silence_s": trailing,
    }
