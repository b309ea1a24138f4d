"""NeMo manifests: the rules by which NeMo's ASR and Canary datasets read a line.

`audio` is `audio_filepath` in the manifest; both names are known here. NeMo skips nothing: a line without a duration or
a file stops the run, one without text trains on silence, and durations outside `min_duration` and `max_duration` of the
configuration are dropped without a word. Canary takes its prompt from `source_lang`, `target_lang`, `taskname`, `pnc`.
Source: nemo/collections/common/parts/preprocessing/manifest.py and collections.py, and the documentation of Canary.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ..findings import Finding, Problem, finding
from ..mend_texts import with_mends
from ..unified import is_file, path_shape

TASKS: tuple[str, ...] = ()
TASK_NAMES = ("asr", "s2t_translation", "ast")
LONGEST_S = 40.0
"""Canary's configurations drop longer clips; its positions end there."""

PROBLEMS = {
    "missing_audio": Problem("manifest", "error", "no audio_filepath", "NeMo stops: the line names no file"),
    "missing_file": Problem("loading", "error", "no such file", "NeMo stops when it reads the clip"),
    "relative_path": Problem("loading", "warning", "not an absolute path", "it is resolved from the manifest's folder"),
    "missing_duration": Problem("manifest", "error", "no duration", "NeMo stops: it buckets and filters by duration"),
    "bad_duration": Problem("manifest", "error", "the duration is not a positive number", "NeMo stops or drops it"),
    "missing_text": Problem("manifest", "error", "no text", "NeMo trains the clip as silence"),
    "long_clip": Problem("filter", "warning", f"longer than {LONGEST_S:g} s", "Canary's configurations drop it unsaid"),
    "unknown_taskname": Problem("prompt", "error", f"taskname is not one of {', '.join(TASK_NAMES)}",
                                "Canary has no prompt for it"),
    "missing_language": Problem("prompt", "error", "a translation without source_lang and target_lang",
                                "Canary cannot say what to translate into"),
    "bad_pnc": Problem("prompt", "warning", "pnc is neither yes nor no", "Canary takes its default"),
    "duplicate_id": Problem("file", "warning", "duplicate id", "NeMo trains on both"),
    "wrong_type": Problem("manifest", "error", "not a string", "NeMo stops"),
}  # fmt: skip
PROBLEMS = with_mends("nemo", PROBLEMS)
_TEXTS = ("text", "lang", "source_lang", "target_lang", "taskname")


class Rows:
    """Validates lines one by one."""

    def __init__(self, *, task: str | None = None, files: bool = True) -> None:
        self.files = files

    def check(self, number: int, row: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield the findings of one line."""
        yield from self._audio(number, row)
        for column in _TEXTS:
            if row.get(column) is not None and not isinstance(row[column], str):
                yield finding(PROBLEMS, "wrong_type", number, column=column, value=row[column])
        yield from _length(number, row.get("duration"))
        if not str(row.get("text") or row.get("answer") or "").strip():
            yield finding(PROBLEMS, "missing_text", number, column="text")
        yield from _prompt(number, row)

    def _audio(self, number: int, row: Mapping[str, Any]) -> Iterator[Finding]:
        column = "audio_filepath" if "audio_filepath" in row else "audio"
        path = row.get(column)
        if not isinstance(path, str) or not path:
            yield finding(PROBLEMS, "missing_audio", number, column=column, value=path)
            return
        if not path.startswith("/"):
            yield finding(PROBLEMS, "relative_path", number, column=column, value=path)
        if self.files and not is_file(path):
            yield finding(PROBLEMS, "missing_file", number, column=column, value=path)


def _length(number: int, duration: Any) -> Iterator[Finding]:
    if duration is None:
        yield finding(PROBLEMS, "missing_duration", number, column="duration")
    elif isinstance(duration, bool) or not isinstance(duration, int | float) or not duration > 0:
        yield finding(PROBLEMS, "bad_duration", number, column="duration", value=duration)
    elif duration > LONGEST_S:
        yield finding(PROBLEMS, "long_clip", number, column="duration", value=duration)


def _prompt(number: int, row: Mapping[str, Any]) -> Iterator[Finding]:
    task = row.get("taskname")
    if task is not None and task not in TASK_NAMES:
        yield finding(PROBLEMS, "unknown_taskname", number, column="taskname", value=task)
    if task in ("s2t_translation", "ast") and not (row.get("source_lang") and row.get("target_lang")):
        yield finding(PROBLEMS, "missing_language", number, column="target_lang")
    if row.get("pnc") not in (None, "yes", "no", True, False):
        yield finding(PROBLEMS, "bad_pnc", number, column="pnc", value=row["pnc"])


def detect_task(rows: Collection[Mapping[str, Any]]) -> str | None:
    """Return None: the format has no tasks."""
    return None


def shape(columns: Mapping[str, str]) -> dict[str, str]:
    """Return what the findings of a row depend on; see `shape_sql`."""
    known = {
        "audio": path_shape("audio"),
        "text": "CASE WHEN trim(text) <> '' THEN 'x' ELSE text END",
        "duration": f"CASE WHEN duration > {LONGEST_S} THEN 100.0 WHEN duration > 0 THEN 1.0 ELSE duration END",
        "source_lang": "CASE WHEN source_lang <> '' THEN 'x' ELSE source_lang END",
        "target_lang": "CASE WHEN target_lang <> '' THEN 'x' ELSE target_lang END",
        "taskname": "taskname",
        "pnc": "pnc",
    }
    return {name: sql for name, sql in known.items() if name in columns}
