"""Samples as rows of a view, each held against the rules of its format."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...shards.exports.versions import MEDIA_COLUMNS
from ...validators.formats import FORMATS as VALIDATORS
from ...validators.formats import Finding
from ..views import View, ViewOptions
from ..views.batch import BatchRow, RowMaker
from .inputs import Found
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


BATCH_ROWS = 2048
BATCH_CHARACTERS = 400_000
"""A batch of rows made at once ends at either: memory stays flat where rows are long."""


KNOWN_SHAPES = 10_000


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
    check = _Check(view, options, files=files)
    number = 0
    with RowMaker(view, options) as maker:
        for made in _batches(samples, maker):
            if isinstance(made, Problem):
                yield made
                continue
            found, row = made
            number += 1
            findings = check(number, row)
            error = next((finding for finding in findings if finding.severity == "error"), None)
            if error is not None:
                value = f": {error.value}" if error.value else ""
                yield Problem(found.where, error.code, f"{error.message}{value}")
                continue
            warnings.update(finding.code for finding in findings)
            yield Made(row.row, found.where, row.gives_it_away)


class _Check:
    """The findings of rows: rows of one shape have the same, so that most need a look at their files alone."""

    def __init__(self, view: View, options: ViewOptions, *, files: bool) -> None:
        self._format = VALIDATORS[view.format] if view.format else None
        self._columns = MEDIA_COLUMNS if view.media_columns is None else view.media_columns
        self._task, self._files = options.task, files
        self._of_shape: dict[str, list[Finding]] = {}

    def __call__(self, number: int, made: BatchRow) -> list[Finding]:
        if self._format is None:
            return []
        found = self._of_shape.get(made.shape)
        if found is None:
            found = list(self._format.Rows(task=self._task, files=False).check(1, json.loads(made.shape)))
            if len(self._of_shape) < KNOWN_SHAPES:
                self._of_shape[made.shape] = found
        if all(each.severity == "warning" for each in found) and (not self._files or self._are_there(made.row)):
            return found
        return list(self._format.Rows(task=self._task, files=self._files).check(number, made.row))

    def _are_there(self, row: Mapping[str, Any]) -> bool:
        values = (row.get(column) for column in self._columns)
        paths = (path for value in values if value for path in ([value] if isinstance(value, str) else value))
        return all(os.path.isfile(path) for path in paths)  # noqa: PTH113 (once a row: ten times quicker)


def _batches(samples: Iterable[Found | Problem], maker: RowMaker) -> Iterator[Problem | tuple[Found, BatchRow]]:
    """Every sample with its row, or why there is none, in order; so many samples at once as a batch holds."""
    items: list[Found | Problem] = []
    held = characters = 0
    for item in samples:
        items.append(item)
        if isinstance(item, Found):
            held += 1
            characters += sum(len(value) for value in item.sample.values() if isinstance(value, str))
        if held >= BATCH_ROWS or characters >= BATCH_CHARACTERS or len(items) > 4 * BATCH_ROWS:
            yield from _made(items, maker)
            items, held, characters = [], 0, 0
    yield from _made(items, maker)


def _made(items: list[Found | Problem], maker: RowMaker) -> Iterator[Problem | tuple[Found, BatchRow]]:
    rows = iter(_rows([item for item in items if isinstance(item, Found)], maker))
    for item in items:
        made = next(rows) if isinstance(item, Found) else item
        if isinstance(item, Found) and isinstance(made, BatchRow):
            yield item, made
        elif isinstance(made, Problem):
            yield made


def _rows(batch: list[Found], maker: RowMaker) -> list[BatchRow | Problem]:
    if not batch:
        return []
    import pyarrow as pa

    try:
        rows = maker.rows([found.sample for found in batch])
    except UnicodeEncodeError as error:
        if len(batch) == 1:
            return [Problem(batch[0].where, "not_unicode", f"unpaired surrogate: {error.reason}")]
    except (pa.ArrowException, TypeError) as error:
        if len(batch) == 1:
            return [Problem(batch[0].where, "wrong_type", str(error).splitlines()[0])]
    else:
        return [_skipped(found, row) for found, row in zip(batch, rows, strict=True)]
    half = len(batch) // 2  # the row at fault is found by halves
    return [*_rows(batch[:half], maker), *_rows(batch[half:], maker)]


def _skipped(found: Found, row: BatchRow) -> BatchRow | Problem:
    skip = "span_unsupported" if found.sample.keys() & {"start_s", "end_s"} else row.skip
    return row if skip is None else Problem(found.where, skip, SKIPPED.get(skip, skip))
