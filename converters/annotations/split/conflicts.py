"""Groups that `split` kept together and that are in two splits by now, among the samples of an export.

A later pull, import or annotation may have put a test speaker's sample into training. Each export of samples that have
such splits looks them up again in the whole store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ....errors import ProblemsFound
from ....shards.store.sql import first_row
from ....shards.store.store import Store
from .check import SplitCheck, check_splits

if TYPE_CHECKING:
    import duckdb

REASON = "group_in_two_splits"


@dataclass(frozen=True, slots=True)
class SplitCertificate:
    """One kind of split, checked for an export.

    Attributes:
        samples, groups: Of the kind, in the store.
        broken_samples: Selected samples of groups that are in two splits.
        first: The smallest id among them.
    """

    kind: str
    by: str
    samples: int
    groups: int
    broken_samples: int
    first: str | None

    @property
    def holds(self) -> bool:
        return not self.broken_samples


def find_conflicts(
    connection: duckdb.DuckDBPyConnection, store: Store, datasets: Sequence[str], *, action: str
) -> list[SplitCertificate]:
    """Check the splits of the selected samples; the view `chosen` must exist.

    Creates the table `broken_groups` (key, reason) of the samples to leave out.

    Args:
        datasets: Those of the export; default: all.
        action: `refuse`, `drop` or `keep` samples of groups that are in two splits.

    Raises:
        ProblemsFound: There are such, and they are to be refused.
        DamagedError: A certificate is missing or was changed.
    """
    checks = check_splits(connection, store, datasets)
    found = [_certificate(connection, each) for each in checks]
    for each, check in zip(found, checks, strict=True):
        if not each.holds and action == "refuse":
            raise ProblemsFound(
                f"{each.broken_samples:,} selected samples are of groups by {each.by} that are in two splits by now, "
                f"the first is {each.first}: the certificate {each.kind} no longer holds.",
                hint=f"{check.command}, or leave them out with --broken-splits drop",
            )
    taken = "true" if action == "drop" else "false"
    connection.execute(f"""
        CREATE OR REPLACE TABLE broken_groups AS
        SELECT DISTINCT md5_number(id) AS key, '{REASON}' AS reason FROM broken WHERE {taken}""")
    return found


def _certificate(connection: duckdb.DuckDBPyConnection, check: SplitCheck) -> SplitCertificate:
    count, first = 0, None
    if not check.holds:
        count, first = first_row(
            connection,
            "SELECT count(*), min(c.id) FROM chosen c SEMI JOIN broken b ON b.dataset = c.dataset AND b.id = c.id "
            "AND b.kind = $1 WHERE NOT c.filtered",
            [check.kind],
        ) or (0, None)
    return SplitCertificate(check.kind, check.by, check.samples, check.groups, count, first)
