"""`triptych annotate` and `triptych explain`: what is said of one sample, and what happened to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ...errors import UsageError, amount
from .. import output
from ..parameters import JsonOption, StoreOption

EXAMPLES = """
triptych annotate mine/all/clip-1 text "the corrected text"
triptych annotate --from corrections.csv --producer me
triptych annotate mine/all/clip-1 text --clear
"""


def annotate(
    id: Annotated[str | None, typer.Argument(help="A sample's id.")] = None,
    key: Annotated[str | None, typer.Argument(help="text, assigned_split, words, or a key of your own.")] = None,
    value: Annotated[str | None, typer.Argument(help="The value; lists and alignments as JSON.")] = None,
    from_file: Annotated[
        Path | None, typer.Option("--from", help="A CSV file with the columns id, key, value.")
    ] = None,
    producer: Annotated[str | None, typer.Option(help="Who made the annotation; default: you.")] = None,
    clear: Annotated[
        bool, typer.Option("--clear", help="Clear the annotation of KEY: the value from the corpus counts again.")
    ] = False,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Annotate a sample: a corrected text, a split, a review. The original values are kept."""
    from ...facts import annotate as annotate_store

    if (from_file is None) == (id is None):
        raise UsageError("annotate needs ID KEY VALUE, or --from FILE.csv.")
    if from_file is None and (key is None or (value is None and not clear)):
        raise UsageError("annotate needs ID KEY VALUE.", hint='triptych annotate ID text "the corrected text"')
    count = annotate_store(from_file or str(id), key, value, store=store, producer=producer, clear=clear)
    done = "cleared" if clear else "written"
    output.emit({"annotations": count}, as_json=json, show=lambda: output.say(f"{amount(count, 'annotation')} {done}"))


def explain(
    id: Annotated[str, typer.Argument(help="A sample's id, or a rejected candidate.")],
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Show where a sample came from and what happened to it."""
    from ...api import explain as explain_sample

    life = explain_sample(id, store=store)
    output.emit(life, as_json=json, show=lambda: _show_life(life))


def _show_life(life: dict[str, Any]) -> None:
    output.say(life["id"])
    if life["sample"] is None:
        output.say("  not stored")
    for key, value in (life["sample"] or {}).items():
        if key != "id":
            output.say(f"  {key:<14} {output.cell(value) if not isinstance(value, float | int) else value}")
    for event in life["events"]:
        output.say(f"  {event['stage']}: {event['reason']} ({event.get('detail', '')}), run {event['run_id']}")
    for item in life["annotations"]:
        fact = (
            f"annotated {item['key']} = {output.cell(item['value'])}" if "value" in item else f"cleared {item['key']}"
        )
        output.say(f"  {fact} by {item['producer']}")
    for verdict in life["verdict"]:
        reasons = f" ({', '.join(verdict['reasons'])})" if verdict["reasons"] else ""
        output.say(f"  verdict        {verdict['verdict']}{reasons}")
    for checks in life["checks"]:
        measured = {key: value for key, value in checks.items() if key not in ("revision", "measured_at")}
        for key, value in measured.items():
            output.say(f"  measured {key} = {round(value, 4) if isinstance(value, float) else value}")
    if life["exports"]:
        output.say(f"  in exports     {', '.join(life['exports'])}")
