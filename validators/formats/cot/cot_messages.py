"""Conversations whose last answer has a chain of thought: columns `messages`, media, and `choices` with `answer`.

Stages: `row` is the row itself, `chain` the answer's tags and sections, `choice` a question with options, and `render`
the text that Qwen3-Omni's chat template makes of the row, in which the chain must still be. The task `structured`
requires the four sections of every chain; without it a chain without any of them is a warning.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeGuard

from ....shards.store.sql import identifier
from ..findings import Finding, Problem, finding
from ..mend_texts import with_mends
from ..unified import is_file
from .chain import Fault, options_in, parts_of, rendered, words_of

TASKS = ("structured",)
KINDS = ("images", "videos", "audios")
_LEARNED = "the model learns a form that no parser takes apart"
_LOST = "the model trains on the answer without its chain"

PROBLEMS = {
    "duplicate_id": Problem("file", "warning", "duplicate id", "rows cannot be distinguished"),
    "no_messages": Problem("row", "error", "messages is no list of turns with role and content", "the row is lost"),
    "last_not_assistant": Problem("row", "error", "the last turn is not an answer", "there is nothing to learn"),
    "tag_mismatch": Problem("row", "error", "tags and media differ in number", "media and text are misplaced or lost"),
    "missing_file": Problem("row", "error", "no such file", "the row fails when it is read"),
    "no_think": Problem("chain", "error", "no <think>", _LOST),
    "several_think": Problem("chain", "error", "<think> more than once", _LEARNED),
    "broken_think": Problem("chain", "error", "<think> is not closed, or closed before it opens", _LEARNED),
    "empty_chain": Problem("chain", "error", "nothing in <think>", _LOST),
    "think_case": Problem(
        "chain", "warning", "<think> in another case", "Qwen3 knows the tag in lower case only, and adds an empty one"
    ),
    "missing_section": Problem("chain", "error", "a section is missing", _LEARNED),
    "repeated_section": Problem("chain", "error", "a section more than once", _LEARNED),
    "broken_section": Problem("chain", "error", "a section is not closed, or closed before it opens", _LEARNED),
    "section_order": Problem("chain", "error", "the sections are in another order", _LEARNED),
    "section_overlap": Problem("chain", "error", "a section inside another", _LEARNED),
    "empty_section": Problem("chain", "error", "an empty section", "the model learns to skip it"),
    "text_between": Problem("chain", "error", "text outside of the sections and the response", _LEARNED),
    "no_sections": Problem("chain", "error", "a chain without sections", _LEARNED),
    "plain_chain": Problem("chain", "warning", "a chain without sections", "the model learns it as it is"),
    "no_response": Problem("chain", "error", "no <RESPONSE>", "the answer cannot be told from the chain"),
    "several_response": Problem("chain", "error", "<RESPONSE> more than once", _LEARNED),
    "broken_response": Problem("chain", "error", "<RESPONSE> is not closed, or closed before it opens", _LEARNED),
    "response_in_think": Problem("chain", "error", "<RESPONSE> inside <think>", "the answer counts as reasoning"),
    "response_not_last": Problem("chain", "error", "<RESPONSE> is not the end", _LEARNED),
    "empty_response": Problem("chain", "error", "nothing in <RESPONSE>", "the model learns to answer nothing"),
    "key_not_a_choice": Problem("choice", "error", "the answer is none of the choices", "no response can be right"),
    "unclear_choice": Problem(
        "choice", "error", "the response does not name exactly one choice", "it cannot be scored"
    ),
    "wrong_choice": Problem("choice", "error", "the response names another choice than the answer", "a wrong answer"),
    "list_content": Problem(
        "render",
        "error",
        "the content of a user turn is a list",
        f"Qwen3-Omni's chat template removes the chain: {_LOST}",
    ),
    "chain_lost": Problem("render", "error", "the rendered text does not hold the chain", _LOST),
    "earlier_chain": Problem(
        "render", "warning", "a chain in an earlier answer", "Qwen3-Omni's chat template removes it from the history"
    ),
}
PROBLEMS = with_mends("cot-messages", PROBLEMS)


class Rows:
    """Validates rows one by one."""

    def __init__(self, *, task: str | None = None, files: bool = True) -> None:
        self.structured, self.files = task == "structured", files

    def check(self, number: int, row: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield the findings of one row."""
        for code, detail, column, value in self._faults(row):
            yield finding(PROBLEMS, code, number, detail=detail, column=column, value=value)

    def _faults(self, row: Mapping[str, Any]) -> Iterator[tuple[str, str, str, Any]]:
        messages = row.get("messages")
        if not _is_conversation(messages):
            yield "no_messages", "", "messages", messages
            return
        yield from self._media(row, messages)
        if messages[-1]["role"] != "assistant" or not isinstance(messages[-1]["content"], str):
            yield "last_not_assistant", "", "messages", messages[-1]["role"]
            return
        answer = messages[-1]["content"]
        parts, faults = parts_of(answer)
        for code, detail in [*faults, *plain_faults(parts.chain, is_plain=parts.is_plain, structured=self.structured)]:
            yield code, detail, "messages", None
        if parts.response is not None:
            for code, detail in choice_faults(parts.response, row.get("answer"), row.get("choices")):
                yield code, detail, "messages", parts.response.strip()
        yield from _render_faults(messages, parts.chain)

    def _media(self, row: Mapping[str, Any], messages: Any) -> Iterator[tuple[str, str, str, Any]]:
        texts = "\n".join(turn["content"] for turn in messages if isinstance(turn["content"], str))
        for kind in KINDS:
            paths = row.get(kind) or []
            paths = [paths] if isinstance(paths, str) else paths
            tag = f"<{kind[:-1]}>"
            if texts.count(tag) != len(paths):
                yield "tag_mismatch", f"{texts.count(tag)} {tag} for {len(paths)} {kind}", kind, None
            if self.files:
                yield from (("missing_file", "", kind, path) for path in paths if not is_file(str(path)))


def _is_conversation(messages: Any) -> TypeGuard[list[Mapping[str, Any]]]:
    return (
        isinstance(messages, list)
        and bool(messages)
        and all(isinstance(turn, Mapping) and {"role", "content"} <= turn.keys() for turn in messages)
    )


def plain_faults(chain: str | None, *, is_plain: bool, structured: bool) -> Iterator[Fault]:
    """Whether a chain has no sections."""
    if chain is not None and chain.strip() and is_plain:
        yield ("no_sections" if structured else "plain_chain"), ""


def choice_faults(response: str, answer: Any, choices: Any) -> Iterator[Fault]:
    """Whether a response names one choice, and that of the answer; nothing for a question without choices."""
    if not isinstance(choices, list) or not isinstance(answer, str) or not choices:
        return
    listed = [str(choice) for choice in choices]
    key = [choice for choice in listed if words_of(choice) == words_of(answer)] or options_in(answer, listed)
    if len(set(key)) != 1:
        yield "key_not_a_choice", answer
        return
    named = set(options_in(response, listed))
    if len(named) != 1:
        yield "unclear_choice", " and ".join(sorted(named)) or "none is named"
    elif named != set(key):
        yield "wrong_choice", f"{named.pop()!r} for {key[0]!r}"


def _render_faults(messages: Any, chain: str | None) -> Iterator[tuple[str, str, str, Any]]:
    if any(turn["role"] == "user" and isinstance(turn["content"], list) for turn in messages):
        yield "list_content", "", "messages", None
    written = rendered(messages)
    if chain is not None and chain.strip() and chain.strip() not in written[-1]:
        yield "chain_lost", "", "messages", None
    for turn, text in zip([turn for turn in messages if turn["role"] == "assistant"][:-1], written, strict=False):
        if isinstance(turn["content"], str) and "</think>" in turn["content"] and "</think>" not in text:
            yield "earlier_chain", "", "messages", None


def detect_task(rows: Collection[Mapping[str, Any]]) -> str | None:
    """Return None: that chains must have sections is for whoever validates to say."""
    return None


def shape(columns: Mapping[str, str]) -> dict[str, str]:
    """Return what the findings of a row depend on: the texts as a whole; see `shape_sql`."""
    return {name: identifier(name) for name in columns if name in ("messages", "answer", "choices", *KINDS)}
