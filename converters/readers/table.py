"""Reader of a user's table: one row, one sample, by the map of columns to fields.

Options: `map` (column -> field), `format` (csv, json, jsonl, parquet), `media_dir` (Path), `id_column`.
Relative media paths start at `media_dir`, else at the table's own folder.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import UsageError
from ...shards.sample import MEDIA_KINDS, NAME
from ..fields import JSON_FIELDS, LIST_FIELDS, MEDIA, NUMBER_FIELDS, require_media, resolve_columns
from ..raw import Blob, Candidate, CandidateStream, RawFile, RawStream, ReadContext, Rejection
from .rows import READ, Row
from .values import as_text

_PEEK_ROWS = 200


def read(files: RawStream, context: ReadContext) -> CandidateStream:
    """Candidates in row order, file by file."""
    for file in files:
        if isinstance(file, Rejection):
            yield file
        else:
            yield from _read_table(file, context)


def _read_table(file: RawFile, context: ReadContext) -> CandidateStream:
    if file.path is None:
        raise UsageError(f"{file.uri}: a table is read from a file of its own, not from inside an archive.")
    rows = READ[str(context.options["format"])](file.path)
    head = list(islice(rows, _PEEK_ROWS))
    columns = list(dict.fromkeys(name for row in head if isinstance(row, Row) for name in row.values))
    given = dict(context.options.get("map") or {})
    if context.options.get("id_column"):
        given[str(context.options["id_column"])] = "id"
    mapped = resolve_columns(columns, given, table=str(file.path)) if columns else {}
    if columns and not context.options.get("text_only"):
        require_media(columns, mapped, table=str(file.path))
    maker = _Maker(file, context, columns, mapped)
    for row in chain(head, rows):
        yield row if isinstance(row, Rejection) else maker.candidate(row)


class _BadCell(Exception):
    def __init__(self, column: str, value: Any, expected: str, *, reason: str = "bad_value") -> None:
        super().__init__(f"column {column!r}: expected {expected}, got {str(value)[:80]!r}")
        self.reason = reason


class _Maker:
    """Makes candidates of rows; keeps the ids it made up, so that they stay unique in the file."""

    def __init__(self, file: RawFile, context: ReadContext, columns: Iterable[str], mapped: Mapping[str, str]) -> None:
        assert file.path is not None
        self.file = file
        self.mapped = dict(mapped)
        self.columns = set(columns)
        self.folder = Path(context.options.get("media_dir") or file.path.parent)
        self.wants = context.wants
        self.made: dict[str, int] = {}
        self.number = 0

    def candidate(self, row: Row) -> Candidate | Rejection:
        self.number += 1
        if not self.columns.issuperset(row.values):
            self._learn(row)
        try:
            return self._candidate(row)
        except _BadCell as error:
            return Rejection(row.where, error.reason, f"{row.where}: {error}", row.where)

    def _learn(self, row: Row) -> None:
        """Columns that a JSON file shows late get the fields that no earlier column has."""
        late = [column for column in row.values if column not in self.columns]
        self.columns.update(late)
        taken = set(self.mapped.values())
        found = resolve_columns(late, {}, table=str(self.file.path))
        self.mapped |= {column: field for column, field in found.items() if field not in taken}

    def _candidate(self, row: Row) -> Candidate | Rejection:
        fields: dict[str, Any] = {}
        extra: dict[str, str] = {}
        media: list[tuple[str, Blob]] = []
        for column, value in row.values.items():
            field = self.mapped.get(column)
            if field is None:
                text = as_text(value)
                if text is not None:
                    extra[column] = text
            elif field in (*MEDIA_KINDS, MEDIA):
                media.extend((field, blob) for blob in self._blobs(column, value))
            else:
                fields[field] = _typed(field, column, value)
        _check_span(fields)
        identity = fields.pop("id", None) or row.key or self._made_id(media)
        split = _split(fields.pop("split", None))
        config = fields.pop("config", None)
        if extra:
            fields["extra"] = extra
        media.sort(key=lambda item: MEDIA_KINDS.index(item[0]) if item[0] in MEDIA_KINDS else -1)
        return Candidate(str(identity), split, fields, media, config, self.file.uri, self.file.revision, row.where)

    def _blobs(self, column: str, value: Any) -> Iterator[Blob]:
        if value is None or value == []:
            return
        if isinstance(value, list):
            for item in value:
                yield from self._blobs(column, item)
        elif isinstance(value, bytes):
            yield Blob(column, data=value)
        elif isinstance(value, dict) and isinstance(value.get("bytes"), bytes):
            yield Blob(PurePosixPath(value.get("path") or column).name, data=value["bytes"])
        elif isinstance(value, dict) and isinstance(value.get("path"), str):
            yield from self._blobs(column, value["path"])
        elif isinstance(value, str):
            yield Blob(value, path=self.folder / _path(column, value))
        else:
            raise _BadCell(column, value, "a path")

    def _made_id(self, media: list[tuple[str, Blob]]) -> str:
        """The media's path without its extension; a second row on the same file gets `#2`."""
        name = f"row-{self.number:07d}"
        if media and media[0][1].name:
            path = PurePosixPath(media[0][1].name)
            name = path.with_suffix("").as_posix().lstrip("/") if path.name else name
        self.made[name] = self.made.get(name, 0) + 1
        return name if self.made[name] == 1 else f"{name}#{self.made[name]}"


def _path(column: str, value: str) -> Path:
    """The path that a cell names; nothing else that a cell can hold is followed or run."""
    if "://" in value:
        raise _BadCell(column, value, "a path on this machine (download the file first)", reason="remote_media")
    if value.rstrip().endswith("|"):
        raise _BadCell(column, value, "a path, not a command", reason="executable_entry")
    if "\0" in value:
        raise _BadCell(column, value, "a path without null bytes")
    try:
        return Path(value).expanduser()
    except RuntimeError:
        raise _BadCell(column, value, "a path; the home of that user is not known here") from None


def _check_span(fields: Mapping[str, Any]) -> None:
    start, end = fields.get("start_s"), fields.get("end_s")
    if start is not None and start < 0:
        raise _BadCell("start_s", start, "a start at 0 seconds or later")
    if end is not None and end <= (start or 0):
        raise _BadCell("end_s", end, f"an end after the start at {start or 0} seconds")


def _split(value: Any) -> str | None:
    if value is None:
        return None
    name = str(value).strip().lower()
    if not NAME.fullmatch(name):
        raise _BadCell("split", value, "a name of letters, digits, '.', '_' and '-'")
    return name


def _typed(field: str, column: str, value: Any) -> Any:
    if value is None:
        return None
    if field in NUMBER_FIELDS:
        return _number(column, value)
    if field in LIST_FIELDS:
        return _strings(column, value)
    if field in JSON_FIELDS:
        return _structures(field, column, value)
    return as_text(value)


def _number(column: str, value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise _BadCell(column, value, "a number of seconds") from None
    if math.isinf(number):
        raise _BadCell(column, value, "a finite number of seconds")
    return None if math.isnan(number) else number


def _strings(column: str, value: Any) -> list[str] | None:
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = _parse(column, value)
    items = value if isinstance(value, list) else [value]
    return [text for item in items if (text := as_text(item)) is not None]


def _structures(field: str, column: str, value: Any) -> list[dict[str, Any]] | None:
    value = _parse(column, value) if isinstance(value, str) else value
    keys = ("role", "content") if field == "messages" else ("text", "start_s", "end_s")
    if not isinstance(value, list) or not all(isinstance(item, dict) and set(keys) <= set(item) for item in value):
        raise _BadCell(column, value, f"a list of objects with {', '.join(keys)}")
    return [{key: _member(key, item[key], column) for key in keys} for item in value]


def _member(key: str, value: Any, column: str) -> Any:
    if key in NUMBER_FIELDS:
        return _number(column, value)
    if not isinstance(value, str):
        raise _BadCell(column, value, f"text for {key!r}")
    return value


def _parse(column: str, value: str) -> Any:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise _BadCell(column, value, "JSON") from None
