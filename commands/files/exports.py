"""`triptych exports`: the published versions."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ... import exports
from ...errors import DamagedError, ProblemsFound, TriptychError, UsageError, amount
from .. import completion, output
from ..parameters import JsonOption, StoreOption
from .export import SHOWN_ROWS, show_verified

if TYPE_CHECKING:
    from ...shards.exports.difference import Change, Difference
    from ...shards.exports.versions import Version

SHOWN_CHARACTERS = 60
"""How much `exports diff` prints; with --json everything."""

_EXPORT = typer.Argument(
    metavar="NAME[@vN]", help="An export; default: its latest version.", autocompletion=completion.exports
)
ReferenceArgument = Annotated[str, _EXPORT]
OptionalReference = Annotated[str | None, _EXPORT]


def list_(store: StoreOption = None, json: JsonOption = False) -> None:
    """List every version of every export."""
    document = [_row(version) for version in exports.list(store=store)]
    rows = [list(row.values()) for row in document]
    columns = ["export", "rows", "datasets", "created", "note", "withdrawn", "collected"]
    output.emit(document, as_json=json, show=lambda: output.table(columns, rows))


def _row(version: Version) -> dict[str, Any]:
    manifest = version.manifest
    return {
        "export": version.reference,
        "rows": manifest["rows"],
        "datasets": ", ".join(manifest["datasets"]),
        "created_at": manifest["created_at"],
        "note": manifest.get("note"),
        "withdrawn": manifest.get("withdrawn"),
        "collected": manifest.get("collected"),
    }


def show(
    reference: ReferenceArgument,
    recipe: Annotated[bool, typer.Option("--recipe", help="Print the recipe that makes it again, as YAML.")] = False,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Show the manifest of one version."""
    version = exports.show(reference, store=store)
    if recipe:
        _show_recipe(version, as_json=json)
        return

    def show_manifest() -> None:
        for key, value in version.manifest.items():
            if key != "sql":
                output.say(f"{key:<18} {output.cell(value) if not isinstance(value, int) else value}")

    output.emit(version.manifest, as_json=json, show=show_manifest)


def _show_recipe(version: Version, *, as_json: bool) -> None:
    from ...converters.composition.recipe import recipe_text

    recipe = version.manifest.get("recipe")
    if recipe is None:
        raise UsageError(f"{version.reference} has no recipe: it was withdrawn, or an earlier version made it.")
    if "view_file" in version.manifest:
        output.note(
            f"the view is a file of yours; put it beside the recipe: {version.path / version.manifest['view_file']}"
        )
    output.emit(recipe, as_json=as_json, show=lambda: output.say(recipe_text(recipe).rstrip()))


def path(
    reference: OptionalReference = None,
    rewards: Annotated[bool, typer.Option("--rewards", help="The file of rewards for MS-SWIFT's GRPO.")] = False,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Print the path of data.jsonl on one line, for scripts."""
    data = exports.path(reference, rewards=rewards, store=store)
    output.emit({"path": data}, as_json=json, show=lambda: output.say(str(data)))


def verify(
    references: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME[@vN]", help="Versions; default: all.", autocompletion=completion.exports),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Look at the sizes of media instead of hashing it.")] = False,
    client: Annotated[
        bool,
        typer.Option(
            "--client", help="Have `datasets` and the view's consumer load it; exit 1 on a difference, 2 without it."
        ),
    ] = False,
    client_python: Annotated[
        Path | None, typer.Option(help="For --client: the Python that has the consumer; default: that of make clients.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="For --client: qwen2-audio, qwen2.5-omni or qwen3-omni; default: one that takes the media."),
    ] = None,
    rows: Annotated[
        int | None, typer.Option(min=0, help="For --client: how many rows are encoded; 0: all; default: 1,000.")
    ] = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Check that files and media are unchanged since publishing; exit 4 if not."""
    if client:
        _load_with_client(references or [], client_python, model, rows, store=store, json=json)
        return
    if (client_python, model, rows) != (None, None, None):
        raise UsageError("--client-python, --model and --rows are for --client.", hint="add --client")
    found = exports.verify(references or (), quick=quick, store=store)

    def show_problems() -> None:
        for reference, problems in found.items():
            state = amount(len(problems), "problem") if problems else _state(reference, store)
            output.say(f"{reference}: {state}")
            for problem in problems[:20]:
                output.say(f"  {problem}")
            if problems and (way := _after_a_move(reference, store)) is not None:
                output.say(f"  next: {way}")

    output.emit(found, as_json=json, show=show_problems)
    if any(found.values()):
        raise typer.Exit(DamagedError.exit_code)


def _load_with_client(
    references: list[str],
    client_python: Path | None,
    model: str | None,
    rows: int | None,
    *,
    store: Path | None,
    json: bool,
) -> None:
    from ...validators.consumers.version_check import missing_client

    if len(references) != 1:
        raise UsageError("--client loads one version.", hint="triptych exports verify NAME --client")
    [reference] = references
    found = exports.load_with_client(reference, client_python=client_python, model=model, rows=rows, store=store)
    output.emit(found, as_json=json, show=lambda: show_verified(found))
    if not all(each.passed for each in found):
        raise typer.Exit(ProblemsFound.exit_code)
    if (missing := missing_client(exports.show(reference, store=store), client_python)) is not None:
        output.report_error(UsageError(missing), as_json=False)  # of --json, stdout has its one document
        raise typer.Exit(UsageError.exit_code)


def _after_a_move(reference: str, store: Path | None) -> str | None:
    """The command that writes a version anew whose store was moved; None if it was not."""
    from ...shards.exports.versions import find, moved_from
    from ...shards.store.store import Store

    opened = Store.open(store)
    try:
        moved = moved_from(opened, find(opened, reference))
    except TriptychError:
        return None  # what is damaged was told
    return (
        None if moved is None else f"triptych exports relocate {reference} --media-root {shlex.quote(str(opened.root))}"
    )


def _state(reference: str, store: Path | None) -> str:
    manifest = exports.show(reference, store=store).manifest
    return next((state for state in ("withdrawn", "collected") if manifest.get(state)), "ok")


def diff(
    old: Annotated[
        str, typer.Argument(metavar="A", help="NAME[@vN]; if B is not given, compared with the version before.")
    ],
    new: Annotated[str | None, typer.Argument(metavar="B")] = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Show the rows added, removed or changed from A to B; exit 1 if there are any."""
    first, second, found = exports.diff(old, new, store=store)
    output.emit(found, as_json=json, show=lambda: _show_difference(first, second, found))
    if found.added or found.removed or found.changed:
        raise typer.Exit(ProblemsFound.exit_code)


def _show_difference(first: Version, second: Version, found: Difference) -> None:
    output.say(
        f"{first.reference} -> {second.reference}: {len(found.added):,} added, {len(found.removed):,} removed, "
        f"{len(found.changed):,} changed"
    )
    if found.fields:
        changed = (f"{name} ({amount(count, 'row')})" for name, count in found.fields.items())
        output.say(f"changed fields: {', '.join(changed)}")
    for mark, ids in (("+", found.added), ("-", found.removed), ("~", found.changed)):
        for identity in ids[:SHOWN_ROWS]:
            output.say(f"  {mark} {identity}")
            for change in found.changes if mark == "~" else ():
                if change.id == identity:
                    output.say(f"      {change.field}: {' -> '.join(_around_difference(change))}")
        if len(ids) > SHOWN_ROWS:
            output.say(f"  {mark} ... {len(ids) - SHOWN_ROWS:,} more (--json lists all)")


def _around_difference(change: Change) -> list[str]:
    """Both values, cut to a line, from a little before the place where they differ."""
    texts = ["nothing" if value is None else output.cell(value) for value in (change.old, change.new)]
    same = next((n for n, (one, other) in enumerate(zip(*texts, strict=False)) if one != other), min(map(len, texts)))
    start = max(0, same - SHOWN_CHARACTERS // 3)
    return [_short(f"...{text[start + 3 :]}" if start else text) for text in texts]


def _short(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 3]}..."


def which(
    file: Annotated[Path, typer.Argument(help="A copied data file.")],
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Find the export that a copied file came from, by its content."""
    found = [version.reference for version in exports.which(file, store=store)]
    output.emit(found, as_json=json, show=lambda: output.say("\n".join(found)))


def relocate(
    reference: ReferenceArgument,
    media_root: Annotated[str, typer.Option(help="Absolute path that media paths will start with.")],
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Write the same version for another media root beside it; ./FOLDER of a pack is rewritten in place."""
    version = exports.relocate(reference, media_root, store=store)
    document = {"export": version.reference, "path": version.path}
    output.emit(document, as_json=json, show=lambda: output.say(f"{version.reference}\n  {version.data}"))


def pack(
    reference: ReferenceArgument,
    to: Annotated[Path, typer.Option(help="A new folder.")],
    media_root: Annotated[
        str | None,
        typer.Option(help="Where the folder will lie in the end; default: --to. A dot: paths are relative to it."),
    ] = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Copy a version with only the media it references."""
    manifest = exports.pack(reference, to, media_root=media_root, store=store)
    media = manifest["media"]
    document = {"to": to, "media": media, "media_root": manifest["media_root"], "rows": manifest["rows"]}
    rows, files = amount(manifest["rows"], "row"), amount(media["files"], "media file")
    held = "the media is inside its files" if media.get("embedded") else f"{files}, {output.size(media['bytes'])}"
    where = manifest["media_root"]

    def show_pack() -> None:
        output.say(f"{to}: {rows}, {held}")
        if media["files"]:
            place = f"under {where}/: the folder has to lie there" if where != "." else "relative to the folder"
            output.say(
                f"  its rows name media {place} (for another place: pack with --media-root PATH, or exports relocate)"
            )

    output.emit(document, as_json=json, show=show_pack)


def rebuild(reference: ReferenceArgument, store: StoreOption = None, json: JsonOption = False) -> None:
    """Make the rows of a version again from its manifest, and put back what it lacks; exit 4 if they differ."""
    result = exports.rebuild(reference, store=store)

    def show_rebuilt() -> None:
        name = result.version.reference
        if result.differs:
            output.say(f"{name}: made again, but these files differ from what was published:")
            for each in result.differs:
                output.say(f"  {result.version.path / each}")
        put = f"put back {', '.join(result.restored)}" if result.restored else "nothing was missing or damaged"
        output.say(f"{name}: {amount(len(result.same), 'file')} made again byte for byte; {put}")

    document = {"export": result.version.reference, "same": result.same, "restored": result.restored,
                "differs": result.differs}  # fmt: skip
    output.emit(document, as_json=json, show=show_rebuilt)
    if result.differs:
        raise typer.Exit(DamagedError.exit_code)


def gc(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Exports; default: all.", autocompletion=completion.exports),
    ] = None,
    keep: Annotated[int, typer.Option(min=0, help="How many versions of each stay, from the newest.")] = 1,
    older_than_days: Annotated[float, typer.Option(min=0, help="Younger versions stay.")] = 7.0,
    dry_run: Annotated[bool, typer.Option(help="Show what would be deleted, and stop.", show_default=False)] = False,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Delete the rows of old versions that `exports rebuild` can make again; their manifests stay."""
    found = exports.gc(names or (), keep=keep, older_than_days=older_than_days, dry_run=dry_run, store=store)

    def show_collected() -> None:
        verb = "would be deleted" if dry_run else "deleted"
        for reference, size in found.versions.items():
            output.say(f"{reference}: {output.size(size)} {verb}")
        for reference, reason in found.kept.items():
            output.say(f"{reference}: kept: {reason}")
        output.say(f"{amount(len(found.versions), 'version')}, {output.size(found.bytes)} {verb}")

    output.emit({"versions": found.versions, "bytes": found.bytes, "kept": found.kept}, as_json=json,
                show=show_collected)  # fmt: skip


def push(
    reference: ReferenceArgument,
    repo: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="A dataset repository; created if it is missing.")],
    media: Annotated[bool, typer.Option("--media", help="Push the media that the rows name, too.")] = False,
    public: Annotated[bool, typer.Option("--public", help="Create the repository as a public one.")] = False,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Push a version to a dataset repository of the Hugging Face hub, in one commit that replaces what is there."""
    pushed = exports.push(reference, repo, media=media, public=public, store=store)
    summary = f"{pushed.repo}: {amount(pushed.files, 'file')} pushed, {pushed.media:,} of them media\n  {pushed.url}"
    output.emit(pushed, as_json=json, show=lambda: output.say(summary))
