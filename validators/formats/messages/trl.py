"""TRL's rows, as version 1.16 treats them: `messages`; `prompt` and `completion`, and for KTO a `label`; `prompt`; a
preference pair.

`apply_chat_template` knows these sets of keys and raises KeyError for others. TRL itself never gives sound to a model:
its collators know pictures only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ..findings import Finding, Problem, finding
from .hf import PROBLEMS as OF_TYPED
from .hf import check_typed
from .json_text import JsonTexts
from .parts import messages_in, shape_of

TASKS = ("sft", "completion", "grpo", "dpo", "kto")
COLUMNS = ("messages", "prompt", "completion", "chosen", "rejected")
_KEYS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "sft": (("messages",),),
    "completion": (("prompt", "completion"),),
    "grpo": (("prompt",),),
    "dpo": (("prompt", "chosen", "rejected"), ("chosen", "rejected")),
    "kto": (("prompt", "completion"),),
}

PROBLEMS: dict[str, Problem] = {
    **OF_TYPED,
    "missing_keys": Problem(
        "template", "error", "not the keys of the task", "apply_chat_template raises KeyError", "crashed",
        "messages; prompt and completion; prompt; prompt, chosen and rejected",
    ),
    "prompt_role": Problem(
        "template", "error", "a prompt that ends with neither a question nor an answer to continue",
        "apply_chat_template raises ValueError", "crashed", "end the prompt with the user's turn",
    ),
    "mixed_forms": Problem(
        "template", "error", "texts and messages in one row", "the row is read as plain text, or the template stops",
        "crashed", "write all columns as messages",
    ),
    "same_answers": Problem(
        "train", "warning", "both answers of a pair are the same", "nothing is learned from it", "kept",
        "remove the row",
    ),
    "missing_solution": Problem(
        "train", "warning", "no solution", "reward functions receive None", "kept", "add the column solution",
    ),
    "bad_label": Problem(
        "train", "error", "`label` is neither true nor false", "the trainer cannot tell a good answer from a bad one",
        "crashed", "write true for a good answer, false for a bad one",
    ),
    "sound_not_heard": Problem(
        "collate", "warning", "sound or video in a message",
        "TRL's own collators leave it out: the model sees placeholders", "kept", "train with a collator of your own",
    ),
}  # fmt: skip


class Rows:
    """Validates rows of one task."""

    def __init__(self, *, task: str | None = None, files: bool = True) -> None:
        self.task = task or "sft"
        self.files = files
        self.texts = JsonTexts()

    def check(self, number: int, row: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield the findings of one row."""
        yield from self.texts.check(number, row, COLUMNS)
        given = {name: messages_in(row, name) for name in COLUMNS if row.get(name) is not None}
        keys = next((keys for keys in _KEYS[self.task] if all(key in given for key in keys)), None)
        if keys is None:
            yield finding(PROBLEMS, "missing_keys", number, detail=f"it has {', '.join(given) or 'none'}")
            return
        plain = [name for name in keys if isinstance(given[name], str)]
        if plain and len(plain) < len(keys):
            yield finding(PROBLEMS, "mixed_forms", number, detail=f"{', '.join(plain)} as text", column=plain[0])
        for name in (name for name in keys if name not in plain):
            yield from check_typed(PROBLEMS, number, name, given[name], files=self.files)
        if any(_has_sound(given[name]) for name in keys):
            yield finding(PROBLEMS, "sound_not_heard", number, column=keys[0])
        if "prompt" in keys and isinstance(given["prompt"], list) and _last_role(given["prompt"]) not in (
            "user", "tool", "assistant",
        ):  # fmt: skip
            yield finding(PROBLEMS, "prompt_role", number, column="prompt", value=_last_role(given["prompt"]))
        if "chosen" in keys and given["chosen"] == given["rejected"]:
            yield finding(PROBLEMS, "same_answers", number, column="rejected")
        if self.task == "grpo" and row.get("solution") in (None, ""):
            yield finding(PROBLEMS, "missing_solution", number, column="solution")
        if self.task == "kto" and not isinstance(row.get("label"), bool):
            yield finding(PROBLEMS, "bad_label", number, column="label", value=row.get("label"))


def _has_sound(messages: Any) -> bool:
    parts = [part for message in messages if isinstance(message, Mapping) and isinstance(message.get("content"), list)
             for part in message["content"]] if isinstance(messages, list) else []  # fmt: skip
    return any(isinstance(part, Mapping) and part.get("type") in ("audio", "video") for part in parts)


def _last_role(messages: list[Any]) -> Any:
    last = messages[-1] if messages else None
    return last.get("role") if isinstance(last, Mapping) else None


def detect_task(rows: Collection[Mapping[str, Any]]) -> str:
    """The task of most of these rows, by their keys."""
    counts = {
        "dpo": sum("rejected" in row for row in rows),
        "kto": sum("completion" in row and "label" in row for row in rows),
        "completion": sum("completion" in row and "label" not in row for row in rows),
        "sft": sum("messages" in row for row in rows),
        "grpo": sum("prompt" in row and "completion" not in row and "rejected" not in row for row in rows),
    }
    return max(counts, key=lambda task: counts[task])


def shape(columns: Mapping[str, str]) -> dict[str, str]:
    """What the findings of a row depend on; see `shape_sql`. Two answers that differ keep to be told apart."""
    found = shape_of(columns, COLUMNS)
    if columns.get("chosen") == columns.get("rejected") == "JSON":
        differ = "chosen::VARCHAR IS DISTINCT FROM rejected::VARCHAR"
        other = f"""replace({found["rejected"]}, '[{{"role":', '[{{"differs":true,"role":')"""
        found["rejected"] = f"CASE WHEN {differ} THEN {other} ELSE {found['rejected']} END"
    elif "rejected" in columns:
        found |= {name: f"{name}::VARCHAR" for name in ("chosen", "rejected") if name in columns}
    if "label" in columns:
        found["label"] = "label"
    if "solution" in columns:
        found["solution"] = "CASE WHEN solution <> '' THEN 'x' ELSE solution END"
    return found


__all__ = ["PROBLEMS", "TASKS", "Rows", "detect_task", "shape"]
