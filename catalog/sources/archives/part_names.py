"""Rows of numbered names (`a.01`, `a.02`; `part_aa`, `part_ab`; `a.z01`, `a.z02`, `a.zip`): which of them lack."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

_VOLUME = re.compile(r"(.*\.z)(\d+)()", re.IGNORECASE | re.DOTALL)
_NUMBER = re.compile(r"(.*?)(\d+)(\D*)", re.DOTALL)
_LETTERS = re.compile(r"(.*)([a-z]{2})()", re.DOTALL)
_SHOWN = 20


def missing_names(names: Sequence[str], count: int | None = None) -> list[str]:
    """Names that must be there too, at most 20; none where the names do not differ in one number alone.

    Args:
        count: How many there must be, where that is known; else only gaps and the start of a row can be told.
    """
    row, last = list(names), ""
    if row and re.search(r"\.zip$", row[-1], re.IGNORECASE):
        last = row.pop()
    if not row:
        return _volumes_before(last, count) if last else []
    volumes = _matched(_VOLUME, row)
    if volumes is not None:
        head, _, numbers = volumes
        end = max(numbers) if count is None else count - 1
        lacking = _lacking(range(1, end + 1), numbers, lambda number: f"{head}{number:02d}")
        return [*lacking, *([] if last else [f"{head}ip"])][:_SHOWN]
    return [] if last else _gaps(row)


def _volumes_before(last: str, count: int | None) -> list[str]:
    return [f"{last[:-2]}{number:02d}" for number in range(1, min(count or 1, _SHOWN + 1))]


def _gaps(row: list[str]) -> list[str]:
    if len(row) < 2:
        return []
    if (counted := _matched(_NUMBER, row)) is not None:
        head, tail, numbers = counted
        width = len(row[0]) - len(head) - len(tail)
        return _lacking(range(1, max(numbers)), numbers, lambda number: f"{head}{number:0{width}d}{tail}")
    if (spelt := _matched(_LETTERS, row)) is not None:
        head, _, numbers = spelt
        return _lacking(range(max(numbers)), numbers, lambda number: head + _spelt(number))
    return []


def _lacking(wanted: Iterable[int], numbers: set[int], name: Callable[[int], str]) -> list[str]:
    # Numbers come from damaged directories too: no row is walked further than needed.
    return [name(number) for number in islice((each for each in wanted if each not in numbers), _SHOWN)]


def _matched(pattern: re.Pattern[str], row: list[str]) -> tuple[str, str, set[int]] | None:
    """What stands before and after the number in all names, and the numbers."""
    matches = [pattern.fullmatch(name) for name in row]
    found = [(match[1], match[3], match[2]) for match in matches if match is not None]
    if len(found) < len(row) or len({(head, tail) for head, tail, _ in found}) > 1:
        return None
    return found[0][0], found[0][1], {_number(text) for _, _, text in found}


def _number(text: str) -> int:
    if text.isdigit():
        return int(text)
    high, low = (ord(letter) - ord("a") for letter in text)
    return high * 26 + low


def _spelt(number: int) -> str:
    return chr(ord("a") + number // 26) + chr(ord("a") + number % 26)
