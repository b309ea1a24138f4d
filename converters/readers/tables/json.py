"""Elements of a JSON array, one at a time: a file of any size is read with little memory.

An element that is no object is rejected and the next one read; where the text itself is broken, what follows cannot be
read, and the last item is a `Rejection` that says so.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TextIO

from ...candidate import Rejection
from .user_rows import Row, Rows

_CHUNK = 256 * 1024
_LARGEST_ELEMENT = 64 * 1024 * 1024


def read_array(path: Path) -> Rows:
    """Rows of a JSON file that is one array of objects."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        text = _Text(file)
        number = 0
        try:
            text.expect("[")
            while not text.at("]"):
                if number:
                    text.expect(",")
                number += 1
                yield _row(text.element(), f"{path}:{text.line}, record {number}", f"{path.name}:record {number}")
            text.expect("]")
            if text.left():
                raise json.JSONDecodeError("Extra data after the array", text.text, text.position)
        except (json.JSONDecodeError, RecursionError) as error:
            where = f"{path}:{text.line}, record {number}"
            said = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deep"
            detail = f"{where}: {said}; what follows cannot be read"
            yield Rejection(f"{path.name}:record {number}", "bad_json", detail, where, damaged=True)
        except UnicodeDecodeError as error:
            where = f"{path}:{text.line}, record {number}"
            yield Rejection(f"{path.name}:record {number}", "not_utf8", f"{where}: {error.reason}", where, damaged=True)


def _row(value: Any, where: str, name: str) -> Row | Rejection:
    if not isinstance(value, dict):
        return Rejection(name, "not_an_object", f"{where}: expected an object, got {json.dumps(value)[:80]}", where)
    return Row({str(column): cell if cell != "" else None for column, cell in value.items()}, where)


def _null(_: str) -> None:
    """`NaN` and `Infinity` are no JSON; as cells they are null."""
    return None


class _Text:
    """A window that slides over a JSON text; `line` is where the element read last begins."""

    def __init__(self, file: TextIO) -> None:
        self.file = file
        self.text = ""
        self.position = 0
        self.line = 1
        self._counted = 0
        self._decoder = json.JSONDecoder(parse_constant=_null)

    def at(self, mark: str) -> bool:
        """Whether the next character that is not white space is `mark`."""
        return self.left() and self.text.startswith(mark, self.position)

    def left(self) -> bool:
        """Whether anything but white space is left."""
        while True:
            while self.position < len(self.text) and self.text[self.position] in " \t\r\n":
                self.position += 1
            if self.position < len(self.text) or not self._more():
                return self.position < len(self.text)

    def expect(self, mark: str) -> None:
        """Go past `mark`."""
        if not self.at(mark):
            raise json.JSONDecodeError(f"expected {mark!r}", self.text, self.position)
        self.position += len(mark)

    def element(self) -> Any:
        """The next value; more is read until it is whole."""
        self.left()
        self._count_lines()
        while True:
            try:
                value, end = self._decoder.raw_decode(self.text, self.position)
            except json.JSONDecodeError:
                if len(self.text) - self.position > _LARGEST_ELEMENT or not self._more():
                    raise
                continue
            # A number at the very end of the window may go on beyond it.
            if end == len(self.text) and self._more():
                continue
            self.position = end
            return value

    def _count_lines(self) -> None:
        self.line += self.text.count("\n", self._counted, self.position)
        self._counted = self.position

    def _more(self) -> bool:
        # As much again as is there: a long element is tried a few times only.
        chunk = self.file.read(max(_CHUNK, len(self.text) - self.position))
        if not chunk:
            return False
        self._count_lines()
        self.text = self.text[self.position :] + chunk
        self.position = self._counted = 0
        return True
