"""Rows of Qwen2-Audio's chat evaluation, as AIR-Bench has them: `id`, `audio`, `query`.

The script makes a user turn of `query` as it is and gives the processor one sound: the query has the tokens of exactly
one, <|audio_bos|><|AUDIO|><|audio_eos|>, and no other token of a turn.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ..findings import Finding, Problem, finding
from ..mend_texts import with_mends
from .evaluation_list import path_faults, text_faults

TASKS: tuple[str, ...] = ()
KEYS = ("id", "audio", "query")
SOUND = "<|audio_bos|><|AUDIO|><|audio_eos|>"

PROBLEMS = {
    "duplicate_id": Problem("file", "error", "duplicate id", "responses of the two cannot be told apart"),
    "missing_key": Problem("load", "error", "a key is missing or null", "the script ends with a KeyError"),
    "wrong_type": Problem("load", "error", "not a text", "the script ends with a TypeError"),
    "missing_file": Problem("load", "error", "no such file", "the script ends with FileNotFoundError"),
    "relative_path": Problem("load", "warning", "not an absolute path", "it is resolved from where the script starts"),
    "sound_tokens": Problem(
        "render",
        "error",
        f"the query does not have {SOUND} once",
        "the processor refuses it, or the model hears nothing",
    ),
    "turn_token": Problem("render", "error", "a token of a turn in the query", "the turn ends there"),
}
PROBLEMS = with_mends("evaluation-chat", PROBLEMS)


class Rows:
    """Validates rows one by one."""

    def __init__(self, *, task: str | None = None, files: bool = True) -> None:
        self.files = files

    def check(self, number: int, row: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield the findings of one row."""
        for code, column, value in self._faults(row):
            yield finding(PROBLEMS, code, number, column=column, value=value)

    def _faults(self, row: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
        yield from text_faults(row, KEYS)
        if isinstance(row.get("audio"), str):
            yield from path_faults(row["audio"], "audio", files=self.files)
        query = row.get("query")
        if not isinstance(query, str):
            return
        if query.count(SOUND) != 1 or query.count("<|AUDIO|>") != 1:
            yield "sound_tokens", "query", query
        if any(token in query for token in ("<|im_start|>", "<|im_end|>", "<|endoftext|>")):
            yield "turn_token", "query", query


def detect_task(rows: Collection[Mapping[str, Any]]) -> str | None:
    """Return None: the format has no tasks."""
    return None


def shape(columns: Mapping[str, str]) -> dict[str, str]:
    """Return what the findings of a row depend on; see `shape_sql`."""
    tokens = r"<\|(?:audio_bos|AUDIO|audio_eos|im_start|im_end|endoftext)\|>"
    known = {
        "id": "CASE WHEN id IS NOT NULL THEN 'x' END",
        "audio": "CASE WHEN starts_with(audio, '/') THEN '/' WHEN audio IS NOT NULL THEN 'x' END",
        "query": f"array_to_string(regexp_extract_all(query, '{tokens}'), '')",
    }
    return {name: sql for name, sql in known.items() if columns.get(name) == "VARCHAR"}
