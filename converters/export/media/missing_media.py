"""Find media files that samples reference but that do not exist, and linked ones that are others now.

A file of the store has the hash of its bytes as its name. A linked file may have been written anew: one of another size
is no longer that of the sample, and one that was touched since it was imported is read again and held against the hash.

Folders are listed, which for a million files is ten times faster than a check per file; only if few files of a folder
are referenced are they checked one by one.

Even so it takes as long as making the rows. It is done at the same time, since hardly ever is a file missing: rows that
were made before that was known are made again.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from ....shards.store.store import Store

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger("triptych")

FEW = 64
"""Up to this many files of a folder are checked one by one: the folder may contain millions."""

_FOLDER = "left(path, length(path) - length(parse_filename(path, false, 'forward_slash')))"
_BLOCK = 20_000
_MANY_READ = 1000
"""So many linked files that were touched are read again before that is told."""


_PATHS = """
    SELECT unnest(list_concat([audio.path, video.path, image.path], [m.path FOR m IN more_media])) AS path
    FROM chosen WHERE NOT filtered"""


Lost = tuple[str, str | None]
"""A path that is lost to all samples, or to those alone whose file had this SHA-256."""


class MissingMedia:
    """The table `missing` (path, sha256) of the media paths in `chosen` that are not files, or not those of the samples
    with this SHA-256.

    Attributes:
        known: Whether it was waited for; until then the table is empty.
        some: Whether it has a row.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, search: Callable[[], list[Lost]]) -> None:
        connection.execute("CREATE OR REPLACE TABLE missing (path VARCHAR, sha256 VARCHAR)")
        self.known = self.some = False
        self._connection, self._search = connection, search
        self._paths: set[str] = set()

    def wait(self) -> set[str]:
        """Wait until the table is filled; return the paths that are lost to all samples."""
        if not self.known:
            found = sorted(set(self._search()), key=lambda each: (each[0], each[1] or ""))
            self._paths = {path for path, sha256 in found if sha256 is None}
            self.known, self.some = True, bool(found)
            if found:
                from ....shards.store.rows_to_arrow import texts_table

                paths, hashes = zip(*found, strict=True)
                self._connection.register("missing_arrow", texts_table(path=paths, sha256=hashes))
                self._connection.execute("INSERT INTO missing SELECT path, sha256 FROM missing_arrow")
                self._connection.unregister("missing_arrow")
        return self._paths


@contextmanager
def finding_missing(store: Store, connection: duckdb.DuckDBPyConnection, *, few: bool) -> Iterator[MissingMedia]:
    """Look for missing media in a thread while the caller does something else.

    Args:
        few: Whether the samples are so few that this is done at once: it takes fewer statements.
    """
    root = str(store.root)
    if few:
        missing = MissingMedia(connection, lambda: _missing_of_few(root, connection))
        missing.wait()
        yield missing
        return
    ended = threading.Event()
    with connection.cursor() as cursor, ThreadPoolExecutor(1) as pool:
        try:
            yield MissingMedia(connection, pool.submit(_missing_of_many, root, cursor, ended).result)
        except BaseException:
            ended.set()
            cursor.interrupt()
            raise


def _missing_of_few(root: str, connection: duckdb.DuckDBPyConnection) -> list[Lost]:
    by_folder: dict[str, list[str]] = {}
    for (path,) in connection.execute(f"SELECT DISTINCT path FROM ({_PATHS}) WHERE path IS NOT NULL").fetchall():
        by_folder.setdefault(path[: path.rfind("/") + 1], []).append(path)
    missing: list[str] = []
    for folder, paths in by_folder.items():
        if len(paths) > FEW:
            missing += set(paths).difference(_files(root, folder))
        else:
            missing += [path for path in paths if not os.path.isfile(_absolute(root, path))]  # noqa: PTH113 (as below)
    lost: list[Lost] = [(path, None) for path in missing]
    if any(folder.startswith("/") for folder in by_folder):
        lost += _changed_links(connection)
    return lost


def _missing_of_many(root: str, connection: duckdb.DuckDBPyConnection, ended: threading.Event) -> list[Lost]:
    """What is missing; nothing as soon as nobody waits for them any more."""
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE named_media AS
        SELECT path, {_FOLDER} AS folder FROM ({_PATHS}) WHERE path IS NOT NULL""")
    connection.execute("CREATE OR REPLACE TEMP TABLE present (path VARCHAR)")
    folders = connection.execute("SELECT folder, count(*) FROM named_media GROUP BY ALL ORDER BY ALL").fetchall()
    found: list[str] = []
    small = [str(folder) for folder, count in folders if count <= FEW]
    for folder in (str(folder) for folder, count in folders if count > FEW):
        for path in _files(root, folder):
            found.append(path)
            if len(found) >= _BLOCK:
                if ended.is_set():
                    return []
                _add(connection, found)
                found = []
    _add(connection, [*found, *_existing(root, connection, small)])
    rows = connection.execute("SELECT DISTINCT path FROM named_media ANTI JOIN present USING (path)").fetchall()
    lost: list[Lost] = [(str(path), None) for (path,) in rows]
    if any(str(folder).startswith("/") for folder, _ in folders):
        lost += _changed_links(connection)
    return lost


_LINKED = " UNION ALL ".join(
    [
        *(f"SELECT {kind}.path AS path, {kind}.sha256 AS sha256, {kind}.bytes AS size, pulled_at FROM linked_of"
          for kind in ("audio", "video", "image")),
        "SELECT m.path, m.sha256, NULL, pulled_at FROM (SELECT unnest(more_media) AS m, pulled_at FROM linked_of)",
    ]
)  # fmt: skip


def _changed_links(connection: duckdb.DuckDBPyConnection) -> list[Lost]:
    """The linked files that are others than those that were imported: where samples of one path had several files, only
    those whose file it is no more."""
    found = connection.execute(f"""
        WITH linked_of AS (SELECT audio, video, image, more_media, pulled_at FROM chosen WHERE NOT filtered)
        SELECT path, sha256, max(size), epoch(min(pulled_at)) FROM ({_LINKED})
        WHERE starts_with(path, '/') AND sha256 IS NOT NULL GROUP BY path, sha256 ORDER BY path""")
    rows = itertools.chain.from_iterable(iter(lambda: found.fetchmany(_BLOCK), []))
    changed: list[Lost] = []
    read = 0
    for path, imported in itertools.groupby(rows, key=itemgetter(0)):
        link = _Link(str(path))
        is_still = {str(sha256): link.is_still(str(sha256), *other) for _, sha256, *other in imported}
        stale = [sha256 for sha256, still in is_still.items() if not still]
        changed += [(link.path, None)] if len(stale) == len(is_still) else [(link.path, sha256) for sha256 in stale]
        read += link.digest is not None
        if read == _MANY_READ and link.digest is not None:
            log.warning("many linked files were touched since their import: each is read again, which takes long")
    if changed:
        log.warning(
            "%d linked files are others than those that were imported, the first is %s", len(changed), changed[0][0]
        )
    return changed


@dataclass(slots=True)
class _Link:
    """A linked file as it is now; `digest` is its SHA-256 once it was read."""

    path: str
    digest: str | None = None

    def is_still(self, sha256: str, size: int | None, imported: float) -> bool:
        """Whether it is the file of that hash, or is missing. One that was not touched since then is not read."""
        try:
            found = os.stat(self.path)  # noqa: PTH116 (as above)
            if size is not None and found.st_size != size:
                return False
            if found.st_ctime <= imported:
                return True
            if self.digest is None:
                with open(self.path, "rb") as file:  # noqa: PTH123
                    self.digest = hashlib.file_digest(file, "sha256").hexdigest()
            return self.digest == sha256
        except OSError:
            return True


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
