"""`--ids FILE`: one id per line, or a table `id,start,end` of spans in seconds.

A line is an id alone, or an id, a start and an end, separated by commas or tabs. The first line may be a header that
names the columns (`id`, `start` and `end`, in any order, among others); lines that start with `#` are comments. An id
is a full sample id (`vggsound/train/abc`) or the corpus id (`abc`), which matches every sample with this corpus id.
"""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import UsageError

Span = tuple[float, float]
_WHOLE: tuple[Span | None, ...] = (None,)
_ID_NAMES = ("id", "ytid", "youtube_id", "video_id", "sample_id", "utterance_id")
_START_NAMES = ("start", "start_s", "start_seconds", "start_time")
_END_NAMES = ("end", "end_s", "end_seconds", "end_time")


@dataclass(frozen=True, slots=True)
class IdList:
    """The ids of a file, each with its spans; the span `None` means the whole sample.

    `digest` is equal for lists with the same ids and spans, in any order.
    """

    path: Path
    spans: Mapping[str, tuple[Span | None, ...]] = field(repr=False)
    digest: str
    has_spans: bool

    def __len__(self) -> int:
        return len(self.spans)

    def __str__(self) -> str:
        return str(self.path)

    @classmethod
    def read(cls, path: Path) -> IdList:
        """Read a file. Raises UsageError if it cannot be read or a line is neither an id nor an id with a span."""
        spans: dict[str, tuple[Span | None, ...]] = {}
        for identity, span in _entries(path):
            known = spans.get(identity, ())
            if span not in known:
                spans[identity] = _WHOLE if not known and span is None else (*known, span)
        if not spans:
            raise UsageError(f"--ids {path}: it contains no ids.", hint="one id per line, or id,start,end")
        listed = sorted(f"{identity},{span}" for identity, each in spans.items() for span in each)
        digest = hashlib.sha256("\n".join(listed).encode()).hexdigest()
        return cls(path, spans, digest, any(each != _WHOLE for each in spans.values()))


def _entries(path: Path) -> Iterator[tuple[str, Span | None]]:
    columns: tuple[int, int, int] | None = None
    first = True
    for number, line in _lines(path):
        fields = _fields(line)
        if first:
            first = False
            columns = _header(fields)
            if columns is not None or fields[0].lower() in _ID_NAMES:
                continue
        yield _entry(fields, line, columns, f"--ids {path}:{number}")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.expanduser().open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                if line.strip() and not line.startswith("#"):
                    yield number, line.strip()
    except UnicodeDecodeError as error:
        raise UsageError(f"--ids {path}: it is not UTF-8 text (byte {error.start}).") from error
    except OSError as error:
        raise UsageError(f"--ids {path}: {error.strerror}.", hint="give a file with one id per line") from error


def _fields(line: str) -> list[str]:
    [row] = csv.reader([line], delimiter="\t" if "\t" in line else ",", skipinitialspace=True)
    return [value.strip() for value in row]


def _header(fields: Sequence[str]) -> tuple[int, int, int] | None:
    """Return the positions of id, start and end if the line is a header."""
    names = [name.lower().lstrip("# ") for name in fields]
    found = [
        next((names.index(name) for name in known if name in names), None)
        for known in (_ID_NAMES, _START_NAMES, _END_NAMES)
    ]
    identity, start, end = found
    return None if identity is None or start is None or end is None else (identity, start, end)


def _entry(
    fields: Sequence[str], line: str, columns: tuple[int, int, int] | None, where: str
) -> tuple[str, Span | None]:
    if columns is not None:
        if max(columns) >= len(fields):
            raise UsageError(f"{where}: {len(fields)} values, but the header has more columns: {line!r}.")
        identity, start, end = (fields[column] for column in columns)
        return identity, _span(start, end, where)
    if len(fields) == 3:
        return fields[0], _span(fields[1], fields[2], where)
    if "\t" in line:
        raise UsageError(f"{where}: expected an id, or id, start and end, got {len(fields)} values: {line!r}.")
    return (fields[0] if len(fields) == 1 else line), None


def _span(start: str, end: str, where: str) -> Span | None:
    """Return a span in seconds; None if both values are empty."""
    if not start and not end:
        return None
    try:
        span = float(start), float(end)
    except ValueError:
        raise UsageError(f"{where}: start and end must be seconds, got {start!r} and {end!r}.") from None
    if not (0 <= span[0] < span[1] and math.isfinite(span[1])):
        raise UsageError(f"{where}: a span needs 0 <= start < end, got {start} to {end}.")
    return span
