"""Every container and codec that sound and films come in, each written here, not by the code under test.

A `Form` writes the sound of a clip, or its film: frames that carry their number and the clip's, with the sound beside
them. `delay_s` is what a plain decode of the file gives before the first sample of the sound: encoders start with some
hundred samples of silence, and only some containers say how many to skip. Times in a file count from the first sample
that a decode gives, so a span of such a file begins so much earlier in the voice.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from truth import chirps
from truth.films import FPS, HEIGHT, WIDTH, frame_of

OPUS_RATE = 48_000


@dataclass(frozen=True)
class Form:
    """One container with one codec.

    Attributes:
        extension: Of the file.
        codec: As stored: of the picture in a film.
        write: Clip, channels -> bytes.
        rate: Sample rate of the sound.
        film: Whether it has a video stream.
        short_s: Seconds at the end that FFmpeg's decoder drops: its clock of Vorbis begins half a block late.
        unmarked: Whether its container does not say how many samples of silence the encoder put before the sound.
    """

    extension: str
    codec: str
    write: Callable[[int, int], bytes]
    rate: int = chirps.RATE
    film: bool = False
    short_s: float = 0.0
    unmarked: bool = False


@cache
def encoded(name: str, clip: int, channels: int = 1) -> bytes:
    """The bytes of a clip in a form."""
    return FORMS[name].write(clip, channels)


def written(folder: Path, name: str, clip: int, channels: int = 1, *, stem: str | None = None) -> Path:
    """The clip as a file, in a form."""
    path = folder / f"{stem or f'clip{clip}'}.{FORMS[name].extension}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(name, clip, channels))
    return path


@cache
def delay_s(name: str, clip: int, channels: int = 1) -> float:
    """Seconds of silence before the sound in a plain decode of the file; no more than an encoder's own."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        sound = chirps.decode(written(Path(folder), name, clip, channels))
    found = chirps.hear(sound[: chirps.RATE, 0], [chirps.Voice(clip)])
    assert found.correlation >= chirps.FULL and -0.08 <= found.start_s <= 0.001, f"{name}: {found}"
    assert FORMS[name].unmarked or abs(found.start_s) < 0.001, f"{name}: {found}"
    return -found.start_s


def _soundfile(format: str, subtype: str | None = None, *, rate: int = chirps.RATE) -> Callable[[int, int], bytes]:
    def write(clip: int, channels: int) -> bytes:
        import soundfile

        file = io.BytesIO()
        soundfile.write(file, _sound(clip, channels, rate) / 32768, rate, format=format, subtype=subtype)
        return file.getvalue()

    return write


def _ffmpeg(
    format: str,
    codec: str,
    *,
    rate: int = chirps.RATE,
    picture: str | None = None,
    start_s: int = 0,
    options: Mapping[str, str] | None = None,
) -> Callable[[int, int], bytes]:
    """Writes sound, and a picture, with FFmpeg; all times begin at `start_s`, as in a piece of a broadcast."""

    def write(clip: int, channels: int) -> bytes:
        import av

        file = io.BytesIO()
        with av.open(file, "w", format=format, options={"fflags": "+bitexact", **(options or {})}) as out:
            film = _add_picture(out, picture) if picture else None
            stream = out.add_stream(codec, rate=rate, layout=_LAYOUTS[channels], options={"b": _BITRATE})
            tracks = [_sound_packets(stream, _sound(clip, channels, rate), rate, start_s)]
            if film is not None:
                tracks.append(_picture_packets(film, clip, start_s))
            packets = sorted((packet for track in tracks for packet in track), key=_decode_time)
            out.mux(packets)
        return file.getvalue()

    return write


def _decode_time(packet: Any) -> float:
    return float((packet.dts or 0) * packet.time_base)


_BITRATE = "96000"
_LAYOUTS = {1: "mono", 2: "stereo"}
_PICTURES: dict[str, dict[str, str]] = {
    "libx264": {"preset": "veryfast", "crf": "20", "mbtree": "0", "threads": "1", "g": "10"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "20", "threads": "1", "g": "10"},
    "mpeg2video": {"qscale": "3", "threads": "1", "g": "10"},
}


def _sound(clip: int, channels: int, rate: int) -> np.ndarray:
    return chirps.stereo(clip, channels=channels, rate=rate)


def _add_picture(out: Any, codec: str) -> Any:
    stream = out.add_stream(codec, rate=FPS, options=_PICTURES[codec])
    stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    return stream


def _picture_packets(stream: Any, clip: int, start_s: int) -> Iterator[Any]:
    import av

    for number in range(round(chirps.SECONDS * FPS)):
        frame = av.VideoFrame.from_ndarray(frame_of(clip, number), format="gray").reformat(format="yuv420p")
        frame.pts, frame.time_base = start_s * FPS + number, Fraction(1, FPS)
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _sound_packets(stream: Any, sound: np.ndarray, rate: int, start_s: int) -> Iterator[Any]:
    import av

    resampler = av.AudioResampler(stream.codec_context.format, stream.codec_context.layout, rate,
                                  stream.codec_context.frame_size or 1024)  # fmt: skip
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(sound.reshape(1, -1)), format="s16", layout=_LAYOUTS[sound.shape[1]]
    )
    frame.sample_rate, frame.pts, frame.time_base = rate, start_s * rate, Fraction(1, rate)
    for block in (*resampler.resample(frame), *resampler.resample(None)):
        yield from stream.encode(block)
    yield from stream.encode(None)


FORMS: dict[str, Form] = {
    "wav": Form("wav", "pcm_16", _soundfile("WAV", "PCM_16")),
    "wav 44100": Form("wav", "pcm_24", _soundfile("WAV", "PCM_24", rate=44_100), rate=44_100),
    "wav float": Form("wav", "float", _soundfile("WAV", "FLOAT")),
    "wav mu-law 8000": Form("wav", "ulaw", _soundfile("WAV", "ULAW", rate=8000), rate=8000),
    "sphere": Form("sph", "pcm_16", _soundfile("NIST", "PCM_16")),
    "aiff": Form("aiff", "pcm_16", _soundfile("AIFF", "PCM_16")),
    "flac": Form("flac", "flac", _soundfile("FLAC", "PCM_16")),
    "vorbis": Form("ogg", "vorbis", _soundfile("OGG", "VORBIS"), short_s=0.016),
    "opus": Form("opus", "opus", _ffmpeg("ogg", "libopus", rate=OPUS_RATE), rate=OPUS_RATE),
    "mp3": Form("mp3", "mp3", _ffmpeg("mp3", "libmp3lame")),
    "mp3 bare": Form("mp3", "mp3", _ffmpeg("mp3", "libmp3lame", options={"write_xing": "0"}), unmarked=True),
    "m4a": Form("m4a", "aac", _ffmpeg("ipod", "aac")),
    "adts": Form("aac", "aac", _ffmpeg("adts", "aac"), unmarked=True),
    "mka": Form("mka", "flac", _ffmpeg("matroska", "flac")),
    "mka late": Form("mka", "flac", _ffmpeg("matroska", "flac", start_s=5)),
    "webm sound": Form("webm", "opus", _ffmpeg("webm", "libopus", rate=OPUS_RATE), rate=OPUS_RATE),
    "ts sound": Form("ts", "aac", _ffmpeg("mpegts", "aac"), unmarked=True),
    "mp4": Form("mp4", "h264", _ffmpeg("mp4", "aac", picture="libx264"), film=True),
    "mov": Form("mov", "h264", _ffmpeg("mov", "pcm_s16le", picture="libx264"), film=True),
    "mkv": Form("mkv", "h264", _ffmpeg("matroska", "aac", picture="libx264"), film=True),
    "webm": Form("webm", "vp9", _ffmpeg("webm", "libopus", picture="libvpx-vp9", rate=OPUS_RATE), rate=OPUS_RATE,
                 film=True),
    "ts": Form("ts", "h264", _ffmpeg("mpegts", "aac", picture="libx264"), film=True, unmarked=True),
    "mpg": Form("mpg", "mpeg2video", _ffmpeg("vob", "mp2", picture="mpeg2video"), film=True, unmarked=True),
    "mkv late": Form("mkv", "h264", _ffmpeg("matroska", "flac", picture="libx264", start_s=5), film=True),
}  # fmt: skip


def sounds() -> list[str]:
    """Forms without a picture."""
    return [name for name, form in FORMS.items() if not form.film]


def films() -> list[str]:
    """Forms with a picture."""
    return [name for name, form in FORMS.items() if form.film]
