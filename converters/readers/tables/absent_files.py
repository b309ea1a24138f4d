"""Detect early that the files which a table names are not there."""

from __future__ import annotations

import os


class Absences:
    """Detects missing files early: if the previous file or the folder of a file is missing.

    Otherwise a table with a wrong media folder would send every row through the costly path into the store. As long as
    files exist, checking them is left to the code that reads them.
    """

    _REMEMBERED = 4096

    def __init__(self) -> None:
        self._folders: dict[str, bool] = {}
        self._was_absent = False

    def has(self, path: str) -> bool:
        """Whether the file is certainly missing."""
        parent, slash, _ = path.rpartition("/")
        folder = parent or slash or "."
        is_absent = self._folders.get(folder)
        if is_absent is None:
            if len(self._folders) >= self._REMEMBERED:
                self._folders.clear()
            is_absent = self._folders[folder] = _is_absent(folder)
        if is_absent:
            return True
        if self._was_absent:
            self._was_absent = is_absent = _is_absent(path)
            return is_absent
        # Only remember the result: this file still takes the normal path.
        self._was_absent = _is_absent(path)
        return False


def is_plain(path: str) -> bool:
    """Whether a path is in the form that pathlib would print."""
    return "//" not in path and "/./" not in path and not path.endswith(("/", "/."))


def _is_absent(path: str) -> bool:
    try:
        os.lstat(path)
    except FileNotFoundError:
        return True
    except (OSError, ValueError):
        return False
    return False
