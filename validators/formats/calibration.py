"""Rows for calibration: messages as `messages/hf.py` has them, the stratum of each row, and its tokens.

Whoever scores experts reads the first rows of a file, so the order counts: at every prefix the tokens of two strata
that still have rows may differ by no more than the largest row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .files import read_rows
from .findings import Finding, Problem, finding
from .messages.hf import PROBLEMS as OF_MESSAGES
from .messages.hf import check_typed
from .messages.parts import KINDS, detect_task, messages_in, shape_of

TASKS: tuple[str, ...] = ()
STRATUM = ("modality", "dataset", "language", "task")
_NEEDS = {"audio": {"audio"}, "video": {"video"}, "mixed": {"video"}}
_LACKS = {"audio": {"video"}, "video": {"audio"}, "mixed": set[str]()}
"""Modality -> the media that its rows have, and those that they must not have."""
_STRAYED = "experts are scored for what the model does not see or hear"

PROBLEMS: dict[str, Problem] = {
    **OF_MESSAGES,
    "no_stratum": Problem(
        "scoring", "error", "modality, dataset, language or task is missing", "the row cannot be balanced", "kept",
        "state all four",
    ),
    "other_media": Problem(
        "scoring", "error", "media that the row's modality does not have, or none of those that it has", _STRAYED,
        "kept", "correct the modality",
    ),
    "no_tokens": Problem(
        "scoring", "error", "`tokens` is not a whole number above 0", "the row cannot be balanced", "kept",
        "count the tokens of the row",
    ),
    "unbalanced": Problem(
        "scoring", "warning", "up to here the tokens of two strata differ by more than the largest row",
        "the first rows of the file score the experts of one stratum more than those of another", "kept",
        "order the rows: triptych export calibration",
    ),
}  # fmt: skip


class Rows:
    """Validates rows one by one, and their order if it knows how many rows each stratum has: see `begin`."""

    def __init__(self, *, task: str | None = None, files: bool = True) -> None:
        self.files = files
        self._left: Counter[tuple[str, ...]] = Counter()
        self._tokens: Counter[tuple[str, ...]] = Counter()
        self._largest = 0

    def begin(self, path: Path) -> Iterator[Finding]:
        """Count the rows of each stratum, and find the largest row."""
        for _, row in read_rows(path):
            if not isinstance(row, Finding) and (stratum := _stratum(row)) and _has_tokens(row):
                self._left[stratum] += 1
                self._largest = max(self._largest, row["tokens"])
        return iter(())

    def check(self, number: int, row: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield the findings of one row."""
        messages = messages_in(row, "messages")
        yield from check_typed(PROBLEMS, number, "messages", messages, files=self.files)
        stratum = _stratum(row)
        if stratum is None:
            missing = next(name for name in STRATUM if not _is_named(row, name))
            yield finding(PROBLEMS, "no_stratum", number, column=missing, value=row.get(missing))
        elif not _fits(row["modality"], messages):
            yield finding(PROBLEMS, "other_media", number, column="modality", value=row["modality"])
        if not _has_tokens(row):
            yield finding(PROBLEMS, "no_tokens", number, column="tokens", value=row.get("tokens"))
        elif stratum is not None and self._left:
            yield from self._place(number, stratum, row["tokens"])

    def _place(self, number: int, stratum: tuple[str, ...], tokens: int) -> Iterator[Finding]:
        """Yield the first row after which the file is unbalanced; it is then not looked at any further."""
        self._left[stratum] -= 1
        self._tokens[stratum] += tokens
        # The strata that still have rows, and the one that this row has taken the last one of.
        had = [self._tokens[each] for each, left in self._left.items() if left or each == stratum]
        if (apart := max(had) - min(had)) > self._largest:
            detail = f"{apart:,} tokens apart; the largest row has {self._largest:,}"
            yield finding(PROBLEMS, "unbalanced", number, detail=detail)
            self._left.clear()


def _stratum(row: Mapping[str, Any]) -> tuple[str, ...] | None:
    return tuple(row[name] for name in STRATUM) if all(_is_named(row, name) for name in STRATUM) else None


def _is_named(row: Mapping[str, Any], name: str) -> bool:
    value = row.get(name)
    return isinstance(value, str) and bool(value) and (name != "modality" or value in _NEEDS)


def _has_tokens(row: Mapping[str, Any]) -> bool:
    tokens = row.get("tokens")
    return isinstance(tokens, int) and not isinstance(tokens, bool) and tokens > 0


def _fits(modality: str, messages: Any) -> bool:
    """Whether the parts are those of the modality. Of both, the sound may be inside the video."""
    contents = (message.get("content") for message in messages if isinstance(message, Mapping)) if isinstance(
        messages, list) else ()  # fmt: skip
    kinds = {part.get("type") for content in contents if isinstance(content, list)
             for part in content if isinstance(part, Mapping)} & set(KINDS)  # fmt: skip
    return kinds >= _NEEDS[modality] and not kinds & _LACKS[modality]


def shape(columns: Mapping[str, str]) -> dict[str, str]:
    """What the findings of a row depend on; see `shape_sql`. Its tokens are counted after that."""
    named = {name: f"CASE WHEN {name} <> '' THEN 'x' ELSE {name} END" for name in STRATUM[1:] if name in columns}
    return {**shape_of(columns, ("messages",)), "modality": "modality", **named, "tokens": "1"}


__all__ = ["PROBLEMS", "STRATUM", "TASKS", "Rows", "detect_task", "shape"]
