"""Read the elements of one JSON document one at a time: a file of any size needs little memory.

    read_items(stream)                          the elements of the array
    read_items(stream, at="data.items")         of the array at this path; `item` in a path stands for every element
    read_members(stream, at="database")         the members of an object, with their keys
    read_values(stream)                         the document itself

The stream is UTF-8, with or without a byte order mark. Numbers keep their digits and unpaired surrogates are kept, as
in the standard library, whose decoder does the work. Reading ends at the first error: `JsonFault` reports what it is,
and on which line and in which column. An element in which a key has two values is no end: that is its `fault`.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from .json_objects import NULLS, RepeatedKeyError

_CHUNK = 256 * 1024
_LARGEST_ELEMENT = 64 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"
_MARK = re.compile(r'[{}\[\]"]')
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


class JsonFault(ValueError):
    """Where and why a JSON text cannot be read any further.

    Attributes:
        number: The number of the element that contains the error, counted from 1.
        line, column: Counted from 1.
        is_encoding: Whether the text is not UTF-8.
    """

    def __init__(self, message: str, *, number: int, line: int, column: int, is_encoding: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.number = number
        self.line = line
        self.column = column
        self.is_encoding = is_encoding


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its number, counted from 1, the line on which it begins, and its key in an object.

    One with a `fault` has no value: a key inside it has two.
    """

    number: int
    line: int
    value: Any
    key: str = ""
    fault: str = ""


def read_items(stream: BinaryIO, *, at: str = "", decoder: json.JSONDecoder = NULLS) -> Iterator[Element]:
    """Yield the elements of the array at a path.

    Raises:
        JsonFault: The text is invalid; the elements before the error were yielded.
    """
    yield from _Reader(stream, decoder).read(at, "[")


def read_members(stream: BinaryIO, *, at: str = "", decoder: json.JSONDecoder = NULLS) -> Iterator[Element]:
    """Yield the members of the object at a path; raises like `read_items`."""
    yield from _Reader(stream, decoder).read(at, "{")


def read_values(stream: BinaryIO, *, at: str = "", decoder: json.JSONDecoder = NULLS) -> Iterator[Element]:
    """Yield the complete values at a path; raises like `read_items`."""
    yield from _Reader(stream, decoder).read(at, "")


class _Reader:
    def __init__(self, stream: BinaryIO, decoder: json.JSONDecoder) -> None:
        self.window = _Window(stream, decoder)
        self.number = 0

    def read(self, at: str, opens: str) -> Iterator[Element]:
        window = self.window
        try:
            for _ in self._places(at):
                if not opens:
                    yield self._element("")
                elif not window.at(opens):
                    window.skip()
                elif opens == "[":
                    for _ in self._inside("[", "]"):
                        yield self._element("")
                else:
                    for _ in self._inside("{", "}"):
                        yield self._element(self._key())
            if not window.ended():
                raise window.fault("Extra data after the end of the document")
        except JsonFault as fault:
            fault.number = self.number
            raise
        except json.JSONDecodeError as error:
            line, column = window.place(error.pos)
            raise JsonFault(error.msg, number=self.number, line=line, column=column) from None
        except RecursionError:
            raise self._fault("nested too deeply") from None
        except ValueError as error:
            raise self._fault(str(error)) from error

    def _fault(self, message: str) -> JsonFault:
        line, column = self.window.place(self.window.position)
        return JsonFault(message, number=self.number, line=line, column=column)

    def _element(self, key: str) -> Element:
        self.window.skip_space()
        line, _ = self.window.place(self.window.position)
        self.number += 1
        try:
            return Element(self.number, line, self.window.element(), key)
        except RepeatedKeyError as error:
            self.window.skip()
            return Element(self.number, line, None, key, str(error))

    def _key(self) -> str:
        key = self.window.element()
        if not isinstance(key, str):
            raise self.window.fault("Expecting a key in double quotes")
        self.window.expect(":")
        return key

    def _inside(self, opens: str, closes: str) -> Iterator[None]:
        """Yield at every element or member of an array or object; the caller reads or skips it."""
        window = self.window
        window.expect(opens)
        is_first = True
        while not window.at(closes):
            if not is_first:
                window.expect(",")
            is_first = False
            yield
        window.expect(closes)

    def _places(self, at: str) -> Iterator[None]:
        """Yield at every value that the path leads to; other values are skipped without being built."""
        window = self.window
        if not at:
            yield
        elif window.at("[") and at.partition(".")[0] == "item":
            for _ in self._inside("[", "]"):
                yield from self._places(at.partition(".")[2])
        elif window.at("{"):
            for _ in self._inside("{", "}"):
                key = self._key()
                if at == key:
                    yield
                elif at.startswith(f"{key}."):
                    yield from self._places(at[len(key) + 1 :])
                else:
                    window.skip()
        else:
            window.skip()


class _Window:
    """A sliding window over a JSON text that tracks the line and column of its start."""

    def __init__(self, stream: BinaryIO, decoder: json.JSONDecoder) -> None:
        self.stream = stream
        self.decoder = decoder
        self.text = ""
        self.position = 0
        self.line, self.column = 1, 1
        self._bytes = b""
        self._is_started = False
        self._bad_byte: str | None = None
        self._counted, self._line, self._column = 0, 1, 1

    def place(self, position: int) -> tuple[int, int]:
        """Return the line and column of a position in the window."""
        if position < self._counted:
            self._counted, self._line, self._column = 0, self.line, self.column
        lines = self.text.count("\n", self._counted, position)
        if lines:
            self._column = position - self.text.rfind("\n", 0, position)
        else:
            self._column += position - self._counted
        self._line += lines
        self._counted = position
        return self._line, self._column

    def fault(self, message: str, *, is_encoding: bool = False) -> JsonFault:
        line, column = self.place(len(self.text) if is_encoding else self.position)
        return JsonFault(message, number=0, line=line, column=column, is_encoding=is_encoding)

    def at(self, mark: str) -> bool:
        """Whether the next character that is not white space is `mark`."""
        self.skip_space()
        return self.text.startswith(mark, self.position)

    def ended(self) -> bool:
        """Whether only white space is left."""
        self.skip_space()
        return self.position >= len(self.text)

    def expect(self, mark: str) -> None:
        """Consume `mark`."""
        if not self.at(mark):
            raise json.JSONDecodeError(f"Expecting {mark!r}", self.text, self.position)
        self.position += 1

    def element(self) -> Any:
        """Read the next value; the window is extended until it is complete."""
        self.skip_space()
        while True:
            try:
                value, end = self.decoder.raw_decode(self.text, self.position)
            except json.JSONDecodeError:
                if len(self.text) - self.position > _LARGEST_ELEMENT:
                    raise self.fault(f"an element of more than {_LARGEST_ELEMENT // 1024**2} MB, or invalid") from None
                if not self._more():
                    raise
                continue
            # A number at the end of the window may continue beyond it: `1` and `.5`, or `1.` and `5`.
            is_open = not isinstance(value, dict | list | str) and not self.text[end : end + 4].strip("+-.eE0123456789")
            if is_open and end + 4 > len(self.text) and self._more():
                continue
            self.position = end
            return value

    def skip(self) -> None:
        """Skip the next value without building it."""
        self.skip_space()
        if self.text[self.position : self.position + 1] not in ("{", "["):
            self.element()
            return
        depth = 0
        while True:
            mark = _MARK.search(self.text, self.position)
            if mark is None:
                self.position = len(self.text)
            elif mark[0] != '"':
                self.position = mark.end()
                depth += 1 if mark[0] in "{[" else -1
                if not depth:
                    return
                continue
            elif (string := _STRING.match(self.text, mark.start())) is not None:
                self.position = string.end()
                continue
            else:
                self.position = mark.start()
            if not self._more():
                raise json.JSONDecodeError("Unexpected end", self.text, len(self.text))

    def skip_space(self) -> None:
        while True:
            while self.position < len(self.text) and self.text[self.position] in " \t\r\n":
                self.position += 1
            if self.position < len(self.text) or not self._more():
                return

    def _more(self) -> bool:
        # The window is doubled each time, so that a long element is parsed only a few times.
        if self._bad_byte is not None:
            raise self.fault(self._bad_byte, is_encoding=True)
        chunk = self.stream.read(max(_CHUNK, len(self.text) - self.position))
        if not chunk and not self._bytes:
            return False
        data = self._bytes + chunk
        if not self._is_started:
            self._is_started = True
            data = data.removeprefix(_BOM)
        try:
            text, used = codecs.utf_8_decode(data, "strict", not chunk)
        except UnicodeDecodeError as error:
            # The text before the bad byte is still read; the error is raised when more is needed.
            text, used = data[: error.start].decode(), len(data)
            self._bad_byte = f"byte {data[error.start]:#04x} is not UTF-8"
        self._bytes = data[used:]
        self.line, self.column = self.place(self.position)
        self.text, self.position = self.text[self.position :] + text, 0
        self._counted, self._line, self._column = 0, self.line, self.column
        return True
