"""Stores of made-up media that came in through `import`: what export, query and command tests work on."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import triptych
from triptych.catalog.sources.synthetic.video import Sound, draw_scene, encode_scene

RATE = 16_000


def noise(seconds: float, *, seed: int = 0, rate: int = RATE) -> np.ndarray:
    """int16 noise: no two slices of it are equal, so a cut can be told to the sample."""
    made: np.ndarray = np.random.default_rng(seed).integers(-8000, 8000, round(seconds * rate), dtype=np.int16)
    return made


def sound(path: Path, samples: np.ndarray, *, rate: int = RATE) -> Path:
    """Write samples as FLAC or WAV, by the suffix."""
    soundfile.write(path, samples, rate, subtype="PCM_16")
    return path


def video(path: Path, *, seed: int = 0, with_sound: bool = False) -> Path:
    """Write an MP4 of half a second."""
    track = Sound(noise(0.5, seed=seed), RATE) if with_sound else None
    path.write_bytes(encode_scene(draw_scene(random.Random(seed)), frames=10, width=64, height=48, sound=track))
    return path


def table(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Write rows as JSON Lines."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def bring_in(store: Path, name: str, rows: Sequence[dict[str, Any]], folder: Path, **options: Any) -> Path:
    """Import rows as the dataset `name`; returns the store's path."""
    folder.mkdir(parents=True, exist_ok=True)
    triptych.import_data("jsonl", table(folder / f"{name}.jsonl", rows), name=name, store=store, **options)
    return store


def speech_rows(folder: Path, count: int, *, start: int = 0, **fields: Any) -> list[dict[str, Any]]:
    """Rows with a short sound each: train, but every fifth is test."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        {
            "id": f"utt{number:03d}",
            "audio": str(sound(folder / f"{number}.flac", noise(0.1, seed=number))),
            "text": f"text number {number}",
            "language": "en",
            "split": "test" if number % 5 == 4 else "train",
        }
        | fields
        for number in range(start, start + count)
    ]


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a JSONL file, without their null columns."""
    for line in io.StringIO(path.read_bytes().decode("utf-8"), newline="\n"):
        yield {key: value for key, value in json.loads(line).items() if value is not None}
