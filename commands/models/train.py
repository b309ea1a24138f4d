"""`triptych train`: train a model on an export, and hand on what came of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import ProblemsFound, amount
from ...trainers.runs.options import TrainOptions
from ...trainers.serving.options import MergeOptions
from .. import completion, output
from ..parameters import JsonOption, StoreOption, takes

if TYPE_CHECKING:
    from ...trainers.models.adapters import ComponentShare
    from ...trainers.runs.preflight.report import Preflight
    from ...trainers.runs.result import RunResult
    from ...trainers.serving.merge import Merged

SFT_EXAMPLES = """
triptych train sft conversation@v1 --model Qwen/Qwen2-Audio-7B-Instruct --set lora={} --output-dir runs/first
triptych train sft --config finetune.yaml --set training.lr=1e-4
triptych train sft --config finetune.yaml --dry-run
triptych train sft --output-dir runs/first --resume
"""
DPO_EXAMPLES = """
triptych train dpo preference@v1 --model models/after-sft --set lora={} --set training.lr=5e-6 --output-dir runs/dpo
triptych train dpo --config dpo.yaml --set dpo.beta=0.2
triptych train dpo --output-dir runs/dpo --resume
"""
PHONEME_EXAMPLES = """
triptych train phoneme phoneme@v1 --model Qwen/Qwen3-8B --output-dir runs/phones
triptych train phoneme --config phoneme_lora.yaml --set phoneme.ctc_weight=0.3
triptych train phoneme --output-dir runs/phones --resume
"""
EXPORT_EXAMPLES = """
triptych train export runs/first --merge --for transformers --out models/first
triptych train export runs/first --merge --for vllm --checkpoint step-000500 --out models/first
"""


TrainedOn = Annotated[
    str | None,
    typer.Argument(
        metavar="NAME[@vN]",
        help="The export that is trained on; default: data.train.",
        autocompletion=completion.exports,
    ),
]


@takes(TrainOptions)
def sft(
    options: TrainOptions,
    export: TrainedOn = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Fine-tune a model on the conversations of an export (supervised)."""
    from ...trainers.sft.calls import train_sft_with

    _train(train_sft_with, options, export, store, as_json=json)


@takes(TrainOptions)
def dpo(
    options: TrainOptions,
    export: TrainedOn = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Train a model on the pairs of an export: of two answers, the chosen one is made more likely (DPO)."""
    from ...trainers.preference.calls import train_dpo_with

    _train(train_dpo_with, options, export, store, as_json=json)


@takes(TrainOptions)
def phoneme(
    options: TrainOptions,
    export: TrainedOn = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Train a language model to write the phones that a frozen speech encoder hears (LoRA)."""
    from ...trainers.phoneme.calls import train_phoneme_with

    _train(train_phoneme_with, options, export, store, as_json=json)


def _train(
    call: Callable[..., RunResult | Preflight], options: TrainOptions, export: str | None, store: Path | None, *,
    as_json: bool,
) -> None:  # fmt: skip
    if not _is_first():
        call(export, store, options)
        return
    with output.progress("train", total=None, unit="steps") as tell:
        found = call(export, store, options, tell, _note, lambda line: tell.line(str(line), short=line.what))
    output.emit(found, as_json=as_json, show=lambda: _show(found))
    if getattr(found, "errors", ()):
        raise typer.Exit(ProblemsFound.exit_code)


def _note(text: str) -> None:
    output.note(f"note: {text}")


def _is_first() -> bool:
    """Whether this is the process that speaks, of those that `torchrun` or `accelerate launch` started together."""
    return os.environ.get("RANK", "0") == "0"


def _show(found: RunResult | Preflight) -> None:
    from ...trainers.runs.result import RunResult

    if not isinstance(found, RunResult):
        _show_preflight(found)
        return
    output.table(
        ["part of the model", "weights", "trained", "adapters", "weights of adapters"],
        [_component(each) for each in found.components],
    )
    _show_result(found)
    for reason, count in sorted(found.left_out.items()):
        output.say(f"  {amount(count, 'row')} left out: {reason}")
    if found.cut_seconds:
        output.say(f"  {found.cut_seconds:,.1f} s of longer clips cut off")
    output.say(f"curves: {found.folder / 'curves.html'}")
    checkpoint = "" if found.best_checkpoint is None else " --checkpoint best"
    output.say(f"next: triptych train export {found.folder} --merge --for transformers --out MODEL{checkpoint}")


def _show_preflight(found: Preflight) -> None:
    from ...trainers.runs.preflight.text import text_of

    output.say_formatted(lambda width, is_coloured: text_of(found, width=width, is_coloured=is_coloured))


def _component(share: ComponentShare) -> list[Any]:
    return [share.component, share.parameters, share.trainable, share.adapters, share.adapter_parameters]


def _show_result(found: RunResult) -> None:
    early = ", stopped early" if found.is_stopped_early else ""
    loss = "" if found.loss is None else f", loss {found.loss:.4f}"
    output.say(
        f"{found.folder}: {amount(found.steps, 'step')}, {amount(found.epochs, 'epoch')}{early}; "
        f"{amount(found.rows, 'row')} and {amount(found.tokens, 'token')} of {found.export} read, "
        f"{found.padding:.1%} of the batches padding{loss}"
    )
    for name, value in found.measures.items():
        output.say(f"  {name} {value:.4f}")
    for name, value in found.scores.items():
        before = f" (before training {found.base_scores[name]:.4f})" if name in found.base_scores else ""
        output.say(f"  {name} {value:.4f}{before}")
    if (gap := found.audio_gap) is not None:
        unheard = "" if gap.is_heard else "; sound is not heard: the loss is the same without it"
        told = f"the loss of {amount(gap.rows, 'row')} with another row's sound, less that with their own"
        output.say(f"  audio gap {gap.gap:+.4f}: {told}{unheard}")
    if found.best_checkpoint is not None:
        output.say(f"  best checkpoint: {found.best_checkpoint} ({found.best:.4f})")


@takes(MergeOptions)
def export(
    options: MergeOptions,
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    json: JsonOption = False,
) -> None:
    """Make a model folder of a run: the base with what was learned in its weights, held against both."""
    from ...trainers.serving.calls import train_export_with

    made = train_export_with(run, options)
    output.emit(made, as_json=json, show=lambda: _show_merged(made))


def _show_merged(made: Merged) -> None:
    equality = made.equality
    changed = amount(made.changed, "weight")
    output.say(f"{made.folder}: {made.checkpoint} for {made.layout}, {changed} changed, {made.format}")
    output.say(
        f"  logits as those of base and checkpoint to {equality.difference:.1e} of the largest (allowed "
        f"{equality.tolerance:.0e}, computed in {equality.computed_in}); {made.format} itself costs "
        f"{equality.rounding:.1e}"
    )
    for name in made.left_out:
        output.say(f"  not in it: {name} of the base, weights in another format")
    from ...trainers.phoneme.recognizer import FILE

    if (made.folder / FILE).is_file():
        output.say(f"next: triptych phoneme infer {made.folder} AUDIO")
    else:
        output.say(f"next: triptych infer NAME --model {made.folder} --out predictions.jsonl")
