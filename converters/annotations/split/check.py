"""Check splits again: whether each group of a certificate is still in one split of the store.

A group is broken if some of its samples are training data and others are held out, or are in two held-out splits: a
later pull, import or annotation has put a sample of it elsewhere. Samples of unknown role are in no split; a sample
without any split is training data, because an export takes it as such.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ....errors import UsageError, did_you_mean
from ....shards.query import close_sandbox, connect
from ....shards.split_roles import card_roles, effective_role_sql, read_corpora
from ....shards.store.annotations import ASSIGNED_SPLIT, LATEST
from ....shards.store.sql import first_row, quote
from ....shards.store.store import Store
from .certificate import PRODUCER, read_kind
from .group import create_groups

if TYPE_CHECKING:
    import duckdb

DROPPED = "ungrouped"
"""The split of samples without a group that were dropped: no role selects it."""

ASSIGNED = (
    f"SELECT dataset, id, {LATEST} AS value, arg_max(producer, time) AS producer FROM annotations "
    f"WHERE key = {quote(ASSIGNED_SPLIT)} GROUP BY dataset, id HAVING {LATEST} IS NOT NULL"
)
"""SQL for the assigned splits and who assigned them."""

MEMORY = "512MB"
"""What DuckDB holds, whatever the number of samples."""
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class SplitCheck:
    """What became of one kind of split.

    Attributes:
        by: What must not be in two splits.
        datasets: Those with samples of the kind.
        samples, groups: Of the kind.
        broken_groups, broken_samples: The groups that are in two splits, and their samples.
        first: The smallest ids among these.
        unassigned: Samples of the datasets that no split was assigned to.
        command: What splits them as before.
    """

    kind: str
    by: str
    datasets: list[str]
    samples: int
    groups: int
    broken_groups: int = 0
    broken_samples: int = 0
    first: tuple[str, ...] = ()
    unassigned: int = 0
    command: str = ""

    @property
    def holds(self) -> bool:
        return not self.broken_groups


def place_sql(connection: duckdb.DuckDBPyConnection) -> str:
    """SQL for where a sample is: a role, or the name of an assigned split without one; null if in no split.

    It reads `dataset`, `assigned_split`, `effective_split` and the `producer` of the assigned split.
    """
    role = effective_role_sql(card_roles(read_corpora(connection)))
    return (
        f"CASE WHEN {ASSIGNED_SPLIT} = {quote(DROPPED)} THEN NULL WHEN effective_split IS NULL THEN 'train' "
        f"WHEN starts_with(producer, {quote(PRODUCER)}) THEN coalesce({role}, {ASSIGNED_SPLIT}) ELSE {role} END"
    )


def create_placed(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the table `placed` (dataset, id, component, place, producer) of all samples; `grouped` must exist."""
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE placed AS
        SELECT dataset, id, component, {place_sql(connection)} AS place, producer FROM (
            SELECT s.dataset, s.id, g.component, s.{ASSIGNED_SPLIT}, a.producer,
                   coalesce(s.{ASSIGNED_SPLIT}, s.split) AS effective_split
            FROM samples s JOIN grouped g ON g.dataset = s.dataset AND g.id = s.id
            LEFT JOIN ({ASSIGNED}) a ON a.dataset = s.dataset AND a.id = s.id)""")


def check_splits(
    connection: duckdb.DuckDBPyConnection, store: Store, datasets: Collection[str] = ()
) -> list[SplitCheck]:
    """Check the splits of the datasets (default: all), and create the table `broken` (kind, dataset, id).

    The connection has the views `samples`, `annotations` and `runs`.

    Raises:
        DamagedError: A certificate is missing or was changed.
    """
    connection.execute("CREATE OR REPLACE TEMP TABLE broken (kind VARCHAR, dataset VARCHAR, id VARCHAR)")
    rows = connection.execute(
        f"SELECT producer, list_sort(list(DISTINCT dataset)) FROM ({ASSIGNED}) "
        f"WHERE starts_with(producer, {quote(PRODUCER)}) GROUP BY producer ORDER BY producer"
    ).fetchall()
    return [
        _check(connection, store, str(producer), of_kind)
        for producer, of_kind in rows
        if not datasets or set(datasets) & set(of_kind)
    ]


def check_store(store: Store, datasets: Sequence[str] = ()) -> list[SplitCheck]:
    """Check the splits of the datasets of a store; default: all."""
    with connect(store, named_in="samples annotations runs", memory_limit=MEMORY) as connection:
        close_sandbox(connection, store.root)
        require_datasets(connection, datasets)
        return check_splits(connection, store, datasets)


def require_datasets(connection: duckdb.DuckDBPyConnection, datasets: Sequence[str]) -> None:
    """Raise UsageError for a dataset that the store does not have."""
    known = [str(name) for (name,) in connection.execute("SELECT DISTINCT dataset FROM samples ORDER BY 1").fetchall()]
    for dataset in datasets:
        if dataset not in known:
            raise UsageError(
                f"The store has no dataset {dataset!r}. Datasets: {', '.join(known) or 'none'}.",
                hint=did_you_mean(dataset, known),
            )


def _check(connection: duckdb.DuckDBPyConnection, store: Store, producer: str, datasets: Sequence[str]) -> SplitCheck:
    kind = read_kind(store, producer.removeprefix(PRODUCER))
    create_groups(connection, kind.key)
    create_placed(connection)
    covered = f"producer = {quote(producer)}"
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE broken_here AS
        SELECT dataset, id, component FROM placed WHERE place IS NOT NULL AND component IN (
            SELECT component FROM placed WHERE place IS NOT NULL
            GROUP BY component HAVING bool_or({covered}) AND count(DISTINCT place) > 1)""")
    connection.execute("INSERT INTO broken SELECT $1, dataset, id FROM broken_here", [kind.name])
    samples, groups = first_row(
        connection, f"SELECT count(*), count(DISTINCT component) FROM placed WHERE {covered}"
    ) or (0, 0)  # fmt: skip
    broken, broken_groups, first = first_row(
        connection,
        f"SELECT count(*), count(DISTINCT component), list_sort(list(id))[1:{_SHOWN}] FROM broken_here",
    ) or (0, 0, [])  # fmt: skip
    for table in ("grouped", "placed", "joined", "broken_here"):
        connection.execute(f"DROP TABLE {table}")
    listed = ", ".join(map(quote, datasets))
    (unassigned,) = first_row(
        connection, f"SELECT count(*) FROM samples WHERE dataset IN ({listed}) AND {ASSIGNED_SPLIT} IS NULL"
    ) or (0,)  # fmt: skip
    return SplitCheck(
        kind.name,
        kind.by,
        [*datasets],
        samples,
        groups,
        broken_groups,
        broken,
        tuple(first or ()),
        unassigned,
        kind.command(datasets),
    )
