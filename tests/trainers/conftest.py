"""Models and clips that tests of models share; each model is made once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

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
def qwen2_audio(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    from support import tiny_models

    return tiny_models.qwen2_audio(tmp_path_factory.mktemp("models") / "qwen2-audio-instruct")


@pytest.fixture(scope="session")
def omni_thinker(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    from support import tiny_models

    return tiny_models.qwen3_omni_thinker(tmp_path_factory.mktemp("models") / "qwen3-omni-thinker")
