"""Question, chain and answer apart: one object with `id`, `audio_feat`, `question`, `cot`, `answer`, all of them texts.

`audio_feat` is a path. The chain has its four sections in tags, or none of them; the task `structured` requires them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ....shards.store.sql import identifier
from ..findings import Finding, Problem, finding
from ..mend_texts import with_mends
from ..unified import is_file
from . import cot_messages
from .chain import parts_of

TASKS = cot_messages.TASKS
KEYS = ("id", "audio_feat", "question", "cot", "answer")
_UNTAGGED = {"no_think", "no_response"}
_OF_CHAINS = ("missing_section", "repeated_section", "broken_section", "section_order", "section_overlap",
              "empty_section", "text_between", "no_sections", "plain_chain")  # fmt: skip

PROBLEMS = {
    "duplicate_id": cot_messages.PROBLEMS["duplicate_id"],
    "missing_key": Problem("row", "error", "a key is missing or null", "the reader fails with KeyError"),
    "wrong_type": Problem("row", "error", "not a text", "the column has mixed types"),
    "empty_text": Problem("row", "error", "a blank text", "the model learns to say nothing"),
    "further_key": Problem("row", "warning", "a key that the form does not have", "readers leave it out"),
    "missing_file": cot_messages.PROBLEMS["missing_file"],
    "outer_tag": Problem(
        "chain",
        "error",
        "<think> or <RESPONSE> in a field",
        "a trainer that puts them around the fields has them twice",
    ),
    **{code: cot_messages.PROBLEMS[code] for code in _OF_CHAINS},
}
PROBLEMS = with_mends("cot-json", PROBLEMS)


class Rows:
    """Validates rows one by one."""

    def __init__(self, *, task: str | None = None, files: bool = True) -> None:
        self.structured, self.files = task == "structured", files

    def check(self, number: int, row: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield the findings of one row."""
        for column in KEYS:
            value = row.get(column)
            if value is None:
                yield finding(PROBLEMS, "missing_key", number, column=column)
            elif not isinstance(value, str):
                yield finding(PROBLEMS, "wrong_type", number, column=column, value=value)
            elif not value.strip():
                yield finding(PROBLEMS, "empty_text", number, column=column)
        for column in row.keys() - {*KEYS, "sample_id"}:
            yield finding(PROBLEMS, "further_key", number, column=column)
        for column in ("cot", "answer"):
            yield from self._tags(number, column, row.get(column))
        path = row.get("audio_feat")
        if self.files and isinstance(path, str) and not is_file(path):
            yield finding(PROBLEMS, "missing_file", number, column="audio_feat", value=path)

    def _tags(self, number: int, column: str, text: Any) -> Iterator[Finding]:
        if not isinstance(text, str) or not text.strip():
            return
        parts, faults = parts_of(text)
        if parts.chain is not None or parts.response is not None or {code for code, _ in faults} - _UNTAGGED:
            yield finding(PROBLEMS, "outer_tag", number, column=column)
            return
        if column != "cot":
            return
        parts, faults = parts_of(f"<think>{text}</think><response>x</response>")
        faults += cot_messages.plain_faults(text, is_plain=parts.is_plain, structured=self.structured)
        for code, detail in faults:
            yield finding(PROBLEMS, code, number, detail=detail, column=column)


def detect_task(rows: Collection[Mapping[str, Any]]) -> str | None:
    """Return None, as for `cot`."""
    return None


def shape(columns: Mapping[str, str]) -> dict[str, str]:
    """Return what the findings of a row depend on: all of its texts, and whether there is a path; see `shape_sql`."""
    path = "CASE WHEN audio_feat <> '' THEN 'x' ELSE audio_feat END"
    named = {name: identifier(name) for name in columns if name != "id"}
    known = {"id": "CASE WHEN id <> '' THEN 'x' ELSE id END", "audio_feat": path}
    return {name: known.get(name, named.get(name, "NULL")) for name in columns}
