"""Reader of a user's table: one row, one sample, by the map of columns to fields.

Of the context it uses `format` (csv, json, jsonl, parquet), `columns`, `id_column`, `media_dir` and `text_only`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from ....errors import UsageError
from ....shards.sample import MEDIA_KINDS
from ...candidate import Blob, Candidate, CandidateStream, RawFile, RawStream, ReadContext, Reader, Rejection, RowError
from ...imports.columns import MEDIA, require_media, resolve_columns
from ..tables.cells import as_text
from .cells import MadeIds, as_name, blobs, check_span, typed
from .user_rows import READ, Row, Rows

_PEEK_ROWS = 200


class TableReader(Reader):
    """A user's table; see the module's text."""

    def read(self, files: RawStream, context: ReadContext) -> CandidateStream:
        """Candidates in row order, file by file."""
        for file in files:
            if isinstance(file, Rejection):
                yield file
            else:
                yield from _read_table(file, context)


def _read_table(file: RawFile, context: ReadContext) -> CandidateStream:
    if file.path is None:
        raise UsageError(f"{file.uri}: a table is read from a file of its own, not from inside an archive.")
    yield from candidates(READ[context.format](file.path), file, context)


def candidates(
    rows: Rows,
    file: RawFile,
    context: ReadContext,
    *,
    columns: Sequence[str] | None = None,
    known: Mapping[str, str] | None = None,
    peek: int = _PEEK_ROWS,
) -> CandidateStream:
    """Candidates of rows, whatever format they came from; the rejections among them pass through.

    Args:
        rows: Their media cells are paths, bytes, structs of both, `Blob`s, or lists of those.
        file: Gives the folder where relative paths start, and the split and config that no row says itself.
        columns: All of the columns, where the format knows them; else the first rows are looked at.
        known: Column -> field as the format itself has it; a map of the user's goes first.
        peek: How many rows are looked at; fewer where rows hold media.
    """
    head: list[Row | Rejection] = []
    if columns is None:
        head = list(islice(rows, peek))
        columns = list(dict.fromkeys(name for row in head if isinstance(row, Row) for name in row.values))
    mapped = _mapped(columns, known or {}, file, context) if columns else {}
    if columns and not context.text_only:
        require_media(columns, mapped, table=str(file.path))
    maker = _Maker(file, context, columns, mapped, known or {})
    for row in chain(head, rows):
        yield row if isinstance(row, Rejection) else maker.candidate(row)


def _mapped(columns: Sequence[str], known: Mapping[str, str], file: RawFile, context: ReadContext) -> dict[str, str]:
    given = context.column_fields
    free = {name: field for name, field in known.items() if name in columns and field not in given.values()}
    return resolve_columns(columns, {**free, **given}, table=str(file.path))


class _Maker:
    """Makes candidates of rows; keeps the ids it made up, so that they stay unique in the file."""

    def __init__(
        self,
        file: RawFile,
        context: ReadContext,
        columns: Iterable[str],
        mapped: Mapping[str, str],
        known: Mapping[str, str],
    ) -> None:
        assert file.path is not None
        self.file = file
        self.known = known
        self.mapped = dict(mapped)
        self.columns = set(columns)
        self.folder = context.media_dir or file.path.parent
        self.made = MadeIds()

    def candidate(self, row: Row) -> Candidate | Rejection:
        self.made.row()
        if not self.columns.issuperset(row.values):
            self._learn(row)
        try:
            return self._candidate(row)
        except RowError as error:
            _discard(row)
            return error.rejection(row.where)

    def _learn(self, row: Row) -> None:
        """Columns that a JSON file shows late get the fields that no earlier column has."""
        late = [column for column in row.values if column not in self.columns]
        self.columns.update(late)
        taken = set(self.mapped.values())
        own = {column: self.known[column] for column in late if self.known.get(column, "") not in ("", *taken)}
        found = resolve_columns(late, own, table=str(self.file.path))
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
                media.extend((field, blob) for blob in blobs(column, value, folder=self.folder))
            else:
                fields[field] = typed(field, column, value)
        check_span(fields)
        identity = fields.pop("id", None) or row.key or self.made.next(media)
        split = as_name("split", fields.pop("split", None)) or self.file.split
        config = fields.pop("config", None) or self.file.config
        if extra:
            fields["extra"] = extra
        media.sort(key=lambda item: MEDIA_KINDS.index(item[0]) if item[0] in MEDIA_KINDS else -1)
        return Candidate(str(identity), split, fields, media, config, self.file.uri, self.file.revision, row.where)


def _discard(row: Row) -> None:
    """Remove the temporary files that a row holds: nobody will take them."""
    for value in row.values.values():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, Blob) and item.temporary and item.path is not None:
                item.path.unlink(missing_ok=True)
