"""Tables of a corpus as they lie in its archives: CSV, TSV, JSON, JSON Lines and Parquet, plain, .gz, .bz2 or .xz.

`read_rows` streams the rows of one file; memory does not grow with the file. One bad row is a `Rejection` and never
stops a table; what comes behind a place where JSON or a compressed stream breaks off cannot be read, and the
`Rejection` for it is marked `damaged`.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from itertools import chain
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from ....errors import UsageError
from ...candidate import Blob, RawFile, Rejection
from ..tables.cells import without_nan
from .user_rows import CSV_FIELD_BYTES, Row

FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".txt": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
_PACKED: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_BROKEN_OFF = (EOFError, OSError, zlib.error, lzma.LZMAError)
_PARQUET_ROWS = 1000

Rows = Iterator[Row | Rejection]


def read_rows(file: RawFile, stream: BinaryIO, options: Mapping[str, Any]) -> Rows:
    """The rows of one table.

    Args:
        stream: Its bytes from the start; Parquet must be seekable.
        options: The table's entry on the card, see annotated.py.
    """
    path = PurePosixPath(file.name)
    packed = _PACKED.get(path.suffix.lower())
    suffix = path.with_suffix("").suffix if packed else path.suffix
    name = str(options.get("format") or FORMATS.get(suffix.lower()) or "")
    if name not in ("csv", "tsv", "lines", "json", "jsonl", "parquet"):
        raise UsageError(f"tables: {file.name}: `format` is csv, tsv, lines, json, jsonl or parquet; not {name!r}.")
    opened: Any = packed(stream) if packed else stream
    try:
        if name in ("csv", "tsv"):
            yield from _read_csv(file, opened, options, "\t" if name == "tsv" else ",")
        elif name == "lines":
            yield from _read_lines(file, opened, options)
        elif name == "jsonl":
            yield from _read_jsonl(file, opened)
        elif name == "json":
            yield from _read_json(file, opened, options)
        else:
            yield from _read_parquet(file, opened)
    except _BROKEN_OFF as error:
        yield Rejection(file.name, "damaged_table", f"{file.uri}: {error}", file.uri, damaged=True)
    finally:
        if packed:
            opened.close()


# ---- CSV


def _read_csv(file: RawFile, stream: BinaryIO, options: Mapping[str, Any], delimiter: str) -> Rows:
    csv.field_size_limit(CSV_FIELD_BYTES)
    encoding = str(options.get("encoding", "utf-8-sig"))
    quoted = options.get("quoting") != "none"
    # Not closed here: the stream belongs to the caller, and closing the wrapper would close it.
    text = io.TextIOWrapper(stream, encoding=encoding, errors="surrogateescape", newline="")
    lines = _Lines(text, comment=options.get("comment"), skip=int(options.get("skip", 0)))
    delimiter, counted = _delimiter(options.get("delimiter", delimiter), lines)
    reader = csv.reader(
        counted,
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        escapechar=options.get("escape"),
        skipinitialspace=bool(options.get("skip_initial_space", False)),
        strict=quoted,
    )
    header = [str(name) for name in options["header"]] if options.get("header") else None
    rest = delimiter if options.get("rest") else None
    try:
        yield from _csv_rows(file, reader, lines, header, rest)
    finally:
        text.detach()


def _delimiter(given: Any, lines: _Lines) -> tuple[str, Iterator[str]]:
    """The delimiter, of several the first that stands in the first line; and all lines."""
    if not isinstance(given, list):
        return str(given), lines
    first = next(lines, "")
    return next((str(each) for each in given if str(each) in first), str(given[-1])), chain([first], lines)


class _Lines:
    """Lines of a text without comments, counted as an editor counts them."""

    def __init__(self, text: Iterable[str], *, comment: str | None, skip: int) -> None:
        self.number = 0
        self._text = iter(text)
        self._comment = comment
        self._skip = skip

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        for line in self._text:
            self.number += 1
            if self.number > self._skip and not (self._comment and line.startswith(self._comment)):
                return line.replace("\0", "")
        raise StopIteration


def _csv_rows(file: RawFile, reader: Any, lines: _Lines, header: list[str] | None, rest: str | None) -> Rows:
    while True:
        line = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield _bad(file, line, "bad_row", str(error))
            continue
        if not cells or cells == [""]:
            continue
        if header is None:
            header = [cell.strip() for cell in cells]
        else:
            if rest is not None and len(cells) > len(header):
                cells = [*cells[: len(header) - 1], rest.join(cells[len(header) - 1 :])]
            yield _csv_row(file, header, cells, line)


def _csv_row(file: RawFile, header: list[str], cells: list[str], line: int) -> Row | Rejection:
    if len(cells) != len(header):
        return _bad(file, line, "bad_row", f"{len(cells)} cells, but there are {len(header)} columns")
    for name, cell in zip(header, cells, strict=True):
        if not cell.isascii() and any("\udc80" <= letter <= "\udcff" for letter in cell):
            return _bad(file, line, "not_utf8", f"column {name!r} is not in the encoding of the table: {cell[:40]!a}")
    return Row({name: cell or None for name, cell in zip(header, cells, strict=True)}, f"{file.uri}:{line}")


def _bad(file: RawFile, line: int, reason: str, detail: str) -> Rejection:
    return Rejection(f"{file.name}:{line}", reason, f"line {line}: {detail}", f"{file.uri}:{line}")


def _read_lines(file: RawFile, stream: BinaryIO, options: Mapping[str, Any]) -> Rows:
    """Columns with any white space between them; the last of `header` takes the rest of the line."""
    header = [str(name) for name in options.get("header") or ("id", "text")]
    for number, raw in enumerate(stream, start=1):
        try:
            cells: list[str | None] = [*raw.decode("utf-8-sig").split(None, len(header) - 1)]
        except UnicodeDecodeError as error:
            yield _bad(file, number, "not_utf8", f"byte {error.start}: {raw[:40]!r}")
            continue
        if cells:
            cells = [cell.strip() if cell else None for cell in [*cells, *[None] * (len(header) - len(cells))]]
            yield Row(dict(zip(header, cells, strict=True)), f"{file.uri}:{number}")


# ---- JSON


def _read_jsonl(file: RawFile, stream: BinaryIO) -> Rows:
    for number, raw in enumerate(stream, start=1):
        if not raw.strip():
            continue
        try:
            value = json.loads(raw.decode("utf-8-sig"), parse_constant=_null)
        except UnicodeDecodeError as error:
            yield _bad(file, number, "not_utf8", f"byte {error.start}")
        except (ValueError, RecursionError) as error:
            yield _bad(file, number, "bad_row", str(error))
        else:
            yield _record(file, value, f"{number}")


def _null(_: str) -> None:
    """`NaN` and `Infinity` are no JSON; as cells they are null."""
    return None


def _read_json(file: RawFile, stream: BinaryIO, options: Mapping[str, Any]) -> Rows:
    """Records of a list, or, with `keyed`, of an object whose keys go to the column of that name."""
    import ijson

    prefix = str(options.get("records") or "")
    items = prefix if options.get("single") else f"{prefix}.item" if prefix else "item"
    keyed = options.get("keyed")
    number = 0
    try:
        if keyed:
            for key, value in ijson.kvitems(stream, prefix, use_float=True):
                number += 1
                yield _keyed(file, str(keyed), key, value)
        else:
            for value in ijson.items(stream, items, use_float=True):
                number += 1
                yield _record(file, value, f"record {number}")
    except (ijson.JSONError, UnicodeDecodeError) as error:
        reason = "not_utf8" if isinstance(error, UnicodeDecodeError) or "UTF8" in str(error) else "bad_json"
        where = f"{file.uri}: after record {number}"
        yield Rejection(file.name, reason, f"{where}: {str(error).strip().splitlines()[0]}", file.uri, damaged=True)


def _keyed(file: RawFile, column: str, key: str, value: Any) -> Row | Rejection:
    row = _record(file, value if isinstance(value, dict) else {"value": value}, key)
    if isinstance(row, Row):
        row.values.setdefault(column, key)
    return row


def _record(file: RawFile, value: Any, place: str) -> Row | Rejection:
    where = f"{file.uri}:{place}"
    if not isinstance(value, dict):
        detail = f"{place}: expected an object, got {json.dumps(value, default=str)[:80]}"
        return Rejection(f"{file.name}:{place}", "bad_row", detail, where)
    return Row({str(column): cell if cell != "" else None for column, cell in value.items()}, where)


# ---- Parquet


def _read_parquet(file: RawFile, stream: BinaryIO) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from ..mapping.class_labels import class_names, named

    number = 0
    try:
        with closing(pq.ParquetFile(stream)) as parquet:
            classes = class_names(parquet.schema_arrow)
            for batch in parquet.iter_batches(batch_size=_PARQUET_ROWS):
                for values in batch.to_pylist(maps_as_pydicts="lossy"):
                    row = named({name: without_nan(value) for name, value in values.items()}, classes)
                    yield Row({name: value if value != "" else None for name, value in row.items()},
                              f"{file.uri}#row={number}")  # fmt: skip
                    number += 1
    except (pa.ArrowException, UnicodeDecodeError) as error:
        yield Rejection(
            file.name, "corrupt_parquet", f"{file.uri}: {str(error).splitlines()[0]}", file.uri, damaged=True
        )


def open_blob(blob: Blob) -> BinaryIO:
    """The bytes of a table that is read more than once, or back and forth."""
    if blob.data is not None:
        return io.BytesIO(blob.data)
    assert blob.path is not None
    return blob.path.open("rb")


def seekable(file: RawFile) -> bool:
    """Whether a table of this name must be read back and forth."""
    return PurePosixPath(file.name).suffix.lower() == ".parquet"


__all__ = ["FORMATS", "Rows", "open_blob", "read_rows", "seekable"]
