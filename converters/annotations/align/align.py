"""`triptych align`: word and phone times of stored samples, written as the annotations `words` and `phones`.

Candidates are the samples with a transcript and sound of their own that have no word times yet: those that came with
the corpus or through `import` stay, and so do those that an earlier run made, unless the text, the span or the media
have changed since. Each candidate is kept, or dropped for a reason with an event; one that was aligned before and
cannot be now loses its old times. What is aligned is committed as it goes: a run that ends is continued by the next.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from ....errors import ProblemsFound, UsageError, did_you_mean
from ....shards.engine.engine import INLINE_PARTS, Row, Rows, map_parts
from ....shards.events import Account, Run
from ....shards.query import connect
from ....shards.sample import SPOKEN_TASKS
from ....shards.store.annotations import COMPLETES, LATEST, annotation_row, changed_sql, unaccounted_sql
from ....shards.store.lock import locked
from ....shards.store.rows_to_arrow import rows_to_table
from ....shards.store.sql import first_row, quote
from ....shards.store.store import Store
from ....shards.store.tables import ANNOTATIONS
from ...ingest.event_log import EventLog
from .aligner import AlignerSettings, aligner_of
from .clips import CLIP_COLUMNS, align_rows, lost_row
from .options import AlignOptions

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger("triptych")

_PRODUCERS = "align %"
_CHANGES = ("text", "language", "start_s", "end_s")
_COMMIT_ROWS = 2_000
_READ_LIMIT = "512MB"


@dataclass(slots=True)
class AlignResult:
    """The result of aligning one dataset.

    Attributes:
        producer: The aligner, its version and its model, as stored with every alignment.
        timed: Samples that had word times already.
        silent: Samples without a transcript or without sound of their own: none of them is a candidate.
    """

    dataset: str
    run_id: str
    account: Account
    producer: str
    timed: int = 0
    silent: int = 0


def align(
    store: Store,
    datasets: Sequence[str] = (),
    *,
    options: AlignOptions,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[AlignResult]:
    """Align the samples that have no word times yet, dataset by dataset.

    Args:
        progress: Called with the dataset, the number of samples done and the number to do.

    Raises:
        UsageError: The store has no such dataset, or the aligner cannot be used.
        ProblemsFound: The store has no samples; an external aligner failed as a whole.
    """
    known = store.datasets()
    if not known:
        raise ProblemsFound(f"The store {store.root} has no samples.", hint="triptych catalog pull NAME")
    for dataset in datasets:
        if dataset not in known:
            raise UsageError(
                f"The store has no dataset {dataset!r}. Datasets: {', '.join(known)}.",
                hint=did_you_mean(dataset, known),
            )
    settings = AlignerSettings(options.aligner, options.dictionary, options.acoustic_model, options.workers)
    aligner_of(settings)
    left, results = options.samples, []
    for dataset in datasets or known:
        results.append(_align(store, dataset, options, settings, left, progress))
        left = None if left is None else left - results[-1].account.candidates
    return results


def _align(
    store: Store,
    dataset: str,
    options: AlignOptions,
    settings: AlignerSettings,
    limit: int | None,
    progress: Callable[[str, int, int], None] | None,
) -> AlignResult:
    aligner = aligner_of(settings)
    with ExitStack() as stack:
        stack.enter_context(locked(store.root / ".locks" / f"{dataset}.align.lock", purpose=f"align {dataset}"))
        run = Run("align", dataset, "align", options.asked())
        run.details = {"producer": aligner.producer}
        found = _Candidates(stack, store, dataset, again=options.again, limit=limit)
        if found.completed:  # aligned by a command that was killed before its account
            run.account.keep(found.completed[0])
            run.details[COMPLETES] = found.completed[1:]
        writer = _Writer(store, run, aligner.producer, found.read_at)
        parts = map_parts(
            partial(align_rows, root=str(store.root), settings=settings, language=options.language),
            found.parts(aligner.part_clips),
            workers=options.workers if aligner.in_workers else 1,
            are_many=aligner.in_workers and found.total > INLINE_PARTS * aligner.part_clips,
            lost=lost_row,
        )
        try:
            for rows in parts:
                writer.take(rows, found.stale)
                if progress:
                    progress(dataset, run.account.candidates - sum(found.completed[:1]), found.total)
        finally:
            writer.finish()  # whatever ends the run, what is aligned is not aligned again
        log.info("align %s: %d of %d samples", dataset, run.account.kept, run.account.candidates)
        if found.total or found.completed:
            run.finish(store)
        return AlignResult(dataset, run.run_id, run.account, aligner.producer, found.timed, found.silent)


class _Candidates:
    """The samples to align. `read_at` is a time before they were read: later changes make their times stale."""

    def __init__(self, stack: ExitStack, store: Store, dataset: str, *, again: bool, limit: int | None) -> None:
        with store.dataset_lock(dataset, "find samples to align"):
            # Under the lock no commit is under way whose rows are older than their commit.
            self.read_at = datetime.now(UTC)
            self._connection = stack.enter_context(
                connect(store, named_in="samples samples_as_pulled annotations events runs", memory_limit=_READ_LIMIT)
            )
        _find(self._connection, dataset, again=again)
        counts = "count(*) FILTER (due), count(*) FILTER (timed AND NOT due), count(*) FILTER (NOT spoken)"
        due, self.timed, self.silent = first_row(self._connection, f"SELECT {counts} FROM found") or (0, 0, 0)
        count, *times = first_row(
            self._connection,
            f"""
            SELECT count(*), epoch_us(min(time)), epoch_us(max(time)) FROM found
            WHERE own AND timed AND NOT due AND {unaccounted_sql("align", "found.time", dataset=dataset)}""",
        ) or (0,)
        self.completed = [count, *times] if count else []
        self.total = due if limit is None else min(due, limit)
        self.stale = {
            str(row[0]) for row in self._connection.execute("SELECT id FROM found WHERE due AND timed").fetchall()
        }

    def parts(self, size: int) -> Iterator[Rows]:
        columns = ", ".join(f"s.{name}" for name in CLIP_COLUMNS)
        if not self.total:
            return
        reader = self._connection.sql(
            f"SELECT {columns} FROM samples s JOIN found f ON s.id = f.id WHERE f.due "
            f"ORDER BY f.refused, s.speaker, s.id LIMIT {self.total}"
        ).to_arrow_reader(max(size, 1024))
        for batch in reader:
            for start in range(0, len(batch), size):
                yield batch.slice(start, size).to_pylist()


def _find(connection: duckdb.DuckDBPyConnection, dataset: str, *, again: bool) -> None:
    """Create the table `found` of the dataset's samples.

    `spoken`: has a transcript and sound of its own; `timed`: has word times; `due`: is to be aligned; `refused`: an
    earlier run could not, so it comes last.
    """
    tasks = ", ".join(map(quote, SPOKEN_TASKS))
    connection.execute(f"""
        CREATE TABLE found AS
        WITH aligned AS (
            SELECT id, max(time) AS time, arg_max(producer, time) AS producer FROM annotations
            WHERE dataset = {quote(dataset)} AND key = 'words' GROUP BY id HAVING {LATEST} IS NOT NULL
        ), judged AS (
            SELECT s.id,
                   trim(coalesce(s.text, '')) <> '' AND (s.task IS NULL OR s.task IN ({tasks})) AND s.more_media IS NULL
                   AND (s.audio IS NOT NULL OR coalesce(s.video.has_audio, false)) AS spoken,
                   s.words IS NOT NULL AS timed,
                   coalesce(a.producer LIKE {quote(_PRODUCERS)}, false) AS own, a.time,
                   coalesce(a.time < greatest(p.pulled_at, c.changed_at), false) AS changed
            FROM samples s
            JOIN samples_as_pulled p ON p.id = s.id AND p.dataset = s.dataset
            LEFT JOIN aligned a ON a.id = s.id
            LEFT JOIN ({changed_sql(_CHANGES)}) c ON c.id = s.id AND c.dataset = s.dataset
            WHERE s.dataset = {quote(dataset)}
        )
        SELECT id, spoken, timed, own, time,
               spoken AND (NOT timed OR (own AND ({str(again).lower()} OR changed))) AS due,
               id IN (SELECT candidate FROM events WHERE dataset = {quote(dataset)} AND stage = 'align') AS refused
        FROM judged""")


@dataclass(slots=True)
class _Writer:
    """Annotations and events, committed in batches."""

    store: Store
    run: Run
    producer: str
    time: datetime
    rows: list[Row] = field(default_factory=list)
    events: EventLog = field(init=False)
    number: int = 0

    def __post_init__(self) -> None:
        self.events = EventLog(self.store, self.run)

    def take(self, results: Rows, stale: set[str]) -> None:
        for result in results:
            identity = result["id"]
            if "reason" in result:
                self.run.account.drop(result["reason"])
                self.events.note(identity, result["reason"], result["detail"], "")
                self._annotate(identity, None, None, clear=identity in stale)
            else:
                self.run.account.keep()
                self._annotate(identity, result["words"], result["phones"], clear=identity in stale)
        if len(self.rows) >= _COMMIT_ROWS:
            self._commit()

    def finish(self) -> None:
        self._commit()

    def _annotate(self, identity: str, words: str | None, phones: str | None, *, clear: bool) -> None:
        """Annotate one sample; with `clear`, a value that is missing takes the place of the one from before."""
        for key, value in (("words", words), ("phones", phones)):
            if value is None and not clear:
                continue
            # Each row of a run is one microsecond later than the one before.
            time = self.time + timedelta(microseconds=self.number)
            self.number += 1
            self.rows.append(annotation_row(identity, self.run.dataset, key, value, self.producer, time))

    def _commit(self) -> None:
        with self.store.dataset_lock(self.run.dataset, "write alignments"):
            self.events.write()
            if self.rows:
                self.store.append("annotations", rows_to_table(self.rows, ANNOTATIONS))
        self.rows = []
