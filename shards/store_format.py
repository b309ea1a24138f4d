"""The format version of a store, recorded in `store.json`, and what depends on it: its tables and media paths.

    {"format": 2, "created_by": "triptych 0.1.0", "created_at": "2026-11-28T11:00:00+00:00"}

    format 2    media/ab/<sha256>.<ext>       256 folders, each created for its first file
    format 1    media/ab/cd/<sha256>.<ext>    stores without a `store.json`; still read and written in this format

The version is written when the store is created, before its first table, and never changes, because rows and exports
refer to media by path. A store of any other version is refused, and so is one with media of format 2 that lost its
`store.json`.
"""

from __future__ import annotations

import json
import os
import shlex
from datetime import UTC, datetime
from pathlib import Path

from ..errors import DamagedError, UsageError
from ..version import __version__

FORMAT_FILE = "store.json"
FORMAT = 2
"""The format of new stores."""

TABLE_NAMES = ("samples", "checks", "verdicts", "annotations", "events", "runs")
"""The Delta tables of a store, each in a folder of the same name (`tables.py` defines their columns)."""

_WITHOUT_FILE = 1
"""The format of stores created before `store.json` was introduced."""

_FOLDERS = {1: "??/??", FORMAT: "??"}


def read_format(root: Path) -> int:
    """Return the format version of the store at `root`.

    Raises:
        UsageError: This version of triptych does not read that format.
        DamagedError: `store.json` cannot be read, has no version, or was lost.
    """
    path = root / FORMAT_FILE
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        if _has_lost_file(root):
            raise DamagedError(
                f"{path} is missing, but the media folders of this store are those of format {FORMAT}.",
                hint=f"restore it: echo '{{\"format\": {FORMAT}}}' > {shlex.quote(str(path))}",
            ) from None
        return _WITHOUT_FILE
    except (OSError, UnicodeDecodeError) as error:
        raise DamagedError(f"{path}: {error}", hint="restore it from a backup of the store") from error
    try:
        version = json.loads(text)["format"]
    except (ValueError, KeyError, TypeError, RecursionError):
        version = None
    if type(version) is not int:
        raise DamagedError(
            f'{path} has no valid format version: expected {{"format": {FORMAT}, ...}}, got {text[:80]!r}.',
            hint="restore it from a backup of the store; a store with media in media/ab/cd/ has no store.json",
        )
    if version not in _FOLDERS:
        raise UsageError(
            f"{root} has store format {version}; triptych {__version__} reads formats "
            f"{' and '.join(map(str, sorted(_FOLDERS)))}.",
            hint="use the version of triptych that created it, or a later one: pip install --upgrade triptych",
        )
    return version


def _has_lost_file(root: Path) -> bool:
    """Whether a store without a `store.json` was created with one: it has files in `media/ab/`, where format 1 has
    only folders. A store without stored media is read the same in both formats.
    """
    return any(entry.is_file() for folder in root.glob("media/[0-9a-f][0-9a-f]") for entry in os.scandir(folder))


def write_format(root: Path) -> None:
    """Write the `store.json` of a new store; the caller holds the store's lock."""
    document = {
        "format": FORMAT,
        "created_by": f"triptych {__version__}",
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    scratch = root / f".{FORMAT_FILE}.{os.getpid()}"
    scratch.write_text(json.dumps(document) + "\n", encoding="utf-8")
    scratch.rename(root / FORMAT_FILE)


def media_path(digest: str, extension: str, version: int) -> str:
    """Return the path of a media file relative to its store; the layout is defined only here."""
    if version == _WITHOUT_FILE:
        return f"media/{digest[:2]}/{digest[2:4]}/{digest}.{extension}"
    return f"media/{digest[:2]}/{digest}.{extension}"


def media_pattern(version: int) -> str:
    """Return the glob, relative to the store's root, that matches the paths of `media_path`."""
    return f"media/{_FOLDERS[version]}/*"
