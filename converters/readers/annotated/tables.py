"""Read the tables of a corpus as a card describes them: detect format and compression, and yield rows.

CSV, TSV, JSON, JSON Lines, Parquet and lines of columns, plain, .gz, .bz2 or .xz; memory does not grow with the file.
A bad row becomes a `Rejection` and never stops a table; after a syntax error in JSON or a break in a compressed stream
the rest cannot be read, and the `Rejection` for it is marked `damaged`.

An entry of `tables` on a card has

      file          path template (path_template.py), or a list: `clotho_captions_{split}.csv`; its parts are columns.
                    If all files are named explicitly, media without a row is rejected without waiting for the end
      format        csv, tsv, json, jsonl or parquet, if the suffix does not tell; .gz, .bz2 and .xz are decompressed;
                    lines: `header` columns separated by whitespace, the last one takes the rest of the line;
                    stm: NIST's segment time marks, as the columns recording, channel, speaker, start, end, label, text
      gather        {text: [before, token, after]}: all rows of the file make one, with these columns of each put
                    together and the rows separated by spaces; any other column becomes the list of its cells
      encoding      for CSV, for example iso-8859-1; default: UTF-8
      delimiter     for CSV; of a list, the first that is in the header line
      escape, quoting: none, skip_initial_space: true, comment: "#", skip: 2 (lines)
      header        column names, if the file has no header line
      records       the key path of the list in JSON, for example `data.items`; keyed: COLUMN if it is an object,
                    whose keys go to that column; single: true if a JSON file is one record. JSON is streamed.
      rows          how to expand a nested record to rows, see nested_rows.py: {each: segments}
      join          a further table whose rows add columns to those of the first: a column of both tables, or
                    {on: <of this table>, with: <of the first>}, each a column, template or mapping
      names         a table of class names of this name, from columns `key` to `value`, for the operation `names`
      optional      true if it may be missing
      set           {folder: train_splits}: columns with a constant value in all its rows
      rest          true if the last column takes the rest of the line (CSV)
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import zlib
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from ....errors import UsageError
from ....shards.git_pointers import HEAD_BYTES, LARGEST, pointer_kind
from ...candidate import Blob, RawFile, Rejection
from ..mapping.option_types import a_flag, a_number, a_text, one_of, texts
from ..tables.cells import Place, Row, Rows
from ..tables.csv import CsvOptions, read_csv
from ..tables.json import read_json, read_jsonl
from ..tables.nested_columns import spread_cells
from ..tables.stm import read_stm
from .gather import check_gather, gathered

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
_NAMES = ("csv", "tsv", "lines", "stm", "json", "jsonl", "parquet")
_PACKED: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_TRUNCATED = (EOFError, OSError, zlib.error, lzma.LZMAError)
_PARQUET_ROWS = 1000
_BOM = b"\xef\xbb\xbf"
_BAD_ROW = frozenset({"bad_json", "not_an_object"})
"""Errors in a single line of JSON; a pull counts them as `bad_row`, like a bad line of CSV."""


def read_rows(file: RawFile, stream: BinaryIO, options: Mapping[str, Any]) -> Rows:
    """The rows of one table.

    Args:
        stream: Its bytes from the start; Parquet must be seekable.
        options: The table's entry on the card, see reader.py.
    """
    path = PurePosixPath(file.name)
    packed = _PACKED.get(path.suffix.lower())
    suffix = path.with_suffix("").suffix if packed else path.suffix
    name = str(options.get("format") or FORMATS.get(suffix.lower()) or "")
    if name not in _NAMES:
        raise UsageError(f"tables: {file.name}: `format` is {', '.join(_NAMES)}, not {name!r}.")
    if (kind := _pointer(file, stream)) is not None:
        yield Rejection(file.name, "pointer", f"{file.uri}: it is {kind}", file.uri, damaged=True)
        return
    opened: Any = packed(stream) if packed else stream
    place = Place(file.name, file.uri)
    try:
        rows = _rows(name, opened, place, options)
        for item in gathered(rows, place, options["gather"]) if options.get("gather") else rows:
            is_bad_line = isinstance(item, Rejection) and not item.damaged and item.reason in _BAD_ROW
            yield replace(item, reason="bad_row") if is_bad_line and isinstance(item, Rejection) else item
    except _TRUNCATED as error:
        yield Rejection(file.name, "damaged_table", f"{file.uri}: {error}", file.uri, damaged=True)
    finally:
        if packed:
            opened.close()


def _pointer(file: RawFile, stream: BinaryIO) -> str | None:
    """What a small table is if its content was never fetched; the stream is at its start again."""
    if file.size is None or file.size > LARGEST or not stream.seekable():
        return None
    kind = pointer_kind(stream.read(HEAD_BYTES))
    stream.seek(0)
    return kind


def _rows(name: str, stream: BinaryIO, place: Place, options: Mapping[str, Any]) -> Rows:
    if name in ("csv", "tsv"):
        return read_csv(stream, place, csv_options(options, "\t" if name == "tsv" else ","))
    if name == "lines":
        return _read_lines(stream, place, options)
    if name == "stm":
        return read_stm(stream, place)
    if name == "jsonl":
        return read_jsonl(stream, place)
    if name == "json":
        keyed = options.get("keyed")
        at, single = str(options.get("records") or ""), bool(options.get("single"))
        return read_json(stream, place, at=at, keyed=str(keyed) if keyed else None, single=single)
    return _read_parquet(stream, place)


def no_table(templates: Sequence[str]) -> Rejection:
    """The rejection for a table that never arrived, without which its rows are unknown."""
    wanted = " or ".join(templates)
    return Rejection(wanted, "no_table", f"no file matches {wanted}, so its rows are unknown", damaged=True)


def completed(values: dict[str, Any], number: int, id_uses: Container[str], inner: Iterable[str]) -> dict[str, Any]:
    """A row with its number in its table as `row`, if the id uses it, and with the values inside columns at `inner`."""
    spread_cells(values, inner)
    if "row" in id_uses:
        values.setdefault("row", number)
    return values


def check_table(entry: Mapping[str, Any], *, what: str) -> None:
    """Raise UsageError for an option of a table's entry that has a wrong type or value."""
    for name in ("optional", "rest", "single", "skip_initial_space"):
        a_flag(entry.get(name), f"{what}.{name}")
    for name in ("comment", "records", "keyed", "key", "value"):
        if entry.get(name) is not None:
            a_text(entry[name], f"{what}.{name}")
    a_number(entry.get("skip", 0), f"{what}.skip")
    if entry.get("format") is not None:
        one_of(entry["format"], f"{what}.format", _NAMES)
    if entry.get("quoting") is not None:
        one_of(entry["quoting"], f"{what}.quoting", ("none",))
    if entry.get("header") is not None:
        texts(entry["header"], f"{what}.header")
    check_gather(entry.get("gather"), what=f"{what}.gather")
    for name, given in (("delimiter", entry.get("delimiter")), ("escape", entry.get("escape"))):
        for mark in texts(given, f"{what}.{name}") if given is not None else ():
            if len(mark) != 1 or mark in '\r\n"' or (name == "escape" and isinstance(given, list)):
                raise UsageError(f"{what}.{name}: expected one character, got {mark!r}.")
    encoding = a_text(entry.get("encoding", "utf-8"), f"{what}.encoding")
    try:
        codecs.lookup(encoding)
        io.TextIOWrapper(io.BytesIO(), encoding=encoding).detach()
    except (LookupError, ValueError):
        raise UsageError(f"{what}.encoding: there is no text encoding {encoding!r}.") from None


def csv_options(entry: Mapping[str, Any], delimiter: str) -> CsvOptions:
    """The CSV options of a table's entry on a card."""
    given = entry.get("delimiter") or delimiter
    return CsvOptions(
        delimiter=tuple(map(str, given)) if isinstance(given, list) else str(given),
        encoding=str(entry.get("encoding", "utf-8-sig")),
        quoted=False if entry.get("quoting") == "none" else None,
        escape=entry.get("escape"),
        header=tuple(texts(entry["header"], "header")) if entry.get("header") else None,
        comment=entry.get("comment"),
        skip=int(entry.get("skip", 0)),
        skip_initial_space=bool(entry.get("skip_initial_space", False)),
        rest=bool(entry.get("rest")),
    )


def _read_lines(stream: BinaryIO, place: Place, options: Mapping[str, Any]) -> Rows:
    """Columns separated by any whitespace; the last one in `header` takes the rest of the line."""
    header = [str(name) for name in texts(options.get("header") or ["id", "text"], "header")]
    for number, raw in enumerate(stream, start=1):
        try:
            # Bytes split at ASCII whitespace only: a no-break space is part of an id.
            cells: list[str | None] = [cell.decode() for cell in raw.removeprefix(_BOM).split(None, len(header) - 1)]
        except UnicodeDecodeError as error:
            yield place.rejection(number, "not_utf8", f"byte {error.start}: {raw[:40]!r}")
            continue
        if cells:
            cells = [cell.strip() if cell else None for cell in [*cells, *[None] * (len(header) - len(cells))]]
            yield Row(dict(zip(header, cells, strict=True)), f"{place.uri}:{number}")


def _read_parquet(stream: BinaryIO, place: Place) -> Rows:
    import pyarrow as pa

    from ..tables.parquet import read_parquet

    try:
        yield from read_parquet(stream, place, batch=_PARQUET_ROWS)
    except pa.ArrowException as error:
        message = str(error).splitlines()[0]
        yield Rejection(place.name, "corrupt_parquet", f"{place.uri}: {message}", place.uri, damaged=True)


def open_blob(blob: Blob) -> BinaryIO:
    """Open a table that is read more than once, or with seeking."""
    if blob.data is not None:
        return io.BytesIO(blob.data)
    assert blob.path is not None
    return blob.path.open("rb")


def seekable(file: RawFile) -> bool:
    """Whether a table of this name must be read with seeking."""
    return PurePosixPath(file.name).suffix.lower() == ".parquet"
