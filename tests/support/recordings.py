"""Recordings whose every second sounds different, in any container and codec."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

RATE = 48_000
SECONDS = 8
SLOPE = 100


def chirp(seconds: float = SECONDS, *, first: float = 300.0) -> np.ndarray:
    """A tone that rises by 100 Hz a second."""
    time = np.arange(round(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * (first * time + SLOPE / 2 * time**2))).astype(np.float32)


def second_heard(samples: np.ndarray, rate: int) -> float:
    """The second of the chirp that is in the middle of these samples."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 18))
    return (int(spectrum.argmax()) * rate / (1 << 18) - 300) / SLOPE


def coded(
    place: Any, form: str, codec: str, *, seconds: float = SECONDS, start_s: float = 0.0, **options: str
) -> Any:  # fmt: skip
    """Write the chirp to a path or a file, its container's clock beginning at `start_s`; returns the place."""
    with av.open(str(place) if isinstance(place, Path) else place, "w", format=form, options=options) as out:
        stream = out.add_stream(codec, rate=RATE, layout="mono")
        stream.bit_rate = 96_000
        write_sound(out, stream, seconds, start_s)
    return place


def write_sound(out: Any, stream: Any, seconds: float, start_s: float = 0.0) -> None:
    samples, step = chirp(seconds)[None], stream.codec_context.frame_size or 1024
    resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=RATE)
    for place in range(0, samples.shape[1], step):
        frame = av.AudioFrame.from_ndarray(samples[:, place : place + step], format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, place + round(start_s * RATE), Fraction(1, RATE)
        for block in resampler.resample(frame):
            out.mux(stream.encode(block))
    out.mux(stream.encode(None))
