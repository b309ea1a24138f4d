"""Make rows of samples in memory, with the same SQL that exports run over a store."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from ...shards.exports.jsonl import sparse_columns
from ...shards.sample import SCHEMA
from ...shards.store.sql import identifier
from ...shards.store.tables import duckdb_type
from ...validators.formats import shape_sql
from .base import View, ViewOptions
from .left_out import left_out_columns, names
from .prepare import (
    EMPTIABLE,
    MESSAGE_KEYS,
    NOT_UPPER,
    PICTURES,
    READ_KEYS,
    SELECTING,
    TOOLS,
    WITH_LOSS,
    connect,
    macros_called,
    with_prepared,
)
from .sql.fold import entry_of
from .statement import describe, row_statement, sql_errors
from .terms.chunk_type import CHUNK
from .values import check_skip, check_types, exact_float, is_native, without_null_members

_SOUND = """
    CASE WHEN audio_paths IS NOT NULL THEN 'apart' WHEN modality = 'mixed' AND video_paths IS NOT NULL THEN 'inside'
    END"""
"""Where the sound of a sample's video is: files are not opened, so the modality must say that a video has sound."""
_CHUNK = duckdb_type(CHUNK)
"""Only exports make chunks of samples."""
PATHS = (*PICTURES, "audio_paths")


@dataclass(frozen=True, slots=True)
class BatchRow:
    """The row of one sample, or the reason why it has none.

    Attributes:
        row: The columns of the view; null columns are omitted unless the view keeps empty columns.
        skip: The reason code, or None for a row.
        leaks_answer: Whether a user template put the answer into the user turn.
        left_out: Fields that the sample has and the row does not carry.
        sound: Where the sound of the row's video is: `separate`, `in-video`; None if it has no video with sound.
        shape: The parts of the row that its format's rules check, as JSON; empty without a validator for the format.
    """

    row: dict[str, Any]
    skip: str | None
    leaks_answer: bool
    shape: str
    left_out: tuple[str, ...] = ()
    sound: str | None = None


class RowMaker:
    """Makes rows of a view from samples: mappings of schema columns, with `image_paths` and the like."""

    def __init__(self, view: View, options: ViewOptions) -> None:
        self._view = view
        self._options = options
        self._as_json: list[str] = []
        self._sparse: list[str] = []
        self._columns: tuple[frozenset[str], bool] | None = None
        account = {"_position": "_position", "_leaks_answer": "leaks_answer", "_sound": "_sound"}
        account |= left_out_columns(view, options)
        self._format = view.format
        self._rows = row_statement(view, options.task, account)
        self._made = ""
        self._statement = ""
        self._connection = connect(options, *SELECTING)
        self._macros: dict[str, str] = {}

    def __enter__(self) -> RowMaker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def rows(self, samples: Sequence[Mapping[str, Any]]) -> list[BatchRow]:
        """The row of every sample, in order.

        Raises:
            UsageError: The SQL of a user's view fails, or `skip` is no reason code.
            pyarrow.ArrowException, TypeError, UnicodeEncodeError: A value does not fit the type of its column.
        """
        import pyarrow as pa

        types = {name: SCHEMA.field(name).type for name in SCHEMA.names} | dict.fromkeys(PATHS, pa.list_(pa.string()))
        used = {name for sample in samples for name, value in sample.items() if value is not None} & types.keys()
        if any(len(sample.get(name) or ()) > 1 for sample in samples for name in PATHS):
            used.add("more_media")
        arrays = {
            name: pa.array([_plain(sample.get(name), types[name]) for sample in samples], types[name])
            for name in sorted(used)
        }
        arrays["_position"] = pa.array(range(len(samples)), pa.int64())
        self._connection.register("batch", pa.table(arrays))
        keeps_loss = self._view.keeps_message_keys and "messages" in used
        with_loss = keeps_loss and any('"loss' in _message_keys(sample) for sample in samples)
        if any(turn["role"].startswith("tool_") for sample in samples for turn in sample.get("messages") or ()):
            used.update(TOOLS)
        extras = {key for sample in samples for key in sample.get("extra") or ()}
        used.update(entry_of("extra", key) for key in extras.intersection(READ_KEYS))
        self._make(frozenset(used), types, with_loss=with_loss)
        self._connection.unregister("batch")
        result = self._connection.execute(self._statement)
        names = [column[0] for column in result.description or ()]
        rows = result.fetchall()
        return [self._row(dict(zip(names, row, strict=True))) for row in rows]

    def _row(self, values: dict[str, Any]) -> BatchRow:
        skip, leaks = values.pop("_skip"), values.pop("_leaks_answer")
        shape = values.pop("_shape")
        left_out = tuple(names(values.pop("_left_out"), values.pop("_extra_left_out")))
        sound = values.pop("_sound")
        del values["_position"]
        if skip is not None and not self._view.built_in:
            check_skip(self._view, skip, values["id"])
        for name in self._as_json:
            if values[name] is not None:
                values[name] = json.loads(values[name], parse_float=exact_float)
        empty = (
            self._view.optional_columns
            if self._view.keeps_empty_columns
            else [name for name, value in values.items() if value is None]
        )
        values = {
            name: without_null_members(value) if name in self._sparse else value
            for name, value in values.items()
            if value is not None or name not in empty
        }
        return BatchRow(values, skip, bool(leaks), shape, left_out, sound)

    def _make(self, used: frozenset[str], types: Mapping[str, Any], *, with_loss: bool) -> None:
        """Create the table `made`, the view's rows of the batch, and the statement that reads it."""
        is_new = (used, with_loss) != self._columns
        if is_new:
            self._show(used, types, with_loss=with_loss)
        with sql_errors(self._view):
            self._connection.execute(f"CREATE OR REPLACE TEMP TABLE made AS {self._made}")
        if is_new:
            made = self._connection.execute("DESCRIBE made").fetchall()
            self._statement = self._reading({str(name): str(type_) for name, type_, *_ in made})
            self._columns = (used, with_loss)

    def _show(self, used: frozenset[str], types: Mapping[str, Any], *, with_loss: bool) -> None:
        """Make the statement over the batch; columns without values are constant nulls, which cost nothing."""
        columns = [name if name in used else f"NULL::{duckdb_type(type_)} AS {name}" for name, type_ in types.items()]
        keys = (entry_of("extra", key) for key in READ_KEYS)
        empty = frozenset((*EMPTIABLE, *PICTURES, *TOOLS, *keys, "upper")) - used
        samples = f"""
            SELECT *{f" REPLACE ({WITH_LOSS} AS messages)" if with_loss else ""}, id AS sample_id,
                   task_of(task, question, answer, modality, messages) AS effective_task,
                   language_of(language) AS base_language, split AS effective_split, audio.frames AS audio_frames,
                   audio.sample_rate AS audio_rate, audio.channels AS audio_channels, {NOT_UPPER},
                   {_SOUND} AS sound, id AS prompt_of, 0 AS prompt_part, NULL::{_CHUNK} AS chunk
            FROM (SELECT {", ".join(columns)}, _position FROM batch)"""
        self._made = with_prepared(self._rows, self._options, decide=self._view.built_in, empty=empty, samples=samples)
        called = [self._made, WITH_LOSS] if with_loss else [self._made]
        if not self._view.built_in:
            called.append(with_prepared(self._rows, self._options, decide=False))  # it is described, below
        for macro in macros_called(self._options, *called, with_loss=with_loss, temporary=True):
            name = macro.partition("(")[0]
            if self._macros.get(name) != macro:
                self._connection.execute(macro)
                self._macros[name] = macro
        if not self._view.built_in:  # its types and its errors are unknown before it is described
            check_types(self._view, describe(self._connection, self._view, self._rows, self._options, samples=samples))

    def _reading(self, described: Mapping[str, str]) -> str:
        """The statement that reads `made`, whose columns have these types."""
        own = {name: type_ for name, type_ in described.items() if not name.startswith("_")}
        self._sparse = sparse_columns(own) if self._view.built_in else []
        shape = f"to_json({shape_sql(self._format, own)})::VARCHAR" if self._format else "''"
        self._as_json = [
            name for name, type_ in own.items() if type_ == "JSON" or not (self._view.built_in or is_native(type_))
        ]
        texts = [f"to_json({identifier(name)})::VARCHAR AS {identifier(name)}" for name in self._as_json]
        listed = f"* REPLACE ({', '.join(texts)})" if texts else "*"
        return f"SELECT {listed}, {shape} AS _shape FROM made ORDER BY _position"


def _plain(value: Any, type_: Any) -> Any:
    import pyarrow as pa

    return list(value.items()) if isinstance(value, dict) and pa.types.is_map(type_) else value


def _message_keys(sample: Mapping[str, Any]) -> str:
    return (sample.get("extra") or {}).get(MESSAGE_KEYS) or ""
