"""The unified format: one JSON object per row with `id`, `modality`, `text`, `audio`, `video`.

`id` is unique. `modality` is audio, video, mixed or text and matches the media present: an audio row has `audio` and no
`video`; a video row `video` and no `audio`; a mixed row `video`, and `audio` unless the video contains the sound; a
text row has `text` and no media. Missing keys and nulls are equivalent. Paths are absolute and exist. Other keys are
free for the user.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from .findings import Finding, Problem, finding
from .mend_texts import with_mends

TASKS: tuple[str, ...] = ()
MODALITIES = ("audio", "video", "mixed", "text")
_TEXTS = ("id", "modality", "text", "audio", "video")

PROBLEMS = {
    "missing_id": Problem("row", "error", "no id", "the row cannot be named, joined or excluded"),
    "duplicate_id": Problem("file", "error", "duplicate id", "rows overwrite each other"),
    "unknown_modality": Problem("row", "error", f"modality is not one of {', '.join(MODALITIES)}", "no panel takes it"),
    "modality_mismatch": Problem("row", "error", "the modality does not match the media", "the wrong panel takes it"),
    "missing_text": Problem("row", "error", "a text row without text", "the row is empty"),
    "empty_text": Problem("row", "warning", "the text is blank", ""),
    "wrong_type": Problem("row", "error", "not a string", "the column has mixed types"),
    "missing_file": Problem("row", "error", "no such file", "the row fails when it is read"),
    "relative_path": Problem("row", "warning", "not an absolute path", "it is resolved from wherever the reader runs"),
}
PROBLEMS = with_mends("unified", PROBLEMS)


class Rows:
    """Validates rows one by one."""

    def __init__(self, *, task: str | None = None, files: bool = True) -> None:
        self.files = files

    def check(self, number: int, row: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield the findings of one row."""
        for column in _TEXTS:
            if row.get(column) is not None and not isinstance(row[column], str):
                yield finding(PROBLEMS, "wrong_type", number, column=column, value=row[column])
        if row.get("id") in (None, ""):
            yield finding(PROBLEMS, "missing_id", number, column="id")
        yield from self._modality(number, row)
        if isinstance(row.get("text"), str) and not row["text"].strip(" \t\r\n"):
            yield finding(PROBLEMS, "empty_text", number, column="text")
        for column in ("audio", "video"):
            if isinstance(row.get(column), str):
                yield from self._path(number, column, row[column])

    def _modality(self, number: int, row: Mapping[str, Any]) -> Iterator[Finding]:
        modality = row.get("modality")
        if modality not in MODALITIES:
            yield finding(PROBLEMS, "unknown_modality", number, column="modality", value=modality)
            return
        audio, video = row.get("audio") is not None, row.get("video") is not None
        agrees = {"audio": audio and not video, "video": video and not audio, "mixed": video}
        if not agrees.get(modality, not (audio or video)):
            has = " and ".join(name for name, there in (("audio", audio), ("video", video)) if there) or "no media"
            yield finding(PROBLEMS, "modality_mismatch", number, detail=f"{modality} with {has}", column="modality")
        if modality == "text" and row.get("text") is None:
            yield finding(PROBLEMS, "missing_text", number, column="text")

    def _path(self, number: int, column: str, path: str) -> Iterator[Finding]:
        if not path.startswith("/"):
            yield finding(PROBLEMS, "relative_path", number, column=column, value=path)
        if self.files and not is_file(path):
            yield finding(PROBLEMS, "missing_file", number, column=column, value=path)


def is_file(path: str) -> bool:
    """Whether the path is an existing file; False for a text that cannot be a path."""
    try:
        return Path(path).expanduser().is_file()
    except (OSError, ValueError, RuntimeError):
        return False


def detect_task(rows: Collection[Mapping[str, Any]]) -> str | None:
    """Return None: the format has no tasks."""
    return None


def shape(columns: Mapping[str, str]) -> dict[str, str]:
    """Return what the findings of a row depend on; see `shape_sql`."""
    known = {
        "id": "CASE WHEN id <> '' THEN 'x' ELSE id END",
        "text": "CASE WHEN trim(text, ' ' || chr(9) || chr(13) || chr(10)) <> '' THEN 'x' ELSE text END",
        **{kind: path_shape(kind) for kind in ("audio", "video")},
    }
    return {
        name: known.get(name, name) if type_ == "VARCHAR" else name for name, type_ in columns.items() if name in _TEXTS
    }


def path_shape(path: str) -> str:
    """Return an expression that treats all absolute paths alike."""
    return f"CASE WHEN starts_with({path}, '/') THEN '/' ELSE {path} END"


def tokens_shape(text: str, pattern: str) -> str:
    """Return an expression for the tags and tokens of models in a text, in order, or NULL without a text.

    Most texts with a `<` start with their only tag. Those are not searched: that takes longer than all else of a shape.
    """
    found = f"array_to_string(regexp_extract_all({text}, '{pattern}'), '')"
    one_tag = f"left({text}, 7) IN ('<image>', '<video>', '<audio>') AND NOT contains(substr({text}, 2), '<')"
    return (
        f"CASE WHEN NOT contains({text}, '<') THEN '' WHEN {one_tag} THEN left({text}, 7) "
        f"WHEN {text} IS NOT NULL THEN {found} END"
    )
