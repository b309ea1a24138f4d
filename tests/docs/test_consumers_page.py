"""The table of docs/explanation/consumers.md has every view, style and task, read by the program that it names."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from support.places import ROOT
from triptych.converters.views import STYLES, VIEWS, View

PAGE = ROOT / "docs" / "explanation" / "consumers.md"


class Line(NamedTuple):
    """A line of the table."""

    view: tuple[str, str | None, str | None]
    consumer: str
    rows: int
    loaded: int
    differences: int


def lines() -> list[Line]:
    text = PAGE.read_text(encoding="utf-8").partition("<!-- made by make consumers -->\n")[2]
    found = []
    for line in text.partition("<!-- to here -->")[0].splitlines()[2:]:
        view, _, consumer, rows, loaded, _, _, differences = (cell.strip() for cell in line.strip("|").split("|"))
        name, *flags = view.strip("`").split()
        named = {flag: value for flag, value in pairwise(flags) if flag in ("--style", "--task")}
        key = (name, named.get("--style"), named.get("--task"))
        found.append(Line(key, consumer.split()[0], int(rows), int(loaded), int(differences)))
    return found


def wanted(written: set[tuple[str, str | None, str | None]]) -> set[tuple[tuple[str, str | None, str | None], str]]:
    """Every view, style and task, with each program that reads it; the style that is the default may be left out."""
    found = set()
    for name in VIEWS:
        styles: dict[str, View] = STYLES.get(name, {})
        for style, view in styles.items() or [(None, VIEWS[name])]:
            for task in view.tasks if len(view.tasks) > 1 else (None,):
                is_named = (name, style, task) in written or view is not VIEWS[name]
                key = (name, style if is_named else None, task)
                found |= {(key, "datasets"), (key, view.consumer or "datasets")}
    return found


def test_every_view_that_there_is_was_read_by_its_program() -> None:
    read = lines()
    assert wanted({line.view for line in read}) <= {(line.view, line.consumer) for line in read}


def test_rows_out_are_rows_in() -> None:
    assert [line for line in lines() if line.rows != line.loaded or line.differences or not line.rows] == []
