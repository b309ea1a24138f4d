"""Opening a media file with FFmpeg: which of its streams are media, and the names of their codecs.

FFmpeg is restricted to plain containers, so that a disguised playlist cannot make it open other files or hosts.

A cover picture is no video, whether its container flags it as one or stores it as a video track with a single picture.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

CONTAINERS = (
    "3g2,3gp,aac,ac3,aiff,amr,ape,asf,au,avi,bmp_pipe,caf,eac3,flac,flv,gif,jpeg_pipe,m4a,matroska,mj2,mov,mp3,mp4,"
    "mpeg,mpegts,mpegvideo,nistsphere,ogg,png_pipe,rm,tiff_pipe,tta,voc,w64,wav,webm,webp_pipe,wv"
)
"""FFmpeg demuxers that read one file and nothing else."""

_NUMBERED = frozenset({".jpg", ".jpeg", ".jpe", ".jp2", ".j2k", ".tga", ".tif", ".tiff", ".pnm", ".ppm", ".pgm"})
"""Names that FFmpeg takes for the first of a numbered series of images, whatever the file holds; that demuxer opens
other files. Such a file is read from its bytes, which tell what it is."""

_STILL = 0x400 | 0x800
"""FFmpeg's AV_DISPOSITION_ATTACHED_PIC and _TIMED_THUMBNAILS: a cover or the pictures of chapters, not a video."""

_TURNING = ("mov,", "matroska")
_STILL_CODECS = frozenset({"mjpeg", "png", "bmp", "gif", "webp", "tiff", "jpeg2000", "jpegls"})
_MISCOUNTED = 2
"""AVI counts one picture as two; 0 is not counted."""
_LOOKED_AT = 256
"""Packets of sound in which a second picture must appear: about 5 s."""


class MediaError(Exception):
    """A file that cannot be used as media; `reason` is the code for the event log."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def open_media(source: Path | BinaryIO) -> Any:
    """Open a file for reading; the container is a context manager.

    Raises:
        av.FFmpegError, ValueError, OverflowError: FFmpeg cannot read it.
    """
    import av

    file: Any = source
    if isinstance(source, Path):
        file = io.BytesIO(source.read_bytes()) if source.suffix.lower() in _NUMBERED else str(source)
    return av.open(file, mode="r", options={"format_whitelist": CONTAINERS}, metadata_errors="replace")


@contextmanager
def raw_file(container: Any) -> Iterator[BinaryIO]:
    """The bytes of an open container from their start; the container may be read on afterwards."""
    if container.file is None:
        with Path(container.name).open("rb") as file:
            yield file
        return
    held: BinaryIO = container.file.file
    place = held.tell()
    held.seek(0)
    try:
        yield held
    finally:
        held.seek(place)


def codec_name(stream: Any) -> str:
    """The name of a stream's codec (`av1`), not of the decoder that reads it (`libdav1d`)."""
    return str(stream.codec_context.codec.canonical_name)


def audio_streams(container: Any) -> list[Any]:
    """The audio streams that FFmpeg has a decoder for, and whose header says a sample rate."""
    return [each for each in container.streams.audio if each.codec_context and each.codec_context.sample_rate]


def has_sound(container: Any) -> bool:
    """Whether there is an audio stream, were it in a codec that FFmpeg does not know."""
    return bool(audio_streams(container)) or any(each.codec_context is None for each in container.streams.audio)


def has_unknown_codec(container: Any) -> bool:
    """Whether FFmpeg has no decoder for one of its streams."""
    return any(each.codec_context is None for each in (*container.streams.audio, *container.streams.video))


def video_streams(container: Any) -> list[Any]:
    """The video streams that FFmpeg has a decoder for, and that are not cover pictures."""
    known = [stream for stream in container.streams.video if stream.codec_context is not None]
    moving = [stream for stream in known if not stream.disposition & _STILL]
    if not moving or not container.streams.audio:
        return moving
    return [stream for stream in moving if not _is_cover(stream)]


def is_turned(container: Any, stream: Any) -> bool:
    """Whether players turn the picture by a quarter, as of a phone that was held upright. It decodes one picture.

    FFmpeg's Python binding tells a display matrix of pictures only, and only these containers can have one.
    """
    import av

    if not container.format.name.startswith(_TURNING):
        return False
    stream.thread_type = "NONE"
    try:
        frame = next(iter(container.decode(stream)), None)
    except (av.error.FFmpegError, ValueError):
        return False  # the checks decode it, and say so
    return frame is not None and turns(frame)


def turns(picture: Any) -> bool:
    """Whether a decoded picture is shown turned by a quarter."""
    return bool(round(picture.rotation) % 180 == 90)


def _is_cover(stream: Any) -> bool:
    """Whether a video track beside sound holds a single still picture.

    Containers that count pictures say so; for the others a container of its own is opened, whose packets are looked at,
    because reading ahead in this one would lose them.
    """
    if codec_name(stream) not in _STILL_CODECS:
        return False
    if stream.frames == 1:
        return True
    return stream.frames <= _MISCOUNTED and not _has_second_picture(stream)


def _has_second_picture(stream: Any) -> bool:
    with raw_file(stream.container) as file, open_media(file) as container:
        return _pictures(container, stream.index) > 1


def _pictures(container: Any, index: int) -> int:
    pictures = others = 0
    for packet in container.demux():
        if packet.stream.index != index:
            others += 1
        elif packet.size:
            pictures += 1
        if pictures > 1 or others > _LOOKED_AT:
            break
    return pictures
