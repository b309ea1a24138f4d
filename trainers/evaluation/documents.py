"""The rows of a JSON file: JSON Lines, or one array of objects; strictly, with the line of what is no row."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ...errors import UsageError
from ...shards.json_lines import LARGEST_LINE_MB, MB, read_lines, too_long
from ...shards.json_objects import parse
from ...shards.json_stream import JsonFault, read_items

_SHOWN = 60


def read_documents(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each object with its line, of an array with the number of its element.

    Raises:
        UsageError: There is no such file, or a row is no object.
    """
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file.")
    with path.open("rb") as file:
        for number, row in _array(file, path) if _begins_array(file) else _lines(file, path):
            if not isinstance(row, dict):
                raise UsageError(f"{path}:{number}: expected an object, got {shown(row)}.")
            yield number, row


def read_texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text file; a line without text is one, too: lines are matched by their number.

    Raises:
        UsageError: There is no such file, or it is not UTF-8.
    """
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file.")
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise UsageError(f"{path}:{number}: not UTF-8 ({error.reason}).") from error
            yield number, text.rstrip("\r\n")


def is_text(path: Path) -> bool:
    """Whether a file is one of texts, one a line."""
    return path.suffix == ".txt"


def shown(value: Any) -> str:
    """A value as messages show it."""
    return f"{type(value).__name__} {json.dumps(value)[:_SHOWN]}"


def _begins_array(file: BinaryIO) -> bool:
    head = file.read(MB).removeprefix(b"\xef\xbb\xbf").lstrip()
    file.seek(0)
    return head.startswith(b"[")


def _array(file: BinaryIO, path: Path) -> Iterator[tuple[int, Any]]:
    try:
        for element in read_items(file):
            if element.fault:
                raise UsageError(f"{path}:{element.line}: {element.fault}.")
            yield element.number, element.value
    except JsonFault as fault:
        raise UsageError(f"{path}:{fault.line}:{fault.column}: {fault.message}.") from fault


def _lines(file: BinaryIO, path: Path) -> Iterator[tuple[int, Any]]:
    for number, line in read_lines(file):
        if line is None:
            raise UsageError(f"{path}:{number}: {too_long(LARGEST_LINE_MB * MB)}")
        try:
            yield number, parse(line.decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise UsageError(
                f"{path}:{number}: invalid JSON ({error}).", hint="expected JSON Lines: one object per line"
            ) from error
