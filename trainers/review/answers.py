"""The CSV files that a page saves: one line for each of its rows, with what one reviewer said of it.

    page         the name of the page
    id, sample   the row, and the sample that it shows
    of           the model that answered; empty for the answers of an export
    by:COLUMN    the stratum, if the draw had some
    verdict      right, partly, wrong, or empty
    note         what the reviewer wrote
    reviewer     a name
    reviewed_at  UTC

A spreadsheet may have saved a file again, with semicolons or tabs, in UTF-16, its columns in another order. A quote in
front of `=`, `+`, `-` or `@` keeps spreadsheets from taking a cell for a formula, and is removed.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from ...errors import UsageError, amount, did_you_mean
from .options import VERDICTS

COLUMNS = ("page", "id", "sample", "of", "verdict", "note", "reviewer", "reviewed_at")
_GUARD = re.compile(r"'+[=+\-@\t\r]")
_DATA = re.compile(r'<script type="application/json" id=data>(.*?)</script>', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one reviewer said of one row; `verdict` is empty if nothing yet."""

    id: str
    sample: str
    of: str
    stratum: str
    verdict: str
    note: str
    reviewed_at: str
    where: str


@dataclass(frozen=True, slots=True)
class Reviews:
    """The answers of all reviewers of one page.

    Attributes:
        by: The column of the strata; empty if there are none.
        answers: Reviewer -> id -> answer, for every row of the files.
        notices: What was odd about the files: rows that stand twice, rows that a file lacks.
    """

    page: str
    by: str
    answers: Mapping[str, Mapping[str, Answer]]
    notices: Sequence[str] = field(default_factory=tuple)


def read_reviews(paths: Iterable[Path], *, page: Path | None = None) -> Reviews:
    """Read the files of one page. Of two answers of a reviewer to a row, in two files, the later one counts.

    Raises:
        UsageError: A file is no review, of another page, or contradicts itself; the message names the line.
    """
    known = None if page is None else _rows_of_page(page)
    name, by = "", ""
    answers: dict[str, dict[str, Answer]] = {}
    notices: list[str] = []
    for path in paths:
        read_by, rows = _read(path)
        in_file: dict[tuple[str, str], Answer] = {}
        for of_page, reviewer, answer in rows:
            if name and of_page != name:
                raise UsageError(
                    f"{answer.where}: column page: {of_page!r}, but the rows before are of {name!r}, "
                    "which shows other texts.",
                    hint="read the files of each page by themselves",
                )
            name, by = of_page, read_by
            if known is not None and (of_page != known[0] or answer.id not in known[1]):
                raise UsageError(
                    f"{answer.where}: {answer.id} is no row of {page}.", hint=did_you_mean(answer.id, known[1])
                )
            _take(answer, reviewer, answers.setdefault(reviewer, {}), in_file, notices)
    notices += _missing(answers, None if known is None else known[1])
    return Reviews(name, by, answers, notices)


def _take(
    answer: Answer, reviewer: str, known: dict[str, Answer], in_file: dict[tuple[str, str], Answer], notices: list[str]
) -> None:
    """Add an answer to those of its reviewer."""
    twin = in_file.get((reviewer, answer.id))
    if twin is not None:
        if twin.verdict != answer.verdict:
            raise UsageError(
                f"{answer.where}: {reviewer} says {answer.verdict or 'nothing'!r} of {answer.id}, and "
                f"{twin.verdict or 'nothing'!r} at {twin.where}.",
                hint="keep one of the two lines",
            )
        notices.append(f"{answer.where}: {answer.id} stands twice in the file; it is counted once")
    in_file[reviewer, answer.id] = answer
    before = known.get(answer.id)
    if before is None or not before.verdict:
        known[answer.id] = answer
    elif answer.verdict and twin is None:
        known[answer.id] = later = _later(before, answer, reviewer)
        if before.verdict != answer.verdict:
            notices.append(f"{_contradiction(before, answer, reviewer)}; the later one counts: {later.verdict}")


def _later(before: Answer, answer: Answer, reviewer: str) -> Answer:
    """The later of two answers of a reviewer to a row, in two files."""
    first, second = _time(before.reviewed_at), _time(answer.reviewed_at)
    if before.verdict != answer.verdict and (first is None or second is None or first == second):
        raise UsageError(
            f"{_contradiction(before, answer, reviewer)}, and reviewed_at ({before.reviewed_at!r} and "
            f"{answer.reviewed_at!r}) does not say which is later.",
            hint="read only the file that counts; if these are two people, give them two names",
        )
    return before if first is not None and second is not None and first > second else answer


def _contradiction(before: Answer, answer: Answer, reviewer: str) -> str:
    return f"{answer.id}: {reviewer} says {before.verdict} at {before.where} and {answer.verdict} at {answer.where}"


def _time(text: str) -> datetime | None:
    """A time as a page writes it; None where a spreadsheet has written it in another way."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _missing(answers: Mapping[str, Mapping[str, Answer]], known: Sequence[str] | None) -> Iterator[str]:
    """The rows of the page, or of other reviewers, that the files of a reviewer lack."""
    every = list(known or dict.fromkeys(identity for rows in answers.values() for identity in rows))
    for reviewer, rows in answers.items():
        if lacking := [identity for identity in every if identity not in rows]:
            are = "is" if len(lacking) == 1 else "are"
            missing = f"{amount(len(lacking), 'row')} of the page {are} not in the file"
            yield f"{reviewer}: {missing}, the first is {lacking[0]}"


def _read(path: Path) -> tuple[str, list[tuple[str, str, Answer]]]:
    """The column of the strata, and page, reviewer and answer of each line."""
    try:
        data = path.read_bytes()
        text = data.decode("utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file.") from None
    except IsADirectoryError as error:
        raise UsageError(f"{path}: {error}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path}: it is not UTF-8 ({error.reason} at byte {error.start:,}).",
            hint="save it from the spreadsheet as `CSV UTF-8`",
        ) from error
    separator = max(",;\t", key=text.splitlines()[0].count) if text else ","
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
    try:
        by = _column_of_strata(path, list(reader.fieldnames or []))
        rows = [_answer(row, by, f"{path}:{reader.line_num}") for row in reader]
    except csv.Error as error:
        raise UsageError(f"{path}:{max(1, reader.line_num)}: {error}.") from error
    if not rows:
        raise UsageError(f"{path}: it has no rows.")
    return by.partition(":")[2], rows


def _column_of_strata(path: Path, names: Sequence[str]) -> str:
    """The name of that column, after a look at the others."""
    if missing := [name for name in COLUMNS if name not in names]:
        raise UsageError(
            f"{path}: no column {' or '.join(missing)}; it has {', '.join(names) or 'none'}.",
            hint="read the CSV that the page of `triptych review make` saves",
        )
    return next((name for name in names if name == "by" or name.startswith("by:")), "by")


def _answer(row: Mapping[str | None, str | None], by: str, where: str) -> tuple[str, str, Answer]:
    values = {str(name): _unguarded(value or "") for name, value in row.items() if isinstance(value, str)}
    page, reviewer, verdict = (values.get(name, "").strip() for name in ("page", "reviewer", "verdict"))
    if None in row or not page or not reviewer or not values.get("id"):
        raise UsageError(f"{where}: page, id and reviewer are required, and no more columns than the first line has.")
    if verdict and verdict.lower() not in VERDICTS:
        raise UsageError(f"{where}: column verdict: expected {', '.join(VERDICTS)} or nothing, got {verdict!r}.")
    answer = Answer(
        values["id"], values.get("sample") or values["id"], values.get("of", ""), values.get(by, ""), verdict.lower(),
        values.get("note", "").replace("\r\n", "\n").strip(), values.get("reviewed_at", ""), where,
    )  # fmt: skip
    return page, reviewer, answer


def _unguarded(value: str) -> str:
    return value[1:] if _GUARD.match(value) else value


def _rows_of_page(page: Path) -> tuple[str, list[str]]:
    """The name of a page and the ids of its rows."""
    try:
        found = _DATA.search(page.read_text(encoding="utf-8"))
        data = json.loads(found[1]) if found else None
    except (OSError, ValueError) as error:
        raise UsageError(f"--page {page}: {error}.") from error
    if not isinstance(data, dict) or "rows" not in data:
        raise UsageError(f"--page {page}: it is no page of `triptych review make`.")
    return data["page"], [row["id"] for row in data["rows"]]


def judged(rows: Mapping[str, Answer]) -> dict[str, Answer]:
    """The rows that have a verdict."""
    return {identity: answer for identity, answer in rows.items() if answer.verdict}
