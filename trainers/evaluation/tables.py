"""Published scores beside those of predictions: the table of Qwen2-Audio.

A row of an evaluation belongs to the line of the table whose pattern fits its source and whose language is its own.
BLEU takes its tokens as Qwen2-Audio's script does, by the name of the source. AIR-Bench chat has scores where a judge
was asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...shards.strict_yaml import read_yaml
from ...validators.metrics.qwen2_audio import rules_of
from ..benchmarks.judge import Ratings
from ..benchmarks.ratings import Key
from .intervals import Resamples
from .match import Matched
from .references import Reference
from .score import Ways, score
from .scores import Score, TableRow

_TRAINING, _VALIDATION = re.compile(r"(?:^|[_-])train"), re.compile(r"(?:^|[_-])(?:dev|valid)")
"""Splits in the name of a source: a line is of test data, or says that it is of both."""
PUBLISHED = ("paper", "converted", "transformers", "vllm")
"""Who published a score; the file says who they are."""
_METRICS = {"WER": "wer", "BLEU": "bleu_source", "accuracy": "accuracy", "score": "airbench"}


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of the table: what was published, and which rows it is of."""

    told: Mapping[str, Any]

    def fits(self, row: Reference) -> bool:
        language = self.told.get("language")
        source = (row.source or "").lower()
        if _TRAINING.search(source) or (_VALIDATION.search(source) and "dev" not in self.told["split"]):
            return False
        if "kinds" in self.told and row.columns.get("kind") not in self.told["kinds"]:
            return False
        own = rules_of(row.language) or (row.language or "").partition("-")[0].lower()
        return language in (None, own) and any(fnmatchcase(source, each) for each in self.told["sources"])


def qwen2_audio(
    references: Sequence[Reference], predictions: Mapping[str, Matched], ratings: Mapping[Key, Ratings]
) -> tuple[TableRow, ...]:
    """The lines of Qwen2-Audio's table that these rows are of, with the scores of each file of predictions.

    Args:
        predictions: The predictions by column: `ours`, `transformers`, `vllm`.
        ratings: What a judge gave.

    Raises:
        UsageError: No row is of a data set of the table.
    """
    lines = [_Line(each) for each in read_yaml(Path(__file__).with_name("qwen2_audio.yaml")).value["scores"]]
    return tuple(_rows(lines, references, predictions, ratings))


def _rows(
    lines: Sequence[_Line], references: Sequence[Reference], predictions: Mapping[str, Matched],
    ratings: Mapping[Key, Ratings],
) -> Iterator[TableRow]:  # fmt: skip
    places = [next((n for n, line in enumerate(lines) if line.fits(row)), None) for row in references]
    if not any(place is not None for place in places):
        sources = ", ".join(sorted({row.source or "no source" for row in references})[:5])
        raise UsageError(
            f"No row is of a data set of the table: their sources are {sources}.",
            hint="triptych export evaluation names them as the lists do: librispeech_test_clean",
        )
    for number, line in enumerate(lines):
        of = [place for place, told in enumerate(places) if told == number]
        if not of:
            continue
        found = {column: _score(line, references, matched, of, ratings) for column, matched in predictions.items()}
        yield TableRow(
            task=line.told["task"], data_set=line.told["data_set"], split=line.told["split"],
            metric=line.told["metric"], published={name: line.told.get(name) for name in PUBLISHED},
            published_rows=line.told.get("rows"),
            scores={column: _in_percent(each, line.told["metric"]) for column, each in found.items()},
            counts={name: {"rows": each.rows, "missing": each.missing, **each.counts} for name, each in found.items()},
        )  # fmt: skip


def _score(
    line: _Line,
    references: Sequence[Reference],
    matched: Matched,
    places: Sequence[int],
    ratings: Mapping[Key, Ratings],
) -> Score:
    rows = [replace(references[place], chain=None) for place in places]
    own = Matched(tuple(matched.predictions[place] for place in places), matched.by, ())
    kinds = line.told.get("kinds", ())
    by = ("kind",) if len(kinds) > 1 else ()
    ways = Ways(metrics=(_METRICS[line.told["metric"]],), by=by, resamples=Resamples(0), ratings=ratings)
    (whole, *scores), _ = score(rows, own, None, ways)
    if not by:
        return whole
    values = {each.by["kind"]: each.value for each in scores if "kind" in each.by}
    found = [value for kind in kinds if (value := values.get(kind)) is not None]
    return replace(whole, value=sum(found) / len(kinds) if len(found) == len(kinds) else None)


def _in_percent(score: Score, metric: str) -> float | None:
    return score.value * 100 if metric == "WER" and score.value is not None else score.value
