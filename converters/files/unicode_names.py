"""Names that differ only by Unicode normalisation: macOS writes `é` as two characters, most other systems as one."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable

_REMEMBERED = 256
"""Listings of folders that are kept, so that a table whose names are all spelled otherwise lists each folder once."""


def composed(name: str) -> str:
    """The composed form (NFC), by which names are compared."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def pairs_by_spelling(names: Iterable[str], others: Iterable[str]) -> list[tuple[str, str]]:
    """The pairs of names that differ only by normalisation, where each has just one such counterpart."""
    ours, theirs = spellings(names), spellings(others)
    return [
        (found[0], theirs[name][0])
        for name, found in ours.items()
        if len(found) == 1 and len(theirs.get(name, ())) == 1
    ]


def spellings(names: Iterable[str]) -> dict[str, list[str]]:
    """Composed name -> the names that are equal to it but for normalisation; for names beyond ASCII only."""
    found: dict[str, list[str]] = {}
    for name in names:
        if not name.isascii():
            found.setdefault(composed(name), []).append(name)
    return found


class Spellings:
    """Finds a file whose name on disk is spelled otherwise; remembers the listings of folders."""

    def __init__(self) -> None:
        self._listings: dict[str, dict[str, list[str]]] = {}

    def find(self, path: str) -> str | None:
        """The path with the names on disk that equal its own but for normalisation; None if there is none, or several.

        The path itself does not exist.
        """
        folder, name = os.path.split(path)
        if not name or folder == path:
            return None
        if not os.path.isdir(folder):  # noqa: PTH112
            found = self.find(folder)
            if found is None or not os.path.isdir(found):  # noqa: PTH112
                return None
            folder = found
        matching = self._listing(folder).get(composed(name), [])
        return os.path.join(folder, matching[0]) if len(matching) == 1 else None  # noqa: PTH118

    def _listing(self, folder: str) -> dict[str, list[str]]:
        if folder not in self._listings:
            if len(self._listings) >= _REMEMBERED:
                self._listings.clear()
            names: dict[str, list[str]] = {}
            try:
                for name in os.listdir(folder):  # noqa: PTH208
                    names.setdefault(composed(name), []).append(name)
            except OSError:
                names = {}
            self._listings[folder] = names
        return self._listings[folder]
