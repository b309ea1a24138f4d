"""Rows of Qwen2-Audio's evaluation scripts: `audio`, `prompt`, `gt`, `source`.

The scripts write <|audio_bos|><|AUDIO|><|audio_eos|> and the prompt, decode the audio with ffmpeg, cut it at 30 s, and
score each value of `source` by itself: word error rates divide by the number of reference words, translations take
their tokenizer from the last part but one of `source` (`covost2_en_zh_test`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ..findings import Finding, Problem, finding
from ..mend_texts import with_mends
from ..unified import is_file

TASKS = ("s2tt",)
KEYS = ("audio", "prompt", "gt", "source")
_TOKENS = ("<|audio_bos|>", "<|AUDIO|>", "<|audio_eos|>")
_TAGS = ("<audio>", "<video>", "<image>")
_TARGET = re.compile(r"translate the speech into ([A-Za-z]+)")
_TOKENIZED = {"Mandarin": "zh", "Chinese": "zh", "Japanese": "ja"}
"""The target languages whose texts the script takes apart in their own way, by their part of `source`."""

PROBLEMS = {
    "duplicate_id": Problem("file", "warning", "duplicate id", "rows cannot be distinguished"),
    "missing_key": Problem("load", "error", "a key is missing or null", "the script ends with a KeyError or TypeError"),
    "wrong_type": Problem("load", "error", "not a text", "the script ends with a TypeError"),
    "missing_file": Problem("load", "error", "no such file", "ffmpeg fails, and the script with it"),
    "relative_path": Problem("load", "warning", "not an absolute path", "it is resolved from where the script starts"),
    "audio_token": Problem(
        "prompt", "error", "a token of the audio in the prompt", "the script puts its own before: two for one sound"
    ),
    "tag_in_prompt": Problem("prompt", "warning", "a media tag in the prompt", "the model reads it as text"),
    "blank_prompt": Problem("prompt", "warning", "a blank prompt", "the base model is told nothing"),
    "blank_reference": Problem(
        "score", "error", "a blank reference", "the script fails if it is the first of its source"
    ),
    "blank_source": Problem("score", "warning", "a blank source", "its rows are scored as a group without a name"),
    "source_language": Problem(
        "score", "error", "the last part but one of the source is not the target language", "BLEU counts other tokens"
    ),
}  # fmt: skip
PROBLEMS = with_mends("evaluation-list", PROBLEMS)


class Rows:
    """Validates rows one by one."""

    def __init__(self, *, task: str | None = None, files: bool = True) -> None:
        self.translates, self.files = task == "s2tt", files

    def check(self, number: int, row: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield the findings of one row."""
        for code, column, value in self._faults(row):
            yield finding(PROBLEMS, code, number, column=column, value=value)

    def _faults(self, row: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
        yield from text_faults(row, KEYS)
        texts = {column: row[column] for column in KEYS if isinstance(row.get(column), str)}
        if "audio" in texts:
            yield from path_faults(texts["audio"], "audio", files=self.files)
        prompt = texts.get("prompt", "x")
        if any(token in prompt for token in _TOKENS):
            yield "audio_token", "prompt", prompt
        if any(tag in prompt for tag in _TAGS):
            yield "tag_in_prompt", "prompt", prompt
        for column, code in (("prompt", "blank_prompt"), ("gt", "blank_reference"), ("source", "blank_source")):
            if not texts.get(column, "x").strip():
                yield code, column, None
        target = _TARGET.search(prompt)
        if (self.translates or target) and not _fits(target[1] if target else None, texts.get("source", "")):
            yield "source_language", "source", texts.get("source")


def text_faults(row: Mapping[str, Any], columns: Collection[str]) -> Iterator[tuple[str, str, Any]]:
    """Columns that are missing or hold no text."""
    for column in columns:
        if row.get(column) is None:
            yield "missing_key", column, None
        elif not isinstance(row[column], str):
            yield "wrong_type", column, row[column]


def path_faults(path: str, column: str, *, files: bool) -> Iterator[tuple[str, str, Any]]:
    """What is wrong with the path of a sound; addresses are left to the script."""
    if path.startswith("http"):
        return
    if not path.startswith("/"):
        yield "relative_path", column, path
    if files and not is_file(path):
        yield "missing_file", column, path


def _fits(target: str | None, source: str) -> bool:
    """Whether the script takes the tokens of the target language, which it knows from the last part but one."""
    parts = source.split("_")
    if len(parts) < 2:
        return False
    return target is None or _TOKENIZED.get(target) == (parts[-2] if parts[-2] in _TOKENIZED.values() else None)


def detect_task(rows: Collection[Mapping[str, Any]]) -> str | None:
    """Return None: rows of translations are known by their prompt."""
    return None


def shape(columns: Mapping[str, str]) -> dict[str, str]:
    """Return what the findings of a row depend on; see `shape_sql`."""
    tokens = "|".join(token.replace("|", r"\|") for token in (*_TOKENS, *_TAGS, "translate the speech into [A-Za-z]+"))
    known = {
        "audio": "CASE WHEN starts_with(audio, '/') THEN '/' WHEN audio IS NOT NULL THEN 'x' END",
        "prompt": f"CASE WHEN trim(prompt) = '' THEN '' ELSE "
        f"array_to_string(regexp_extract_all(prompt, '{tokens}'), '') || 'x' END",
        "gt": "CASE WHEN trim(gt, ' ' || chr(9) || chr(10) || chr(13)) = '' THEN '' WHEN gt IS NOT NULL THEN 'x' END",
        "source": "source",
    }
    return {name: sql for name, sql in known.items() if columns.get(name) == "VARCHAR"}
