"""Mutated media files, made by seed: bit flips, truncations and edited fields of small valid files of every container.

base_files()               a valid file of every container, by suffix
mutate(data, seed)         one mutation of it: the same bytes for the same seed on every machine
"""

from __future__ import annotations

import io
import random
from fractions import Fraction
from functools import lru_cache
from typing import Any

import av
import numpy as np
import soundfile

RATE = 16_000
_HEADER = 256
_ODD = (0, 1, 2, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)


def _noise(seconds: float) -> np.ndarray:
    made: np.ndarray = np.random.default_rng(7).integers(-8000, 8000, round(seconds * RATE), dtype=np.int16)
    return made


def _by_soundfile(form: str, subtype: str | None = None) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, _noise(0.1), RATE, format=form, subtype=subtype)
    return out.getvalue()


def _by_ffmpeg(form: str, *, video: str | None, audio: str) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format=form) as container:
        tracks: list[Any] = []
        if video is not None:
            pictures = container.add_stream(video, rate=10, options={"threads": "1"})
            pictures.width, pictures.height, pictures.pix_fmt = 32, 32, "yuv420p"
            tracks.append((pictures, _pictures(3)))
        sound = container.add_stream(audio, rate=RATE, layout="mono")
        tracks.append((sound, _sounds(_noise(0.3), sound.codec_context.format.name)))
        for stream, frames in tracks:
            for frame in frames:
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return out.getvalue()


def _pictures(count: int) -> list[Any]:
    frames = []
    for number in range(count):
        frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), number * 40, np.uint8), format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, 10)
        frames.append(frame.reformat(format="yuv420p"))
    return frames


def _sounds(samples: np.ndarray, form: str) -> list[Any]:
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
    fifo = av.AudioFifo()
    for converted in av.AudioResampler(format=form, layout="mono", rate=RATE).resample(frame):
        fifo.write(converted)
    return [*fifo.read_many(576), *([rest] if (rest := fifo.read()) is not None else [])]


@lru_cache(maxsize=1)
def base_files() -> dict[str, bytes]:
    """A valid file of a few kB for every container, by suffix."""
    return {
        "wav": _by_soundfile("WAV"),
        "flac": _by_soundfile("FLAC"),
        "ogg": _by_soundfile("OGG", "VORBIS"),
        "mp3": _by_ffmpeg("mp3", video=None, audio="libmp3lame"),
        "mp4": _by_ffmpeg("mp4", video="mpeg4", audio="aac"),
        "mkv": _by_ffmpeg("matroska", video="mpeg4", audio="aac"),
    }


def mutate(data: bytes, seed: int) -> bytes:
    """One to three random edits of a file."""
    draw = random.Random(seed)
    made = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 3))):
        draw.choice((_flip, _flip, _truncate, _edit_field, _edit_field, _edit_field, _remove, _repeat))(made, draw)
    return bytes(made)


def _place(made: bytearray, draw: random.Random) -> int:
    """A position: most often in the header, where the fields are."""
    end = len(made) if draw.random() < 0.4 else min(_HEADER, len(made))
    return draw.randrange(end) if end else 0


def _flip(made: bytearray, draw: random.Random) -> None:
    for _ in range(draw.choice((1, 1, 4, 16))):
        if made:
            made[_place(made, draw)] ^= 1 << draw.randrange(8)


def _truncate(made: bytearray, draw: random.Random) -> None:
    del made[draw.randrange(len(made) + 1) :]


def _edit_field(made: bytearray, draw: random.Random) -> None:
    """Overwrite a number of 1, 2, 4 or 8 bytes, of either byte order, with a value at a limit."""
    at, size = _place(made, draw), draw.choice((1, 2, 4, 4, 8))
    value = draw.choice(_ODD) & (256**size - 1)
    made[at : at + size] = value.to_bytes(size, draw.choice(("little", "big")))


def _remove(made: bytearray, draw: random.Random) -> None:
    at = _place(made, draw)
    del made[at : at + draw.randrange(1, 64)]


def _repeat(made: bytearray, draw: random.Random) -> None:
    at = _place(made, draw)
    made[at:at] = made[at : at + draw.randrange(1, 64)]
