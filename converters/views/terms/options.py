"""`TermOptions`: the options of the view `term-chunks`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from ....errors import UsageError
from ....options import Option, Options
from ...row_options import ONE_VIEW

OCCURRENCES = ("all", "first")
FIELDS = ("term", "short_description")


@dataclass(frozen=True, kw_only=True)
class TermOptions(Options):
    """Options of chunks that are cut around the terms of a glossary."""

    glossary: Annotated[
        Path | None,
        Option("The terms, for term-chunks: a JSON object of phrase and entry (term, short_description), a JSON list, "
               "or a text file with a term in each line.", ONE_VIEW, takes=str | Path, metavar="FILE"),
    ] = None  # fmt: skip
    aliases: Annotated[
        Path | None,
        Option("Other phrases for terms, for term-chunks: a JSON object of alternative and phrase of the glossary.",
               ONE_VIEW, takes=str | Path, metavar="FILE"),
    ] = None  # fmt: skip
    term_field: Annotated[
        str, Option("What a term is trained as: the entry's term or short_description.", ONE_VIEW, choices=FIELDS)
    ] = "term"
    occurrences: Annotated[
        str, Option("Of a term that an utterance names several times: all, or first.", ONE_VIEW, choices=OCCURRENCES)
    ] = "all"
    context: Annotated[float, Option("Seconds of sound before and after a term.", ONE_VIEW)] = 1.0
    no_term_share: Annotated[
        float, Option("Chunks that name no term, for each chunk of an utterance that names one.", ONE_VIEW)
    ] = 0.1
    test_terms: Annotated[
        int | None,
        Option("Test this many terms with one chunk each, of those in validation and test splits; default: all their "
               "chunks.", ONE_VIEW, min=1),
    ] = None  # fmt: skip
    unseen_terms: Annotated[
        float | None,
        Option("The share of the tested terms that no training chunk names: training chunks that do are left out.",
               ONE_VIEW),
    ] = None  # fmt: skip

    def check(self) -> None:
        for flag, value, most in (
            ("--context", self.context, 15.0),
            ("--no-term-share", self.no_term_share, 1.0),
            ("--unseen-terms", self.unseen_terms, 1.0),
        ):
            if value is not None and not (math.isfinite(value) and 0 <= value <= most):
                raise UsageError(f"{flag} {value}: must be between 0 and {most:g}.")
