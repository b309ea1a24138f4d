"""Which decoder reads an audio file, and how far: one full decode into a `Scan`.

libsndfile reads first. FFmpeg reads MPEG audio (libsndfile guesses its length), what libsndfile would read in part
(chained Ogg, WAV without a length), and everything on which libsndfile fails or stops early. Nothing is resampled and
nothing is mixed down. Second 0 is the first sound.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...shards.media.frames import lacks_bytes
from ...shards.media.length import LONGEST_S, declared_seconds
from ...shards.media.ogg import ogg_pages
from ...shards.media.riff import riff_sound
from ...shards.media.sound import OVERSHOOT_S, resampled, sound_from
from ...shards.media.streams import MediaError, audio_streams, codec_name, has_sound, open_media, raw_file
from .audio import Scan, block_buffer

if TYPE_CHECKING:
    from .audio import Samples

_JITTER_S = 0.002
_UNREAD_BYTES = 64 * 1024
"""More than what libsndfile leaves unread at the end of a whole file."""
_NOTHING_BEHIND_SOUND = ("AU", "NIST")
_ONE_BLOCK_A_SAMPLE = ("pcm_", "float", "double", "alaw", "ulaw")


def scan(path: Path, channel: int | None = None) -> Scan:
    """Decode an audio file, or the audio stream of a video file, to its last frame; `channel` takes one, from 0.

    A decoder's failure is in `error`; everything decoded before it is kept.

    Raises:
        FileNotFoundError, NotADirectoryError: There is no such file.
    """
    stat = path.stat()
    return _scan(str(path), stat.st_size, stat.st_mtime_ns, channel)


# Consecutive rows are often spans of, or questions about, the same file.
@lru_cache(maxsize=4)
def _scan(path: str, size: int, modified_ns: int, channel: int | None) -> Scan:
    found = Scan(channel)
    try:
        if size == 0:
            found.error = "the file is empty (0 bytes)"
        else:
            found = _read(path, channel)
    except MediaError as error:
        found.error = error.detail
    except OSError as error:
        found.error = error.strerror or str(error)
    found.close()
    return found


def _read(path: str, channel: int | None) -> Scan:
    head = _head(path)
    found = Scan(channel)
    if head[:4] == b"OggS":
        return _read_ogg(path, channel)
    if _is_for_ffmpeg(head):
        return _read_with_ffmpeg(path, channel)
    if not _is_known_to_soundfile(path, found):
        found = _read_with_ffmpeg(path, channel)
        riff = riff_sound(Path(path))
        if riff is not None and found.sample_rate:
            found.undeclared_s = riff.behind / found.sample_rate or None
        return found
    if found.error is None and found.soundfile_s is None:
        return found
    other = _read_with_ffmpeg(path, channel, strict=True)
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


def _read_ogg(path: str, channel: int | None) -> Scan:
    """libsndfile reads one link whose last page is marked as such; FFmpeg reads what is there."""
    pages = ogg_pages(Path(path))
    found = Scan(channel)
    if pages is None or not pages.is_plain or not _is_known_to_soundfile(path, found) or found.error is not None:
        found = _read_with_ffmpeg(path, channel)
    if pages is not None and found.sample_rate:
        found.declared_duration = pages.seconds
        found.cut_short = pages.cut_short or None
        found.soundfile_s = pages.links[0].seconds if len(pages.links) > 1 else None
    return found


def _is_known_to_soundfile(path: str, found: Scan) -> bool:
    """Scan with libsndfile; returns False if it does not know the format. A decoding error is the scan's error."""
    file = os.open(path, os.O_RDONLY)
    try:
        unread = _read_with_soundfile(file, path, found)
    finally:
        os.close(file)
    if unread is not None and unread > _UNREAD_BYTES and found.undeclared_s is None and found.soundfile_s is None:
        found.undeclared_s = _undeclared(path, found, unread)
    return unread is not None


def _undeclared(path: str, found: Scan, unread: int) -> float | None:
    """Seconds of sound in the bytes behind the end that libsndfile took from the header, which may be tags as well."""
    if found.container in _NOTHING_BEHIND_SOUND and found.decoded_frames:
        return unread / (os.path.getsize(path) - unread) * found.decoded_frames / found.sample_rate  # noqa: PTH202
    more = _read_with_ffmpeg(path, found.channel).decoded_frames - found.decoded_frames
    return more / found.sample_rate if more > 0 else None


def _read_with_soundfile(file: int, path: str, found: Scan) -> int | None:
    """Scan an open file; returns the bytes that were left unread, None if it is not of a format of libsndfile."""
    import soundfile

    try:
        sound = soundfile.SoundFile(file, closefd=False)
    except soundfile.LibsndfileError:
        return None
    with sound:
        if sound.format in ("MP3", "MPEG"):
            return None
        codec = "flac" if sound.format == "FLAC" else str(sound.subtype).lower()
        rate, promised = int(sound.samplerate), int(sound.frames)
        declared = promised if promised / rate <= LONGEST_S else None
        found.container = str(sound.format)
        if found.container.startswith("WAV") and codec.startswith(_ONE_BLOCK_A_SAMPLE):
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
        unread = os.fstat(file).st_size - os.lseek(file, 0, os.SEEK_CUR)
    if found.decoded_frames < promised:
        found.soundfile_s = found.decoded_frames / rate
    return unread


def _read_blocks(sound: Any, found: Scan) -> None:
    """Read as many samples as libsndfile promises, and none more: asked for more, it reads a FLAC file to its end."""
    buffer = block_buffer(found)
    left = int(sound.frames)
    while left > 0:
        wanted = buffer[:left]
        block = sound.read(len(wanted), dtype="float32", always_2d=True, out=wanted)
        found.add(block)
        left -= len(block)
        if len(block) < len(wanted):
            return


def _read_with_ffmpeg(path: str, channel: int | None, *, strict: bool = False) -> Scan:
    """Scan with FFmpeg; `strict` takes a wrong checksum or a lost frame for an error, where FFmpeg would go on."""
    import av

    found = Scan(channel)
    try:
        with open_media(Path(path)) as container:
            streams = audio_streams(container)
            if not streams:
                found.error = "FFmpeg does not know its codec" if has_sound(container) else "no audio stream"
                return found
            context = streams[0].codec_context
            if not context.channels:
                found.error = "its header declares no channels"
                return found
            if strict:
                context.options = {"err_detect": "crccheck+bitstream+buffer+explode"}
            declared = declared_seconds(container, streams[0])
            if container.format.name == "mp3":
                with raw_file(container) as file:
                    found.cut_short = lacks_bytes(file) or None
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
    buffer = block_buffer(found)
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
