"""Expand file name patterns for shards: `train-{000000..000146}.tar`, `{a,b}.tar`, `shards/*.tar`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ...errors import UsageError

_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_MOST = 100_000
"""The most shards one pattern may name; a typo such as {0..99999999} must not exhaust memory."""


def is_pattern(path: Path) -> bool:
    """Whether a path that does not exist is a file name pattern."""
    return any(mark in str(path) for mark in "{*?[") and not path.exists()


def matching_files(pattern: Path) -> list[Path]:
    """The files in the order of the braces; matches of a wildcard are sorted by name.

    Raises:
        UsageError: Nothing matches, or a file of a range is missing.
    """
    found: list[Path] = []
    for name in _expanded(str(pattern)):
        path = Path(name)
        if any(mark in name for mark in "*?["):
            anchor = Path(path.anchor)
            found.extend(sorted(each for each in anchor.glob(str(path.relative_to(anchor))) if each.is_file()))
        elif path.is_file():
            found.append(path)
        else:
            raise UsageError(f"{pattern}: no such file: {path}.")
    if not found:
        raise UsageError(f"{pattern}: no file matches.")
    return found


def _expanded(text: str) -> Iterator[str]:
    """Every name that the braces expand to, in order."""
    names = [text]
    while any(_BRACES.search(name) for name in names):
        names = [each for name in names for each in _once(name)]
        if len(names) > _MOST:
            raise UsageError(f"{text}: more than {_MOST:,} names.")
    yield from names


def _once(name: str) -> list[str]:
    braces = _BRACES.search(name)
    if braces is None:
        return [name]
    head, tail = name[: braces.start()], name[braces.end() :]
    return [f"{head}{each}{tail}" for each in _alternatives(braces[1], name)]


def _alternatives(inside: str, name: str) -> list[str]:
    numbers = _RANGE.fullmatch(inside)
    if numbers is None:
        return inside.split(",")
    first, last = int(numbers[1]), int(numbers[2])
    if not 0 <= last - first < _MOST:
        raise UsageError(f"{name}: {{{inside}}} is not a range of at most {_MOST:,} numbers.")
    return [f"{number:0{len(numbers[1])}d}" for number in range(first, last + 1)]
