"""Read media inside Parquet files as the media files of a corpus whose tables are separate files.

    embedded: {file: "*.parquet", name: "{youtube_id}_{start_time:d}.flac", column: audio}

Every row is a media file: its name is built from the row's columns, its bytes are in `column` (bytes, or a struct
{bytes, path}). This is for copies of a corpus that repeat the audio in every row of a clip, or that omit columns of the
original table. The media column is read only for row groups that contain a needed file.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ....errors import DamagedError, UsageError
from ...candidate import RawFile, RawStream, Rejection
from ..mapping.option_types import a_text
from ..mapping.path_template import compile_template, match
from ..mapping.text_template import Filling, filling

_BATCH = 32


@dataclass(frozen=True, slots=True)
class Embedded:
    """The compiled option.

    Attributes:
        file: Path template of the Parquet files.
        name: Template for the name of a row's media file.
        column: The column with its bytes.
    """

    file: str
    name: Filling
    column: str

    def holds(self, name: str) -> bool:
        """Whether a file of this name is such a Parquet file."""
        return match(self.file, name) is not None

    def files(self, file: RawFile, *, wants: Callable[[str], bool], listed: bool) -> RawStream:
        """The media files in one Parquet file, in row order.

        Args:
            wants: Whether a media file of this name is needed; called again just before the file is yielded.
            listed: Only names are needed: no media is read.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        with file.open() as handle:
            try:
                yield from self._files(file, pq.ParquetFile(handle), wants, listed)
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                detail = (str(error).splitlines() or [type(error).__name__])[0]
                yield Rejection(file.name, "corrupt_parquet", detail, file.uri, damaged=True)

    def _files(self, file: RawFile, parquet: Any, wants: Callable[[str], bool], listed: bool) -> Iterator[RawFile]:
        missing = sorted({*self.name.columns, self.column} - set(parquet.schema_arrow.names))
        if missing:
            raise DamagedError(
                f"{file.uri}: the card expects column(s) {', '.join(missing)}; "
                f"there are {', '.join(parquet.schema_arrow.names)}.",
                hint="the dataset changed its layout: pin the revision on the card, or fix its `embedded`",
            )
        first = 0
        for group in range(parquet.num_row_groups):
            table = parquet.read_row_group(group, columns=list(self.name.columns))
            names = [self.name.fill(row) for row in table.to_pylist()]
            if any(name is not None and wants(name) for name in names):
                media = [None] * len(names) if listed else self._media(parquet, group)
                for place, (name, value) in enumerate(zip(names, media, strict=True)):
                    if name is not None and (listed or value is not None) and wants(name):
                        yield _raw(file, name, first + place, value)
            first += len(names)

    def _media(self, parquet: Any, group: int) -> Iterator[Any]:
        for batch in parquet.iter_batches(batch_size=_BATCH, row_groups=[group], columns=[self.column]):
            yield from batch.column(0).to_pylist()


def compile_embedded(spec: Any) -> Embedded:
    """Check and compile the option of a card.

    Raises:
        UsageError: It is invalid.
    """
    if not isinstance(spec, Mapping) or set(spec) != {"file", "name", "column"}:
        raise UsageError(f"embedded: expected {{file, name, column}}, got {spec!r}.")
    file, name, column = (a_text(spec[key], f"embedded.{key}") for key in ("file", "name", "column"))
    compile_template(file)
    return Embedded(file, filling(name), column)


def _raw(file: RawFile, name: str, row: int, value: Any) -> RawFile:
    data = value.get("bytes") if isinstance(value, dict) else value
    data = data if isinstance(data, bytes) else b""
    opener = partial(io.BytesIO, data)
    return RawFile(name, f"{file.uri}#row={row}", file.revision, len(data), opener, split=file.split,
                   config=file.config, spool=file.spool)  # fmt: skip
