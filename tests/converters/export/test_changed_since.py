"""A sample that has changed since it was validated counts as unvalidated; annotations can be cleared; a linked
file that has changed is no longer its sample's."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import triptych
from support import imported
from support.stores import cli, one, select
from triptych.converters.export import identity
from triptych.errors import UsageError
from triptych.shards.store.annotations import DECIDING_KEYS, KNOWN_KEYS

FIRST = "speech/train/utt000"


@pytest.fixture(scope="module")
def validated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("validated")
    rows = imported.speech_rows(folder / "in", 2, task="asr", text="abc")
    place = imported.bring_in(folder / "store", "speech", rows, folder)
    triptych.validate(store=place, workers=1)
    return place


@pytest.fixture
def store(validated: Path, tmp_path: Path) -> Path:
    """A copy of two utterances, validated."""
    place = tmp_path / "store"
    shutil.copytree(validated, place)
    return place


def export(store: Path, **options: Any) -> Any:
    return triptych.export("unified", store=store, **options)


def changed(store: Path) -> int:
    """The rows that an export counts and warns of as changed; they are unvalidated, too."""
    result = export(store)
    warned = [warning for warning in result.warnings if "changed since they were validated" in warning]
    return int(warned[0].split()[0]) if warned else 0


def test_a_changed_fact_makes_the_verdict_stale_until_the_next_validate(store: Path) -> None:
    assert changed(store) == 0
    triptych.annotate(FIRST, "text", "word " * 400, store=store)
    assert changed(store) == 1
    assert export(store).version.manifest["unvalidated_rows"] == 1
    (result,) = triptych.validate(store=store, workers=1)
    assert (result.measured, result.rejected) == (1, 1)
    assert changed(store) == 0


def test_every_key_that_a_rule_or_a_reader_sees_counts() -> None:
    assert set(DECIDING_KEYS) == {*KNOWN_KEYS, "assigned_split"} - {"words", "phones"}


def test_alignments_and_keys_of_one_s_own_change_no_verdict(store: Path) -> None:
    words = [{"text": "a", "start_s": 0.0, "end_s": 0.1}]
    triptych.annotate([(FIRST, "words", words), (FIRST, "review", "fine")], store=store)
    assert changed(store) == 0
    triptych.annotate([(FIRST, "labels", ["dog"]), ("speech/train/utt001", "task", "captioning")], store=store)
    assert changed(store) == 2


def test_equal_bytes_of_changed_samples_are_warned_of_each_time(store: Path) -> None:
    first = triptych.export("msswift", task="sft", store=store)
    triptych.annotate(FIRST, "assigned_split", "train", store=store)
    for _ in range(2):
        again = triptych.export("msswift", task="sft", store=store)
        assert again.reused and again.version.reference == first.version.reference
        assert any("1 row has changed" in warning for warning in again.warnings)
    triptych.validate(store=store, workers=1)
    assert not any("have changed" in line for line in triptych.export("msswift", task="sft", store=store).warnings)


def test_a_row_updated_by_an_import_is_measured_and_decided_again(store: Path, tmp_path: Path) -> None:
    rows = imported.speech_rows(tmp_path / "in", 2, task="asr", text="abc")
    rows[0]["text"] = "word " * 400
    imported.bring_in(store, "speech", rows, tmp_path, on_conflict="update")
    assert changed(store) == 1
    (result,) = triptych.validate(store=store, workers=1)
    assert (result.measured, result.rejected) == (1, 1)


def test_a_corrected_sample_stays_out_until_it_is_decided_again(store: Path) -> None:
    triptych.annotate(FIRST, "text", "word " * 400, store=store)
    triptych.validate(store=store, workers=1)
    triptych.annotate(FIRST, "text", "abd", store=store)
    result = export(store)
    assert result.counts == {"written": 1, "rejected": 1}
    assert any("1 rejected sample has changed" in warning for warning in result.warnings)
    triptych.validate(store=store, workers=1)
    assert export(store).counts == {"written": 2}


def test_clearing_an_annotation_brings_back_the_corpus_s_value(store: Path) -> None:
    triptych.annotate([(FIRST, "text", "other"), (FIRST, "review", "fine"), (FIRST, "text", "last")], store=store)
    assert triptych.annotate([(FIRST, "text"), (FIRST, "review")], clear=True, store=store) == 2
    assert select(store, f"select text, extra from samples where id = '{FIRST}'") == [{"text": "abc", "extra": None}]
    assert one(store, "select count(*) from annotations") == 5
    triptych.annotate(FIRST, "text", "again", store=store)
    assert one(store, f"select text from samples where id = '{FIRST}'") == "again"
    done = cli("annotate", FIRST, "text", "--clear", "--store", store)
    assert (done.returncode, done.stdout) == (0, "1 annotation cleared\n")
    assert "cleared text" in cli("explain", FIRST, "--store", store).stdout


def test_only_an_annotation_that_is_there_can_be_cleared(store: Path, tmp_path: Path) -> None:
    triptych.annotate(FIRST, "text", "other", store=store)
    table = tmp_path / "clear.csv"
    table.write_text(f"id,key\n{FIRST},text\n{FIRST},txt\n")
    with pytest.raises(UsageError, match=r"no annotation 'txt' to clear\. Annotations: text") as caught:
        triptych.annotate(table, clear=True, store=store)
    assert f"{table}:3" in str(caught.value) and "did you mean text" in str(caught.value.hint)
    assert one(store, f"select text from samples where id = '{FIRST}'") == "other"
    with pytest.raises(UsageError, match="not a value"):
        triptych.annotate(FIRST, "text", "x", clear=True, store=store)


def test_a_linked_file_that_is_another_one_now_has_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its text would stand beside another sound; a file that was only touched is read again, and kept."""
    given = imported.speech_rows(tmp_path / "in", 4)
    first, second, third = (Path(row["audio"]) for row in given[:3])
    given.append({**given[0], "id": "span", "start_s": 0.02, "end_s": 0.08})
    store = imported.bring_in(tmp_path / "store", "speech", given, tmp_path, link=True)
    kept = first.read_bytes()
    first.write_bytes(kept[:-2] + bytes(each ^ 1 for each in kept[-2:]))  # of the same size
    second.write_bytes(second.read_bytes() + bytes(2))
    third.touch()
    for few in (10, 0):
        monkeypatch.setattr(identity, "_FEW_ROWS", few)
        result = triptych.export("unified", store=store, name=f"few-{few}")
        assert result.counts == {"written": 2, "missing_media": 3}
    first.write_bytes(kept)
    assert triptych.export("unified", store=store, name="whole").counts == {"written": 4, "missing_media": 1}


def test_of_two_files_that_one_linked_path_had_the_sample_of_the_first_has_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = imported.speech_rows(tmp_path / "in", 3)
    shared, other = Path(given[0]["audio"]), Path(given[1]["audio"])
    store = imported.bring_in(tmp_path / "store", "speech", given[:1], tmp_path, link=True)
    shared.write_bytes(other.read_bytes())
    again = [{**given[0], "id": "again"}, {**given[0], "id": "span", "start_s": 0.02, "end_s": 0.08}, given[2]]
    imported.bring_in(store, "speech", again, tmp_path, link=True)
    for few in (10, 0):
        monkeypatch.setattr(identity, "_FEW_ROWS", few)
        result = triptych.export("unified", store=store, name=f"few-{few}")
        assert result.counts == {"written": 3, "missing_media": 1}
        written = {row["id"] for row in imported.read_lines(result.version.path / "data.jsonl")}
        assert written == {f"speech/train/{name}" for name in ("again", "span", given[2]["id"])}
