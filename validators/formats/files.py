"""Read the rows of a file to validate, one at a time: JSON Lines, a JSON array, or Parquet.

Memory use does not depend on the file's size. An unreadable row is a `Finding` with line and column instead; in JSON
Lines, reading continues at the next line, in an array or a Parquet file it stops.
Row numbers count from 1: the line of a JSONL file (blank lines are skipped), else the element.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...shards.json_lines import LARGEST_LINE_MB, MB, read_lines, too_long
from ...shards.json_objects import RepeatedKeyError, distinct
from ...shards.json_stream import JsonFault, read_items
from .findings import Finding, Problem, finding

SUFFIXES = (".jsonl", ".ndjson", ".json", ".parquet")

PROBLEMS = {
    "invalid_json": Problem("S0", "error", "not valid JSON", "the loader stops and the whole dataset fails"),
    "bad_encoding": Problem("S0", "error", "not UTF-8", "the loader stops and the whole dataset fails"),
    "line_too_long": Problem(
        "S0", "error", "the line is too long", "the loader needs several times its size in memory"
    ),
    "not_an_object": Problem("S0", "error", "not a JSON object", "the loader stops and the whole dataset fails"),
    "unreadable_file": Problem("S0", "error", "not a readable Parquet file", "the whole dataset fails"),
}

Row = dict[str, Any]


class _NotANumber(ValueError):
    """`NaN` or `Infinity`, which Python accepts but JSON and Arrow do not."""


def _refuse(token: str) -> Any:
    raise _NotANumber(f"{token} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse, object_pairs_hook=distinct)


def read_rows(path: Path) -> Iterator[tuple[int, Row | Finding]]:
    """Yield every row with its number, or a finding in place of an unreadable row.

    Raises:
        UsageError: No such file, or its suffix is not in `SUFFIXES`.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such file.")
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path}: the suffix {path.suffix!r} is not one of {', '.join(SUFFIXES)}.")
    if path.suffix.lower() == ".parquet":
        return _parquet_rows(path)
    return _array_rows(path) if _is_array(path) else _lines(path)


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
        value = _DECODER.decode(text)
    except UnicodeDecodeError as error:
        detail = f"line {number} column {error.start + 1}: byte {line[error.start]:#04x}"
        return finding(PROBLEMS, "bad_encoding", number, detail=detail)
    except json.JSONDecodeError as error:
        detail = f"line {number} column {error.colno}: {error.msg}"
        return finding(PROBLEMS, "invalid_json", number, detail=detail, value=text)
    except _NotANumber as error:
        detail = f"line {number} column {text.find(str(error).split()[0]) + 1}: {error}"
        return finding(PROBLEMS, "invalid_json", number, detail=detail, value=text)
    except RepeatedKeyError as error:
        return finding(PROBLEMS, "invalid_json", number, detail=f"line {number}: {error}", value=text)
    except RecursionError:
        return finding(PROBLEMS, "invalid_json", number, detail=f"line {number}: nested too deeply", value=text[:200])
    return _object(number, value)


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
            yield fault.number, finding(PROBLEMS, code, fault.number, detail=detail)


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
