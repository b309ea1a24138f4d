"""Tiny models that are loaded to be trained, and batches for them with sound and without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from triptych.trainers.models.training_model import Loading, TrainingModel, load_for_training


@dataclass(frozen=True)
class Rates:
    """Learning rates that show after one step."""

    lr: float = 2e-2
    lr_projector: float = 5e-2
    lr_pretrained: float = 1e-2


@dataclass(frozen=True)
class Stage:
    train: Sequence[str]
    lr: float | None = None


def load(folder: Path, **settings: Any) -> TrainingModel:
    """The model of a folder, to be trained on the processor."""
    return load_for_training(folder, Loading(**settings), device="cpu")


def batch(loaded: TrainingModel, *, seconds: Sequence[float] = (0.5,)) -> dict[str, Any]:
    """A question about each clip of noise, and its answer; clips are padded as the model's processor does."""
    import numpy as np

    generator = np.random.default_rng(0)
    clips = [generator.normal(0, 0.1, round(16_000 * each)).astype(np.float32) for each in seconds]
    texts = [f"{loaded.family.placeholder}What is heard? A noise." for _ in clips]
    inputs = dict(loaded.processor(text=texts, audio=clips, sampling_rate=16_000, return_tensors="pt", padding=True))
    return {**inputs, "labels": inputs["input_ids"]}


def text_batch(loaded: TrainingModel) -> dict[str, Any]:
    inputs = loaded.tokenizer(["No sound at all."], return_tensors="pt")
    return {"input_ids": inputs["input_ids"], "attention_mask": inputs["attention_mask"], "labels": inputs["input_ids"]}
