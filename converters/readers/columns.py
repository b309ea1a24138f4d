"""Reader of Parquet files with the media in a column, as the hub stores audio and video datasets.

Options (on the card): sample field -> column; `id` is required, and `audio`, `video` and `image` columns are structs
{bytes, path}.

Every other column goes to `extra` as text. Row groups whose rows the store holds at the same revision are not read
again: only their id column is fetched.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from ...errors import DamagedError, UsageError
from ...shards.sample import COLUMNS, MEDIA_KINDS, sample_id
from ..raw import Blob, Candidate, CandidateStream, RawFile, RawStream, ReadContext, Rejection
from .values import as_text, without_nan

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_BATCH = 32


def read(files: RawStream, context: ReadContext) -> CandidateStream:
    """Candidates in row order, file by file."""
    for file in files:
        if isinstance(file, Rejection):
            yield file
        elif context.wants(file.split):
            yield from _read_file(file, context)


def _read_file(file: RawFile, context: ReadContext) -> CandidateStream:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {field: column for field, column in context.options.items() if not field.startswith("_")}
    with file.open() as handle:
        try:
            parquet = pq.ParquetFile(handle)
            _check_columns(parquet, columns, file)
            row = 0
            for group in range(parquet.num_row_groups):
                ids = [as_text(value) for value in _read_ids(parquet, group, columns["id"])]
                stored = [sample_id(context.dataset, file.config, file.split, str(value)) for value in ids]
                if context.settled(stored, file.revision):
                    yield from (_settled(file, str(value)) for value in ids)
                else:
                    yield from _read_group(parquet, group, row, columns, file)
                row += len(ids)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            yield Rejection(file.name, "corrupt_parquet", str(error).splitlines()[0], file.uri, damaged=True)


def _check_columns(parquet: pq.ParquetFile, columns: Mapping[str, str], file: RawFile) -> None:
    names = parquet.schema_arrow.names
    missing = sorted(set(columns.values()) - set(names))
    if missing:
        raise DamagedError(
            f"{file.uri}: the card expects column(s) {', '.join(missing)}, but the file has {', '.join(names)}.",
            hint="the dataset changed its layout: pin the revision on the card, or fix its `columns`",
        )
    if "id" not in columns:
        raise UsageError(f"{file.uri}: `columns` on the card must say which column is the id.")


def _read_ids(parquet: pq.ParquetFile, group: int, column: str) -> list[Any]:
    values: list[Any] = parquet.read_row_group(group, columns=[column]).column(0).to_pylist()
    return values


def _settled(file: RawFile, identity: str) -> Candidate:
    return Candidate(identity, file.split, config=file.config, settled=True)


def _read_group(
    parquet: pq.ParquetFile, group: int, first_row: int, columns: Mapping[str, str], file: RawFile
) -> Iterator[Candidate | Rejection]:
    row = first_row
    for batch in parquet.iter_batches(batch_size=_BATCH, row_groups=[group]):
        for record in batch.to_pylist():
            yield _candidate(record, row, columns, file)
            row += 1


def _candidate(record: dict[str, Any], row: int, columns: Mapping[str, str], file: RawFile) -> Candidate | Rejection:
    where = f"{file.uri}#row={row}"
    identity = as_text(record.get(columns["id"]))
    if identity is None:
        return Rejection(where, "no_id", f"column {columns['id']!r} is null", where)
    fields: dict[str, Any] = {}
    media: list[tuple[str, Blob]] = []
    for field, column in columns.items():
        value = record.get(column)
        if field in MEDIA_KINDS:
            if value is not None:
                media.append((field, _blob(value, identity)))
        elif field != "id":
            fields[field] = _typed(field, value)
    extra = {name: as_text(value) for name, value in record.items() if name not in columns.values()}
    extra = {name: value for name, value in extra.items() if value is not None}
    if extra:
        fields["extra"] = extra
    return Candidate(identity, file.split, fields, media, file.config, where, file.revision, where)


def _typed(field: str, value: Any) -> Any:
    if field not in COLUMNS:
        raise UsageError(f"`columns` on the card maps to {field!r}, which is no field of a sample.")
    if isinstance(value, list | float):
        return without_nan(value)
    return as_text(value)


def _blob(value: Any, identity: str) -> Blob:
    if isinstance(value, bytes):
        return Blob(identity, data=value)
    if isinstance(value, dict) and isinstance(value.get("bytes"), bytes):
        return Blob(PurePosixPath(value.get("path") or identity).name, data=value["bytes"])
    return Blob(json.dumps(value, default=str)[:200])
