"""Media that a view needs but the corpus has no file for: a span of a clip or of a video, the audio of a video.

A cut of sound is 16 kHz mono FLAC; one of a video is an MP4 file with exactly the frames of the span and the sound
beside them. Both are stored by content like all media. `media/cuts/<key>` is a symbolic link from (source, span,
channel, format) to the stored file, so that each cut is made only once; if the link dangles, it is made again.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .clip import cut_clip
from .length import LONGEST_S, declared_seconds
from .media import MediaStore, StoredMedia
from .sound import OVERSHOOT_S, resampled, sound_from
from .streams import MediaError, open_media, video_streams

if TYPE_CHECKING:
    import numpy as np

CUT_RATE = 16_000
CUT_FORM = "flac-16k-mono-2"
VIDEO_FORM = "h264-mp4-1"
"""They name what a cut is; the number rises when the same span gives other samples or frames."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One requested cut.

    Attributes:
        source: SHA-256 of the media.
        start_s, end_s: Seconds from the first sound; None for the start, the end.
        channel: The one channel to take, counted from 0; None mixes all channels down.
    """

    source: str
    path: Path
    start_s: float | None
    end_s: float | None
    channel: int | None = None

    def key(self, form: str) -> str:
        """The name of the link of this cut."""
        text = f"{self.source}|{self.start_s!r}|{self.end_s!r}|{form}"
        if self.channel is not None:
            text += f"|channel {self.channel}"
        return hashlib.sha256(text.encode()).hexdigest()


def cut_audio(media: MediaStore, cut: Cut) -> str:
    """Return the store-relative path of the cut as 16 kHz mono FLAC; make it if it does not exist.

    Raises:
        MediaError: `bad_span`, `undecodable`, `span_outside_media`, `no_audio_stream` or `no_such_channel`.
    """
    return _once(media, cut.key(CUT_FORM), lambda: media.put(_flac(decode_cut(cut)), kind="audio"))


def cut_video(media: MediaStore, cut: Cut) -> str:
    """Return the store-relative path of the span of a video with its sound; make it if it does not exist.

    Raises:
        MediaError: `span_outside_media`, or a reason of `cut_clip`.
    """

    def make() -> StoredMedia:
        scratch = media.new_scratch()
        try:
            cut_clip(cut.path, scratch, kind="video", start_s=cut.start_s, end_s=cut.end_s, exact=True)
            _check_length(scratch, cut)
            return media.put_file(scratch, kind="video", move=True)
        finally:
            scratch.unlink(missing_ok=True)

    return _once(media, cut.key(VIDEO_FORM), make)


def _once(media: MediaStore, key: str, make: Callable[[], StoredMedia]) -> str:
    link = media.root / "media" / "cuts" / key[:2] / key
    if link.exists():
        return link.resolve().relative_to(media.root.resolve()).as_posix()
    path = str(make().fields["path"])
    _remember(media, link, media.root / path)
    return path


def _check_length(video: Path, cut: Cut) -> None:
    """Raise MediaError if the pictures end before the span does."""
    if cut.end_s is None:
        return
    with open_media(video) as container:
        stream = video_streams(container)[0]
        length, frame_s = declared_seconds(container, stream) or 0.0, float(1 / (stream.average_rate or 25))
    start = cut.start_s or 0.0
    if length < cut.end_s - start - OVERSHOOT_S - frame_s:
        detail = (
            f"{cut.path.name} ends at {start + length:.3f} s, before the end of the span {start:g} to {cut.end_s:g} s"
        )
        raise MediaError("span_outside_media", detail)


def _remember(media: MediaStore, link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    # Threads of one export may cut the same span at the same time: each has a scratch link of its own.
    scratch = media.new_scratch()
    scratch.symlink_to(os.path.relpath(target, link.parent))
    scratch.rename(link)


def _flac(samples: np.ndarray) -> bytes:
    import soundfile

    buffer = io.BytesIO()
    soundfile.write(buffer, samples, CUT_RATE, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def decode_cut(cut: Cut) -> np.ndarray:
    """Return the span as int16, mono, 16 kHz; bit-identical to the source if that has this format already.

    Raises:
        MediaError: `bad_span`, `undecodable`, `span_outside_media`, `no_audio_stream` or `no_such_channel`.
    """
    import numpy as np

    start, end = cut.start_s or 0.0, cut.end_s
    if start < 0 or (end is not None and end <= start):
        raise MediaError("bad_span", f"{start} to {end} s is not a valid span")
    if start > LONGEST_S:
        raise MediaError("span_outside_media", f"{start} s is beyond the end of any file")
    blocks = list(_blocks(cut, start, end))
    seconds = sum(map(len, blocks)) / CUT_RATE
    if not seconds:
        raise MediaError("span_outside_media", f"{start} s is beyond the end of {cut.path.name}")
    if end is not None and seconds < end - start - OVERSHOOT_S:
        detail = f"{cut.path.name} ends at {start + seconds:.3f} s, before the end of the span {start:g} to {end:g} s"
        raise MediaError("span_outside_media", detail)
    return np.concatenate(blocks)


def _blocks(cut: Cut, start: float, end: float | None) -> Iterator[np.ndarray]:
    """Yield decoded int16 blocks of the span, resampled by FFmpeg if rate or channels differ."""
    import av

    first, last = round(start * CUT_RATE), None if end is None else round(end * CUT_RATE)
    try:
        with open_media(cut.path) as container:
            begins, frames = sound_from(container, start, channel=cut.channel)
            position = round(begins * CUT_RATE)
            for samples in resampled(frames, form="s16", layout="mono", rate=CUT_RATE):
                yield samples[max(0, first - position) : None if last is None else max(0, last - position), 0]
                position += len(samples)
                if last is not None and position >= last:
                    return
    except (av.error.FFmpegError, ValueError) as error:
        raise MediaError("undecodable", f"{cut.path.name}: {getattr(error, 'strerror', None) or error}") from error
