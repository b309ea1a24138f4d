"""Series of numbered names (`a.01`, `a.02`; `part_aa`, `part_ab`; `a.z01`, `a.z02`, `a.zip`): which are missing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

_VOLUME = re.compile(r"(.*\.z)(\d+)()", re.IGNORECASE | re.DOTALL)
_NUMBER = re.compile(r"(.*?)(\d+)(\D*)", re.DOTALL)
_LETTERS = re.compile(r"(.*)([a-z]{2})()", re.DOTALL)
_SHOWN = 20


def missing_names(names: Sequence[str], count: int | None = None) -> list[str]:
    """Return the missing names of a series, at most 20; none if the names differ in more than one number.

    Args:
        count: Length of the series, if known; else only names before the last given one can be found missing.
    """
    series, last = list(names), ""
    if series and re.search(r"\.zip$", series[-1], re.IGNORECASE):
        last = series.pop()
    if not series:
        return _volumes_before(last, count) if last else []
    volumes = _matched(_VOLUME, series)
    if volumes is not None:
        head, _, numbers = volumes
        end = max(numbers) if count is None else count - 1
        missing = _missing(range(1, end + 1), numbers, lambda number: f"{head}{number:02d}")
        return [*missing, *([] if last else [f"{head}ip"])][:_SHOWN]
    return [] if last else _gaps(series)


def is_gap(name: str, following: str) -> bool:
    """Whether a part is missing between two names of a series, the second of which comes after the first."""
    for pattern in (_VOLUME, _NUMBER, _LETTERS):
        if (found := _matched(pattern, [name, following])) is not None:
            _, _, numbers = found
            return max(numbers) - min(numbers) > 1
    return False


def _volumes_before(last: str, count: int | None) -> list[str]:
    return [f"{last[:-2]}{number:02d}" for number in range(1, min(count or 1, _SHOWN + 1))]


def _gaps(series: list[str]) -> list[str]:
    if len(series) < 2:
        return []
    if (counted := _matched(_NUMBER, series)) is not None:
        head, tail, numbers = counted
        width = len(series[0]) - len(head) - len(tail)
        return _missing(range(1, max(numbers)), numbers, lambda number: f"{head}{number:0{width}d}{tail}")
    if (letters := _matched(_LETTERS, series)) is not None:
        head, _, numbers = letters
        return _missing(range(max(numbers)), numbers, lambda number: head + _as_letters(number))
    return []


def _missing(expected: Iterable[int], numbers: set[int], name: Callable[[int], str]) -> list[str]:
    # Numbers may come from a damaged directory: do not iterate further than needed.
    return [name(number) for number in islice((each for each in expected if each not in numbers), _SHOWN)]


def _matched(pattern: re.Pattern[str], series: list[str]) -> tuple[str, str, set[int]] | None:
    """Return the text before and after the number, the same in all names, and the numbers."""
    matches = [pattern.fullmatch(name) for name in series]
    found = [(match[1], match[3], match[2]) for match in matches if match is not None]
    if len(found) < len(series) or len({(head, tail) for head, tail, _ in found}) > 1:
        return None
    return found[0][0], found[0][1], {_number(text) for _, _, text in found}


def _number(text: str) -> int:
    if text.isdigit():
        return int(text)
    high, low = (ord(letter) - ord("a") for letter in text)
    return high * 26 + low


def _as_letters(number: int) -> str:
    return chr(ord("a") + number // 26) + chr(ord("a") + number % 26)
