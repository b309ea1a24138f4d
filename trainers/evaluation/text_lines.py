"""Text files of one text a line: predictions or what is right, matched by the number of the line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ...errors import UsageError


def is_text(path: Path) -> bool:
    """Whether a file is one of texts."""
    return path.suffix == ".txt"


def read_texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines with their numbers; an empty one is a text, too.

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
