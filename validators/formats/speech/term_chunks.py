"""Chunks of speech around terms, for retrieval: sound, the words in it, and the terms that it was cut for.

A row has `audio`, `term_chunk_text`, `term_chunk_audio_ground_truth_terms`, times, and `split`; a chunk without a term
says so with `is_no_term_chunk`. Chunks as InfiniSST writes them have `term_chunk_audio` in place of `audio`, and no
split. Training and test must share no sound, and a term that a test calls unseen must be in no training row: that is
checked over the whole file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from ....shards.terms import Phrases, is_term, phrase_of
from ..findings import Finding, Problem, finding
from ..mend_texts import with_mends
from ..unified import is_file, path_shape

TASKS: tuple[str, ...] = ()
SHORTEST_S, LONGEST_S = 0.01, 30.0
_QUIET = 1e-6
_DROPPED = "the loader leaves the row out"

PROBLEMS = {
    "duplicate_id": Problem("load", "warning", "duplicate id", "rows cannot be distinguished"),
    "no_audio": Problem("load", "error", "no sound", _DROPPED),
    "empty_text": Problem("load", "error", "no words", _DROPPED),
    "no_term": Problem("load", "error", "no term in a chunk that is to name one", "it is trained to name none"),
    "weak_term": Problem("load", "warning", "a term that the loader leaves out", "the chunk is one without a term"),
    "term_in_no_term_chunk": Problem(
        "load", "error", "a term in a chunk that is to name none", "it is rejected as one"
    ),
    "bad_times": Problem("row", "error", "times that contradict each other", "the term is not where the row says"),
    "too_short": Problem("load", "error", f"shorter than {SHORTEST_S:g} s", _DROPPED),
    "too_long": Problem("load", "error", f"longer than {LONGEST_S:g} s", _DROPPED),
    "silent": Problem("load", "error", "only silence", _DROPPED),
    "low_dynamic_range": Problem("load", "error", "a sound that never changes", _DROPPED),
    "not_finite": Problem("load", "error", "samples that are no numbers", _DROPPED),
    "unreadable": Problem("load", "error", "not a readable sound", _DROPPED),
    "shared_sound": Problem("file", "error", "the sound is in training and in a test", "the test is known"),
    "unseen_in_training": Problem("file", "error", "a term that is to be unseen is in training", "the test is known"),
    "missing_file": Problem("load", "error", "no such file", _DROPPED),
    "relative_path": Problem("load", "warning", "not an absolute path", "it is resolved from where the loader runs"),
}
PROBLEMS = with_mends("term-chunks", PROBLEMS)


class Rows:
    """Validates rows one by one; it remembers which sound and terms training and tests had."""

    def __init__(self, *, task: str | None = None, files: bool = True) -> None:
        self.files = files
        self._sounds: dict[bool, set[str]] = {True: set(), False: set()}
        self._trained: dict[str, int] = {}
        self._unseen: set[str] = set()

    def check(self, number: int, row: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield the findings of one row."""
        text = row.get("term_chunk_text")
        if not isinstance(text, str) or not text.strip():
            yield finding(PROBLEMS, "empty_text", number, column="term_chunk_text", value=text)
        yield from _terms(number, row)
        yield from _times(number, row)
        column = "audio" if "audio" in row else "term_chunk_audio"
        path = row.get(column)
        if not isinstance(path, str) or not path:
            yield finding(PROBLEMS, "no_audio", number, column=column, value=path)
            return
        if not path.startswith("/"):
            yield finding(PROBLEMS, "relative_path", number, column=column, value=path)
        if self.files:
            code, detail = sound_problem(Path(path)) if is_file(path) else ("missing_file", "")
            if code is not None:
                yield finding(PROBLEMS, code, number, detail=detail, column=column, value=path)
        if isinstance(row.get("split"), str):
            yield from self._apart(number, row, path)

    def _apart(self, number: int, row: Mapping[str, Any], path: str) -> Iterator[Finding]:
        is_test = row["split"] != "train"
        if path in self._sounds[not is_test]:
            yield finding(PROBLEMS, "shared_sound", number, column="audio", value=path)
        self._sounds[is_test].add(path)
        labels = _labels(row)
        if not is_test:
            for label in labels:
                self._trained.setdefault(label, number)
            seen = {label for label in self._unseen if _named(label, row.get("term_chunk_text"))} | (
                self._unseen & set(labels)
            )
            for label in sorted(seen):
                yield finding(PROBLEMS, "unseen_in_training", number, column="term_chunk_text", value=label)
            return
        for label in row.get("unseen_terms") or ():
            self._unseen.add(label)
            if label in self._trained:
                detail = f"row {self._trained[label]}"
                yield finding(PROBLEMS, "unseen_in_training", number, detail=detail, column="unseen_terms", value=label)


def _labels(row: Mapping[str, Any]) -> list[str]:
    value = row.get("term_chunk_audio_ground_truth_terms")
    return [term for term in value if isinstance(term, str)] if isinstance(value, list) else []


def _named(label: str, text: Any) -> bool:
    return (
        isinstance(text, str) and bool(Phrases({phrase_of(label): label}).named_in(text)) if phrase_of(label) else False
    )


def _terms(number: int, row: Mapping[str, Any]) -> Iterator[Finding]:
    labels, column = _labels(row), "term_chunk_audio_ground_truth_terms"
    if row.get("is_no_term_chunk"):
        if labels:
            yield finding(PROBLEMS, "term_in_no_term_chunk", number, column=column, value=labels)
        return
    if not labels:
        yield finding(PROBLEMS, "no_term", number, column=column, value=row.get(column))
    for label in labels:
        if not is_term(label):
            yield finding(PROBLEMS, "weak_term", number, column=column, value=label)


def _times(number: int, row: Mapping[str, Any]) -> Iterator[Finding]:
    start, end, length = (_number(row, f"extended_{name}") for name in ("start_time", "end_time", "duration"))
    if start is None or end is None or length is None:
        yield finding(PROBLEMS, "bad_times", number, detail="extended times are missing", column="extended_start_time")
        return
    first, last = _number(row, "term_start_time"), _number(row, "term_end_time")
    if abs(end - start - length) > 1e-4 or start < -1e-4:
        yield finding(PROBLEMS, "bad_times", number, detail=f"{start:g} to {end:g}, {length:g} s long",
                      column="extended_duration", value=length)  # fmt: skip
    elif first is not None and last is not None and not (start - 1e-4 <= first < last <= end + 1e-4):
        yield finding(PROBLEMS, "bad_times", number, detail=f"the term is from {first:g} to {last:g}",
                      column="term_start_time", value=first)  # fmt: skip
    if length > LONGEST_S:
        yield finding(PROBLEMS, "too_long", number, detail=f"{length:g} s", column="extended_duration", value=length)
    elif length < SHORTEST_S:
        yield finding(PROBLEMS, "too_short", number, detail=f"{length:g} s", column="extended_duration", value=length)


def _number(row: Mapping[str, Any], name: str) -> float | None:
    value = row.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def sound_problem(path: Path) -> tuple[str | None, str]:
    """What is wrong with a sound, as the loader checks it, in its order; None if nothing is."""
    import numpy as np
    import soundfile

    try:
        samples, rate = soundfile.read(str(path), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        return "unreadable", str(error)
    seconds = len(samples) / rate
    if seconds < SHORTEST_S:
        return "too_short", f"{seconds:g} s"
    if seconds > LONGEST_S:
        return "too_long", f"{len(samples)} samples at {rate} Hz"
    if not np.isfinite(samples).all():
        return "not_finite", ""
    if np.abs(samples).max() <= _QUIET:
        return "silent", ""
    return ("low_dynamic_range", "") if samples.std() < _QUIET else (None, "")


def detect_task(rows: Collection[Mapping[str, Any]]) -> str | None:
    """Return None: the format has no tasks."""
    return None


def shape(columns: Mapping[str, str]) -> dict[str, str]:
    """Return what the findings of a row depend on; rows whose times agree are one shape."""
    texts = {"term_chunk_text": "CASE WHEN trim(term_chunk_text) <> '' THEN 'x' ELSE term_chunk_text END"}
    good = (
        "extended_start_time >= 0 AND abs(extended_end_time - extended_start_time - extended_duration) <= 1e-4 "
        f"AND extended_duration BETWEEN {SHORTEST_S} AND {LONGEST_S} AND (term_start_time IS NULL OR "
        "(term_start_time >= extended_start_time - 1e-4 AND term_end_time <= extended_end_time + 1e-4 "
        "AND term_start_time < term_end_time))"
    )
    steady = {"extended_start_time": 0.0, "extended_end_time": 1.0, "extended_duration": 1.0}
    steady |= {"term_start_time": 0.0, "term_end_time": 1.0}
    numbers = {name: f"CASE WHEN {good} THEN {value}::DOUBLE ELSE {name} END" for name, value in steady.items()}
    terms = "term_chunk_audio_ground_truth_terms"
    known = {
        **texts, **numbers, "audio": path_shape("audio"), "is_no_term_chunk": "is_no_term_chunk",
        terms: f"CASE WHEN len({terms}) > 0 THEN ['term'] ELSE {terms} END",
    }  # fmt: skip
    if not set(steady) <= columns.keys():
        known = {name: name for name in known}
    return {name: sql for name, sql in known.items() if name in columns}
