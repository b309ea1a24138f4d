"""Faults that are not mended yet, with their cases: each is expected to fail, and fails the suite once it passes.

Whoever mends a fault takes its line out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from truth.cases import Case
from truth.layouts import LAYOUTS

Fault = tuple[str, Callable[[Case], bool]]


def _is_training(case: Case) -> bool:
    return LAYOUTS[case.layout].channel_column != "channel"


_UNKNOWN = ("onset", "tmin", "from", "start_ms", "frame", "segment", "Start (s)")

ROWS: tuple[Fault, ...] = (
    ("a stated channel is not selected", lambda case: case.what == "channels"),
    ("a length is ignored", lambda case: "duration" in case.spelling),
    ("a spelling is not known", lambda case: case.spelling.startswith((*_UNKNOWN, "start, end as clock"))),
    ("a training file's start and end are ignored", lambda case: case.spelling == "start, end" and _is_training(case)),
)
CONVERT: tuple[Fault, ...] = (
    ("a stated channel is ignored", lambda case: case.what == "channels"),
    ("a spelling is not known", lambda case: case.spelling.startswith(("offset", *_UNKNOWN))),
    ("a training file's start is ignored", lambda case: case.spelling.startswith("start,") and _is_training(case)),
)


def reasons(case: Case, faults: tuple[Fault, ...]) -> list[str]:
    """The faults that concern a case."""
    return [reason for reason, concerns in faults if concerns(case)]


def marked(cases: Iterable[Case], faults: tuple[Fault, ...]) -> list[Any]:
    """Parameters of a test, those of a fault marked with its reason."""
    return [pytest.param(case, id=case.name, marks=_marks(reasons(case, faults))) for case in cases]


def _marks(found: list[str]) -> list[Any]:
    return [pytest.mark.xfail(strict=True, reason=found[0])] if found else []
