"""`triptych demo`: the whole workflow on the synthetic datasets, without a network or a service."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import amount
from . import output
from .parameters import JsonOption

DATASETS = ("demo-speech", "demo-video", "demo-av")
SAMPLES, TRAINED_ON = 12, 400
DEMO_STORE = Path("demo-store")
SQL = (
    "select dataset, modality, count(*) as samples, round(sum(coalesce(audio.duration, video.duration)), 1) as seconds "
    "from samples group by all order by all"
)


def demo(
    context: typer.Context,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Samples of each dataset; default: 12, with --train 400.")
    ] = None,
    store: Annotated[Path | None, typer.Option("--store", help="The store; default: ./demo-store.")] = None,
    train: Annotated[
        bool, typer.Option("--train", help="Train a small model on spoken digits, score and merge it; takes minutes.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Run the whole workflow on synthetic speech and video: pull, validate, export, query."""
    from .. import api

    place = (store or DEMO_STORE).absolute()
    if train:
        from .models.demo_training import train_demo

        train_demo(context, place, samples=samples or TRAINED_ON, as_json=json)
        return
    samples = samples or SAMPLES
    pulled = {name: api.pull(name, store=place, samples=samples) for name in DATASETS}
    if not json:
        for name, result in pulled.items():
            output.say(f"pull      {name}: {amount(result.stored, 'sample')}")
    validated = api.validate(store=place)
    if not json:
        for found in validated:
            output.say(f"validate  {found.dataset}: {found.verdicts}")
    exports = [
        api.export("unified", store=place),
        api.export("msswift", store=place, task="sft", split="train"),
        api.export("msswift", store=place, task="grpo", split="train"),
    ]
    if not json:
        for export in exports:
            output.say(f"export    {export.version.reference}: {amount(export.counts['written'], 'row')}")
    rows = api.query(SQL, store=place)
    document: dict[str, Any] = {
        "store": place,
        "samples": {name: result.stored for name, result in pulled.items()},
        "validated": validated,
        "exports": {export.version.reference: export.version.data for export in exports},
        "query": rows.to_pylist(),
    }
    output.emit(document, as_json=json, show=lambda: _show_end(place, exports, rows))


def _show_end(place: Path, exports: list[Any], rows: Any) -> None:
    output.say()
    output.table(rows.column_names, [list(row.values()) for row in rows.to_pylist()])
    output.say(f"\nEverything is in {place}:")
    for result in exports:
        output.say(f"  {result.version.data}")
    output.say(f"  {place / 'store.duckdb'}  (for the plain duckdb client)")
    flag = f" --store {place}"
    triptych, catalog = _command_path("triptych"), _command_path("catalog")
    output.say("\nWhat to type next:")
    output.say(f"  head -n 1 {exports[2].version.data}")
    output.say(f'  {triptych} query "select id, text from samples limit 5"{flag}')
    output.say(f"  {triptych} store status{flag}")
    output.say(f"  {catalog} list")
    output.say(f"  {catalog} pull librispeech --samples 100    # real speech, from the network")


def _command_path(command: str) -> str:
    """The command as it can be typed here: its name if the shell finds it, else its path."""
    if shutil.which(command):
        return command
    beside = Path(sys.executable).with_name(command)
    return os.path.relpath(beside) if beside.is_relative_to(Path.cwd()) else str(beside)
