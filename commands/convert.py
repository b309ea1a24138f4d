"""`triptych convert`: file to file, without a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ProblemsFound, UsageError
from . import output
from .options import JsonOption, pairs

if TYPE_CHECKING:
    from ..converters.convert.result import ConvertResult

SHOWN_PROBLEMS = 100
_INSTEAD = {
    "validate": "triptych validate-file unified FILE",
    "validate-msswift": "triptych validate-file msswift FILE",
    "qa-msswift": "triptych convert qa IN OUT",
}
"""Words of the scripts that came before -> what to type."""


def convert(
    format: Annotated[
        str, typer.Argument(help="What the input is: a format that import reads, or one of merge and split.")
    ],
    paths: Annotated[list[Path], typer.Argument(help="IN... OUT; all are inputs where --out is given.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The file to write; of split, the folder.")] = None,
    to: Annotated[str | None, typer.Option(help="unified or msswift; what suits the input without.")] = None,
    task: Annotated[str | None, typer.Option(help="sft or grpo, of msswift.")] = None,
    system: Annotated[str | None, typer.Option(help="A system message before every conversation.")] = None,
    user_template: Annotated[
        str | None, typer.Option(help="The user turn: {modality_tag}, {prompt}, {question} and other fields.")
    ] = None,
    allow_answer_in_prompt: Annotated[bool, typer.Option(help="Write even where the template shows it.")] = False,
    text: Annotated[str, typer.Option(help="raw or clean.")] = "raw",
    id_column: Annotated[
        str | None, typer.Option("--id-column", "--id-col", "--id-key", help="The column that identifies a row.")
    ] = None,
    text_column: Annotated[str | None, typer.Option("--text-col", "--text-key", help="The column of the text.")] = None,
    audio: Annotated[str | None, typer.Option("--audio-col", "--audio-key", help="The column of audio paths.")] = None,
    video: Annotated[str | None, typer.Option("--video-col", "--video-key", help="The column of video paths.")] = None,
    image: Annotated[str | None, typer.Option("--image-col", "--image-key", help="The column of image paths.")] = None,
    question: Annotated[
        str | None, typer.Option("--question-col", "--question-key", help="The column of the question.")
    ] = None,
    answer: Annotated[
        str | None, typer.Option("--answer-col", "--answer-key", help="The column of the answer.")
    ] = None,
    map: Annotated[list[str] | None, typer.Option(help="column=field, as often as needed.")] = None,
    set: Annotated[list[str] | None, typer.Option(help="field=value for every row.")] = None,
    modality: Annotated[
        str | None, typer.Option(help="audio, video, mixed or text; told from the media without.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Put before every id: NAME/id.")] = None,
    media_dir: Annotated[Path | None, typer.Option(help="Where relative media paths start.")] = None,
    max_samples: Annotated[int | None, typer.Option(min=1, help="At most so many rows.")] = None,
    seed: Annotated[int | None, typer.Option(help="Draw those rows from all; they are the first without.")] = None,
    files: Annotated[bool, typer.Option("--files/--no-files", help="Whether the media must exist.")] = True,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    json: JsonOption = False,
) -> None:
    """A file in another format: tables and folders to unified, unified and QA to msswift; or files merged, or split."""
    from .. import api

    ins, target = _in_and_out(format, paths, out)
    given: dict[str, Any] = {
        "to": to, "task": task, "system": system, "user_template": user_template, "id_column": id_column,
        "modality": modality, "name": name, "media_dir": media_dir, "allow_answer_in_prompt": allow_answer_in_prompt,
        "text": None if text == "raw" else text, "files": None if files else False,
        "columns": _columns(pairs(map, option="--map"), text=text_column, audio=audio, video=video, image=image,
                            question=question, answer=answer),
        "values": pairs(set, option="--set"), "max_samples": max_samples, "seed": seed, "force": force,
    }  # fmt: skip
    if seed is not None and max_samples is None:
        raise UsageError("--seed draws --max-samples rows: say how many.")
    result = api.convert(format, ins, target, **_meant(format, given))
    output.emit(result, as_json=json, show=lambda: _show(ins, result))
    if result.problem_count or not result.written:
        raise typer.Exit(ProblemsFound.exit_code)


def _in_and_out(format: str, paths: list[Path], out: Path | None) -> tuple[list[Path], Path]:
    if format in _INSTEAD:
        raise UsageError(f"convert knows no {format!r}.", hint=_INSTEAD[format])
    if out is not None:
        return paths, out
    if len(paths) < 2:
        raise UsageError(f"convert {format} takes inputs and an output.", hint=f"triptych convert {format} IN OUT")
    return paths[:-1], paths[-1]


def _columns(mapped: dict[str, str], **named: str | None) -> dict[str, str]:
    """Columns by `--map` and by their own options; a column that is called like its field needs no word."""
    found = dict(mapped)
    for field, column in named.items():
        if column is not None and column != field:
            found[column] = field
    return found


def _meant(format: str, given: dict[str, Any]) -> dict[str, Any]:
    """The options that were given; UsageError for one that means nothing to merge or split."""
    used = {
        key: value for key, value in given.items() if value not in (None, False, {}) or (key, value) == ("files", False)
    }
    takes = {"merge": {"max_samples", "seed", "force"}, "split": {"force"}}.get(format, used.keys())
    for key in used:
        if key not in takes:
            raise UsageError(f"convert {format} leaves rows as they are: it takes no --{key.replace('_', '-')}.")
    return used


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
        f"{place}: {result.written:,} rows{what} from {result.read:,} of {source}" + (f": {dropped}" if dropped else "")
    )
    if result.warnings:
        output.say("  warnings: " + ", ".join(f"{count:,} {code}" for code, count in sorted(result.warnings.items())))
    for line in result.notes:
        output.say(f"  - {line}")
    if result.next_command:
        output.say(f"  train: {result.next_command}")


__all__ = ["convert"]
