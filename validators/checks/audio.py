"""Audio measurements: one full decode, summarised in 10 ms frames, from which every value is computed.

`scan` decodes a file once, in blocks of half a megabyte, and keeps per 10 ms frame its peak, energy, sum and count of
clipped samples (about 1.6 kB a second of mono sound, whatever the sample rate). `measure` reduces the frames of a span,
or of the whole file, to the columns of the checks table. libsndfile reads first; FFmpeg reads MPEG audio (libsndfile
guesses its length), what libsndfile would read in part (chained Ogg, WAV without a length), and everything on which
libsndfile fails or stops early. Nothing is resampled and nothing is mixed down. Second 0 is the first sound.

With x the samples of all channels of the span, full scale 1.0, N their number:

* `peak_dbfs` = 20 log10 max|x|; `rms_dbfs` = 10 log10(sum(x^2) / N). A full-scale sine is 0 and -3.01 dBFS. Digital
  silence is reported as `FLOOR_DBFS` in both.
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

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...shards.media.length import LONGEST_S, declared_seconds
from ...shards.media.ogg import ogg_pages
from ...shards.media.riff import riff_sound
from ...shards.media.sound import OVERSHOOT_S, resampled, sound_from
from ...shards.media.streams import audio_streams, codec_name, open_media

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
_JITTER_S = 0.002
_EIGHT_BIT = ("pcm_u8", "pcm_s8", "pcm_8")
_ONE_BLOCK_A_SAMPLE = ("pcm_", "float", "double", "alaw", "ulaw")


@dataclass(slots=True)
class Scan:
    """One decoded file: what its header declares, and its 10 ms frames as arrays of equal length.

    Attributes:
        frame_length: Samples of one channel in a frame; the last frame may be shorter.
        peaks, energies, clipped: A frame's max|x|, sum(x^2) and number of samples at full scale, over all channels.
        sums: Sum of each channel, shape (frames, channels).
        undeclared_s: Seconds of sound behind the end that the header declares, which no decoder reads.
        soundfile_s: Seconds that libsndfile reads without an error, where that is only a part of the sound.
        cut_short: The file ends inside a page.
        error: The decoder's error, None if every frame was decoded.
    """

    codec: str | None = None
    sample_rate: int = 0
    channels: int = 0
    declared_duration: float | None = None
    decoded_frames: int = 0
    non_finite: int = 0
    frame_length: int = 1
    peaks: Any = None
    energies: Any = None
    clipped: Any = None
    sums: Any = None
    undeclared_s: float | None = None
    soundfile_s: float | None = None
    cut_short: bool | None = None
    error: str | None = None
    parts: list[tuple[Any, Any, Any, Any]] = field(default_factory=list)

    def declare(self, codec: str, sample_rate: int, channels: int, declared_duration: float | None) -> None:
        """Set what the header declares, before the first block."""
        self.codec = _CODECS.get(codec, codec)
        self.sample_rate, self.channels, self.declared_duration = sample_rate, channels, declared_duration
        self.frame_length = max(1, sample_rate // FRAMES_PER_SECOND)

    def add(self, block: Samples) -> None:
        """Add a block of shape (samples, channels): whole frames, except at the end of the file."""
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
            self.peaks, self.energies, self.sums, self.clipped = joined
            self.parts = []

    def _summarise(self, frames: Samples) -> tuple[Any, Any, Any, Any]:
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
            sums = (frames @ _ones(frames.shape[1]))[:, None]
        else:
            sums = frames.reshape(len(frames), -1, self.channels).sum(axis=1)
        full = np.float32(FULL_SCALE_8_BIT if self.codec in _EIGHT_BIT else FULL_SCALE)
        if peaks.max() >= full:
            clipped = np.count_nonzero(sizes >= full, axis=1).astype(np.int32)
        else:
            clipped = np.zeros(len(frames), np.int32)
        return peaks, energies, sums, clipped


def scan(path: Path) -> Scan:
    """Decode an audio file, or the audio stream of a video file, to its last frame.

    A decoder's failure is in `error`; everything decoded before it is kept.

    Raises:
        FileNotFoundError, NotADirectoryError: There is no such file.
    """
    stat = path.stat()
    return _scan(str(path), stat.st_size, stat.st_mtime_ns)


# Consecutive rows are often spans of, or questions about, the same file.
@lru_cache(maxsize=4)
def _scan(path: str, size: int, modified_ns: int) -> Scan:
    found = Scan()
    try:
        if size == 0:
            found.error = "the file is empty (0 bytes)"
        else:
            found = _read(path)
    except OSError as error:
        found.error = error.strerror or str(error)
    found.close()
    return found


def _read(path: str) -> Scan:
    head = _head(path)
    found = Scan()
    if head[:4] == b"OggS":
        return _read_ogg(path)
    if _is_for_ffmpeg(head) or not _is_known_to_soundfile(path, found):
        return _read_with_ffmpeg(path)
    if found.error is None and found.soundfile_s is None:
        return found
    other = _read_with_ffmpeg(path, strict=True)
    other.declared_duration, other.undeclared_s = found.declared_duration, found.undeclared_s
    if other.error is not None or other.decoded_frames <= found.decoded_frames:
        found.soundfile_s = None
        return found
    if found.error is not None:  # libsndfile says that it fails: nobody takes what it reads for the whole
        return other if _is_whole(other) else found
    other.soundfile_s = found.soundfile_s
    return other


def _is_whole(found: Scan) -> bool:
    declared = found.declared_duration
    return declared is None or found.decoded_frames / found.sample_rate >= declared - OVERSHOOT_S


def _head(path: str) -> bytes:
    file = os.open(path, os.O_RDONLY)  # takes a third of the time of open()
    try:
        return os.read(file, 12)
    finally:
        os.close(file)


def _is_for_ffmpeg(head: bytes) -> bool:
    mpeg_audio = head[:3] == b"ID3" or (head[0] == 0xFF and len(head) > 1 and head[1] & 0xE0 == 0xE0)
    return mpeg_audio or head[4:8] == b"ftyp" or head[:4] == b"\x1aE\xdf\xa3"


def _read_ogg(path: str) -> Scan:
    """libsndfile reads one link whose last page is marked as such; FFmpeg reads what is there."""
    pages = ogg_pages(Path(path))
    found = Scan()
    if pages is None or not pages.is_plain or not _is_known_to_soundfile(path, found) or found.error is not None:
        found = _read_with_ffmpeg(path)
    if pages is not None and found.sample_rate:
        found.declared_duration = pages.seconds
        found.cut_short = pages.cut_short or None
        found.soundfile_s = pages.links[0].seconds if len(pages.links) > 1 else None
    return found


def _is_known_to_soundfile(path: str, found: Scan) -> bool:
    """Scan with libsndfile; returns False if it does not know the format. A decoding error is the scan's error."""
    import soundfile

    try:
        sound = soundfile.SoundFile(path)
    except (soundfile.LibsndfileError, TypeError):  # TypeError: a .raw name without a format
        return False
    with sound:
        if sound.format in ("MP3", "MPEG"):
            return False
        codec = "flac" if sound.format == "FLAC" else str(sound.subtype).lower()
        rate, promised = int(sound.samplerate), int(sound.frames)
        declared = promised if promised / rate <= LONGEST_S else None
        if str(sound.format).startswith("WAV") and codec.startswith(_ONE_BLOCK_A_SAMPLE):
            riff = riff_sound(Path(path))
            if riff is not None:
                declared = riff.declared
                found.undeclared_s = riff.behind / rate or None
                promised = riff.present if riff.declared is None else promised
        found.declare(codec, rate, int(sound.channels), None if declared is None else declared / rate)
        try:
            _read_blocks(sound, found)
        except soundfile.LibsndfileError as error:
            found.error = error.error_string.strip()
    if found.decoded_frames < promised:
        found.soundfile_s = found.decoded_frames / rate
    return True


def _read_blocks(sound: Any, found: Scan) -> None:
    buffer = _block_buffer(found)
    while True:
        block = sound.read(len(buffer), dtype="float32", always_2d=True, out=buffer)
        found.add(block)
        if len(block) < len(buffer):
            return


def _block_buffer(found: Scan) -> Samples:
    """An array of whole frames that fits in a core's cache."""
    rows = max(1, BLOCK_SAMPLES // (found.frame_length * found.channels)) * found.frame_length
    return _scratch("block", rows * found.channels).reshape(rows, found.channels)


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


def _read_with_ffmpeg(path: str, *, strict: bool = False) -> Scan:
    """Scan with FFmpeg; `strict` takes a wrong checksum or a lost frame for an error, where FFmpeg would go on."""
    import av

    found = Scan()
    try:
        with open_media(Path(path)) as container:
            streams = audio_streams(container)
            if not streams:
                found.error = "no audio stream"
                return found
            context = streams[0].codec_context
            if strict:
                context.options = {"err_detect": "crccheck+bitstream+buffer+explode"}
            declared = declared_seconds(container, streams[0])
            found.declare(codec_name(streams[0]), context.sample_rate, context.channels, declared)
            _, frames = sound_from(container)
            frames = _unbroken(frames) if strict else frames
            _fill_blocks(resampled(frames, form="flt", layout=context.layout.name, rate=found.sample_rate), found)
    except (av.error.FFmpegError, ValueError, OverflowError) as error:
        found.error = getattr(error, "strerror", None) or str(error)
    return found


def _unbroken(frames: Iterator[Any]) -> Iterator[Any]:
    end: float | None = None
    for frame in frames:
        if end is not None and (frame.time is None or abs(frame.time - end) > _JITTER_S):
            raise ValueError(f"a frame is lost at {end:.3f} s")
        yield frame
        end = None if frame.time is None else frame.time + frame.samples / frame.sample_rate


def _fill_blocks(pieces: Iterator[Samples], found: Scan) -> None:
    """Join the codec's small frames into whole blocks; samples decoded before an error are kept."""
    buffer = _block_buffer(found)
    filled = 0
    try:
        for piece in pieces:
            while len(piece):
                taken = piece[: len(buffer) - filled]
                buffer[filled : filled + len(taken)] = taken
                filled += len(taken)
                piece = piece[len(taken) :]
                if filled == len(buffer):
                    found.add(buffer)
                    filled = 0
    finally:
        found.add(buffer[:filled])


def measure(found: Scan, *, start_s: float | None = None, end_s: float | None = None) -> dict[str, Any]:
    """Return the columns of a scan: values of the file, levels and silences of the span (in whole 10 ms frames)."""
    if not found.sample_rate:
        return {}
    row: dict[str, Any] = {
        "audio_codec": found.codec,
        "audio_sample_rate": found.sample_rate,
        "audio_channels": found.channels,
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
        "dc_offset": float(means[np.abs(means).argmax()]),
        "clipped_share": int(found.clipped[frames].sum()) / (samples * found.channels),
    }


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
