"""Rows of a version that were deleted to free space, because they can be made again, and putting them back."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from .versions import Version, sums, write_json


def collect(version: Version, time: str) -> None:
    """Delete the files of a version except its manifest and NOTICE, and say so in the manifest, which comes first.

    Of a version that is collected already, this deletes what a killed command left.
    """
    if "collected" not in version.manifest:
        _mark(version, {**version.manifest, "collected": time})
    for path in left(version):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def left(version: Version) -> list[Path]:
    """The files and folders of a version that collecting deletes."""
    return [path for path in version.path.iterdir() if path.name not in ("manifest.json", "NOTICE")]


def unmark_collected(version: Version) -> None:
    """Say in the manifest that the rows are there."""
    if "collected" in version.manifest:
        _mark(version, {key: value for key, value in version.manifest.items() if key != "collected"})


def _mark(version: Version, manifest: dict[str, Any]) -> None:
    scratch = version.path / ".manifest.json"
    write_json(scratch, manifest)
    scratch.rename(version.path / "manifest.json")


def put_back(version: Version, name: str, made: Path) -> bool:
    """Put `made` in the place of a file that is missing or differs from what was published; whether it did.

    `made` must have the bytes that were published.
    """
    path = version.path / name
    if path.is_file() and sums(path) == version.manifest["files"][name]:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    made.rename(path)
    return True
