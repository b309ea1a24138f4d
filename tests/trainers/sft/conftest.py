"""Rows, a small video, and losses of rows."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from triptych.trainers.data.training_row import TrainingRow
from triptych.trainers.data.turns import ASSISTANT, USER, Part, Turn


@pytest.fixture(scope="session")
def row_of() -> Callable[..., TrainingRow]:
    """A row of turns, each given as its parts: the user's and the assistant's take turns."""

    def make(*turns: tuple[Part, ...], id: str = "1", rejected: str | None = None) -> TrainingRow:
        found = tuple(Turn((USER, ASSISTANT)[place % 2], parts) for place, parts in enumerate(turns))
        other = None if rejected is None else Turn(ASSISTANT, (rejected,))
        return TrainingRow(id=id, where="x", turns=found, rejected=other)

    return make


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
def losses() -> Callable[[Any, dict[str, Any]], list[float]]:
    """The sum of the loss of each row of a batch, in a model as it is."""

    def losses_of(model: Any, batch: dict[str, Any]) -> list[float]:
        import torch
        from torch.nn.functional import cross_entropy

        labels = batch["labels"]
        with torch.inference_mode():
            logits = model(**{name: value for name, value in batch.items() if name != "labels"}).logits
        assert logits.shape[:2] == labels.shape
        each = cross_entropy(logits[:, :-1].transpose(1, 2), labels[:, 1:], ignore_index=-100, reduction="none")
        return [float(value) for value in each.sum(1)]

    return losses_of
