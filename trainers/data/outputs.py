"""What is written is never one of the files that were read, `--force` or not."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ...errors import UsageError


def check_not_read(option: str, written: Iterable[Path], read: Iterable[Path | None]) -> None:
    """Raise UsageError if one of the files that an option writes is one that is read."""
    inputs = {path.expanduser().resolve() for path in read if path is not None}
    for path in written:
        if path.resolve() in inputs:
            raise UsageError(f"{option}: {path} is a file that is read.", hint="name another file to write")
