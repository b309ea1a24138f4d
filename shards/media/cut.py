"""Media that a view needs but the corpus has no file for: a span of a clip, the audio of a video.

A cut is 16 kHz mono FLAC, stored by content like all media. `media/cuts/<key>` is a symbolic link from (source, span,
format) to the stored file, so that each cut is made only once; if the link dangles, it is made again.
"""

from __future__ import annotations

import hashlib
import io
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .media import MediaStore
from .probe import AV_OPTIONS, MediaError

if TYPE_CHECKING:
    import numpy as np

CUT_RATE = 16_000
_FORM = "flac-16k-mono-1"
_BLOCK = 16_000 * 10


@dataclass(frozen=True, slots=True)
class Cut:
    """One requested cut: `source` is the SHA-256 of the media; `start_s`, `end_s`: seconds, None for start, end."""

    source: str
    path: Path
    start_s: float | None
    end_s: float | None

    @property
    def key(self) -> str:
        text = f"{self.source}|{self.start_s!r}|{self.end_s!r}|{_FORM}"
        return hashlib.sha256(text.encode()).hexdigest()


def cut_audio(media: MediaStore, cut: Cut) -> str:
    """Return the store-relative path of the cut as 16 kHz mono FLAC; make it if it does not exist.

    Raises:
        MediaError: `bad_span`, `undecodable`, `span_outside_media` or `no_audio_stream`.
    """
    link = media.root / "media" / "cuts" / cut.key[:2] / cut.key
    if link.exists():
        return link.resolve().relative_to(media.root.resolve()).as_posix()
    samples = _decode(cut)
    stored = media.put(_flac(samples), kind="audio")
    path = str(stored.fields["path"])
    _remember(link, media.root / path)
    return path


def _remember(link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    # Threads of one export may cut the same span at the same time: each has a scratch link of its own.
    scratch = link.with_name(f".{link.name}.{os.getpid()}-{threading.get_ident()}")
    scratch.unlink(missing_ok=True)
    scratch.symlink_to(os.path.relpath(target, link.parent))
    scratch.rename(link)


def _flac(samples: np.ndarray) -> bytes:
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, samples, CUT_RATE, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def _decode(cut: Cut) -> np.ndarray:
    """Return the span as int16, mono, 16 kHz; bit-identical to the source if that has this format already."""
    import numpy as np

    start, end = cut.start_s or 0.0, cut.end_s
    if start < 0 or (end is not None and end <= start):
        raise MediaError("bad_span", f"{start} to {end} s is not a valid span")
    blocks = list(_blocks(cut.path, start, end))
    if not blocks or not sum(len(block) for block in blocks):
        raise MediaError("span_outside_media", f"{start} s is beyond the end of {cut.path.name}")
    return np.concatenate(blocks)


def _blocks(path: Path, start: float, end: float | None) -> Iterator[np.ndarray]:
    """Yield decoded int16 blocks of the span, resampled by FFmpeg if rate or channels differ."""
    import av

    try:
        with av.open(str(path), options=AV_OPTIONS) as container:
            if not container.streams.audio:
                raise MediaError("no_audio_stream", f"{path.name} has no audio stream")
            stream = container.streams.audio[0]
            if start > 1.0:
                container.seek(int((start - 1.0) * av.time_base), backward=True)
            resampler = av.AudioResampler(format="s16", layout="mono", rate=CUT_RATE)
            yield from _span(container.decode(stream), resampler, start, end)
    except av.error.FFmpegError as error:
        raise MediaError("undecodable", f"{path.name}: {error.strerror or error}") from error


def _span(frames: Any, resampler: Any, start: float, end: float | None) -> Iterator[np.ndarray]:
    """Yield the samples between `start` and `end` (seconds), counted at 16 kHz from the time of the first frame."""
    first = round(start * CUT_RATE)
    last = None if end is None else round(end * CUT_RATE)
    position: int | None = None
    for frame in frames:
        if position is None:
            position = round(float(frame.time or 0.0) * CUT_RATE)
        for block in resampler.resample(frame):
            samples = block.to_ndarray().reshape(-1)
            yield samples[max(0, first - position) : None if last is None else max(0, last - position)]
            position += len(samples)
        if last is not None and position >= last:
            return
    for block in resampler.resample(None):
        samples = block.to_ndarray().reshape(-1)
        offset = position or 0
        yield samples[max(0, first - offset) : None if last is None else max(0, last - offset)]
        position = offset + len(samples)
