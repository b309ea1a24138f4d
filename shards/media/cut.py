"""Media that a view needs but the corpus has no file for: a span of a clip or of a video, the audio of a video, sound
at another rate, and augmented sound.

A cut of sound is 16 kHz mono FLAC unless asked otherwise; one of a video is an MP4 file with exactly the frames of the
span and the sound beside them. Both are stored by content like all media. `media/cuts/<key>` is a symbolic link from
(source, span, channel, format, recipe) to the stored file, so that each cut is made only once; if the link dangles, it
is made again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..in_memory import encoded
from .augment import Recipe, augment, length_at_speed
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

_SCALED = "scaled down by (dB): "


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


@dataclass(frozen=True, slots=True)
class Noise:
    """Noise to add.

    Attributes:
        key: What names it in the name of a cached file.
        samples: Its samples for a length and a rate.
        of: The ids of the stored samples that it was taken from.
    """

    key: str
    samples: Callable[[int, int], np.ndarray]
    of: tuple[str, ...] = ()


def cut_audio(media: MediaStore, cut: Cut, *, rate: int = CUT_RATE, mono: bool = True) -> str:
    """Return the store-relative path of the cut as FLAC, by default 16 kHz mono; make it if it does not exist.

    Raises:
        MediaError: `bad_span`, `undecodable`, `span_outside_media`, `no_audio_stream` or `no_such_channel`.
    """

    def make() -> StoredMedia:
        return media.put(encoded(decode_cut(cut, rate=rate, mono=mono), rate), kind="audio")

    return _once(media, cut.key(_form(rate, mono=mono)), make)


def _form(rate: int, *, mono: bool) -> str:
    return CUT_FORM if mono and rate == CUT_RATE else f"flac-{rate}-{'mono' if mono else 'channels'}-1"


def augment_audio(media: MediaStore, cut: Cut, recipe: Recipe, *, rate: int, noise: Noise | None = None) -> str:
    """Return the store-relative path of the augmented cut as mono FLAC; make it if it does not exist.

    By how much it was scaled down so that it does not clip is a comment in it: `scaled_db`.

    Raises:
        MediaError: `silent`, or a reason of `cut_audio`.
    """

    def make() -> StoredMedia:
        samples = decode_cut(cut, rate=rate)
        added = noise.samples(length_at_speed(len(samples), recipe.speed), rate) if noise is not None else None
        made = augment(samples, recipe, added)
        return media.put(encoded(made.samples, rate, comment=f"{_SCALED}{made.scaled_db:g}"), kind="audio")

    key = f"{_form(rate, mono=True)}|{recipe.key()}|{noise.key if noise is not None else 'no noise'}"
    return _once(media, cut.key(key), make)


def scaled_db(path: Path) -> float:
    """By how many dB augmented sound was scaled down; 0.0: it was not."""
    import soundfile

    with soundfile.SoundFile(path) as file:
        comment = str(file.comment)
    return float(comment.removeprefix(_SCALED)) if comment.startswith(_SCALED) else 0.0


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


def decode_cut(cut: Cut, *, rate: int = CUT_RATE, mono: bool = True) -> np.ndarray:
    """Return the span as int16, by default mono, 16 kHz; bit-identical to the source if that has this format already.

    With all its channels, the shape is (samples, channels).

    Raises:
        MediaError: `bad_span`, `undecodable`, `span_outside_media`, `no_audio_stream` or `no_such_channel`.
    """
    import numpy as np

    start, end = cut.start_s or 0.0, cut.end_s
    if start < 0 or (end is not None and end <= start):
        raise MediaError("bad_span", f"{start} to {end} s is not a valid span")
    if start > LONGEST_S:
        raise MediaError("span_outside_media", f"{start} s is beyond the end of any file")
    blocks = list(_blocks(cut, start, end, rate, mono=mono))
    seconds = sum(map(len, blocks)) / rate
    if not seconds:
        raise MediaError("span_outside_media", f"{start} s is beyond the end of {cut.path.name}")
    if end is not None and seconds < end - start - OVERSHOOT_S:
        detail = f"{cut.path.name} ends at {start + seconds:.3f} s, before the end of the span {start:g} to {end:g} s"
        raise MediaError("span_outside_media", detail)
    return np.concatenate(blocks)


def _blocks(cut: Cut, start: float, end: float | None, rate: int, *, mono: bool) -> Iterator[np.ndarray]:
    """Yield decoded int16 blocks of the span, resampled by FFmpeg if rate or channels differ."""
    import av

    first, last = round(start * rate), None if end is None else round(end * rate)
    try:
        with open_media(cut.path) as container:
            begins, frames = sound_from(container, start, channel=cut.channel)
            position = round(begins * rate)
            for samples in resampled(frames, form="s16", layout="mono" if mono else None, rate=rate):
                block = samples[max(0, first - position) : None if last is None else max(0, last - position)]
                yield block[:, 0] if mono else block
                position += len(samples)
                if last is not None and position >= last:
                    return
    except (av.error.FFmpegError, ValueError) as error:
        raise MediaError("undecodable", f"{cut.path.name}: {getattr(error, 'strerror', None) or error}") from error
