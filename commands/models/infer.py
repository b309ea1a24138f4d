"""`triptych infer`: ask a model, and write its predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import ProblemsFound, UsageError, amount
from ...trainers.inference.options import InferOptions
from .. import output
from ..parameters import JsonOption, StoreOption, takes

if TYPE_CHECKING:
    from ...trainers.inference.result import InferResult

EXAMPLES = """
triptych infer librispeech-eval --model Qwen/Qwen2-Audio-7B --out predictions.jsonl
triptych infer prompts.jsonl --model ./checkpoints/finetuned --temperature 0.2 --out predictions.jsonl
triptych infer mmar --model qwen3-omni --server http://localhost:8000/v1 --out predictions.jsonl
triptych infer mmar --model ./model --samples-per-row 5 --temperature 0.7 --out voted.jsonl
triptych infer --audio clip.wav --prompt "What is said?" --model ./model
"""


@takes(InferOptions)
def infer(
    options: InferOptions,
    source: Annotated[
        str | None, typer.Argument(help="A file of rows to ask (JSON Lines), or an export: NAME or NAME@vN.")
    ] = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Ask a model about an export, a file of rows or clips; exit 1 if a row has no prediction."""
    from ...trainers.inference.calls import infer_with

    if options.out is None and not options.audio and (source is not None or options.prompt_file is not None):
        raise UsageError("--out must be given: where the predictions go.", hint="add --out predictions.jsonl")
    with output.progress("infer", total=None, unit="rows") as tell:
        result = infer_with(source, store, options, lambda done, of: tell(done, of))
    for line in result.notes:
        output.note(f"note: {line}")
    output.emit(_document(result), as_json=json, show=lambda: _show(result))
    if not result.passed:
        raise typer.Exit(ProblemsFound.exit_code)


def _document(result: InferResult) -> dict[str, Any]:
    document = output.plain(result)
    del document["predictions"]
    if result.out is None:
        document["predictions"] = [row.document() for row in result.predictions]
    return dict(document)


def _show(result: InferResult) -> None:
    for row in result.predictions:
        output.say(row.prediction if row.prediction is not None else f"{row.id}: {row.error}")
    if result.out is None:
        return
    counts = result.counts
    missing = sum(counts.errors.values())
    output.say(
        f"{result.out}: {amount(counts.rows - missing, 'prediction')} for {amount(counts.rows, 'row')} "
        f"({result.answered:,} answered now, {result.continued:,} before) by {result.model}"
    )
    for reason, count in sorted(counts.errors.items()):
        output.say(f"  {count:,} without a prediction: {reason}")
    for identity, error in counts.first_errors:
        output.say(f"    {identity}: {error}")
    told = {
        "reached --max-new-tokens and may be cut off": counts.truncated,
        "heard in part (--long cut)": counts.shortened,
        "asked window by window (--long window)": counts.windowed,
    }
    for what, count in told.items():
        if count:
            output.say(f"  {count:,} {what}")
    if result.self_consistency is not None:
        _show_consistency(result)


def _show_consistency(result: InferResult) -> None:
    found = result.self_consistency
    assert found is not None
    agreement = "none" if found.agreement is None else f"{found.agreement:.1%}"
    output.say(f"  {amount(found.rows, 'row')} by vote: agreement {agreement}, abstention {found.abstention:.1%}")
    if found.gain is not None:
        gain = found.gain
        output.say(
            f"  right by vote {gain.voted:.1%}, by one answer {gain.single:.1%}: "
            f"gain {100 * gain.gain:+.1f} points over {amount(gain.questions, 'row')}"
        )
