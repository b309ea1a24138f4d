"""`triptych export`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...converters.export.options import ExportOptions
from ...errors import ProblemsFound, amount
from .. import completion, output
from ..parameters import JsonOption, StoreOption, takes

if TYPE_CHECKING:
    from ...converters.export.result import ExportResult
    from ...shards.exports.versions import Version
    from ...validators.consumers.verify import Verification

EXAMPLES = """
triptych export unified
triptych export msswift --task sft --split train --system "Be brief."
triptych export ./my_view.sql --name mine
triptych export --recipe recipe.yaml
triptych export msswift --task grpo --where "language = 'en'" --name english
"""


SHOWN_ROWS = 20
"""How many differences of a consumer are printed; with --json all."""


@takes(ExportOptions)
def export(
    options: ExportOptions,
    view: Annotated[
        str | None,
        typer.Argument(
            help="unified, msswift, cot, evaluation, or the path of your own view: ./my_view.sql; a recipe names it.",
            autocompletion=completion.views,
        ),
    ] = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Publish a version of a view; an identical request returns the same version."""
    from ...api import export_with

    with output.progress("export", total=None, unit="clips") as tell:
        result = export_with(view, store, options, tell)
    for warning in result.warnings:
        output.note(f"warning: {warning}")
    output.emit(_document(result, store), as_json=json, show=lambda: _show_result(result, store))
    if not all(each.passed for each in result.verified):
        raise typer.Exit(ProblemsFound.exit_code)


def _document(result: ExportResult, store: Path | None) -> dict[str, Any]:
    return {
        "export": result.version.reference,
        "path": result.version.path,
        "data": result.version.data,
        "files": _files(result.version),
        "reused": result.reused,
        "counts": result.counts,
        "left_out": result.left_out,
        "warnings": result.warnings,
        "next": result.next_command,
        "next_own": own_command(result.version, store),
        "content_sha256": result.version.manifest["content_sha256"],
        **({"verified": result.verified} if result.verified else {}),
    }


def _files(version: Version) -> list[Path]:
    return [version.path / name for name in sorted(version.manifest["files"])]


def _show_result(result: ExportResult, store: Path | None) -> None:
    from ...converters.views.elements.why_no_row import explained

    counts = dict(result.counts)
    written, made = counts.pop("written"), result.version.manifest["rows"]
    rows = amount(made, "row") + ("" if made == written else f" of {amount(written, 'sample')}")
    others = "".join(f", {count:,} {reason}" for reason, count in counts.items())
    state = "unchanged" if result.reused else "published"
    output.say(f"{result.version.reference} {state}: {rows}{others}")
    for line in explained(counts):
        output.say(line)
    for path in _files(result.version):
        output.say(f"  {path}")
    if result.verified:
        show_verified(result.verified)
    commands = [each for each in (result.next_command, own_command(result.version, store)) if each]
    first = "prune:" if result.version.manifest.get("view") == "calibration" else "train:"
    for lead, command in zip((first, "   or:"), commands, strict=False):
        output.say(f"{lead} {command}")


def own_command(version: Version, store: Path | None) -> str | None:
    """What to type to train on a version here, or to prune with it."""
    from ...trainers.data.training_rows import trainer_of

    place = "" if store is None else f" --store {shlex.quote(str(store))}"
    if version.manifest.get("view") == "calibration":
        return _prune_command(version, place)
    trainer = trainer_of(version)
    if trainer is None:
        return None
    lora = " --set lora={}" if trainer in ("sft", "dpo") else ""
    run = shlex.quote(f"runs/{version.name}")
    return f"triptych train {trainer} {version.reference} --model MODEL{lora} --output-dir {run}{place}"


def _prune_command(version: Version, place: str) -> str | None:
    """Of the rows of each modality that there are; none if some are of test splits, which pruning refuses."""
    certificate = version.manifest.get("certificate")
    if version.manifest.get("held_out_rows") or certificate is None:
        return None
    rows = " ".join(f"--{Path(file).stem} {version.reference}" for file in certificate["files"])
    return f"triptych prune --model MODEL {rows} --output pruned{place}"


def show_verified(verified: list[Verification]) -> None:
    """What consumers made of a version, and the first rows that they do not take as they are."""
    columns = ["loaded by", "model", "rows", "loaded", "encoded", "media", "seconds", "tokens of media", "differences"]
    output.table(columns, [verified_row(each) for each in verified])
    for each in verified:
        for found in each.differences[:SHOWN_ROWS]:
            output.say(f"  {each.consumer}: {found.id}: {found.why}")
        if len(each.differences) > SHOWN_ROWS:
            output.say(f"  {each.consumer}: ... {len(each.differences) - SHOWN_ROWS:,} more (--json lists all)")


def verified_row(each: Verification) -> list[Any]:
    media = ", ".join(f"{heard:,} of {named:,} {kind}" for kind, (named, heard) in each.media.items())
    seconds = None if each.seconds is None else f"{each.seconds[1]:,.2f} of {each.seconds[0]:,.2f}"
    counted, budget = each.media_tokens or (None, None)
    tokens = None if counted is None else f"{counted:,}" if budget is None else f"{counted:,} of {budget:,}"
    return [
        f"{each.consumer} {each.version}", each.model, each.rows, each.loaded, each.encoded, media, seconds, tokens,
        len(each.differences),
    ]  # fmt: skip
