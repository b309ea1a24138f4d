"""Copies of published versions for other locations.

`relocate` writes the same rows for another media root next to the original (`v<N>-<8 hex digits>`); `pack` copies a
version together with the media it names. A copy whose rows differ from the original is refused.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

from ...errors import DamagedError, UsageError
from ..store.sql import quote
from ..store.store import Store
from .jsonl import write_jsonl
from .versions import PARQUET, Version, data_files, load, media_paths, require_data, rows_under, write_json


def relocate(store: Store, version: Version, media_root: str) -> Version:
    """Write the same version for another media root next to it, or return the existing one."""
    media_root = _absolute(media_root)
    require_data(version)
    label = f"v{version.number}-{hashlib.sha256(media_root.encode()).hexdigest()[:8]}"
    target = version.path.parent / label
    if not target.exists():
        scratch = version.path.parent / f".{label}.{os.getpid()}"
        manifest = version.manifest | {"media_root": media_root, "relocated_from": version.reference}
        _write_copy(version, scratch, media_root, manifest)
        try:
            scratch.rename(target)
        except OSError:
            if not target.exists():
                raise
            shutil.rmtree(scratch)
    return load(store, version.name, label)


def pack(version: Version, to: Path, *, media_root: str | None = None) -> dict[str, Any]:
    """Copy a version and the media it names into the new folder `to`; paths point into it, or under `media_root`.

    Returns the manifest of the pack; `media` has the number of files and bytes.
    """
    to = to.expanduser().absolute()
    where = _absolute(media_root or str(to))
    require_data(version)
    if to.is_file():
        raise UsageError(f"{to} is a file.", hint="pack into a new folder: --to DIR")
    if to.exists() and any(to.iterdir()):
        raise UsageError(f"{to} is not empty.", hint="pack into a new folder: --to DIR")
    root = version.manifest["media_root"]
    named = media_paths(version)
    outside = [path for path in named if not path.startswith(root.rstrip("/") + "/")]
    if outside:
        raise UsageError(
            f"{len(outside)} media files are outside {root} (linked, not copied); the first is {outside[0]}.",
            hint="import or pull them without --link, export again, then pack",
        )
    for path in named:
        if not Path(path).is_file():
            raise DamagedError(f"{path}: missing, but named in {version.reference}.")
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{to}: {error.strerror}.", hint="pack into a new folder: --to DIR") from error
    size = 0
    for path in named:
        target = to / os.path.relpath(path, root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        size += target.stat().st_size
    manifest = version.manifest | {"media_root": where, "packed_from": version.reference}
    manifest["media"] = {"files": len(named), "bytes": size}
    return _write_copy(version, to, where, manifest)


def _absolute(media_root: str) -> str:
    if not media_root.startswith("/"):
        raise UsageError(f"--media-root {media_root!r} must be an absolute path.")
    return media_root.rstrip("/") or "/"


def _write_copy(version: Version, folder: Path, media_root: str, manifest: dict[str, Any]) -> dict[str, Any]:
    import duckdb

    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(":memory:") as connection:
        select = rows_under(connection, version, media_root)
        parquet = folder / "data.parquet"
        connection.execute(f"COPY ({select}) TO {quote(str(parquet))} ({PARQUET})")
        write_jsonl(connection, parquet, folder / "data.jsonl")
    for name in ["NOTICE", *(name for name in version.manifest["files"] if name.endswith(".sql"))]:
        shutil.copyfile(version.path / name, folder / name)
    files, content = data_files(folder, media_root)
    if content != version.manifest["content_sha256"]:
        raise DamagedError(f"{version.reference}: the copy under {media_root} has different rows from the original.")
    manifest = manifest | {"files": files}
    write_json(folder / "manifest.json", manifest)
    return manifest
