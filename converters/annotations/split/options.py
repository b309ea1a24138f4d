"""`SplitOptions`: all options of `split`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ....errors import UsageError
from ....options import Option, Options
from ...composition.shares import Shares, shares_reader
from .key import KEYS, Key, key_of

GROUPS = "What stays together"
SPLITS = "The splits"

BALANCES = ("hours", "rows")
UNGROUPED = ("own", "train", "drop")
EXAMPLE = "train=80,validation=10,test=10"
read_shares = shares_reader("--shares", EXAMPLE)


def _shares(text: str) -> Shares:
    from ....shards.sample import check_name

    shares = read_shares(text)
    for name in shares:
        check_name(name, what="split")
    if len(shares.names) < 2:
        raise UsageError(f"--shares {text!r} names one split: at least two are needed.", hint=f"--shares {EXAMPLE}")
    return shares


@dataclass(frozen=True, kw_only=True)
class SplitOptions(Options):
    """Options of a split."""

    by: Annotated[
        str | None,
        Option(f"What must not be in two splits: {', '.join(KEYS)}, a column, extra.NAME, or an SQL expression. "
               "A value holds within its dataset.", GROUPS, metavar="KEY"),
    ] = None  # fmt: skip
    across: Annotated[bool, Option("A value of the key is the same in all datasets.", GROUPS)] = False
    ungrouped: Annotated[
        str | None,
        Option("Samples without a value of the key: own (each is a group), train, or drop (into a split named "
               "ungrouped, which no role selects); default: refuse.", GROUPS, choices=UNGROUPED),
    ] = None  # fmt: skip
    where: Annotated[
        str | None, Option("Only samples for which this SQL expression is true.", GROUPS, metavar="SQL")
    ] = None
    shares: Annotated[
        Shares | None,
        Option(f"The splits and their shares; default: {EXAMPLE}.", SPLITS, takes=str, read=_shares, metavar="SHARES"),
    ] = None  # fmt: skip
    balance: Annotated[str, Option("What the shares are of: hours or rows.", SPLITS, choices=BALANCES)] = "hours"
    stratify: Annotated[
        str | None,
        Option("Reach the shares within each value of a column, extra.NAME or SQL expression.", SPLITS, metavar="KEY"),
    ] = None  # fmt: skip
    seed: Annotated[int, Option("Seed of the hash order of groups.", SPLITS)] = 0
    override_splits: Annotated[
        bool,
        Option("Split the corpus's own validation and test samples, and those assigned by hand, like all others.",
               SPLITS),
    ] = False  # fmt: skip

    def check(self) -> None:
        if self.where is not None:
            from ....shards.query import check_where

            check_where(self.where)
        for flag, text in (("--by", self.by), ("--stratify", self.stratify)):
            if text is not None:
                key_of(text, flag=flag)

    @property
    def key(self) -> Key:
        """What must not be in two splits.

        Raises:
            UsageError: The user did not say.
        """
        if self.by is None:
            raise UsageError("split needs --by: what must not be in two splits.", hint="triptych split --by speaker")
        return key_of(self.by, flag="--by", across=self.across)

    @property
    def chosen_shares(self) -> Shares:
        return self.shares or read_shares(EXAMPLE)
