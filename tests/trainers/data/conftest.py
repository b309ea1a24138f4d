"""A published version that tests of the data of training share, and an encoder that needs no model."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.imported import bring_in, noise, sound
from triptych.errors import TriptychError
from triptych.trainers.data.encoder import BadRow, RowLength
from triptych.trainers.data.sound import read_sound
from triptych.trainers.data.training_rows import TrainingRows
from triptych.trainers.data.turns import Clip

ROWS = 12


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with questions, every second about a sound, the last one of the test split; and their export."""
    folder = tmp_path_factory.mktemp("talks")
    fields = {"answer": "Anna.", "reasoning": "She says so.", "rejected": "Bob.", "task": "qa", "language": "en"}
    rows = [
        {"id": f"{number:02}", "question": f"Who is {'x' * number}?", "split": "train", **fields}
        for number in range(ROWS)
    ]
    rows[-1]["split"] = "test"
    for number in range(0, ROWS, 2):
        rows[number]["audio"] = str(sound(folder / f"{number}.flac", noise(0.05, seed=number)))
    store = bring_in(folder / "store", "talks", rows[::2], folder)
    bring_in(store, "texts", rows[1::2], folder, values={"modality": "text"})
    triptych.export("msswift", task="sft", order="id", store=store)
    return store


@pytest.fixture
def rows(published: Path) -> TrainingRows:
    return TrainingRows.open("msswift-sft", store=published, allow_held_out=True)


@dataclass
class Letters:
    """An encoder whose tokens are letters, and whose sounds are their first samples.

    Attributes:
        bad, broken, refused, fatal: Texts of rows that are bad, that end in an error of Python, in one of ours, and in
            the end of the process.
        measured: The rows whose length was asked for.
    """

    bad: str = "<none>"
    broken: str = "<none>"
    refused: str = "<none>"
    fatal: str = "<none>"
    budget_model: str | None = None
    max_tokens: int = 100
    max_audio_seconds: float | None = None
    signature: str = "letters"
    measured: list[str] = field(default_factory=list)

    def length(self, row: Any) -> RowLength:
        self.measured.append(row.id)
        if self.bad in row.turns[0].text:
            raise BadRow("too_long", "20 s; 10 s are heard")
        sounds = [part for part in row.media if isinstance(part, Clip)]
        return RowLength(len(_said(row)), 0.05 * len(sounds), ("audio",) if sounds else ())

    def encode(self, row: Any) -> Any:
        asked = row.turns[0].text
        if self.bad in asked:
            raise BadRow("too_long", "20 s; 10 s are heard")
        if self.broken in asked:
            raise ZeroDivisionError("1 / 0")
        if self.refused in asked:
            raise TriptychError("The extractor is not installed.", hint="pip install it")
        if self.fatal in asked:
            os.kill(os.getpid(), signal.SIGKILL)
        return _said(row), [read_sound(Path(part.path), 16_000)[:4] for part in row.media]

    def join(self, encoded: Sequence[Any]) -> dict[str, Any]:
        import numpy as np
        import torch

        ids = torch.zeros(len(encoded), max(len(said) for said, _ in encoded), dtype=torch.long)
        for place, (said, _) in enumerate(encoded):
            ids[place, : len(said)] = torch.tensor(list(said))
        sounds = [each for _, sounds in encoded for each in sounds]
        return {"input_ids": ids} | ({"features": torch.from_numpy(np.stack(sounds))} if sounds else {})


def _said(row: Any) -> bytes:
    return "".join(turn.text for turn in row.turns).encode()


@pytest.fixture
def letters() -> type[Letters]:
    return Letters
