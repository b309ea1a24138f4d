"""`MakeOptions` and `ReadOptions`: all options of `review make` and `review read`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from ...options import Option, Options

ROWS = "What is reviewed"
PAGE = "The page"
ANNOTATIONS = "Annotations"

VERDICTS = ("right", "partly", "wrong")
SAMPLES = 200
"""Enough for an interval of at most 0.07 to each side of a share."""


@dataclass(frozen=True, kw_only=True)
class MakeOptions(Options):
    """Options of a page for review."""

    pred: Annotated[
        Path | None,
        Option("A file of predictions to review; of an export without one, its own answers are reviewed.", ROWS,
               metavar="FILE"),
    ] = None  # fmt: skip
    samples: Annotated[int, Option("Draw N rows at random.", ROWS, min=1)] = SAMPLES
    by: Annotated[
        str | None,
        Option("Draw from each value of a column in proportion to its rows: source, language ...", ROWS,
               metavar="COLUMN"),
    ] = None  # fmt: skip
    seed: Annotated[int, Option("Seed of the draw.", ROWS)] = 0
    out: Annotated[Path, Option("The page to write.", PAGE, metavar="FILE")] = Path("review.html")
    embed: Annotated[
        bool, Option("Put the media into the page; --no-embed copies them into a folder beside it.", PAGE)
    ] = True
    force: Annotated[bool, Option("Overwrite another page of that name.", PAGE)] = False


@dataclass(frozen=True, kw_only=True)
class ReadOptions(Options):
    """Options of reading reviews."""

    page: Annotated[
        Path | None,
        Option("The page that was reviewed: every row of the files must be one of it.", ROWS, metavar="FILE"),
    ] = None
    annotate: Annotated[
        bool, Option("Write the verdicts to the store, as annotations of the samples.", ANNOTATIONS)
    ] = True
    key: Annotated[
        str | None,
        Option("The key of the annotations; default: review, or review:MODEL for the answers of a model.", ANNOTATIONS),
    ] = None
