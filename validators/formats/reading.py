"""The rows of a file to be validated, one at a time: JSON lines, a JSON array, or Parquet.

Memory stays flat whatever the file's size. What cannot be read is a `Finding` with line and column instead of a row;
in JSON lines the next line is read as if nothing had been, in an array or a Parquet file nothing after it can be.
Numbers count from 1: the line of a JSONL file (blank lines are skipped), else the element.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from ...errors import UsageError
from .findings import Finding, Problem, finding

SUFFIXES = (".jsonl", ".ndjson", ".json", ".parquet")
_CHUNK = 256 * 1024
_LARGEST_ELEMENT = 64 * 1024 * 1024

PROBLEMS = {
    "invalid_json": Problem("S0", "error", "not valid JSON", "the loader stops and the whole dataset fails"),
    "bad_encoding": Problem("S0", "error", "not UTF-8", "the loader stops and the whole dataset fails"),
    "not_an_object": Problem("S0", "error", "not a JSON object", "the loader stops and the whole dataset fails"),
    "unreadable_file": Problem("S0", "error", "not a readable Parquet file", "the whole dataset fails"),
}

Row = dict[str, Any]


class _NotANumber(ValueError):
    """`NaN` or `Infinity`: Python reads them, JSON and Arrow do not."""


def _refuse(token: str) -> Any:
    raise _NotANumber(token)


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def read_rows(path: Path) -> Iterator[tuple[int, Row | Finding]]:
    """Every row with its number, or the finding that stands in its place.

    Raises:
        UsageError: There is no such file, or its suffix is none of `SUFFIXES`.
    """
    if not path.is_file():
        raise UsageError(f"{path}: no such file.")
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{path}: the suffix {path.suffix!r} is none of {', '.join(SUFFIXES)}.")
    if path.suffix.lower() == ".parquet":
        return _parquet_rows(path)
    return _array_rows(path) if _is_array(path) else _lines(path)


def _is_array(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")


def _lines(path: Path) -> Iterator[tuple[int, Row | Finding]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if line.strip():
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
        detail = f"line {number} column {text.find(str(error)) + 1}: {error} is not JSON"
        return finding(PROBLEMS, "invalid_json", number, detail=detail, value=text)
    except RecursionError:
        return finding(PROBLEMS, "invalid_json", number, detail=f"line {number}: nested too deeply", value=text[:200])
    return _object(number, value)


def _object(number: int, value: Any) -> Row | Finding:
    if isinstance(value, dict):
        return value
    return finding(PROBLEMS, "not_an_object", number, detail=f"found a {type(value).__name__}", value=value)


def _array_rows(path: Path) -> Iterator[tuple[int, Row | Finding]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reading = _Window(file)
        number = 0
        try:
            reading.expect("[")
            while not reading.at("]"):
                if number:
                    reading.expect(",")
                number += 1
                yield number, _object(number, reading.element())
            reading.expect("]")
            if not reading.ended():
                raise json.JSONDecodeError("Extra data after the array", reading.text, reading.position)
        except json.JSONDecodeError as error:
            detail = f"{reading.where(error.pos)}: {error.msg}"
            yield number, finding(PROBLEMS, "invalid_json", number, detail=detail)
        except _NotANumber as error:
            yield number, finding(PROBLEMS, "invalid_json", number, detail=f"{error} is not JSON")
        except UnicodeDecodeError as error:
            yield number, finding(PROBLEMS, "bad_encoding", number, detail=str(error.reason))


class _Window:
    """A sliding window over a JSON text, which knows the line and column of its start."""

    def __init__(self, file: TextIO) -> None:
        self.file = file
        self.text = ""
        self.position = 0
        self.line, self.column = 1, 1

    def where(self, position: int) -> str:
        """Line and column of a position in the window."""
        line, column = self._after(self.text[:position])
        return f"line {line} column {column}"

    def at(self, mark: str) -> bool:
        """Whether the next character that is not white space is `mark`."""
        self._skip_space()
        return self.text.startswith(mark, self.position)

    def ended(self) -> bool:
        """Whether nothing but white space is left."""
        self._skip_space()
        return self.position >= len(self.text)

    def expect(self, mark: str) -> None:
        """Go past `mark`."""
        if not self.at(mark):
            raise json.JSONDecodeError(f"Expecting {mark!r}", self.text, self.position)
        self.position += 1

    def element(self) -> Any:
        """The next value; more is read until it is whole."""
        self._skip_space()
        while True:
            try:
                value, end = _DECODER.raw_decode(self.text, self.position)
            except json.JSONDecodeError:
                if len(self.text) - self.position > _LARGEST_ELEMENT or not self._more():
                    raise
                continue
            # A number at the very end of the window may go on beyond it.
            if end == len(self.text) and self._more():
                continue
            self.position = end
            return value

    def _skip_space(self) -> None:
        while True:
            while self.position < len(self.text) and self.text[self.position] in " \t\r\n":
                self.position += 1
            if self.position < len(self.text) or not self._more():
                return

    def _more(self) -> bool:
        # As much again as is there: a long element is tried a few times only.
        chunk = self.file.read(max(_CHUNK, len(self.text) - self.position))
        if not chunk:
            return False
        self.line, self.column = self._after(self.text[: self.position])
        self.text, self.position = self.text[self.position :] + chunk, 0
        return True

    def _after(self, text: str) -> tuple[int, int]:
        lines = text.count("\n")
        return self.line + lines, len(text) - text.rfind("\n") if lines else self.column + len(text)


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
        yield number + 1, finding(PROBLEMS, "unreadable_file", number + 1, detail=str(error).splitlines()[0])
