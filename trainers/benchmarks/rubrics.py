"""The rubrics of the Audio Reasoning Challenge: whether a chain of thought makes the points that its question asks for.

As the script of MMAR-Rubrics has it (ddlBoJack/MMAR, code/evaluation_rubrics.py): the judge reads the question, the
right answer, the reasoning of the authors and the points of the item, then the chain and the answer that are judged; it
gives each point one of its allowed scores, as a JSON list. It is asked five times, at temperature 0 with one seed. The
words below are ours; `--judge-prompt` takes others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from ...errors import UsageError
from .cases import Call, Case, NoJudgementError
from .options import filled

NAME = "rubrics"
FIELDS = ("question", "answer", "reasoning", "points", "form", "chain", "response")
CALLS, TEMPERATURE, SEED = 5, 0.0, 42
SYSTEM = """\
You judge how a model reasoned about a recording, impartially and with care. You keep strictly to the right answer, \
the reference reasoning and the scoring rules that you are given."""
PROMPT = """\
## The question

Question: {question}
Right answer: {answer}
Reasoning of an expert, for reference: {reasoning}

## The points

Score every point by what the model's reasoning says.

{points}

## What you write

One JSON list with one object for each point, in the order above, and nothing before or after it:

{form}

## What is judged

{chain} The answer is {response}.
"""
_LIST = re.compile(r"\[\s*\{.*\}\s*\]", re.DOTALL)


def points_of(text: str, where: str) -> list[dict[str, Any]]:
    """The points of an item, from the JSON of its field `rubric`.

    Raises:
        UsageError: It is none: a list of `name`, `scoring_point` and `choices`, the allowed scores.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise UsageError(f"{where}: column rubric: invalid JSON: {error}.") from error
    if not isinstance(found, list) or not found or not all(map(_is_point, found)):
        raise UsageError(
            f"{where}: column rubric: expected a list of points with name, scoring_point and choices, got {text[:80]}."
        )
    return found


def _is_point(point: Any) -> bool:
    if not isinstance(point, dict) or not all(isinstance(point.get(key), str) for key in ("name", "scoring_point")):
        return False
    allowed = point.get("choices")
    return isinstance(allowed, list) and bool(allowed) and all(map(_is_number, allowed))


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def case(
    id: str, *, question: str, answer: str, reasoning: str, points: Sequence[Mapping[str, Any]], chain: str,
    response: str, model: str, prompt: str | None, temperature: float | None,
) -> Case:  # fmt: skip
    """The five calls about one item; the score of each is the share of the points that were given."""
    told = {
        "question": question, "answer": answer, "reasoning": reasoning, "chain": chain, "response": response,
        "points": "\n\n".join(map(_point, points)), "form": _form(points),
    }  # fmt: skip
    body = {
        "model": model,
        "messages": [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": filled(prompt or PROMPT, told)},
        ],
        "temperature": TEMPERATURE if temperature is None else temperature,
        "seed": SEED,
    }

    def read(said: str) -> tuple[float, ...]:
        return (rating(said, points),)

    return Case(id, NAME, tuple(Call(str(number), body, read) for number in range(1, CALLS + 1)))


def _point(point: Mapping[str, Any]) -> str:
    return f"### {point['name']}\nRule: {point['scoring_point']}\nAllowed scores: {point['choices']}"


def _form(points: Sequence[Mapping[str, Any]]) -> str:
    shown = [
        f'{{"name": {json.dumps(point["name"], ensure_ascii=False)}, "score": one of {point["choices"]}, '
        '"justification": "at most 50 words, with evidence from the reasoning"}'
        for point in points
    ]
    return "[\n" + ",\n".join(shown) + "\n]"


def rating(said: str, points: Sequence[Mapping[str, Any]]) -> float:
    """The share of the points that an answer gives.

    Raises:
        NoJudgementError: It is no list with an allowed score for each point.
    """
    found = _LIST.search(said)
    try:
        given = json.loads(found[0] if found else said)
    except ValueError as error:
        raise NoJudgementError("invalid JSON") from error
    if not isinstance(given, list) or len(given) != len(points):
        raise NoJudgementError(f"a list of {len(points)} scores is expected")
    scores: list[float] = []
    for each, point in zip(given, points, strict=True):
        score = each.get("score") if isinstance(each, dict) and "name" in each else None
        if not _is_number(score) or score not in point["choices"]:
            raise NoJudgementError(f"{point['name']}: {score!r} is none of {point['choices']}")
        scores.append(score)
    most = sum(max(point["choices"]) for point in points)
    return sum(scores) / most if most else 0.0
