"""Withdraw samples, for example when consent or a licence was revoked.

`remove` deletes rows from the current tables and leaves a tombstone for each (tombstones.py), so that neither the next
pull nor the same media under another name brings them back; it reports the exports that contain them, and the runs of
training that used those. With `purge`, nothing of them is left in the store (purge.py). With `forget`, no tombstones
are left: a mistaken import can be made again. What it is going to do is written to the journal first (journal.py), so
that a removal that was killed is finished later; every step can be repeated.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ...errors import TriptychError, UsageError, did_you_mean
from ..events import Run, event_row, new_run_id
from ..exports import versions as exports
from ..query import rows_of
from ..store.commits import until_committed
from ..store.sql import quote
from ..store.store import Store
from ..store.tables import ALL_DATASETS, EVENTS
from ..store.use import in_use
from . import journal
from .facts import chunks, delete_facts, holds
from .journal import Intent
from .purge import purge_store
from .selection import Selection, select
from .tombstones import DETAIL, STAGE, datasets_with_tombstones, lift, media_text, withdrawn_ids
from .trainings import trainings_of

log = logging.getLogger("triptych")

_SHORT_PATIENCE_S = 5.0


@dataclass(slots=True)
class Removal:
    """What was (or would be) withdrawn, and which exports contain it.

    Attributes:
        samples: Samples withdrawn now, by dataset.
        earlier: Samples withdrawn before that are purged now, by dataset.
        exports: Versions that contain any of them; a purge deletes their data.
        trainings: Folders of runs of training that used those versions, each with the versions.
        collected: Versions whose rows were collected: after a purge they can no longer be made again.
        purged: What a purge deleted: files, and bytes of media and of unfinished downloads.
        forgotten: Tombstones taken away, by dataset.
    """

    samples: dict[str, int] = field(default_factory=dict)
    exports: dict[str, int] = field(default_factory=dict)
    purged: dict[str, int] = field(default_factory=dict)
    receipt: Path | None = None
    earlier: dict[str, int] = field(default_factory=dict)
    forgotten: dict[str, int] = field(default_factory=dict)
    trainings: dict[str, list[str]] = field(default_factory=dict)
    collected: list[str] = field(default_factory=list)


def remove(
    store: Store,
    *,
    dataset: str | None = None,
    where: str | None = None,
    purge: bool = False,
    dry_run: bool = False,
    reason: str = "withdrawn",
    forget: bool = False,
    block_speakers: bool = False,
) -> Removal:
    """Withdraw a whole dataset, or the samples that an expression selects; `purge` alone: what was removed earlier.

    Raises:
        UsageError: Nothing is asked for, the dataset is unknown, or the expression selects nothing.
        TriptychError: The samples are withdrawn, but others are at work: the purge is finished later.
    """
    if dataset is None and where is None and not purge:
        raise UsageError("store remove takes a DATASET, or --where EXPRESSION, or both.")
    if forget and block_speakers:
        raise UsageError("--forget leaves no tombstones, and --block-speakers asks for some.")
    asked = {"dataset": dataset, "where_sha256": journal.digest_of(where), "purge": purge, "reason": reason}
    asked |= {name: True for name, is_set in (("forget", forget), ("block_speakers", block_speakers)) if is_set}
    if dry_run:
        planned = _planned(_choose(store, dataset, where, purge=purge, forget=forget), forget=forget)
        planned.trainings = trainings_of(store, planned.exports)
        planned.collected = _collected(store) if purge else []
        return planned
    with journal.one_at_a_time(store):
        finished = [(intent.asked, _carry_out(store, intent)) for intent in journal.pending(store)]
        for request, removal in finished:
            if request == asked:  # this request, killed before and finished just now
                return removal
        store.sweep_views()
        with in_use(store.root, "select samples to remove"):
            selection = _choose(store, dataset, where, purge=purge, forget=forget)
        intent = Intent(
            journal.new_name(), asked, reason, purge, forget, selection.samples, earlier=selection.earlier,
            speakers=selection.speakers if block_speakers else {}, exports=selection.exports, words=selection.words,
            run_ids={name: new_run_id() for name in selection.samples or [dataset or ALL_DATASETS]},
            versions=store.versions(),
        )  # fmt: skip
        journal.write(store, intent)
        return _carry_out(store, intent)


def resume(store: Store) -> list[Removal]:
    """Finish every removal that was killed; waits until the store is not in use if one of them is a purge."""
    with journal.one_at_a_time(store):
        return [_carry_out(store, intent) for intent in journal.pending(store)]


def finish_pending(store: Store) -> None:
    """Finish removals that were killed, unless a process is at work on them or the store is in use: then later."""
    if journal.is_running(store):
        return
    with journal.one_at_a_time(store):
        for intent in journal.pending(store):
            try:
                _carry_out(store, intent, patience_s=_SHORT_PATIENCE_S)
            except TriptychError as error:
                if error.exit_code != TriptychError.exit_code:
                    raise
                log.warning("%s is not finished yet: %s", intent.describe(), error.message)


def _choose(store: Store, dataset: str | None, where: str | None, *, purge: bool, forget: bool) -> Selection:
    known = _known_datasets(store)
    if dataset is not None and dataset not in known:
        raise UsageError(
            f"The store has no dataset {dataset!r}. Datasets: {', '.join(known) or 'none'}.",
            hint=did_you_mean(dataset, known),
        )
    selection = select(store, dataset, where, purge=purge, forget=forget)
    if not selection.samples and not selection.earlier and not (purge and where is None):
        raise UsageError(
            "No sample is selected.",
            hint='list what there is: triptych query "select dataset, count(*) from samples group by 1"',
        )
    return selection


def _planned(selection: Selection, *, forget: bool) -> Removal:
    earlier = {name: len(ids) for name, ids in selection.earlier.items()}
    samples = {name: len(rows) for name, rows in selection.samples.items()}
    return Removal(samples, selection.exports, earlier=earlier, forgotten=earlier if forget else {})


def _collected(store: Store) -> list[str]:
    """The versions without rows, which would be made again from tables of their time; a purge deletes those."""
    found = exports.all_versions(store)
    return [each.reference for each in found if each.manifest.get("collected") and not each.manifest.get("withdrawn")]


def _known_datasets(store: Store) -> list[str]:
    """Return the datasets that have samples, or had some that were removed."""
    return sorted({*store.datasets(), *datasets_with_tombstones(store)})


# ---- carrying it out: every step may have been done before


def _carry_out(store: Store, intent: Intent, *, patience_s: float | None = None) -> Removal:
    with in_use(store.root, "remove samples"):
        _withdraw(store, intent)
    if intent.purge:
        try:
            purge_store(store, intent, patience_s=patience_s)
        except TriptychError as error:
            if error.exit_code != TriptychError.exit_code:
                raise
            raise TriptychError(
                f"The samples are withdrawn, but not purged yet: {error.message}",
                hint="the next command that writes finishes it, or: triptych store remove --resume",
            ) from error
    earlier = {name: len(ids) for name, ids in intent.earlier.items()}
    removal = Removal(intent.counts, dict(intent.exports), dict(intent.purged), earlier=earlier,
                      forgotten=earlier if intent.forget else {},
                      trainings=trainings_of(store, intent.exports),
                      collected=_collected(store) if intent.purge else [])  # fmt: skip
    removal.receipt = _write_receipt(store, intent, removal)
    journal.drop(store, intent)
    store.refresh()
    return removal


def _withdraw(store: Store, intent: Intent) -> None:
    for dataset, rows in intent.samples.items():
        with store.dataset_lock(dataset, "remove samples"):
            _delete_rows(store, intent, dataset, rows)
    if intent.forget:
        for dataset, ids in intent.earlier.items():
            with store.dataset_lock(dataset, "take tombstones away"):
                some = None if intent.asked.get("where_sha256") is None else ids
                lift(store, dataset, some)
    for dataset, run_id in intent.run_ids.items():
        _account(store, intent, dataset, run_id)


def _delete_rows(store: Store, intent: Intent, dataset: str, rows: Sequence[tuple[str, str]]) -> None:
    """Delete rows, tombstones first: if this is killed in between, the next pull restores nothing."""
    if not intent.forget:
        _write_tombstones(store, intent, dataset, rows)
    ids = [identity for identity, _ in rows]
    for chunk in chunks(ids):
        if holds(store, "samples", dataset, chunk):
            until_committed(lambda part=chunk: _delete_samples(store, dataset, part))  # type: ignore[misc]
    delete_facts(store, dataset, ids)


def _delete_samples(store: Store, dataset: str, ids: Sequence[str]) -> None:
    fence = f"pull:{dataset}"
    store.delete("samples", dataset, ids, fence=(fence, store.fence_number("samples", fence) + 1))


def _write_tombstones(store: Store, intent: Intent, dataset: str, rows: Sequence[tuple[str, str]]) -> None:
    """Append the tombstones that are not there yet."""
    from ..store.rows_to_arrow import rows_to_table

    run = Run(STAGE, dataset, "store remove", {}, run_id=intent.run_ids[dataset])
    there = _tombstoned(store, dataset)
    wanted = [*rows, *((speaker, "") for speaker in intent.speakers.get(dataset, []))]
    missing = [(name, media) for name, media in wanted if name not in there]
    for chunk in chunks(missing):
        events = [event_row(run, name, intent.reason, DETAIL, uri=media_text(media.split())) for name, media in chunk]
        store.append("events", rows_to_table(events, EVENTS))


def _tombstoned(store: Store, dataset: str) -> set[str]:
    found = {identity for ids in withdrawn_ids(store, [dataset]).values() for identity in ids}
    return found | {str(name) for (name,) in rows_of(
        store, "events",
        f"SELECT candidate FROM {{}} WHERE dataset = {quote(dataset)} AND stage = '{STAGE}' "
        "AND candidate LIKE 'speaker:%'",
    )}  # fmt: skip


def _account(store: Store, intent: Intent, dataset: str, run_id: str) -> None:
    """Write the row of `runs`, once."""
    if rows_of(store, "runs", f"SELECT 1 FROM {{}} WHERE run_id = {quote(run_id)} LIMIT 1"):
        return
    run = Run(STAGE, dataset, "store remove", intent.asked, run_id=run_id)
    run.details = {"before": intent.versions}
    run.account.drop(intent.reason, len(intent.samples.get(dataset, [])))
    run.finish(store)


def _write_receipt(store: Store, intent: Intent, removal: Removal) -> Path:
    folder = store.root / "receipts"
    folder.mkdir(exist_ok=True)
    path = folder / f"{intent.name}.json"
    document = {
        "asked": intent.asked,
        "samples": removal.samples,
        "earlier": removal.earlier,
        "exports": removal.exports,
        "trainings": removal.trainings,
        "collected": removal.collected,
        "purged": removal.purged,
        "at": datetime.now(UTC).isoformat(),
    }
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
