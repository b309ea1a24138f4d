"""Rows of a user's table, whatever its format: CSV, TSV, JSON, JSON Lines, Parquet.

Every function yields `Row`s in file order, and a `Rejection` for a row that cannot be read; one bad row never stops
the file. JSON may be an array, one record, an object of records by id, or an object that wraps one array.
"""

from __future__ import annotations

import csv
import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

from ....errors import UsageError
from ....shards.sample import MEDIA_KINDS
from ...candidate import Rejection
from ...imports.columns import COMMON_NAMES, MEDIA
from ..tables.cells import without_nan

CSV_FIELD_BYTES = 16 * 1024 * 1024
PARQUET_ROWS = 100
"""Few at a time: rows may hold media."""

_MEDIA_STRUCT = {"bytes", "path", "array", "sampling_rate"}


@dataclass(slots=True)
class Row:
    """One record: column -> value, and where it stands for messages (`file:line 7`)."""

    values: dict[str, Any]
    where: str
    key: str | None = None


Rows = Iterator[Row | Rejection]


def read_csv(path: Path, *, delimiter: str | None = None) -> Rows:
    """Rows of a CSV with a header line; the delimiter is taken from the name (`.tsv`) or the header."""
    csv.field_size_limit(CSV_FIELD_BYTES)
    with path.open(encoding="utf-8-sig", newline="", errors="surrogateescape") as file:
        header_line = file.readline()
        file.seek(0)
        reader = csv.reader(file, delimiter=delimiter or _delimiter(path, header_line), strict=True)
        header = _header(reader, path)
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Rejection(f"{path.name}:{line}", "bad_row", f"line {line}: {error}", f"{path}:{line}")
                continue
            if cells:
                yield _csv_row(header, cells, path, line)


def _header(reader: Any, path: Path) -> list[str]:
    try:
        header = [name.strip() for name in next(reader)]
        if any(_is_not_utf8(name) for name in header):
            raise UsageError(f"{path}: line 1: not UTF-8.", hint=f"iconv -f UTF-16 -t UTF-8 {path} (or another -f)")
    except StopIteration:
        raise UsageError(f"{path} is empty: a CSV starts with a line of column names.") from None
    except csv.Error as error:
        raise UsageError(f"{path}: line 1: {error}") from error
    doubled = sorted({name for name in header if name and header.count(name) > 1})
    if doubled:
        raise UsageError(f"{path}: line 1: column name(s) {', '.join(doubled)} stand twice.")
    return header


def _delimiter(path: Path, header: str) -> str:
    if path.suffix.lower() in (".tsv", ".tab"):
        return "\t"
    return max(",;\t|", key=lambda mark: (header.count(mark), mark == ","))


def _csv_row(header: list[str], cells: list[str], path: Path, line: int) -> Row | Rejection:
    where = f"{path}:{line}"
    if len(cells) != len(header):
        detail = f"line {line}: {len(cells)} cells, but the header has {len(header)} columns"
        return Rejection(f"{path.name}:{line}", "bad_row", detail, where)
    for name, cell in zip(header, cells, strict=True):
        if _is_not_utf8(cell):
            detail = f"line {line}, column {name!r}: not UTF-8; convert the file first, for example with iconv"
            return Rejection(f"{path.name}:{line}", "not_utf8", detail, where)
    return Row({name: cell or None for name, cell in zip(header, cells, strict=True)}, where)


def _is_not_utf8(text: str) -> bool:
    return not text.isascii() and any("\udc80" <= letter <= "\udcff" for letter in text)


def read_jsonl(path: Path) -> Rows:
    """Rows of JSON Lines, plain or packed by gzip; blank lines are skipped."""
    number = 0
    with _opened(path) as file:
        try:
            for number, raw in enumerate(file, start=1):
                if raw.strip():
                    yield _json_line(raw.removeprefix(b"\xef\xbb\xbf"), path, number)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            where = f"{path}:{number + 1}"
            yield Rejection(f"{path.name}:{number + 1}", "corrupt_gzip", f"{where}: {error}", where, damaged=True)


def _opened(path: Path) -> gzip.GzipFile | BufferedReader:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if packed else path.open("rb")


def _json_line(raw: bytes, path: Path, number: int) -> Row | Rejection:
    where = f"{path}:{number}"
    try:
        value = json.loads(raw.decode("utf-8"), parse_constant=_null)
    except json.JSONDecodeError as error:
        return Rejection(
            f"{path.name}:{number}", "bad_json", f"line {number}, column {error.colno}: {error.msg}", where
        )
    except UnicodeDecodeError as error:
        return Rejection(f"{path.name}:{number}", "not_utf8", f"line {number}, byte {error.start}", where)
    except (ValueError, RecursionError) as error:
        return Rejection(f"{path.name}:{number}", "bad_json", f"line {number}: {error}", where)
    return _record(value, where, f"{path.name}:{number}")


def read_json(path: Path) -> Rows:
    """Rows of a JSON file: an array, one record, records by id, or an object around one array."""
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=_null)
    except json.JSONDecodeError as error:
        hint = None
        if error.msg == "Extra data":
            hint = f"this looks like JSON Lines: triptych import jsonl {path}"
        raise UsageError(f"{path}: line {error.lineno}, column {error.colno}: {error.msg}.", hint=hint) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: {error}.") from error
    for number, (key, value) in enumerate(_records(document), start=1):
        where = f"{path}:record {number}"
        row = _record(value, where, f"{path.name}:record {number}")
        if isinstance(row, Row):
            row.key = key
        yield row


def _records(document: Any) -> Iterator[tuple[str | None, Any]]:
    if isinstance(document, list):
        yield from ((None, item) for item in document)
        return
    if isinstance(document, dict) and document:
        values = list(document.values())
        lists = [value for value in values if isinstance(value, list) and value and isinstance(value[0], dict)]
        if all(isinstance(value, dict) for value in values) and not _has_media(document):
            yield from document.items()
            return
        if len(lists) == 1 and not any(isinstance(v, str) for k, v in document.items() if k in ("audio", "path", "id")):
            yield from ((None, item) for item in lists[0])
            return
    yield None, document


def _has_media(record: dict[str, Any]) -> bool:
    """Whether an object is one record, whose media is an object of bytes and path, rather than records by id."""
    media = {name for kind in (*MEDIA_KINDS, MEDIA) for name in (kind, *COMMON_NAMES.get(kind, ()))}
    return any(key.lower() in media and set(value) <= _MEDIA_STRUCT for key, value in record.items())


def _record(value: Any, where: str, name: str) -> Row | Rejection:
    if not isinstance(value, dict):
        return Rejection(name, "not_an_object", f"{where}: expected an object, got {json.dumps(value)[:80]}", where)
    return Row({str(column): cell if cell != "" else None for column, cell in value.items()}, where)


def read_parquet(path: Path) -> Rows:
    """Rows of a Parquet file, read batch by batch."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        parquet = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise UsageError(f"{path} is not a Parquet file: {error}") from error
    number = 0
    with parquet:
        try:
            for batch in parquet.iter_batches(batch_size=PARQUET_ROWS):
                for values in batch.to_pylist(maps_as_pydicts="lossy"):
                    cleaned = {name: without_nan(value) if value != "" else None for name, value in values.items()}
                    yield Row(cleaned, f"{path}#row={number}")
                    number += 1
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            where = f"{path}#row={number}"
            yield Rejection(where, "corrupt_parquet", f"{where}: {error}", where, damaged=True)


def _null(_: str) -> None:
    """`NaN` and `Infinity` are no JSON; as cells they are null."""
    return None


READ: dict[str, Callable[[Path], Rows]] = {
    "csv": read_csv,
    "json": read_json,
    "jsonl": read_jsonl,
    "parquet": read_parquet,
}
