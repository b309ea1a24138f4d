"""`curves.html` of a run: its metrics drawn, in one page that loads nothing and runs no script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ....errors import amount
from ...pages.document import render, write_page
from ...pages.line_chart import LineChart, Points, Series
from .run_json import rates_of, read_record
from .run_log import METRICS, read_lines

CURVES = "curves.html"
_SHOWN_EVALUATIONS = 100


def write_curves(folder: Path) -> None:
    """Draw the metrics of the run in a folder; its page is replaced."""
    record = read_record(folder)
    curves = Curves.read(folder / METRICS)
    text = render(
        "triptych.trainers.runs.records", "curves.html", style="curves.css", has_charts=True,
        title=f"{record['exports']['train']['reference']} into {record['model']['name']}",
        record=record, charts=list(curves.charts()), facts=list(_facts(record)),
        names=list(curves.scores), evaluations=curves.evaluations[-_SHOWN_EVALUATIONS:],
        more=max(0, len(curves.evaluations) - _SHOWN_EVALUATIONS),
    )  # fmt: skip
    write_page(folder / CURVES, text, force=True)


class Curves:
    """The values of each metric by step.

    Attributes:
        evaluations: Step and scores of each evaluation.
    """

    def __init__(self) -> None:
        self.lines: dict[str, list[tuple[float, float]]] = {}
        self.losses: dict[str, list[tuple[float, float]]] = {}
        self.rates: dict[str, list[tuple[float, float]]] = {}
        self.measures: dict[str, list[tuple[float, float]]] = {}
        self.scores: dict[str, list[tuple[float, float]]] = {}
        self.evaluations: list[tuple[int, Mapping[str, float]]] = []

    @classmethod
    def read(cls, path: Path) -> Curves:
        found = cls()
        for line in read_lines(path):
            found.add(line)
        return found

    def add(self, line: Mapping[str, Any]) -> None:
        step = line["step"]
        if "scores" in line:
            scores = {name: float(value) for name, value in line["scores"].items()}
            self.evaluations.append((step, scores))
            _append(self.scores, step, scores)
            return
        for name in ("loss", "grad_norm", "tokens_per_second", "padding"):
            if line.get(name) is not None:
                self.lines.setdefault(name, []).append((step, float(line[name])))
        _append(self.losses, step, line.get("losses") or {})
        _append(self.measures, step, line.get("measures") or {})
        _append(self.rates, step, line.get("lr") or {})

    def charts(self) -> Iterator[LineChart]:
        """What is drawn, without what has no values."""
        found = [
            LineChart("Loss", list(self._loss()), note="mean over the trained tokens between two lines"),
            *(LineChart(name, [Series(name, points, has_dots=True)], note="of answers to the evaluation export")
              for name, points in self.scores.items() if name != "loss"),
            *self._measured(),
            LineChart("Learning rate", _series(_different(self.rates)), from_zero=True,
                      note="of each group of weights; equal ones are drawn once"),
            LineChart("Norm of the gradients", self._one("grad_norm"), from_zero=True, note="before it is scaled down"),
            LineChart("Tokens per second", self._one("tokens_per_second"), from_zero=True),
            LineChart("Padding", self._one("padding"), unit="percent", from_zero=True, note="share of the positions"),
        ]  # fmt: skip
        yield from (chart for chart in found if not chart.is_empty)

    def _loss(self) -> Iterator[Series]:
        if "loss" in self.lines:
            yield Series("training", self.lines["loss"])
        if len(self.losses) > 1:
            yield from _series(self.losses)
        if "loss" in self.scores:
            yield Series("validation", self.scores["loss"], has_dots=True)

    def _measured(self) -> Iterator[LineChart]:
        """A chart for each measure, with those of its parts (`accuracy/factuality`) in it."""
        groups: dict[str, list[Series]] = {}
        for name, points in self.measures.items():
            whole, _, part = name.partition("/")
            groups.setdefault(whole, []).append(Series(part or "all", points))
        for name, series in groups.items():
            yield LineChart(name.replace("_", " ").capitalize(), series, note="mean over the rows between two lines")

    def _one(self, name: str) -> list[Series]:
        return [Series(name.replace("_", " "), self.lines[name])] if name in self.lines else []


def _append(into: dict[str, list[tuple[float, float]]], step: int, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        into.setdefault(name, []).append((step, float(value)))


def _different(values: Mapping[str, Points]) -> dict[str, Points]:
    """Without lines that are equal to an earlier one."""
    found: dict[str, Points] = {}
    for name, points in values.items():
        if points not in found.values():
            found[name] = points
    return found


def _series(values: Mapping[str, Points]) -> list[Series]:
    return [Series(name, points) for name, points in values.items()]


def _facts(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "status", record["status"] + (f": {record['message']}" if record["message"] else "")
    yield "model", f"{record['model']['name']}, revision {record['model']['revision']}"
    for part, export in record["exports"].items():
        yield f"{part} export", f"{export['reference']}, {amount(export['rows'], 'row')}"
    yield (
        "read",
        f"{amount(record['rows_read'], 'row')}, {amount(record['tokens_read'], 'token')}; "
        f"{amount(record['left_out'], 'row')} left out",
    )
    yield "learning rate", rates_of(record)
    yield "seed", str(record["seed"])
    if record["best"] is not None:
        yield "best checkpoint", f"{record['best']['checkpoint']} ({record['best']['score']:.4g})"
    yield "last checkpoint", record["last"] or "none"
    yield "sessions", "; ".join(_session(each) for each in record["sessions"])


def _session(session: Mapping[str, Any]) -> str:
    end = f" to {session['to_step']:,}, {session['status']}" if "to_step" in session else " on"
    return f"from step {session['from_step']:,}{end}"
