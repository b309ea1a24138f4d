"""Read the header of a media file: with soundfile first, then with PyAV.

Nothing is decoded here; the checks of `validators` do that. A length that the header does not say, or that FFmpeg could
only estimate, is None.
"""

from __future__ import annotations

import io
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..git_pointers import HEAD_BYTES, pointer_kind
from ..in_memory import ctrl_c_waits, opened
from .fence import fenced
from .length import LONGEST_S, declared_seconds
from .ogg import ogg_pages
from .riff import riff_sound
from .streams import (
    MediaError,
    audio_streams,
    codec_name,
    has_sound,
    has_unknown_codec,
    is_turned,
    open_media,
    video_streams,
)

_EXTENSION_OF_SOUNDFILE = {"WAV": "wav", "WAVEX": "wav", "FLAC": "flac", "OGG": "ogg", "MP3": "mp3", "MPEG": "mp3"}
_EXTENSION_OF_CONTAINER = {
    "mov,mp4,m4a,3gp,3g2,mj2": "mp4",
    "matroska,webm": "mkv",
    "mpegts": "ts",
    "mpegvideo": "mpg",
    "mpeg": "mpg",
    "aac": "aac",
    "asf": "asf",
}
_PCM_NAMES = {"pcm_s16le": "pcm_16", "pcm_s16be": "pcm_16", "pcm_u8": "pcm_u8", "pcm_s24le": "pcm_24"}


@dataclass(slots=True)
class Probe:
    """What the header declares: the kind, the file extension to store it with, the fields of the sample's struct."""

    kind: str
    extension: str
    fields: dict[str, Any]


def probe(source: bytes | Path, *, kind: str | None = None) -> Probe:
    """Probe bytes or a file; `kind` is the kind the caller expects, None for any.

    Raises:
        MediaError: `missing_media`, `not_media`, `unreadable_media` (a library failed over it), `pointer`,
            `empty_media`, `no_audio_stream`, `no_video_stream` or `not_an_image`.
    """
    with fenced("its bytes" if isinstance(source, bytes) else str(source)):
        head = source[:16] if isinstance(source, bytes) else _head(source)
        if not head:
            raise MediaError("empty_media", "the file is empty (0 bytes)")
        found = None if _is_container_of_ffmpeg(head) else _probe_sound(source)
        if found is None:
            try:
                found = _probe_container(source, kind=kind)
            except MediaError as error:
                raise _named(source) or error from error
        return _expect(found, kind)


def placeholder(path: Path) -> MediaError | None:
    """The error of a file in the place of media: empty, a pointer of Git LFS, a web page, a text; else None.

    It looks at the first bytes alone; only what looks like text is probed, as some headers of media do.
    """
    head = _head(path)
    if head and _named(path) is None:
        return None
    try:
        probe(path)
    except MediaError as error:
        return error
    return None


def _named(source: bytes | Path) -> MediaError | None:
    """The error that says what a file is that is no media: a pointer of Git LFS, a web page, a text; else None."""
    if isinstance(source, bytes):
        head = source[:HEAD_BYTES]
    else:
        with source.open("rb") as file:
            head = file.read(HEAD_BYTES)
    if (kind := pointer_kind(head)) is not None:
        return MediaError("pointer", f"it is {kind}")
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype html", b"<html")):
        return MediaError("not_media", "it is a web page (HTML), as a failed download leaves it")
    if head.isascii() and head.decode("ascii").replace("\r", "").replace("\n", "").replace("\t", "").isprintable():
        return MediaError("not_media", f"it is text, not media: {head[:40].decode('ascii')!r}")
    return None


def _head(path: Path) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise MediaError("missing_media", f"{path}: not a file")
        with path.open("rb") as file:
            return file.read(16)
    except OSError as error:
        raise MediaError("missing_media", f"{path}: {error.strerror}") from error


def _is_container_of_ffmpeg(head: bytes) -> bool:
    return (
        head[4:8] == b"ftyp"
        or head[:3] == b"ID3"
        or (head[0] == 0xFF and len(head) > 1 and head[1] & 0xE0 == 0xE0)  # MPEG audio: libsndfile guesses its length
        or head[:4] in (b"\x1aE\xdf\xa3", b"\x89PNG", b"GIF8")
        or head[:3] == b"\xff\xd8\xff"
        or (head[:4] == b"RIFF" and head[8:12] in (b"AVI ", b"WEBP"))
    )


def _probe_sound(source: bytes | Path) -> Probe | None:
    import soundfile

    try:
        with opened(source) if isinstance(source, bytes) else soundfile.SoundFile(str(source)) as sound:
            declared, rate, channels = int(sound.frames), int(sound.samplerate), int(sound.channels)
            container, subtype = str(sound.format), str(sound.subtype)
    except (soundfile.LibsndfileError, RuntimeError, TypeError):
        return None
    if container in ("MP3", "MPEG"):
        return None
    frames = _frames(source, container, declared, rate)
    if frames is not None and frames <= 0:
        raise MediaError("empty_media", f"the {container} header declares no samples")
    extension = _EXTENSION_OF_SOUNDFILE.get(container, container.lower())
    if subtype == "OPUS":
        extension = "opus"
    codec = "flac" if container == "FLAC" else subtype.lower()
    return _sound(extension, codec, rate, channels, frames, None if frames is None else frames / rate)


def _frames(source: bytes | Path, container: str, declared: int, rate: int) -> int | None:
    """The number of samples that the header declares; None if it says that it does not know, or nothing that can be.

    libsndfile has 2^63 - 1 for an unknown length, and 0 for a WAV file whose recorder died.
    """
    if container == "OGG":
        pages = ogg_pages(source)
        seconds = None if pages is None else pages.seconds
        return None if seconds is None else round(seconds * rate)
    if container in ("WAV", "WAVEX") and declared == 0:
        riff = riff_sound(source)
        return None if riff is not None and riff.declared is None and riff.present else 0
    return None if declared / rate > LONGEST_S else declared


def _sound(extension: str, codec: str, rate: int, channels: int, frames: int | None, duration: float | None) -> Probe:
    fields = {
        "codec": codec,
        "sample_rate": rate,
        "channels": channels,
        "frames": frames,
        "duration": duration,
    }
    return Probe("audio", extension, fields)


def _probe_container(source: bytes | Path, *, kind: str | None) -> Probe:
    import av

    try:
        file = io.BytesIO(source) if isinstance(source, bytes) else source
        with ctrl_c_waits(), open_media(file) as container:
            return _describe(container)
    except (av.error.FFmpegError, ValueError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise MediaError("not_media", f"neither soundfile nor FFmpeg can read it ({why})") from error


def _describe(container: Any) -> Probe:
    name = container.format.name
    moving = video_streams(container)
    sounds = audio_streams(container)
    if moving and (name.endswith("_pipe") or name == "gif"):
        size = {"width": moving[0].codec_context.width, "height": moving[0].codec_context.height}
        extension = {"jpeg_pipe": "jpg"}.get(name, name.removesuffix("_pipe"))
        return Probe("image", extension, size)
    if moving:
        return _describe_video(container, moving[0], has_audio=has_sound(container))
    if sounds:
        return _describe_audio(container, sounds[0])
    if has_unknown_codec(container):
        raise MediaError("not_media", f"a {name} file in a codec that FFmpeg does not know")
    raise MediaError("not_media", f"a {name} file without an audio or video stream")


def _describe_video(container: Any, stream: Any, *, has_audio: bool) -> Probe:
    name, codec = container.format.name, codec_name(stream)
    extension = _EXTENSION_OF_CONTAINER.get(name, name.split(",")[0])
    if name == "matroska,webm" and codec in ("vp8", "vp9", "av1"):
        extension = "webm"
    fps = stream.average_rate
    width, height = stream.codec_context.width, stream.codec_context.height
    fields = {
        "codec": codec,
        "width": width,
        "height": height,
        "fps": float(fps) if fps else None,
        "frames": stream.frames or None,
        "duration": declared_seconds(container, stream),
        "has_audio": has_audio,
    }
    if is_turned(container, stream):
        fields |= {"width": height, "height": width}
    return Probe("video", extension, fields)


def _describe_audio(container: Any, stream: Any) -> Probe:
    name = container.format.name
    extension = "m4a" if name.startswith("mov,") else _EXTENSION_OF_CONTAINER.get(name, name.split(",")[0])
    duration = declared_seconds(container, stream)
    rate = stream.codec_context.sample_rate
    if duration is not None and duration <= 0:
        raise MediaError("empty_media", f"the {name} header declares no samples")
    frames = round(duration * rate) if duration is not None else None
    codec = codec_name(stream)
    return _sound(extension, _PCM_NAMES.get(codec, codec), rate, stream.codec_context.channels, frames, duration)


def _expect(found: Probe, kind: str | None) -> Probe:
    if kind is None or found.kind == kind:
        return found
    reason = {"audio": "no_audio_stream", "video": "no_video_stream", "image": "not_an_image"}[kind]
    hint = f"; map its column to {found.kind!r}" if found.kind == "video" else ""
    raise MediaError(reason, f"expected {kind}, but the file is {found.kind}{hint}")


__all__ = ["MediaError", "Probe", "probe"]
