"""The one loop that takes samples from a reader into the store: probe, media, commit, account.

`catalog pull`, `triptych import` and every interchange reader feed it. Candidates are taken in the reader's order;
media is probed, hashed and written by a few threads; rows are committed in batches of 10,000 or 60 seconds. A batch
commits its events first and then its samples, both under the dataset's fence, so that ids stay unique under any mix of
writers and a process killed anywhere can simply be run again. Rows of a file that turns out to be another one than
its checksum says are not committed.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from ...errors import DamagedError, TriptychError
from ...shards.events import DUPLICATE, FILTERED, WITHDRAWN, Run
from ...shards.hash_sets import HashSet
from ...shards.media.media import MediaError, StoredMedia
from ...shards.sample import MEDIA_KINDS, SCHEMA, sample_id
from ...shards.store.rows_to_arrow import rows_to_table
from ...shards.store.store import FenceConflict, Store
from ..candidate import Blob, Candidate, Checkpoint, Filtered, Rejection
from .event_log import EventLog, read_withdrawn
from .missing_media import find_absence
from .quota import Quota
from .sample_row import make_row
from .shared_media import SharedMedia
from .stored_ids import StoredIds, fence_name

BATCH_ROWS = 10_000
BATCH_EVENTS = 50_000
BATCH_SECONDS = 60.0
REFRESH_SECONDS = 10.0
_THREADS = 2
_IN_FLIGHT = 64
_ATTEMPTS = 20
_TOLD_EVERY = 32
_TOLD_AFTER = 1.0
"""Seconds after which progress is told even of a single candidate: clips may come one in some seconds."""

_UNFIT = (pa.ArrowException, TypeError, ValueError, OverflowError)
_TOMBSTONE = "removed on request; `store remove` left a tombstone"


@dataclass(slots=True)
class IngestOptions:
    """How candidates are taken.

    Attributes:
        defaults: Columns that every sample of the dataset shares (panel, task, language, license ...).
        limit: Stop once the store holds this many samples of the selection; None takes everything.
        limit_seconds: Stop once the samples of the selection are so long together.
        held, held_seconds: What of the selection the store holds already.
        count_known: Samples that the store holds count when the stream meets them, not beforehand.
        length_of: Seconds of a sample that the store holds, by its id, for those that are met but not read again.
        link: Name media where it lies instead of copying it.
        on_conflict: `reject` or `update` when a known id comes with other content.
        compare: What makes two rows of one id equal: `content` or `row` (see known.py).
        progress: Told how many samples are stored or on their way, and how many candidates were tried.
    """

    defaults: Mapping[str, Any] = field(default_factory=dict)
    limit: int | None = None
    limit_seconds: float | None = None
    held: int = 0
    held_seconds: float = 0.0
    count_known: bool = False
    length_of: Callable[[str], float] = lambda identity: 0.0
    link: bool = False
    on_conflict: str = "reject"
    compare: str = "content"
    progress: Callable[[int, int], None] | None = None


_Work = Future[list[StoredMedia]] | MediaError


@dataclass(slots=True)
class _Pending:
    candidate: Candidate
    id: str
    work: _Work
    counts: bool

    def is_done(self) -> bool:
        return isinstance(self.work, MediaError) or self.work.done()


class Ingest:
    """Takes one stream of candidates of one dataset into the store."""

    def __init__(self, store: Store, run: Run, options: IngestOptions) -> None:
        self.store = store
        self.run = run
        self.options = options
        self.updated = 0
        self.reached = False
        self._stored_ids = StoredIds(store, run.dataset, compare=options.compare)
        self._stored_ids.read()
        self._event_log = EventLog(store, run)
        self._withdrawn = read_withdrawn(store, run.dataset)
        self._pending: deque[_Pending] = deque()
        self._rows: list[dict[str, Any]] = []
        self._wheres: list[str] = []
        self.tally = Quota(
            limit=options.limit, limit_seconds=options.limit_seconds, held=options.held,
            held_seconds=options.held_seconds, count_known=options.count_known,
        )  # fmt: skip
        self._updates = HashSet()
        self._shared_media = SharedMedia()
        self._batch_started = self._told_at = self._refreshed = time.monotonic()

    def take(self, stream: Iterable[Candidate | Rejection | Checkpoint | Filtered]) -> None:
        """Take candidates until the stream ends or the limit is reached; whatever was read is committed.

        Raises:
            DamagedError: From the stream; rows since the last checkpoint that were not committed yet are left out.
        """
        try:
            with ThreadPoolExecutor(_THREADS, thread_name_prefix="media") as pool:
                self._take(stream, pool)
            self._commit()
        except DamagedError:
            self._drain()
            self._rows, self._wheres = [], []
            self._commit()
            raise
        except (TriptychError, KeyboardInterrupt):
            self._drain()
            self._commit()
            raise
        finally:
            self._stored_ids.close()

    def _take(self, stream: Iterable[Candidate | Rejection | Checkpoint | Filtered], pool: ThreadPoolExecutor) -> None:
        if self.tally.is_full():
            self.reached = True
            return
        for item in stream:
            if isinstance(item, Checkpoint):
                self._drain()
                self._commit()
            elif isinstance(item, Rejection):
                self._drain()
                if self._withdrawn and hash(item.candidate) in self._withdrawn:
                    self._reject(item.candidate, WITHDRAWN, _TOMBSTONE, item.uri)
                else:
                    self._reject(item.candidate, item.reason, item.detail, item.uri)
                if item.damaged:
                    self.run.details.setdefault("damaged", []).append(_fault(item))
            elif isinstance(item, Filtered):
                self.run.account.drop(FILTERED, item.count)
            elif item.settled:
                self.run.account.drop(DUPLICATE)
                identity = sample_id(self.run.dataset, item.config, item.split, item.source_id)
                self.tally.meet(identity, self.options.length_of)
            else:
                self._submit(item, pool)
            while self._pending and self._must_wait():
                self._finish_one()
            if self.tally.is_full():
                self.reached = True
                return
            now = time.monotonic()
            self._commit_if_due(now)
            if now - self._told_at > _TOLD_AFTER:
                self._tell()
        self._drain()

    def _must_wait(self) -> bool:
        return len(self._pending) >= _IN_FLIGHT or self.tally.is_full() or self.tally.is_near()

    def _submit(self, candidate: Candidate, pool: ThreadPoolExecutor) -> None:
        """Send a candidate's media on its way into the store, in a thread; what is missing is rejected at once.

        A table whose media lies somewhere else would pay the handover between threads for every row.
        """
        identity = sample_id(self.run.dataset, candidate.config, candidate.split, candidate.source_id)
        if hash(identity) in self._withdrawn:
            self._reject(identity, WITHDRAWN, _TOMBSTONE, candidate.uri)
            return
        absence = find_absence(candidate)
        if absence is not None:
            while self._pending and self._pending[0].is_done():
                self._finish_one()
            if not self._pending:
                self._reject_media(candidate, identity, absence)
                return
        counts = self.tally.counts(identity, is_known=identity in self._stored_ids)
        self.tally.promise(counts)
        work: _Work = absence or pool.submit(self._store_media, candidate)
        self._pending.append(_Pending(candidate, identity, work, counts))

    def _store_media(self, candidate: Candidate) -> list[StoredMedia]:
        return [self._shared_media.store(kind, blob, self._store_blob) for kind, blob in candidate.media]

    def _store_blob(self, kind: str, blob: Blob) -> StoredMedia:
        expected = kind if kind in MEDIA_KINDS else None
        if blob.data is not None:
            return self.store.media.put(blob.data, kind=expected)
        if blob.path is None:
            raise MediaError("missing_media", f"{blob.name}: there is no such file")
        if self.options.link and not blob.temporary:
            return self.store.media.link(blob.path, kind=expected)
        return self.store.media.put_file(blob.path, kind=expected, move=blob.temporary)

    def _finish_one(self) -> None:
        pending = self._pending.popleft()
        self.tally.release(pending.counts)
        media = _outcome(pending.work)
        if isinstance(media, MediaError):
            self._reject_media(pending.candidate, pending.id, media)
            return
        row = make_row(self.run.dataset, pending.id, pending.candidate, media, self.options.defaults)
        if pending.counts:
            self.tally.take(pending.id, row)
        self._rows.append(row)
        self._wheres.append(pending.candidate.where)

        if len(self._rows) % _TOLD_EVERY == 0:
            self._tell()

    def _tell(self) -> None:
        self._told_at = time.monotonic()
        if self.options.progress:
            account, waiting = self.run.account, len(self._rows) + len(self._pending)
            self.options.progress(account.kept + waiting, account.candidates + waiting)

    def _drain(self) -> None:
        while self._pending:
            self._finish_one()

    def _reject_media(self, candidate: Candidate, identity: str, error: MediaError) -> None:
        detail = f"{candidate.where}: {error.detail}" if candidate.where else error.detail
        self._reject(identity, error.reason, detail, candidate.uri)

    def _reject(self, candidate: str, reason: str, detail: str, uri: str) -> None:
        self.run.account.drop(reason)
        self._event_log.note(candidate, reason, detail, uri)

    def _commit_if_due(self, now: float) -> None:
        full = len(self._rows) >= BATCH_ROWS or len(self._event_log) >= BATCH_EVENTS
        if full or now - self._batch_started > BATCH_SECONDS:
            self._drain()
            self._commit()

    def _commit(self) -> None:
        rows = self._table()
        if rows.num_rows:
            self._commit_rows(rows)
        elif self._event_log:
            with self.store.dataset_lock(self.run.dataset, "commit a batch"):
                self._event_log.write()
            self._refresh_if_due()
        self._rows, self._wheres = [], []
        self.tally.forget()
        self._batch_started = time.monotonic()
        self._tell()

    def _table(self) -> pa.Table:
        """The rows of the batch; one whose values do not fit the schema is rejected, not the batch."""
        try:
            return rows_to_table(self._rows, SCHEMA)
        except _UNFIT:
            pass
        rows, wheres = self._rows, self._wheres
        self._rows, self._wheres = [], []
        for row, where in zip(rows, wheres, strict=True):
            try:
                rows_to_table([row], SCHEMA)
            except _UNFIT as error:
                identity, uri = (_writable(str(row[name] or "")) for name in ("id", "source"))
                self._reject(identity, "bad_value", _writable(f"{where}: {error}".lstrip(": ")), uri)
            else:
                self._rows.append(row)
                self._wheres.append(where)
        return rows_to_table(self._rows, SCHEMA)

    def _commit_rows(self, rows: pa.Table) -> None:
        fence = fence_name(self.run.dataset)
        contents = self._stored_ids.hash_rows(rows)
        with self.store.dataset_lock(self.run.dataset, "commit a batch"):
            for _ in range(_ATTEMPTS):
                table = self.store.table("samples")
                if self.store.fence_number("samples", fence, table=table) != self._stored_ids.number:
                    self._stored_ids.read()
                    self._withdrawn = read_withdrawn(self.store, self.run.dataset)
                chosen = self._classify(contents)
                self._event_log.write()
                number = self._stored_ids.number + 1
                try:
                    self._write_samples(rows, chosen, table, (fence, number))
                except FenceConflict:
                    continue
                self._settle(chosen, contents, number)
                break
            else:
                raise DamagedError(f"{self.run.dataset}: no commit went through in {_ATTEMPTS} attempts.")
        self._refresh_if_due()

    def _refresh_if_due(self) -> None:
        """Let the plain duckdb client see what was committed so far; the end of the run does so in any case."""
        if time.monotonic() - self._refreshed > REFRESH_SECONDS:
            self.store.refresh()
            self._refreshed = time.monotonic()

    def _classify(self, contents: list[int]) -> _Chosen:
        """Which rows of the batch are new, changed, duplicate or in conflict; nothing is counted yet."""
        chosen = _Chosen()
        batch: dict[str, int] = {}
        for index, row in enumerate(self._rows):
            identity, content = row["id"], contents[index]
            held = batch.get(identity, self._stored_ids.content_of(identity))
            if hash(identity) in self._withdrawn:
                chosen.withdrawn.append(index)
            elif held is None:
                batch[identity] = content
                chosen.new.append(index)
            elif held == content:
                chosen.duplicates.append(index)
            elif self._may_update(identity) and identity not in batch:
                batch[identity] = content
                chosen.updates.append(index)
            else:
                chosen.conflicts.append(index)
        for index in chosen.conflicts:
            detail = f"{self._wheres[index]}: this id is stored with other media or text".lstrip(": ")
            self._event_log.note(self._rows[index]["id"], "id_conflict", detail, self._rows[index]["source"] or "")
        for index in chosen.withdrawn:
            self._event_log.note(self._rows[index]["id"], WITHDRAWN, _TOMBSTONE, self._rows[index]["source"] or "")
        return chosen

    def _may_update(self, identity: str) -> bool:
        """One update a row and run: which of two rows of one file wins must not hang on the size of a batch."""
        return self.options.on_conflict == "update" and hash(identity) not in self._updates

    def _write_samples(self, rows: pa.Table, chosen: _Chosen, table: Any, fence: tuple[str, int]) -> None:
        if chosen.updates:
            taken = rows.take(sorted([*chosen.new, *chosen.updates]))
            self.store.upsert("samples", self.run.dataset, taken, fence=fence)
        elif chosen.new:
            taken = rows if len(chosen.new) == len(rows) else rows.take(chosen.new)
            self.store.append("samples", taken, table=table, fence=fence)

    def _settle(self, chosen: _Chosen, contents: list[int], number: int) -> None:
        """Count the batch; from here on it is in the store."""
        written = [*chosen.new, *chosen.updates]
        self.run.account.keep(len(written))
        self.run.account.drop(DUPLICATE, len(chosen.duplicates))
        self.run.account.drop("id_conflict", len(chosen.conflicts))
        self.run.account.drop(WITHDRAWN, len(chosen.withdrawn))
        self.updated += len(chosen.updates)
        if self.options.on_conflict == "update":
            for index in written:
                self._updates.add(hash(self._rows[index]["id"]))
        number = number if written else number - 1
        self._stored_ids.add([self._rows[i]["id"] for i in written], [contents[i] for i in written], number=number)


@dataclass(slots=True)
class _Chosen:
    new: list[int] = field(default_factory=list)
    updates: list[int] = field(default_factory=list)
    duplicates: list[int] = field(default_factory=list)
    conflicts: list[int] = field(default_factory=list)
    withdrawn: list[int] = field(default_factory=list)


def _fault(item: Rejection) -> str:
    """What is wrong with a whole file, with its name once."""
    place = item.uri or item.candidate
    said = item.detail if item.detail.startswith(place) else f"{place}: {item.detail}"
    return said.rstrip(".")


def _outcome(work: _Work) -> list[StoredMedia] | MediaError:
    if isinstance(work, MediaError):
        return work
    try:
        return work.result()
    except MediaError as error:
        return error
    finally:
        # Or the error would hold this frame and the frame the error: garbage of some kB for every bad file.
        del work


def _writable(text: str) -> str:
    """Text that a table can hold: halves of surrogate pairs become question marks."""
    return text.encode("utf-8", errors="replace").decode()
