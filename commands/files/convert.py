"""`triptych convert`: file to file, without a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...converters.convert.options import ConvertOptions
from ...errors import ProblemsFound, UsageError, amount
from .. import completion, output
from ..parameters import JsonOption, takes

if TYPE_CHECKING:
    from ...converters.convert.result import ConvertResult

SHOWN_PROBLEMS = 100
EXAMPLES = """
triptych convert csv clips.csv clips.jsonl --audio-col recording --text-col said
triptych convert unified clips.jsonl clips-sft.jsonl --task sft --system "Be brief."
triptych convert merge a.jsonl b.jsonl -o merged.jsonl --max-samples 1000 --seed 1
"""
_INSTEAD = {
    "validate": "triptych validate-file unified FILE",
    "validate-msswift": "triptych validate-file msswift FILE",
    "qa-msswift": "triptych convert qa IN OUT",
}
"""Commands of the earlier scripts -> their replacement."""


@takes(ConvertOptions)
def convert(
    options: ConvertOptions,
    format: Annotated[
        str,
        typer.Argument(
            help="The input format: one that import reads, or merge or split.",
            autocompletion=completion.convert_formats,
        ),
    ],
    paths: Annotated[list[Path], typer.Argument(help="IN... OUT; all are inputs where --out is given.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The file to write; for split, the folder.")] = None,
    json: JsonOption = False,
) -> None:
    """Convert files: tables and folders to unified, unified and QA to msswift; or merge or split files."""
    from ...api import convert_with

    ins, target = _in_and_out(format, paths, out)
    result = convert_with(format, ins, target, options)
    for line in result.field_warnings:
        output.note(f"warning: {line}")
    output.emit(result, as_json=json, show=lambda: _show(ins, result))
    if result.problem_count or not result.written:
        raise typer.Exit(ProblemsFound.exit_code)


def _in_and_out(format: str, paths: list[Path], out: Path | None) -> tuple[list[Path], Path]:
    if format in _INSTEAD:
        raise UsageError(f"convert has no format {format!r}.", hint=_INSTEAD[format])
    if out is not None:
        return paths, out
    if len(paths) < 2:
        places = "IN... -o OUT" if format == "merge" else "IN OUT"
        raise UsageError(f"convert {format} needs inputs and an output.", hint=f"triptych convert {format} {places}")
    return paths[:-1], paths[-1]


def _show(ins: list[Path], result: ConvertResult) -> None:
    task = f" {result.task}" if result.task else ""
    for problem in result.problems[:SHOWN_PROBLEMS]:
        output.say(f"{problem.where}: {problem.reason}: {problem.detail.removeprefix(f'{problem.where}: ')}")
    if result.problem_count > SHOWN_PROBLEMS:
        output.say(f"... {result.problem_count - SHOWN_PROBLEMS:,} more; --json lists the first thousand")
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in sorted(result.reasons.items()))
    what = f" of {result.to}{task}" if result.to != "jsonl" else ""
    place = ", ".join(str(path) for path in result.out) or "nothing written"
    source = ins[0] if len(ins) == 1 else f"{len(ins)} files"
    output.say(
        f"{place}: {amount(result.written, 'row')}{what} from {result.read:,} of {source}"
        + (f": {dropped}" if dropped else "")
    )
    if result.warnings:
        output.say("  warnings: " + ", ".join(f"{count:,} {code}" for code, count in sorted(result.warnings.items())))
    for line in result.notes:
        output.say(f"  - {line}")
    if result.next_command:
        output.say(f"  train: {result.next_command}")


__all__ = ["convert"]
