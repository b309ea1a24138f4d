"""Reader for Parquet files with media in a column, as the hub stores audio and video datasets.

Options (on the card): `id` (required), `split`, `config`, `reject`, `length` and `aside` as for the reader `annotated`,
and for every other field of the sample its column, template or mapping (mapping/field_map.py):

    columns:
      id: "{youtube_id}_{start_time}"
      captions: caption
      labels: {column: intent_class}
      language: {const: en}
      answer: {try: [{column: answer, tag: RESPONSE}, {column: response, tag: RESPONSE}]}
      audio: audio
      video: {column: video, optional: true}

`audio`, `video` and `image` are columns of bytes or of structs {bytes, path}. Virtual columns are `row` (the row number
in the file), `file` (the file name without its suffix), `config` and `split` (from the source), unless the file has a
column of that name. A name with dots is a value inside a column of objects, `json.title`, unless there is a column of
that name. Class labels are replaced by their names from the hub's metadata. Every other column goes to `extra` as text;
unmapped media is not read.

`rows: {each: json.questions}` makes several samples of one row, which share its media, as nested_rows.py describes.

Of row groups that are already in the store at the same revision, or of which no row is requested, only the id columns
are fetched. If candidates are merely listed, no media is read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from ....errors import DamagedError, UsageError
from ....shards.sample import MEDIA_KINDS, sample_id
from ...candidate import (
    Blob,
    Candidate,
    CandidateStream,
    Layout,
    RawFile,
    RawStream,
    ReadContext,
    Reader,
    Rejection,
    RowError,
)
from ..annotated.nested_rows import columns_of, get_layout
from ..mapping.class_labels import Features
from ..mapping.field_map import Value, compile_value
from ..mapping.row_rules import Origin, RowRules
from ..tables.arrow_rows import python_rows
from ..tables.cells import as_text, without_nan
from ..tables.nested_columns import enclosing, spread_cells

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

_BATCH = 32
_LISTED_BATCH = 4096
_OWN = frozenset({"id", "split", "config", "reject", "aside", "length"})
_VIRTUAL = ("row", "file", "config", "split")


class ParquetReader(Reader):
    """Parquet files with media in a column; see the module docstring."""

    def check(self, options: Mapping[str, Any]) -> None:
        _Columns(ReadContext("check", options))

    def layout(self, options: Mapping[str, Any]) -> Layout:
        return Layout(_is_parquet, (_is_parquet,))

    def accepts(self, name: str) -> bool:
        """Whether it is Parquet: a snapshot of a repository has a README.md beside its data."""
        return _is_parquet(name)

    def check_columns(self, file: RawFile, context: ReadContext) -> tuple[str, ...]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        with file.open() as handle:
            try:
                parquet = pq.ParquetFile(handle)
            except (pa.ArrowException, OSError) as error:
                raise DamagedError(f"{file.uri}: not a Parquet file: {error}") from error
            _File(_Columns(context), file, parquet)
            return tuple(parquet.schema_arrow.names)

    def read(self, files: RawStream, context: ReadContext) -> CandidateStream:
        """Candidates in row order, file by file."""
        reader = _Columns(context)
        for file in files:
            if isinstance(file, Rejection):
                yield file
            elif context.wants(file.split):
                yield from reader.read(file)


def _is_parquet(name: str) -> bool:
    return name.lower().endswith(".parquet")


class _Columns:
    """The card's options, compiled once for all files."""

    def __init__(self, context: ReadContext) -> None:
        options = context.options
        self.context = context
        self.media: dict[str, Value] = {
            kind: compile_value(options[kind], what=f"columns.{kind}") for kind in MEDIA_KINDS if kind in options
        }
        self.expand = get_layout(options.get("rows"))
        self.listed = columns_of(options.get("rows"))
        known = {*_OWN, *MEDIA_KINDS, "rows"}
        fields = {name: spec for name, spec in options.items() if name not in known}
        own = {name: spec for name, spec in options.items() if name in _OWN}
        if "id" not in own:
            raise UsageError("`columns` on the card must define the `id` column.")
        self.media_columns = {column for value in self.media.values() for column in value.uses}
        self.rules = RowRules({**own, "columns": fields}, context, {}, aside=self.media_columns, implied=False)

    def read(self, file: RawFile) -> CandidateStream:
        import pyarrow as pa
        import pyarrow.parquet as pq

        with file.open() as handle:
            try:
                yield from _File(self, file, pq.ParquetFile(handle)).read()
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                detail = (str(error).splitlines() or [type(error).__name__])[0]
                yield Rejection(file.name, "corrupt_parquet", detail, file.uri, damaged=True)


class _Row(dict[str, Any]):
    """A row of the file; virtual columns are found by `get`, but are not items."""

    def __init__(self, values: dict[str, Any], virtual: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.virtual = virtual

    def get(self, key: str, default: Any = None) -> Any:
        return self[key] if key in self else self.virtual.get(key, default)


class _File:
    """One Parquet file."""

    def __init__(self, columns: _Columns, file: RawFile, parquet: pq.ParquetFile) -> None:
        self.of = columns
        self.context = columns.context
        self.rules = columns.rules
        self.file = file
        self.parquet = parquet
        schema = parquet.schema_arrow
        self.features = Features.of_schema(schema)
        self.virtual = [name for name in _VIRTUAL if name not in schema.names]
        self.names = [field.name for field in schema if not _is_media(field.type)]
        self.wanted = [field.name for field in schema if field.name in columns.media_columns]
        known = [*schema.names, *self.virtual]
        media = [name for value in columns.media.values() for name in value.missing(known)]
        inner = {*self.rules.uses, *columns.listed} - set(schema.names)
        self.paths = sorted(name for name in inner if _has_path(schema, name))
        absent = set(columns.listed).difference(schema.names, self.paths)
        # The columns of rows that are made of a list are known once there is such a row.
        self.unchecked = bool(columns.listed)
        uses = () if self.unchecked else self.rules.missing([*known, *self.paths])
        self.rules.check_missing({*uses, *media, *absent}, known, where=file.uri)

    def read(self) -> CandidateStream:
        first = 0
        for group in range(self.parquet.num_row_groups):
            count = self.parquet.metadata.row_group(group).num_rows
            yield from self._read_group(group, first)
            first += count

    def _read_group(self, group: int, first: int) -> CandidateStream:
        deciding = {enclosing(f"{name}.", self.names) or name for name in self.rules.deciding}
        rows = self._rows(group, first, [name for name in self.names if self.of.listed or name in deciding])
        found = [self._identities(row, first + place) for place, row in enumerate(rows)]
        every = [named for of_row in found for named in of_row]
        if every and all(named is not None and named[0] is not None for named in every):
            ids = [(str(identity), config, split) for identity, config, split in filter(None, every)]
            stored = [sample_id(self.context.dataset, config, split, identity) for identity, config, split in ids]
            if self.context.settled(stored, self.file.revision):
                for identity, config, split in ids:
                    yield Candidate(identity, split, config=config, settled=True)
                return
        wanted = [any(named is not None for named in of_row) for of_row in found]
        if any(wanted):
            yield from self._candidates(group, first, wanted)

    def _identities(self, row: _Row, number: int) -> list[tuple[str | None, str | None, str | None] | None]:
        """Id, configuration and split of each sample of a row; None for one that is not requested."""
        try:
            return [self.rules.identity(part, self._origin(number)) for part in self._parts(row)]
        except RowError:
            # Read the whole row, so that its rejection reports the error.
            return [(None, None, None)]

    def _parts(self, row: _Row) -> Iterator[_Row]:
        """The rows of the samples of a row of the file, with class numbers replaced by names.

        Raises:
            RowError: A number has no name, or a list of objects is none.
        """
        named = self.features.named(row)
        if not self.of.listed:
            yield _Row(named, row.virtual)
            return
        for part in self.of.expand(named):
            made = _Row(part, row.virtual)
            if self.unchecked:
                self.rules.check([*made, *row.virtual], where=self.file.uri)
                self.unchecked = False
            yield made

    def _candidates(self, group: int, first: int, wanted: list[bool]) -> CandidateStream:
        listed = self.context.index_only
        columns = self.names if listed else [*self.names, *self.wanted]
        for place, row in enumerate(self._rows(group, first, columns, batch=_LISTED_BATCH if listed else _BATCH)):
            if wanted[place]:
                yield from self._samples(row, self._origin(first + place))

    def _samples(self, row: _Row, origin: Origin) -> CandidateStream:
        try:
            for part in self._parts(row):
                item = self.rules.candidate([part], origin)
                if isinstance(item, Candidate):
                    item.media = [*self._media(row, item.source_id)]
                if item is not None:
                    yield item
        except RowError as error:
            yield error.rejection(origin.where)

    def _rows(self, group: int, first: int, columns: list[str], *, batch: int = _LISTED_BATCH) -> Iterator[_Row]:
        """Rows of a group with these columns and the virtual ones."""
        if not columns:
            # A batch without columns has no rows, so rows are generated from their numbers.
            for place in range(self.parquet.metadata.row_group(group).num_rows):
                yield _Row({}, self._virtual(first + place))
            return
        number = first
        for part in self.parquet.iter_batches(batch_size=batch, row_groups=[group], columns=columns):
            for values in python_rows(part):
                spread_cells(values, self.paths)
                yield _Row({name: without_nan(value) for name, value in values.items()}, self._virtual(number))
                number += 1

    def _virtual(self, number: int) -> dict[str, Any]:
        values = {"row": number, "file": PurePosixPath(self.file.name).stem,
                  "config": self.file.config, "split": self.file.split}  # fmt: skip
        return {name: values[name] for name in self.virtual}

    def _origin(self, number: int) -> Origin:
        where = f"{self.file.uri}#row={number}"
        return Origin(where, where, self.file.revision, self.file.split, self.file.config)

    def _media(self, row: Mapping[str, Any], identity: str) -> Iterator[tuple[str, Blob]]:
        for kind, value in self.of.media.items():
            if self.context.index_only:
                if any(name in self.wanted for name in value.uses):
                    yield kind, Blob(identity)
                continue
            found = value.get(row)
            for item in found if isinstance(found, list) else [found]:
                if item is not None:
                    yield kind, _blob(item, identity)


def _has_path(schema: pa.Schema, path: str) -> bool:
    """Whether there is a value at this path inside one of the columns."""
    import pyarrow as pa

    base = enclosing(path, schema.names)
    if base is None:
        return False
    type_ = schema.field(base).type
    for part in path[len(base) + 1 :].split("."):
        if pa.types.is_struct(type_) and type_.get_field_index(part) >= 0:
            type_ = type_.field(part).type
        elif (pa.types.is_list(type_) or pa.types.is_large_list(type_)) and part.isdecimal():
            type_ = type_.value_type
        else:
            return False
    return True


def _is_media(type_: pa.DataType) -> bool:
    """Whether a column contains bytes: plain, in a struct as on the hub, or in a list."""
    import pyarrow as pa

    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return _is_media(type_.value_type)
    if pa.types.is_struct(type_):
        return any(_is_media(type_.field(index).type) for index in range(type_.num_fields))
    return bool(pa.types.is_binary(type_) or pa.types.is_large_binary(type_))


def _blob(value: Any, identity: str) -> Blob:
    if isinstance(value, bytes):
        return Blob(identity, data=value)
    if isinstance(value, dict) and isinstance(value.get("bytes"), bytes):
        return Blob(PurePosixPath(value.get("path") or identity).name, data=value["bytes"])
    return Blob(json.dumps(value, default=as_text)[:200])
