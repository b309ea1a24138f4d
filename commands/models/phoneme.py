"""`triptych phoneme`: the phones of an export as tokens, and the phones of clips."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...errors import ProblemsFound, amount
from ...trainers.phoneme.options import BuildVocabularyOptions, PhonemeInferOptions
from .. import completion, output
from ..parameters import JsonOption, StoreOption, takes

if TYPE_CHECKING:
    from ...trainers.phoneme.calls import BuiltVocabulary
    from ...trainers.phoneme.infer import ClipPhones, PhonemeInferResult
    from ...trainers.phoneme.scores.pronunciation import Pronunciation

BUILD_EXAMPLES = """
triptych phoneme build-vocabulary phoneme@v1 --model Qwen/Qwen3-8B --out phones
triptych phoneme build-vocabulary phoneme@v1 --model Qwen/Qwen3-8B --min-freq 5 --out phones
"""
INFER_EXAMPLES = """
triptych phoneme infer runs/phones sa1.wav
triptych phoneme infer runs/phones sa1.wav --canonical "sh iy hh ae d"
triptych phoneme infer runs/phones --export phoneme-test --phones 39 --ignore-sil --out predictions.jsonl
"""
_SHOWN = 20


@takes(BuildVocabularyOptions)
def build_vocabulary(
    options: BuildVocabularyOptions,
    export: Annotated[
        str, typer.Argument(metavar="NAME[@vN]", help="An export of phones.", autocompletion=completion.exports)
    ],
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Extend the tokenizer of a language model by the phones of an export."""
    from ...trainers.phoneme.calls import phoneme_build_vocabulary_with

    built = phoneme_build_vocabulary_with(export, store, options)
    output.emit(built, as_json=json, show=lambda: _show_built(built, options.model))


def _show_built(built: BuiltVocabulary, model: str) -> None:
    output.say(
        f"{built.folder}: {amount(len(built.phones), 'phone')} (set {built.phone_set}) of {built.export}; the "
        f"tokenizer has {built.tokens:,} tokens with them"
    )
    if built.rare:
        named = ", ".join(f"{phone} {count:,}" for phone, count in built.rare.items())
        output.say(f"  no phones, since too rare: {named}; rows with them cannot be trained on")
    output.say(
        f"next: triptych train phoneme {built.export} --model {model} --set model.tokenizer={built.folder} "
        "--output-dir RUN"
    )


@takes(PhonemeInferOptions)
def infer(
    options: PhonemeInferOptions,
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="The folder of a run of `train phoneme`, or of its model.")
    ],
    audio: Annotated[list[Path] | None, typer.Argument(metavar="AUDIO...", help="Clips.")] = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Write down the phones of clips or of an export, with confidences and scores; exit 1 if one cannot be heard."""
    from ...trainers.phoneme.calls import phoneme_infer_with

    with output.progress("hear", total=None, unit="clips") as tell:
        found = phoneme_infer_with(model, audio or [], store, options, lambda done, of: tell(done, of))
    output.emit(found, as_json=json, show=lambda: _show(found))
    if not found.passed:
        raise typer.Exit(ProblemsFound.exit_code)


def _show(found: PhonemeInferResult) -> None:
    for clip in found.clips[:_SHOWN]:
        output.say(_line(clip))
        if clip.pronunciation is not None:
            _show_scores(clip.pronunciation, is_alone=len(found.clips) == 1)
    if len(found.clips) > _SHOWN:
        output.say(f"... and {len(found.clips) - _SHOWN:,} more clips")
    if found.per is not None:
        output.say(
            f"phone error rate {found.per:.2%}: {found.substitutions:,} substituted, {found.deletions:,} deleted, "
            f"{found.insertions:,} inserted, of {found.reference_phones:,} (phones {found.phone_set}, silence "
            f"{found.silence})"
        )
    failed = [clip for clip in found.clips if clip.error is not None]
    if failed:
        output.say(f"{len(failed):,} of {amount(len(found.clips), 'clip')} could not be heard")
    if found.out is not None:
        output.say(f"predictions in {found.out}")


def _line(clip: ClipPhones) -> str:
    if clip.heard is None:
        return f"{clip.id}: {clip.error}"
    said = " ".join(f"{each.phone}({each.confidence:.2f})" for each in clip.heard.phones)
    cut = "" if clip.heard.finish == "end" else "  [cut off: it did not end]"
    return f"{clip.id}: {said or 'nothing'}{cut}"


def _show_scores(scores: Pronunciation, *, is_alone: bool) -> None:
    if is_alone:
        output.table(
            ["should be said", "was heard", "", "confidence", "goodness"],
            [[each.canonical, each.said, each.operation, _number(each.confidence), _number(each.goodness)]
             for each in scores.alignment],
        )  # fmt: skip
    output.say(
        f"  accuracy {_number(scores.accuracy)}, completeness {_number(scores.completeness)}, fluency "
        f"{_number(scores.fluency)}, goodness {_number(scores.goodness)}"
    )


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"
