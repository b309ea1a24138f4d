"""The chain of thought in an answer: `<think>`, four sections, `</think>`, `<RESPONSE>`; what is wrong with one.

    <think>
    <PLANNING>...</PLANNING> <CAPTION>...</CAPTION> <REASONING>...</REASONING> <SUMMARY>...</SUMMARY>
    </think>

    <RESPONSE>...</RESPONSE>

Tags are those of Audio-Reasoner, with the outer one in the lower case of Qwen3, whose tokenizer knows it. Case is not
checked elsewhere. A chain without any section is a plain one.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

SECTIONS = ("planning", "caption", "reasoning", "summary")
Fault = tuple[str, str]
"""The code of a problem, and its detail."""

_TAG = re.compile(r"<(/?)(think|planning|caption|reasoning|summary|response)>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Parts:
    """What an answer consists of, as far as its tags fit together.

    Attributes:
        chain: What stands in `<think>`; None if there is no such pair.
        response: What stands in `<RESPONSE>`; None if there is none.
        is_plain: Whether the chain has no tag of a section.
    """

    chain: str | None
    response: str | None
    is_plain: bool


def parts_of(answer: str) -> tuple[Parts, list[Fault]]:
    """Take an answer apart, with every fault of its tags."""
    faults: list[Fault] = []
    think = _pair(answer, "think", faults)
    response = _pair(answer, "response", faults)
    chain = None if think is None else answer[think[1] : think[2]]
    if think is None and not any(code.endswith("think") for code, _ in faults):
        faults.append(("no_think", ""))
    if response is None and not any(code.endswith("response") for code, _ in faults):
        faults.append(("no_response", ""))
    if think is not None:
        if answer[think[0] : think[1]] != "<think>" or answer[think[2] : think[3]] != "</think>":
            faults.append(("think_case", answer[think[0] : think[1]]))
        faults += _outside(answer, think, response)
    said = None if response is None else answer[response[1] : response[2]]
    if said is not None and not said.strip():
        faults.append(("empty_response", ""))
    names = {match[2].lower() for match in _TAG.finditer(chain if chain is not None else answer)} & {*SECTIONS}
    if chain is not None:
        faults += _sections(chain) if names else [] if chain.strip() else [("empty_chain", "")]
    return Parts(chain, said, not names), faults


def _pair(text: str, name: str, faults: list[Fault]) -> tuple[int, int, int, int] | None:
    """Where the only pair of a tag is: its start, its inside, its end; None if there is not exactly one."""
    tags = [match for match in _TAG.finditer(text) if match[2].lower() == name]
    kinds = "".join(match[1] or "<" for match in tags)
    if kinds == "</":
        return tags[0].start(), tags[0].end(), tags[1].start(), tags[1].end()
    if kinds:
        shown = " ".join(match[0] for match in tags)
        faults.append((f"several_{name}" if kinds.count("<") > 1 else f"broken_{name}", shown))
    return None


def _outside(
    answer: str, think: tuple[int, int, int, int], response: tuple[int, int, int, int] | None
) -> Iterator[Fault]:
    """What stands before, between and after the two pairs."""
    if response is None:
        return
    if think[0] < response[0] < think[3]:
        yield "response_in_think", ""
        return
    if response[0] < think[0]:
        yield "response_not_last", "the chain comes after it"
        return
    for text in (answer[: think[0]], answer[think[3] : response[0]]):
        if text.strip():
            yield "text_between", text.strip()
    if answer[response[3] :].strip():
        yield "response_not_last", answer[response[3] :].strip()


def _sections(chain: str) -> Iterator[Fault]:
    found: list[Fault] = []
    places = {name: _pair(chain, name, found) for name in SECTIONS}
    for code, shown in found:
        yield ("repeated_section" if code.startswith("several_") else "broken_section"), shown
    told = {match[2].lower() for match in _TAG.finditer(chain)}
    for name in SECTIONS:
        if name not in told:
            yield "missing_section", name.upper()
    spans = [(place, name) for name in SECTIONS if (place := places[name]) is not None]
    for place, name in spans:
        if not chain[place[1] : place[2]].strip():
            yield "empty_section", name.upper()
    for (one, name), (other, following) in itertools.pairwise(spans):
        if other[0] < one[0]:
            yield "section_order", f"{following.upper()} before {name.upper()}"
        elif other[0] < one[3]:
            yield "section_overlap", f"{following.upper()} in {name.upper()}"
    if len(spans) == len(SECTIONS):
        edges = sorted(place for place, _ in spans)
        starts = [0, *(place[3] for place in edges)]
        ends = [*(place[0] for place in edges), len(chain)]
        for start, end in zip(starts, ends, strict=True):
            if chain[start:end].strip():
                yield "text_between", chain[start:end].strip()


# ---- choices

_STATED = re.compile(
    r"(?:\banswer\b|\boption\b|\bchoice\b|答案|选项)\s*(?:is|should be|would be|是|为|应为)?\s*[:：]?\s*[*(（]*"
    r"([A-Z])(?![A-Za-z0-9'’])",
    re.IGNORECASE,
)
_ALONE = re.compile(r"\s*[(（]?([A-Z])(?:[)）.:：、]|\s|$)")
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff]")


def options_in(response: str, choices: Sequence[str]) -> list[str]:
    """The options that a response names: by letter where it states one as its answer, else by their words.

    An option whose words are part of a longer one that is named, too (`man` in `old man`), is not.
    """
    stated = [*_STATED.finditer(response)] or [match for match in [_ALONE.match(response)] if match is not None]
    letters = {match[1] for match in stated if match[1].isupper() and not _begins(response[match.start(1) :], choices)}
    if letters:
        places = {ord(letter) - ord("A") for letter in letters}
        return [choice for place, choice in enumerate(choices) if place in places]
    said = f" {' '.join(words_of(response))} "
    named = {choice: words for choice in choices if (words := " ".join(words_of(choice))) and _says(said, words)}
    return [
        choice for choice, words in named.items()
        if not any(words != longer and _says(f" {longer} ", words) for longer in named.values())
    ]  # fmt: skip


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, as benchmarks of questions with choices compare them."""
    return re.findall(r"\w+", text.lower())


def _begins(text: str, choices: Sequence[str]) -> bool:
    """Whether a text begins with one of the options: `A man` begins no list, and `A` is one of A and B."""
    return any(text.lower().startswith(choice.lower()) for choice in choices if choice)


def _says(said: str, words: str) -> bool:
    """Whether these words stand in a text; between letters of scripts without spaces too."""
    return (words if _UNSPACED.search(words) else f" {words} ") in said


# ---- chat template


def rendered(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """The answers as Qwen3-Omni's chat template writes them, in order.

    The template keeps reasoning only in answers after the last user turn whose content is a text: with content parts in
    every user turn it finds none and removes all reasoning; with a text, it adds an empty block to a last answer that
    has none.
    """
    asked = [place for place, turn in enumerate(messages) if _asks(turn)]
    last = asked[-1] if asked else len(messages) - 1
    found = []
    for place, turn in enumerate(messages):
        if turn.get("role") != "assistant":
            continue
        content = turn.get("content")
        text, thought = content if isinstance(content, str) else "", ""
        if "</think>" in text:
            thought = text.split("</think>")[0].rstrip("\n").split("<think>")[-1].lstrip("\n")
            text = text.split("</think>")[-1].lstrip("\n")
        if place > last and (place == len(messages) - 1 or thought):
            thought = thought.strip("\n")
            text = f"<think>\n{thought}\n</think>\n\n" + text.lstrip("\n")
        found.append(text)
    return found


def _asks(turn: Mapping[str, Any]) -> bool:
    """Whether the template takes a turn for a question: a text of the user that is no result of a tool."""
    content = turn.get("content")
    if turn.get("role") != "user" or not isinstance(content, str):
        return False
    return not (content.startswith("<tool_response>") and content.endswith("</tool_response>"))
