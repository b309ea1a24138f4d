"""What became of every sample, read from `rows` at once: counts by outcome, licences, what to warn of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...errors import ProblemsFound
from ...shards.store.sql import first_row

if TYPE_CHECKING:
    import duckdb


@dataclass(slots=True)
class ExportAccount:
    """Samples in numbers.

    Attributes:
        outcomes: Samples by outcome: `written` have a row, `filtered` were not asked for.
        licences: Rows by dataset and licence.
        held_out, unvalidated, rejected: Rows of validation or test splits; never validated; rejected by the rules.
        media: Rows by media column that they fill.
        leaks: Rows whose user turn holds the answer, and `leak`, the first of them by id.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    licences: dict[str, Counter[str]] = field(default_factory=dict)
    held_out: int = 0
    unvalidated: int = 0
    rejected: int = 0
    media: Counter[str] = field(default_factory=Counter)
    leaks: int = 0
    leak: str | None = None

    @property
    def written(self) -> int:
        return self.outcomes["written"]

    def used(self, columns: Sequence[str]) -> list[str]:
        """Those media columns that any row fills."""
        return [column for column in columns if self.media[column]]

    def in_words(self) -> str:
        listed = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(self.outcomes.items()) if count)
        return listed or "no samples were chosen"


def read_account(connection: duckdb.DuckDBPyConnection, media_columns: Sequence[str]) -> ExportAccount:
    """The account of `rows` and of what `chosen` left out."""
    filled = "".join(f", count({column})" for column in media_columns)
    account = ExportAccount()
    for dataset, licence, held_out, verdict, outcome, count, leaks, leak, *media in connection.execute(f"""
        SELECT _dataset, coalesce(_license, 'unknown'), coalesce(_held_out, false), _verdict, _outcome, count(*),
               count(*) FILTER (_leak), min(id) FILTER (_leak){filled}
        FROM rows GROUP BY ALL ORDER BY ALL""").fetchall():
        account.outcomes[outcome or "written"] += count
        if outcome is not None:
            continue
        account.licences.setdefault(str(dataset), Counter())[str(licence)] += count
        account.held_out += count if held_out else 0
        account.unvalidated += count if verdict is None else 0
        account.rejected += count if verdict == "reject" else 0
        account.media.update(dict(zip(media_columns, media, strict=True)))
        account.leaks += leaks
        account.leak = min((each for each in (leak, account.leak) if each is not None), default=None)
    row = first_row(connection, "SELECT count(*) FROM chosen WHERE filtered")
    if row and row[0]:
        account.outcomes["filtered"] = row[0]
    return account


def refuse_leaks(account: ExportAccount) -> None:
    """Raise where the user turn holds the answer."""
    if account.leaks:
        raise ProblemsFound(
            f"The user template puts the answer into the user turn of {account.leaks:,} rows, the first is "
            f"{account.leak}: a model trained on them learns to copy.",
            hint="leave that field out of --user-template, or insist with --allow-answer-in-prompt",
        )
