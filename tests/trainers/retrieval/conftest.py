"""A store with chunks around terms, and tiny encoders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.imported import bring_in, noise, sound


def _row(folder: Path, name: str, split: str, word: str, seed: int) -> dict[str, Any]:
    said = [(word, 0.2, 0.6), ("is", 0.7, 0.8), ("far", 0.8, 1.0), ("today", 7.2, 7.6)]
    words = [{"text": text, "start_s": start, "end_s": end} for text, start, end in said]
    path = sound(folder / f"{name}.wav", noise(8, seed=seed))
    return {"id": name, "audio": str(path), "split": split, "text": f"{word} is far today", "language": "en",
            "words": words}  # fmt: skip


@pytest.fixture(scope="session")
def chunks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the export `chunks`: paris and oslo in training, oslo and geneva in tests."""
    folder = tmp_path_factory.mktemp("chunks")
    named = [("a", "train", "paris"), ("b", "train", "oslo"), ("c", "train", "paris"),
             ("d", "test", "oslo"), ("e", "test", "geneva")]  # fmt: skip
    rows = [_row(folder, name, split, word, seed) for seed, (name, split, word) in enumerate(named)]
    bring_in(folder / "store", "talks", rows, folder)
    entries = {word: {"term": word, "short_description": f"{word}, a city"} for word in ("paris", "oslo", "geneva")}
    (folder / "glossary.json").write_text(json.dumps(entries | {"bern": {"term": "bern"}}), encoding="utf-8")
    triptych.export("term-chunks", glossary=folder / "glossary.json", store=folder / "store", name="chunks")
    return folder / "store"


@pytest.fixture(scope="session")
def short(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    """A Qwen2-Audio that hears 5 s: a sixth of the work."""
    from support import tiny_models

    return tiny_models.qwen2_audio(tmp_path_factory.mktemp("models") / "short", seconds=5)
