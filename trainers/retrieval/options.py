"""`RetrieveOptions`: the options of `triptych retrieve`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from ...errors import UsageError
from ...options import Option, Options
from .search.glossary_index import AUTO, KINDS

SEARCH = "The search"
WINDOW_S, SHORTEST_S = 4.0, 0.1


@dataclass(frozen=True, kw_only=True)
class RetrieveOptions(Options):
    """Options of `retrieve`."""

    glossary: Annotated[
        Path | None,
        Option("Search these terms instead of the run's: a glossary (JSON), or a text file with a term in each line.",
               SEARCH, metavar="FILE"),
    ] = None  # fmt: skip
    index: Annotated[
        str, Option("The index of --glossary: flat (exact), ivf, or auto (flat up to 100,000 terms).", SEARCH,
                    choices=KINDS)
    ] = AUTO  # fmt: skip
    top: Annotated[int, Option("The most terms of a window.", SEARCH, metavar="N")] = 5
    threshold: Annotated[
        float | None, Option("The cosine under which no term is said; default: the run's.", SEARCH, metavar="COSINE")
    ] = None
    window: Annotated[
        float,
        Option("Seconds of the windows in which longer sound is heard; they overlap by half.", SEARCH,
               metavar="SECONDS"),
    ] = WINDOW_S  # fmt: skip

    def check(self) -> None:
        if self.top < 1:
            raise UsageError(f"--top {self.top}: at least one term is looked for.")
        if not self.window >= SHORTEST_S:
            raise UsageError(f"--window {self.window:g}: a window has {SHORTEST_S:g} s or more.")
        if self.threshold is not None and not -1 <= self.threshold <= 1:
            raise UsageError(f"--threshold {self.threshold:g}: a cosine is between -1 and 1.")
        if self.index != AUTO and self.glossary is None:
            raise UsageError("--index: the run's own glossary has its index already.", hint="add --glossary FILE")
