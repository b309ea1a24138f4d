"""Files that are merged, drawn from and split, and the order of rows in a file."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import pytest
import triptych
from hypothesis import given, settings
from hypothesis import strategies as st
from support import imported
from support.conversions import UNIFIED, cli, lines, names, rows
from support.training import user

# ---- merge and split


def test_merged_lines_never_run_together(here: Path) -> None:
    Path("1.jsonl").write_text('{"a":1}\n{"a":2}')
    Path("2.jsonl").write_text('{"a":3}\n')
    assert cli("convert", "merge", "1.jsonl", "2.jsonl", "-o", "m.jsonl")[0] == 0
    assert lines("m.jsonl") == [{"a": 1}, {"a": 2}, {"a": 3}]


def test_rows_are_merged_as_they_are_but_the_same_one_once(here: Path) -> None:
    odd = {"id": "é", "text": "", "nested": {"x": [1.5, None]}, "audio": "relative.wav"}
    rows("1.jsonl", odd, {"id": "b", "text": "1"})
    Path("2.json").write_text(json.dumps([odd, {"id": "b", "text": "2"}, {"id": "c"}]))
    code, out = cli("convert", "merge", "1.jsonl", "2.json", "m.jsonl")
    assert code == 1 and "2.json:2: duplicate_id" in out and "1 duplicate" in out
    assert lines("m.jsonl") == [odd, {"id": "b", "text": "1"}, {"id": "c"}]


def test_rows_of_another_kind_are_not_merged_in(here: Path) -> None:
    rows("1.jsonl", UNIFIED)
    rows("2.jsonl", {"messages": [user("q")]})
    code, out = cli("convert", "merge", "1.jsonl", "2.jsonl", "-o", "m.jsonl")
    assert code == 1 and "2.jsonl:1: other_format" in out and len(lines("m.jsonl")) == 1


def many(folder: Path, name: str, count: int) -> Path:
    return imported.table(folder / f"{name}.jsonl", [{"id": f"{name}{n}", "text": "t"} for n in range(count)])


def test_the_first_n_of_a_merge_are_the_first_n(here: Path) -> None:
    many(here, "a", 5), many(here, "b", 5)
    assert cli("convert", "merge", "a.jsonl", "b.jsonl", "-o", "m.jsonl", "--max-samples", "6")[0] == 0
    assert [row["id"] for row in lines("m.jsonl")] == ["a0", "a1", "a2", "a3", "a4", "b0"]


@given(seed=st.integers(0, 2**31), count=st.integers(1, 12), sizes=st.lists(st.integers(1, 6), min_size=2, max_size=4))
@settings(max_examples=25, deadline=None)
def test_a_draw_is_the_same_whatever_the_order_of_the_files_and_grows_by_adding(
    seed: int, count: int, sizes: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("draw")
    files = [many(folder, "abcd"[n], size) for n, size in enumerate(sizes)]

    def drawn(paths: list[Path], number: int) -> set[str]:
        result = triptych.convert("merge", paths, folder / "m.jsonl", max_samples=number, seed=seed, force=True)
        assert result.written == min(number, sum(sizes)) and result.read == sum(sizes)
        return {row["id"] for row in lines(folder / "m.jsonl")}

    assert drawn(files, count) == drawn(files[::-1], count) <= drawn(files, count + 1)


def test_a_draw_takes_good_rows_only(here: Path) -> None:
    rows("in.jsonl", *({**UNIFIED, "id": str(n), "text": "t" if n % 2 else ""} for n in range(10)))
    result = triptych.convert("unified", "in.jsonl", "out.jsonl", max_samples=4, seed=3)
    assert (result.written, result.reasons) == (4, {"no_answer": 5, "not_drawn": 1})


def test_a_file_is_split_by_what_its_rows_state_or_hold(here: Path) -> None:
    rows("all.jsonl", {"id": "1", "modality": "audio", "audio": "/a"}, {"id": "2", "modality": "mixed", "video": "/v"},
         {"id": "3", "video": "/v"}, {"id": "4", "audio": "/a", "video": "/v"}, {"id": "5", "text": "t"},
         {"id": "6", "modality": "smell"})  # fmt: skip
    code, out = cli("convert", "split", "all.jsonl", "-o", "parts")
    assert code == 1 and "all.jsonl:6: unknown_modality" in out
    found = {name: [row["id"] for row in lines(f"parts/{name}")] for name in names("parts")}
    assert found == {"audio.jsonl": ["1"], "mixed.jsonl": ["4", "2"], "text.jsonl": ["5"], "video.jsonl": ["3"]}
    assert cli("convert", "split", "all.jsonl", "-o", "parts")[0] == 2


# ---- the file


def test_a_file_of_many_modalities_begins_with_rows_that_fill_every_column(here: Path) -> None:
    sounds = [{"id": f"s{n}", "text": "t", "audio": "a.wav"} for n in range(5)]
    rows("in.jsonl", *sounds[:3], {"id": "v", "text": "t", "video": "v.mp4"}, *sounds[3:])
    triptych.convert("unified", "in.jsonl", "out.jsonl")
    assert [row["id"] for row in lines("out.jsonl")] == ["s0", "v", "s1", "s2", "s3", "s4"]
    rows("both.jsonl", *sounds, {"id": "m", "text": "t", "video": "v.mp4", "audio": "b.wav"})
    triptych.convert("unified", "both.jsonl", "both-out.jsonl")
    assert [row["id"] for row in lines("both-out.jsonl")] == ["m", "s0", "s1", "s2", "s3", "s4"]
    rows("one.jsonl", *sounds)
    triptych.convert("unified", "one.jsonl", "one-out.jsonl")
    assert [row["id"] for row in lines("one-out.jsonl")] == ["s0", "s1", "s2", "s3", "s4"]


@given(kinds=st.lists(st.sampled_from(["audio", "video", "mixed", "text"]), min_size=1, max_size=12))
@settings(max_examples=15, deadline=None)
def test_moving_rows_forward_loses_none(kinds: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("witness")
    media = {"audio": {"audio": "/a.wav"}, "video": {"video": "/v.mp4"}, "text": {}}
    media["mixed"] = media["audio"] | media["video"]
    imported.table(folder / "in.jsonl", [{"id": str(n), "text": "t", **media[kind]} for n, kind in enumerate(kinds)])
    triptych.convert("unified", folder / "in.jsonl", folder / "out.jsonl", to="unified", files=False)
    found = lines(folder / "out.jsonl")
    assert sorted(int(row["id"]) for row in found) == list(range(len(kinds)))
    used = {column for row in found for column in ("audio", "video") if row[column]}
    assert {column for row in found[:2] for column in ("audio", "video") if row[column]} == used


@pytest.mark.thorough
def test_memory_is_flat_whatever_the_size_of_the_file(here: Path) -> None:
    text = "x" * 6000
    with Path("in.json").open("w") as file:
        file.write("[")
        for n in range(2000):
            file.write(("," if n else "") + json.dumps({**UNIFIED, "id": str(n), "text": text}) + "\n")
        file.write("]")
    triptych.convert("unified", rows("warm.jsonl", UNIFIED), "warm-out.jsonl")
    tracemalloc.start()
    result = triptych.convert("unified", "in.json", "out.jsonl")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert result.written == 2000 and Path("in.json").stat().st_size > 12_000_000
    assert peak < 6_000_000
