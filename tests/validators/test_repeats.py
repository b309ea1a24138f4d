"""The same sound in several datasets and splits is found across the store, and training sounds that a test has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import triptych
from support import imported
from support.stores import one, select

OVERLAP = "train_test_overlap"


def reasons(store: Path, **options: Any) -> dict[str, list[str]]:
    """The reasons about repeats of every sample, after a validation."""
    triptych.validate(store=store, workers=1, **options)
    rows = select(store, "select id, reasons from verdicts order by id")
    return {row["id"]: [code for code in row["reasons"] if code in ("duplicate_content", OVERLAP)] for row in rows}


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sounds in `first` (train, and a third of its own) and in `second` (test)."""
    folder = tmp_path_factory.mktemp("twice")
    rows = [row | {"split": "train"} for row in imported.speech_rows(folder / "in", 3)]
    store = imported.bring_in(folder / "store", "first", rows, folder)
    return imported.bring_in(store, "second", [row | {"split": "test"} for row in rows[:2]], folder)


def test_a_training_sample_whose_sound_is_in_another_dataset_s_test_is_named(twice: Path) -> None:
    found = reasons(twice)
    assert found == {
        "first/train/utt000": ["duplicate_content", OVERLAP],
        "first/train/utt001": ["duplicate_content", OVERLAP],
        "first/train/utt002": [],
        "second/test/utt000": ["duplicate_content"],
        "second/test/utt001": ["duplicate_content"],
    }
    before = one(twice, "select max(judged_at) from verdicts")
    assert reasons(twice) == found and one(twice, "select max(judged_at) from verdicts") == before


def test_what_is_already_validated_is_decided_again_when_its_copy_comes_or_moves(tmp_path: Path) -> None:
    rows = [row | {"split": "train"} for row in imported.speech_rows(tmp_path / "in", 1)]
    store = imported.bring_in(tmp_path / "store", "first", rows, tmp_path)
    assert reasons(store) == {"first/train/utt000": []}
    imported.bring_in(store, "second", [rows[0] | {"split": "other", "id": "x"}], tmp_path)
    assert reasons(store) == {
        "first/train/utt000": ["duplicate_content"],
        "second/other/x": ["duplicate_content"],
    }
    triptych.annotate("second/other/x", "assigned_split", "validation", store=store)
    assert reasons(store)["first/train/utt000"] == ["duplicate_content", OVERLAP]
    rules = tmp_path / "rules.yaml"
    rules.write_text(f"{OVERLAP}: {{level: reject}}\n")
    assert reasons(store, rules=rules)["first/train/utt000"] == ["duplicate_content", OVERLAP]
    counts = triptych.export("unified", store=store).counts
    assert counts == {"written": 1, "rejected": 1}


def warned(store: Path, **options: Any) -> list[str]:
    """What an export says of repeats."""
    told = triptych.export("unified", store=store, **options).warnings
    return [
        line for line in told if "sound that is in" in line or "of them were validated" in line or "same media" in line
    ]


def test_an_export_warns_of_a_test_set_that_came_after_the_verdict(tmp_path: Path) -> None:
    rows = [row | {"split": "train"} for row in imported.speech_rows(tmp_path / "in", 3)]
    store = imported.bring_in(tmp_path / "store", "first", rows, tmp_path)
    triptych.validate(store=store, workers=1)
    before = triptych.export("unified", store=store, dataset="first")
    imported.bring_in(store, "second", [row | {"split": "test"} for row in rows[:2]], tmp_path)
    again = triptych.export("unified", store=store, dataset="first")
    assert not before.warnings and again.version.reference == before.version.reference
    overlap, undecided = again.warnings
    assert overlap.startswith("2 training rows") and "the first is first/train/utt000" in overlap
    assert undecided.startswith("2 of them")
    assert warned(store, dataset="first") == [overlap, undecided]
    triptych.annotate([(f"second/test/utt00{n}", "assigned_split", "train") for n in range(2)], store=store)
    assert warned(store) == ["4 rows have the same media as rows of another split or dataset of this export"]


def test_an_export_takes_the_share_and_level_of_its_rules(twice: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(f"{OVERLAP}: {{level: off}}\n")
    triptych.validate(store=twice, workers=1, rules=rules)
    assert warned(twice, dataset="first") == []
    rules.write_text(f"{OVERLAP}: {{level: warn}}\n")
    triptych.validate("first", store=twice, workers=1, rules=rules)
    assert [line[:15] for line in warned(twice, dataset="first")] == ["2 training rows"]


@pytest.mark.parametrize(
    ("train", "test", "share"),
    [((None, None), (0.0, 0.1), 1.0), ((0.0, 0.4), (0.3, 0.6), 0.333), ((0.0, 0.3), (0.3, 0.6), None),
     ((0.5, None), (0.6, None), 1.0)],
)  # fmt: skip
def test_the_share_is_of_the_shorter_span(
    tmp_path: Path, train: tuple[float | None, ...], test: tuple[float | None, ...], share: float | None
) -> None:
    import duckdb
    import pyarrow as pa
    from triptych.shards.sample import SCHEMA
    from triptych.validators.repeats import repeats_sql

    audio = {"path": "a", "sha256": "aa", "duration": 1.0}
    rows = [
        {"id": split, "dataset": "d", "split": split, "audio": audio, "start_s": span[0], "end_s": span[1]}
        for split, span in (("train", train), ("test", test))
    ]
    with duckdb.connect() as connection:
        connection.register("samples", pa.Table.from_pylist(rows, schema=SCHEMA))
        found = connection.execute(
            f"SELECT id, copies, round(held_out_share, 3) FROM {repeats_sql(split='split')} ORDER BY 1"
        )
        assert found.fetchall() == [("test", 1, None), ("train", 1, share)]
