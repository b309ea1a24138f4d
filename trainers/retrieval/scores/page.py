"""`scores.html` of a contrastive run: recall with the control beside it, and the sweep of thresholds as a chart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ...pages.document import render, write_page
from ...pages.line_chart import LineChart, Series
from .metrics import TOP, Recall

if TYPE_CHECKING:
    from ..result import ContrastiveResult
    from .metrics import RetrievalScores

PAGE = "scores.html"


def write_scores_page(folder: Path, found: ContrastiveResult) -> None:
    """Draw the scores of a run into its folder; its page is replaced."""
    control = found.control or {}
    roles = [
        {
            "name": role, "clips": scores.all.clips, "silent": found.measured[role] - scores.all.clips,
            "glossary": scores.glossary, "at": scores.at, "chart": sweep_chart(role, scores),
            "table": [(name, recall, *_numbers(recall)) for name, recall in parts_of(scores, control.get(role))],
        }
        for role, scores in (found.scores or {}).items()
    ]  # fmt: skip
    text = render(
        "triptych.trainers.retrieval.scores", "scores.html", has_charts=True, title=f"Terms found: {found.export}",
        found=found, roles=roles, top=TOP,
    )  # fmt: skip
    write_page(folder / PAGE, text, force=True)


def parts_of(scores: RetrievalScores, control: RetrievalScores | None = None) -> Iterator[tuple[str, Recall]]:
    """The rows of a table of recall, those without clips left out."""
    yield from _with_clips([
        ("all", scores.all), ("terms that training has had", scores.seen), ("terms that only tests name", scores.unseen)
    ])  # fmt: skip
    if control is not None:
        yield from _with_clips([
            ("random encoder: all", control.all), ("random encoder: terms that training has had", control.seen),
            ("random encoder: terms that only tests name", control.unseen),
        ])  # fmt: skip
    yield from _with_clips([("chance: vectors of other clips", scores.chance)])


def _with_clips(rows: list[tuple[str, Recall]]) -> list[tuple[str, Recall]]:
    return [each for each in rows if each[1].clips]


def _numbers(recall: Recall) -> tuple[list[float], list[float]]:
    return [recall.by_clip[top] for top in TOP], [recall.by_term[top] for top in TOP]


def sweep_chart(role: str, scores: RetrievalScores) -> LineChart:
    """What comes of each threshold: between the one at which something is said of every clip, and that at which nothing
    is."""
    first = max((n for n, at in enumerate(scores.sweep) if at.answered == 1 and not at.rejected), default=0)
    last = next((n for n, at in enumerate(scores.sweep) if not at.answered and at.rejected in (None, 1)), None)
    shown = scores.sweep[first : None if last is None else last + 1]
    lines = [
        Series("right term said, of clips with terms", [(at.threshold, at.right) for at in shown]),
        Series("any term said, of clips with terms", [(at.threshold, at.answered) for at in shown]),
    ]
    if scores.at.rejected is not None:
        points = [(at.threshold, at.rejected) for at in shown if at.rejected is not None]
        lines.append(Series("nothing said, of clips without terms", points))
    return LineChart(
        f"Thresholds, {role} clips", lines, unit="percent", from_zero=True, over_steps=False,
        note="over the cosine under which no term is said",
    )  # fmt: skip
