"""Rows for calibration: files by modality whose every prefix is balanced by tokens over the strata."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
import triptych
from hypothesis import given, settings
from hypothesis import strategies as st
from support.imported import bring_in, noise, read_lines, sound, table, video
from support.stores import cli
from triptych.converters.budget.limits import Limits
from triptych.converters.budget.rows import _tokenizer
from triptych.converters.composition.balanced_order import STRATUM, arrange, choose_first
from triptych.converters.views import VIEWS
from triptych.errors import UsageError
from triptych.trainers.reap.scores.calibration import Source
from triptych.trainers.reap.scores.export_command import export_command, name_of
from triptych.validators.formats import FORMATS, validate_file

pytest.importorskip("tiktoken", reason="the extra budgets is not installed")

TEXTS = ("a", "some more words", "many more words than any other row has, by far")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two datasets of sound, one in two languages, films with and without sound, and a text."""
    folder = tmp_path_factory.mktemp("calibration")
    clips = [str(sound(folder / f"{n}.flac", noise(0.1 + 0.3 * (n % 3), seed=n))) for n in range(9)]
    large = [{"id": f"l{n}", "audio": clips[n], "text": TEXTS[n % 3], "language": "en"} for n in range(9)]
    small = [{"id": f"s{n}", "audio": clips[n], "text": "short", "language": language}
             for n, language in enumerate(("de", "de", "zh"))]  # fmt: skip
    films = [{"id": f"f{n}", "video": str(video(folder / f"{n}.mp4", seed=n, with_sound=n % 2 == 0)),
              "modality": "video" if n % 2 else "mixed", "captions": ["a film"], "task": "captioning",
              "language": "en"} for n in range(2)]  # fmt: skip
    small.append({"id": "words", "modality": "text", "question": "Who?", "answer": "Ann."})
    made = folder / "store"
    for name, rows in {"large": large, "small": small, "films": films}.items():
        bring_in(made, name, rows, folder)
    return made


def strata(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    return [tuple(row[name] for name in STRATUM) for row in rows]


def check_balanced(rows: list[dict[str, Any]]) -> None:
    """At every prefix the tokens of strata that still have rows differ by no more than the largest row."""
    left, had, largest = Counter(strata(rows)), Counter[tuple[str, ...]](), max(row["tokens"] for row in rows)
    for row, stratum in zip(rows, strata(rows), strict=True):
        left[stratum] -= 1
        had[stratum] += row["tokens"]
        open_ = [had[each] for each, count in left.items() if count]
        assert not open_ or max(open_) - min(open_) <= largest


def test_the_next_command_prunes_with_the_rows_of_each_modality(store: Path) -> None:
    out = cli("export", "calibration", "--store", store).stdout
    of = "--audio calibration@v1 --video calibration@v1 --mixed calibration@v1"
    assert f"prune: triptych prune --model MODEL {of} --output pruned --store {store}\n" in out
    out = cli("export", "calibration", "--dataset", "large", "--name", "large", "--store", store).stdout
    assert "--model MODEL --audio large@v1 --output pruned" in out and "train:" not in out


def test_each_file_holds_the_rows_of_a_modality_in_the_order_of_all(store: Path) -> None:
    result = triptych.export("calibration", store=store)
    folder, rows = result.version.path, list(read_lines(result.version.data))
    for modality, count in (("audio", 12), ("video", 1), ("mixed", 1)):
        own = list(read_lines(folder / f"{modality}.jsonl"))
        assert own == [row for row in rows if row["modality"] == modality] and len(own) == count
        check_balanced(own)
        assert not list(validate_file(folder / f"{modality}.jsonl", "calibration"))
    check_balanced(rows)
    assert result.version.manifest["counts"] == {"no_sound_or_video": 1, "written": 14}
    budget = pq.read_table(folder / "budget.parquet").to_pylist()
    assert [row["tokens"] for row in rows] == [row["tokens"] for row in budget] and budget[0]["model"] == "qwen3-omni"
    heard = next(row for row in rows if row["id"].endswith("/l2"))
    assert heard["tokens"] == heard["audio_tokens"] + heard["text_tokens"] and heard["language"] == "en"
    assert [part["type"] for part in heard["messages"][0]["content"]] == ["audio", "text"]


def test_the_manifest_counts_each_stratum_and_a_stratum_that_runs_out_is_told(store: Path) -> None:
    result = triptych.export("calibration", store=store)
    audio = result.version.manifest["certificate"]["files"]["audio.jsonl"]
    rows = list(read_lines(result.version.path / "audio.jsonl"))
    counted = {(each["dataset"], each["language"], each["task"]): (each["rows"], each["tokens"])
               for each in audio["strata"]}  # fmt: skip
    assert {name: rows for name, (rows, _) in counted.items()} == {
        ("large", "en", "asr"): 9, ("small", "de", "asr"): 2, ("small", "zh", "asr"): 1,
    }  # fmt: skip
    assert sum(tokens for _, tokens in counted.values()) == audio["tokens"] == sum(row["tokens"] for row in rows)
    least, had, fair = min(tokens for _, tokens in counted.values()), Counter[tuple[str, ...]](), 0
    for row, stratum in zip(rows, strata(rows), strict=True):
        fair += had[stratum] <= least
        had[stratum] += row["tokens"]
    assert audio["balanced_rows"] == fair < audio["rows"] == 12
    told = f"the first {fair} are balanced over all 3 strata: then its 1 of small zh asr are used up"
    assert any(told in warning for warning in result.warnings), result.warnings


def test_the_first_rows_of_strata_and_files_are_taken_and_the_others_counted(store: Path) -> None:
    whole = list(read_lines(triptych.export("calibration", store=store).version.data))
    result = triptych.export("calibration", per_stratum=2, per_file=4, store=store, name="few")
    assert result.version.manifest["counts"] == {
        "no_sound_or_video": 1, "over_file": 1, "over_stratum": 7, "written": 6
    }  # fmt: skip
    rows = list(read_lines(result.version.data))
    assert rows == [row for row in whole if row in rows]
    check_balanced(rows)
    assert result.version.manifest["certificate"]["files"]["audio.jsonl"]["balanced_rows"] == 4
    assert not any("balanced" in warning for warning in result.warnings)  # a prefix has not run out of anything


def test_the_order_does_not_depend_on_that_in_the_store(store: Path, tmp_path: Path) -> None:
    turned = bring_in(tmp_path / "store", "small", list(read_lines(store.parent / "small.jsonl"))[::-1], tmp_path)
    ids = [[row["id"] for row in read_lines(triptych.export("calibration", store=each).version.path / "audio.jsonl")
            if row["dataset"] == "small"] for each in (store, turned)]  # fmt: skip
    assert ids[0] == ids[1] and len(ids[0]) == 3


@pytest.mark.parametrize(("modality", "datasets"), [
    ("mixed", ()), pytest.param("audio", ("small", "large"), marks=pytest.mark.thorough),
    pytest.param("video", ("films",), marks=pytest.mark.thorough),
    pytest.param("text", ("small",), marks=pytest.mark.thorough),
])  # fmt: skip
def test_the_line_that_pruning_tells_makes_rows_of_a_modality(
    store: Path, modality: str, datasets: tuple[str, ...]
) -> None:
    made = cli(*shlex.split(export_command(modality, datasets=datasets, rows=3))[1:], "--store", store)
    assert made.returncode == 0, made.stderr
    source = Source.open(modality, name_of(modality), store=store, allow_held_out=False)
    assert all(each.row is not None for each in source.rows())


def test_a_video_whose_sound_is_heard_in_it_is_a_row_of_both(tmp_path: Path) -> None:
    """Its sample is called `video`: its row would be refused among videos, and missed among rows of both."""
    films = [{"id": f"f{n}", "video": str(video(tmp_path / f"{n}.mp4", seed=n, with_sound=n == 0)),
              "captions": ["a film"], "task": "captioning", "language": "en"} for n in range(2)]  # fmt: skip
    store = bring_in(tmp_path / "store", "films", films, tmp_path)
    result = triptych.export("calibration", av="in-video", store=store)
    assert result.version.manifest["counts"] == {"silent_video": 1, "written": 1}
    (row,) = read_lines(result.version.path / "mixed.jsonl")
    assert row["modality"] == "mixed" and row["audio_tokens"] > 0 and not (result.version.path / "video.jsonl").exists()
    assert not list(validate_file(result.version.path / "mixed.jsonl", "calibration"))


def test_a_version_is_moved_and_made_again(store: Path) -> None:
    version = triptych.export("calibration", store=store).version
    assert {"audio.jsonl", "video.jsonl", "mixed.jsonl", "budget.parquet"} <= version.manifest["files"].keys()
    moved = triptych.exports.relocate(version.reference, "/elsewhere", store=store)
    here, there = ((each.path / "mixed.jsonl").read_text(encoding="utf-8") for each in (version, moved))
    assert there == here.replace(f"{store}/", "/elsewhere/") != here
    for name in version.manifest["files"]:
        (version.path / name).unlink()
    assert triptych.exports.rebuild(version.reference, store=store).restored == list(version.manifest["files"])


@pytest.mark.parametrize("view", ["calibration", "features"])
def test_a_conversion_cannot_make_what_needs_a_store(view: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"Rows of {view} are not made of a file's rows alone"):
        triptych.convert("jsonl", tmp_path / "a.jsonl", tmp_path / "b.jsonl", to=view)


def test_without_the_vocabulary_nothing_is_balanced(monkeypatch: pytest.MonkeyPatch) -> None:
    view = VIEWS["calibration"]
    limits = Limits.of(view.model, None, None, None, None, required=view.model is not None)
    assert limits is not None and "tokens IS NULL THEN 'unknown_tokens'" in limits.outcome_sql()
    monkeypatch.setattr("triptych.shards.budgets.text.VOCABULARY", ("no_such_package", "qwen.tiktoken"))
    with pytest.raises(UsageError, match="is in no_such_package, which is not installed"):
        _tokenizer(limits)


ROWS = st.lists(st.tuples(st.sampled_from(["audio", "video"]), st.sampled_from("ab"), st.sampled_from(["en", "zh"]),
                          st.integers(1, 400)), min_size=1, max_size=60)  # fmt: skip


@settings(max_examples=10, deadline=None)
@given(made=ROWS, per_stratum=st.none() | st.integers(1, 9), per_file=st.none() | st.integers(1, 20))
def test_every_prefix_of_every_choice_is_balanced(
    made: list[tuple[str, str, str, int]], per_stratum: int | None, per_file: int | None
) -> None:
    listed = ", ".join(f"('{n}', '{m}', '{d}', '{language}', 'asr', {t}::BIGINT, NULL::VARCHAR)"
                       for n, (m, d, language, t) in enumerate(made))  # fmt: skip
    with duckdb.connect(":memory:", config={"threads": 1}) as connection:
        connection.execute(f"CREATE TABLE rows AS FROM (VALUES {listed}) t(id, {', '.join(STRATUM)}, tokens, _outcome)")
        order = "sha256(id)"

        def arranged() -> list[dict[str, Any]]:
            sql = f"SELECT id, {', '.join(STRATUM)}, tokens FROM rows WHERE _outcome IS NULL ORDER BY {arrange(order)}"
            return connection.sql(sql).to_arrow_table().to_pylist()  # type: ignore[no-any-return]

        whole = arranged()
        check_balanced(whole)
        if left_out := choose_first(connection, {"per_stratum": per_stratum, "per_file": per_file}, order):
            connection.execute(f"UPDATE rows SET _outcome = reason FROM ({left_out}) o WHERE o.id = rows.id")
        taken = arranged()
    assert taken == [row for row in whole if row in taken]
    for modality in ("audio", "video"):
        own = [row for row in taken if row["modality"] == modality]
        kept = Counter[tuple[str, ...]]()
        expected = []
        for row in (each for each in whole if each["modality"] == modality):
            kept[tuple(row[name] for name in STRATUM)] += 1
            if kept[tuple(row[name] for name in STRATUM)] <= (per_stratum or 99):
                expected.append(row)
        assert own == expected[: per_file or 99]
        if own:
            check_balanced(own)


GOOD = {"id": "a", "messages": [{"role": "user", "content": [{"type": "audio", "audio": "/a.wav"}]},
                                {"role": "assistant", "content": "x"}],
        "modality": "audio", "dataset": "d", "language": "en", "task": "asr", "tokens": 5}  # fmt: skip


@pytest.mark.parametrize(("change", "code"), [
    ({}, None), ({"language": ""}, "no_stratum"), ({"modality": "text"}, "no_stratum"),
    ({"modality": "video"}, "other_media"), ({"tokens": 0}, "no_tokens"), ({"tokens": None}, "no_tokens"),
    ({"messages": None}, "no_messages"),
])  # fmt: skip
def test_a_broken_row_is_named(change: dict[str, Any], code: str | None) -> None:
    found = {finding.code for finding in FORMATS["calibration"].Rows(files=False).check(1, GOOD | change)}
    assert found == set() if code is None else code in found


def test_a_file_in_another_order_is_told_at_its_first_row(tmp_path: Path) -> None:
    rows = [GOOD | {"id": f"{dataset}{n}", "dataset": dataset} for dataset in "ab" for n in range(4)]
    found = list(validate_file(table(tmp_path / "audio.jsonl", rows), "calibration", files=False))
    assert [(finding.code, finding.row) for finding in found] == [("unbalanced", 2)]
    assert "10 tokens apart; the largest row has 5" in str(found[0])
