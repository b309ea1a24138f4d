"""Samples as rows of a view, each held against the rules of its format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...validators.formats import FORMATS as VALIDATORS
from ..views import Skip, View, ViewOptions
from ..views.prompts import NEVER_AN_ANSWER, check_template, field_of
from .inputs import Found, Sample
from .result import Problem

SKIPPED: Mapping[str, str] = {
    "no_answer": "nothing answers: no text, answer, labels, translation or solution, as the task has it",
    "no_prompt": "nothing is asked: the task has no prompt for this modality, or the question is blank",
    "no_media": "no audio, video or image",
    "no_text": "a text row without text",
    "tag_mismatch": "the tags of the conversation fit its media in no order, or stand in an answer",
    "more_than_one_medium": "a unified row has one audio and one video at most",
    "image_unsupported": "a unified row has no image",
    "span_unsupported": "the format knows no spans of media: `triptych import`, then `triptych export` cuts them",
}
"""What the reason codes of views say of a row."""


@dataclass(slots=True)
class Made:
    """A row of the output, and where its sample came from; `leaks` if the user turn holds the answer."""

    row: dict[str, Any]
    where: str
    leaks: bool = False


def make_rows(
    samples: Iterable[Found | Problem], view: View, options: ViewOptions, *, files: bool, warnings: Counter[str]
) -> Iterator[Made | Problem]:
    """The row of every sample; what the view has no row for, or the consumer would lose, is a `Problem`.

    Args:
        files: Whether the media named must exist.
        warnings: Counts, by code, what the consumer would use otherwise than it reads.
    """
    validator = VALIDATORS[view.format].Rows(task=options.task, files=files)
    fields = _told_fields(options)
    number = 0
    for found in samples:
        if isinstance(found, Problem):
            yield found
            continue
        row = _row(found.sample, view, options)
        if isinstance(row, Skip):
            yield Problem(found.where, row.reason, SKIPPED.get(row.reason, row.reason))
            continue
        number += 1
        findings = list(validator.check(number, row))
        error = next((finding for finding in findings if finding.severity == "error"), None)
        if error is not None:
            value = f": {error.value}" if error.value else ""
            yield Problem(found.where, error.code, f"{error.message}{value}")
            continue
        warnings.update(finding.code for finding in findings)
        yield Made(row, found.where, _leaks(found.sample, fields, row, options))


def _row(sample: Sample, view: View, options: ViewOptions) -> dict[str, Any] | Skip:
    if sample.get("start_s") is not None or sample.get("end_s") is not None:
        return Skip("span_unsupported")
    return view.row(sample, options)


def _told_fields(options: ViewOptions) -> list[str]:
    """The fields of the user template that could give the answer away."""
    if options.user_template is None or options.allow_answer_in_prompt:
        return []
    return [name for name in check_template(options.user_template) if name not in NEVER_AN_ANSWER]


def _leaks(sample: Sample, fields: list[str], row: Mapping[str, Any], options: ViewOptions) -> bool:
    if not fields or sample.get("messages"):
        return False
    answer = row["solution"] if options.task == "grpo" else row["messages"][-1]["content"]
    return any(answer in (field_of(name, sample, options) or "") for name in fields)
