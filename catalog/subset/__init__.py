"""Choosing samples: which candidates of a dataset a pull takes.

subset.py      `Subset`: the options of a subset, checked
ids.py         `IdList`: a file of ids, with spans where it has them
expression.py  `Expression`: one SQL expression over what is known before any media is read
filters.py     `Filter`: the stage between reader and ingest; a candidate passes or is counted as filtered
draw.py        `Listing` and `Draw`: which N of all candidates, by hash and stratum
"""

from __future__ import annotations

from .filter import Filter
from .options import Subset
from .sample import Draw, Listing

__all__ = ["Draw", "Filter", "Listing", "Subset"]
