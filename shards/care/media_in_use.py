"""Which media files are in use: named by a row of a kept version, or by an export that was not withdrawn."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ...errors import DamagedError
from ..exports import versions as exports
from ..store.damage import check_tables
from ..store.database import session
from ..store.sql import quote
from ..store.store import Store

_PATHS = "unnest(list_concat([audio.path, video.path, image.path], [m.path for m in coalesce(more_media, [])]))"


def named_media(store: Store, *, live_only: bool = False, without: Collection[str] = ()) -> set[str]:
    """Return the media paths named in any file of the samples table on disk, or in any export.

    Args:
        live_only: Leave out the files that only old versions use.
        without: References of exports to leave out.

    Raises:
        DamagedError: A log names a file that is missing or damaged, or an export cannot be read: what it names would
            be taken for garbage.
    """
    import duckdb

    check_tables(store, ("samples",))
    named: set[str] = set()
    with session() as connection:
        files = store.live_files("samples") if live_only else (store.root / "samples").glob("dataset=*/*.parquet")
        for file in files:
            try:
                rows = connection.execute(f"SELECT {_PATHS} FROM read_parquet({quote(str(file))})").fetchall()
            except duckdb.Error as error:
                raise DamagedError(
                    f"{file}: cannot be read, so the media that it names is not known: {str(error).splitlines()[0]}",
                    hint="triptych store verify names everything that is missing or damaged",
                ) from error
            named.update(str(row[0]) for row in rows if row[0])
    for version in exports.all_versions(store):
        if not exports.without_rows(version) and version.reference not in without:
            root = version.manifest["media_root"].rstrip("/") + "/"
            named.update(path.removeprefix(root) for path in exports.media_paths(version))
    return named


def unnamed_media(store: Store) -> list[Path]:
    """The stored media files that nothing names."""
    named = named_media(store)
    return [path for path in store.media.files() if path.relative_to(store.root).as_posix() not in named]


def cut_targets(store: Store) -> set[str]:
    """The media files that exports cut or extracted: each can be made again."""
    root = store.root.resolve()
    links = (store.root / "media" / "cuts").glob("??/*")
    targets = (link.resolve() for link in links if link.is_symlink())
    return {target.relative_to(root).as_posix() for target in targets if target.is_relative_to(root)}


def sweep_cuts(store: Store) -> None:
    """Delete the links of cuts whose file is gone, and those that a killed process left half made."""
    for link in (store.root / "media" / "cuts").glob("??/*"):
        if link.is_symlink() and not link.exists():
            link.unlink()
