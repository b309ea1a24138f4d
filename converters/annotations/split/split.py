"""`split`: assign splits in which groups are disjoint, as annotations, with a certificate.

select -> groups over the whole store -> places that groups keep -> assign the others -> refuse groups in two splits ->
certificate -> annotations. What the corpus said stays: an assigned split is a later fact that overrides it.

A group keeps its place if it has

    the corpus's own validation or test samples, or samples that were assigned by hand: --override-splits says otherwise
    samples outside of what is split: they stay where they are
    samples that an earlier split of the same kind has placed, and validation or test samples of one of another kind,
    unless --override-splits says otherwise

and where these differ, the most held-out place counts: test, then validation, then any other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....errors import ProblemsFound, UsageError
from ....shards.events import DUPLICATE, Run
from ....shards.query import close_sandbox, connect, where_errors
from ....shards.split_roles import ROLES, card_roles, effective_role_sql, guessed_role, read_corpora, role_sql
from ....shards.store.annotations import ASSIGNED_SPLIT, COMPLETES, unaccounted_sql
from ....shards.store.sql import first_row, quote
from ....shards.store.store import Store
from ....shards.store.tables import ALL_DATASETS, ANNOTATIONS
from .assignment import Assignment, Group, assign
from .certificate import PRODUCER, Kind, certificate_path, write_certificate
from .check import ASSIGNED, DROPPED, MEMORY, create_placed, require_datasets
from .facts import MILLISECONDS, Pins, facts_of, shares_reached
from .group import create_groups
from .key import key_of
from .options import SplitOptions

if TYPE_CHECKING:
    import duckdb


_MUCH = 0.05
"""Shares that are missed by more than this are pointed out."""


@dataclass(slots=True)
class SplitResult:
    """What a split has done.

    Attributes:
        kind: The name of its kind, and of its certificate.
        assigned, unchanged: Samples whose split was written; those that had it already.
        splits: Of all samples of the kind: groups, samples, hours and the share reached, by split.
        notes: What to know about them.
    """

    kind: str
    certificate: Path
    assigned: int = 0
    unchanged: int = 0
    splits: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def split(store: Store, datasets: Sequence[str], options: SplitOptions) -> SplitResult:
    """Assign a split to every sample of the datasets (default: all).

    Raises:
        UsageError: An option is invalid, or samples without a value of the key are there and nobody said what to do.
        ProblemsFound: A split would stay empty, or a group would be in two splits; nothing was written.
    """
    kind = Kind.of(options)
    run = Run("split", datasets[0] if len(datasets) == 1 else ALL_DATASETS, "split",
              options.asked() | {"datasets": sorted(datasets)})  # fmt: skip
    with connect(store, named_in="samples annotations runs", memory_limit=MEMORY) as connection:
        close_sandbox(connection, store.root)
        require_datasets(connection, datasets)
        create_groups(connection, kind.key)
        create_placed(connection)
        _create_asked(connection, datasets, options, kind)
        pins = Pins()
        groups, dropped = _groups(connection, options, pins)
        assignment = assign(groups, options.chosen_shares, seed=options.seed)
        _require_all(assignment, options)
        assignment.splits.update(dict.fromkeys(dropped, DROPPED))
        _create_new(connection, assignment)
        _refuse_conflicts(connection)
        result = _facts(store, connection, kind, options, pins, assignment)
        _write(store, connection, kind, run, result)
    return result


def _create_asked(
    connection: duckdb.DuckDBPyConnection, datasets: Sequence[str], options: SplitOptions, kind: Kind
) -> None:
    """Create `asked`: the samples to split, what they count, and the place that each of them would keep."""
    in_datasets = f"dataset IN ({', '.join(map(quote, datasets))})" if datasets else "true"
    stratum = "NULL" if options.stratify is None else key_of(options.stratify, flag="--stratify").value
    own = role_sql(card_roles(read_corpora(connection)), split="split")
    with where_errors(options.where):
        connection.execute(f"""
            CREATE OR REPLACE TEMP TABLE chosen_ids AS SELECT dataset, id FROM samples
            WHERE {in_datasets} AND coalesce(({options.where or "true"}\n), false)""")
    with where_errors(options.stratify, flag="--stratify"):
        connection.execute(f"""
            CREATE OR REPLACE TEMP TABLE facts AS
            SELECT dataset, id, ({stratum}\n)::VARCHAR AS stratum, {MILLISECONDS} AS milliseconds, {own} AS own_role
            FROM samples SEMI JOIN chosen_ids USING (dataset, id)""")
    by_split = f"starts_with(a.producer, {quote(PRODUCER)})"
    keeps_own = "false" if options.override_splits else "true"
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE asked AS
        SELECT f.*, g.component, g.has_key, a.value AS assigned, a.producer,
               CASE WHEN {keeps_own} AND NOT {by_split} THEN a.value END AS by_hand,
               CASE WHEN {keeps_own} AND coalesce({by_split}, true) AND own_role IN ('validation', 'test')
                    THEN own_role END AS own,
               CASE WHEN a.producer = {quote(kind.producer)}
                      OR ({keeps_own} AND {by_split} AND {role_sql({}, split="a.value")} IN ('validation', 'test'))
                    THEN a.value END AS earlier
        FROM facts f JOIN grouped g ON g.dataset = f.dataset AND g.id = f.id
        LEFT JOIN ({ASSIGNED}) a ON a.dataset = f.dataset AND a.id = f.id""")
    (count, unknown, known) = first_row(
        connection, "SELECT count(*), count(*) FILTER (milliseconds IS NULL), count(milliseconds) FROM asked"
    ) or (0, 0, 0)  # fmt: skip
    if not count:
        raise ProblemsFound(
            "There is nothing to split: no sample is selected.", hint="check the names of datasets and --where"
        )
    if options.balance == "hours" and unknown and not known:
        raise UsageError("--balance hours: no sample has a length.", hint="count samples instead: --balance rows")
    size = "1"
    if options.balance == "hours":
        size = "coalesce(milliseconds, (SELECT round(avg(milliseconds)) FROM asked)::BIGINT)"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE sized AS SELECT *, {size} AS size FROM asked")


def _groups(connection: duckdb.DuckDBPyConnection, options: SplitOptions, pins: Pins) -> tuple[list[Group], list[int]]:
    """The groups to place, and those that are dropped."""
    rows = connection.execute("""
        WITH outside AS (
            SELECT component, list(DISTINCT place) AS places, count(*) AS samples FROM placed
            ANTI JOIN asked USING (dataset, id) WHERE place IS NOT NULL GROUP BY component
        ), strata AS (
            SELECT component, stratum, sum(size) AS size FROM sized GROUP BY component, stratum
        ), main AS (
            SELECT component, first(stratum ORDER BY size DESC, stratum) AS stratum FROM strata GROUP BY component
        )
        SELECT component, sum(size)::BIGINT, count(*), bool_or(has_key), any_value(main.stratum),
               list(DISTINCT by_hand) FILTER (by_hand IS NOT NULL), list(DISTINCT own) FILTER (own IS NOT NULL),
               any_value(outside.places), list(DISTINCT earlier) FILTER (earlier IS NOT NULL)
        FROM sized JOIN main USING (component) LEFT JOIN outside USING (component)
        GROUP BY component ORDER BY component""").fetchall()
    names = _names_of_roles(options)
    groups, dropped, without = [], [], 0
    for component, size, count, has_key, stratum, *places in rows:
        pin = pins.of(dict(zip(("by hand", "of the corpus", "outside", "earlier"), places, strict=True)), count, names)
        if pin == DROPPED:
            dropped.append(component)
            continue
        if pin is None and not has_key:
            without += count
            if options.ungrouped == "drop":
                dropped.append(component)
                continue
            pin = names["train"] if options.ungrouped == "train" else None
        groups.append(Group(component, int(size), count, stratum, pin))
    if without and options.ungrouped is None:
        raise UsageError(
            f"{without:,} of {sum(row[2] for row in rows):,} samples have no value of --by {options.by}.",
            hint="--ungrouped own makes each a group, train puts them there, drop leaves them out; or add --where",
        )
    pins.without_key = without
    return groups, dropped


def _names_of_roles(options: SplitOptions) -> dict[str, str]:
    """The split that stands for a role: of that name, else the first whose name has it, else one of the role's name."""
    names = options.chosen_shares.names
    found = {role: next((name for name in names if guessed_role(name) == role), role) for role in ROLES}
    return found | {role: role for role in ROLES if role in names}


def _require_all(assignment: Assignment, options: SplitOptions) -> None:
    empty = [name for name in options.chosen_shares if name not in assignment.splits.values()]
    if not empty:
        return
    raise ProblemsFound(
        f"{' and '.join(empty)} would be empty: there are {len(assignment.splits):,} groups by {options.by}, and the "
        "others have a place that they keep.",
        hint="fewer --shares, a finer --by, or --override-splits to split the corpus's own test data too",
    )


def _create_new(connection: duckdb.DuckDBPyConnection, assignment: Assignment) -> None:
    """Create `new_splits` (dataset, id, component, value, ...): the split of every sample."""
    import pyarrow as pa

    table = pa.table({
        "component": pa.array(list(assignment.splits), pa.uint64()),
        "value": pa.array(list(assignment.splits.values()), pa.string()),
    })  # fmt: skip
    connection.register("assignment_arrow", table)
    connection.execute("""
        CREATE OR REPLACE TEMP TABLE new_splits AS SELECT * FROM sized JOIN assignment_arrow USING (component)""")
    connection.unregister("assignment_arrow")


def _refuse_conflicts(connection: duckdb.DuckDBPyConnection) -> None:
    """Raise ProblemsFound if a group has samples elsewhere that stay in another split."""
    role = effective_role_sql(card_roles(read_corpora(connection)))
    rows = connection.execute(f"""
        WITH new AS (
            SELECT component, coalesce({role}, value) AS place FROM (
                SELECT component, dataset, value, value AS {ASSIGNED_SPLIT}, value AS effective_split
                FROM new_splits WHERE value <> {quote(DROPPED)})
        ), old AS (
            SELECT component, place, id FROM placed ANTI JOIN new_splits USING (dataset, id) WHERE place IS NOT NULL
        )
        SELECT o.component, min(o.id), any_value(o.place), any_value(n.place)
        FROM old o JOIN (SELECT DISTINCT component, place FROM new) n
        ON n.component = o.component AND n.place <> o.place GROUP BY o.component ORDER BY 2""").fetchall()
    if rows:
        _, first, old, new = rows[0]
        raise ProblemsFound(
            f"{len(rows):,} groups would be in two splits: samples that are not split here stay where they are, the "
            f"first is {first} in {old}, whose group goes to {new}.",
            hint="split these samples too: name their datasets, or widen --where",
        )


def _facts(
    store: Store,
    connection: duckdb.DuckDBPyConnection,
    kind: Kind,
    options: SplitOptions,
    pins: Pins,
    assignment: Assignment,
) -> SplitResult:
    """Write the certificate of all samples of the kind."""
    facts = facts_of(connection, kind.producer)
    reached = shares_reached(facts["splits"], options)
    facts["methods"] = dict(sorted(Counter(assignment.methods.values()).items()))
    result = SplitResult(kind.name, certificate_path(store, kind.name), splits=reached)
    result.notes = [*pins.notes(), *_notes(connection, options, facts), *_missed(reached)]
    hashes = {name: of_split["group_hashes"] for name, of_split in facts["splits"].items()}
    write_certificate(store, kind, {**facts, "splits": reached, "group_hashes": hashes})
    return result


def _missed(reached: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """How far the shares are from what was asked for, if that is much."""
    most = max(abs(facts["share"] - facts["reached"]) for facts in reached.values() if facts["share"] is not None)
    return [f"the shares are missed by up to {most:.0%} of the whole: groups are not cut"] if most > _MUCH else []


def _notes(connection: duckdb.DuckDBPyConnection, options: SplitOptions, facts: Mapping[str, Any]) -> list[str]:
    notes = []
    held, holds = (
        f"coalesce({role_sql({}, split=name)} IN ('validation', 'test'), false)" for name in ("assigned", "value")
    )
    moved, freed, out, unknown = first_row(connection, f"""
        SELECT count(*) FILTER (assigned <> value), count(*) FILTER ({held} AND NOT {holds}),
               count(*) FILTER (own_role IN ('validation', 'test') AND value NOT IN ('validation', 'test')),
               count(*) FILTER (milliseconds IS NULL) FROM new_splits""") or (0, 0, 0, 0)  # fmt: skip
    if moved:
        of_these = f", {freed:,} of them one of validation or test" if freed else ""
        notes.append(f"{moved:,} samples had another assigned split before{of_these}")
    if out and options.override_splits:
        notes.append(f"{out:,} samples of the corpus's own validation or test splits are in other splits now")
    if unknown and options.balance == "hours":
        notes.append(f"{unknown:,} samples have no length; each counts as the mean of the others")
    largest = facts["largest_group"]
    if largest["part"] > 0.5:
        notes.append(f"one group has {largest['part']:.0%} of all samples: its links join what --by would keep apart")
    if "largest_first" in facts["methods"]:
        notes.append("groups were placed one by one, the largest first: their hashes alone would miss the shares")
    return notes


def _write(store: Store, connection: duckdb.DuckDBPyConnection, kind: Kind, run: Run, result: SplitResult) -> None:
    """Write the splits that are new, and the account."""
    time = datetime.now(UTC)
    table = connection.sql(f"""
        SELECT id, dataset, '{ASSIGNED_SPLIT}' AS key, value, {quote(kind.producer)} AS producer,
               {quote(time.isoformat())}::TIMESTAMPTZ AS time
        FROM new_splits n WHERE assigned IS DISTINCT FROM value OR n.producer IS DISTINCT FROM {quote(kind.producer)}
        ORDER BY dataset, id""").to_arrow_table()
    (count,) = first_row(connection, "SELECT count(*) FROM new_splits") or (0,)
    completed = _completed(connection, kind)
    result.assigned = table.num_rows + sum(completed.values())
    result.unchanged = count - result.assigned
    if table.num_rows:
        store.append("annotations", table.cast(ANNOTATIONS))
    run.account.keep(result.assigned)
    run.account.drop(DUPLICATE, result.unchanged)
    run.details = {"kind": kind.name, "splits": result.splits}
    if completed:
        run.details[COMPLETES] = [min(completed), max(completed)]
    run.finish(store)


def _completed(connection: duckdb.DuckDBPyConnection, kind: Kind) -> dict[int, int]:
    """How many of the splits a command wrote that was killed before its account, by their time in microseconds."""
    return dict(
        connection.execute(f"""
        WITH held AS (
            SELECT dataset, id, arg_max(producer, time) AS producer, max(time) AS time FROM annotations
            WHERE key = {quote(ASSIGNED_SPLIT)} GROUP BY dataset, id
        ), times AS (
            SELECT h.time, count(*) AS count FROM new_splits n JOIN held h USING (dataset, id)
            WHERE h.producer = {quote(kind.producer)} AND n.assigned IS NOT DISTINCT FROM n.value GROUP BY h.time
        )
        SELECT epoch_us(time), count FROM times WHERE {unaccounted_sql("split", "times.time")}""").fetchall()
    )
