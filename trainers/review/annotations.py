"""Verdicts as annotations: the key `review` of a sample, whose producer is the reviewer.

The answers of a model have a key of their own, `review:MODEL`: a sample may be answered by several. A row that is part
of a sample has `#` and the part behind its key. A note is the annotation `review_note`.

The annotations of all reviewers stay in the table; of two, queries of samples see the latest. What a reviewer's own
latest annotation says already is not written again, whoever came later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...shards.annotate import Annotation, annotate
from ...shards.query import connect
from ...shards.store.annotations import LATEST
from ...shards.store.rows_to_arrow import values_to_array
from ...shards.store.store import Store
from .answers import Answer, Reviews, judged

KEY = "review"
NOTE = "review_note"


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes:
        annotations: How many annotations are new.
        unchanged: How many the store had already.
        unknown: Ids that the store has no sample of; nothing was written of them.
    """

    annotations: int = 0
    unchanged: int = 0
    unknown: Sequence[str] = ()


def write_annotations(store: Store, reviews: Reviews, *, key: str | None = None) -> Written:
    """Write the verdicts and notes of all reviewers, one commit for each.

    Args:
        key: The key of the verdicts; default: `review`, or `review:MODEL`.
    """
    answers = {reviewer: judged(rows) for reviewer, rows in reviews.answers.items()}
    samples = _samples_of(store, [answer for rows in answers.values() for answer in rows.values()])
    written, unchanged = 0, 0
    for reviewer, rows in answers.items():
        producer = f"user:{reviewer}"
        said = [
            Annotation(samples[answer.id], name, value, answer.where)
            for answer in rows.values()
            if answer.id in samples
            for name, value in _facts(answer, samples[answer.id], key).items()
        ]
        held = _latest_of(store, producer, said)
        new = [each for each in said if held.get((each.id, each.key)) != each.value]
        if new:
            annotate(store, new, producer=producer)
        written += len(new)
        unchanged += len(said) - len(new)
    every = dict.fromkeys(identity for rows in answers.values() for identity in rows)
    return Written(written, unchanged, [identity for identity in every if identity not in samples])


def _facts(answer: Answer, sample: str, key: str | None) -> dict[str, str]:
    part = answer.id.removeprefix(sample) if answer.id != sample and answer.id.startswith(f"{sample}#") else ""
    of = f":{answer.of}" if answer.of else ""
    facts = {f"{key or KEY + of}{part}": answer.verdict}
    if answer.note:
        facts[f"{f'{key}_note' if key else NOTE + of}{part}"] = answer.note
    return facts


def _samples_of(store: Store, answers: Sequence[Answer]) -> dict[str, str]:
    """Row's id -> id of its sample in the store: the one that the page names, else the row's id without its part."""
    import pyarrow as pa

    tried = {answer.id: (answer.sample, answer.id.rpartition("#")[0]) for answer in answers}
    wanted = pa.table({"id": values_to_array(sorted({each for pair in tried.values() for each in pair}), pa.string())})
    with connect(store, named_in="samples_as_pulled") as connection:
        connection.register("wanted", wanted)
        stored = connection.execute("SELECT id FROM samples_as_pulled SEMI JOIN wanted USING (id)").fetchall()
    known = {identity for (identity,) in stored}
    found = {row: next((each for each in pair if each in known), None) for row, pair in tried.items()}
    return {row: sample for row, sample in found.items() if sample is not None}


def _latest_of(store: Store, producer: str, said: Sequence[Annotation]) -> Mapping[tuple[str, str], str]:
    """(id, key) -> what the latest annotation of this producer says."""
    if not said or not store.has_rows("annotations"):
        return {}
    with connect(store, named_in="annotations") as connection:
        rows = connection.execute(
            f"SELECT id, key, {LATEST} FROM annotations WHERE producer = $1 GROUP BY id, key", [producer]
        ).fetchall()
    return {(identity, key): value for identity, key, value in rows}
