"""AIR-Bench chat: a response beside a reference, judged on a description of the sound.

As its script has it (OFA-Sys/AIR-Bench, score_chat.py): the judge reads the description, the question and two answers,
and gives each a score of 1 to 10 for helpfulness, relevance, accuracy and comprehensiveness, as two numbers on one
line; 0 is given, too. Its README adds that both are judged again in the other order; the score of a response is the
mean of the two. The script draws a temperature of 1 or 2 for each; here it is one for all. The words below are ours;
`--judge-prompt` takes others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .cases import Call, Case, NoJudgementError
from .options import filled

NAME = "airbench"
FIELDS = ("description", "question", "first", "second")
TEMPERATURE, SEED, MOST_TOKENS = 1.0, 42, 1024
HIGHEST = 10
PROMPT = """\
You compare two answers to a question about a recording, and you are fair and exact.

[What is heard in the recording]
{description}

[Question]
{question}

[Answer of assistant 1]
{first}
[End of the answer of assistant 1]

[Answer of assistant 2]
{second}
[End of the answer of assistant 2]

[Your task]
Both assistants heard the recording that is described above. Judge how helpful, relevant, accurate and comprehensive
each answer is, and give each a whole number from 1 to 10 for all of it together; more is better.
Write one line with two numbers and nothing else: the score of assistant 1, a space, the score of assistant 2.
"""


def case(
    id: str, *, description: str, question: str, reference: str, response: str, model: str, prompt: str | None,
    temperature: float | None,
) -> Case:  # fmt: skip
    """The two calls about one response; their scores are those of the response and of the reference."""
    calls = []
    orders = (("reference first", reference, response, _second_first), ("response first", response, reference, _scores))
    for name, first, second, read in orders:
        told = {"description": description, "question": question, "first": first, "second": second}
        body: Mapping[str, Any] = {
            "model": model,
            "messages": [{"role": "user", "content": filled(prompt or PROMPT, told)}],
            "temperature": TEMPERATURE if temperature is None else temperature,
            "seed": SEED,
            "max_tokens": MOST_TOKENS,
        }
        calls.append(Call(name, body, read))
    return Case(id, NAME, tuple(calls))


def _scores(said: str) -> tuple[float, ...]:
    """The two numbers of an answer."""
    parts = said.split()
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() and int(part) <= HIGHEST for part in parts):
        raise NoJudgementError(f"two whole numbers up to {HIGHEST} are expected")
    return float(parts[0]), float(parts[1])


def _second_first(said: str) -> tuple[float, ...]:
    return _scores(said)[::-1]
