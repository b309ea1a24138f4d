"""Read the rows of a file to validate, one at a time: JSON Lines, a JSON array, or Parquet.

Memory use does not depend on the file's size. An unreadable row is a `Finding` with line and column instead; in JSON
Lines, reading continues at the next line, in an array or a Parquet file it stops.
Row numbers count from 1: the line of a JSONL file (blank lines are skipped), else the element.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...shards.json_lines import LARGEST_LINE_MB, MB, read_lines, too_long
from ...shards.json_objects import RepeatedKeyError, distinct
from ...shards.json_stream import JsonFault, read_items
from .findings import Finding, Problem, finding

SUFFIXES = (".jsonl", ".ndjson", ".json", ".parquet")

_FAILS = "the loader stops and the whole dataset fails"
PROBLEMS = {
    "invalid_json": Problem("S0", "error", "not valid JSON", _FAILS, mend="write one JSON object on each line"),
    "bad_encoding": Problem("S0", "error", "not UTF-8", _FAILS, mend="save the file as UTF-8"),
    "line_too_long": Problem(
        "S0",
        "error",
        "the line is too long",
        "the loader needs several times its size in memory",
        mend="name media by their paths instead of writing them into the row",
    ),
    "not_an_object": Problem("S0", "error", "not a JSON object", _FAILS, mend="write one JSON object on each line"),
    "unreadable_file": Problem(
        "S0", "error", "not a readable Parquet file", "the whole dataset fails", mend="write it again"
    ),
}

Row = dict[str, Any]


_AROUND = 50  # characters before and after a place that are shown
_TOKEN = re.compile(r'(?P<string>"(?:[^"\\]|\\.)*")(?P<key>\s*:)?|[{}\[\]]|NaN|-?Infinity')


class _NotANumber(ValueError):
    """`NaN` or `Infinity`, which Python accepts but JSON and Arrow do not."""

    def __init__(self, token: str) -> None:
        super().__init__(f"{token} is not JSON")
        self.token = token


def _refuse(token: str) -> Any:
    raise _NotANumber(token)


_DECODER = json.JSONDecoder(parse_constant=_refuse, object_pairs_hook=distinct)


def read_rows(path: Path) -> Iterator[tuple[int, Row | Finding]]:
    """Yield every row with its number, or a finding in place of an unreadable row.

    Raises:
        UsageError: No such file, or its suffix is not in `SUFFIXES`.
    """
    if path.is_dir():
        raise UsageError(f"{path} is a folder: name a file in it{_file_in(path)}.")
    if not path.is_file():
        raise UsageError(f"{path}: no such file.")
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path}: the suffix {path.suffix!r} is not one of {', '.join(SUFFIXES)}.")
    if path.suffix.lower() == ".parquet":
        return _parquet_rows(path)
    return _array_rows(path) if _is_array(path) else _lines(path)


def _file_in(folder: Path) -> str:
    """The file of a folder that is likely meant: the rows of a version, else the first one that can be read."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    rows = [path for path in found if path.stem == "data"]
    return next((f", such as {path}" for path in [*rows, *found]), "")


def _is_array(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")


def _lines(path: Path) -> Iterator[tuple[int, Row | Finding]]:
    with path.open("rb") as file:
        for number, line in read_lines(file, largest=LARGEST_LINE_MB * MB):
            if line is None:
                detail = f"line {number}: {too_long(LARGEST_LINE_MB * MB)}"
                yield number, finding(PROBLEMS, "line_too_long", number, detail=detail)
            else:
                yield number, _line(number, line)


def _line(number: int, line: bytes) -> Row | Finding:
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        position = len(line[: error.start].decode()) + 1
        detail = f"line {number} column {position}: byte {line[error.start]:#04x}"
        return finding(PROBLEMS, "bad_encoding", number, detail=detail, position=position)
    try:
        return _object(number, _DECODER.decode(text))
    except json.JSONDecodeError as error:
        return _invalid(number, text, error.pos, error.msg)
    except _NotANumber as error:
        return _invalid(number, text, _place(text, error.token), str(error))
    except RepeatedKeyError as error:
        return _invalid(number, text, _place(text, error.key, is_second_key=True), str(error))
    except RecursionError:
        return _invalid(number, text, 0, "nested too deeply")


def _invalid(number: int, line: str, at: int, what: str) -> Finding:
    """The finding of a line of invalid JSON: its place, and what stands around it."""
    around = line[max(0, at - _AROUND) : at + _AROUND].strip()
    detail = f"line {number} column {at + 1}: {what}"
    return finding(PROBLEMS, "invalid_json", number, detail=detail, value=around, position=at + 1)


def _place(line: str, wanted: str, *, is_second_key: bool = False) -> int:
    """Where a constant stands first, or a key in an object that has it already."""
    objects: list[set[str]] = []
    for match in _TOKEN.finditer(line):
        mark, string, is_key = match[0], match["string"], match["key"] is not None
        if string is not None and is_key:
            key = json.loads(string)
            if is_second_key and key == wanted and key in objects[-1]:
                return match.start()
            objects[-1].add(key)
        elif mark in ("{", "["):
            objects.append(set())
        elif mark in ("}", "]"):
            objects.pop()
        elif mark == wanted and not is_second_key:
            return match.start()
    return 0


def _object(number: int, value: Any) -> Row | Finding:
    if isinstance(value, dict):
        return value
    return finding(PROBLEMS, "not_an_object", number, detail=f"found a {type(value).__name__}", value=value)


def _array_rows(path: Path) -> Iterator[tuple[int, Row | Finding]]:
    number = 0
    with path.open("rb") as stream:
        try:
            for element in read_items(stream, decoder=_DECODER):
                number = element.number
                if element.fault:
                    detail = f"line {element.line}: {element.fault}"
                    yield number, finding(PROBLEMS, "invalid_json", number, detail=detail)
                else:
                    yield number, _object(number, element.value)
        except JsonFault as fault:
            code = "bad_encoding" if fault.is_encoding else "invalid_json"
            detail = f"line {fault.line} column {fault.column}: {fault.message}"
            yield fault.number, finding(PROBLEMS, code, fault.number, detail=detail, position=fault.column)


def _parquet_rows(path: Path) -> Iterator[tuple[int, Row | Finding]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1000):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (pa.ArrowException, OSError) as error:
        yield (
            number + 1,
            finding(
                PROBLEMS,
                "unreadable_file",
                number + 1,
                detail=f"damaged, or of another format ({str(error).splitlines()[0]})",
            ),
        )
