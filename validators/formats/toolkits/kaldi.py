"""Kaldi data directories: the rules of `utils/validate_data_dir.sh`, of the rows that a directory is made from.

Source: Kaldi, egs/wsj/s5/utils/validate_data_dir.sh, and "Data preparation" of its documentation.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ..findings import Finding, Problem, finding
from ..mend_texts import with_mends
from ..unified import is_file, path_shape

TASKS: tuple[str, ...] = ()

PROBLEMS = {
    "missing_id": Problem("validate_data_dir", "error", "no utterance id", "the line cannot be sorted or joined"),
    "duplicate_id": Problem("validate_data_dir", "error", "duplicate id", "validate_data_dir.sh stops"),
    "space_in_id": Problem("validate_data_dir", "error", "white space in an id", "the id ends at the space"),
    "speaker_prefix": Problem("validate_data_dir", "error", "the utterance id does not begin with its speaker",
                              "utt2spk is not sorted by speaker: validate_data_dir.sh stops"),
    "missing_audio": Problem("wav.scp", "error", "no audio", "validate_data_dir.sh stops"),
    "space_in_path": Problem("wav.scp", "error", "white space in the path", "Kaldi reads the path up to the space"),
    "missing_file": Problem("wav.scp", "error", "no such file", "features of the utterance are missing"),
    "missing_text": Problem("text", "error", "no text", "fix_data_dir.sh drops the utterance"),
    "line_in_text": Problem("text", "error", "a line break in the text", "the rest is taken for another utterance"),
    "bad_duration": Problem("utt2dur", "error", "the duration is not a positive number", "utt2dur is refused"),
    "not_wav": Problem("wav.scp", "warning", "not a WAV file", "Kaldi's own programs read WAV only; ESPnet, WeNet, "
                       "Lhotse and k2 read it"),
}  # fmt: skip
PROBLEMS = with_mends("kaldi", PROBLEMS)
_SPACE = re.compile(r"\s")


class Rows:
    """Validates rows one by one."""

    def __init__(self, *, task: str | None = None, files: bool = True) -> None:
        self.files = files

    def check(self, number: int, row: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield the findings of one row."""
        utterance, speaker = row.get("utterance"), row.get("speaker")
        if not isinstance(utterance, str) or not utterance:
            yield finding(PROBLEMS, "missing_id", number, column="utterance", value=utterance)
        else:
            for column, value in (("utterance", utterance), ("speaker", speaker)):
                if isinstance(value, str) and _SPACE.search(value):
                    yield finding(PROBLEMS, "space_in_id", number, column=column, value=value)
            if not isinstance(speaker, str) or not utterance.startswith(speaker):
                yield finding(PROBLEMS, "speaker_prefix", number, column="utterance", value=utterance)
        yield from self._audio(number, row.get("audio"))
        text, duration = row.get("text"), row.get("duration")
        if not isinstance(text, str) or not text.strip():
            yield finding(PROBLEMS, "missing_text", number, column="text")
        elif "\n" in text or "\r" in text:
            yield finding(PROBLEMS, "line_in_text", number, column="text", value=text)
        if isinstance(duration, bool) or not isinstance(duration, int | float) or not duration > 0:
            yield finding(PROBLEMS, "bad_duration", number, column="duration", value=duration)

    def _audio(self, number: int, path: Any) -> Iterator[Finding]:
        if not isinstance(path, str) or not path:
            yield finding(PROBLEMS, "missing_audio", number, column="audio", value=path)
            return
        if _SPACE.search(path):
            yield finding(PROBLEMS, "space_in_path", number, column="audio", value=path)
        if not path.lower().endswith(".wav"):
            yield finding(PROBLEMS, "not_wav", number, column="audio", value=path)
        if self.files and not is_file(path):
            yield finding(PROBLEMS, "missing_file", number, column="audio", value=path)


def detect_task(rows: Collection[Mapping[str, Any]]) -> str | None:
    """Return None: the format has no tasks."""
    return None


def _space(column: str) -> str:
    """SQL: the column has white space, as Python's regular expressions know it."""
    return (
        f"regexp_matches({column}, '[\\t-\\r\\x1C-\\x20\\x{{85}}\\x{{A0}}\\x{{1680}}\\x{{2000}}-\\x{{200A}}"
        "\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}]')"
    )


def shape(columns: Mapping[str, str]) -> dict[str, str]:
    """Return what the findings of a row depend on; see `shape_sql`."""
    known = {
        "utterance": "CASE WHEN utterance IS NULL OR utterance = '' THEN utterance "
                     f"WHEN {_space('utterance')} THEN speaker || ' ' "
                     "WHEN starts_with(utterance, speaker) THEN 's-u' ELSE 'u' END",
        "speaker": f"CASE WHEN speaker IS NULL THEN NULL WHEN {_space('speaker')} THEN 's ' ELSE 's' END",
        "audio": f"CASE WHEN {_space('audio')} THEN '/ ' ELSE {path_shape('audio')} END "
                 "|| CASE WHEN lower(audio) LIKE '%.wav' THEN '.wav' ELSE '' END",
        "text": "CASE WHEN contains(text, chr(10)) OR contains(text, chr(13)) THEN 'x' || chr(10) || 'x' "
                "WHEN trim(text) <> '' THEN 'x' ELSE text END",
        "duration": "CASE WHEN duration > 0 THEN 1.0 ELSE duration END",
    }  # fmt: skip
    return {name: sql for name, sql in known.items() if name in columns}
