"""Cards with any wrong value: an error with file and line, or one that says what is wrong, never a traceback."""

from __future__ import annotations

import copy
import io
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import triptych.catalog.cards
import yaml
from triptych.catalog.schema.lint import check_card
from triptych.converters.candidate import Candidate, RawFile, ReadContext, Rejection
from triptych.converters.readers import get_reader
from triptych.errors import DamagedError, UsageError

CARDS = sorted(Path(triptych.catalog.cards.__path__[0]).glob("*.yaml"))

ODD: list[Any] = [
    5, -1, 1e308, True, None, "", "*", "{file}", "{", "}{", "{a:zz}", "{a[}", "../x", "https://[x", "(", "x\ny", [], {},
    [1], [None], [[]], ["{a}", {}], {"a": 1}, {1: 2}, {"column": 5}, {"columns": 5}, {"try": None}, {"const": {}},
]  # fmt: skip
"""What a hand may write where a card expects something else."""


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in a document."""
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield from places(item, (*path, key))


def put(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy of a document with another value at this path."""
    if not path:
        return value
    changed = copy.deepcopy(document)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return changed


def read_card(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


def check(card: Path, folder: Path, changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    document = read_card(card)
    path = folder / card.name
    for place, value in changes:
        path.write_text(
            yaml.dump(put(document, place, value), Dumper=yaml.CSafeDumper, sort_keys=False), encoding="utf-8"
        )
        problems, _ = check_card(path)
        for problem in problems:
            assert re.match(rf"{re.escape(str(path))}:\d+: ", problem), (place, value, problem)


def test_a_wrong_value_anywhere_in_a_card_is_told_with_its_line(tmp_path: Path) -> None:
    draw = random.Random(8)
    for card in CARDS:
        found = list(places(read_card(card)))
        check(card, tmp_path, [(draw.choice(found), draw.choice(ODD)) for _ in range(3)])


@pytest.mark.thorough
def test_every_value_of_every_card_may_be_wrong(tmp_path: Path) -> None:
    for card in CARDS:
        found = list(places(read_card(card)))
        check(card, tmp_path, [(place, value) for place in found for value in ODD])


# ---- reading with what the check lets through

TABLE = b"id,path,text,n,names,when,t\na,a.wav,one,1,x;y,00:01,train\nb,b.wav,<T>two</T>,2,z,1.5,test\n"
NESTED = {"data": {"items": [{"id": "a", "file": "a.wav", "segs": [{"s": 0, "e": 1, "w": "x"}]}]}}
OPTIONS: dict[str, dict[str, Any]] = {
    "annotated": {
        "tables": [
            {"file": "t.csv", "delimiter": [",", ";"], "encoding": "utf-8", "skip": 0, "comment": "#", "set": {"k": 1}},
            {"file": "more.csv", "join": {"on": "id", "with": "id"}, "optional": True},
            {"file": "names.csv", "names": "classes", "key": "id", "value": "text"},
        ],
        "media": {"audio": ["{path}", "{id}.*"]},
        "id": "{id|lower}",
        "split": {"column": "t", "map": {"test": "test"}, "only": ["train", "test"]},
        "columns": {
            "text": {"column": "text", "then": ["strip", {"tag": "T"}, {"slice": [0, 5]}], "optional": True},
            "labels": {"column": "names", "split": ";", "drop": ["z"]},
            "captions": {"columns": ["text", "{id}-{n:03d}"]},
            "start_s": {"column": "when", "time": True, "plus": 1},
            "question": {"try": ["nothing", "text"]},
            "extra": {"joined": {"column": "names", "then": [{"split": ";"}, {"join": " "}, {"item": 0}]}},
        },
        "reject": [{"column": "text", "values": ["<SIL>", None], "reason": "silence"}],
        "group": ["id"],
        "ignore_case": True,
    },
    "annotated#json": {
        "tables": [{"file": "t.json", "records": "data.items", "rows": {"each": "segs"}}],
        "media": {"audio": "{file}"},
        "id": "{id}-{index}",
        "columns": {"start_s": "s", "end_s": {"column": "e", "samples": 1}, "text": {"column": "w", "map": {"x": "y"}}},
        "missing_media": "ignore",
    },
    "annotated#embedded": {
        "tables": [{"file": "t.csv"}],
        "embedded": {"file": "*.parquet", "name": "{id}.wav", "column": "audio"},
        "media": {"audio": "{path}"},
        "id": "id",
    },
    "transcripts": {"media": "{split}/{id}.wav", "transcripts": "{split}/*.txt", "kind": "audio", "unspaced": True},
    "lipreading": {"lists": {"main": ["train.txt"]}, "folders": {"main": "train"}},
    "columns": {"id": "id", "audio": "audio", "text": {"column": "text", "lower": True}, "split": "t",
                "reject": [{"column": "text", "values": ["x"], "reason": "r"}]},
}  # fmt: skip


def tiny_parquet() -> bytes:
    out = io.BytesIO()
    rows = [{"id": "a", "audio": {"bytes": b"x", "path": "a.wav"}, "text": "One", "t": "train"}]
    pq.write_table(pa.Table.from_pylist(rows), out)
    return out.getvalue()


FILES = {
    "t.csv": TABLE, "more.csv": b"id,extra\na,1\n", "names.csv": TABLE, "t.json": json.dumps(NESTED).encode(),
    "p.parquet": tiny_parquet(), "a.wav": b"1", "b.wav": b"2", "train/a.wav": b"3", "train/x.txt": b"a hello\n",
    "main/1/00001.mp4": b"4", "main/1/00001.txt": b"Text:  HELLO\n", "train.txt": b"1/00001\n",
}  # fmt: skip


def read(reader: str, options: dict[str, Any], spool: Path) -> None:
    """Check and read; whatever is wrong is said."""
    files = [RawFile(name, f"u/{name}", "r", len(data), lambda data=data: io.BytesIO(data), spool=spool)
             for name, data in FILES.items()]  # fmt: skip
    try:
        made = get_reader(reader)
        made.check(options)
        for item in made.read(
            (file for file in files if made.accepts(file.name)), ReadContext("d", options, spool=spool)
        ):
            assert isinstance(item, Candidate | Rejection)
    except (UsageError, DamagedError) as error:
        assert error.message


def test_options_that_are_let_through_are_read_or_refused_in_words(tmp_path: Path) -> None:
    draw = random.Random(8)
    for name, options in OPTIONS.items():
        read(name.partition("#")[0], options, tmp_path)
        found = [place for place in places(options) if place]
        for _ in range(40):
            read(name.partition("#")[0], put(options, draw.choice(found), draw.choice(ODD)), tmp_path)


@pytest.mark.thorough
def test_every_option_may_be_wrong(tmp_path: Path) -> None:
    for name, options in OPTIONS.items():
        for place in places(options):
            for value in ODD if place else ():
                read(name.partition("#")[0], put(options, place, value), tmp_path)
