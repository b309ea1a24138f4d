"""`triptych evaluate`: predictions beside what is right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import ProblemsFound, amount
from ...trainers.evaluation.options import EvaluateOptions
from .. import completion, output
from ..parameters import JsonOption, StoreOption, takes

if TYPE_CHECKING:
    from ...trainers.evaluation.scores import Score, Scores, TableRow

SHOWN_IDS = 5
"""How many rows without a prediction, and predictions without a row, are named."""

EXAMPLES = """
triptych evaluate evaluation-list --pred predictions.jsonl
triptych evaluate evaluation-list --pred new.jsonl --against old.jsonl --by language --group speaker
triptych evaluate --pred hyp.txt --gold ref.txt --metrics wer --language en
triptych evaluate evaluation-list --pred predictions.jsonl --table qwen2-audio
triptych evaluate evaluation-list --pred predictions.jsonl --page evaluation.html
triptych evaluate chat --pred predictions.jsonl --judge http://localhost:8000/v1 --judge-model NAME --out scores
"""


@takes(EvaluateOptions)
def evaluate(
    options: EvaluateOptions,
    export: Annotated[
        str | None,
        typer.Argument(
            help="The export that was asked: NAME or NAME@vN; with --gold, none.", autocompletion=completion.exports
        ),
    ] = None,
    store: StoreOption = None,
    json: JsonOption = False,
) -> None:
    """Score predictions against an export or a file: error rates, BLEU, accuracy, with intervals and differences."""
    from ...trainers.evaluation.calls import evaluate_with

    with output.progress("judge", total=None, unit="rows") as tell:
        scores = evaluate_with(export, store, options, lambda done, of: tell(done, of))
    for text in scores.notes:
        output.note(f"note: {text}")
    output.emit(scores.document(), as_json=json, show=lambda: _show(scores, options))
    if (scores.missing and not options.allow_missing) or scores.not_evaluated:
        raise typer.Exit(ProblemsFound.exit_code)


def _show(scores: Scores, options: EvaluateOptions) -> None:
    if scores.table:
        _show_table(scores.table)
    else:
        _show_scores(scores)
    rows = f"{amount(len(scores.rows), 'row')} of {scores.of}, matched by {scores.matched_by}"
    drawn = f"; intervals: {scores.settings['confidence']:g} % of {scores.settings['resamples']:,} resamples of " \
            f"{scores.settings['drawn']}" if options.resamples and not scores.table else ""  # fmt: skip
    output.say(rows + drawn)
    if scores.missing:
        output.say(f"{_wrong(len(scores.missing), 'no prediction')}: {_first(scores.missing)}")
    if scores.scores[0].against is not None and scores.scores[0].against.missing:
        output.say(f"{_wrong(scores.scores[0].against.missing, f'none in {scores.against}')} there")
    if scores.not_evaluated:
        silent = amount(len(scores.not_evaluated), "row", "are")
        output.say(f"{silent} not evaluated, and in no score of the judge; the same "
                   f"command with --force asks again: {_first(scores.not_evaluated)}")  # fmt: skip
    if scores.extra:
        output.say(f"{amount(len(scores.extra), 'prediction', 'are')} of no row: {_first(scores.extra)}")
    if options.out is not None:
        output.say(f"{options.out}: scores.json, rows.jsonl")
    if options.submission is not None:
        output.say(f"{options.submission}: {amount(len(scores.rows) - len(scores.missing), 'row')} to submit")
    if options.page is not None:
        output.say(f"{options.page}: {output.size(options.page.stat().st_size)}, to open in a browser")


def _wrong(count: int, what: str) -> str:
    return f"{amount(count, 'row', 'have')} {what} and {'counts' if count == 1 else 'count'} as wrong"


def _first(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - SHOWN_IDS:,} more" if len(names) > SHOWN_IDS else ""
    return ", ".join(names[:SHOWN_IDS]) + more


def _show_scores(scores: Scores) -> None:
    against = scores.against is not None
    compared = ["against", "difference", "interval", "p"] if against else []
    columns = ["metric", "rows of", "score", "interval", *compared, "rows", "missing", "counts"]
    output.table(columns, [_score_row(each, against=against) for each in scores.scores])


def _score_row(score: Score, *, against: bool) -> list[Any]:
    from ...trainers.evaluation.scores import label_of

    of = ", ".join(f"{name} {value}" for name, value in score.by.items()) or "all"
    told: list[Any] = []
    if against:
        other = score.against
        assert other is not None
        told = [
            _value(other.value, score.scale), _signed(other.difference, score.scale),
            _interval(other.low, other.high, score.scale), None if other.p is None else f"{other.p:.3f}",
        ]  # fmt: skip
    counts = ", ".join(f"{_number(value)} {name.replace('_', ' ')}" for name, value in _told_counts(score))
    return [label_of(score), of, _value(score.value, score.scale),
            _interval(score.low, score.high, score.scale), *told, score.rows, score.missing, counts]  # fmt: skip


def _told_counts(score: Score) -> list[tuple[str, float]]:
    """The counts that a terminal has room for; --json has all."""
    names = {"bleu": ("hypothesis_tokens", "reference_tokens"), "rouge": ("common", "reference_tokens")}
    shown = names.get(score.metric.removesuffix("_source"), tuple(name for name in score.counts if name != "rows"))
    return [(name, score.counts[name]) for name in shown]


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def _value(value: float | None, scale: str) -> str | None:
    return None if value is None else f"{value:.2%}" if scale == "share" else f"{value:.2f}"


def _signed(value: float | None, scale: str) -> str | None:
    return None if value is None else f"{value:+.2%}" if scale == "share" else f"{value:+.2f}"


def _interval(low: float | None, high: float | None, scale: str) -> str | None:
    return None if low is None or high is None else f"{_value(low, scale)} to {_value(high, scale)}"


def _show_table(table: tuple[TableRow, ...]) -> None:
    made = list(table[0].scores)
    published = list(table[0].published)
    columns = ["task", "data set", "split", "metric", *(f"{name} (published)" for name in published),
               "rows (published)", *made, *(f"rows ({name})" for name in made), "counts"]  # fmt: skip
    rows = [
        [
            each.task, each.data_set, each.split, each.metric, *each.published.values(), each.published_rows,
            *(each.scores.values()), *(counts["rows"] for counts in each.counts.values()), _table_counts(each),
        ]
        for each in table
    ]  # fmt: skip
    output.table(columns, [[_cell(value, str(row[3])) for value in row] for row in rows])


def _cell(value: Any, metric: str) -> Any:
    """A score of the table with as many places as were published."""
    return f"{value:.4f}" if isinstance(value, float) and metric == "accuracy" else value


def _table_counts(row: TableRow) -> str:
    names = {
        "WER": ("substitutions", "deletions", "insertions", "units"), "accuracy": ("correct", "rows"),
        "BLEU": ("hypothesis_tokens", "reference_tokens"), "score": ("evaluated", "not_evaluated"),
    }[row.metric]  # fmt: skip
    return "; ".join(
        f"{column}: " + ", ".join(f"{_number(counts[name])} {name.replace('_', ' ')}" for name in names)
        for column, counts in row.counts.items()
    )
