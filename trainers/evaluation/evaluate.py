"""An evaluation from files to scores: what is right, predictions beside it, counts, notes, the folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import UsageError
from ...shards.store.store import Store
from ...validators.metrics.choice import Settings
from ...validators.metrics.completion import chain_and_answer
from ..data.exports import ExportReader
from ..pages.document import check_writable
from .intervals import Resamples
from .match import Matched, match_file, name_of
from .options import EvaluateOptions
from .references import Given, Reference, read_export, read_gold
from .score import THOUGHT, Ways, score
from .scores import SCORES, Scores
from .tables import qwen2_audio

_TOLD = ("model", "revision", "backend", "decoding", "export", "export_sha256")
"""What predictions say of how they were made."""
_BY = ("source",)
"""The columns that scores are given by where none are asked for."""


@dataclass(frozen=True, slots=True)
class _Right:
    """What is right: a name, the rows, and the SHA-256 of the rows of an export."""

    name: str
    rows: Sequence[Reference]
    sha256: str | None = None


def check_out(options: EvaluateOptions) -> None:
    """Raise UsageError if the folder or page of the evaluation cannot be written, before anything is read or asked."""
    if options.page is not None:
        check_writable(options.page)
    if options.out is not None:
        if options.out.exists() and not options.out.is_dir():
            raise UsageError(f"--out {options.out} is a file; a folder is expected.")
        if (options.out / SCORES).exists() and not options.force:
            raise UsageError(f"--out {options.out}: an evaluation stands there.", hint="--force replaces it")


def evaluate_gold(options: EvaluateOptions) -> Scores:
    """Score predictions against a file."""
    assert options.gold is not None
    return _evaluate(_Right(str(options.gold), read_gold(options.gold, _given(options))), options)


def evaluate_export(reference: str, store: Store, options: EvaluateOptions) -> Scores:
    """Score predictions against an export."""
    reader = ExportReader.open(reference, store=store)
    columns = [*options.by, *([options.group] if options.group else [])]
    rows = read_export(reader, store, _given(options), columns)
    return _evaluate(_Right(reader.version.reference, rows, reader.content_sha256), options)


def _given(options: EvaluateOptions) -> Given:
    return Given(task=options.task, language=options.language, target_language=options.target_language)


def _evaluate(right: _Right, options: EvaluateOptions) -> Scores:
    if not right.rows:
        raise UsageError(f"{right.name}: there is no row in it.")
    _check_gold(options)
    files = {"ours": options.pred, "transformers": options.transformers, "vllm": options.vllm}
    matched = {name: match_file(right.rows, path) for name, path in files.items() if path is not None}
    used, own = next(iter(matched.items()))
    other = None if options.against is None else match_file(right.rows, options.against)
    found, rows = score(right.rows, own, other, _ways(options))
    about = _about(own)
    scores = Scores(
        of=right.name, predictions=str(files[used]), against=None if options.against is None else str(options.against),
        matched_by=own.by, scores=found, rows=rows, missing=tuple(_missing(right.rows, own)), extra=own.extra,
        notes=tuple(_notes(right, own, about)), about=about,
        settings={"resamples": options.resamples, "confidence": options.confidence, "seed": options.seed,
                  "drawn": options.group or "rows"},
        table=() if options.table is None else qwen2_audio(right.rows, matched),
    )  # fmt: skip
    if options.out is not None:
        scores.write(options.out)
    if options.page is not None:
        from .page.page import write_evaluation_page

        write_evaluation_page(scores, options.page, worst=options.worst, embed=options.embed, force=options.force)
    return scores


def _check_gold(options: EvaluateOptions) -> None:
    if options.gold is not None and options.pred is not None and options.pred.resolve() == options.gold.resolve():
        raise UsageError(f"--pred {options.pred} is what --gold says is right: a file is no prediction of itself.")


def _ways(options: EvaluateOptions) -> Ways:
    return Ways(
        metrics=options.metrics, by=options.by or _BY, group=options.group,
        settings=Settings(
            phones=options.phones, ignore_silence=options.ignore_sil, bert_model=options.bert_model,
            bert_layer=options.bert_layer, bert_baseline=options.bert_baseline,
        ),
        resamples=Resamples(options.resamples, options.confidence, options.seed),
    )  # fmt: skip


def _missing(rows: Sequence[Reference], matched: Matched) -> Iterator[str]:
    for row, each in zip(rows, matched.predictions, strict=True):
        if each is None or each.prediction is None:
            yield name_of(row)


def _about(matched: Matched) -> dict[str, Any]:
    """What the predictions say of how they were made, as far as all of them agree."""
    found: dict[str, Any] = {}
    told = [each.fields for each in matched.predictions if each is not None]
    for name in _TOLD:
        values = {str(fields[name]): fields[name] for fields in told if name in fields}
        if values:
            found[name] = next(iter(values.values())) if len(values) == 1 else f"{len(values)} different values"
    return found


def _notes(right: _Right, matched: Matched, about: Mapping[str, Any]) -> Iterator[str]:
    if matched.by == "audio name":
        yield "matched by the names of the clips: their paths are of another folder"
    if right.sha256 is not None and about.get("export_sha256") not in (None, right.sha256):
        yield f"the predictions say that they were made for other rows than those of {right.name}"
    thought = [
        each for row, each in zip(right.rows, matched.predictions, strict=True)
        if row.chain is not None and each is not None and each.prediction is not None
    ]  # fmt: skip
    silent = sum(chain_and_answer(each.prediction or "")[0] is None and THOUGHT not in each.fields for each in thought)
    if silent:
        yield f"{silent:,} of {len(thought):,} predictions have no chain of thought, where the reference has one"
