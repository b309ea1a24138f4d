"""The page of an evaluation: one self-contained HTML file, however many rows there are.

It shows every score with its interval and counts, how many rows have which score, the worst rows of each metric with
their clips and aligned texts, the rows without a prediction, and how all of it was made. It runs no script.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...pages.document import check_writable, render, write_page
from ...pages.media import BESIDE, EMBEDDED, MediaFolder
from ..scores import Score, ScoredRow, Scores, label_of
from .plots import groups_of, histograms_of
from .rows import Clips, changed_rows, shortened, worst_rows

SHOWN_MISSING = 200
SIGNS = {"equal": "", "substitution": "S", "deletion": "D", "insertion": "I"}


@dataclass(frozen=True, slots=True)
class EvaluationPage:
    """A page that was written: its size, and that of the clips in it or beside it."""

    path: Path
    bytes: int
    media_bytes: int


def write_evaluation_page(
    scores: Scores, path: Path, *, worst: int, embed: bool = True, force: bool = False
) -> EvaluationPage:
    """Write the page of scores.

    Args:
        worst: How many rows of each metric are shown.
        embed: Whether clips lie in the page; else in a folder beside it.

    Raises:
        UsageError: Another page of that name, and `force` is not set.
    """
    check_writable(path)
    folders = [Path(), *(Path(file).parent for file in (scores.of, scores.predictions))]
    media = MediaFolder(path, embed)
    clips = Clips(media, folders)
    shown = list(worst_rows(scores, worst, clips))
    changes = list(changed_rows(scores, worst, clips))
    text = render(
        "triptych.trainers.evaluation.page", "page.html", style="page.css",
        media=EMBEDDED if embed else BESIDE,
        filters=_FILTERS,
        title=f"Evaluation of {scores.of}", scores=scores, confidence=float(scores.settings.get("confidence", 95)),
        groups=groups_of(scores.scores), overall=[each for each in scores.scores if not each.by],
        histograms=histograms_of(scores), worst=[each for each in shown if each[1]], signs=SIGNS,
        missing=[row for row in scores.rows if row.prediction is None][:SHOWN_MISSING],
        changes=changes,
        changed=sum(row.prediction != row.other for row in scores.rows), facts=list(_facts(scores)),
    )  # fmt: skip
    write_page(path, text, force=force)
    return EvaluationPage(path, len(text.encode()), media.written)


def scaled(value: float | None, score: Score) -> str:
    """A score as it is read: a share in percent."""
    if value is None:
        return ""
    return f"{100 * value:.2f} %" if score.scale == "share" else f"{value:.2f}"


def signed(value: float | None, score: Score) -> str:
    """A difference of scores; of shares in percentage points."""
    return "" if value is None else f"{100 * value if score.scale == 'share' else value:+.2f}"


def counted(count: float) -> str:
    """A count, which is a whole number or a sum of shares."""
    return f"{count:,.0f}" if float(count).is_integer() else f"{count:,.3f}"


def interval(score: Score) -> str:
    """The interval of a score, in its own unit."""
    if score.low is None or score.high is None:
        return ""
    low, high = scaled(score.low, score), scaled(score.high, score)
    return f"{low.removesuffix(' %')} to {high}"


def told(score: Score) -> str:
    """A score and its interval in words."""
    between = interval(score)
    return f"{label_of(score)} {scaled(score.value, score)}" + (f", interval {between}" if between else "")


def _name(row: ScoredRow) -> str:
    return row.id or row.audio or row.where


def _facts(scores: Scores) -> Iterator[tuple[str, str]]:
    yield "what is right", scores.of
    yield "predictions", scores.predictions
    if scores.against is not None:
        yield "other predictions", scores.against
    yield "matched by", scores.matched_by
    for name, value in (*scores.about.items(), *scores.settings.items()):
        yield name.replace("_", " "), _text(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


_FILTERS: dict[str, Callable[..., Any]] = {
    "scaled": scaled, "signed": signed, "counted": counted, "interval": interval, "told": told, "name": _name,
    "label": label_of, "shortened": shortened,
}  # fmt: skip
