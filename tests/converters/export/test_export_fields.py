"""What trainers read survives import, export and conversion, and what a row cannot hold is counted by name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest
import triptych
from support import imported
from support.stores import cli, cli_json
from triptych.converters.export.content import read_content
from triptych.converters.export.result import ExportResult
from triptych.converters.spans import _SIDES
from triptych.converters.views.base import ViewOptions
from triptych.converters.views.left_out import FIELDS
from triptych.converters.views.prepare import create_macros
from triptych.errors import UsageError
from triptych.shards.store.database import session

Row = dict[str, Any]
TOOLS = '[{"type": "function", "function": {"name": "listen"}}]'


def user(content: str) -> Row:
    return {"role": "user", "content": content}


def assistant(content: str, **keys: Any) -> Row:
    return {"role": "assistant", "content": content, **keys}


DRAFTED = [user("<audio>What is heard?"), assistant("a draft", loss=False), user("Look again."),
           assistant("a tone", loss=True)]  # fmt: skip


def trainer_rows(sound: str) -> list[Row]:
    """Rows of MS-SWIFT that use its further fields, on one sound."""
    rows: list[Row] = [
        {"id": "drafts", "messages": DRAFTED, "channel": "drafts", "tools": json.loads(TOOLS)},
        {"id": "plain", "messages": [user("<audio>How loud?"), assistant("Not very.")], "snr": 3},
        {
            "id": "scaled",
            "messages": [user("<audio>Which?"), assistant("This.", loss_scale=0.5)],
            "objects": {"ref": ["dog"], "bbox": [[1, 2.5, 3, 4]]},
            "label": True,
        },
        {
            "id": "thought",
            "messages": [user("<audio>What is said?"), assistant("<think>Five words.</think>\n\nin being so")],
        },
        {
            "id": "pair",
            "messages": [user("<audio>Who speaks?"), assistant("A woman.")],
            "rejected_response": "A dog.",
        },
    ]
    return [row | {"audios": [sound]} for row in rows]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`rows.jsonl` of MS-SWIFT, and `store` with its samples."""
    folder = tmp_path_factory.mktemp("fields")
    sound = imported.sound(folder / "a.wav", imported.noise(0.2))
    imported.table(folder / "rows.jsonl", trainer_rows(str(sound)))
    triptych.import_data("msswift", folder / "rows.jsonl", name="t", store=folder / "store")
    return folder


def export(folder: Path, view: str = "msswift", **options: Any) -> ExportResult:
    return triptych.export(view, store=folder / "store", **({"task": "sft"} if view == "msswift" else {}) | options)


def rows(path: Path) -> dict[str, Row]:
    """Rows of a file by the last part of their id, with their null columns."""
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {row["id"].rsplit("/", 1)[-1]: row for row in found}


def written(folder: Path, *, by: str, task: str, **options: Any) -> dict[str, Row]:
    """The rows of a task, published from the store or converted from the file."""
    if by == "export":
        return rows(export(folder, task=task, **options).version.data)
    out = folder / "converted.jsonl"
    triptych.convert("msswift", [folder / "rows.jsonl"], out, task=task, force=True, **options)
    return rows(out)


# ---- what rows carry


def test_a_weight_of_the_loss_that_json_lacks_takes_its_row_away(tmp_path: Path) -> None:
    """Messages of text alone have that one number, also where no tool is called."""
    sound = str(imported.sound(tmp_path / "a.wav", imported.noise(0.2)))
    given = [
        {"id": name, "audio": sound, "messages": [user("<audio>Which?"), assistant(name)],
         "message_keys": f'[{{}}, {{"loss_scale": {scale}}}]'}
        for name, scale in (("fine", "0.5"), ("endless", "1e999"))
    ]  # fmt: skip
    imported.bring_in(tmp_path / "store", "t", given, tmp_path)
    result = export(tmp_path)
    assert result.counts == {"written": 1, "not_finite": 1} and list(rows(result.version.data)) == ["fine"]


@pytest.mark.parametrize("by", ["export", "convert"])
def test_fields_that_ms_swift_reads_come_out_as_they_came_in(folder: Path, by: str) -> None:
    made = written(folder, by=by, task="sft")
    assert made["drafts"]["messages"] == DRAFTED
    assert made["plain"]["messages"] == [user("<audio>How loud?"), assistant("Not very.")]
    assert made["scaled"]["messages"][1] == assistant("This.", loss_scale=0.5)
    assert made["drafts"]["channel"] == "drafts" and made["plain"].get("channel") is None
    assert json.loads(made["drafts"]["tools"]) == json.loads(TOOLS)
    assert made["scaled"]["objects"] == {"ref": ["dog"], "bbox": [[1, 2.5, 3, 4]]}
    assert made["thought"]["messages"][1]["content"] == "<think>Five words.</think>\n\nin being so"


@pytest.mark.parametrize("by", ["export", "convert"])
def test_the_first_rows_have_every_key_that_a_loader_must_know(folder: Path, by: str) -> None:
    """A loader infers types from the first rows: a key of messages that comes later would stop it."""
    first = list(written(folder, by=by, task="sft").values())[:3]
    turns = [turn for row in first for turn in row["messages"]]
    assert {"loss", "loss_scale"} <= {key for turn in turns for key in turn}
    assert all(any(row.get(name) is not None for row in first) for name in ("tools", "objects", "channel"))


def test_a_channel_of_the_audio_is_no_channel_of_the_loss(tmp_path: Path) -> None:
    """Tables and manifests keep the number of a recording's channel in `extra`; only a trainer's row names its loss."""
    left = imported.noise(0.2)
    stereo = imported.sound(tmp_path / "two.wav", np.column_stack([left, left[::-1]]))
    mono = imported.sound(tmp_path / "one.wav", left)
    given = [(stereo, 0), (stereo, "B"), (mono, 0), (mono, "average"), (mono, "telephone")]
    table = [
        {"id": f"{n}", "audio": str(path), "text": "one two", "channel": channel}
        for n, (path, channel) in enumerate(given)
    ]
    table[-1] |= {"messages": DRAFTED, "channel": "0"}
    made = export(imported.bring_in(tmp_path / "store", "t", table, tmp_path).parent)
    assert {name: row.get("channel") for name, row in rows(made.version.data).items()} == {
        "0": None, "1": None, "2": None, "3": None, "4": "0"
    }  # fmt: skip
    assert not any("channel" in warning for warning in made.warnings)
    assert "channel" not in made.version.manifest["left_out"]


def test_every_name_of_an_audio_channel_is_told_from_a_channel_of_the_loss() -> None:
    with session() as connection:
        create_macros(connection, ViewOptions())
        for name in [*_SIDES, "0", "17", "[0, 1]", " A "]:
            assert connection.execute("SELECT loss_channel_of(?, NULL)", [name]).fetchone() == (None,)
        assert connection.execute("SELECT loss_channel_of('chat', NULL)").fetchone() == ("chat",)


def test_the_first_rows_of_a_unified_file_have_every_key_of_extra(folder: Path) -> None:
    first = list(rows(export(folder, "unified").version.data).values())
    keys = {key for row in first for key in row["extra"] or ()}
    assert keys == {key for row in first[:3] for key in row["extra"] or ()}
    assert {"snr", "channel", "label"} <= keys


def test_a_file_has_only_the_fields_that_its_rows_use(folder: Path) -> None:
    data = export(folder, where="id like '%/plain'", name="plain").version.data
    assert list(rows(data)["plain"]) == ["id", "messages", "audios"]
    assert rows(data)["plain"]["messages"] == [user("<audio>How loud?"), assistant("Not very.")]
    assert pq.read_schema(data.with_suffix(".parquet")).names == ["id", "messages", "audios"]


@pytest.mark.parametrize("by", ["export", "convert"])
def test_a_solution_is_the_answer_without_its_reasoning(folder: Path, by: str) -> None:
    made = written(folder, by=by, task="grpo")
    assert (made["thought"]["solution"], made["thought"]["reasoning"]) == ("in being so", "Five words.")
    assert (made["drafts"]["solution"], made["drafts"]["task"]) == ("a tone", "chat")
    assert made["drafts"]["messages"] == DRAFTED[:3]
    dropped = written(folder, by=by, task="grpo", reasoning="drop")["thought"]
    assert dropped["solution"] == "in being so" and dropped.get("reasoning") is None


def test_unified_rows_keep_every_other_field_and_give_it_back(folder: Path, tmp_path: Path) -> None:
    data = export(folder, "unified").version.data
    made = rows(data)
    assert made["plain"]["extra"] == {"snr": "3"} and made["thought"]["extra"] is None
    assert made["drafts"]["extra"]["channel"] == "drafts"
    store = tmp_path / "store"
    triptych.import_data("unified", data, name="again", store=store)
    again = triptych.query("select extra from samples where id like '%/plain'", store=store).to_pylist()
    assert dict(again[0]["extra"]) == {"snr": "3"}


# ---- what rows leave out


def test_fields_without_a_place_in_a_row_are_counted_by_name(folder: Path) -> None:
    result = export(folder)
    assert result.left_out == {"label": 1, "rejected": 1, "snr": 1}
    assert result.version.manifest["left_out"] == result.left_out
    assert [warning for warning in result.warnings if "the field" in warning] == [
        f"1 row does not carry the field {name!r} of their sample: msswift --task sft has no place for it"
        for name in ("label", "rejected")
    ]
    assert "reasoning" in export(folder, reasoning="drop").left_out


def test_an_annotated_field_is_warned_of(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "store"
    shutil.copytree(folder / "store", place)
    identity = triptych.query("select id from samples where id like '%/thought'", store=place).to_pylist()[0]["id"]
    triptych.annotate([(identity, "review", "fine"), (identity, "speaker", "eva")], store=place)
    told = [line for line in export(place.parent).warnings if "the field" in line]
    assert [line.split("'")[1] for line in told] == ["label", "rejected", "review", "speaker"]
    assert not [line for line in export(place.parent, reasoning="drop").warnings if "'reasoning'" in line]


def test_the_command_line_says_what_rows_leave_out(folder: Path) -> None:
    done = cli("export", "msswift", "--task", "sft", "--store", folder / "store")
    assert "1 row does not carry the field 'label'" in done.stderr and "snr" not in done.stderr
    assert cli_json("export", "msswift", "--task", "sft", "--store", folder / "store")["left_out"]["rejected"] == 1
    done = cli("convert", "msswift", folder / "rows.jsonl", folder / "c.jsonl", "--task", "sft", "--force")
    assert "1 row does not carry the field 'rejected'" in done.stderr and "snr" not in done.stderr


def test_reasoning_has_no_place_in_a_solution(folder: Path) -> None:
    with pytest.raises(UsageError, match="GRPO"):
        export(folder, task="grpo", reasoning="think")
    with pytest.raises(UsageError, match="none"):
        export(folder, "unified", reasoning="drop")


def test_the_channel_of_a_sound_is_no_channel_of_the_loss(tmp_path: Path) -> None:
    sound = str(imported.sound(tmp_path / "a.wav", imported.noise(0.2)))
    told = [{"audio": sound, "text": "hello", "task": "asr", "channel": 0}]
    imported.bring_in(tmp_path / "store", "t", told, tmp_path)
    [made] = rows(export(tmp_path).version.data).values()
    assert list(made) == ["id", "messages", "audios"]


def test_a_column_of_the_corpus_is_not_counted_as_the_field_of_that_name() -> None:
    with duckdb.connect(":memory:") as connection:
        connection.execute("CREATE TABLE annotations (key VARCHAR, producer VARCHAR)")
        connection.execute(f"""
            CREATE TABLE rows AS SELECT {1 << FIELDS.index("text")} AS _left_out, ['text', 'room'] AS _extra_left_out,
                   NULL::VARCHAR AS _sound, NULL::VARCHAR AS _mode, NULL::VARCHAR AS _outcome""")
        assert read_content(connection).left_out == {"text": 1, "extra.text": 1, "room": 1}
