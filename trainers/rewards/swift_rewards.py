"""Rewards for MS-SWIFT's GRPO: `--external_plugins swift_rewards.py --reward_funcs triptych_answer`.

This file stands alone: it needs MS-SWIFT and nothing else, and may be copied to where training runs. It reads columns
of the rows that `triptych export msswift --task grpo` writes: `solution`, `task`, `language` and `choices`.

    triptych_wer      1 - word error rate, at least 0
    triptych_cer      1 - character error rate, at least 0
    triptych_choice   1 if the answer names the right choice and no other
    triptych_rouge    ROUGE-L: F1 of the longest common subsequence of words
    triptych_equal    1 if the answer is the solution, but for case, punctuation and spaces
    triptych_answer   one of them for each row: choices, else by task: words or characters of a transcript by its
                      language, ROUGE-L of translations and descriptions, equality of all other answers
    triptych_format   1 for `<think>...</think><answer>...</answer>` and nothing else
    triptych_tagged   1 for `<answer>...</answer>` and nothing else

The answer of a completion is what stands in `<answer>`, else what follows its reasoning. A row without a solution has
no reward (None), which MS-SWIFT leaves out of its means.

Sources: word error rate is (substitutions + deletions + insertions) / words of the reference, by edit distance (Wagner
and Fischer, The String-to-String Correction Problem, 1974); the rule of choices is that of the scoring of the benchmark
MMAR; the formats are those of MS-SWIFT 4.6 and of r1-aqa.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

UNSPACED = frozenset({"zh", "cmn", "yue", "wuu", "ja", "th", "lo", "km", "my", "bo"})
"""Languages written without spaces between words: characters are compared."""

FREE = frozenset({"s2tt", "captioning", "aac", "vsc"})
"""Tasks whose answer can be said in other words."""

_FORMAT = re.compile(r"<think>.*?</think>\s*<answer>.*?</answer>", re.DOTALL)
_TAGGED = re.compile(r"<answer>.*?</answer>", re.DOTALL)
_BODY = re.compile(r"<answer>(.*?)</answer>", re.DOTALL)


def answer_of(completion: str) -> str:
    """What a completion answers: the last `<answer>`, else the text after its reasoning."""
    after = completion.rpartition("</think>")[2] if "</think>" in completion else completion
    bodies = _BODY.findall(after)
    # Reasoning that was cut off before its end has no answer behind it.
    unfinished = "<think>" in after
    return "" if unfinished else (bodies[-1] if bodies else after).strip()


def plain(text: str) -> str:
    """A text without case, punctuation and repeated spaces; apostrophes and hyphens within words stay."""
    text = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    kept = [
        each if unicodedata.category(each)[0] in "LMN" or (each in "'-" and _is_within(text, place)) else " "
        for place, each in enumerate(text)
    ]
    return " ".join("".join(kept).split())


def _is_within(text: str, place: int) -> bool:
    return text[place - 1 : place].isalnum() and text[place + 1 : place + 2].isalnum()


def edits(reference: Sequence[str], hypothesis: Sequence[str]) -> int:
    """The least number of substitutions, deletions and insertions that make one of the other."""
    row = list(range(len(hypothesis) + 1))
    for count, wanted in enumerate(reference, start=1):
        diagonal, row[0] = row[0], count
        for place, had in enumerate(hypothesis, start=1):
            diagonal, row[place] = row[place], min(diagonal + (wanted != had), row[place] + 1, row[place - 1] + 1)
    return row[-1]


def word_reward(answer: str, solution: str) -> float:
    """1 - word error rate, at least 0."""
    return _rate(plain(answer).split(), plain(solution).split())


def character_reward(answer: str, solution: str) -> float:
    """1 - character error rate, at least 0; spaces do not count."""
    return _rate(plain(answer).replace(" ", ""), plain(solution).replace(" ", ""))


def _rate(hypothesis: Sequence[str], reference: Sequence[str]) -> float:
    if not reference:
        return float(not hypothesis)
    return max(0.0, 1 - edits(reference, hypothesis) / len(reference))


def rouge_reward(answer: str, solution: str) -> float:
    """F1 of the longest common subsequence of words, or of characters where the solution has no spaces."""
    split: Any = list if _is_unspaced(solution) else re.compile(r"\w+").findall
    said, right = split(answer.lower()), split(solution.lower())
    common = _common(said, right)
    return 2 * common / (len(said) + len(right)) if common else 0.0


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    row = [0] * (len(other) + 1)
    for left in one:
        diagonal = 0
        for place, right in enumerate(other, start=1):
            above = row[place]
            row[place] = diagonal + 1 if left == right else max(above, row[place - 1])
            diagonal = above
    return row[-1]


def choice_reward(answer: str, solution: str, choices: Sequence[str]) -> float:
    """1 if every word of the solution is in the answer, and no word that only a wrong choice has."""
    said, right = _words(answer), _words(solution)
    wrong = set().union(*(_words(choice) for choice in choices if _words(choice) != right)) - right
    return float(bool(said) and right <= said and not wrong & said)


def _words(text: str) -> set[str]:
    return set(re.findall(r"\b\w+\b", text.lower()))


def equal_reward(answer: str, solution: str) -> float:
    """1 if both are the same but for case, punctuation and spaces."""
    return float(plain(answer) == plain(solution))


def answer_reward(answer: str, solution: str, task: str | None, language: str | None, choices: Any) -> float:
    """The reward that fits a row."""
    if choices:
        return choice_reward(answer, solution, choices)
    if task == "asr":
        primary = re.split("[-_]", (language or "").lower())[0]
        by_characters = primary in UNSPACED or (not primary and _is_unspaced(solution))
        return (character_reward if by_characters else word_reward)(answer, solution)
    return (rouge_reward if task in FREE else equal_reward)(answer, solution)


def _is_unspaced(text: str) -> bool:
    return re.search("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]", text) is not None


class Reward:
    """A reward as MS-SWIFT calls it: a list of completions, and a list for each column of the rows."""

    def __init__(self, args: Any = None, **kwargs: Any) -> None:
        """MS-SWIFT passes its arguments; these rewards need none of them."""

    def __call__(self, completions: Sequence[str], **columns: Any) -> list[float | None]:
        """One reward for each completion; None for a row without a solution."""
        count = len(completions)
        solutions = columns.get("solution") or [None] * count
        tasks, languages, choices = (columns.get(name) or [None] * count for name in ("task", "language", "choices"))
        rows = zip(completions, solutions, tasks, languages, choices, strict=True)
        return [
            None if not isinstance(solution, str) or not solution.strip()
            else self.reward(answer_of(completion), answer_of(solution), task, language, options)
            for completion, solution, task, language, options in rows
        ]  # fmt: skip

    def reward(self, answer: str, solution: str, task: str | None, language: str | None, choices: Any) -> float | None:
        """The reward of one answer."""
        raise NotImplementedError


class Wer(Reward):
    def reward(self, answer: str, solution: str, task: str | None, language: str | None, choices: Any) -> float | None:
        return word_reward(answer, solution)


class Cer(Reward):
    def reward(self, answer: str, solution: str, task: str | None, language: str | None, choices: Any) -> float | None:
        return character_reward(answer, solution)


class Choice(Reward):
    """Rows without choices have no such reward."""

    def reward(self, answer: str, solution: str, task: str | None, language: str | None, choices: Any) -> float | None:
        return choice_reward(answer, solution, choices) if choices else None


class Rouge(Reward):
    def reward(self, answer: str, solution: str, task: str | None, language: str | None, choices: Any) -> float | None:
        return rouge_reward(answer, solution)


class Equal(Reward):
    def reward(self, answer: str, solution: str, task: str | None, language: str | None, choices: Any) -> float | None:
        return equal_reward(answer, solution)


class Answer(Reward):
    def reward(self, answer: str, solution: str, task: str | None, language: str | None, choices: Any) -> float | None:
        return answer_reward(answer, solution, task, language, choices)


class Format(Reward):
    """As MS-SWIFT's own `format`, which takes further pairs of tags within the last body for a part of it."""

    pattern = _FORMAT

    def __call__(self, completions: Sequence[str], **columns: Any) -> list[float | None]:
        return [float(self.pattern.fullmatch(completion) is not None) for completion in completions]


class Tagged(Format):
    pattern = _TAGGED


REWARDS = {
    "triptych_wer": Wer,
    "triptych_cer": Cer,
    "triptych_choice": Choice,
    "triptych_rouge": Rouge,
    "triptych_equal": Equal,
    "triptych_answer": Answer,
    "triptych_format": Format,
    "triptych_tagged": Tagged,
}

try:
    from swift.rewards import orms
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "swift.rewards is not here: this file is for MS-SWIFT 4 (pip install ms-swift), which loads it with "
        "--external_plugins.",
        name=error.name,
    ) from error
orms.update(REWARDS)
