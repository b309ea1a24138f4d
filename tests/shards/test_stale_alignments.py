"""Times of words and phones count for the text that they were made for."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from triptych.shards.sample import SCHEMA
from triptych.shards.store.annotations import samples_sql

OLD = [{"text": "the", "start_s": 0.0, "end_s": 0.4}, {"text": "house", "start_s": 0.5, "end_s": 1.0}]
NEW = [{"text": "a", "start_s": 0.0, "end_s": 0.4}, {"text": "horse", "start_s": 0.5, "end_s": 1.0}]
HAND = [{"text": "HH", "start_s": 0.5, "end_s": 0.6}]
WORDS, PHONES = ("words", json.dumps(NEW)), ("phones", json.dumps(HAND))


@pytest.mark.parametrize(
    ("annotated", "words", "phones"),
    [
        ([("mood", "glad")], OLD, OLD),
        ([("text", "The house!")], OLD, OLD),
        ([("text", "a horse")], None, None),
        ([("text", "a horse"), WORDS], NEW, None),
        ([("text", "a horse"), PHONES], None, HAND),
        ([WORDS, PHONES, ("text", "a horse")], NEW, HAND),
        ([WORDS, PHONES, ("text", "a nurse")], None, None),
        ([("text", "a horse"), ("text", None)], OLD, OLD),
        ([WORDS], NEW, OLD),
    ],
    ids=str,
)
def test_a_corrected_text_takes_the_times_of_the_old_one_away(
    annotated: list[tuple[str, str | None]], words: Any, phones: Any
) -> None:
    sample = {"id": "d/1", "dataset": "d", "text": "the house", "words": OLD, "phones": OLD}
    said = [
        {"dataset": "d", "id": "d/1", "key": key, "value": value, "time": n} for n, (key, value) in enumerate(annotated)
    ]
    with duckdb.connect() as connection:
        connection.register("held", pa.Table.from_pylist([sample], schema=SCHEMA))
        connection.register("annotations", pa.Table.from_pylist(said))
        sql = samples_sql("held", keys={key for key, _ in annotated})
        assert connection.execute(f"SELECT words, phones FROM ({sql})").fetchall() == [(words, phones)]
