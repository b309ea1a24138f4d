"""Import a model's own answers to stored samples: `triptych import predictions FILE --name DATASET --as rejected`.

A prediction that is wrong enough becomes the annotation `rejected` of its sample, whose producer is the model: with the
sample's answer it makes a pair, which `export msswift --task dpo` and `export preference` write. The answer is the one
that a row for rewards holds as its solution; a transcript is compared with it by its error rate, every other answer by
equality but for case and punctuation. Reasoning is not compared.

Each prediction counts as one candidate in the account: kept, `duplicate` (it is the sample's `rejected` already), or
rejected: `no_sample`, `repeated_id` (a second one in the file), `empty_prediction`, `no_answer` (of the sample),
`same_answers`, `too_good` (its error rate is lower than --min-wer), `has_pair` (the corpus itself has a rejected
answer), or a reason from the reader of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from ...errors import UsageError
from ...shards.events import DUPLICATE, Run
from ...shards.query import connect
from ...shards.store.annotations import COMPLETES, annotation_row, unaccounted_sql
from ...shards.store.store import Store
from ...shards.store.tables import ANNOTATIONS
from ...validators.formats.predictions import COLUMNS, prediction_column, unsure_of
from ...validators.metrics.edits import error_rate, units_of
from ..candidate import Rejection
from ..ingest.event_log import EventLog
from ..readers.tables.cells import Row, as_text
from ..readers.training.records import open_rows
from ..views import ViewOptions, get_view
from ..views.batch import RowMaker
from ..views.prompts import tasks_answered_by

FORMAT = "predictions"
_BATCH_ROWS = 2_000
_READ = (
    "id", "modality", "task", "text", "translation", "language", "target_language", "question", "answer", "reasoning",
    "choices", "captions", "labels", "messages", "rejected", "extra",
)  # fmt: skip
"""The columns of a sample that its answer is made from."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One row of the file."""

    id: str
    text: str
    where: str


def import_predictions(path: Path, *, store: Store, run: Run, min_wer: float | None, producer: str | None) -> None:
    """Write the predictions that are wrong enough as annotations; the run is counted but not finished.

    Raises:
        UsageError: The dataset has no samples, or the file has no column of predictions.
    """
    if not store.count_rows("samples").get(run.dataset):
        raise UsageError(
            f"{run.dataset}: the store has no samples.",
            hint="import or pull them first; `import predictions` adds to samples that are already stored",
        )
    writer = _Writer(store, run, min_wer, producer or f"import {FORMAT}")
    with RowMaker(get_view("msswift"), ViewOptions(task="grpo", text="raw", reasoning="drop")) as maker:
        predictions = _read(path, writer)
        while batch := list(islice(predictions, _BATCH_ROWS)):
            writer.take(batch, maker)


@dataclass(slots=True)
class _Writer:
    store: Store
    run: Run
    min_wer: float | None
    producer: str
    seen: set[str] = field(default_factory=set)
    number: int = 0
    event_log: EventLog = field(init=False)
    started: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.event_log = EventLog(self.store, self.run)
        self.started = datetime.now(UTC)

    def reject(self, item: Rejection) -> None:
        self.run.account.drop(item.reason)
        self.event_log.note(item.candidate, item.reason, item.detail, item.uri)

    def take(self, batch: list[Prediction], maker: RowMaker) -> None:
        """Judge and write one batch; all that it says of its samples is one commit."""
        samples, times = self._samples(batch)
        made = {row.row["id"]: row.row for row in maker.rows([each for each, _ in samples.values()])} if samples else {}
        rows = []
        for prediction in batch:
            sample, own = samples.get(prediction.id, ({}, None))
            fault = self._fault(prediction, sample, made.get(prediction.id, {}), own)
            self.seen.add(prediction.id)
            if fault is not None:
                self.reject(Rejection(prediction.id, *fault, prediction.where))
            elif sample.get("rejected") == prediction.text:
                self._repeated(prediction.id, times)
            else:
                self.run.account.keep()
                time = self.started + timedelta(microseconds=self.number)
                self.number += 1
                rows.append(
                    annotation_row(prediction.id, self.run.dataset, "rejected", prediction.text, self.producer, time)
                )
        with self.store.dataset_lock(self.run.dataset, "write predictions"):
            self.event_log.write()
            if rows:
                self.store.append("annotations", pa.Table.from_pylist(rows, schema=ANNOTATIONS))

    def _repeated(self, identity: str, times: Mapping[str, int]) -> None:
        """Count a prediction that is written: as kept if a command wrote it that was killed before its account."""
        if identity not in times:
            self.run.account.drop(DUPLICATE)
            return
        self.run.account.keep()
        first, last = self.run.details.get(COMPLETES, (times[identity], times[identity]))
        self.run.details[COMPLETES] = [min(first, times[identity]), max(last, times[identity])]

    def _fault(
        self, prediction: Prediction, sample: Mapping[str, Any], made: Mapping[str, Any], own: str | None
    ) -> tuple[str, str] | None:
        """Why a prediction makes no pair: a reason and its detail; None if it makes one."""
        if not sample:
            return "no_sample", f"{self.run.dataset} has no sample of this id"
        if prediction.id in self.seen:
            return "repeated_id", "the file has a prediction for this sample already"
        if not _answer(prediction.text):
            return "empty_prediction", "the prediction has no text"
        if own is not None:
            return "has_pair", "the corpus itself has a rejected answer for this sample"
        solution = made.get("solution")
        if not solution:
            return "no_answer", "the sample has no answer to compare with"
        language = sample["language"]
        answers = [solution, *(sample["captions"] or () if made["task"] in tasks_answered_by("captions") else ())]
        if units_of(_answer(prediction.text), language) in [units_of(each or "", language) for each in answers]:
            return "same_answers", "the prediction is the answer, or another caption, but for case and punctuation"
        if self.min_wer is not None and made["task"] == "asr":
            rate = error_rate(solution, _answer(prediction.text), language)
            if rate < self.min_wer:
                return "too_good", f"its error rate is {rate:.3f}, lower than {self.min_wer:g}"
        return None

    def _samples(self, batch: list[Prediction]) -> tuple[dict[str, tuple[dict[str, Any], str | None]], dict[str, int]]:
        """The samples of a batch by id, each with the rejected answer that the corpus itself gave it; and of rejected
        answers that no run accounts for, when they were written, in microseconds."""
        wanted = pa.table({"id": pa.array(sorted({each.id for each in batch}), pa.string())})
        columns = ", ".join(f"s.{name}" for name in _READ)
        with connect(self.store) as connection:
            connection.register("wanted", wanted)
            found = connection.execute(
                f"SELECT {columns}, nullif(p.rejected, '') FROM samples s SEMI JOIN wanted USING (id) "
                "LEFT JOIN samples_as_pulled p ON p.dataset = s.dataset AND p.id = s.id WHERE s.dataset = $1",
                [self.run.dataset],
            ).fetchall()
            times = connection.execute(
                f"""
                WITH latest AS (
                    SELECT id, max(time) AS time FROM annotations SEMI JOIN wanted USING (id)
                    WHERE dataset = $1 AND key = 'rejected' GROUP BY id HAVING arg_max(producer, time) = $2
                )
                SELECT id, epoch_us(time) FROM latest
                WHERE {unaccounted_sql(self.run.stage, "latest.time", dataset=self.run.dataset)}""",
                [self.run.dataset, self.producer],
            ).fetchall()
        samples = {str(row[0]): (dict(zip(_READ, row[:-1], strict=True)), row[-1]) for row in found}
        return samples, {str(identity): int(time) for identity, time in times}


def _read(path: Path, writer: _Writer) -> Iterator[Prediction]:
    """The rows of the file; those that are none are rejected."""
    column: str | None = None
    for row in open_rows(path):
        if isinstance(row, Rejection):
            writer.reject(row)
            continue
        column = column or _column(row, path)
        identity = as_text(row.values.get("id"))
        if not identity:
            writer.reject(Rejection(row.where, "no_id", "a prediction needs the id of its sample", row.where))
            continue
        yield Prediction(identity, (as_text(row.values.get(column)) or "").strip(), row.where)


def _column(row: Row, path: Path) -> str:
    """The column of predictions, told by the first row."""
    found = prediction_column(row.values)
    if found is None or "id" not in row.values:
        raise UsageError(
            f"{path}: predictions need the columns `id` and `prediction`, not {', '.join(row.values)}.",
            hint=f"a prediction may also stand in {', '.join(COLUMNS[1:])}",
        )
    if other := unsure_of(found, row.values):
        raise UsageError(
            f"{path}: is the prediction in {found} or in {other}?", hint="name the column of predictions `prediction`"
        )
    return found


def _answer(text: str) -> str:
    """What a prediction answers, without its reasoning; nothing if the reasoning has no end."""
    after = text.rpartition("</think>")[2]
    return "" if "<think>" in after else after.strip()
