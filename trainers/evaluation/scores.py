"""Scores: what `triptych evaluate` finds, and the folder it writes.

    scores.json   every score with its counts and interval; which rows had no prediction; how it was counted
    rows.jsonl    every row: the reference, the prediction, and of each metric the texts that were compared, with counts

`Scores.write` makes the folder, `Scores.read` reads it again; both files are enough to draw a page or to count anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from ...errors import UsageError

SCORES, ROWS = "scores.json", "rows.jsonl"
PLAIN_UNITS = ("rows", "phones", "positions")
"""Units that are not told: the metric has no others."""

FORMAT = 2
"""The version of both files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How a score differs from that of other predictions for the same rows (paired bootstrap).

    Attributes:
        value: The score of the other predictions.
        difference: This score minus the other.
        low, high: The interval of the difference; None where it cannot be given.
        p: The share of resamples whose difference lies as far from its mean as the one observed, two-sided.
        missing: Rows for which the other file has no prediction.
    """

    value: float | None
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One metric over all rows, or over those with one value of a column.

    Attributes:
        metric: Its name: `wer`.
        about: What it says.
        by: The column and value that its rows have in common: `{"source": "covost2_en_zh_test"}`; empty for all rows.
        value: The score; None where there is nothing to divide by. A share is 0 to 1 (error rates can be more), points
            are 0 to `most`.
        low, high: Its bootstrap interval; None where there are fewer than two rows or groups to draw.
        counts: The sums that it is made of.
        unit: What was counted: words, characters, phones, rows, or BLEU's tokens.
        compared: `answer`, or `chain` for the chain of thought before it.
        rows: How many rows.
        missing: How many of them have no prediction; they count as wrong.
        better: Whether `high` or `low` scores are better.
        scale: `share` or `points`.
        most: The score of what nothing is wrong with: 1 of a share, 100 of most points, 10 of AIR-Bench's.
        details: What must be known to repeat it.
        against: The difference to other predictions, if some were given.
    """

    metric: str
    about: str
    by: Mapping[str, str]
    value: float | None
    low: float | None
    high: float | None
    counts: Mapping[str, float]
    unit: str
    compared: str
    rows: int
    missing: int
    better: Literal["high", "low"]
    scale: Literal["share", "points"]
    most: int
    details: Mapping[str, str]
    against: Difference | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowScore:
    """One metric of one row.

    Attributes:
        metric, unit, compared: As in `Score`.
        value: The score of this row alone; None where there is nothing to divide by.
        other: That of the other predictions, if some were given.
        counts: What was counted.
        reference, hypothesis: The texts that were compared, after normalization: words and phones are separated by
            spaces, characters by nothing.
    """

    metric: str
    unit: str
    compared: str
    value: float | None
    counts: Mapping[str, float]
    reference: str
    hypothesis: str
    other: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredRow:
    """One row: what is right, what was said, and its scores.

    Attributes:
        id: Its id; None in files that have none.
        audio: The path of its clip, if it has one.
        where: Where the reference stands: `file:line`, or the export and the row's number.
        columns: The values of the columns that scores are given by, and task and language.
        reference: What is right, as it was given.
        prediction: What was said, as it was given; None if there is no prediction.
        other: What the other predictions said, if some were given.
        error: Why there is no prediction, if the file says so.
        question, choices: What was asked, if the row says so.
        scores: One for each metric.
    """

    id: str | None
    audio: str | None
    where: str
    columns: Mapping[str, str]
    reference: str
    prediction: str | None
    other: str | None = None
    error: str | None = None
    question: str | None = None
    choices: tuple[str, ...] = ()
    scores: tuple[RowScore, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """One row of a table of published scores.

    Attributes:
        task, data_set, split, metric: What was scored, as the table names it.
        published: The published scores by who gave them; None where they gave none.
        published_rows: How many rows they scored, if they say so.
        scores: The scores of the given predictions by column: `ours`, `transformers`, `vllm`; in the unit of the table,
            which is percent for error rates.
        counts: The counts of each of them, with `rows` and `missing`.
    """

    task: str
    data_set: str
    split: str
    metric: str
    published: Mapping[str, float | None]
    published_rows: int | None
    scores: Mapping[str, float | None]
    counts: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """All that an evaluation found.

    Attributes:
        of: What was evaluated: an export (`NAME@vN`) or a file.
        predictions, against: The files of predictions.
        matched_by: `id`, `audio` or `line`.
        scores: Over all rows, then by column.
        rows: In the order of the references.
        missing: The rows without a prediction, by id, path or number.
        extra: The predictions that belong to no row.
        not_evaluated: The rows that a judge should have rated and did not, by id, path or number.
        notes: What else the reader of the scores must know.
        settings: Confidence, number of resamples, seed, and what was drawn.
        about: What the predictions say of themselves: model, revision, decoding, export.
        table: Published scores beside these, if asked for.
    """

    of: str
    predictions: str
    against: str | None = None
    matched_by: str
    scores: tuple[Score, ...]
    rows: tuple[ScoredRow, ...] = ()
    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    not_evaluated: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
    table: tuple[TableRow, ...] = ()

    def document(self) -> dict[str, Any]:
        """All but the rows, as one JSON document."""
        told = {name: getattr(self, name) for name in (
            "of", "predictions", "against", "matched_by", "missing", "extra", "not_evaluated", "notes", "settings",
            "about",
        )}  # fmt: skip
        scores, table = ([asdict(each) for each in listed] for listed in (self.scores, self.table))
        return {"format": FORMAT, **told, "rows": len(self.rows), "scores": scores, "table": table}

    def write(self, folder: Path) -> None:
        """Write `scores.json` and `rows.jsonl` into a folder; an evaluation that stands there is replaced."""
        folder.mkdir(parents=True, exist_ok=True)
        scratch = folder / f".{ROWS}"
        with scratch.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            for row in self.rows:
                file.write(json.dumps(asdict(row), ensure_ascii=False) + "\n")
        scratch.replace(folder / ROWS)
        text = json.dumps(self.document(), ensure_ascii=False, indent=2)
        scratch.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
        scratch.replace(folder / SCORES)

    @classmethod
    def read(cls, folder: Path) -> Scores:
        """Read what `write` wrote.

        Raises:
            UsageError: The folder holds no evaluation, or one that another version wrote.
        """
        hint = "triptych evaluate ... --out DIR writes such a folder"
        if not (folder / SCORES).is_file() or not (folder / ROWS).is_file():
            raise UsageError(f"{folder}: no {SCORES} and {ROWS}.", hint=hint)
        told = json.loads((folder / SCORES).read_text(encoding="utf-8"))
        if told.pop("format", None) != FORMAT:
            raise UsageError(f"{folder / SCORES}: not written by this version.", hint=hint)
        count = told.pop("rows")
        with (folder / ROWS).open(encoding="utf-8") as file:
            rows = tuple(_row(json.loads(line)) for line in file)
        if len(rows) != count:
            raise UsageError(f"{folder / ROWS}: {len(rows)} rows, {count} are expected.", hint=hint)
        scores = tuple(_score(each) for each in told.pop("scores"))
        told["table"] = tuple(TableRow(**each) for each in told["table"])
        told |= {name: tuple(told[name]) for name in ("missing", "extra", "not_evaluated", "notes")}
        return cls(scores=scores, rows=rows, **told)


def label_of(score: Score | RowScore) -> str:
    """How a kind of score is called: `wer (words)`."""
    unit = "" if score.unit in PLAIN_UNITS else f" ({score.unit})"
    return f"{score.metric}{unit}" + (" of the chain" if score.compared == "chain" else "")


def _score(told: dict[str, Any]) -> Score:
    against = told.pop("against")
    return Score(**told, against=None if against is None else Difference(**against))


def _row(told: dict[str, Any]) -> ScoredRow:
    scores = tuple(RowScore(**each) for each in told.pop("scores"))
    return ScoredRow(**{**told, "choices": tuple(told["choices"])}, scores=scores)
