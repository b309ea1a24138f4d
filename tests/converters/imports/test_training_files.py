"""The files that training rows come in, and exports that come back."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import triptych
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import imported
from support.stores import check_accounts, check_media, select
from support.training import Row, assistant, paths, read, system, user
from triptych.converters.candidate import Candidate, Rejection
from triptych.converters.views import ViewOptions, get_view
from triptych.converters.views.batch import RowMaker

# ---- files

ROWS = [{"question": f"q{n}", "answer": f"a{n}"} for n in range(5)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("lines.jsonl", "\n".join(map(json.dumps, ROWS))),
        ("lines.json", "\n".join(map(json.dumps, ROWS)) + "\n"),
        ("array.json", json.dumps(ROWS)),
        ("array.jsonl", json.dumps(ROWS, indent=2)),
        ("bom.json", "\ufeff" + json.dumps(ROWS, indent=1)),
        ("wrapped.json", json.dumps({"version": 1, "data": ROWS}, indent=1)),
        ("table.csv", "question,answer\n" + "".join(f"{r['question']},{r['answer']}\n" for r in ROWS)),
    ],
)
def test_lines_and_arrays_are_told_apart_by_how_they_start(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    found = read("qa", tmp_path / name)
    assert [item.fields["question"] for item in found if isinstance(item, Candidate)] == [r["question"] for r in ROWS]


def test_one_bad_element_of_an_array_is_told_with_its_line_and_stops_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[\n{"question": "q", "answer": "a"},\n7,\n{"question": "r", "answer": "b"}\n]\n')
    first, second, third = read("qa", path)
    assert isinstance(first, Candidate) and isinstance(third, Candidate)
    assert isinstance(second, Rejection) and second.reason == "not_an_object" and f"{path}:3" in second.detail


@pytest.mark.parametrize("tail", ['{"question": "c', "", '{"question": "r"} junk]', '{"question": "r"}] []'])
def test_an_array_that_breaks_off_gives_what_came_before_and_says_where(tail: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[\n{"question": "q", "answer": "a"},\n' + tail)
    found = read("qa", path)
    assert isinstance(found[0], Candidate) and found[0].fields["question"] == "q"
    last = found[-1]
    assert isinstance(last, Rejection) and last.reason == "bad_json" and last.damaged and f"{path}:" in last.detail


@given(
    rows=st.lists(st.dictionaries(st.text(max_size=8), st.text(max_size=300) | st.integers() | st.none(), max_size=3)),
    indent=st.sampled_from([None, 2]),
)
@settings(max_examples=20, deadline=None)
def test_an_array_read_in_pieces_is_what_json_reads(
    rows: list[Row], indent: int | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from triptych.converters.readers.training.records import open_rows
    from triptych.shards import json_stream

    path = tmp_path_factory.mktemp("arrays") / "a.json"
    path.write_text(json.dumps(rows, indent=indent, ensure_ascii=False), encoding="utf-8", newline="")
    whole = json_stream._CHUNK
    json_stream._CHUNK = 7
    try:
        found = [item.values if not isinstance(item, Rejection) else None for item in open_rows(path)]
    finally:
        json_stream._CHUNK = whole
    assert found == [{key: value if value != "" else None for key, value in row.items()} for row in rows]


WORDS = ["<audio>", "<audio>/a</audio>", "user", "assistant", "[1]", "[[", "/a.wav", "\x00", "~nobody/a", "a|", "B"]
PART_KEYS = ["role", "from", "content", "value", "type", "text", "audio", "audio_url", "url", "human", "gpt"]
CELLS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from(WORDS),
    lambda cell: st.lists(cell, max_size=3) | st.dictionaries(st.sampled_from(PART_KEYS), cell, max_size=3),
    max_leaves=6,
)
COLUMNS = [
    "id", "text", "audio", "audios", "video", "modality", "messages", "conversations", "system", "solution",
    "rejected_response", "rejected_messages", "rejected_audios", "chosen", "rejected", "prompt", "completion",
    "instruction", "input", "output", "history", "question", "answer", "choices", "term_chunk_audio",
    "is_no_term_chunk", "split", "start_s", "end_s", "words", "labels", "task",
]  # fmt: skip


@given(st.lists(st.dictionaries(st.sampled_from(COLUMNS), CELLS, max_size=6), min_size=1, max_size=4))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@pytest.mark.parametrize("format", ["unified", "msswift", "conversation", "alpaca", "qa", "termchunks"])
def test_any_row_becomes_a_sample_or_a_rejection(
    format: str, tmp_path_factory: pytest.TempPathFactory, given_rows: list[Row]
) -> None:
    path = imported.table(tmp_path_factory.mktemp("any") / "any.jsonl", given_rows)
    found = read(format, path)
    assert len(found) == len(given_rows)
    for item in found:
        if isinstance(item, Rejection):
            assert item.reason and str(path) in item.detail
        else:
            assert item.source_id and all(kind in ("audio", "video", "image") for kind, _ in item.media)


# ---- round trips


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="<>\x00"), min_size=1, max_size=40).filter(
    lambda text: text.strip() and not text.startswith("\n")
)


@st.composite
def conversations(draw: st.DrawFn) -> list[Row]:
    """Turns that alternate and end in an answer, perhaps behind a system turn."""
    turns = [system(draw(TEXTS))] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(1, 3))):
        turns += [user(draw(TEXTS)), assistant(draw(TEXTS))]
    return turns


def shown(samples: list[Row], task: str) -> list[Row]:
    """What the view `msswift` shows of samples: of all at once, since DuckDB binds its statement for 0.1 s."""
    made = _maker(task).rows(samples)
    assert {each.skip for each in made} == {None}
    return [each.row for each in made]


@cache
def _maker(task: str) -> RowMaker:
    return RowMaker(get_view("msswift"), ViewOptions(task=task, text="raw"))


def read_again(rows: list[Row], folder: Path) -> list[Candidate]:
    """The samples of the rows of an export, in order."""
    found = read("msswift", imported.table(folder / "again.jsonl", rows))
    assert len(found) == len(rows)
    return [item for item in found if isinstance(item, Candidate)]


MANY: Row = {"min_size": 8, "max_size": 8}


@given(given_samples=st.lists(st.tuples(conversations(), st.integers(0, 3), st.integers(0, 2)), **MANY))
@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@pytest.mark.parametrize("task", ["sft", "grpo"])
def test_what_msswift_shows_of_a_sample_comes_back_and_shows_the_same(
    given_samples: list[tuple[list[Row], int, int]], task: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    samples = [
        {
            "id": f"x{number}", "modality": "audio" if audios else "text", "messages": messages, "task": "qa",
            "audio_paths": [f"/a{n}.wav" for n in range(audios)] or None,
            "image_paths": [f"/i{n}.png" for n in range(images)] or None, "language": "en",
        }
        for number, (messages, audios, images) in enumerate(given_samples)
    ]  # fmt: skip
    rows = shown(samples, task)
    again = []
    for sample, found in zip(samples, read_again(rows, tmp_path_factory.mktemp("again")), strict=True):
        again.append({**sample, "messages": found.fields["messages"]})
        again[-1]["audio_paths"] = [name for kind, name in paths(found) if kind == "audio"] or None
        again[-1]["image_paths"] = [name for kind, name in paths(found) if kind == "image"] or None
        if len([m for m in sample["messages"] if m["role"] == "user"]) == 1:
            assert found.fields["question"] == sample["messages"][-2]["content"]
    assert shown(again, task) == rows


QUESTIONS = st.fixed_dictionaries(
    {
        "question": TEXTS.map(str.strip).filter(bool),
        "answer": TEXTS,
        "choices": st.none()
        | st.lists(st.text("abcdef gh", min_size=1, max_size=8).filter(str.strip), min_size=1, max_size=4),
        "language": st.sampled_from(["en", "zh"]),
    }
)


@given(asked=st.lists(QUESTIONS, **MANY))
@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
def test_question_options_and_answer_come_back_from_an_export(
    asked: list[Row], tmp_path_factory: pytest.TempPathFactory
) -> None:
    common = {"modality": "audio", "audio_paths": ["/a.wav"], "task": "qa"}
    samples = [{"id": f"x{number}", **common, **each} for number, each in enumerate(asked)]
    found = [item.fields for item in read_again(shown(samples, "sft"), tmp_path_factory.mktemp("qa"))]
    keys = ("question", "answer", "choices")
    assert [[each.get(key) for key in keys] for each in found] == [[each[key] for key in keys] for each in asked]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with speech, video, both, pictures and text, exported as unified and msswift and brought in again."""
    folder = tmp_path_factory.mktemp("trip")
    rows: list[Row] = imported.speech_rows(folder / "in", 3)
    rows.append({"id": "v", "video": str(imported.video(folder / "v.mp4", seed=1)), "text": "a ball", "language": "en"})
    sounding = str(imported.video(folder / "m.mp4", seed=2, with_sound=True))
    rows.append({"id": "m", "video": sounding, "audio": rows[0]["audio"], "text": "both", "language": "en"})
    rows.append({"id": "pair", "audio": [rows[1]["audio"], rows[2]["audio"]], "question": "Same?", "answer": "No"})
    store = imported.bring_in(folder / "store", "first", rows, folder)
    triptych.validate(store=store)
    for view, task in (("unified", None), ("msswift", "sft"), ("msswift", "grpo")):
        made = triptych.export(view, task=task, dataset="first", store=store)
        name = f"{view}-{task}" if task else view
        result = triptych.import_data(view, made.version.data, name=name, store=store)
        assert not result.account.rejected and result.account.kept == made.counts["written"]
    return store


@pytest.mark.parametrize("name", ["unified", "msswift-sft", "msswift-grpo"])
def test_the_parquet_of_an_export_reads_like_its_lines(published: Path, name: str) -> None:
    (data,) = (published / "exports" / name).glob("v1/data.jsonl")
    format = name.partition("-")[0]
    by_lines, by_table = (
        {item.source_id: (item.fields, paths(item)) for item in read(format, path) if isinstance(item, Candidate)}
        for path in (data, data.with_suffix(".parquet"))
    )
    assert by_lines and by_lines == by_table


MEDIA_SQL = "audio.sha256 as audio, video.sha256 as video, [m.sha256 for m in more_media] as more"


@pytest.mark.parametrize("name", ["unified", "msswift-sft", "msswift-grpo"])
def test_media_of_an_export_come_back_byte_for_byte(published: Path, name: str) -> None:
    sql = "select replace(id, '{}/all/first/', 'first/') as id, {} from samples where dataset = '{}' order by id"
    again = {row.pop("id"): row for row in select(published, sql.format(name, MEDIA_SQL, name))}
    first = {row.pop("id"): row for row in select(published, sql.format("first", MEDIA_SQL, "first"))}
    assert again and again == {key: first[key] for key in again}
    check_media(published)
    check_accounts(published)


def test_fields_of_a_unified_export_come_back(published: Path) -> None:
    sql = "select id, text, modality, panel from samples where dataset = '{}' order by id"
    again = select(published, sql.format("unified"))
    first = [row for row in select(published, sql.format("first")) if not row["id"].endswith("pair")]
    assert [{**row, "id": f"unified/all/{row['id']}"} for row in first] == again


@pytest.mark.parametrize("task", ["sft", "grpo"])
def test_an_export_of_what_came_back_has_the_same_rows(published: Path, task: str) -> None:
    def rows(dataset: str, prefix: str, **options: Any) -> list[Row]:
        made = triptych.export(
            "msswift", task=task, dataset=dataset, name=f"{dataset}-again", store=published, **options
        )
        found = imported.read_lines(made.version.data)
        return sorted(({**row, "id": row["id"].removeprefix(prefix)} for row in found), key=lambda row: row["id"])

    back = f"msswift-{task}"
    assert rows(back, f"{back}/all/", text="raw") == rows("first", "")
