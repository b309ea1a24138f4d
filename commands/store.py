"""`triptych store`: init, status, compact, gc, refresh, remove."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import store as care
from . import completion, output
from .help import add, group
from .parameters import JsonOption, StoreOption

if TYPE_CHECKING:
    from ..shards.care.care import StoreStatus
    from ..shards.care.removal import Removal

app = group("Maintenance of the store: show what is in it, compact it, remove from it.")


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
    output.say(f"\nmedia: {found.media_files:,} files, {output.size(found.media_bytes)}")
    output.say(f"tables: {', '.join(f'{name} {count}' for name, count in found.table_files.items())} files")
    output.say(f"unfinished downloads: {output.size(found.partial_bytes)}")
    output.say(f"exports: {', '.join(found.exports) or 'none'}")
    for holder in found.held_by:
        output.say(f"locked: {holder}")


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
    line = f"{len(found.files):,} files, {output.size(found.bytes)} {verb}; {young}"
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
        bool, typer.Option("--purge", help="Also remove old versions, media, and the data of exports.")
    ] = False,
    reason: Annotated[str, typer.Option(help="Recorded in the tombstones and the receipt.")] = "withdrawn",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be removed, and stop.")] = False,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Withdraw samples; the next pull does not bring them back."""
    removal = care.remove(dataset, where=where, purge=purge, reason=reason, dry_run=dry_run, store=store)
    output.emit(removal, as_json=json, show=lambda: _show_removal(removal, dry_run=dry_run))


def _show_removal(removal: Removal, *, dry_run: bool) -> None:
    verb = "would be removed" if dry_run else "removed"
    for dataset, count in removal.samples.items():
        output.say(f"{dataset}: {count:,} samples {verb}")
    for reference, count in removal.exports.items():
        output.say(f"  {reference} contains {count:,} of them")
    for what, count in removal.purged.items():
        output.say(f"  purged {what}: {count:,}")
    if removal.receipt:
        output.say(f"receipt: {removal.receipt}")


add(app, "init", init)
add(app, "status", status)
add(app, "compact", compact)
add(app, "gc", gc)
add(app, "refresh", refresh)
add(app, "remove", remove)
