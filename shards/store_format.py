"""The version of a store's format, in `store.json`, and what depends on it: its tables, and where a media file lies.

    {"format": 2, "created_by": "triptych 0.1.0", "created_at": "2026-11-28T11:00:00+00:00"}

    format 2    media/ab/<sha256>.<ext>       256 folders, made with the store
    format 1    media/ab/cd/<sha256>.<ext>    stores without a `store.json`; read and written on as they are

A store says its version when it is made, before it has its first table, and keeps it: rows and exports name media by
path. A store of any other version was made by another program and is refused.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from ..errors import DamagedError, UsageError
from ..version import __version__

FORMAT_FILE = "store.json"
FORMAT = 2
"""The format of stores made now."""

TABLE_NAMES = ("samples", "checks", "verdicts", "annotations", "events", "runs")
"""The Delta tables of a store, each in a folder of its name (`tables.py` has their columns)."""

_UNNAMED = 1
"""The format of stores that were made before there was a `store.json`."""

_FOLDER_NAMES = tuple(f"{number:02x}" for number in range(256))
_FOLDERS = {1: "??/??", FORMAT: "??"}


def read_format(root: Path) -> int:
    """The format of the store at `root`.

    Raises:
        UsageError: It is of a format that this program does not read.
        DamagedError: `store.json` does not say.
    """
    path = root / FORMAT_FILE
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return _UNNAMED
    except (OSError, UnicodeDecodeError) as error:
        raise DamagedError(f"{path}: {error}", hint="copy it from a backup of the store") from error
    try:
        version = json.loads(text)["format"]
    except (ValueError, KeyError, TypeError, RecursionError):
        version = None
    if type(version) is not int:
        raise DamagedError(
            f'{path} does not say the version of the store\'s format: expected {{"format": {FORMAT}, ...}}, '
            f"got {text[:80]!r}.",
            hint="copy it from a backup of the store; a store whose media lies in media/ab/cd/ has no store.json",
        )
    if version not in _FOLDERS:
        raise UsageError(
            f"{root} is a store of format {version}; triptych {__version__} reads the formats "
            f"{' and '.join(map(str, sorted(_FOLDERS)))}.",
            hint="use the version of triptych that made it, or a later one: pip install --upgrade triptych",
        )
    return version


def write_format(root: Path) -> None:
    """Write the `store.json` of a new store and make its media folders, under the lock of the store."""
    for name in _FOLDER_NAMES:
        (root / "media" / name).mkdir(parents=True, exist_ok=True)
    document = {
        "format": FORMAT,
        "created_by": f"triptych {__version__}",
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    scratch = root / f".{FORMAT_FILE}.{os.getpid()}"
    scratch.write_text(json.dumps(document) + "\n", encoding="utf-8")
    scratch.rename(root / FORMAT_FILE)


def media_path(digest: str, extension: str, version: int) -> str:
    """The path of a media file relative to its store: the only place that says where media lies."""
    if version == _UNNAMED:
        return f"media/{digest[:2]}/{digest[2:4]}/{digest}.{extension}"
    return f"media/{digest[:2]}/{digest}.{extension}"


def media_pattern(version: int) -> str:
    """The glob, from the root of a store, that finds what `media_path` names."""
    return f"media/{_FOLDERS[version]}/*"
