"""The phoneme form: the path of the sound inside the text of the first turn, `<audio>/path.wav</audio>prompt`.

Its reader looks at the first two turns and not at their roles: the first `<audio>...</audio>` of the first turn, on one
line, is the sound, all of them are cut out of the prompt, and a prompt of its own stands in for an empty one. Other
trainers do not know the form: they train on the path as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..findings import Finding, Problem, finding
from ..llamafactory.turns import detect_task, is_turns
from ..msswift_rows import MODEL_TOKEN
from ..unified import is_file

TASKS: tuple[str, ...] = ()
DEFAULT_PROMPT = "请对该音频进行语音评测"
"""What the reader asks where the prompt is empty."""

_INLINE = re.compile("<audio>(.*?)</audio>")
_SKIPS = "the reader skips the row without a word"

PROBLEMS = {
    "duplicate_id": Problem("load", "warning", "duplicate id", "rows cannot be distinguished", "kept", "rename one"),
    "few_turns": Problem("read", "error", "fewer than two turns", _SKIPS, "deleted", "add the answer"),
    "message_keys": Problem(
        "read", "error", "a turn that is no object with `from` and `value`, both texts", "the reader stops", "crashed",
        "write both as texts",
    ),
    "no_sound": Problem(
        "read", "error", "no <audio>path</audio> on one line of the first turn", _SKIPS, "deleted",
        "put the path there",
    ),
    "further_sound": Problem(
        "read", "warning", "more than one sound in the first turn", "only the first is heard", "kept", "keep one",
    ),
    "default_prompt": Problem(
        "read", "warning", "no prompt beside the sound", f"the reader asks {DEFAULT_PROMPT!r}", "kept",
        "write the prompt",
    ),
    "turns_ignored": Problem(
        "read", "warning", "more than two turns", "the reader takes the first two; its successor takes all", "kept",
        "one exchange a row",
    ),
    "role_order": Problem(
        "read", "warning", "the turns are not user and assistant",
        "the reader does not look: the first is the question", "kept", "user, then assistant",
    ),
    "sound_elsewhere": Problem(
        "read", "warning", "a sound in a later turn", "its path stays as text", "kept", "put it into the first turn",
    ),
    "model_token": Problem(
        "read", "error", "a token of the model in a text", "the tokenizer takes it for what it marks", "kept",
        "remove it",
    ),
    "missing_file": Problem("train", "error", "no such file", "training stops there", "crashed", "correct the path"),
    "relative_path": Problem(
        "train", "warning", "not an absolute path", "it is resolved from where training starts", "kept",
        "write absolute paths",
    ),
}  # fmt: skip


def read_inline(text: str) -> tuple[str | None, str]:
    """The path of the sound and the prompt, as the reader takes them from a first turn."""
    found = _INLINE.search(text)
    prompt = _INLINE.sub("", text).strip() or DEFAULT_PROMPT
    return (found[1].strip() if found else None), prompt


class Rows:
    """Validates rows one by one."""

    def __init__(self, *, task: str | None = None, files: bool = True) -> None:
        self.files = files

    def check(self, number: int, row: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield the findings of one row."""
        column = "conversations"
        turns = row.get(column)
        if not isinstance(turns, list) or len(turns) < 2:
            yield finding(PROBLEMS, "few_turns", number, column=column, value=turns)
            return
        texts = [turn.get("value") if isinstance(turn, Mapping) else None for turn in turns]
        for place, text in enumerate(texts):
            if not isinstance(text, str):
                yield finding(
                    PROBLEMS, "message_keys", number, detail=f"turn {place}", column=column, value=turns[place]
                )
        spoken = [text if isinstance(text, str) else "" for text in texts]
        roles = [turn.get("from") if isinstance(turn, Mapping) else None for turn in turns]
        if roles != (["user", "assistant"] * len(turns))[: len(turns)]:
            yield finding(PROBLEMS, "role_order", number, column=column, value=" ".join(map(str, roles)))
        if len(turns) > 2:
            yield finding(PROBLEMS, "turns_ignored", number, column=column, value=len(turns))
        if any(_INLINE.search(text) for text in spoken[1:]):
            yield finding(PROBLEMS, "sound_elsewhere", number, column=column)
        if (token := re.search(MODEL_TOKEN, "\n".join(spoken))) is not None:
            yield finding(PROBLEMS, "model_token", number, column=column, value=token[0])
        yield from self._sound(number, spoken[0])

    def _sound(self, number: int, text: str) -> Iterator[Finding]:
        path, prompt = read_inline(text)
        if path is None:
            yield finding(PROBLEMS, "no_sound", number, column="conversations", value=text)
            return
        if len(_INLINE.findall(text)) > 1:
            yield finding(PROBLEMS, "further_sound", number, column="conversations", value=text)
        if prompt == DEFAULT_PROMPT and DEFAULT_PROMPT not in text:
            yield finding(PROBLEMS, "default_prompt", number, column="conversations", value=text)
        if not path.startswith("/"):
            yield finding(PROBLEMS, "relative_path", number, column="conversations", value=path)
        if self.files and not is_file(path):
            yield finding(PROBLEMS, "missing_file", number, column="conversations", value=path)


def shape(columns: Mapping[str, str]) -> dict[str, str]:
    """What the findings of a row depend on; see `shape_sql`. Of a usual text only that it is one."""
    if "conversations" not in columns:
        return {}
    if not is_turns(columns["conversations"]):
        return {"conversations": "conversations"}
    value = (
        "CASE WHEN regexp_full_match(m['value'], '(?s)<audio>/[^<>\\n]*</audio>[^<]*[^<\\s][^<]*') "
        "THEN '<audio>/</audio>x' WHEN m['value'] <> '' AND NOT contains(m['value'], '<') THEN 'x' ELSE m['value'] END"
    )
    return {"conversations": f"[{{'from': m['from'], 'value': {value}}} FOR m IN conversations]"}


__all__ = ["DEFAULT_PROMPT", "PROBLEMS", "TASKS", "Rows", "detect_task", "read_inline", "shape"]
