"""Rows with several files: each tag has the file that it had, in every format of conversations and through the view."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.imported import read_lines
from truth import chirps, films
from truth.chirps import Voice
from truth.forms import written

CLIPS = (3, 1, 2)
"""Not in the order of their names or numbers."""


def _turns(*contents: str) -> list[tuple[str, str]]:
    return [(role, content) for content in contents for role, content in (("user", content), ("assistant", "Yes."))]


def _msswift(paths: list[str], film: str) -> dict[str, Any]:
    turns = _turns("<audio>first", "<audio><video>second", "<audio>third")
    return {"messages": [{"role": role, "content": text} for role, text in turns], "audios": paths, "videos": [film]}


def _sharegpt(paths: list[str], film: str) -> dict[str, Any]:
    turns = _turns("<audio>first", "<audio><video>second", "<audio>third")
    named = {"user": "human", "assistant": "gpt"}
    conversations = [{"from": named[role], "value": text} for role, text in turns]
    return {"conversations": conversations, "audios": paths, "videos": [film]}


def _inline(paths: list[str], film: str) -> dict[str, Any]:
    first, second, third = paths
    turns = _turns(
        f"<audio>{first}</audio>first", f"<audio>{second}</audio><video>{film}</video>second",
        f"<audio>{third}</audio>third",
    )  # fmt: skip
    return {"messages": [{"role": role, "content": text} for role, text in turns]}


FORMATS = {
    "msswift": ("msswift", _msswift),
    "sharegpt": ("conversation", _sharegpt),
    "inline": ("conversation", _inline),
}


@pytest.mark.parametrize("name", FORMATS)
def test_each_tag_of_a_conversation_keeps_its_own_file(name: str, tmp_path: Path) -> None:
    format, row_of = FORMATS[name]
    paths = [str(written(tmp_path, "wav", clip)) for clip in CLIPS]
    film = str(written(tmp_path, "mp4", 4))
    (tmp_path / "rows.jsonl").write_text(json.dumps({"id": "a", **row_of(paths, film)}) + "\n")
    triptych.import_data(format, tmp_path / "rows.jsonl", name="mine", store=tmp_path / "store")
    exported = triptych.export("msswift", task="sft", store=tmp_path / "store").version.data
    triptych.convert(format, tmp_path / "rows.jsonl", tmp_path / "out.jsonl", to="msswift", task="sft")
    for data in (exported, tmp_path / "out.jsonl"):
        [row] = read_lines(data)
        contents = [turn["content"] for turn in row["messages"] if turn["role"] == "user"]
        assert [text.count("<audio>") for text in contents] == [1, 1, 1]
        assert [text.count("<video>") for text in contents] == [0, 1, 0]
        heard = [chirps.hear(chirps.decode(Path(path))[:, 0], map(Voice, range(5))) for path in row["audios"]]
        assert [each.voice.clip for each in heard] == list(CLIPS)
        assert [films.watch(Path(path)).clip for path in row["videos"]] == [4]
