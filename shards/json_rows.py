"""The rows of a file of objects: JSON Lines, or a JSON array; what else it holds ends reading with its line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import UsageError
from .json_lines import LARGEST_LINE_MB, MB, read_lines, too_long
from .json_objects import parse
from .json_stream import JsonFault, read_items


def read_object_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the objects with the lines that they begin on, counted from 1.

    Raises:
        UsageError: There is no such file, it is not JSON, or it holds something else than objects.
    """
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file.")
    with path.open("rb") as file:
        head = file.read(MB).removeprefix(b"\xef\xbb\xbf").lstrip()
        file.seek(0)
        for line, value in _array(file, path) if head.startswith(b"[") else _lines(file, path):
            if not isinstance(value, dict):
                raise UsageError(f"{path}:{line}: expected an object, got {type(value).__name__}.")
            yield line, value


def _array(file: BinaryIO, path: Path) -> Iterator[tuple[int, Any]]:
    try:
        for element in read_items(file):
            if element.fault:
                raise UsageError(f"{path}:{element.line}: {element.fault}.")
            yield element.line, element.value
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
