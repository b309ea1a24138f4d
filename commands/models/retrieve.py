"""`triptych retrieve`: the terms of a glossary that recordings name; `train contrastive`, which makes retrievers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import ProblemsFound, amount
from ...trainers.retrieval.options import RetrieveOptions
from ...trainers.runs.options import TrainOptions
from .. import completion, output
from ..parameters import JsonOption, StoreOption, takes

if TYPE_CHECKING:
    from ...trainers.retrieval.calls import RetrieveResult
    from ...trainers.retrieval.result import ContrastivePreflight, ContrastiveResult
    from ...trainers.retrieval.scores.metrics import RetrievalScores

EXAMPLES = """
triptych retrieve runs/terms clip.wav
triptych retrieve runs/terms talks/ --top 3 --threshold 0.4 --json
triptych retrieve runs/terms lecture.flac --glossary terms.txt --window 4
"""
CONTRASTIVE_EXAMPLES = """
triptych train contrastive term-chunks@v1 --model openai/whisper-small --set retrieval.text_model=BAAI/bge-m3 --output-dir runs/terms
triptych train contrastive --config contrastive.yaml --set retrieval.enable_hard_neg=true
triptych train contrastive --output-dir runs/terms --resume
"""  # noqa: E501


@takes(RetrieveOptions)
def retrieve(
    options: RetrieveOptions,
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run of `train contrastive`.")],
    audio: Annotated[list[Path], typer.Argument(metavar="AUDIO...", help="Recordings, and folders of them.")],
    json: JsonOption = False,
) -> None:
    """Find the terms of a glossary that recordings name; exit 1 if one of them cannot be heard."""
    from ...trainers.retrieval.calls import retrieve_with

    with output.progress("retrieve", total=None, unit="files") as tell:
        found = retrieve_with(run, audio, options, lambda done, of: tell(done, of))
    output.emit(found, as_json=json, show=lambda: _show(found))
    if not found.passed:
        raise typer.Exit(ProblemsFound.exit_code)


def _show(found: RetrieveResult) -> None:
    output.table(
        ["recording", "from s", "to s", "term", "cosine"],
        [[str(clip.audio), f"{term.start_s:.2f}", f"{term.end_s:.2f}", term.term, f"{term.cosine:.3f}"]
         for clip in found.clips for term in clip.terms],
    )  # fmt: skip
    silent = sum(not clip.terms and clip.error is None for clip in found.clips)
    output.say(
        f"{amount(len(found.clips), 'recording')}, {amount(found.glossary, 'term')} searched; "
        f"{amount(silent, 'recording')} with no term at a cosine of {found.threshold:g} or more"
    )
    for clip in found.clips:
        if clip.error is not None:
            output.say(f"  {clip.audio}: {clip.error}")


@takes(TrainOptions)
def contrastive(
    options: TrainOptions,
    export: Annotated[
        str | None,
        typer.Argument(metavar="NAME[@vN]", help="The export that is trained on; default: data.train.",
                       autocompletion=completion.exports),
    ] = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:  # fmt: skip
    """Train a retriever of terms on chunks of speech (contrastive)."""
    from ...trainers.retrieval.calls import train_contrastive_with

    with output.progress("train", total=None, unit="steps") as tell:
        found = train_contrastive_with(
            export, store, options, tell, lambda text: output.note(f"note: {text}"),
            lambda line: tell.line(str(line), short=line.what),
        )  # fmt: skip
    output.emit(found, as_json=json, show=lambda: _show_training(found))
    if found.preflight is not None and found.preflight.errors:
        raise typer.Exit(ProblemsFound.exit_code)


def _show_training(found: ContrastiveResult) -> None:
    from ...trainers.retrieval.scores.page import PAGE

    measured = "".join(f", {count:,} of {role}" for role, count in found.measured.items())
    output.say(
        f"{found.export}: {amount(found.clips, 'clip')} to train on ({found.clips_without_term:,} without a term)"
        f"{measured}; {amount(found.glossary, 'term')}, {found.unseen:,} of them only tested; "
        f"{amount(found.steps, 'step')}"
    )
    for reason, count in sorted(found.left_out.items()):
        output.say(f"  {amount(count, 'clip')} left out: {reason}")
    if found.preflight is not None:
        _show_preflight(found.preflight)
    for role, scores in (found.scores or {}).items():
        _show_scores(role, scores, (found.control or {}).get(role))
    if found.retriever is not None:
        output.say(f"the sweep of thresholds: {found.folder}/{PAGE}")
        output.say(f"next: triptych retrieve {found.folder} AUDIO")


def _show_scores(role: str, scores: RetrievalScores, control: RetrievalScores | None) -> None:
    from ...trainers.retrieval.scores.page import parts_of

    output.table(
        [role, "clips", "recall@1", "recall@5", "recall@10", "of terms @1", "of terms @10"],
        [[name, each.clips, *(f"{each.by_clip[top]:.3f}" for top in (1, 5, 10)),
          f"{each.by_term[1]:.3f}", f"{each.by_term[10]:.3f}"] for name, each in parts_of(scores, control)],
    )  # fmt: skip
    at = scores.at
    silent = "" if at.rejected is None else f"{at.rejected:.1%} of the clips without a term are rejected; "
    output.say(f"  at a cosine of {at.threshold:g}: {silent}{at.right:.1%} of the others get the right term")


def _show_preflight(found: ContrastivePreflight) -> None:
    from ...trainers.runs.preflight.text import duration, memory_line, of_findings

    output.table(
        ["part of the model", "weights", "trained", "adapters", "weights of adapters"],
        [[each.component, each.parameters, each.trainable, each.adapters, each.adapter_parameters]
         for each in found.components],
    )  # fmt: skip
    spent = found.step_time
    output.say(f"{found.dtype} on {found.device}; {found.frozen:,} further weights of encoders are not trained")
    output.say(f"encoding all clips and texts once: about {duration(found.encoding_seconds)}")
    output.say(memory_line(found.memory))
    output.say(
        f"a step: {spent.seconds:.3g} s, {spent.tokens_per_second:,.0f} clips/s; {duration(spent.run_seconds)} for all "
        "steps; every weight is as it was"
    )
    output.say_formatted(lambda width, is_coloured: of_findings(found.findings, width=width, is_coloured=is_coloured))
