"""The notebook: its cells run from the first to the last, and the model hears."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.places import ROOT

NOTEBOOK = ROOT / "docs" / "notebooks" / "train.ipynb"


def cells() -> list[str]:
    document = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in document["cells"] if cell["cell_type"] == "code"]


def test_its_cells_are_python_and_hold_no_outputs() -> None:
    document = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert all(not cell.get("outputs") for cell in document["cells"])
    for cell in cells():
        compile(cell, "cell", "exec")


@pytest.mark.thorough
def test_its_cells_run_and_what_is_trained_hears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for cell in cells():
        exec(cell, names)
    assert names["scores"]["trained"] >= 0.8 and names["scores"]["random weights"] <= 0.2
