"""The single loop that ingests samples from a reader into the store: probe, media, commit, account.

`catalog pull`, `triptych import` and every interchange reader feed it. Candidates are taken in the reader's order;
media is probed, hashed and written by a few threads; rows are committed in batches of 10,000 or 60 seconds. A batch
commits its events first and then its samples, both under the dataset's fence, so that ids stay unique with concurrent
writers and a process killed at any point can simply be run again. Rows of a file whose checksum turns out to be wrong
are not committed.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pyarrow as pa

from ...errors import DamagedError
from ...shards.care.tombstones import TOMBSTONE, Tombstones
from ...shards.events import DUPLICATE, FILTERED, WITHDRAWN, Run
from ...shards.hash_sets import HashSet
from ...shards.media.fence import fenced
from ...shards.media.media import MediaError, StoredMedia
from ...shards.sample import MEDIA_KINDS, SCHEMA, sample_id
from ...shards.store.commits import FenceConflict
from ...shards.store.rows_to_arrow import rows_to_table
from ...shards.store.store import Store
from ..candidate import Blob, Candidate, Checkpoint, Filtered, Rejection
from .event_log import EventLog
from .missing_media import check_first_file, check_needed
from .options import IngestOptions
from .quota import Quota, stored_seconds
from .sample_row import UNFIT, describe_misfit, make_row, stamped, text_size
from .shared_media import SharedMedia
from .stored_ids import StoredIds, fence_name
from .words import in_our_words

BATCH_ROWS = 10_000
BATCH_EVENTS = 20_000
BATCH_BYTES = 128 * 1024 * 1024
"""Of text in the rows of a batch."""
BATCH_SECONDS = 60.0
REFRESH_SECONDS = 10.0
_THREADS = 2
_IN_FLIGHT = 64
_ATTEMPTS = 20
_REPORT_ROWS = 32
_REPORT_SECONDS = 1.0
"""Progress is reported after this time even for a single candidate: clips may arrive seconds apart."""

_CHANGED = "this id is stored with different media or text"
_REPEATED = "this id occurs twice in the input, with different media or text; the first row counts"


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
    """Ingests one stream of candidates of one dataset into the store.

    Attributes:
        repeated, unnamed: How many rows have an id that occurs twice, or could not be read as far as their id.
        seen, updated_ids: Hashes of the ids in the stream, and of those whose stored row was replaced.
    """

    def __init__(self, store: Store, run: Run, options: IngestOptions) -> None:
        self.store = store
        self.run = run
        self.options = options
        self.updated = self.repeated = self.unnamed = 0
        self.reached = False
        self._stored_ids = StoredIds(store, run.dataset, compare=options.compare)
        self._stored_ids.read()
        self._event_log = EventLog(store, run)
        self._withdrawn = Tombstones.read(store, run.dataset)
        self._pending: deque[_Pending] = deque()
        self._rows: list[dict[str, Any]] = []
        self._wheres: list[str] = []
        self._bytes = 0
        self.quota = Quota(
            limit=options.limit, limit_seconds=options.limit_seconds, held=options.held,
            held_seconds=options.held_seconds, count_known=options.count_known,
        )  # fmt: skip
        self.seen, self.updated_ids = HashSet(), HashSet()
        self._shared_media = SharedMedia()
        self._batch_started = self._reported = self._refreshed = time.monotonic()

    def take(self, stream: Iterable[Candidate | Rejection | Checkpoint | Filtered]) -> None:
        """Take candidates until the stream ends or the limit is reached, and commit everything that was read.

        Raises:
            DamagedError: Raised by the stream; uncommitted rows since the last checkpoint are dropped.
        """
        try:
            with ThreadPoolExecutor(_THREADS, thread_name_prefix="media") as pool:
                self._take(stream, pool)
            self._commit()
            self.run.account.withdrawn_from = sorted({*self.run.account.withdrawn_from, *self._withdrawn.owners})
        except BaseException as error:
            self._save(error)
            raise
        finally:
            self._stored_ids.close()

    def _save(self, error: BaseException) -> None:
        """Commit what is finished when an error ends the run, whatever it is; that this fails too is a note on it."""
        try:
            self._drain()
            if isinstance(error, DamagedError):
                self._rows, self._wheres = [], []
            self._commit()
        except Exception as second:  # noqa: BLE001 (the first error is raised)
            error.add_note(f"the rows read before it could not be committed: {type(second).__name__}: {second}")

    def _take(self, stream: Iterable[Candidate | Rejection | Checkpoint | Filtered], pool: ThreadPoolExecutor) -> None:
        if self.quota.is_full():
            self.reached = True
            return
        for item in in_our_words(stream, self.run.dataset):
            if isinstance(item, Checkpoint):
                self._drain()
                self._commit()
            elif isinstance(item, Rejection):
                self._drain()
                self.unnamed += not item.candidate.startswith(f"{self.run.dataset}/")
                gone = self._withdrawn.has_id(item.candidate)
                reason, detail = (WITHDRAWN, TOMBSTONE) if gone else (item.reason, item.detail)
                self._reject(item.candidate, reason, detail, item.uri)
                if item.damaged:
                    self.run.details.setdefault("damaged", []).append(item.fault)
            elif isinstance(item, Filtered):
                self.run.account.drop(FILTERED, item.count)
            elif item.settled:
                self.run.account.drop(DUPLICATE)
                identity = sample_id(self.run.dataset, item.config, item.split, item.source_id)
                self.quota.count_stored(identity, self.options.length_of)
            else:
                self._submit(item, pool)
            while self._pending and self._must_wait():
                self._finish_one()
            if self.quota.is_full():
                self.reached = True
                return
            now = time.monotonic()
            self._commit_if_due(now)
            if now - self._reported > _REPORT_SECONDS:
                self._report()
        self._drain()

    def _must_wait(self) -> bool:
        return len(self._pending) >= _IN_FLIGHT or self.quota.is_full() or self.quota.is_near()

    def _submit(self, candidate: Candidate, pool: ThreadPoolExecutor) -> None:
        """Store a candidate's media in a thread; reject it right away if its file is missing.

        Otherwise a table whose media is somewhere else would pay for a thread handover on every row.
        """
        identity = self._stored_ids.identity_of(candidate)
        speaker = candidate.fields.get("speaker") or self.options.defaults.get("speaker")
        if withdrawn := self._withdrawn.refuse(identity, speaker):
            return self._reject(identity, WITHDRAWN, withdrawn, candidate.uri)
        missing = check_needed(candidate, self.options.defaults) or check_first_file(candidate)
        if missing is not None:
            while self._pending and self._pending[0].is_done():
                self._finish_one()
            if not self._pending:
                self._reject_media(candidate, identity, missing)
                return
        counts = self.quota.counts(identity, is_known=identity in self._stored_ids)
        self.quota.reserve(counts)
        work: _Work = missing or pool.submit(self._store_media, candidate)
        self._pending.append(_Pending(candidate, identity, work, counts))

    def _store_media(self, candidate: Candidate) -> list[StoredMedia]:
        return [self._shared_media.store(kind, blob, self._store_blob) for kind, blob in candidate.media]

    def _store_blob(self, kind: str, blob: Blob) -> StoredMedia:
        expected = kind if kind in MEDIA_KINDS else None
        media, refuse = self.store.media, self._withdrawn.refuse_media
        with fenced(str(blob.path or blob.name), store=self.store.root):
            if blob.data is not None:
                return media.put(blob.data, kind=expected, refuse=refuse)
            if blob.path is None:
                raise MediaError("missing_media", f"{blob.name}: there is no such file")
            if self.options.link and not blob.temporary:
                return media.link(blob.path, kind=expected, refuse=refuse)
            return media.put_file(blob.path, kind=expected, move=blob.temporary, refuse=refuse)

    def _finish_one(self) -> None:
        pending = self._pending.popleft()
        self.quota.release(pending.counts)
        candidate, media, defaults = pending.candidate, _outcome(pending.work), self.options.defaults
        row = make_row(self.run.dataset, pending.id, candidate, media, defaults)
        if isinstance(row, MediaError):
            self._reject_media(candidate, pending.id, row)
            return
        if pending.counts:
            self.quota.take(pending.id, row, partial(stored_seconds, media=self.store.media))
        self._rows.append(row)
        self._wheres.append(candidate.where)
        self._bytes += text_size(row)
        if len(self._rows) % _REPORT_ROWS == 0:
            self._report()

    def _report(self) -> None:
        self._reported = time.monotonic()
        if self.options.progress:
            account, pending = self.run.account, len(self._rows) + len(self._pending)
            self.options.progress(account.kept + pending, account.candidates + pending)

    def _drain(self) -> None:
        while self._pending:
            self._finish_one()

    def _reject_media(self, candidate: Candidate, identity: str, error: MediaError) -> None:
        detail = f"{candidate.where}: {error.detail}" if candidate.where else error.detail
        self._reject(identity, error.reason, detail, candidate.uri)

    def _reject(self, candidate: str, reason: str, detail: str, uri: str) -> None:
        self.run.account.drop(reason)
        self.seen.add(hash(candidate))
        self._event_log.note(candidate, reason, detail, uri)

    def _commit_if_due(self, now: float) -> None:
        full = len(self._rows) >= BATCH_ROWS or self._bytes >= BATCH_BYTES or len(self._event_log) >= BATCH_EVENTS
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
        self._rows, self._wheres, self._bytes = [], [], 0
        self.quota.forget()
        self._batch_started = time.monotonic()
        self._report()

    def _table(self) -> pa.Table:
        """The rows of the batch as a table; a row that does not fit the schema is rejected without the others."""
        try:
            return rows_to_table(self._rows, SCHEMA)
        except UNFIT:
            pass
        rows, wheres = self._rows, self._wheres
        self._rows, self._wheres = [], []
        for row, where in zip(rows, wheres, strict=True):
            try:
                rows_to_table([row], SCHEMA)
            except UNFIT as error:
                detail = f"{where}: {describe_misfit(row, error)}".lstrip(": ")
                self._reject(str(row["id"] or ""), "bad_value", detail, str(row["source"] or ""))
            else:
                self._rows.append(row)
                self._wheres.append(where)
        return rows_to_table(self._rows, SCHEMA)

    def _commit_rows(self, rows: pa.Table) -> None:
        fence = fence_name(self.run.dataset)
        contents = self._stored_ids.hash_rows(rows)
        with self.store.dataset_lock(self.run.dataset, "commit a batch"):
            for _ in range(_ATTEMPTS):
                table = self.store.open_table("samples")
                if self.store.fence_number("samples", fence, table=table) != self._stored_ids.number:
                    self._stored_ids.read()
                    owners = self._withdrawn.owners
                    self._withdrawn = Tombstones.read(self.store, self.run.dataset)
                    self._withdrawn.owners |= owners
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
                raise DamagedError(f"{self.run.dataset}: the commit failed in all {_ATTEMPTS} attempts.")
        self._refresh_if_due()

    def _refresh_if_due(self) -> None:
        """Make committed rows visible to a plain duckdb client; the end of the run does this anyway."""
        if time.monotonic() - self._refreshed > REFRESH_SECONDS:
            self.store.refresh()
            self._refreshed = time.monotonic()

    def _classify(self, contents: list[int]) -> _Chosen:
        """Sort the rows of the batch into new, changed, duplicate and conflicting ones; count nothing yet."""
        chosen = _Chosen()
        batch, seen = dict[str, int](), set[str]()
        for index, row in enumerate(self._rows):
            identity, content = row["id"], contents[index]
            held = batch.get(identity, self._stored_ids.content_of(identity))
            if self._withdrawn.has_id(identity):
                chosen.withdrawn.append(index)
            elif held is None:
                batch[identity] = content
                chosen.new.append(index)
            elif held == content:
                chosen.duplicates.append(index)
            elif self.options.on_conflict == "update" and identity not in seen and hash(identity) not in self.seen:
                # Of two rows with one id in the input, the first counts, also if it is the one that is stored.
                batch[identity] = content
                chosen.updates.append(index)
            else:
                chosen.conflicts.append(index)
                if identity in seen or hash(identity) in self.seen:
                    chosen.repeated.add(index)
            seen.add(identity)
        for index in chosen.conflicts:
            detail = f"{self._wheres[index]}: {_REPEATED if index in chosen.repeated else _CHANGED}".lstrip(": ")
            self._event_log.note(self._rows[index]["id"], "id_conflict", detail, self._rows[index]["source"] or "")
        for index in chosen.withdrawn:
            self._event_log.note(self._rows[index]["id"], WITHDRAWN, TOMBSTONE, self._rows[index]["source"] or "")
        return chosen

    def _write_samples(self, rows: pa.Table, chosen: _Chosen, table: Any, fence: tuple[str, int]) -> None:
        if chosen.updates:
            taken = stamped(rows.take(sorted([*chosen.new, *chosen.updates])))
            self.store.upsert("samples", self.run.dataset, taken, fence=fence)
        elif chosen.new:
            taken = rows if len(chosen.new) == len(rows) else rows.take(chosen.new)
            self.store.append("samples", taken, table=table, fence=fence)

    def _settle(self, chosen: _Chosen, contents: list[int], number: int) -> None:
        """Count the batch, which is now in the store."""
        written = [*chosen.new, *chosen.updates]
        self.run.account.keep(len(written))
        self.run.account.drop(DUPLICATE, len(chosen.duplicates))
        self.run.account.drop("id_conflict", len(chosen.conflicts))
        self.run.account.drop(WITHDRAWN, len(chosen.withdrawn))
        self.updated += len(chosen.updates)
        self.repeated += len(chosen.repeated)
        for row in self._rows:
            self.seen.add(hash(row["id"]))
        for index in chosen.updates:
            self.updated_ids.add(hash(self._rows[index]["id"]))
        number = number if written else number - 1
        self._stored_ids.add([self._rows[i]["id"] for i in written], [contents[i] for i in written], number=number)


@dataclass(slots=True)
class _Chosen:
    new: list[int] = field(default_factory=list)
    updates: list[int] = field(default_factory=list)
    duplicates: list[int] = field(default_factory=list)
    conflicts: list[int] = field(default_factory=list)
    repeated: set[int] = field(default_factory=set)
    withdrawn: list[int] = field(default_factory=list)


def _outcome(work: _Work) -> list[StoredMedia] | MediaError:
    if isinstance(work, MediaError):
        return work
    try:
        return work.result()
    except MediaError as error:
        return error
    finally:
        # Otherwise the error and this frame would reference each other: a few kB of garbage per bad file.
        del work
