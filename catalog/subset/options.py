"""The options of a choice, checked before anything is opened.

Filters (`ids`, `labels`, `where`, `part`) look at one candidate at a time: the source is read once, in its own order.
Draws (`by="hash"`, `balance`, `speakers`) look at all of them: the source is listed first, then the drawn ones are
read. Filters apply before draws, so that a draw is one of what the filters leave. Everything depends on ids and the
seed alone, never on the order of candidates, and a larger draw contains the smaller one.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from ...errors import UsageError
from ...shards.sample import SCHEMA
from .id_list import IdList
from .where import Expression

ORDERS = ("source", "hash")
_Number = TypeVar("_Number", int, float)
_EXTRA = re.compile(r"extra\.(.+)")
_NOT_YET = ("id", "dataset", "audio", "video", "image", "more_media", "pulled_at", "extra")
STRATA = tuple(
    field.name for field in SCHEMA
    if field.name not in _NOT_YET and (pa.types.is_string(field.type) or field.type == pa.list_(pa.string()))
)  # fmt: skip
"""Columns that `--balance` takes, beside `extra.NAME`."""


@dataclass(frozen=True, slots=True)
class Subset:
    """What a pull takes of a dataset.

    Attributes:
        ids: Only these, or these spans of them.
        labels: Only candidates with any of these class names; case does not matter.
        where: Only candidates for which this SQL expression is true.
        part: (I, N): only candidates whose id falls into part I of N; the parts are disjoint and together the whole.
        by: `source`: the first ones; `hash`: those with the smallest SHA-256 of seed and id.
        balance: Columns whose values take turns.
        speakers: Only samples of so many speakers, chosen by hash.
        hours: Stop once so many hours are stored.
        max_tries: Stop once so many candidates were tried.
        seed: Another seed is another draw.
    """

    ids: IdList | None = None
    labels: tuple[str, ...] = ()
    where: Expression | None = None
    part: tuple[int, int] | None = None
    by: str = "source"
    balance: tuple[str, ...] = ()
    speakers: int | None = None
    hours: float | None = None
    max_tries: int | None = None
    seed: int = 0

    @classmethod
    def parse(
        cls,
        *,
        samples: int | None = None,
        ids: str | Path | None = None,
        labels: str | Sequence[str] = (),
        where: str | None = None,
        part: str | None = None,
        by: str | None = None,
        balance: str | Sequence[str] = (),
        speakers: int | None = None,
        hours: float | None = None,
        max_tries: int | None = None,
        seed: int = 0,
    ) -> Subset:
        """The options as they are typed; `samples` only to check that a draw has an end.

        Raises:
            UsageError: An option that cannot be, or options that contradict each other.
        """
        selection = cls(
            ids=IdList.read(Path(ids)) if ids is not None else None,
            labels=_labels(labels),
            where=Expression(where) if where is not None else None,
            part=_part(part) if part is not None else None,
            by=_order(by),
            balance=_columns(balance),
            speakers=_positive(speakers, "--speakers"),
            hours=_positive(hours, "--hours"),
            max_tries=_positive(max_tries, "--max-tries"),
            seed=seed,
        )
        selection._check(samples)
        return selection

    @property
    def is_filter(self) -> bool:
        """Whether candidates are looked at one by one."""
        return bool(self.ids or self.labels or self.where or self.part)

    @property
    def is_draw(self) -> bool:
        """Whether all candidates must be known before the first is taken."""
        return self.by == "hash" or bool(self.balance) or self.speakers is not None

    @property
    def needs_fields(self) -> bool:
        """Whether more than the id of a candidate decides, or more than its id must be known to count it."""
        return bool(self.labels or self.where or self.hours or self.balance or self.speakers or self.has_spans)

    @property
    def strata(self) -> tuple[str, ...]:
        """The columns that take turns: a draw of speakers is even over them unless it says otherwise."""
        if self.balance or self.speakers is None or self.by == "hash":
            return self.balance
        return ("speaker",)

    @property
    def has_limits(self) -> bool:
        """Whether something beside the number of samples ends the pull."""
        return self.hours is not None or self.max_tries is not None

    @property
    def has_spans(self) -> bool:
        """Whether samples are made that no other pull of the dataset would store."""
        return self.ids is not None and self.ids.has_spans

    def without_limits(self) -> Subset:
        return replace(self, hours=None, max_tries=None)

    def key(self) -> str:
        """Equal for equal choices, whatever their limits (samples, hours, tries); empty where nothing is chosen."""
        said: dict[str, Any] = {}
        if self.ids:
            said["ids"] = self.ids.digest
        if self.labels:
            said["labels"] = sorted({label.casefold() for label in self.labels})
        if self.where:
            said["where"] = self.where.text
        if self.part:
            said["part"] = list(self.part)
        if self.is_draw:
            said |= {"by": "hash", "balance": list(self.strata), "speakers": self.speakers, "seed": self.seed}
        return json.dumps(said, sort_keys=True, ensure_ascii=False) if said else ""

    def describe(self) -> dict[str, Any]:
        """The options as a run keeps them: only those that were given."""
        said = {
            "ids": str(self.ids.path) if self.ids else None,
            "labels": list(self.labels) or None,
            "where": self.where.text if self.where else None,
            "part": "{}/{}".format(*self.part) if self.part else None,
            "by": self.by if self.by != "source" else None,
            "balance": list(self.balance) or None,
            "speakers": self.speakers,
            "hours": self.hours,
            "max_tries": self.max_tries,
            "seed": self.seed or None,
        }
        return {name: value for name, value in said.items() if value is not None}

    def _check(self, samples: int | None) -> None:
        if self.by == "hash" and self.balance:
            raise UsageError("--by hash and --balance are two draws: choose one.")
        drawn = "--by hash" if self.by == "hash" else "--balance" if self.balance else None
        if drawn and samples is None and self.hours is None and self.speakers is None:
            raise UsageError(
                f"{drawn} draws a number of samples, and none is given.", hint="add --samples N or --hours H"
            )
        if self.is_draw and self.has_spans:
            raise UsageError(
                f"--ids {self.ids.path if self.ids else ''} names spans: all of them are taken, and no draw is made.",
                hint="leave out --by, --balance and --speakers, or give ids alone",
            )


EVERYTHING = Subset()
"""No choice at all."""


def _labels(given: str | Sequence[str]) -> tuple[str, ...]:
    """Class names; one that has a comma of its own is written in double quotes."""
    listed = [given] if isinstance(given, str) else list(given)
    found = [name.strip() for row in csv.reader(listed, skipinitialspace=True) for name in row]
    if any(not name for name in found):
        raise UsageError(f"--labels {','.join(listed)!r}: a label is empty.", hint='write --labels "Dog,Bark"')
    return tuple(dict.fromkeys(found))


def _part(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageError(f"--part {text!r}: write it as I/N with I from 1 to N.", hint="the first of four: --part 1/4")
    return int(match[1]), int(match[2])


def _order(by: str | None) -> str:
    if by is None or by in ORDERS:
        return by or "source"
    raise UsageError(f"--by {by!r}: there is 'source' (the first ones) and 'hash' (a uniform draw).")


def _columns(given: str | Sequence[str]) -> tuple[str, ...]:
    listed = given.split(",") if isinstance(given, str) else [part for each in given for part in each.split(",")]
    names = tuple(dict.fromkeys(name.strip() for name in listed if name.strip()))
    for name in names:
        if name not in STRATA and not _EXTRA.fullmatch(name):
            raise UsageError(
                f"--balance {name!r}: no such column is known before the media is read.",
                hint=f"columns: {', '.join(STRATA)}, or extra.NAME",
            )
    return names


def _positive(value: _Number | None, option: str) -> _Number | None:
    if value is not None and not 0 < value < float("inf"):
        raise UsageError(f"{option} {value}: a number above 0 is expected.")
    return value
