"""Output of commands: one JSON document or readable tables on stdout, progress and logs on stderr.

Text from data never reaches a terminal raw: control characters are escaped.
"""

from __future__ import annotations

import io
import json
import logging
import math
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ..errors import TriptychError
from ..shards.pace import PaceLines, with_left

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from ..shards.events import Account

RIGHT_ALIGNED = (int, float, Decimal)
WIDE = 200
"""Width in columns to assume if the output is not a terminal, so that ids are not cut."""

TEXT_WIDTH = 100
"""Columns of running text where the output is not a terminal."""

LEAST = 12
"""A column of a table on a terminal is not cut to less than this; the last columns are left out instead."""

GAP = 3
"""Blanks between two columns."""

_UNPRINTABLE = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""DEL, C1 controls, line separators, bidirectional controls, unpaired surrogates."""


def plain(value: Any) -> Any:
    """Convert a value to what JSON can represent, including dataclasses, paths, times, counters and tuples."""
    if is_dataclass(value) and not isinstance(value, type):
        # Not `asdict`, which rebuilds a Counter from its pairs and so counts the pairs.
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {" ".join(key) if isinstance(key, tuple) else str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def emit(document: Any, *, as_json: bool, show: Callable[[], None]) -> None:
    """Print the JSON document, or call `show` for readable output."""
    if as_json:
        _write_json(document)
    else:
        show()


def _write_json(document: Any) -> None:
    """Print JSON that is safe for a terminal: unprintable characters are escaped."""
    text = json.dumps(plain(document), ensure_ascii=False, indent=2)
    sys.stdout.write(_UNPRINTABLE.sub(_escape, text) + "\n")


def _escape(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]


def say(text: str = "") -> None:
    """Print a line on stdout."""
    sys.stdout.write(printable(text) + "\n")


def say_formatted(text_of: Callable[[int, bool], str]) -> None:
    """Print a text that is made for a width, coloured or not; what it has of data is escaped already."""
    is_coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else TEXT_WIDTH
    sys.stdout.write(text_of(columns, is_coloured))


def say_withdrawn(dataset: str, account: Account) -> None:
    """Say how many samples tombstones kept out, and the ways back; media may have been removed from another dataset."""
    if count := account.withdrawn:
        owners = account.withdrawn_from or [dataset]
        say(f"  {count:,} were removed earlier from {', '.join(owners)} and stay out:")
        for owner in owners:
            say(f"  to bring back what was removed: triptych store restore {owner}")
            say(f"  to import or pull it anew: triptych store remove {owner} --forget")


def note(text: str) -> None:
    """Print a line on stderr (progress, warnings), unless `--quiet` is given."""
    if not _quiet:
        fault(text)


def fault(text: str) -> None:
    """Print a line on stderr even with `--quiet`: an error."""
    sys.stderr.write(printable(text) + "\n")


_quiet = False


def reset_level() -> None:
    """Show what a command shows that is given neither `--quiet` nor `--verbose`: a process may run several."""
    global _quiet
    _quiet = False
    logging.getLogger("triptych").setLevel(logging.WARNING)


def set_level(*, quiet: bool = False, verbose: bool = False) -> None:
    """Set how much is shown besides results and errors; with neither argument, leave the level unchanged."""
    global _quiet
    log = logging.getLogger("triptych")
    if quiet:
        _quiet = True
        log.setLevel(logging.ERROR)
    if verbose:
        _quiet = False
        log.setLevel(logging.DEBUG)
        for handler in log.handlers:
            handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s"))


def printable(text: str) -> str:
    """Escape control characters in a text, except line breaks."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str | None = None) -> None:
    """Print a table on stdout, as wide as needed; on a terminal as wide as that, cells and columns cut to fit."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    on_terminal = sys.stdout.isatty()
    widths = _widths(columns, rows, shutil.get_terminal_size().columns) if on_terminal else [None] * len(columns)
    grid = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, title=title, title_justify="left")
    for index, (name, room) in enumerate(zip(columns, widths, strict=False)):
        numeric = all(isinstance(row[index], RIGHT_ALIGNED) or row[index] is None for row in rows) and bool(rows)
        grid.add_column(
            Text(name), justify="right" if numeric else "left", overflow="ellipsis" if on_terminal else "fold",
            no_wrap=on_terminal, width=room,
        )  # fmt: skip
    for row in rows:
        grid.add_row(*(Text(printable(cell(value))) for value in row[: len(widths)]))
    # Not printed by Rich itself, which exits with a failure if the reader of a pipe has gone.
    text = io.StringIO()
    whole = None if on_terminal else max(WIDE, _needed(columns, rows))
    Console(file=text, width=whole, force_terminal=on_terminal, highlight=False).print(grid)
    sys.stdout.write(text.getvalue())
    if left_out := columns[len(widths) :]:
        say(f"{len(left_out)} more columns: {', '.join(left_out)}")


def _widths(columns: Sequence[str], rows: Sequence[Sequence[Any]], room: int) -> list[int | None]:
    """The widths of the columns that a terminal has room for: whole, or the widest cut to the same width."""
    needed = [
        max(1, width(name), *(width(printable(cell(row[index]))) for row in rows)) for index, name in enumerate(columns)
    ]
    while len(needed) > 1 and sum(min(each, LEAST) for each in needed) + GAP * (len(needed) - 1) > room:
        needed.pop()
    cap = max(needed, default=1)
    while cap > 1 and sum(min(each, cap) for each in needed) + GAP * (len(needed) - 1) > room:
        cap -= 1
    return [min(each, cap) for each in needed]


def width(text: str) -> int:
    """The columns of a terminal that a text takes: two for a Chinese character."""
    from rich.cells import cell_len

    return cell_len(text)


def _needed(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> int:
    widths = [max([len(name), *(len(cell(row[i])) * 2 for row in rows)]) for i, name in enumerate(columns)]
    return sum(widths) + 4 * len(widths)


def cell(value: Any) -> str:
    """Format a value for a table."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Decimal):
        return cell(plain(value))
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, str):
        return value.replace("\r", "\\r").replace("\n", "\\n")
    return json.dumps(plain(value), ensure_ascii=False)


def size(count: int | None) -> str:
    """Format a number of bytes, such as `1.5 GB`."""
    if count is None:
        return "unknown"
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError("unreachable")


def report_error(error: TriptychError, *, as_json: bool) -> None:
    """Print an error on stderr, or as the JSON document on stdout."""
    if as_json:
        document = {"error": {"type": type(error).__name__, "message": error.message, "hint": error.hint}}
        _write_json(document)
        return
    fault(f"error: {error.message}")
    if error.hint:
        fault(f"  next: {error.hint}")


class Telling:
    """How far a command is, for whoever waits; this one tells nobody."""

    def __call__(self, done: int, of: int | None) -> None:
        """So much is done, of so much; None: it is not known of how much."""

    def line(self, text: str, *, short: str) -> None:
        """A line worth reading in a log; `short` is what stands beside the bar of a terminal."""


class _Notes(Telling):
    """Lines, where there is no terminal: those that a command tells, and between them how far it is."""

    def __init__(self, description: str, unit: str) -> None:
        amount, noun = (size, "") if unit == "bytes" else ("{:,}".format, unit)
        self._lines = PaceLines(
            lambda what, left_s: note(with_left(f"{description}: {what}", left_s)), noun, amount=amount
        )

    def __call__(self, done: int, of: int | None) -> None:
        self._lines(done, of)

    def line(self, text: str, *, short: str) -> None:
        note(text)
        self._lines.told()


class _Bar(Telling):
    """A progress bar on a terminal."""

    def __init__(self, bar: RichProgress, task: TaskID, unit: str) -> None:
        self._bar, self._task, self._unit = bar, task, unit

    def __call__(self, done: int, of: int | None) -> None:
        speed = self._bar.tasks[self._task].speed
        rate = f"{speed:,.{0 if speed >= 10 else 2}f} {self._unit}/s" if speed else ""
        if of is not None:
            self._bar.update(self._task, total=of)
        self._bar.update(self._task, completed=done, rate=rate)

    def line(self, text: str, *, short: str) -> None:
        self._bar.update(self._task, detail=printable(short))


@contextmanager
def progress(description: str, *, total: int | None, unit: str) -> Iterator[Telling]:
    """Show a progress bar with rate and time left on a terminal; elsewhere lines, of long work alone.

    Yields what to call with the amount done so far and the total, or None if the total is unknown.
    """
    if _quiet or not sys.stderr.isatty():
        yield Telling() if _quiet else _Notes(description, unit)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    if unit == "bytes":
        amount = [DownloadColumn(), TransferSpeedColumn()]
    else:
        amount = [MofNCompleteColumn(), TextColumn("{task.fields[rate]}")]
    with Progress(
        TextColumn("{task.description}"), BarColumn(), *amount, TimeRemainingColumn(),
        TextColumn("{task.fields[detail]}", markup=False), console=Console(file=sys.stderr), transient=True,
    ) as bar:  # fmt: skip
        yield _Bar(bar, bar.add_task(description, total=total, rate="", detail=""), unit)
