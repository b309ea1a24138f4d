"""The parts of a completion: the chain of thought, and the answer behind it."""

from __future__ import annotations

import re

_OPEN, _CLOSE = re.compile(r"<think>", re.IGNORECASE), re.compile(r"</think>", re.IGNORECASE)
_BODY = re.compile(r"<(answer|response)>(.*?)</\1>", re.IGNORECASE | re.DOTALL)
_MARKUP = re.compile(r"</?(?:think|planning|caption|reasoning|summary|response|answer)>", re.IGNORECASE)


def chain_and_answer(text: str) -> tuple[str | None, str]:
    """The chain of thought of a completion without its tags, None if it has none, and what it answers.

    The answer is the last `<answer>` or `<RESPONSE>`, else all that follows the chain; a chain without an end has none.
    Templates may open the chain themselves, so that a completion has only its end.
    """
    ends = [*_CLOSE.finditer(text)]
    chain = text[: ends[-1].start()] if ends else None
    said = text[ends[-1].end() :] if ends else text
    if opened := _OPEN.search(said):
        return _MARKUP.sub(" ", said[opened.end() :]).strip(), ""
    bodies = [match[2].strip() for match in _BODY.finditer(said)]
    return None if chain is None else _MARKUP.sub(" ", chain).strip(), bodies[-1] if bodies else said
