"""Scores of predictions: every pair is counted once; sums of counts give the score of any group, and its interval.

Without `--metrics` each row is scored as its task asks for. Counts of different units (words and characters), and of
answers and chains of thought, are never added: such rows have scores of their own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...errors import UsageError
from ...shards.vocabulary import UnknownWordError, as_language, as_task
from ...validators.formats.evaluation.challenge import THOUGHT
from ...validators.metrics.choice import Settings, metric, metrics_of
from ...validators.metrics.completion import chain_and_answer
from ...validators.metrics.metric import JUDGED, Counted, Metric, Pair
from ..benchmarks.judge import Ratings
from ..benchmarks.protocols import benchmark_of
from ..benchmarks.ratings import Key, rating_key
from .intervals import Resamples, chance, rates
from .match import Matched
from .predictions import Prediction
from .references import RUBRIC, Reference, columns_of
from .scores import Difference, RowScore, Score, ScoredRow

BY_LANGUAGE = frozenset({"wer", "cer"})
"""Metrics whose texts are compared by the rules of a language."""
Group = tuple[str, str, str]
"""A metric, its unit, and what it compares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How rows are scored.

    Attributes:
        metrics: The metrics, for every row; empty: by its task.
        is_judged: Whether there is a judge, which rates the chains of rows with rubrics.
        ratings: What it gave.
        by: The columns that scores are given by, beside all rows.
        group: The column whose values are drawn together for intervals; None: each row is.
    """

    metrics: tuple[str, ...] = ()
    is_judged: bool = False
    ratings: Mapping[Key, Ratings] = field(default_factory=dict)
    by: tuple[str, ...] = ()
    settings: Settings = field(default_factory=Settings)
    resamples: Resamples = field(default_factory=Resamples)
    group: str | None = None


@dataclass(slots=True)
class _Counts:
    """The counts of one key: the numbers of its rows, and what was counted in each, here and in the other file."""

    metric: Metric
    places: list[int] = field(default_factory=list)
    counts: list[tuple[float, ...]] = field(default_factory=list)
    others: list[tuple[float, ...]] = field(default_factory=list)


def score(
    references: Sequence[Reference], matched: Matched, other: Matched | None, ways: Ways
) -> tuple[tuple[Score, ...], tuple[ScoredRow, ...]]:
    """Score predictions; `other` has those that they are compared with.

    Raises:
        UsageError: A row has no task or language that a metric must know, or no column that scores are asked by.
    """
    _check_columns(references, ways)
    found: dict[Group, _Counts] = {}
    rows = []
    made: dict[str, Metric] = {}
    for place, (reference, prediction) in enumerate(zip(references, matched.predictions, strict=True)):
        scores = []
        theirs = None if other is None else other.predictions[place]
        for name in names_of(reference, ways):
            used = made.setdefault(name, metric(name, ways.settings)) if name not in made else made[name]
            compared, pair = _pair(reference, prediction, used, ways)
            counted = used.count(pair)
            there = found.setdefault((name, counted.unit, compared), _Counts(used))
            there.places.append(place)
            there.counts.append(counted.counts)
            value = None
            if other is not None:
                there.others.append(used.count(_pair(reference, theirs, used, ways)[1]).counts)
                value = used.rate(there.others[-1])
            scores.append(_row_score(used, counted, compared, value))
        rows.append(_scored(reference, prediction, theirs, ways, tuple(scores)))
    return tuple(_scores(found, references, matched, other, ways)), tuple(rows)


def _check_columns(references: Sequence[Reference], ways: Ways) -> None:
    known = set(columns_of(references)) | {"source", "language", "task", "target_language"}
    for name in (*ways.by, *([ways.group] if ways.group else [])):
        if name not in known:
            raise UsageError(f"No row has a column {name!r}.", hint=f"columns: {', '.join(sorted(known))}")


def names_of(reference: Reference, ways: Ways) -> tuple[str, ...]:
    """The metrics of a row."""
    if not ways.metrics and not reference.task and not reference.columns:
        raise UsageError(
            f"{reference.where}: a line of text does not say what it is.",
            hint="--metrics wer (or per, bleu, accuracy ...), or --task asr",
        )
    if not ways.metrics and reference.task and not reference.choices and not _is_task(reference.task):
        raise UsageError(
            f"{reference.where}: there is no task {reference.task!r}.", hint="--metrics accuracy, or others"
        )
    names = ways.metrics or _by_itself(reference, ways)
    if not reference.language and not BY_LANGUAGE.isdisjoint(names):
        raise UsageError(
            f"{reference.where}: the row has no language, whose rules say how its text is compared.",
            hint="--language en (or zh, yue, fr ...)",
        )
    if not BY_LANGUAGE.isdisjoint(names):
        try:
            as_language(reference.language or "")
        except UnknownWordError as error:
            raise UsageError(f"{reference.where}: column language: {error}.", hint=error.hint) from error
    return names


def _by_itself(reference: Reference, ways: Ways) -> tuple[str, ...]:
    """The metrics of a row where none are asked for."""
    names = metrics_of(reference.task, reference.language, has_choices=bool(reference.choices))
    if reference.choices:
        benchmark = benchmark_of(reference.source)
        names = benchmark.metrics if benchmark is not None else names
        if ways.is_judged and RUBRIC in reference.columns:
            names = (*names, "rubrics")
    return names


def _is_task(task: str) -> bool:
    try:
        as_task(task)
    except UnknownWordError:
        return False
    return True


def _pair(reference: Reference, prediction: Prediction | None, used: Metric, ways: Ways) -> tuple[str, Pair]:
    """What is compared, and the two texts."""
    said = None if prediction is None else prediction.prediction
    chain, answer = (None, None) if said is None else chain_and_answer(said)
    compared = "chain" if used.of == "chain" and reference.chain is not None else "answer"
    if compared == "chain" and prediction is not None:
        thought = prediction.fields.get(THOUGHT)
        # An answer without a chain is no missing prediction: nothing was thought.
        answer = thought if isinstance(thought, str) else chain if chain is not None or said is None else ""
    right = reference.chain if compared == "chain" and reference.chain is not None else reference.answer
    ratings = None if said is None or prediction is None or used.name not in JUDGED \
        else ways.ratings.get(rating_key(used.name, reference, prediction))  # fmt: skip
    return compared, Pair(
        reference=right, hypothesis=answer, language=reference.language, target_language=reference.target_language,
        source=reference.source, choices=reference.choices, ratings=ratings,
        where=reference.where,
    )  # fmt: skip


def _row_score(used: Metric, counted: Counted, compared: str, other: float | None) -> RowScore:
    return RowScore(
        metric=used.name, unit=counted.unit, compared=compared, value=used.rate(counted.counts),
        counts=_named(used, counted.counts), reference=counted.reference, hypothesis=counted.hypothesis,
        other=other,
    )  # fmt: skip


def _named(used: Metric, counts: Sequence[float]) -> dict[str, float]:
    """Counts by name, whole numbers as such."""
    told = zip(used.fields, counts, strict=True)
    return {name: int(value) if float(value).is_integer() else float(value) for name, value in told}


def _scored(
    reference: Reference, prediction: Prediction | None, other: Prediction | None, ways: Ways,
    scores: tuple[RowScore, ...],
) -> ScoredRow:  # fmt: skip
    shown = dict.fromkeys((*ways.by, *([ways.group] if ways.group else []), "task", "language"))
    columns = {name: value for name in shown if (value := value_of(reference, name)) is not None}
    return ScoredRow(
        id=reference.id, audio=reference.audio, where=reference.where, columns=columns, reference=reference.answer,
        prediction=None if prediction is None else prediction.prediction,
        other=None if other is None else other.prediction,
        error=None if prediction is None else prediction.error,
        question=reference.question, choices=reference.choices, scores=scores,
    )  # fmt: skip


def value_of(reference: Reference, column: str) -> str | None:
    """The value of a column of a row."""
    own = {"source": reference.source, "language": reference.language, "task": reference.task,
           "target_language": reference.target_language}  # fmt: skip
    return own.get(column) or reference.columns.get(column)


NO_VALUE = "(none)"


def _scores(
    found: Mapping[Group, _Counts], references: Sequence[Reference], matched: Matched, other: Matched | None, ways: Ways
) -> Iterator[Score]:
    """Over all rows, then by each column."""
    lost = _lost(matched)
    others_lost = None if other is None else _lost(other)
    for by in (None, *ways.by):
        groups: dict[str, dict[Group, list[int]]] = defaultdict(lambda: defaultdict(list))
        for key, there in found.items():
            for number, place in enumerate(there.places):
                value = "" if by is None else value_of(references[place], by) or NO_VALUE
                groups[value][key].append(number)
        if by is not None and len(groups) == 1 and NO_VALUE in groups:
            continue
        for value, keys in groups.items():
            for key, numbers in keys.items():
                there = found[key]
                places = [there.places[number] for number in numbers]
                together = None if ways.group is None else [
                    # A row without a value is a group by itself.
                    value_of(references[place], ways.group) or place for place in places
                ]  # fmt: skip
                yield _score(
                    key, there, numbers, ways.resamples, together,
                    {} if by is None else {by: value}, sum(lost[place] for place in places),
                    None if others_lost is None else sum(others_lost[place] for place in places),
                )  # fmt: skip


def _lost(matched: Matched) -> list[bool]:
    return [each is None or each.prediction is None for each in matched.predictions]


def _score(
    key: Group, there: _Counts, numbers: Sequence[int], resamples: Resamples, together: Sequence[Any] | None,
    by: Mapping[str, str], missing: int, others_missing: int | None,
) -> Score:  # fmt: skip
    import numpy as np

    used = there.metric
    counts = np.array([there.counts[number] for number in numbers], dtype=float)
    width = counts.shape[1]
    if others_missing is not None:
        # Both are drawn together, so that the same rows are in a resample of the two.
        counts = np.hstack([counts, np.array([there.others[number] for number in numbers], dtype=float)])
    sums = counts.sum(axis=0).tolist()
    drawn = resamples.sums(counts, together)
    values = [] if drawn is None else rates(drawn[:, :width], used.rate)
    low, high = resamples.interval(values)
    value = used.rate(sums[:width])
    against = None
    if others_missing is not None:
        theirs = [] if drawn is None else rates(drawn[:, width:], used.rate)
        against = _difference(value, used.rate(sums[width:]), values, theirs, resamples, others_missing)
    return Score(
        metric=used.name, about=used.about, by=by, value=value, low=low, high=high, unit=key[1], compared=key[2],
        counts=_named(used, sums[:width]), rows=len(numbers), missing=missing, better=used.better, scale=used.scale,
        most=used.most if used.scale == "points" else 1, details=dict(used.details), against=against,
    )  # fmt: skip


def _difference(
    own: float | None, other: float | None, values: Sequence[float | None], theirs: Sequence[float | None],
    resamples: Resamples, missing: int,
) -> Difference:  # fmt: skip
    difference = None if own is None or other is None else own - other
    drawn = [None if one is None or two is None else one - two for one, two in zip(values, theirs, strict=True)]
    low, high = resamples.interval(drawn)
    return Difference(value=other, difference=difference, low=low, high=high, missing=missing,
                      p=None if difference is None else chance(drawn, difference))  # fmt: skip
