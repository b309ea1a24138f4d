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

app = group("Care of the store: what is in it, and what can go.")


def init(store: StoreOption = None, json: JsonOption = False) -> None:
    """Make an empty store."""
    root = care.init(store)
    output.emit({"store": root}, as_json=json, show=lambda: output.say(f"store: {root}"))


def status(store: StoreOption = None, json: JsonOption = False) -> None:
    """What is in the store, and who is at work in it."""
    found = care.status(store=store)
    output.emit(found, as_json=json, show=lambda: _show_status(found))


def _show_status(found: StoreStatus) -> None:
    output.say(f"store: {found.root}")
    rows = [
        [d.dataset, d.samples, d.hours, *(d.verdicts.get(v, 0) for v in ("keep", "warn", "reject")),
         ", ".join(f"{split} {count:,}" for split, count in d.splits.items())]
        for d in found.datasets
    ]  # fmt: skip
    output.table(["dataset", "samples", "hours", "keep", "warn", "reject", "splits"], rows)
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
    """Join small table files, so that queries read fewer."""
    removed = care.compact(datasets or (), store=store)
    total = sum(removed.values())
    output.emit(removed, as_json=json, show=lambda: output.say(f"{total:,} small files joined"))


def gc(
    older_than_days: Annotated[float, typer.Option(min=0, help="Younger files stay.")] = 7.0,
    dry_run: Annotated[bool, typer.Option(help="Say what would go, and stop.", show_default=False)] = False,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Remove media that no row of any version and no export names."""
    found = care.gc(older_than_days=older_than_days, dry_run=dry_run, store=store)
    verb = "would go" if dry_run else "removed"
    said = f"{len(found.files):,} files, {output.size(found.bytes)} {verb}; {found.kept_young:,} unnamed but young"
    output.emit(found, as_json=json, show=lambda: output.say(said))


def refresh(
    root: Annotated[Path | None, typer.Option(help="Path of the store as another machine sees it.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write the file; default: STORE/store.duckdb.")] = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Write store.duckdb anew, for the plain duckdb client."""
    path = care.refresh(root=root, out=out, store=store)
    output.emit({"path": path}, as_json=json, show=lambda: output.say(str(path)))


def remove(
    dataset: Annotated[
        str | None, typer.Argument(help="A dataset; with --where some of it.", autocompletion=completion.datasets)
    ] = None,
    where: Annotated[str | None, typer.Option(help="One SQL expression, e.g. \"speaker = '123'\".")] = None,
    purge: Annotated[bool, typer.Option("--purge", help="Also old versions, media, and the data of exports.")] = False,
    reason: Annotated[str, typer.Option(help="Kept in the tombstones and the receipt.")] = "withdrawn",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and stop.")] = False,
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
        output.say(f"  {reference} holds {count:,} of them")
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
