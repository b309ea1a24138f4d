"""Files numbered `train-00003-of-00010.parquet`: which of a series are not there."""

from __future__ import annotations

import re
from collections.abc import Iterable

_NUMBERED = re.compile(r"(.*?)(\d{2,})-of-(\d{2,})[^/.]*((?:\.[^/]*)?)")
_LARGEST = 100_000


def incomplete_series(names: Iterable[str]) -> list[str]:
    """Describe each series of which files are missing: `train-*-of-00010.parquet: 9 of 10, without 00003`."""
    series: dict[tuple[str, str, str], set[int]] = {}
    for name in names:
        if (found := _NUMBERED.fullmatch(name)) is not None:
            head, number, count, ending = found.groups()
            series.setdefault((head, count, ending), set()).add(int(number))
    told: list[str] = []
    for (head, count, ending), numbers in series.items():
        whole = int(count)
        if len(numbers) >= whole or whole > _LARGEST:
            continue
        first = 0 if max(numbers) < whole else 1
        missing = [f"{number:0{len(count)}d}" for number in range(first, first + whole) if number not in numbers]
        shown = ", ".join(missing[:3]) + (" ..." if len(missing) > 3 else "")
        told.append(f"{head}*-of-{count}{ending}: {len(numbers):,} of {whole:,} files, without {shown}")
    return told
