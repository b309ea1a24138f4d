"""A store of phones, tiny models, and one run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import tiny_models, training_runs


@pytest.fixture(scope="session")
def phone_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exports `phones` (8 rows) and `phones-test` (2)."""
    return training_runs.phones(tmp_path_factory.mktemp("phones"))


@pytest.fixture(scope="session")
def whisper(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    return tiny_models.whisper(tmp_path_factory.mktemp("models") / "whisper")


@pytest.fixture(scope="session")
def language_model(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Callable[[str], Path]:
    """A Qwen3: `tied`, its embedding being its head, or `untied`."""
    folder = tmp_path_factory.mktemp("models")

    def make(kind: str) -> Path:
        made = folder / kind
        return made if made.is_dir() else tiny_models.qwen3(made, tied=kind == "tied")

    return make


@pytest.fixture(scope="session")
def prepared(
    phone_store: Path, whisper: Path, language_model: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """A run before its first step, with a head for CTC."""
    from triptych.shards.store.store import Store
    from triptych.trainers.phoneme.train import phoneme
    from triptych.trainers.runs.prepare import prepare

    out = tmp_path_factory.mktemp("runs") / "none"
    config = training_runs.phoneme_config(language_model("untied"), whisper, out, phoneme={"ctc_weight": 0.5})
    return prepare(config, phoneme(config), store=Store.open(phone_store), folder=None)
