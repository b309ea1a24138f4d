"""An evaluation from files to scores: what is right, predictions beside it, counts, notes, the folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...errors import UsageError
from ...shards.store.store import Store
from ...validators.formats.evaluation.challenge import THOUGHT
from ...validators.metrics.choice import Settings
from ...validators.metrics.completion import chain_and_answer
from ...validators.metrics.metric import JUDGED
from ..benchmarks.protocols import Counts, as_published, benchmark_of, mixed_audio
from ..benchmarks.ratings import Found, rate
from ..benchmarks.submission import write_submission
from ..data.exports import ExportReader
from ..data.outputs import check_not_read
from ..pages.document import check_writable
from .intervals import Resamples
from .match import Matched, match_file, name_of
from .options import EvaluateOptions
from .references import Given, Reference, is_chat, read_export, read_gold
from .score import Ways, names_of, score
from .scores import ROWS, SCORES, Score, ScoredRow, Scores
from .tables import qwen2_audio

_TOLD = ("model", "revision", "backend", "decoding", "export", "export_sha256")
"""What predictions say of how they were made."""
_BY = ("source",)
"""The columns that scores are given by where none are asked for; benchmarks have further ones."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class _Right:
    """What is right: a name, the rows, and the SHA-256 of the rows of an export."""

    name: str
    rows: Sequence[Reference]
    sha256: str | None = None
    is_chat: bool = False


def check_out(options: EvaluateOptions) -> None:
    """Raise UsageError if the folder or page of the evaluation cannot be written, before anything is read or asked."""
    read = [options.pred, options.gold, options.against, options.transformers, options.vllm]
    if options.page is not None:
        check_not_read("--page", [options.page], read)
        check_writable(options.page)
    if options.submission is not None:
        check_writable(options.submission)
        if options.force:  # without it, no file is overwritten
            check_not_read("--submission", [options.submission], read)
    if options.out is not None:
        check_not_read("--out", [options.out / SCORES, options.out / ROWS], read)
        if options.out.exists() and not options.out.is_dir():
            raise UsageError(f"--out {options.out} is a file; a folder is expected.")
        if (options.out / SCORES).exists() and not options.force:
            raise UsageError(f"--out {options.out}: an evaluation stands there.", hint="--force replaces it")


def evaluate_gold(options: EvaluateOptions, progress: Progress | None = None) -> Scores:
    """Score predictions against a file."""
    assert options.gold is not None
    return _evaluate(_Right(str(options.gold), read_gold(options.gold, _given(options))), options, progress)


def evaluate_export(reference: str, store: Store, options: EvaluateOptions, progress: Progress | None = None) -> Scores:
    """Score predictions against an export."""
    reader = ExportReader.open(reference, store=store)
    columns = [*options.by, *([options.group] if options.group else [])]
    rows = read_export(reader, store, _given(options), columns, judged=options.judging.is_asked)
    right = _Right(reader.version.reference, rows, reader.content_sha256, is_chat(reader))
    return _evaluate(right, options, progress)


def _given(options: EvaluateOptions) -> Given:
    return Given(task=options.task, language=options.language, target_language=options.target_language)


def _evaluate(right: _Right, options: EvaluateOptions, progress: Progress | None) -> Scores:
    if not right.rows:
        raise UsageError(f"{right.name}: there is no row in it.")
    _check_gold(options)
    files = {"ours": options.pred, "transformers": options.transformers, "vllm": options.vllm}
    matched = {name: match_file(right.rows, path) for name, path in files.items() if path is not None}
    used, own = next(iter(matched.items()))
    other = None if options.against is None else match_file(right.rows, options.against)
    ways = _ways(right, options)
    judged = _judge(right.rows, [*matched.values(), *([other] if other else [])], ways, options, progress)
    found, rows = score(right.rows, own, other, replace(ways, ratings=judged.ratings))
    about = _about(own) | ({"judge": dict(judged.about)} if judged.about else {})
    notes = (*_notes(right, own, about), *judged.notes, *_published(right.rows, own, found, rows))
    scores = Scores(
        of=right.name, predictions=str(files[used]), against=None if options.against is None else str(options.against),
        matched_by=own.by, scores=found, rows=rows, missing=tuple(_missing(right.rows, own)), extra=own.extra,
        not_evaluated=tuple(f"{id}: {why}" for id, why in judged.not_evaluated.items()), notes=notes, about=about,
        settings={"resamples": options.resamples, "confidence": options.confidence, "seed": options.seed,
                  "drawn": options.group or "rows"},
        table=() if options.table is None else qwen2_audio(right.rows, matched, judged.ratings),
    )  # fmt: skip
    if options.submission is not None:
        told = zip(right.rows, own.predictions, strict=True)
        ids = ((row.source_id or name_of(row), prediction) for row, prediction in told)
        write_submission(options.submission, ids, force=options.force)
    if options.out is not None:
        scores.write(options.out)
    if options.page is not None:
        from .page.page import write_evaluation_page

        write_evaluation_page(scores, options.page, worst=options.worst, embed=options.embed, force=options.force)
    return scores


def _check_gold(options: EvaluateOptions) -> None:
    if options.gold is not None and options.pred is not None and options.pred.resolve() == options.gold.resolve():
        raise UsageError(f"--pred {options.pred} is what --gold says is right: a file is no prediction of itself.")


def _ways(right: _Right, options: EvaluateOptions) -> Ways:
    return Ways(
        metrics=options.metrics or (("airbench",) if right.is_chat else ()), is_judged=options.judging.is_asked,
        by=options.by or _by(right.rows), group=options.group,
        settings=Settings(
            phones=options.phones, ignore_silence=options.ignore_sil, bert_model=options.bert_model,
            bert_layer=options.bert_layer, bert_baseline=options.bert_baseline,
        ),
        resamples=Resamples(options.resamples, options.confidence, options.seed),
    )  # fmt: skip


def _by(rows: Sequence[Reference]) -> tuple[str, ...]:
    """The columns that scores are given by where none are asked for: those that the benchmarks are reported by."""
    named = [benchmark.by for row in rows if (benchmark := benchmark_of(row.source)) is not None]
    there = {column for row in rows for column in row.columns}
    return (*_BY, *dict.fromkeys(column for by in named for column in by if column in there))


def _judge(
    rows: Sequence[Reference], files: Sequence[Matched], ways: Ways, options: EvaluateOptions,
    progress: Progress | None,
) -> Found:  # fmt: skip
    """Ask the judge, if there is one, about every row that a metric of its wants."""
    path = options.judgements_file
    if not options.judging.is_asked or path is None:
        return Found()
    names = [tuple(JUDGED.intersection(names_of(row, ways))) for row in rows]
    if not any(names):
        raise UsageError(
            "--judge: no row is judged: it is no chat, and has no choices with rubrics.",
            hint="--metrics rubrics, or airbench, says what is judged",
        )
    pairs = [
        (row, prediction, wanted)
        for matched in files for row, prediction, wanted in zip(rows, matched.predictions, names, strict=True)
    ]  # fmt: skip
    return rate(pairs, options.judging, path, progress)


def _published(
    rows: Sequence[Reference], matched: Matched, found: Sequence[Score], scored: Sequence[ScoredRow]
) -> Iterator[str]:
    """What the scripts of benchmarks would have printed."""
    yield from as_published([
        Counts(row.source, each.metric, each.counts, prediction is not None and prediction.prediction is not None)
        for row, prediction, own in zip(rows, matched.predictions, scored, strict=True) for each in own.scores
    ])  # fmt: skip
    kinds = {each.by["kind"]: each.value for each in found if each.metric == "airbench" and "kind" in each.by}
    if told := mixed_audio(kinds):
        yield told


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
