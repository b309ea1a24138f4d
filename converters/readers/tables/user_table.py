"""Reader for a user's table: one sample per row, by the mapping of columns to fields; and the rows of such tables.

It uses `format` (csv, json, jsonl, parquet), `columns`, `id_column`, `media_dir` and `text_only` of the context.
Relative media paths are resolved against `media_dir`, else against the table's folder. An unmapped column goes to
`extra` as text; an unmapped column with media is skipped, with a note to the user.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO

from ....errors import UsageError
from ....shards.git_pointers import HEAD_BYTES, pointer_kind
from ....shards.json_lines import LARGEST_LINE_MB, MB
from ....shards.json_objects import NULLS
from ....shards.sample import MEDIA_KINDS, sample_id
from ...candidate import (
    Blob,
    Candidate,
    CandidateStream,
    RawFile,
    RawStream,
    ReadContext,
    Reader,
    Rejection,
    RowError,
)
from ...files.named_files import NamedFiles
from ...imports.columns import (
    COMMON_NAMES,
    JSON_FIELDS,
    KEEP,
    LIST_FIELDS,
    MEDIA,
    map_option,
    numbered_captions,
    require_media,
    require_names,
    resolve_columns,
)
from ...spans import sample_rate, span_suffix
from .absent_files import Absences, is_plain
from .cells import Place, Row, Rows, as_name, as_text, blobs, check_span, holds_bytes, members_left, typed
from .csv import CsvOptions, guess_delimiter, is_quoted_tsv, read_csv
from .json import read_json, read_jsonl, record
from .made_ids import MadeIds
from .nested_columns import media_paths, nested_columns, no_records, record_lists, spread
from .span_names import FIELDS as SPAN_FIELDS
from .stated_span import StatedSpans

_PEEK_ROWS = 200
_MEDIA_FIELDS = frozenset((*MEDIA_KINDS, MEDIA))
_NOT_FIELDS = frozenset((*SPAN_FIELDS, KEEP))
_PACKED = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ\x00": "lzma"}
_MEDIA_STRUCT = {"bytes", "path", "array", "sampling_rate"}


class TableReader(Reader):
    """A user's table; see the module docstring."""

    def read(self, files: RawStream, context: ReadContext) -> CandidateStream:
        """Candidates in row order, file by file."""
        for file in files:
            if isinstance(file, Rejection):
                yield file
            else:
                yield from _read_table(file, context)


def _read_table(file: RawFile, context: ReadContext) -> CandidateStream:
    if file.path is None:
        raise UsageError(f"{file.uri}: a table must be a separate file, not a member of an archive.")
    rows = read_table(file.path, context.format, records=context.records, largest_line=context.largest_line)
    yield from candidates(rows, file, context)


def read_table(path: Path, format: str, *, records: str = "", largest_line: int = LARGEST_LINE_MB * MB) -> Rows:
    """The rows of a user's table: csv (or tsv), json, jsonl or parquet; plain, or compressed with gzip, bzip2 or xz.

    `records` is the key path of the list of records in a JSON document: `data.items`.

    Raises:
        UsageError: It is not a table of that format.
    """
    with path.open("rb") as file:
        kind = pointer_kind(file.read(HEAD_BYTES))
    if kind is not None:
        raise UsageError(f"{path} is {kind}.")
    if format == "parquet":
        yield from _parquet(path)
        return
    import zlib
    from lzma import LZMAError

    place, number = Place(path.name, str(path)), 0
    read_lines = partial(read_jsonl, largest=largest_line)
    try:
        with _opened(path) as stream:
            read = _csv if format == "csv" else read_lines if format == "jsonl" else _json
            for row in _records_at(stream, place, records) if records else read(stream, place):
                number += 1
                yield row
    except (EOFError, zlib.error, LZMAError, gzip.BadGzipFile) as error:
        yield place.rejection(number + 1, "corrupt_gzip", str(error), damaged=True)


def _opened(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        start = file.read(6)
    packed = next((module for magic, module in _PACKED.items() if start.startswith(magic)), None)
    return import_module(packed).open(path, "rb") if packed else path.open("rb")


def _csv(stream: BinaryIO, place: Place) -> Rows:
    """The delimiter follows from the name (`.tsv`) or the header; all lines of a TSV decide whether it is quoted."""
    name = place.name.lower().removesuffix(".gz")
    options = CsvOptions("\t" if name.endswith((".tsv", ".tab")) else None, strict=True)
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    header = text.readline()
    if (options.delimiter or guess_delimiter(header)) == "\t":
        options = replace(options, delimiter="\t", quoted=is_quoted_tsv(chain([header], text)))
    text.detach()
    stream.seek(0)
    return read_csv(stream, place, options)


def _json(stream: BinaryIO, place: Place) -> Rows:
    """JSON in any common shape: an array, one record, an object of records by id, or an object with one array."""
    path = place.uri
    try:
        document = NULLS.decode(stream.read().decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        hint = None
        if error.msg == "Extra data":
            hint = f"this looks like JSON Lines: triptych import jsonl {path}"
        raise UsageError(f"{path}: line {error.lineno}, column {error.colno}: {error.msg}.", hint=hint) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: {error}.") from error
    if lists := record_lists(document):
        raise no_records(path, lists)
    for number, (key, value) in enumerate(_records(document), start=1):
        row = record(value, place, f"record {number}")
        if isinstance(row, Row):
            row.key = key
        yield row


def _records_at(stream: BinaryIO, place: Place, at: str) -> Rows:
    """The records of the list at a key path, one at a time."""
    number = 0
    for row in read_json(stream, place, at=at):
        number += 1
        yield row
    if not number:
        raise UsageError(f"{place.uri}: there is no list with records at {at!r}.", hint="--records KEY.KEY")


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
    """Whether an object is one record with a media struct (bytes and path), rather than records by id."""
    media = {name for kind in (*MEDIA_KINDS, MEDIA) for name in (kind, *COMMON_NAMES.get(kind, ()))}
    return any(key.lower() in media and set(value) <= _MEDIA_STRUCT for key, value in record.items())


def _parquet(path: Path) -> Rows:
    import pyarrow as pa

    from .parquet import read_parquet

    try:
        yield from read_parquet(path, Place(path.name, str(path)))
    except (pa.ArrowException, OSError) as error:
        said = str(error).splitlines()[0].rstrip(".")
        raise UsageError(
            f"{path} is not a Parquet file, or it is damaged ({said}).",
            hint="read text files with their own format: csv, json or jsonl",
        ) from error


def candidates(
    rows: Rows,
    file: RawFile,
    context: ReadContext,
    *,
    columns: Sequence[str] | None = None,
    known: Mapping[str, str] | None = None,
    peek: int = _PEEK_ROWS,
    spans_by_name: bool = True,
) -> CandidateStream:
    """Candidates of rows of any format; rejections among the rows are passed on.

    Args:
        rows: Their media cells are paths, bytes, structs of both, `Blob`s, or lists of those.
        file: Provides the base folder of relative paths, and the split and config for rows that have none.
        columns: All columns, if the format knows them; else they are taken from the first rows.
        known: Column -> field as defined by the format; a mapping by the user takes precedence.
        peek: The number of rows to look at; smaller for formats whose rows contain media.
        spans_by_name: Whether columns with names such as `start` and `duration` state spans.
    """
    head = list(islice(rows, peek))
    if columns is None:
        columns = list(dict.fromkeys(name for row in head if isinstance(row, Row) for name in row.values))
        if nested := nested_columns(context.column_fields, columns, head):
            rows = spread(chain(head, rows), nested)
            head = list(islice(rows, peek))
            columns = list(dict.fromkeys(name for row in head if isinstance(row, Row) for name in row.values))
    if context.format == "csv" and file.path is not None:
        require_names(columns, context.media_dir or file.path.parent, table=str(file.path))
    mapped = _mapped(columns, known or {}, file, context) if columns else {}
    if columns and not context.text_only:
        require_media(columns, mapped, table=str(file.path), likely=media_paths(head))
    _tell_several(mapped, known or {}, context.note)
    if (told := numbered_captions(columns, mapped)) is not None:
        context.note(told)
    spans = StatedSpans(context.column_fields, known or {}, by_name=spans_by_name)
    spans.learn(columns)
    if (fault := spans.look([row.values for row in head if isinstance(row, Row)], context.note)) is not None:
        raise UsageError(f"{file.path}: {fault}.")
    maker = _CandidateMaker(file, context, columns, mapped, known or {}, spans)
    for row in chain(head, rows):
        yield row if isinstance(row, Rejection) else maker.candidate(row)


def _tell_several(mapped: Mapping[str, str], known: Mapping[str, str], note: Callable[[str], None]) -> None:
    """Note columns of one kind of media that the format itself names: a sample has all of them, in order."""
    for kind in MEDIA_KINDS:
        columns = [column for column, field in mapped.items() if field == kind and known.get(column) == kind]
        if len(columns) > 1:
            listed = ", ".join(map(repr, columns))
            note(f"each sample has the {kind} of {listed}, in this order (to take one: {map_option(columns[0], kind)})")


def _mapped(columns: Sequence[str], known: Mapping[str, str], file: RawFile, context: ReadContext) -> dict[str, str]:
    given = context.column_fields
    free = {name: field for name, field in known.items() if name in columns and field not in given.values()}
    return resolve_columns(columns, {**free, **given}, table=str(file.path), named_by=context.column_flags)


class _CandidateMaker:
    """Turns rows into candidates; remembers generated ids to keep them unique in the file."""

    def __init__(
        self,
        file: RawFile,
        context: ReadContext,
        columns: Iterable[str],
        mapped: Mapping[str, str],
        known: Mapping[str, str],
        spans: StatedSpans,
    ) -> None:
        assert file.path is not None
        self.file = file
        self.spans = spans
        self.text_only = context.text_only
        self.known = known
        self.mapped = dict(mapped)
        self.columns = set(columns)
        self.files = NamedFiles.of(file.path, context)
        self.made = MadeIds()
        self.note = context.note
        self.left_out: set[str] = set()
        self.dataset = context.dataset
        self.absences = Absences() if context.looks_for_media else None

    def candidate(self, row: Row) -> Candidate | Rejection:
        if not self.columns.issuperset(row.values):
            self._learn(row)
        try:
            return self._candidate(row)
        except RowError as error:
            _discard(row)
            return error.rejection(row.where)

    def _learn(self, row: Row) -> None:
        """Map columns that first appear late in a JSON file to fields that no earlier column has."""
        late = [column for column in row.values if column not in self.columns]
        self.columns.update(late)
        self.spans.learn(late)
        taken = set(self.mapped.values())
        own = {column: self.known[column] for column in late if self.known.get(column, "") not in ("", *taken)}
        found = resolve_columns(late, own, table=str(self.file.path))
        self.mapped |= {column: field for column, field in found.items() if field not in taken}

    def _leave_out(self, column: str) -> None:
        """Note once that a media column is skipped."""
        if column not in self.left_out:
            self.left_out.add(column)
            way = map_option(column, "audio")
            self.note(f"column {column!r} contains media but is not mapped: skipped (to use it: {way})")

    def _candidate(self, row: Row) -> Candidate | Rejection:
        fields: dict[str, Any] = {}
        extra: dict[str, str] = {}
        media: list[tuple[str, Blob]] = []
        absent: tuple[str, str, str] | None = None
        mapped, absences = self.mapped, self.absences
        for column, value in row.values.items():
            field = mapped.get(column)
            if field is None or field in _NOT_FIELDS:
                if not isinstance(value, str | None) and holds_bytes(value) is not None:
                    self._leave_out(column)
                elif (text := as_text(value)) is not None:
                    extra[column] = text
            elif field in _MEDIA_FIELDS:
                if absences is not None and absent is None and type(value) is str:
                    path = self.files.media(column, value)
                    if absences.has(path):
                        absent = (field, value, path)
                        continue
                media.extend((field, blob) for blob in blobs(column, value, files=self.files))
            else:
                found = typed(field, column, value)
                fields[field] = (
                    [*fields[field], *(found or ())] if fields.get(field) and field in LIST_FIELDS else found
                )
                if field in JSON_FIELDS:
                    extra.update(members_left(field, column, value))
        if absent is not None and media:
            media.append((absent[0], Blob(absent[1], path=Path(absent[2]))))
            absent = None
        if absent is None and not media and not self.text_only and fields.get("modality") != "text":
            raise self._without_media()
        if self.spans.has_columns:
            self._take_span(row, fields, extra, media[0][1] if media else None)
        name = absent[1] if absent is not None else media[0][1].name if media else ""
        identity, made_from = fields.pop("id", None) or row.key, None
        split = as_name("split", fields.pop("split", None)) or self.file.split
        config = fields.pop("config", None) or self.file.config
        if extra:
            fields["extra"] = extra
        media.sort(key=lambda item: MEDIA_KINDS.index(item[0]) if item[0] in MEDIA_KINDS else -1)
        if not identity:
            identity, made_from = self.made.next(name, fields, media, _suffix(fields))
        if absent is not None:
            missing = sample_id(self.dataset, config, split, str(identity))
            shown = absent[2] if is_plain(absent[2]) else Path(absent[2])
            error = RowError("missing_media", f"{shown}: No such file or directory")
            return error.rejection(row.where, candidate=missing, uri=self.file.uri)
        file = self.file
        return Candidate(
            str(identity), split, fields, media, config, file.uri, file.revision, row.where, row.repeats, made_from,
            row.stated_s,
        )  # fmt: skip

    def _take_span(self, row: Row, fields: dict[str, Any], extra: dict[str, str], medium: Blob | None) -> None:
        """Add the span and the channel that the row states."""
        stated, used = self.spans.read(row.values, lambda: None if medium is None else sample_rate(medium))
        for column in used:
            extra.pop(column, None)
        fields |= stated
        check_span(fields)

    def _without_media(self) -> RowError:
        columns = ", ".join(column for column, field in self.mapped.items() if field in _MEDIA_FIELDS)
        return RowError(
            "no_media",
            f"no media in {columns} (for a row without media: the column modality with the value text; for a table "
            "without media: --set modality=text)",
        )


def _suffix(fields: Mapping[str, Any]) -> str:
    return span_suffix(fields.get("start_s"), fields.get("end_s"), fields.get("channel"))


def _discard(row: Row) -> None:
    """Delete the temporary files of a row that will not be used."""
    for value in row.values.values():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, Blob) and item.temporary and item.path is not None:
                item.path.unlink(missing_ok=True)
