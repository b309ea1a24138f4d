"""Find media files that samples reference but that do not exist.

Folders are listed, which for a million files is ten times faster than a check per file; only if few files of a folder
are referenced are they checked one by one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ....shards.store.store import Store

if TYPE_CHECKING:
    import duckdb

FEW = 64
"""Up to this many files of a folder are checked one by one: the folder may contain millions."""

_FOLDER = "left(path, length(path) - length(parse_filename(path, false, 'forward_slash')))"
_BLOCK = 20_000


_PATHS = """
    SELECT unnest(list_concat([audio.path, video.path, image.path], [m.path FOR m IN more_media])) AS path
    FROM chosen WHERE NOT filtered"""


def find_missing(store: Store, connection: duckdb.DuckDBPyConnection, *, few: bool = False) -> None:
    """Create the table `missing` (path) of the media paths in `chosen` that are not files.

    Args:
        few: Whether the samples are so few that their paths are compared here: it takes fewer statements.
    """
    if few:
        _find_missing_of_few(str(store.root), connection)
        return
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE named_media AS
        SELECT path, {_FOLDER} AS folder FROM ({_PATHS}) WHERE path IS NOT NULL""")
    connection.execute("CREATE OR REPLACE TEMP TABLE present (path VARCHAR)")
    folders = connection.execute("SELECT folder, count(*) FROM named_media GROUP BY ALL ORDER BY ALL").fetchall()
    root = str(store.root)
    found: list[str] = []
    small = [str(folder) for folder, count in folders if count <= FEW]
    for folder in (str(folder) for folder, count in folders if count > FEW):
        for path in _files(root, folder):
            found.append(path)
            if len(found) >= _BLOCK:
                _add(connection, found)
                found = []
    _add(connection, [*found, *_existing(root, connection, small)])
    connection.execute("""
        CREATE OR REPLACE TABLE missing AS
        SELECT DISTINCT path FROM named_media ANTI JOIN present USING (path) ORDER BY path""")
    connection.execute("DROP TABLE named_media")
    connection.execute("DROP TABLE present")


def _find_missing_of_few(root: str, connection: duckdb.DuckDBPyConnection) -> None:
    by_folder: dict[str, list[str]] = {}
    for (path,) in connection.execute(f"SELECT DISTINCT path FROM ({_PATHS}) WHERE path IS NOT NULL").fetchall():
        by_folder.setdefault(path[: path.rfind("/") + 1], []).append(path)
    missing: list[str] = []
    for folder, paths in by_folder.items():
        if len(paths) > FEW:
            missing += set(paths).difference(_files(root, folder))
        else:
            missing += [path for path in paths if not os.path.isfile(_absolute(root, path))]  # noqa: PTH113 (as below)
    connection.execute("CREATE OR REPLACE TABLE missing (path VARCHAR)")
    if missing:
        connection.executemany("INSERT INTO missing VALUES ($1)", [[path] for path in sorted(missing)])


def _files(root: str, folder: str) -> Iterator[str]:
    """The files of a folder, as the paths that samples use."""
    try:
        with os.scandir(_absolute(root, folder)) as entries:
            yield from (folder + entry.name for entry in entries if entry.is_file())
    except (FileNotFoundError, NotADirectoryError):
        return


def _existing(root: str, connection: duckdb.DuckDBPyConnection, folders: list[str]) -> list[str]:
    """The referenced files of these folders that exist, checked one by one."""
    from ....shards.store.rows_to_arrow import texts_table

    connection.register("few_folders", texts_table(folder=folders))
    rows = connection.execute("SELECT DISTINCT path FROM named_media SEMI JOIN few_folders USING (folder)").fetchall()
    connection.unregister("few_folders")
    return [str(path) for (path,) in rows if os.path.isfile(_absolute(root, path))]  # noqa: PTH113 (ten times quicker)


def _absolute(root: str, path: str) -> str:
    return path if path.startswith("/") else f"{root}/{path}"


def _add(connection: duckdb.DuckDBPyConnection, paths: list[str]) -> None:
    from ....shards.store.rows_to_arrow import texts_table

    connection.register("present_arrow", texts_table(path=paths))
    connection.execute("INSERT INTO present SELECT path FROM present_arrow")
    connection.unregister("present_arrow")
