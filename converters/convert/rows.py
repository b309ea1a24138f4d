"""Convert samples to rows of a view, each validated against the rules of its format."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...shards.exports.media_places import MEDIA_COLUMNS
from ...shards.media.probe import placeholder
from ...shards.media.streams import MediaError
from ...validators.formats import FORMATS as VALIDATORS
from ...validators.formats import Finding
from ..views import View, ViewOptions
from ..views.batch import PATHS, BatchRow, RowMaker
from ..views.elements.why_no_row import WHY_NO_ROW
from .inputs import Found
from .result import Problem

_BY_CONVERT: Mapping[str, str] = {
    "no_label": f"{WHY_NO_ROW['no_label']}; a pair gives two rows in an export: `triptych import`, then "
    "`triptych export`",
    "no_sound": f"{WHY_NO_ROW['no_sound']}; convert cannot take it out of a video: `triptych import`, then "
    "`triptych export`",
    "span_unsupported": "spans of media are not supported: `triptych import`, then `triptych export` cuts them",
}
"""What an export does, and a conversion of files does not."""

BATCH_ROWS = 2048
BATCH_CHARACTERS = 400_000
"""A batch ends at either limit, so that memory use is constant even if rows are long."""


KNOWN_SHAPES = 10_000


@dataclass(slots=True)
class Made:
    """An output row, and the file and line of its sample.

    Attributes:
        leaks: The user turn contains the answer.
        left_out: Fields of the sample that the row does not carry.
        sound: Where the sound of the row's video is, as in `BatchRow`.
    """

    row: dict[str, Any]
    where: str
    leaks: bool = False
    left_out: tuple[str, ...] = ()
    sound: str | None = None


def make_rows(
    samples: Iterable[Found | Problem], view: View, options: ViewOptions, *, files: bool, warnings: Counter[str]
) -> Iterator[Made | Problem]:
    """The row of every sample, or a `Problem` if the view has no row for it or the consumer would drop the row.

    Args:
        files: Whether the media files must exist.
        warnings: Updated with counts, by code, of values that the consumer would use differently than written.
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
            problem = None if view.built_in else _path_problem(found, row, view, files=files)
            problem = problem or (_media_problem(found) if files else None)
            if problem is not None:
                yield problem
                continue
            findings = check(number, row, found)
            error = next((finding for finding in findings if finding.severity == "error"), None)
            if error is not None:
                value = f": {error.value}" if error.value else ""
                yield Problem(found.where, error.code, f"{error.message}{value}")
                continue
            warnings.update(finding.code for finding in findings)
            yield Made(row.row, found.where, row.leaks_answer, row.left_out, row.sound)


def _path_problem(found: Found, made: BatchRow, view: View, *, files: bool) -> Problem | None:
    """The problem of a user's view whose media columns hold anything but existing paths of the sample itself."""
    own = {path for kind in PATHS for path in found.sample.get(kind) or ()}
    for column in dict.fromkeys([*(view.media_columns or ()), *MEDIA_COLUMNS]):
        value = made.row.get(column)
        for path in value if isinstance(value, list) else [value] if value is not None else []:
            if path not in own:
                return Problem(found.where, "refused_foreign_path", f"{column}: {path!r} is not a path of this sample")
            if files and not Path(path).is_file():
                return Problem(found.where, "missing_file", f"no such file: {path}")
    return None


def _media_problem(found: Found) -> Problem | None:
    """The problem of a sample with a file that stands where media should be; a missing file is the format's problem."""
    for path in (path for kind in PATHS for path in found.sample.get(kind) or ()):
        if not Path(path).is_file():
            continue
        try:
            error = placeholder(Path(path))
        except MediaError as raised:
            error = raised
        if error is not None:
            return Problem(found.where, error.reason, f"{path}: {error.detail}")
    return None


class _Check:
    """Validates rows. Rows of one shape have the same findings, so for most rows only the files are checked."""

    def __init__(self, view: View, options: ViewOptions, *, files: bool) -> None:
        self._format = VALIDATORS[view.format] if view.format else None
        self._task, self._files = options.task, files
        self._by_shape: dict[str, list[Finding]] = {}

    def __call__(self, number: int, made: BatchRow, source: Found) -> list[Finding]:
        if self._format is None:
            return []
        found = self._by_shape.get(made.shape)
        if found is None:
            found = list(self._format.Rows(task=self._task, files=False).check(1, json.loads(made.shape)))
            if len(self._by_shape) < KNOWN_SHAPES:
                self._by_shape[made.shape] = found
        if all(finding.severity == "warning" for finding in found) and (not self._files or _files_exist(source)):
            return found
        return list(self._format.Rows(task=self._task, files=self._files).check(number, made.row))


def _files_exist(found: Found) -> bool:
    """Whether all media of a sample exist, whichever of them its row names, and wherever."""
    paths = (path for kind in PATHS for path in found.sample.get(kind) or ())
    return all(os.path.isfile(path) for path in paths)  # noqa: PTH113 (called for every row: ten times faster)


def _batches(samples: Iterable[Found | Problem], maker: RowMaker) -> Iterator[Problem | tuple[Found, BatchRow]]:
    """Every sample with its row, or its problem, in order; rows are made batch by batch."""
    items: list[Found | Problem] = []
    count = characters = 0
    for read in samples:
        item = _screened(read)
        items.append(item)
        if isinstance(item, Found):
            count += 1
            characters += sum(len(value) for value in item.sample.values() if isinstance(value, str))
        if count >= BATCH_ROWS or characters >= BATCH_CHARACTERS or len(items) > 4 * BATCH_ROWS:
            yield from _make_batch(items, maker)
            items, count, characters = [], 0, 0
    yield from _make_batch(items, maker)


def _screened(item: Found | Problem) -> Found | Problem:
    """The sample, or its problem if a text has no place in an Arrow array: the whole batch would fail with it."""
    if isinstance(item, Problem):
        return item
    try:
        for value in item.sample.values():
            _encode(value)
    except UnicodeEncodeError as error:
        return Problem(item.where, "not_unicode", f"unpaired surrogate: {error.reason}")
    return item


def _encode(value: Any) -> None:
    if isinstance(value, str):
        if not value.isascii():
            value.encode()
    elif isinstance(value, Mapping):
        for key, held in value.items():
            _encode(key)
            _encode(held)
    elif isinstance(value, list | tuple):
        for held in value:
            _encode(held)


def _make_batch(items: list[Found | Problem], maker: RowMaker) -> Iterator[Problem | tuple[Found, BatchRow]]:
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
        return [_row_or_problem(found, row) for found, row in zip(batch, rows, strict=True)]
    half = len(batch) // 2  # find the bad row by bisection
    return [*_rows(batch[:half], maker), *_rows(batch[half:], maker)]


def _row_or_problem(found: Found, row: BatchRow) -> BatchRow | Problem:
    skip = "span_unsupported" if found.sample.keys() & {"start_s", "end_s"} else row.skip
    return row if skip is None else Problem(found.where, skip, {**WHY_NO_ROW, **_BY_CONVERT}.get(skip, skip))
