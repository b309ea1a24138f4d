"""`triptych train config`: configurations to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .. import output
from ..parameters import JsonOption

EXAMPLES = """
triptych train config
triptych train config qwen2_audio_lora --out finetune.yaml
triptych train config slurm/one_node.sh
"""


def config(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One of them; default: list all.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write it there; default: print it.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Print or write a configuration: of runs, of accelerate, and scripts for Slurm."""
    from ...errors import UsageError
    from ...trainers import configs

    if name is None:
        if out is not None:
            raise UsageError("--out: which configuration?", hint="triptych train config lists them")
        found = configs.names()
        output.emit(
            found, as_json=json, show=lambda: output.table(["name", "for"], [list(each) for each in found.items()])
        )
        return
    text = configs.text_of(name)
    if out is not None:
        configs.write(name, out)
        output.emit({"written": str(out)}, as_json=json, show=lambda: output.say(f"{out}"))
        return
    output.emit({"name": name, "text": text}, as_json=json, show=lambda: output.say(text.rstrip("\n")))
