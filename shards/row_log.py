"""A file of JSON Lines that grows by whole rows: what was written survives the end of the process."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Self

from ..errors import UsageError
from .store.lock import claim

_CHUNK = 1024 * 1024


def json_line(document: Mapping[str, Any]) -> bytes:
    """A row as one line of JSON, with its line end.

    An unpaired surrogate, which a model of bytes may emit, is written as its escape: UTF-8 has none.
    """
    text = json.dumps(document, ensure_ascii=False)
    if not text.isascii() and any("\ud800" <= each <= "\udfff" for each in text):
        text = json.dumps(document)
    return text.encode() + b"\n"


class RowLog:
    """An open file; a last line that the end of the process cut off is removed when it is opened again.

    Raises:
        UsageError: Another process, or another log of this one, writes the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._opened()
        self._cut_off_last_line()

    def _opened(self) -> BinaryIO:
        while True:
            file = self.path.open("ab+")
            if not claim(file.fileno()):
                file.close()
                raise UsageError(
                    f"{self.path}: another run writes it.", hint="wait for that run, or choose another file"
                )
            with suppress(FileNotFoundError):
                if os.path.samestat(self.path.stat(), os.fstat(file.fileno())):
                    return file
            file.close()  # the run that held it has ended since it was opened, and removed the file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def write(self, lines: Iterable[bytes]) -> None:
        """Write lines behind the others, as one write."""
        self._file.write(b"".join(lines))
        self._file.flush()

    def clear(self) -> None:
        """Forget what was written."""
        self._file.truncate(0)

    def remove(self) -> None:
        """Remove the file, while nobody else can write it."""
        self.path.unlink()

    @property
    def is_empty(self) -> bool:
        """Whether there is no row in it."""
        return not os.fstat(self._file.fileno()).st_size

    def _cut_off_last_line(self) -> None:
        size = self._file.seek(0, os.SEEK_END)
        end = size
        while end:
            start = max(0, end - _CHUNK)
            self._file.seek(start)
            newline = self._file.read(end - start).rfind(b"\n")
            end = start + newline + 1 if newline >= 0 else start
            if newline >= 0:
                break
        if end != size:
            self._file.truncate(end)
