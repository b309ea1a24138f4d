"""The ratings of an evaluation's rows: which are judged, what the judge must know of each, and what it gave."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...validators.formats.evaluation.challenge import LONGEST
from ...validators.metrics.answers import names_choice
from ..evaluation.match import name_of
from ..evaluation.predictions import Prediction
from ..evaluation.references import DESCRIPTION, RUBRIC, Reference
from . import airbench, rubrics
from .cases import Case
from .judge import Judged, Ratings, judge
from .options import JudgeOptions, prompt_of
from .submission import chain_of

Key = tuple[str, str, str, str]
"""A metric, the place of a row, and the chain and the answer that were judged."""


@dataclass(frozen=True, slots=True)
class Found:
    """The ratings of the rows, the rows that are not evaluated and why, what it cost, and what else must be known."""

    ratings: Mapping[Key, Ratings] = field(default_factory=dict)
    not_evaluated: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def rating_key(metric: str, reference: Reference, prediction: Prediction) -> Key:
    """What the ratings of a prediction are found by."""
    return metric, reference.where, *chain_of(prediction)


def rate(
    pairs: Iterable[tuple[Reference, Prediction | None, Sequence[str]]], options: JudgeOptions, path: Path,
    progress: Callable[[int, int], None] | None = None,
) -> Found:  # fmt: skip
    """Judge the predictions of these rows by the metrics of each.

    Raises:
        UsageError: A row lacks what the judge must know.
        NetworkError: The judge cannot be reached; what was judged is kept.
    """
    keys: list[Key] = []
    cases: list[Case] = []
    long = 0
    prompts = {
        name: prompt_of(options.judge_prompt, module.FIELDS)
        for name, module in (("rubrics", rubrics), ("airbench", airbench)) if name in {*_names(pairs := list(pairs))}
    }  # fmt: skip
    for reference, prediction, names in pairs:
        for name in names:
            if name not in prompts or prediction is None or prediction.prediction is None:
                continue
            chain, answer = chain_of(prediction)
            if name == "rubrics":
                if not names_choice(answer, reference.answer, reference.choices):
                    continue
                long += max(len(chain), len(answer)) >= LONGEST
                found = _rubrics(reference, chain, answer, options, prompts[name])
            else:
                found = _airbench(reference, answer, options, prompts[name])
            keys.append(rating_key(name, reference, prediction))
            cases.append(found)
    judged = judge(cases, options, path, progress)
    ratings = {key: each for key, each in zip(keys, judged.ratings, strict=True) if each is not None}
    return Found(ratings, judged.errors, _about(options, cases, judged), tuple(_notes(judged, long)))


def _names(pairs: Iterable[tuple[Reference, Prediction | None, Sequence[str]]]) -> Iterator[str]:
    for _, _, names in pairs:
        yield from names


def _rubrics(reference: Reference, chain: str, answer: str, options: JudgeOptions, prompt: str | None) -> Case:
    return rubrics.case(
        name_of(reference), question=reference.question or "", answer=reference.answer,
        reasoning=reference.chain or "", points=rubrics.points_of(_told(reference, RUBRIC), reference.where),
        chain=chain, response=answer, model=str(options.judge_model), prompt=prompt,
        temperature=options.judge_temperature,
    )  # fmt: skip


def _airbench(reference: Reference, response: str, options: JudgeOptions, prompt: str | None) -> Case:
    return airbench.case(
        name_of(reference), description=_told(reference, DESCRIPTION), question=reference.question or "",
        reference=reference.answer, response=response, model=str(options.judge_model), prompt=prompt,
        temperature=options.judge_temperature,
    )  # fmt: skip


def _told(reference: Reference, column: str) -> str:
    value = reference.columns.get(column)
    if not value or not value.strip():
        raise UsageError(
            f"{reference.where}: the row has no {column}, which the judge must know.",
            hint="leave the metric out of --metrics, or evaluate rows that have it",
        )
    return value


def _about(options: JudgeOptions, cases: Sequence[Case], judged: Judged) -> dict[str, Any]:
    from ..inference.backends.server_client import without_login

    return {
        "model": options.judge_model, "server": None if options.judge is None else without_login(options.judge),
        "rows": len(cases), "asked": judged.asked, **judged.tokens,
    }  # fmt: skip


def _notes(judged: Judged, long: int) -> Iterator[str]:
    told = [f"{count:,} {name.replace('_', ' ')}" for name, count in judged.tokens.items() if count]
    if judged.asked or told:
        yield f"the judge was asked {judged.asked:,} times now; all judgements together took " + (
            " and ".join(told) or "tokens that its server does not count"
        )
    if long:
        yield (
            f"{long:,} answers have {LONGEST:,} characters or more: the challenge's script says that it skips "
            "them, and judges them all the same; so it is here"
        )
