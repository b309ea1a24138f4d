"""Models with experts, and rows to calibrate on, made once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import tiny_models


@pytest.fixture(scope="session")
def moe(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    """A Qwen3-MoE with three layers; that in the middle has no experts."""
    return tiny_models.qwen3_moe(tmp_path_factory.mktemp("models") / "qwen3-moe")


@pytest.fixture(scope="session")
def omni(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    """A whole Qwen3-Omni whose thinker has eight experts in each layer."""
    return tiny_models.qwen3_omni(tmp_path_factory.mktemp("models") / "qwen3-omni", experts=8)


@pytest.fixture(scope="session")
def loaded(moe: Path) -> Any:
    """The Qwen3-MoE, loaded."""
    from triptych.trainers.models.training_model import Loading, load_for_training

    return load_for_training(moe, Loading(), revision="moe", device="cpu")


@pytest.fixture(scope="session")
def text_rows(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A file of conversations, each of another length."""
    folder = tmp_path_factory.mktemp("rows")

    def make(count: int = 12, *, name: str = "text") -> Path:
        path = folder / f"{name}-{count}.jsonl"
        lines = [
            {"id": f"{name}-{number}", "language": ("en", "de")[number % 2],
             "messages": [{"role": "user", "content": f"What is {number} times {number}? " * (1 + number % 4)},
                          {"role": "assistant", "content": f"{number * number}."}]}
            for number in range(count)
        ]  # fmt: skip
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        return path

    return make
