"""Python covers what the commands do, lists it, and takes values of Python types."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import triptych
from support import imported

ID = "speech/train/utt000"
OTHER = "speech/train/utt001"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three utterances, validated and exported twice."""
    folder = tmp_path_factory.mktemp("api")
    place = imported.bring_in(folder / "store", "speech", imported.speech_rows(folder / "in", 3), folder)
    triptych.validate(store=place)
    triptych.export("unified", store=place)
    triptych.annotate(ID, "text", "another text", store=place)
    triptych.export("unified", store=place)
    return place


def test_dir_and_tab_list_every_name_and_each_is_there() -> None:
    names = dir(triptych)
    assert {"pull", "plan", "fetch", "import_data", "export", "exports", "store", "catalog", "report"} <= set(names)
    for name in names:
        assert getattr(triptych, name) is not None
    for module, members in {
        triptych.catalog: ("list", "show", "check", "lint"),
        triptych.exports: (
            "list",
            "show",
            "path",
            "open",
            "verify",
            "diff",
            "which",
            "relocate",
            "pack",
            "rebuild",
            "gc",
            "push",
            "load_with_client",
        ),
        triptych.store: ("init", "status", "compact", "gc", "refresh", "remove", "restore", "resume", "verify"),
    }.items():
        assert set(members) == set(module.__all__)
        assert all(callable(getattr(module, member)) and getattr(module, member).__doc__ for member in members)
    with pytest.raises(AttributeError, match="no attribute 'nosuch'"):
        triptych.nosuch  # noqa: B018


def test_names_are_loaded_when_they_are_used() -> None:
    code = "import sys, triptych; dir(triptych); print([n for n in sys.modules if n.startswith('triptych.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert eval(done.stdout) == ["triptych.errors", "triptych.version"]


def test_exports_from_python(store: Path, tmp_path: Path) -> None:
    first, second = triptych.exports.list(store=store)
    assert (first.reference, second.reference) == ("unified@v1", "unified@v2")
    assert triptych.exports.show("unified", store=store).reference == "unified@v2"
    assert triptych.exports.path("unified@v1", store=store) == first.data
    assert triptych.exports.verify(store=store) == {"unified@v1": [], "unified@v2": []}
    assert triptych.exports.verify("unified@v1", store=store) == {"unified@v1": []}
    old, new, difference = triptych.exports.diff("unified", store=store)
    assert (old.label, new.label, difference.changed) == ("v1", "v2", [ID])
    [change] = difference.changes
    assert difference.fields == {"text": 1}
    assert (change.id, change.field, change.new) == (ID, "text", "another text") and change.old.strip()
    copied = tmp_path / "copied.jsonl"
    copied.write_bytes(second.data.read_bytes())
    assert [each.reference for each in triptych.exports.which(copied, store=store)] == ["unified@v2"]
    packed = triptych.exports.pack("unified@v1", tmp_path / "packed", store=store)
    assert packed["rows"] == 3 and packed["media"]["files"] == 3
    with pytest.raises(triptych.UsageError, match="first version"):
        triptych.exports.diff("unified@v1", store=store)


def test_the_store_from_python(store: Path, tmp_path: Path) -> None:
    assert [each.dataset for each in triptych.store.status(store=store).datasets] == ["speech"]
    assert set(triptych.store.compact("speech", store=store)) == {"speech"}
    assert triptych.store.gc(dry_run=True, store=store).files == []
    assert triptych.store.refresh(store=str(store)) == store / "store.duckdb"
    assert triptych.store.remove("speech", dry_run=True, store=store).samples == {"speech": 3}
    assert triptych.store.init(tmp_path / "new") == tmp_path / "new"
    with pytest.raises(triptych.UsageError, match="no dataset 'nosuch'"):
        triptych.store.compact(["nosuch"], store=store)


def test_the_catalog_from_python(store: Path) -> None:
    listed = triptych.catalog.list(panel="s1", language="en", store=store)
    assert "librispeech" in [each.name for each in listed] and all(each.card.panel == "S1" for each in listed)
    shown = triptych.catalog.show("librispeech", samples=10, store=store)
    assert shown.card.name == "librispeech" and shown.costs["pull"].samples == 10
    with pytest.raises(triptych.UsageError, match=r"panell"):
        triptych.catalog.list(panell="S1")  # type: ignore[call-arg]


def test_many_facts_at_once(store: Path, tmp_path: Path) -> None:
    facts: list[Any] = [
        (ID, "labels", ["a", "b"]),
        [OTHER, "start_s", 0.05],
        {"id": OTHER, "key": "score", "value": 3},
    ]
    assert triptych.annotate(facts, store=store) == 3
    table = tmp_path / "facts.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([["id", "key", "value"], [ID, "review", "fine"]])
    assert triptych.annotate(table, store=store) == triptych.annotate(str(table), store=store) == 1
    found = triptych.query(
        "select id, labels, start_s, extra['score'] as score from samples order by id limit 2", store=store
    )
    assert found.to_pylist() == [
        {"id": ID, "labels": ["a", "b"], "start_s": None, "score": None},
        {"id": OTHER, "labels": None, "start_s": 0.05, "score": "3"},
    ]
    for wrong in ([(ID, "text")], [(ID, "text", None)], [(ID, "note", {1, 2})], [(ID, "note", float("nan"))]):
        with pytest.raises(triptych.UsageError):
            triptych.annotate(wrong, store=store)
    with pytest.raises(triptych.UsageError, match="annotation 2"):
        triptych.annotate([(ID, "text", "fine"), ("nosuch", "text", "x")], store=store)


def test_a_list_of_names_gives_a_list_of_results_and_a_wrong_name_pulls_none(tmp_path: Path) -> None:
    place = tmp_path / "store"
    with pytest.raises(triptych.UsageError, match="nosuch"):
        triptych.pull(["demo-speech", "nosuch"], samples=1, store=place)
    assert not place.exists()
    results = triptych.pull(["demo-speech", "demo-av"], samples=1, store=place)
    assert [(each.dataset, each.stored) for each in results] == [("demo-speech", 1), ("demo-av", 1)]
    assert triptych.pull("demo-speech", samples=1, store=place).stored == 1
    assert triptych.plan("demo-speech", samples=3, store=place).wanted == 3


def test_results_have_short_reprs(store: Path, tmp_path: Path) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: triptych.export("unified", store=store),
        lambda: triptych.exports.show("unified", store=store),
        lambda: triptych.catalog.list()[0],
        lambda: triptych.catalog.show("librispeech"),
        lambda: triptych.validate(store=store),
        lambda: triptych.plan("demo-speech", samples=1, store=store),
        lambda: triptych.convert("unified", triptych.exports.path("unified", store=store), tmp_path / "out.jsonl"),
    ]
    for call in calls:
        assert len(repr(call())) < 500


def test_reports_from_python(store: Path, tmp_path: Path) -> None:
    assert triptych.report(tmp_path / "report", store=store).is_file()


def test_a_set_of_datasets_is_chosen_by_one_thing() -> None:
    for given in ({}, {"panel": "S1", "preset": "calibration"}, {"preset": "nosuch"}, {"panel": "S9"}):
        with pytest.raises(triptych.UsageError):
            triptych.pull_set(**given)  # type: ignore[arg-type]
