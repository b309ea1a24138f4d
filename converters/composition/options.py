"""`Composition`: the options that say which of the selected samples an export takes, and in which proportion.

They apply in this order, each to what the one before has left, always in the hash order of `--seed`:

    limit      at most so many rows of each value of a column
    mix        shares of datasets
    balance    within them, as many rows of each value of columns
    shares     within these, shares of the classes of a field
    samples, hours   how much in total; default: as much as the shares allow
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from ...errors import UsageError
from ...options import Option, Options, split_commas
from .classes import CLASSES, check_field
from .shares import Shares, shares_reader

MIX = "In which proportion"

MEASURES = ("rows", "hours", "tokens")
_MIX_EXAMPLE = "librispeech=0.7,aishell1=0.3"
_SHARES_EXAMPLE = "complexity:simple=3,complex=7"
read_mix = shares_reader("--mix", _MIX_EXAMPLE)


@dataclass(frozen=True, slots=True)
class FieldShares:
    """The shares of the classes of one field."""

    field: str
    shares: Shares

    def __str__(self) -> str:
        return f"{self.field}:{self.shares}"


def _field_shares(given: Sequence[str]) -> tuple[FieldShares, ...]:
    found: list[FieldShares] = []
    for text in given:
        field, colon, rest = text.partition(":")
        if not colon:
            raise UsageError(f"--shares {text!r}: expected FIELD:CLASS=SHARE,...", hint=f"--shares {_SHARES_EXAMPLE}")
        field = check_field(field.strip(), flag="--shares")
        shares = shares_reader(f"--shares {field}:", rest)(rest)
        known = CLASSES.get(field)
        if known is not None and (unknown := [name for name in shares if name not in known]):
            raise UsageError(f"--shares {text!r}: {field} is {' or '.join(known)}, not {unknown[0]!r}.")
        if field in [each.field for each in found]:
            raise UsageError(f"--shares: {field!r} is given twice.")
        found.append(FieldShares(field, shares))
    return tuple(found)


def _columns(given: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(check_field(name, flag="--balance") for name in split_commas(given)))


def _limits(given: Mapping[str, str]) -> dict[str, int]:
    found = {}
    for name, number in given.items():
        if not re.fullmatch(r"[1-9]\d*", number.strip()):
            raise UsageError(f"--limit {name}={number}: expected a whole number above 0.", hint="--limit speaker=100")
        found[check_field(name, flag="--limit")] = int(number)
    return found


@dataclass(frozen=True, kw_only=True)
class Composition(Options):
    """The composition of an export."""

    samples: Annotated[
        int | None,
        Option(
            "Take N samples; where a sample has several rows (captions, prompts, copies), samples until N rows are "
            "reached.",
            MIX,
            min=1,
            metavar="N",
        ),
    ] = None
    hours: Annotated[
        float | None,
        Option(
            "Take samples until they have H hours, each counted once however many rows it has.",
            MIX,
            above=0,
            metavar="H",
        ),
    ] = None
    mix: Annotated[
        Shares | None,
        Option(f"Shares of datasets: {_MIX_EXAMPLE}; others are left out.", MIX, takes=str, read=read_mix,
               metavar="SHARES"),
    ] = None  # fmt: skip
    mix_by: Annotated[
        str | None,
        Option("What shares are of: rows, hours, or tokens of --model; default: rows, or hours with --hours.", MIX,
               choices=MEASURES),
    ] = None  # fmt: skip
    oversample: Annotated[
        bool, Option("Repeat the rows of datasets that are too small for their share of --mix.", MIX)
    ] = False
    balance: Annotated[
        tuple[str, ...],
        Option("Equally many rows of each value: language; speaker; label; language,speaker; extra.room.", MIX,
               metavar="COLUMNS", read=_columns),
    ] = ()  # fmt: skip
    shares: Annotated[
        tuple[FieldShares, ...],
        Option(f"Shares of the classes of length, complexity, question_kind or a column: {_SHARES_EXAMPLE}.", MIX,
               takes=tuple[str, ...], read=_field_shares, metavar="SHARES"),
    ] = ()  # fmt: skip
    bucket: Annotated[
        float, Option("For --shares length: shorter than this many seconds is short, the rest long.", MIX, above=0,
                      metavar="S")
    ] = 10.0  # fmt: skip
    limit: Annotated[
        Mapping[str, int],
        Option("At most N rows of each value of a column, before --oversample: speaker=100.", MIX,
               takes=Mapping[str, str], read=_limits, metavar="COLUMN=N"),
    ] = field(default_factory=dict)  # fmt: skip

    def check(self) -> None:
        has_parts = self.mix is not None or bool(self.balance or self.shares)
        if self.oversample and self.mix is None:
            raise UsageError("--oversample repeats the rows of datasets to reach their share.", hint="add --mix")
        if self.mix_by is not None and not has_parts:
            raise UsageError("--mix-by says what shares are of.", hint="add --mix, --balance or --shares")
        if self.mix_by == "tokens" and (self.samples is not None or self.hours is not None):
            raise UsageError("--mix-by tokens takes as much as the shares allow.", hint="remove --samples and --hours")
        if self.mix_by == "hours" and self.samples is not None:
            raise UsageError("--mix-by hours: the total is one of hours.", hint="give --hours instead of --samples")
        if self.mix_by == "rows" and self.hours is not None:
            raise UsageError("--mix-by rows: the total is one of samples.", hint="give --samples instead of --hours")
        if has_parts and self.samples is not None and self.hours is not None:
            raise UsageError("--samples and --hours: shares have one total.", hint="give one of them")
        if "dataset" in self.balance and self.mix is not None:
            raise UsageError("--balance dataset and --mix are both shares of datasets: choose one.")
        fields = [each.field for each in self.shares]
        if both := sorted(set(fields) & set(self.balance)):
            raise UsageError(f"--balance and --shares are both shares of {both[0]}: choose one.")

    @property
    def is_set(self) -> bool:
        """Whether anything is to be composed."""
        return bool(self.asked())

    @property
    def measure(self) -> str:
        """What shares are of: `rows`, `hours` or `tokens`."""
        return self.mix_by or ("hours" if self.hours is not None and self.samples is None else "rows")
