"""A selection by split tells what it leaves out: datasets that have none of the splits, samples without a split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import triptych
from support import imported
from support.stores import cli
from triptych.errors import UsageError


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`speech` with train and test, `mine` without splits, `clips` with a split of another name."""
    folder = tmp_path_factory.mktemp("splits")
    place = imported.bring_in(folder / "store", "speech", imported.speech_rows(folder / "in", 5), folder)
    own = imported.speech_rows(folder / "own", 2, start=20)
    imported.bring_in(place, "mine", [{**row, "split": None} for row in own], folder)
    return imported.bring_in(place, "clips", imported.speech_rows(folder / "c", 1, start=30, split="extra"), folder)


def export(store: Path, **options: Any) -> Any:
    return triptych.export("unified", store=store, **options)


def said(result: Any) -> str:
    return "\n".join(result.warnings)


def test_samples_without_a_split_are_kept_with_a_warning_or_dropped(store: Path) -> None:
    result = export(store, split="train")
    assert result.version.manifest["rows"] == 6
    assert "2 samples have no split and are included beside --split train" in said(result)
    assert "clips is left out whole by --split train: 1 sample; its splits are extra" in said(result)
    assert "speech is left out" not in said(result)
    assert result.version.manifest["selection"]["no_split"] == "keep"
    assert said(export(store, split="train")) == said(result)
    dropped = export(store, split="train", no_split="drop")
    assert dropped.version.manifest["rows"] == 4
    assert "2 samples have no split and are left out" in said(dropped)
    assert "mine is left out whole by --split train: 2 samples; it has no splits" in said(dropped)


@pytest.mark.parametrize("split", ["test", "te*", ["validation", "test"], "eval-clean"])
def test_they_are_no_test_data_unless_asked_for(store: Path, split: str | list[str]) -> None:
    if split == "eval-clean" or "validation" in split:
        with pytest.raises(UsageError, match="matches no sample"):
            export(store, split=split)
        return
    result = export(store, split=split)
    assert result.version.manifest["rows"] == 1 and "mine is left out whole" in said(result)
    assert export(store, split=split, no_split="keep").version.manifest["rows"] == 3


def test_a_sample_that_another_condition_excludes_is_not_named(store: Path) -> None:
    result = export(store, split="train", where="dataset = 'speech'")
    assert result.warnings == ["4 rows were never validated: run `triptych validate` first"]
    assert "mine" not in said(export(store, split="train", dataset="speech"))


def test_a_mistyped_split_selects_nothing(store: Path) -> None:
    with pytest.raises(UsageError, match="'trian' matches no sample"):
        export(store, split="trian")
    assert export(store, split="train", dataset="mine").version.manifest["rows"] == 2


def test_no_split_needs_a_split(store: Path) -> None:
    done = cli("export", "unified", "--no-split", "drop", "--store", store)
    assert done.returncode == 2 and "--split train" in done.stderr


def test_an_assigned_split_counts(store: Path) -> None:
    triptych.annotate("mine/all/utt020", "assigned_split", "test", store=store)
    result = export(store, split="train")
    assert result.version.manifest["rows"] == 5 and "1 sample has no split" in said(result)
    assert export(store, split="test").version.manifest["rows"] == 2
