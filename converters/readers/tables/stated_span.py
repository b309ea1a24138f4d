"""The span and the channel that the columns of a row state; `span_names.py` lists the names of such columns.

    start, end         a span; also `onset` with `offset`, `from` with `to`, `tmin` with `tmax`
    start, duration    a span by its length; also `offset` with `duration`, as in NeMo and librosa
    start              from there to the end of the file
    duration           no span: what the table says of the length stays in `extra`
    channel            from 0, or A and B, left and right

Which of them a row states follows from the columns that have a value in it. What can't be told apart is refused, never
ignored; `--map COLUMN=extra` keeps a column as text. Values in samples are divided by the file's own sample rate.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time, timedelta
from math import isfinite
from typing import Any

from ...candidate import RowError, bad_cell
from ...imports.columns import map_option
from ...spans import channels_in
from .cells import as_number, as_text, clock_seconds
from .span_names import CHANNEL, END, FIELDS, LENGTH, PAIR, START, Role, role_of, unread_pair

_SHAPES = 4096
_PARTNERS = {"from": ("to", "until"), "tmin": ("tmax",), "xmin": ("xmax",), "in": ("out",)}


@dataclass(frozen=True, slots=True)
class _Shape:
    """The columns that state the span of a row; or why that can't be told.

    Attributes:
        pairs: The columns that may hold both ends, where no others state the span.
        weak: Those of them that state one only if their values are times.
        used: The columns that a span replaces; a length stays, as what the table says of it.
    """

    start: str | None = None
    end: str | None = None
    length: str | None = None
    pairs: tuple[str, ...] = ()
    fault: str | None = None
    weak: tuple[str, ...] = ()
    used: frozenset[str] = frozenset()


_NONE = _Shape()
_NO_COLUMNS = frozenset[str]()


@dataclass(slots=True)
class StatedSpans:
    """Reads the spans and channels of the rows of one table.

    Attributes:
        given: Column -> field, from `--map`.
        known: Column -> field, as the format defines it; such columns are not kept in `extra`.
        by_name: Whether columns are recognised by their names.
        channels: Whether a column `channel` names a channel of the audio: in MS-SWIFT's rows it names one of the loss.
    """

    given: Mapping[str, str]
    known: Mapping[str, str] = field(default_factory=dict)
    by_name: bool = True
    channels: bool = True
    _seen: set[str] = field(default_factory=set)
    _times: dict[str, Role] = field(default_factory=dict)
    _channels: dict[str, Role] = field(default_factory=dict)
    _shapes: dict[tuple[str, ...], _Shape] = field(default_factory=dict)
    _of_format: frozenset[str] = _NO_COLUMNS

    def learn(self, columns: Iterable[str]) -> None:
        """Learn the columns of the table, or of a row with others."""
        for column in columns:
            if column in self._seen:
                continue
            self._seen.add(column)
            role = self._role(column)
            if role is not None:
                (self._channels if role.part == CHANNEL else self._times)[column] = role
                if column in self.known:
                    self._of_format |= {column}

    def _role(self, column: str) -> Role | None:
        meant = self.given.get(column, self.known.get(column))
        if meant is not None:
            return FIELDS.get(meant)
        role = role_of(column) if self.by_name or column in FIELDS else None
        is_other = role is not None and role.part == CHANNEL and role.rank == 0 and not self.channels
        return None if is_other else role

    @property
    def has_columns(self) -> bool:
        """Whether any column may state a span or a channel."""
        return bool(self._times or self._channels)

    def look(self, rows: Sequence[Mapping[str, Any]], note: Callable[[str], None]) -> str | None:
        """Look at the first rows of a table: what is wrong with its columns, if they can't be told apart."""
        for row in rows:
            self.learn(row)
            if (fault := self._shape(row).fault) is not None:
                return fault
        unread = unread_pair(self._seen - self.given.keys() - self.known.keys()) if self.by_name else None
        if unread is not None and not any(self._shape(row) is not _NONE for row in rows):
            start, end = unread
            way = f"{map_option(start, 'start_s')} {map_option(end, 'end_s')}"
            note(f"columns {start!r} and {end!r} are kept as text in extra (if they state a span: {way})")
        for column in list(self._channels):
            values = [row[column] for row in rows if row.get(column) is not None]
            if (fault := self._channel_fault(column, values, note)) is not None:
                return fault
        return None

    def _channel_fault(self, column: str, values: list[Any], note: Callable[[str], None]) -> str | None:
        if column in self.given or column in self.known or not values:
            return None
        read = [channels_in(value) for value in values]
        if all(found is None for found in read):
            note(f"column {column!r}: {as_text(values[0])!r} is no channel of an audio file; kept as text in extra")
            del self._channels[column]
            return None
        numbers = {number for found in read for number in found or ()}
        if 0 in numbers or not {1, 2} <= numbers:
            return None
        return (
            f"column {column!r} has channels {', '.join(map(str, sorted(numbers)))}, but none 0: map it, from 1 "
            f"({map_option(column, 'channel_from_1')}) or from 0 ({map_option(column, 'channel')})"
        )

    def read(
        self, values: Mapping[str, Any], rate: Callable[[], float | None]
    ) -> tuple[dict[str, Any], frozenset[str]]:
        """The fields `start_s`, `end_s` and `channel` of a row, and the columns that need not be kept beside them.

        Args:
            rate: The sample rate of the row's audio, for values in samples.

        Raises:
            RowError: The columns contradict each other, or a value is no time or channel.
        """
        if not self._seen.issuperset(values):
            self.learn(values)
        if not self._times and not self._channels:
            return {}, _NO_COLUMNS
        fields = self._channel(values) if self._channels else {}
        used = self._of_format
        shape = self._shape(values)
        if shape is not _NONE and self._read_span(shape, values, fields, rate):
            used = used | shape.used
        return fields, used

    def _read_span(
        self, shape: _Shape, values: Mapping[str, Any], fields: dict[str, Any], rate: Callable[[], float | None]
    ) -> bool:
        """Add `start_s` and `end_s`; whether the columns state a span at all."""
        if shape.fault is not None:
            raise RowError("ambiguous_span", shape.fault)
        if shape.weak and not all(_is_time(values[column]) for column in shape.weak):
            return False
        if shape.pairs:
            return self._read_pair(shape.pairs, values, fields)
        start = end = None
        if shape.start is not None:
            start = self._seconds(shape.start, values[shape.start], rate)
        if shape.end is not None:
            end = self._seconds(shape.end, values[shape.end], rate)
        elif shape.length is not None:
            length = self._seconds(shape.length, values[shape.length], rate)
            if length is not None and length <= 0:
                raise bad_cell(shape.length, values[shape.length], "a length above 0")
            end = None if length is None else (start or 0.0) + length
        # Rounding makes 0.1 + 0.2 come out as 0.3; a nanosecond is shorter than any audio sample.
        if start is not None:
            fields["start_s"] = round(start, 9)
        if end is not None:
            fields["end_s"] = round(end, 9)
        return True

    def _read_pair(self, columns: Sequence[str], values: Mapping[str, Any], fields: dict[str, Any]) -> bool:
        """Add the span of the only column that holds two times."""
        found = {column: pair for column in columns if (pair := _pair_in(values[column])) is not None}
        if len(found) > 1:
            raise RowError("ambiguous_span", _refused(list(found)[1], f"beside {next(iter(found))!r}"))
        for column, pair in found.items():
            unit = self._times[column].unit
            if not isinstance(unit, float):
                raise RowError("ambiguous_span", _refused(column, f"in {unit}"))
            fields["start_s"], fields["end_s"] = (round(seconds * unit, 9) for seconds in pair)
        return bool(found)

    def _seconds(self, column: str, value: Any, rate: Callable[[], float | None]) -> float | None:
        unit = self._times[column].unit
        if type(value) is float and type(unit) is float and isfinite(value):
            return value * unit
        if isinstance(value, timedelta):
            return value.total_seconds()
        if isinstance(value, time):
            return value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6
        if unit == 1.0 and isinstance(value, str) and ":" in value and (clock := clock_seconds(value)) is not None:
            return clock
        number = as_number(column, value, decimal_comma=False)
        if number is None:
            return None
        if isinstance(unit, float):
            return number * unit
        if unit == "frame_offset" and number == -1:
            return None
        per_second = rate()
        if per_second is None:
            raise RowError("no_sample_rate", "the file's sample rate is unknown, so samples are no time", column)
        return number / per_second

    def _channel(self, values: Mapping[str, Any]) -> dict[str, Any]:
        found: list[int] | None = None
        for column, role in self._channels.items():
            value = values.get(column)
            if value is None:
                continue
            channels = channels_in(value)
            first = int(role.word == "channel_from_1" and not (isinstance(value, str) and value.strip().isalpha()))
            if channels is None or any(number < first for number in channels):
                expected = f"a channel: a number from {first}, A or B, left or right"
                raise bad_cell(column, value, f"{expected} (as text: {map_option(column, 'extra')})")
            channels = [number - first for number in channels]
            if found is not None and found != channels:
                raise bad_cell(column, value, "the channel that another column names")
            found = channels
        return {"channel": found[0] if len(found) == 1 else tuple(found)} if found else {}

    def _shape(self, values: Mapping[str, Any]) -> _Shape:
        present = tuple([column for column in self._times if values.get(column) is not None])
        if not present:
            return _NONE
        shape = self._shapes.get(present)
        if shape is None:
            if len(self._shapes) >= _SHAPES:
                self._shapes.clear()
            is_box = any(column.lower() == "ymin" for column in values)
            roles = {column: role for column, role in self._times.items() if column in present}
            shape = self._shapes[present] = _shape_of(
                {column: role for column, role in roles.items() if not (is_box and role.word in ("xmin", "xmax"))}
            )
        return shape


def _shape_of(roles: Mapping[str, Role]) -> _Shape:
    """Decide which of the columns with a value are the start, the end and the length of a span."""
    starts, ends, lengths = (
        {column: role for column, role in roles.items() if role.part == part} for part in (START, END, LENGTH)
    )
    offset = next((column for column, role in starts.items() if role.word == "offset"), None)
    if offset is not None and len(starts) > 1:
        role = starts.pop(offset)
        if any(other.word == "onset" for other in starts.values()) and all(other.rank == 2 for other in ends.values()):
            ends = {offset: role}
        else:
            return _Shape(fault=_refused(offset, f"beside {next(iter(starts))!r}"))
    words = {role.word for role in roles.values()}
    starts = _with_partner(starts, lambda role: role.word == "offset" or any(w in words for w in _PARTNERS[role.word]))
    ends = _with_partner(ends, lambda role: bool(starts))
    best = [_best(starts), _best(ends)]
    for columns in best:
        if len(columns) > 1:
            return _Shape(fault=_refused(columns[1], f"beside {columns[0]!r}"))
    start, end = (next(iter(columns), None) for columns in best)
    found: tuple[str | None, str | None, str | None]
    if start is None and end is None:
        pairs = tuple(column for column, role in roles.items() if role.part == PAIR)
        return _Shape(pairs=pairs, used=frozenset(pairs)) if pairs else _NONE
    if start is not None and end is None:
        of_start = _lengths(roles[start], lengths)
        if len(of_start) > 1:
            return _Shape(fault=_refused(of_start[1], f"beside {of_start[0]!r}"))
        if not of_start and start == offset:
            return _Shape(fault=_refused(start, "without a length or an end"))
        found = (start, None, next(iter(of_start), None))
    else:
        found = (start, end, None)
    for column in found[:2]:
        if column is not None and roles[column].unit == "frames":
            return _Shape(fault=_refused(column, "in frames, of a video, of features or of audio"))
    start, end, length = found
    weak = tuple(column for column in found if column is not None and roles[column].rank == 2)
    used = frozenset(column for column in (start, end) if column is not None)
    return _Shape(start, end, length, weak=weak, used=used)


def _with_partner(roles: Mapping[str, Role], has_partner: Callable[[Role], bool]) -> dict[str, Role]:
    return {column: role for column, role in roles.items() if role.rank < 2 or has_partner(role)}


def _best(roles: Mapping[str, Role]) -> list[str]:
    """The columns that say it most plainly."""
    rank = min((role.rank for role in roles.values()), default=0)
    return [column for column, role in roles.items() if role.rank == rank]


def _lengths(start: Role, lengths: Mapping[str, Role]) -> list[str]:
    """The columns that may be the length of a span with this start: of the same thing, in a unit of the same kind."""

    def fits(role: Role) -> bool:
        if role.unit == "frame_offset":
            return start.word == "frame_offset"
        same_kind = isinstance(role.unit, float) == isinstance(start.unit, float)
        return same_kind and (not role.is_of_file or role.of == start.of)

    fitting = _best({column: role for column, role in lengths.items() if fits(role)})
    same_unit = [column for column in fitting if lengths[column].unit == start.unit]
    return same_unit if len(same_unit) == 1 else fitting


def _refused(column: str, why: str) -> str:
    return (
        f"column {column!r} {why} may state a span: map it ({map_option(column, 'start_s')}, end_s, duration_s, "
        f"start_ms, start_sample ...), or keep it as text ({map_option(column, 'extra')})"
    )


def _pair_in(value: Any) -> tuple[float, float] | None:
    """The two numbers of `[1.5, 3.5]`, also as JSON, or of `{"start": 1.5, "end": 3.5}`; None for anything else."""
    if isinstance(value, str) and value.startswith(("[", "{", "(")):
        try:
            value = json.loads(value.replace("(", "[").replace(")", "]"))
        except (ValueError, RecursionError):
            return None
    if isinstance(value, dict) and value.keys() == {"start", "end"}:
        value = [value["start"], value["end"]]
    if not isinstance(value, list | tuple) or len(value) != 2:
        return None
    if any(isinstance(item, bool) or not isinstance(item, int | float) for item in value):
        return None
    return float(value[0]), float(value[1])


def _is_time(value: Any) -> bool:
    if isinstance(value, str):
        try:
            return as_number("", value, decimal_comma=False) is not None
        except RowError:
            return clock_seconds(value) is not None
    return isinstance(value, int | float | time | timedelta) and not isinstance(value, bool)
