"""The options that select samples of a dataset, checked before anything is opened.

Filters (`ids`, `labels`, `where`, `part`) look at one candidate at a time: the source is read once, in its own order.
Draws (`by="hash"`, `balance`, `speakers`) look at all candidates: the source is listed first, then the drawn ones are
read. Filters apply before draws, so a draw is taken from what passes the filters. A draw depends only on the ids and
the seed, never on the order of candidates, and a larger draw contains the smaller one.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from ...errors import UsageError
from ...options import Option, Options, split_commas
from .id_list import IdList
from .where import Expression

ORDERS = ("source", "hash")
SOME = "Which samples"
DRAW = "Random or balanced draw"
LIMITS = "When to stop"

_EXTRA = re.compile(r"extra\.(.+)")
_NOT_YET = ("id", "dataset", "audio", "video", "image", "more_media", "pulled_at", "extra")


class Part(NamedTuple):
    """Part `number` of `parts`, counted from 1."""

    number: int
    parts: int

    def __str__(self) -> str:
        return f"{self.number}/{self.parts}"


def strata_columns() -> tuple[str, ...]:
    """Return the columns that `--balance` accepts, besides `extra.NAME`."""
    import pyarrow as pa

    from ...shards.sample import SCHEMA

    def has_strata(column: pa.Field) -> bool:
        return bool(pa.types.is_string(column.type)) or bool(column.type == pa.list_(pa.string()))

    return tuple(column.name for column in SCHEMA if column.name not in _NOT_YET and has_strata(column))


def _labels(given: Sequence[str]) -> tuple[str, ...]:
    """Parse class names; one that contains a comma is written in double quotes."""
    found = [name.strip() for row in csv.reader(given, skipinitialspace=True) for name in row]
    if any(not name for name in found):
        raise UsageError(f"--labels {','.join(given)!r}: a label is empty.", hint='write --labels "Dog,Bark"')
    return tuple(dict.fromkeys(found))


def _part(text: str) -> Part:
    match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageError(f"--part {text!r}: write it as I/N with I from 1 to N.", hint="the first of four: --part 1/4")
    return Part(int(match[1]), int(match[2]))


def _columns(given: Sequence[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(split_commas(given)))
    known = strata_columns() if names else ()
    for name in names:
        if name not in known and not _EXTRA.fullmatch(name):
            raise UsageError(
                f"--balance {name!r}: not a column that is known before the media is read.",
                hint=f"columns: {', '.join(known)}, or extra.NAME",
            )
    return names


@dataclass(frozen=True, kw_only=True)
class Subset(Options):
    """The selection of samples that a pull takes."""

    ids: Annotated[
        IdList | None,
        Option("Only the samples listed in a file: one id per line, or id,start,end in seconds.", SOME, takes=Path,
               metavar="FILE", read=IdList.read),
    ] = None  # fmt: skip
    labels: Annotated[
        tuple[str, ...], Option('Only samples with any of these class names: "Dog,Bark".', SOME, read=_labels)
    ] = ()
    where: Annotated[
        Expression | None,
        Option("Only samples for which this SQL expression is true: \"speaker = '84' and extra['room'] = '3'\".", SOME,
               takes=str, metavar="SQL", read=Expression),
    ] = None  # fmt: skip
    part: Annotated[
        Part | None, Option("Only part I of N, for array jobs.", SOME, takes=str, metavar="I/N", read=_part)
    ] = None
    by: Annotated[
        str, Option("source: the first ones; hash: a uniform random draw, which can grow.", DRAW, choices=ORDERS)
    ] = "source"
    balance: Annotated[
        tuple[str, ...],
        Option("Draw evenly over the values of columns: speaker; language,speaker; labels; extra.room.", DRAW,
               metavar="COLUMNS", read=_columns),
    ] = ()  # fmt: skip
    speakers: Annotated[
        int | None,
        Option("Only samples of N speakers, chosen by hash; with --samples, drawn evenly from them.", DRAW, above=0),
    ] = None
    seed: Annotated[int, Option("Seed of the draw.", DRAW)] = 0
    hours: Annotated[float | None, Option("Stop once H hours are stored.", LIMITS, above=0, metavar="H")] = None
    max_tries: Annotated[
        int | None, Option("Stop after trying N candidates, even if few of them were usable.", LIMITS, above=0)
    ] = None

    def check(self) -> None:
        if self.by == "hash" and self.balance:
            raise UsageError("--by hash and --balance are different draws: choose one.")
        if self.is_draw and self.has_spans:
            raise UsageError(
                f"--ids {self.ids or ''} lists spans, which are all taken and cannot be combined with a draw.",
                hint="leave out --by, --balance and --speakers, or list ids without spans",
            )

    def check_end(self, samples: int | None) -> None:
        """Raises UsageError if a draw needs a number of samples and none is given."""
        drawn = "--by hash" if self.by == "hash" else "--balance" if self.balance else None
        if drawn and samples is None and self.hours is None and self.speakers is None:
            raise UsageError(f"{drawn} needs a number of samples to draw.", hint="add --samples N or --hours H")

    @property
    def is_filter(self) -> bool:
        """Whether candidates are filtered one by one."""
        return bool(self.ids or self.labels or self.where or self.part)

    @property
    def is_draw(self) -> bool:
        """Whether all candidates must be listed before the first is taken."""
        return self.by == "hash" or bool(self.balance) or self.speakers is not None

    @property
    def needs_fields(self) -> bool:
        """Whether selecting or counting a candidate needs more than its id."""
        return bool(self.labels or self.where or self.hours or self.balance or self.speakers or self.has_spans)

    @property
    def strata(self) -> tuple[str, ...]:
        """The columns to balance over; a draw of speakers is balanced over speakers by default."""
        if self.balance or self.speakers is None or self.by == "hash":
            return self.balance
        return ("speaker",)

    @property
    def has_limits(self) -> bool:
        """Whether a limit other than the number of samples can end the pull."""
        return self.hours is not None or self.max_tries is not None

    @property
    def has_spans(self) -> bool:
        """Whether the pull creates samples (spans) that no other pull of the dataset would store."""
        return self.ids is not None and self.ids.has_spans

    def without_limits(self) -> Subset:
        return replace(self, hours=None, max_tries=None)

    def key(self) -> str:
        """Return a key that is equal for equal selections, whatever their limits; empty if nothing is selected."""
        chosen: dict[str, Any] = {}
        if self.ids:
            chosen["ids"] = self.ids.digest
        if self.labels:
            chosen["labels"] = sorted({label.casefold() for label in self.labels})
        if self.where:
            chosen["where"] = self.where.text
        if self.part:
            chosen["part"] = list(self.part)
        if self.is_draw:
            chosen |= {"by": "hash", "balance": list(self.strata), "speakers": self.speakers, "seed": self.seed}
        return json.dumps(chosen, sort_keys=True, ensure_ascii=False) if chosen else ""
