"""Pairs of answers for trainers: a small store with an export of them, and runs on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

DIMENSIONS = ("factuality", "instruction", "safety", "helpfulness")


def preferences(folder: Path, *, rows: int = 6) -> Path:
    """A store with exports `pairs` (view preference) and `swift` (msswift): tones, each with two answers."""
    import triptych

    made = []
    for number in range(rows):
        times = np.arange(8_000 + 400 * number) / 16_000
        path = folder / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, 0.3 * np.sin(2 * np.pi * (200 + 80 * number) * times), 16_000)
        asked = {"role": "user", "content": "<audio>How high?"}
        made.append({
            "messages": [asked, {"role": "assistant", "content": "low " * (number % 3 + 1)}],
            "rejected_response": "high", "audios": [str(path)], "dimension": DIMENSIONS[number % 4], "id": f"{number}",
        })  # fmt: skip
    table = folder / "rows.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in made), encoding="utf-8")
    store = folder / "store"
    triptych.import_data("msswift", table, name="pairs", store=store)
    triptych.export("preference", store=store, name="pairs")
    triptych.export("msswift", task="dpo", store=store, name="swift")
    return store


def config_of(model: Path, out: Path, *, train: str = "pairs", **sections: Any) -> Any:
    """A run of three steps, with a checkpoint after each."""
    from triptych.trainers.preference.config import DpoConfig

    from . import training_runs

    training = {"lr": 1e-2, "epochs": 1, "batch_size": 2, "gradient_accumulation_steps": 1, "warmup_steps": 0}
    dpo = sections.pop("dpo", {})
    sections = {"logging": {"save_steps": 1}, **sections, "training": {**training, **sections.pop("training", {})}}
    made = training_runs.config_of(model, out, train=train, **sections)
    return DpoConfig.model_validate({**made.model_dump(exclude_unset=True), "dpo": dpo})
