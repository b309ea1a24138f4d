"""Rows of samples that lie in memory, by the same SQL that exports run over a store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from ...shards.sample import SCHEMA
from ...shards.store.tables import duckdb_type
from ...validators.formats import shape_sql
from .base import View, ViewOptions
from .prepare import create_macros, create_prepared
from .statement import row_statement

PATHS = ("image_paths", "video_paths", "audio_paths")


@dataclass(frozen=True, slots=True)
class BatchRow:
    """The row of one sample, without null columns, or the reason why it has none.

    Attributes:
        gives_it_away: Whether a user template put the answer into the user turn.
        shape: What of the row its format's rules look at, as JSON; empty for a format that nobody here knows.
    """

    row: dict[str, Any]
    skip: str | None
    gives_it_away: bool
    shape: str


class RowMaker:
    """Makes rows of a view from samples: mappings of columns of the schema, with `image_paths` and the like."""

    def __init__(self, view: View, options: ViewOptions) -> None:
        import duckdb

        self._keeps_nulls = view.keeps_empty_columns
        self._columns: frozenset[str] | None = None
        account = {"_position": "_position", "_gives_it_away": "gives_it_away"}
        self._format = view.format
        self._rows = row_statement(view, options.task, account)
        self._statement = ""
        self._connection = duckdb.connect(":memory:")
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET threads = 1")
        create_macros(self._connection, options)

    def __enter__(self) -> RowMaker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def rows(self, samples: Sequence[Mapping[str, Any]]) -> list[BatchRow]:
        """One for every sample, in order.

        Raises:
            pyarrow.ArrowException, TypeError, UnicodeEncodeError: A value is not of its column's type.
        """
        import pyarrow as pa

        types = {name: SCHEMA.field(name).type for name in SCHEMA.names} | dict.fromkeys(PATHS, pa.list_(pa.string()))
        used = {name for sample in samples for name, value in sample.items() if value is not None} & types.keys()
        arrays = {
            name: pa.array([_plain(sample.get(name)) for sample in samples], types[name]) for name in sorted(used)
        }
        arrays["_position"] = pa.array(range(len(samples)), pa.int64())
        self._connection.register("batch", pa.table(arrays))
        self._describe(frozenset(used), types)
        result = self._connection.execute(self._statement)
        names = [column[0] for column in result.description or ()]
        made = result.fetchall()
        self._connection.unregister("batch")
        return [self._row(dict(zip(names, row, strict=True))) for row in made]

    def _row(self, values: dict[str, Any]) -> BatchRow:
        skip, leaks = values.pop("_skip"), values.pop("_gives_it_away")
        shape = values.pop("_shape")
        del values["_position"]
        if not self._keeps_nulls:
            values = {name: value for name, value in values.items() if value is not None}
        return BatchRow(values, skip, bool(leaks), shape)

    def _describe(self, used: frozenset[str], types: Mapping[str, Any]) -> None:
        """Create `samples_with_paths` over the batch; what no sample has is null, and costs nothing."""
        if used == self._columns:
            return
        self._columns = used
        columns = [name if name in used else f"NULL::{duckdb_type(type_)} AS {name}" for name, type_ in types.items()]
        self._connection.execute(f"""
            CREATE OR REPLACE VIEW samples_with_paths AS
            SELECT *, task_of(task, question, answer, modality) AS effective_task,
                   language_of(language) AS base_language, false AS upper
            FROM (SELECT {", ".join(columns)}, _position FROM batch)""")
        create_prepared(self._connection)
        described = self._connection.execute(f"DESCRIBE {self._rows}").fetchall()
        own = {str(name): str(type_) for name, type_, *_ in described if not name.startswith("_")}
        shape = f"to_json({shape_sql(self._format, own)})::VARCHAR" if self._format else "''"
        self._statement = f"SELECT *, {shape} AS _shape FROM ({self._rows}) ORDER BY _position"


def _plain(value: Any) -> Any:
    return list(value.items()) if isinstance(value, dict) and "path" not in value else value
