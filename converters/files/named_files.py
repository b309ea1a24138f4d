"""The files that the rows of a table or manifest name by path, resolved against the table's folder or `--media-dir`.

Media by an absolute path (or `~`) is the user's own and taken as it is. By a relative path it must stay inside (see
`inside.py`), links followed; a text must do so by any path, since its content becomes a column. URLs are never
followed, commands are never run, and only regular files are opened.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from ...shards.git_pointers import pointer_kind
from ..candidate import ReadContext, RowError, bad_cell
from .inside import OUTSIDE, Inside
from .unicode_names import Spellings

TEXT_BYTES = 1024 * 1024
"""A text in a file of its own is read up to this size."""

_REMEMBERED = 4096
_SURROGATE = re.compile("[\ud800-\udfff]")


class NamedFiles:
    """Finds the files that rows name.

    Args:
        folder: The folder of relative paths.
        inside: What may be read.
    """

    def __init__(self, folder: Path, inside: Inside) -> None:
        self.folder = folder
        self._folder = str(folder)
        self._inside = inside
        self._parents: dict[str, str] = {}
        self._spellings = Spellings()

    @classmethod
    def of(cls, table: Path, context: ReadContext) -> NamedFiles:
        """The files that the rows of a table name, in the import or conversion of this context."""
        given = context.path if context.path is not None and context.path.is_dir() else None
        inside = Inside.of(table.parent, given, context.media_dir, allowed=context.allow_outside)
        return cls(context.media_dir or table.parent, inside)

    def media(self, column: str, value: str) -> str:
        """The path of a media file; it need not exist.

        Raises:
            RowError: It is not a path, or leads outside.
        """
        path = media_path(column, value)
        # Joined as strings, so that each of a million paths is parsed once instead of three times.
        joined = os.path.join(self._folder, path)  # noqa: PTH118
        try:
            link = stat.S_ISLNK(os.lstat(joined).st_mode)
        except OSError:
            # A missing file is left to the code that reads it, unless its name is only spelled otherwise.
            found = None if joined.isascii() else self._spellings.find(joined)
            if found is None and ".." not in value:
                return joined
            joined = found or joined
            link = True
        if not os.path.isabs(path) and (real := self._real(joined, link)) is not None:  # noqa: PTH117
            raise RowError(OUTSIDE, f"{value[:80]!r}: {self._inside.refusal(real)}", column)
        return joined

    def text(self, column: str, value: str) -> str:
        """The content of a text file in UTF-8, without the white space around it.

        Raises:
            RowError: It leads outside, is not a regular file, or not UTF-8 text.
        """
        joined = os.path.join(self._folder, media_path(column, value))  # noqa: PTH118
        if not joined.isascii() and not os.path.exists(joined):  # noqa: PTH110
            joined = self._spellings.find(joined) or joined
        if (real := self._real(joined, True)) is not None:
            raise RowError(OUTSIDE, f"{value[:80]!r}: {self._inside.refusal(real)}", column)
        try:
            if not stat.S_ISREG(os.stat(joined).st_mode):  # noqa: PTH116
                raise bad_cell(column, value, "a regular file", reason="special_file")
            with Path(joined).open("rb") as file:
                data = file.read(TEXT_BYTES + 1)
        except OSError as error:
            raise bad_cell(column, value, f"a readable file ({error.strerror})") from None
        if len(data) > TEXT_BYTES:
            raise bad_cell(column, value, f"a text of at most {TEXT_BYTES:,} bytes", reason="too_large")
        if (kind := pointer_kind(data)) is not None:
            raise RowError("pointer", f"{value[:80]!r} is {kind}", column)
        try:
            return data.decode("utf-8-sig").strip()
        except UnicodeDecodeError:
            raise bad_cell(column, value, "UTF-8 text in the file", reason="not_utf8") from None

    def _real(self, path: str, link: bool) -> str | None:
        """The real path if it is outside, else None; links among the folders are followed once for each folder."""
        if link:
            real = os.path.realpath(path)
            return None if self._inside.has(real) else real
        parent, _, name = path.rpartition("/")
        outside = self._parents.get(parent)
        if outside is None:
            if len(self._parents) >= _REMEMBERED:
                self._parents.clear()
            real = os.path.realpath(parent or "/")
            outside = self._parents[parent] = "" if self._inside.has(real) else real
        return f"{outside}/{name}" if outside else None


def media_path(column: str, value: str) -> str:
    """The path in a cell; URLs are never followed and commands are never run."""
    if "://" in value:
        raise bad_cell(column, value, "a path on this machine (download the file first)", reason="remote_media")
    if value.rstrip().endswith("|"):
        raise bad_cell(column, value, "a path, not a command", reason="executable_entry")
    if "\0" in value or not (value.isascii() or _SURROGATE.search(value) is None):
        raise bad_cell(column, value, "a valid file path (no null bytes, no unpaired surrogates)")
    if not value.startswith("~"):
        return value
    try:
        return str(Path(value).expanduser())
    except RuntimeError:
        raise bad_cell(column, value, "a path; the home directory of that user is unknown") from None
