"""A store with exports of tones, and preflights of tiny models on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import training_runs


@pytest.fixture(scope="session")
def talks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exports `talk` (tones and what is said of them) and `mixed` (with conversations of text alone)."""
    return training_runs.mixed(tmp_path_factory.mktemp("preflights"), rows=4)


@pytest.fixture
def looked(talks: Path) -> Callable[..., Any]:
    """The preflight of a model on an export; sections of the configuration replace those of a short run."""

    def look(model: Path, out: Path | None = None, **sections: Any) -> Any:
        from triptych.shards.store.store import Store
        from triptych.trainers.runs.preflight.preflight import preflight
        from triptych.trainers.sft.train import SFT

        short = {"training": {"epochs": 4, "gradient_accumulation_steps": 1, "batch_size": 2, "lr": 1e-5,
                              "warmup_steps": 0, **sections.pop("training", {})}}  # fmt: skip
        config = training_runs.config_of(model, out, **short, **sections)
        return preflight(config, SFT, store=Store.open(talks))

    return look
