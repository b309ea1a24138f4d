"""A fence around one file: whatever a media library raises over it becomes a `MediaError` about that file.

Damaged files make libsndfile, FFmpeg and their bindings fail in ways that no list foresees (a codec without a decoder,
a rate of 0, a tag that is not UTF-8). None of that may end a run over a million other files. What concerns the machine
and not the file, a full disk or too many open files, passes through.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import TriptychError
from .streams import MediaError

UNREADABLE = "unreadable_media"
MISSING = "missing_media"

_OF_THE_MACHINE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE})


@contextmanager
def fenced(name: str, *, reason: str = UNREADABLE, store: Path | None = None) -> Iterator[None]:
    """Turn foreign exceptions into MediaError `reason` (`missing_media` if it is gone), with `name` in its detail.

    Args:
        store: The store written to: a failure to write below it is not the file's fault and passes through.
    """
    try:
        yield
    except (MediaError, TriptychError):
        raise
    except OSError as error:
        if error.errno in _OF_THE_MACHINE or (store is not None and _is_below(error, store)):
            raise
        is_gone = isinstance(error, FileNotFoundError | NotADirectoryError)
        raise MediaError(MISSING if is_gone else reason, f"{name}: {describe(error)}") from error
    except Exception as error:
        raise MediaError(reason, f"{name}: {describe(error)}") from error


def describe(error: Exception) -> str:
    """The message of an exception, with its type where the message alone says little."""
    said = getattr(error, "strerror", None) or str(error)
    if isinstance(error, MemoryError):
        return "its header asks for more memory than there is"
    return said if isinstance(error, OSError) and said else f"{type(error).__name__}: {said}".rstrip(": ")


def _is_below(error: OSError, store: Path) -> bool:
    return error.filename is not None and str(error.filename).startswith(f"{store}/")
