"""Submissions to the Audio Reasoning Challenge: `id`, `thinking_prediction`, `answer_prediction`.

Its script takes the answer as it is: the right words must be in it, and none of a wrong choice. A chain of thought that
is left inside the answer names other choices, too, and makes a right answer wrong. Ids that are not of the benchmark,
and those that are missing, are told where the file is scored: `triptych evaluate EXPORT --pred FILE`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ...metrics.completion import chain_and_answer
from ..findings import Finding, Problem, finding
from ..mend_texts import with_mends
from .evaluation_list import text_faults

TASKS: tuple[str, ...] = ()
THOUGHT, ANSWER = "thinking_prediction", "answer_prediction"
KEYS = ("id", THOUGHT, ANSWER)
LONGEST = 10_000
"""Characters from which the script says that it skips a row."""

PROBLEMS = {
    "duplicate_id": Problem("file", "error", "duplicate id", "the script keeps the first and drops the others"),
    "missing_key": Problem(
        "load", "error", "a key is missing or null", "the script leaves the row out, as if it was never asked"
    ),
    "wrong_type": Problem("load", "error", "not a text", "the script ends with a TypeError"),
    "blank_id": Problem("load", "error", "a blank id", "the row is of no item"),
    "blank_answer": Problem("score", "error", "a blank answer", "the item is wrong"),
    "blank_chain": Problem("score", "warning", "a blank chain of thought", "the judge finds no point in it"),
    "too_long": Problem(
        "score", "warning", f"{LONGEST:,} characters or more", "the script says that it skips the row, and judges it"
    ),
    "chain_in_answer": Problem(
        "score", "error", "a chain of thought in the answer", "the choices that it names make the answer wrong"
    ),
}  # fmt: skip
PROBLEMS = with_mends("challenge", PROBLEMS)


class Rows:
    """Validates rows one by one."""

    def __init__(self, *, task: str | None = None, files: bool = True) -> None:
        pass

    def check(self, number: int, row: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield the findings of one row."""
        for code, column, value in self._faults(row):
            yield finding(PROBLEMS, code, number, column=column, value=value)

    def _faults(self, row: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
        yield from text_faults(row, KEYS)
        texts = {column: row[column] for column in KEYS if isinstance(row.get(column), str)}
        for column, code in (("id", "blank_id"), (THOUGHT, "blank_chain"), (ANSWER, "blank_answer")):
            if not texts.get(column, "x").strip():
                yield code, column, None
        for column in (THOUGHT, ANSWER):
            if len(texts.get(column, "")) >= LONGEST:
                yield "too_long", column, texts[column]
        if ANSWER in texts and chain_and_answer(texts[ANSWER])[0] is not None:
            yield "chain_in_answer", ANSWER, texts[ANSWER]


def detect_task(rows: Collection[Mapping[str, Any]]) -> str | None:
    """Return None: the format has no tasks."""
    return None


def shape(columns: Mapping[str, str]) -> dict[str, str]:
    """Return what the findings of a row depend on; see `shape_sql`."""
    known = {
        name: f"CASE WHEN {name} IS NULL THEN NULL WHEN trim({name}, ' ' || chr(9) || chr(10) || chr(13)) = '' THEN '' "
        f"WHEN length({name}) >= {LONGEST} THEN 'long' WHEN contains(lower({name}), 'think>') THEN {name} ELSE 'x' END"
        for name in KEYS
    }
    return {name: sql for name, sql in known.items() if columns.get(name) == "VARCHAR"}
