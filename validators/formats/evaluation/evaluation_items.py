"""Items of benchmarks such as MMAU and MMAR: `id`, `audio_path`, `question`, `choices`, `answer`, and categories.

Their scripts compare an answer and a prediction by their words, the letters and digits of a text in lower case: the
words of the answer must be in the prediction, and no word of another choice. MMAR's also reads `modality` and
`category` of every item.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ....shards.store.sql import identifier
from ..cot.chain import words_of
from ..findings import Finding, Problem, finding
from ..mend_texts import with_mends
from .evaluation_list import path_faults, text_faults

TASKS = ("mmar",)
KEYS = ("id", "audio_path", "question", "answer")
MODALITIES = ("sound", "music", "speech", "mix-sound-music", "mix-sound-speech", "mix-music-speech",
              "mix-sound-music-speech")  # fmt: skip
CATEGORIES = ("Signal Layer", "Perception Layer", "Semantic Layer", "Cultural Layer")

PROBLEMS = {
    "duplicate_id": Problem("file", "error", "duplicate id", "predictions of the two cannot be told apart"),
    "missing_key": Problem("load", "error", "a key is missing or null", "the script ends with a KeyError"),
    "wrong_type": Problem("load", "error", "not a text", "the script ends with an AttributeError"),
    "choices_type": Problem("load", "error", "choices is no list of texts", "the script ends with an error"),
    "missing_file": Problem("load", "error", "no such file", "the item cannot be answered"),
    "relative_path": Problem("load", "warning", "not an absolute path", "it is resolved from where the script starts"),
    "unknown_modality": Problem("load", "error", "none of MMAR's modalities", "MMAR's script ends with a KeyError"),
    "unknown_category": Problem("load", "error", "none of MMAR's categories", "MMAR's script ends with a KeyError"),
    "blank_question": Problem("item", "error", "a blank question", "nothing is asked"),
    "no_choices": Problem("item", "warning", "no choices", "any prediction with the words of the answer is right"),
    "one_choice": Problem("item", "error", "one choice only", "there is nothing to choose"),
    "equal_choices": Problem("item", "warning", "two choices of the same words", "the scripts cannot tell them apart"),
    "answer_not_a_choice": Problem(
        "score", "error", "the answer is none of the choices", "a model that chooses one is always wrong"
    ),
    "no_words": Problem(
        "score", "error", "an answer without a letter or digit", "any prediction holds all of its words"
    ),
}
PROBLEMS = with_mends("evaluation-items", PROBLEMS)


class Rows:
    """Validates rows one by one."""

    def __init__(self, *, task: str | None = None, files: bool = True) -> None:
        self.mmar, self.files = task == "mmar", files

    def check(self, number: int, row: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield the findings of one row."""
        for code, column, value in self._faults(row):
            yield finding(PROBLEMS, code, number, column=column, value=value)

    def _faults(self, row: Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
        yield from text_faults(row, KEYS)
        if isinstance(row.get("audio_path"), str):
            yield from path_faults(row["audio_path"], "audio_path", files=self.files)
        if isinstance(row.get("question"), str) and not row["question"].strip():
            yield "blank_question", "question", None
        if self.mmar and row.get("modality") not in MODALITIES:
            yield "unknown_modality", "modality", row.get("modality")
        if self.mmar and row.get("category") not in CATEGORIES:
            yield "unknown_category", "category", row.get("category")
        yield from _choice_faults(row.get("choices"), row.get("answer"))


def _choice_faults(choices: Any, answer: Any) -> Iterator[tuple[str, str, Any]]:
    if not isinstance(choices, list) or not all(isinstance(choice, str) for choice in choices):
        yield "choices_type", "choices", choices
        return
    if not choices:
        yield "no_choices", "choices", None
    if len(choices) == 1:
        yield "one_choice", "choices", choices[0]
    told = [frozenset(words_of(choice)) for choice in choices]
    if len(set(told)) < len(told):
        yield "equal_choices", "choices", choices
    if isinstance(answer, str):
        if choices and frozenset(words_of(answer)) not in told:
            yield "answer_not_a_choice", "answer", answer
        if not words_of(answer):
            yield "no_words", "answer", answer


def detect_task(rows: Collection[Mapping[str, Any]]) -> str | None:
    """Return `mmar` if most of these rows have one of its categories."""
    return "mmar" if 2 * sum(row.get("category") in CATEGORIES for row in rows) > len(rows) else None


def shape(columns: Mapping[str, str]) -> dict[str, str]:
    """Return what the findings of a row depend on; see `shape_sql`."""
    short = {
        "id": "CASE WHEN id IS NOT NULL THEN 'x' END",
        "audio_path": "CASE WHEN starts_with(audio_path, '/') THEN '/' WHEN audio_path IS NOT NULL THEN 'x' END",
        "question": "CASE WHEN trim(question, ' ' || chr(9) || chr(10) || chr(13)) = '' THEN '' "
        "WHEN question IS NOT NULL THEN 'x' END",
    }
    whole = {name: identifier(name) for name in ("choices", "answer", "modality", "category")}
    return {name: sql for name, sql in {**short, **whole}.items() if name in columns}
