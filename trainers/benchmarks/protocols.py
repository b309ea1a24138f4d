"""How the authors of benchmarks report them: by which rule, by which columns, and over which rows.

    MMAU    string match; by modality (which its script calls task), difficulty and sub-category
    MMAR    string match; by modality, category and sub-category
    MMSU    the letter of the answer; by category and sub-category
    AIR-Bench chat, and the rubrics of MMAR for the Audio Reasoning Challenge: by a judge

Their scripts leave rows out (MMAU's and MMAR's those without an answer, MMSU's those in which it finds no letter),
which makes a score better. Here such rows are wrong; `as_published` says what the script would have printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...errors import amount
from ...validators.metrics.metric import JUDGED


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark: its title, the metrics of its rows, the columns that it is reported by.

    `labels` are those of the columns that stand among the labels of a sample, by their place.
    """

    title: str
    metrics: tuple[str, ...]
    by: tuple[str, ...]
    labels: Mapping[str, int] = field(default_factory=dict)


BENCHMARKS: Mapping[str, Benchmark] = {
    "mmau": Benchmark("MMAU", ("mmar",), ("modality", "difficulty", "sub-category"), {"difficulty": 3}),
    "mmar": Benchmark("MMAR", ("mmar",), ("modality", "category", "sub-category")),
    "mmsu": Benchmark("MMSU", ("mmsu", "answer"), ("category", "sub-category"), {"category": 1, "sub-category": 2}),
    "air_bench_chat": Benchmark("AIR-Bench chat", ("airbench",), ("kind",)),
}
"""By the name of their cards, which is the `source` of a row."""

MIXED = ("speech_and_sound", "speech_and_music")
"""AIR-Bench's kinds of sound whose mean is its score of mixed audio."""
_KINDS = {
    "speech_QA": "speech", "speech_dialogue_QA": "speech", "sound_QA": "sound", "sound_generation_QA": "sound",
    "music_QA": "music", "music_generation_analysis_QA": "music", "speech_and_sound_QA": MIXED[0],
    "speech_and_music_QA": MIXED[1],
}  # fmt: skip
TASK_NAME = "task_name"


def columns_of(sample: Mapping[str, Any]) -> dict[str, str]:
    """The columns that its benchmark is reported by, as far as they stand in other fields of a sample."""
    found = {}
    labels = sample.get("labels") or ()
    if benchmark := benchmark_of(sample.get("dataset")):
        found = {name: labels[place] for name, place in benchmark.labels.items() if place < len(labels)}
    if kind := _KINDS.get(sample.get(TASK_NAME) or ""):
        found["kind"] = kind
    return {name: value for name, value in found.items() if value}


def benchmark_of(source: str | None) -> Benchmark | None:
    """The benchmark that a row is of."""
    return BENCHMARKS.get(source or "")


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts of one metric in one row, and whether it has a prediction."""

    source: str | None
    metric: str
    counts: Mapping[str, float]
    is_answered: bool


def as_published(rows: Sequence[Counts]) -> Iterator[str]:
    """What each benchmark's script would have printed, where it leaves rows out."""
    for name, benchmark in BENCHMARKS.items():
        yield from _without(rows, benchmark.title, benchmark.metrics[0], source=name)
    yield from _without(rows, "The Audio Reasoning Challenge", "rubrics")


def _without(rows: Sequence[Counts], title: str, metric: str, *, source: str | None = None) -> Iterator[str]:
    own = [row for row in rows if row.metric == metric and source in (None, row.source)]
    if metric == "mmsu":
        why, counted = "in whose answers it finds no letter", [row for row in own if not row.counts["without_letter"]]
    else:
        why, counted = "without an answer", [row for row in own if row.is_answered]
    if left := len(own) - len(counted):
        wrong = "have 0" if metric in JUDGED else "are wrong"
        printed = _printed(metric, counted)
        yield f"{title}: its script leaves out {amount(left, 'row')} {why}, and prints {printed}; here they {wrong}"


def _printed(metric: str, rows: Sequence[Counts]) -> str:
    """The score that a script makes of these rows."""
    if metric not in JUDGED:
        right = sum(row.counts["correct"] for row in rows)
        return f"{right:,.0f} of {len(rows):,} right, {right / len(rows):.2%}" if rows else "no score"
    evaluated = sum(row.counts["evaluated"] for row in rows)
    points = sum(row.counts["points"] for row in rows) * (100 if metric == "rubrics" else 1)
    return f"{points / evaluated:.2f} over {amount(round(evaluated), 'row')}" if evaluated else "no score"


def mixed_audio(scores: Mapping[str, float | None]) -> str | None:
    """AIR-Bench's score of mixed audio and its mean over the four kinds, from the scores of the kinds."""
    found = [scores.get(name) for name in MIXED]
    if None in found:
        return None
    mixed = sum(value for value in found if value is not None) / len(MIXED)
    told = f"mixed audio, as AIR-Bench reports it (the mean of {' and '.join(MIXED)}): {mixed:.2f}"
    kinds = [scores.get(name) for name in ("speech", "sound", "music")]
    if None not in kinds:
        average = (sum(value for value in kinds if value is not None) + mixed) / (len(kinds) + 1)
        told += f"; average of the four kinds: {average:.2f}"
    return told
