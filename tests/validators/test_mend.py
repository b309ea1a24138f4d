"""Mended copies of files: what is put right, what is left, and that nothing else changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.imported import read_lines, table
from support.stores import cli
from triptych.errors import ProblemsFound, UsageError

A = "/data/a.wav"


def mended(format: str, row: dict[str, Any], folder: Path) -> tuple[dict[str, Any], list[str]]:
    file = table(folder / "x.jsonl", [row])
    summary = triptych.validate_file(format, file, fix=folder / "y.jsonl")
    (found,) = read_lines(folder / "y.jsonl")
    return found, [code for change in summary.changes for code in change.codes]


def chat(content: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}, {"role": "assistant", "content": "y"}]}


def turns(text: str) -> dict[str, Any]:
    return {"conversations": [{"from": "human", "value": text}, {"from": "gpt", "value": "y"}]}


MENDED: list[tuple[str, dict[str, Any], dict[str, Any], list[str]]] = [
    ("msswift", chat("<AUDIO>q") | {"audios": [A]}, chat("<audio>q") | {"audios": [A]}, ["tag_case"]),
    ("msswift", chat("q") | {"audios": [A]}, chat("<audio>q") | {"audios": [A]}, ["media_without_tag"]),
    ("msswift", chat("<video>q") | {"audios": [A], "videos": ["/data/v.mp4"]},
     chat("<audio><video>q") | {"audios": [A], "videos": ["/data/v.mp4"]}, ["media_without_tag"]),
    ("msswift", chat([{"type": "audio", "audio_url": A}]), chat([{"type": "audio", "audio": A}]),
     ["content_media_ignored"]),
    ("msswift", chat("<audio>q") | {"audios": ["file:///data/a%20b.wav"]},
     chat("<audio>q") | {"audios": ["/data/a b.wav"]}, ["unsupported_uri"]),
    ("msswift", {"messages": [{"role": "User", "content": "q"}, {"role": "assistant", "content": "y"}]}, chat("q"),
     ["unknown_role"]),
    ("msswift", chat([{"audio": A}, {"text": "q"}]),
     chat([{"audio": A, "type": "audio"}, {"text": "q", "type": "text"}]), ["content_part"]),
    ("msswift", {"messages": [*chat("q")["messages"][:1], {"role": "assistant", "content": "y", "loss_scale": "0.5"}]},
     {"messages": [*chat("q")["messages"][:1], {"role": "assistant", "content": "y", "loss_scale": 0.5}]},
     ["bad_loss_scale"]),
    ("msswift", chat("q") | {"chat_template_kwargs": '{"enable_thinking": false}'},
     chat("q") | {"chat_template_kwargs": {"enable_thinking": False}}, ["bad_settings"]),
    ("msswift", chat("<audio>q") | {"audios": [A, None]}, chat("<audio>q") | {"audios": [A]}, ["null_media"]),
    ("msswift", chat("<audio>q") | {"audios": [{"path": A, "bytes": None}]}, chat("<audio>q") | {"audios": [A]},
     ["media_type"]),
    ("msswift", chat("<audio>q") | {"audio": A, "audios": [A]}, chat("<audio>q") | {"audios": A}, ["key_collision"]),
    ("msswift", chat([{"type": "audio", "audio": A}]) | {"audios": [A]}, chat([{"type": "audio", "audio": A}]),
     ["content_media_conflict"]),
    ("llamafactory-sharegpt", turns("q") | {"audios": [A]}, turns("<audio>q") | {"audios": [A]}, ["media_count"]),
    ("llamafactory-alpaca", {"instruction": "q", "output": "a", "audios": [A]},
     {"instruction": "<audio>q", "output": "a", "audios": [A]}, ["media_count"]),
    ("conversation-qwen2-audio", turns("q") | {"audio": A}, turns("<audio>q") | {"audio": A}, ["media_count"]),
    ("messages-hf", chat([{"type": "text", "text": "q", "audio": None}]), chat([{"type": "text", "text": "q"}]),
     ["null_key"]),
    ("messages-hf", chat([{"type": "audio", "path": A}]), chat([{"type": "audio", "audio": A}]), ["medium_ignored"]),
    ("messages-openai", chat([{"type": "audio", "audio": "/a b.wav"}]),
     chat([{"type": "audio_url", "audio_url": {"url": "file:///a%20b.wav"}}]), ["unknown_part"]),
]  # fmt: skip


@pytest.mark.parametrize(("format", "row", "expected", "codes"), MENDED)
def test_what_cannot_be_meant_otherwise_is_put_right(
    format: str, row: dict[str, Any], expected: dict[str, Any], codes: list[str], tmp_path: Path
) -> None:
    assert mended(format, row, tmp_path) == (expected, codes)


LEFT: list[tuple[str, dict[str, Any]]] = [
    ("llamafactory-sharegpt", turns("<audio><audio>q") | {"audios": [A]}),
    ("llamafactory-sharegpt", {"conversations": [*turns("a")["conversations"], *turns("b")["conversations"]],
                               "audios": [A]}),
    ("msswift", chat("<audio>q")),
    ("msswift", chat("<audio >q") | {"audios": [A]}),
    ("msswift", chat("<audio/>q") | {"audios": [A]}),
    ("msswift", chat("<video>q") | {"audios": [A]}),
    ("llamafactory-sharegpt", turns("<image>q") | {"audios": [A]}),
    ("msswift", chat("<audio>q") | {"audio": A, "audios": ["/data/b.wav"]}),
    ("msswift", chat("<audio><audio>q") | {"audios": [A, None]}),
    ("msswift", {"messages": [{"role": "teacher", "content": "q"}, {"role": "assistant", "content": "y"}]}),
    ("msswift", chat([{"text": "q", "audio": A}])),
    ("msswift", chat([{"type": "audio", "audio": A}]) | {"audios": ["/data/b.wav"]}),
    ("unified", {"id": "x", "modality": "audio"}),
]  # fmt: skip


@pytest.mark.parametrize(("format", "row"), LEFT)
def test_what_could_be_meant_otherwise_is_left(format: str, row: dict[str, Any], tmp_path: Path) -> None:
    assert mended(format, row, tmp_path) == (row, [])


def test_a_label_for_kto_is_mended_where_it_says_which(tmp_path: Path) -> None:
    rows = [chat("q") | {"label": label} for label in ("true", "False", 1, 0, "good")]
    file = table(tmp_path / "x.jsonl", rows)
    summary = triptych.validate_file("msswift", file, task="kto", fix=tmp_path / "y.jsonl")
    assert repr([row["label"] for row in read_lines(tmp_path / "y.jsonl")]) == "[True, False, True, False, 'good']"
    assert summary.counts == {"bad_label": 1}


def test_a_mended_file_keeps_all_rows_and_says_how_they_differ(tmp_path: Path) -> None:
    good, bad = chat("<audio>q") | {"audios": [A], "id": "1"}, chat("<Audio>ü") | {"audios": [A], "id": "2"}
    file, out = table(tmp_path / "x.jsonl", [good, bad]), tmp_path / "y.jsonl"
    result = cli("validate-file", "msswift", str(file), "--fix", str(out))
    assert result.returncode == 1, result.stderr  # no such file
    assert "row 2: tag_case" in result.stdout and "\n- {" in result.stdout and "\n+ {" in result.stdout
    assert [row["id"] for row in read_lines(out)] == ["1", "2"]
    document = json.loads(cli("validate-file", "msswift", str(out), "--json").stdout)
    assert document["counts"] == {"missing_file": 2} and document["changes"] == []


def test_a_copy_never_replaces_a_file_and_a_row_that_cannot_be_read_stops_it(tmp_path: Path) -> None:
    file = table(tmp_path / "x.jsonl", [chat("q")])
    with pytest.raises(UsageError, match="exists"):
        triptych.validate_file("msswift", file, fix=file)
    with pytest.raises(UsageError, match="JSON Lines"):
        triptych.validate_file("msswift", file, fix=tmp_path / "y.parquet")
    for folder in ("", "/", tmp_path):
        with pytest.raises(UsageError, match="is a folder: name the file to write"):
            triptych.validate_file("msswift", file, fix=folder)
    file.write_text(json.dumps(chat("q")) + "\n{oops\n")
    with pytest.raises(ProblemsFound, match="row 2"):
        triptych.validate_file("msswift", file, fix=tmp_path / "y.jsonl")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.jsonl"]
