"""`triptych validate`: measure new samples, then decide on every measured sample.

Measurements are stored; a second run only measures new samples and those that have changed since, so trying other rules
takes seconds. A dataset keeps the rules that decided on it until others are given (`rule_choice.py`). Rejected samples
stay in the store and are not exported unless requested.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from ..errors import ProblemsFound, UsageError, did_you_mean
from ..shards.engine.engine import INLINE_PARTS, Rows, map_parts
from ..shards.events import Run
from ..shards.query import connect
from ..shards.store.annotations import DECIDING_KEYS, REMEASURED_KEYS, changed_sql
from ..shards.store.commits import until_committed
from ..shards.store.lock import locked
from ..shards.store.rows_to_arrow import rows_to_table, values_to_array
from ..shards.store.sql import first_row, quote
from ..shards.store.store import Store
from ..shards.store.tables import EVENTS, VERDICTS
from ..shards.store.views import AS_PULLED
from . import checks
from .changed_media import add_changed_media
from .checks.schema import CHECKS_SCHEMA
from .repeats import COLUMNS as REPEATS
from .repeats import find_repeats
from .rule_choice import RecordedChoices, RuleChoice, given_choice
from .rules import RuleSet, decide_in_batches, joined_sql

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger("triptych")

PART_ROWS = 32
COMMIT_ROWS = 10_000
MEMORY_LIMIT = "128MB"
"""For deciding, which looks at all rows at once."""
READ_LIMIT = "512MB"
"""For finding the samples to measure: their texts may be long."""


@dataclass(slots=True)
class DatasetResult:
    """The result of validating one dataset.

    Attributes:
        measured: Number of samples measured in this run; the others had been measured before.
        verdicts: keep, warn and reject -> count.
        reasons: (reason, level) -> count; a sample may have several reasons.
        rule_set: The hash of the rules that decided.
        rules_file: The file that they came from, in this run or an earlier one; None: the package's rules.
        overrides: The levels and thresholds that differ from the package's.
        rules_given: Whether the rules were given for this run; else they are those that decided last.
    """

    dataset: str
    run_id: str
    measured: int
    verdicts: dict[str, int] = field(default_factory=dict)
    reasons: dict[tuple[str, str], int] = field(default_factory=dict)
    rule_set: str = ""
    rules_file: str | None = None
    overrides: dict[str, Any] = field(default_factory=dict)
    rules_given: bool = False

    @property
    def samples(self) -> int:
        return sum(self.verdicts.values())

    @property
    def rejected(self) -> int:
        return self.verdicts.get("reject", 0)


def validate(
    store: Store,
    datasets: Sequence[str] = (),
    *,
    rules_file: Path | None = None,
    workers: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[DatasetResult]:
    """Measure and decide, dataset by dataset.

    Args:
        rules_file: Levels and thresholds that override the package's rules; `default` for the package's; None for the
            rules that decided last.
        progress: Called with the dataset, the number of samples measured and the number to measure.

    Raises:
        UsageError: The store has no such dataset.
        ProblemsFound: The store has no samples.
    """
    given = given_choice(rules_file)
    known = store.datasets()
    if not known:
        raise ProblemsFound(f"The store {store.root} has no samples.", hint="triptych catalog pull NAME")
    for dataset in datasets:
        if dataset not in known:
            raise UsageError(
                f"The store has no dataset {dataset!r}. Datasets: {', '.join(known)}.",
                hint=did_you_mean(dataset, known),
            )
    started = datetime.now(UTC)
    with connect(store, named_in="runs samples") as connection:
        recorded = RecordedChoices(connection)
        choices = {name: given or recorded.of(name) for name in datasets or known}
        repeats = find_repeats(connection)
    return [
        _validate(store, name, choice, _Moment(started, repeats), workers, progress) for name, choice in choices.items()
    ]


_MEASURES = "samples samples_as_pulled checks annotations"
_DECIDES_ON = f"{_MEASURES} verdicts"
"""The tables that the steps read: making a view of another one takes as long as a query."""


@dataclass(frozen=True, slots=True)
class _Moment:
    """The store when a validation started: whatever changes later makes a verdict stale."""

    time: datetime
    repeats: pa.Table


def _validate(
    store: Store,
    dataset: str,
    choice: RuleChoice,
    moment: _Moment,
    workers: int | None,
    progress: Callable[[str, int, int], None] | None,
) -> DatasetResult:
    rules = choice.rules
    with locked(store.root / ".locks" / f"{dataset}.validate.lock", purpose=f"validate {dataset}"):
        run = Run("validate", dataset, "validate", {**choice.record(), "checks": checks.REVISION})
        log.info("validate %s: checks %s, rules %s", dataset, checks.REVISION, rules.hash)
        measured = _measure(store, dataset, workers, progress)
        log.info("validate %s: %d samples measured", dataset, measured)
        until_committed(lambda: _decide_if_due(store, dataset, rules, moment, is_due=measured > 0))
        with connect(store, named_in="verdicts events") as connection:
            result = _result(connection, dataset, choice, run.run_id, measured)
            _account(connection, dataset, rules, run)
            _write_events(store, connection, dataset, rules, run)
        log.info("validate %s: verdicts %s", dataset, result.verdicts)
        run.details = {"measured": measured}
        run.finish(store)
    return result


# ---- measuring


def _measure(store: Store, dataset: str, workers: int | None, progress: Callable[[str, int, int], None] | None) -> int:
    unmeasured = _Unmeasured(store, dataset)
    done = 0
    pending: Rows = []
    measure = partial(checks.measure_rows, root=str(store.root))
    results = map_parts(
        measure,
        unmeasured.parts(),
        workers=workers,
        are_many=_are_many(store, dataset),
        preload=checks.PRELOAD,
        lost=checks.lost_row,
    )
    try:
        for rows in results:
            pending += rows
            done += len(rows)
            for row in rows:
                row["measured_at"] = unmeasured.read_at
            if progress:
                progress(dataset, done, unmeasured.total)
            if len(pending) >= COMMIT_ROWS:
                finished, pending = pending, []
                unmeasured.commit(finished)
    finally:
        unmeasured.commit(pending)  # whatever ends the run, what is measured is not measured again
    return done


def _are_many(store: Store, dataset: str) -> bool:
    """Whether enough samples lack measurements to start the workers before looking for these samples."""
    count = store.count_rows("samples").get(dataset, 0) - store.count_rows("checks").get(dataset, 0)
    return count > INLINE_PARTS * PART_ROWS


class _Unmeasured:
    """The samples of a dataset to measure, in parts; `total` is known once the first part has been requested.

    Outdated measurements are deleted on the way. `read_at` is a time before the samples were read, so that one that
    changes while it is measured will be measured again.
    """

    def __init__(self, store: Store, dataset: str) -> None:
        self._store = store
        self._dataset = dataset
        self.total = 0
        self.read_at = datetime.now(UTC)
        self._version = -1

    def parts(self) -> Iterator[Rows]:
        with ExitStack() as stack:
            with self._store.dataset_lock(self._dataset, "find samples to measure"):
                # Under the lock no commit is under way whose rows are older than their commit.
                self.read_at = datetime.now(UTC)
                self._version = self._store.table("samples").version()
                connection = stack.enter_context(connect(self._store, named_in=_MEASURES, memory_limit=READ_LIMIT))
            _find_unmeasured(connection, self._dataset)
            add_changed_media(self._store, connection, self._dataset, revision=checks.REVISION)
            self.total = _count_unmeasured(connection)
            if not self.total:
                return
            stale = [str(row[0]) for row in connection.execute("SELECT id FROM unmeasured WHERE stale").fetchall()]
            self._store.delete("checks", self._dataset, stale)
            columns = ", ".join(f"s.{name}" for name in checks.INPUT_COLUMNS)
            reader = connection.sql(
                f"SELECT {columns} FROM samples s SEMI JOIN unmeasured u ON s.id = u.id"
            ).to_arrow_reader(PART_ROWS * 32)
            for batch in reader:
                for start in range(0, len(batch), PART_ROWS):
                    yield batch.slice(start, PART_ROWS).to_pylist()

    def commit(self, rows: Rows) -> None:
        """Store measurements, but for those of samples that were removed in the meantime."""
        if not rows:
            return
        measured = rows_to_table(rows, CHECKS_SCHEMA)
        with self._store.dataset_lock(self._dataset, "store measurements"):
            if self._store.table("samples").version() != self._version:
                measured = self._without_removed(measured)
            if measured.num_rows:
                self._store.append("checks", measured, merge_schema=True)

    def _without_removed(self, measured: pa.Table) -> pa.Table:
        with connect(self._store, named_in=AS_PULLED) as connection:
            connection.register("measured", measured.select(["id"]))
            live = connection.sql(f"SELECT id FROM {AS_PULLED} SEMI JOIN measured USING (id)").to_arrow_table()
        return measured.filter(pc.is_in(measured["id"], value_set=live["id"]))


def _find_unmeasured(connection: duckdb.DuckDBPyConnection, dataset: str) -> None:
    """Create the table `unmeasured`: new samples, and those whose row, text or span has changed."""
    connection.execute(f"""
        CREATE TABLE unmeasured AS
        SELECT s.id, c.id IS NOT NULL AS stale
        FROM samples_as_pulled s
        LEFT JOIN checks c ON c.dataset = s.dataset AND c.id = s.id AND c.revision = {quote(checks.REVISION)}
        LEFT JOIN ({changed_sql(REMEASURED_KEYS)}) a ON a.dataset = s.dataset AND a.id = s.id
        WHERE s.dataset = {quote(dataset)}
          AND (c.id IS NULL OR c.measured_at < s.pulled_at OR c.measured_at < a.changed_at)
    """)


def _count_unmeasured(connection: duckdb.DuckDBPyConnection) -> int:
    row = first_row(connection, "SELECT count(*) FROM unmeasured")
    return int(row[0]) if row else 0


# ---- deciding


def _decide_if_due(store: Store, dataset: str, rules: RuleSet, moment: _Moment, *, is_due: bool) -> None:
    """Decide on every sample; under the lock of the dataset, so that none is removed or restored in the meantime."""
    with (
        store.dataset_lock(dataset, "decide on samples"),
        connect(store, named_in=_DECIDES_ON, memory_limit=MEMORY_LIMIT) as connection,
    ):
        connection.register("repeats", moment.repeats)
        if is_due or not _is_decided(connection, dataset, rules):
            _decide(store, connection, dataset, rules, moment.time)


def _is_decided(connection: duckdb.DuckDBPyConnection, dataset: str, rules: RuleSet) -> bool:
    """Whether every sample has a verdict of exactly these rules on what it is now, and on its repeats elsewhere."""
    on_repeats = [rule for rule in rules.rules if rule.level != "off" and any(name in rule.when for name in REPEATS)]
    differs = " OR ".join(
        f"list_contains(v.reasons, {quote(rule.code)}) <> coalesce({rule.sql()}, false)" for rule in on_repeats
    )
    row = first_row(
        connection,
        f"""SELECT count(*) FROM samples_as_pulled s
        LEFT JOIN verdicts v ON v.dataset = s.dataset AND v.id = s.id AND v.rule_set = {quote(rules.hash)}
        LEFT JOIN ({changed_sql(DECIDING_KEYS)}) a ON a.dataset = s.dataset AND a.id = s.id
        LEFT JOIN repeats r ON r.dataset = s.dataset AND r.id = s.id
        WHERE s.dataset = {quote(dataset)} AND (
            v.id IS NULL OR v.judged_at < greatest(s.pulled_at, a.changed_at) OR {differs or "false"})""",
    )
    return bool(row and not row[0])


def _decide(
    store: Store, connection: duckdb.DuckDBPyConnection, dataset: str, rules: RuleSet, judged_at: datetime
) -> None:
    one = f"(SELECT * FROM {{}} WHERE dataset = {quote(dataset)})"
    measured = f"(SELECT * FROM checks WHERE dataset = {quote(dataset)} AND revision = {quote(checks.REVISION)})"
    [time] = values_to_array([judged_at], VERDICTS.field("judged_at").type)

    def verdicts() -> Iterator[pa.RecordBatch]:
        relation = joined_sql(one.format("samples"), measured, "repeats")
        for batch in decide_in_batches(connection, rules, relation=relation):
            yield batch.append_column("judged_at", pa.repeat(time, len(batch))).select(VERDICTS.names)

    store.replace_dataset("verdicts", dataset, pa.RecordBatchReader.from_batches(VERDICTS, verdicts()))


# ---- reporting


def _result(
    connection: duckdb.DuckDBPyConnection, dataset: str, choice: RuleChoice, run_id: str, measured: int
) -> DatasetResult:
    where = f"WHERE dataset = {quote(dataset)}"
    verdicts = connection.execute(f"SELECT verdict, count(*) FROM verdicts {where} GROUP BY 1").fetchall()
    reasons = connection.execute(
        f"SELECT reason, count(*) FROM (SELECT unnest(reasons) AS reason FROM verdicts {where}) "
        "GROUP BY 1 ORDER BY 2 DESC, 1"
    ).fetchall()
    levels = {rule.code: rule.level for rule in choice.rules.rules}
    return DatasetResult(
        dataset,
        run_id,
        measured,
        {str(verdict): int(count) for verdict, count in verdicts},
        {(str(reason), levels[str(reason)]): int(count) for reason, count in reasons},
        choice.rules.hash,
        choice.file,
        {code: dict(fields) for code, fields in choice.rules.overrides.items()},
        choice.given,
    )


def _first_reject_sql(rules: RuleSet) -> str:
    rejecting = ", ".join(map(quote, rules.codes("reject")))
    return f"list_filter(reasons, lambda r: r IN ({rejecting}))[1]"


def _account(connection: duckdb.DuckDBPyConnection, dataset: str, rules: RuleSet, run: Run) -> None:
    rows = connection.execute(
        f"SELECT CASE WHEN verdict = 'reject' THEN {_first_reject_sql(rules)} END AS reason, count(*) "
        f"FROM verdicts WHERE dataset = {quote(dataset)} GROUP BY 1 ORDER BY 1"
    ).fetchall()
    for reason, count in rows:
        if reason is None:
            run.account.keep(int(count))
        else:
            run.account.drop(str(reason), int(count))


def _write_events(store: Store, connection: duckdb.DuckDBPyConnection, dataset: str, rules: RuleSet, run: Run) -> None:
    """Write one event per rejected sample and reason; events of earlier runs are not repeated."""
    reader = connection.sql(f"""
        SELECT dataset, {quote(run.run_id)} AS run_id, 'validate' AS stage, id AS candidate, reason,
               array_to_string(reasons, ', ') AS detail, '' AS uri, now() AS time
        FROM (SELECT *, {_first_reject_sql(rules)} AS reason FROM verdicts
              WHERE dataset = {quote(dataset)} AND verdict = 'reject') v
        WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.stage = 'validate' AND e.dataset = v.dataset
                          AND e.candidate = v.id AND e.reason = v.reason)
    """).to_arrow_reader(100_000)
    for batch in reader:
        if len(batch):
            store.append("events", pa.Table.from_batches([batch]).select(EVENTS.names).cast(EVENTS))


def rejected_rows(store: Store, dataset: str, *, limit: int = 20) -> list[dict[str, Any]]:
    """Return some rejected samples with their reasons, for tables and reports."""
    with connect(store, named_in="verdicts") as connection:
        rows: list[dict[str, Any]] = (
            connection.sql(
                f"SELECT id, reasons FROM verdicts WHERE dataset = {quote(dataset)} AND verdict = 'reject' "
                f"ORDER BY id LIMIT {limit}"
            )
            .to_arrow_table()
            .to_pylist()
        )
    return rows
