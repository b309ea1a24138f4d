"""`triptych store`: init, status, compact, gc, refresh, remove, restore, verify."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import store as care
from ..errors import DamagedError, ProblemsFound, UsageError, amount
from . import completion, output
from .parameters import CardsOption, JsonOption, StoreOption

if TYPE_CHECKING:
    from ..shards.care.care import StoreStatus
    from ..shards.care.removal import Removal
    from ..shards.care.restore import Restored
    from ..shards.care.verify import Verified


def init(store: StoreOption = None, json: JsonOption = False) -> None:
    """Create an empty store."""
    root = care.init(store)
    output.emit({"store": root}, as_json=json, show=lambda: output.say(f"store: {root}"))


def status(store: StoreOption = None, json: JsonOption = False) -> None:
    """Show what is in the store, and which processes are working on it."""
    found = care.status(store=store)
    output.emit(found, as_json=json, show=lambda: _show_status(found))


def _show_status(found: StoreStatus) -> None:
    output.say(f"store: {found.root}")
    rows = [
        [d.dataset, d.samples, d.hours, *(d.verdicts.get(v, 0) for v in ("keep", "warn", "reject")), d.unvalidated,
         ", ".join(f"{split} {count:,}" for split, count in d.splits.items())]
        for d in found.datasets
    ]  # fmt: skip
    output.table(["dataset", "samples", "hours", "keep", "warn", "reject", "unvalidated", "splits"], rows)
    output.say(f"\nmedia: {amount(found.media_files, 'file')}, {output.size(found.media_bytes)}")
    output.say(f"tables: {', '.join(f'{name} {count}' for name, count in found.table_files.items())} files")
    output.say(f"unfinished downloads: {output.size(found.partial_bytes)}")
    output.say(f"exports: {', '.join(found.exports) or 'none'}")
    for holder in found.held_by:
        output.say(f"locked: {holder}")
    for line in found.pending:
        output.say(f"unfinished: {line}; finish it: triptych store remove --resume")
    for path in found.leftovers:
        output.say(f"left by a killed process: {path}")


def compact(
    datasets: Annotated[
        list[str] | None, typer.Argument(help="Datasets; default: all.", autocompletion=completion.datasets)
    ] = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Merge small table files, so that queries read fewer."""
    removed = care.compact(datasets or (), store=store)
    total = sum(removed.values())
    output.emit(removed, as_json=json, show=lambda: output.say(f"{total:,} small files merged"))


def gc(
    older_than_days: Annotated[float, typer.Option(min=0, help="Keep files younger than this.")] = 7.0,
    dry_run: Annotated[bool, typer.Option(help="Show what would be removed, and stop.", show_default=False)] = False,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Remove media that no row of any version and no export references."""
    found = care.gc(older_than_days=older_than_days, dry_run=dry_run, store=store)
    verb = "would be removed" if dry_run else "removed"
    young = f"{found.kept_young:,} unreferenced but too young"
    line = f"{amount(len(found.files), 'file')}, {output.size(found.bytes)} {verb}; {young}"
    output.emit(found, as_json=json, show=lambda: output.say(line))


def refresh(
    root: Annotated[Path | None, typer.Option(help="Path of the store on another machine; needs --out.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write the file; default: STORE/store.duckdb.")] = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Rewrite store.duckdb, for the plain duckdb client."""
    path = care.refresh(root=root, out=out, store=store)
    output.emit({"path": path}, as_json=json, show=lambda: output.say(str(path)))


def remove(
    dataset: Annotated[
        str | None, typer.Argument(help="A dataset; with --where, part of it.", autocompletion=completion.datasets)
    ] = None,
    where: Annotated[str | None, typer.Option(help="One SQL expression, e.g. \"speaker = '123'\".")] = None,
    purge: Annotated[
        bool, typer.Option("--purge", help="Leave nothing of them in the store; alone: of what was removed earlier.")
    ] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="Leave no tombstones: the same data can be imported or pulled again.")
    ] = False,
    block_speakers: Annotated[
        bool, typer.Option("--block-speakers", help="Also refuse later samples of these speakers in the same dataset.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Finish the removals that were killed, and nothing else.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Recorded in the tombstones and the receipt.")] = "withdrawn",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be removed, and stop.")] = False,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Withdraw samples; neither the next pull nor the same media under another name brings them back."""
    if resume:
        if dataset is not None or where is not None:
            raise UsageError("--resume takes no selection: it finishes what was begun.")
        finished = care.resume(store=store)
        output.emit(finished, as_json=json, show=lambda: _show_resumed(finished))
        return
    removal = care.remove(
        dataset, where=where, purge=purge, reason=reason, dry_run=dry_run, forget=forget,
        block_speakers=block_speakers, store=store,
    )  # fmt: skip
    output.emit(removal, as_json=json, show=lambda: _show_removal(removal, dry_run=dry_run, purge=purge))


def _show_resumed(finished: list[Removal]) -> None:
    if not finished:
        output.say("no removal is unfinished")
    for removal in finished:
        _show_removal(removal, dry_run=False, purge=bool(removal.purged))


def _show_removal(removal: Removal, *, dry_run: bool, purge: bool) -> None:
    verb = "would be" if dry_run else "were"
    for dataset, count in removal.samples.items():
        output.say(f"{dataset}: {amount(count, 'sample')} {'would be removed' if dry_run else 'removed'}")
    for dataset, count in removal.earlier.items():
        if purge:
            output.say(f"{dataset}: {amount(count, 'sample')} removed earlier {verb} purged too")
    for dataset, count in removal.forgotten.items():
        output.say(f"{dataset}: {count:,} tombstones {verb} taken away")
    fate = f": its data {'would be' if dry_run else 'was'} deleted" if purge else ""
    for reference, count in removal.exports.items():
        output.say(f"  {reference} contains {count:,} of them{fate}")
    for reference in removal.collected:
        output.say(
            f"  {reference} has no rows (exports gc), and {'could' if dry_run else 'can'} no longer be made again"
        )
    for folder, references in removal.trainings.items():
        output.say(f"  trained on {', '.join(references)}: {folder}")
    for what, count in removal.purged.items():
        output.say(f"  purged {what}: {count:,}")
    if removal.receipt:
        output.say(f"receipt: {removal.receipt}")
    if removal.samples and not dry_run and not purge and not removal.forgotten:
        for dataset in removal.samples:
            output.say(f"to bring them back: triptych store restore {dataset}")


def restore(
    dataset: Annotated[
        str | None,
        typer.Argument(help="A dataset from which samples were removed.", autocompletion=completion.datasets),
    ] = None,
    where: Annotated[str | None, typer.Option(help="One SQL expression over the removed rows.")] = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Bring back removed samples that were not purged."""
    found = care.restore(dataset, where=where, store=store)
    output.emit(found, as_json=json, show=lambda: _show_restored(found))
    if found.purged or found.missing_media:
        raise typer.Exit(ProblemsFound.exit_code)


def _show_restored(found: Restored) -> None:
    for dataset, count in found.samples.items():
        output.say(f"{dataset}: {amount(count, 'sample')} restored")
    for dataset, count in found.purged.items():
        output.say(f"{dataset}: {count:,} samples were purged and stay removed")
        output.say(f"  to import or pull them again: triptych store remove {dataset} --forget")
    if found.missing_media:
        output.say(f"{len(found.missing_media):,} media files are gone: triptych store verify --repair")


def verify(
    quick: Annotated[
        bool, typer.Option("--quick", help="Look at sizes instead of hashing all media and reading all rows.")
    ] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Store missing and damaged media again, from its recorded source.")
    ] = False,
    from_path: Annotated[
        Path | None, typer.Option("--from", help="With --repair: a folder with copies, or what a pull takes.")
    ] = None,
    mirror: Annotated[
        str | None, typer.Option(envvar="TRIPTYCH_MIRROR", help="With --repair: stands in for the original hosts.")
    ] = None,
    cards: CardsOption = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Check that tables, media and exports are what was stored; exit 4 if not."""
    found = care.verify(
        quick=quick, repair=repair, from_path=from_path, mirror=mirror if repair else None, cards=cards or (),
        store=store,
    )  # fmt: skip
    output.emit(found, as_json=json, show=lambda: _show_verified(found, repair=repair))
    if found.problems:
        raise typer.Exit(DamagedError.exit_code)


def _show_verified(found: Verified, *, repair: bool) -> None:
    for path in found.repaired:
        output.say(f"repaired: {path}")
    problems = found.problems
    for line in problems[:50]:
        output.say(line)
    if len(problems) > 50:
        output.say(f"... {len(problems) - 50:,} more (--json lists all)")
    for line in found.failures:
        output.say(f"not fetched again: {line}")
    state = amount(len(problems), "problem") if problems else "ok"
    output.say(f"{amount(found.media_files, 'media file')} and all tables and exports looked at: {state}")
    if found.media and not repair:
        output.say("to fetch media again: triptych store verify --repair [--from PATH]")
