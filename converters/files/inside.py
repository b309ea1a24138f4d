"""What is inside an input, and what leads outside: one rule for folders, tables and manifests.

A stranger's folder or manifest must not choose which of the user's files are read. Inside are the input's own folder,
`--media-dir`, and what the user names with `--allow-outside`, each with everything below it, once links are followed.
Two kinds of links leave a folder but not what the user was given, and count as inside: those of a git-annex checkout to
its own `.git/annex/objects`, and those of a snapshot in the Hugging Face cache to its own `blobs`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ...errors import UsageError

OUTSIDE = "outside"
"""The reason of a path that leads outside."""

_ANNEX = os.path.join(".git", "annex", "objects")  # noqa: PTH118


@dataclass(frozen=True, slots=True)
class Inside:
    """The folders whose files may be read; all paths are real ones, without links."""

    roots: tuple[str, ...]

    @classmethod
    def of(cls, *places: Path | None, allowed: Iterable[Path] = ()) -> Inside:
        """What is inside these folders or files, and inside those that the user allows."""
        real = [os.path.realpath(place.expanduser()) for place in (*places, *allowed) if place is not None]
        objects = [found for place in real for found in _objects_of(place)]
        return cls(tuple(dict.fromkeys((*real, *objects))))

    def has(self, real: str) -> bool:
        """Whether a real path is inside."""
        return any(is_below(real, root) for root in self.roots)

    def refusal(self, real: str) -> str:
        """Why a real path is refused, and the option that allows it."""
        folder = real if os.path.isdir(real) else os.path.dirname(real)  # noqa: PTH112, PTH120
        return f"it leads outside the input, to {real}; if that is meant: --allow-outside {folder}"


def check_allowed(places: Iterable[Path]) -> None:
    """Raise UsageError if a place of `--allow-outside` does not exist."""
    for place in places:
        if not place.expanduser().exists():
            raise UsageError(f"--allow-outside {place}: there is no such file or folder.")


def is_below(path: str, folder: str) -> bool:
    """Whether a path is a folder or something in it; both are normalised."""
    return path == folder or path.startswith(folder if folder.endswith(os.sep) else folder + os.sep)


def _objects_of(place: str) -> Iterable[str]:
    """The folders of contents that belong to a checkout around this place: of git-annex, of the hub's cache."""
    path = Path(place)
    for folder in (path, *path.parents):
        objects = folder / _ANNEX
        if objects.is_dir():
            yield str(objects.resolve())
        if folder.name == "snapshots" and (folder.parent / "blobs").is_dir():
            yield str((folder.parent / "blobs").resolve())
