"""Copies of published versions for other locations.

`relocate` writes the same rows for another media root next to the original (`v<N>-<8 hex digits>`); `pack` copies a
version together with the media it names; `relocate_pack` rewrites such a folder that was moved. A copy whose rows
differ from the original is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...errors import DamagedError, UsageError
from ..media.media import copy_and_hash
from ..store.database import session
from ..store.sql import quote
from ..store.store import Store
from .jsonl import write_jsonl
from .scratch import scratch_folder
from .versions import PARQUET, Version, data_files, load, media_paths, require_data, rows_under, write_json

UNFINISHED = ".unfinished"
"""Marks the folder of a pack until it is complete; it names the version."""

HERE = "."
"""The media root of a copy whose paths are relative to its folder."""

WriteFiles = Callable[[Path, Path], None]
"""Writes the further files of a version from its `data.parquet` into its folder."""


def relocate(store: Store, version: Version, media_root: str, *, write_files: WriteFiles | None = None) -> Version:
    """Write the same version for another media root next to it, or return the existing one.

    Args:
        write_files: Makes the further files, if they name media; else they are copied.
    """
    media_root = _absolute(media_root)
    require_data(version)
    key = hashlib.sha256(media_root.encode()).hexdigest()[:8]
    label = f"v{version.number}-{key}"
    target = version.path.parent / label
    if not target.exists():
        manifest = version.manifest | {"media_root": media_root, "relocated_from": version.reference}
        with scratch_folder(version.path.parent, key) as scratch:
            _write_copy(version, scratch / label, media_root, manifest, write_files)
            try:
                (scratch / label).rename(target)
            except OSError:
                if not target.exists():
                    raise
    return load(store, version.name, label)


def pack(
    version: Version,
    to: Path,
    *,
    media_root: str | None = None,
    embeds_media: bool = False,
    write_files: WriteFiles | None = None,
) -> dict[str, Any]:
    """Copy a version and the media it names into the new folder `to`; paths point into it, or under `media_root`.

    With the media root `.` paths are relative to the folder. Of a version whose further files hold the media
    (`embeds_media`), no media is copied.

    Returns the manifest of the pack; `media` has the number of files and bytes.
    """
    to = to.expanduser().absolute()
    where = HERE if media_root == HERE else _absolute(media_root or str(to))
    require_data(version)
    if embeds_media and media_root is None:
        where = version.manifest["media_root"]
    elif embeds_media and media_root != HERE:
        raise UsageError(
            f"{version.reference} holds what it takes of the media itself: a media root does not apply to it.",
            hint="remove --media-root",
        )
    if to.is_file():
        raise UsageError(f"{to} is a file.", hint="pack into a new folder: --to DIR")
    unfinished = to / UNFINISHED
    if to.exists() and any(to.iterdir()) and not _is_unfinished(unfinished, version):
        raise UsageError(f"{to} is not empty.", hint="pack into a new folder: --to DIR")
    root = version.manifest["media_root"]
    named = [] if embeds_media else media_paths(version)
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
        unfinished.write_text(_mark(version) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{to}: {error.strerror}.", hint="pack into a new folder: --to DIR") from error
    size = 0
    for path in named:
        target = to / os.path.relpath(path, root)
        target.parent.mkdir(parents=True, exist_ok=True)
        size += _copy_media(Path(path), target)
    manifest = version.manifest | {"media_root": where, "packed_from": version.reference}
    manifest["media"] = {"files": len(named), "bytes": size} | ({"embedded": True} if embeds_media else {})
    written = _write_copy(version, to, where, manifest, write_files)
    unfinished.unlink()
    return written


def load_pack(folder: Path) -> Version:
    """Load the version in the folder of a pack.

    Raises:
        UsageError: It is not the folder of a finished pack.
    """
    folder = folder.expanduser().absolute()
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        name, _, label = manifest["packed_from"].partition("@")
    except (OSError, ValueError, KeyError, TypeError):
        manifest = None
    if manifest is None or (folder / UNFINISHED).exists():
        raise UsageError(f"{folder} is not a folder that `exports pack` made.", hint="triptych exports list")
    return Version(name, label, folder, manifest)


def relocate_pack(version: Version, media_root: str, *, write_files: WriteFiles | None = None) -> Version:
    """Rewrite a pack in its folder for another media root, or for its own folder, where it was moved to."""
    media_root = media_root if media_root == HERE else _absolute(media_root)
    require_data(version)
    if version.manifest["media"].get("embedded"):
        raise UsageError(f"{version.path}: its files hold the media: a media root does not apply to it.")
    with tempfile.TemporaryDirectory(prefix=".moved-", dir=version.path) as scratch:
        made = Path(scratch, "copy")
        manifest = _write_copy(version, made, media_root, version.manifest | {"media_root": media_root}, write_files)
        for name in (*manifest["files"], "manifest.json"):
            (made / name).replace(version.path / name)
    return Version(version.name, version.label, version.path, manifest)


def _mark(version: Version) -> str:
    return f"{version.reference} {version.manifest['content_sha256']}"


def _is_unfinished(path: Path, version: Version) -> bool:
    """Whether the folder holds a pack of the same rows that was killed: only then it is written again."""
    return path.is_file() and path.read_text(encoding="utf-8").strip() == _mark(version)


def _copy_media(source: Path, target: Path) -> int:
    """Copy a file and return its size; a stored file whose bytes are not those of its name is refused."""
    digest, size = copy_and_hash(source, target)
    if re.fullmatch(r"[0-9a-f]{64}", source.stem) and digest != source.stem:
        target.unlink()
        raise DamagedError(
            f"{source}: damaged: its bytes have the SHA-256 {digest}, not the one in its name.",
            hint="triptych store verify --repair fetches it again",
        )
    return size


def _absolute(media_root: str) -> str:
    if not media_root.startswith("/"):
        raise UsageError(f"--media-root {media_root!r} must be an absolute path.")
    return media_root.rstrip("/") or "/"


def _write_copy(
    version: Version, folder: Path, media_root: str, manifest: dict[str, Any], write_files: WriteFiles | None
) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    with session() as connection:
        select = rows_under(connection, version, media_root)
        parquet = folder / "data.parquet"
        connection.execute(f"COPY ({select}) TO {quote(str(parquet))} ({PARQUET})")
        written = write_jsonl(connection, parquet, folder / "data.jsonl", media_root=media_root)
    names = list(version.manifest["files"])
    for name in names:
        if name not in (parquet.name, "data.jsonl"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(version.path / name, folder / name)
    if write_files is not None:
        write_files(parquet, folder)
    files = data_files(folder, written, names)
    if written.content_sha256 != version.manifest["content_sha256"]:
        raise DamagedError(f"{version.reference}: the copy under {media_root} has different rows from the original.")
    manifest = manifest | {"files": files}
    write_json(folder / "manifest.json", manifest)
    return manifest
