"""Models, clips and videos that tests of models share; each is made once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soundfile

RATE = 16_000


@pytest.fixture(scope="session")
def one_thread() -> Iterator[None]:
    """Tests run side by side; torch must not start a thread for each processor in each of them."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def noises() -> Callable[[float], Any]:
    """Noise of so many seconds, the same each time."""
    return lambda seconds: (
        np.random.default_rng(int(seconds * RATE)).normal(0, 0.1, int(seconds * RATE)).astype(np.float32)
    )


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory, noises: Callable[[float], Any]) -> Callable[[float], Path]:
    """A file with noise of so many seconds."""
    folder = tmp_path_factory.mktemp("clips")

    def clip(seconds: float) -> Path:
        path = folder / f"{seconds}.flac"
        if not path.exists():
            soundfile.write(path, noises(seconds), RATE)
        return path

    return clip


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A video of moving stripes at 5 pictures a second, with noise or silent."""
    folder = tmp_path_factory.mktemp("videos")

    def make(seconds: float, *, width: int = 64, height: int = 48, has_sound: bool = True) -> Path:
        path = folder / f"{seconds}-{width}-{height}-{has_sound}.mkv"
        if path.exists():
            return path
        with av.open(str(path), "w") as container:
            pictures: Any = container.add_stream("ffv1", rate=5)
            pictures.width, pictures.height, pictures.pix_fmt = width, height, "bgr0"
            sound: Any = container.add_stream("flac", rate=16_000, layout="mono") if has_sound else None
            for number in range(round(seconds * 5)):
                values = (np.indices((height, width)).sum(0)[..., None] * (3, 5, 7) + 40 * number) % 256
                frame = av.VideoFrame.from_ndarray(values.astype(np.uint8), format="rgb24").reformat(format="bgr0")
                frame.pts, frame.time_base = number, Fraction(1, 5)
                container.mux(pictures.encode(frame))
            if sound is not None:
                noise = np.random.default_rng(3).integers(-3000, 3000, (1, round(seconds * 16_000)), np.int16)
                heard = av.AudioFrame.from_ndarray(noise, format="s16", layout="mono")
                heard.sample_rate, heard.pts, heard.time_base = 16_000, 0, Fraction(1, 16_000)
                container.mux(sound.encode(heard))
                container.mux(sound.encode(None))
            container.mux(pictures.encode(None))
        return path

    return make


@pytest.fixture(scope="session")
def qwen2_audio(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    from support import tiny_models

    return tiny_models.qwen2_audio(tmp_path_factory.mktemp("models") / "qwen2-audio-instruct")


@pytest.fixture(scope="session")
def omni_thinker(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    from support import tiny_models

    return tiny_models.qwen3_omni_thinker(tmp_path_factory.mktemp("models") / "qwen3-omni-thinker")
