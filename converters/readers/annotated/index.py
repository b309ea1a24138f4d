"""On-disk index of a corpus's table rows by their media, and of media waiting for its rows.

It is a SQLite file in the scratch folder that exists for one read and indexes millions of rows with little memory.
Media keys are path suffixes: `train/a.wav`, or `train/a.*` if the extension is ignored.
"""

from __future__ import annotations

import json
import sqlite3
import unicodedata
from collections.abc import Container, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ....shards.media.media import scratch_path
from ...candidate import Blob, RawFile, ReadContext, RowError
from ...files.extensions import MEDIA_EXTENSIONS

_CACHE_KIB = 65536
_BATCH = 5000

_TABLES = """
CREATE TABLE rows(n INTEGER PRIMARY KEY, cells TEXT, place TEXT, split TEXT, config TEXT, revision TEXT, file TEXT,
                  done INTEGER NOT NULL DEFAULT 0, grouped TEXT);
CREATE TABLE keys(key TEXT, kind TEXT, n INTEGER, PRIMARY KEY (key, kind, n)) WITHOUT ROWID;
CREATE TABLE passed(key TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE joined(source INTEGER, key TEXT, cells TEXT, place TEXT, rival TEXT, PRIMARY KEY (source, key))
                    WITHOUT ROWID;
CREATE TABLE ids(id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE waiting(w INTEGER PRIMARY KEY, name TEXT, uri TEXT, revision TEXT, split TEXT, config TEXT,
                     path TEXT, temporary INTEGER, data BLOB, used INTEGER NOT NULL DEFAULT 0);
CREATE TABLE waiting_keys(key TEXT, w INTEGER, PRIMARY KEY (key, w)) WITHOUT ROWID;
CREATE TABLE have(n INTEGER, kind TEXT, w INTEGER, PRIMARY KEY (n, kind)) WITHOUT ROWID;
CREATE INDEX have_w ON have(w);
CREATE INDEX waiting_w ON waiting_keys(w);
"""


@dataclass(slots=True)
class IndexedRow:
    """A row of the first table.

    Attributes:
        split, config, revision: Those of the row's file, if its source knew them.
        file: The URI of that file.
    """

    n: int
    values: dict[str, Any]
    where: str
    split: str | None
    config: str | None
    revision: str
    file: str


@dataclass(slots=True, eq=False)
class Arrived:
    """A media file that has arrived, now or earlier; `w` is its number if it is waiting."""

    name: str
    uri: str
    revision: str
    split: str | None
    config: str | None
    file: RawFile | None = None
    kept: Blob | None = None
    w: int | None = None

    @property
    def place(self) -> str:
        """Its path below a folder of its configuration, by which rows may name it, if its source knows that."""
        return f"{self.config}/{self.name}" if self.config else self.name

    @property
    def is_free(self) -> bool:
        """Whether it can be kept without a copy: a file of the user's own."""
        return self.file is not None and self.file.path is not None

    def blob(self, context: ReadContext) -> Blob:
        """Its bytes, read only once."""
        if self.kept is None:
            assert self.file is not None
            self.kept = context.blob(self.file)
        return self.kept

    def share(self, context: ReadContext) -> Blob:
        """Its bytes, for one of several samples."""
        blob = self.blob(context)
        if not blob.temporary or blob.path is None:
            return replace(blob, shared=self)
        path = scratch_path(blob.path.parent)
        path.hardlink_to(blob.path)
        return replace(blob, path=path, shared=self)

    def discard(self) -> None:
        """Delete the temporary file, if there is one; the hard links of samples remain."""
        if self.kept is not None and self.kept.temporary and self.kept.path is not None:
            self.kept.path.unlink(missing_ok=True)


def arrived(file: RawFile) -> Arrived:
    return Arrived(file.name, file.uri, file.revision, file.split, file.config, file)


def normal_key(text: str, *, ignore_case: bool) -> str:
    """Normalise a path suffix for comparing keys."""
    text = text.strip("/")
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return text.casefold() if ignore_case else text


def path_keys(name: str, *, ignore_case: bool) -> list[str]:
    """All keys of a media file with this path, the longest first."""
    parts = normal_key(name, ignore_case=ignore_case).split("/")
    stem, dot, ending = parts[-1].rpartition(".")
    keys: list[str] = []
    for start in range(len(parts)):
        keys.append("/".join(parts[start:]))
        if dot and ending.lower() in MEDIA_EXTENSIONS:
            keys.append("/".join([*parts[start:-1], f"{stem}.*"]))
    return keys


class Index:
    """Rows by media key, joined rows by join key, waiting media."""

    def __init__(self, spool: Path | None) -> None:
        self._path = scratch_path(spool) if spool is not None else None
        self._db = sqlite3.connect(str(self._path) if self._path else "", isolation_level=None)
        self._db.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        self._db.execute("PRAGMA journal_mode=OFF")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._db.executescript(_TABLES)
        self._db.execute("BEGIN")
        self.rows = 0

    def close(self) -> None:
        """Delete the index and the temporary files of media that is still waiting."""
        for (path,) in self._db.execute("SELECT path FROM waiting WHERE temporary"):
            Path(path).unlink(missing_ok=True)
        self._db.close()
        if self._path is not None:
            with suppress(FileNotFoundError):
                self._path.unlink()

    # ---- rows

    def add(
        self,
        values: dict[str, Any],
        keys: Iterable[tuple[str, str]],
        *,
        where: str,
        file: RawFile,
        grouped: str | None = None,
    ) -> int:
        """Add a row of the first table under its media keys (key, kind), and return its number."""
        self.rows += 1
        self._db.execute(
            "INSERT INTO rows(n, cells, place, split, config, revision, file, grouped) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (self.rows, _dumps(values), where, file.split, file.config, file.revision, file.uri, grouped),
        )
        self._db.executemany("INSERT OR IGNORE INTO keys VALUES (?, ?, ?)", [(k, kind, self.rows) for k, kind in keys])
        return self.rows

    def add_passed(self, keys: Iterable[tuple[str, str]]) -> None:
        """Record the media of a skipped row, so that the media is not reported as having no row."""
        self._db.executemany("INSERT OR IGNORE INTO passed VALUES (?)", [(key,) for key, _ in keys])

    def is_passed(self, keys: list[str]) -> bool:
        marks = ",".join("?" * len(keys))
        return self._db.execute(f"SELECT 1 FROM passed WHERE key IN ({marks}) LIMIT 1", keys).fetchone() is not None

    def find(self, keys: list[str]) -> list[tuple[int, str]]:
        """Rows (number, kind) with the longest matching key, in table order, including finished rows."""
        marks = ",".join("?" * len(keys))
        found = self._db.execute(f"SELECT key, kind, n FROM keys WHERE key IN ({marks})", keys).fetchall()
        if not found:
            return []
        known = {key for key, _, _ in found}
        longest = next(key for key in keys if key in known)
        return sorted((n, kind) for key, kind, n in found if key == longest)

    def read(self, numbers: Iterable[int]) -> list[IndexedRow]:
        """These rows, without finished ones."""
        rows: list[IndexedRow] = []
        for n in numbers:
            found = self._db.execute(
                "SELECT cells, place, split, config, revision, file FROM rows WHERE n = ? AND NOT done", (n,)
            ).fetchone()
            if found is not None:
                rows.append(IndexedRow(n, json.loads(found[0]), *found[1:]))
        return rows

    def values(self, n: int) -> dict[str, Any]:
        """The columns of a row, also of a finished one."""
        [(cells,)] = self._db.execute("SELECT cells FROM rows WHERE n = ?", (n,)).fetchall()
        values: dict[str, Any] = json.loads(cells)
        return values

    def finish(self, numbers: Iterable[int]) -> None:
        """Mark these rows as finished: they became samples or rejections."""
        listed = [(n,) for n in numbers]
        self._db.executemany("UPDATE rows SET done = 1 WHERE n = ?", listed)
        self._db.executemany("DELETE FROM have WHERE n = ?", listed)

    def unfinished(self, *, after: int = 0) -> Iterator[list[IndexedRow]]:
        """Unfinished rows, in table order and group by group."""
        while True:
            batch = self._db.execute(
                "SELECT n, cells, place, split, config, revision, file, grouped FROM rows WHERE n > ? AND NOT done "
                "ORDER BY n LIMIT ?",
                (after, _BATCH),
            ).fetchall()
            if not batch:
                return
            done_here: set[int] = set()
            for n, cells, *rest, grouped in batch:
                if n in done_here:
                    continue
                if grouped is None:
                    yield [IndexedRow(n, json.loads(cells), *rest)]
                else:
                    group = self._group(grouped)
                    done_here.update(row.n for row in group)
                    if group:
                        yield group
            after = batch[-1][0]

    def _group(self, grouped: str) -> list[IndexedRow]:
        found = self._db.execute(
            "SELECT n, cells, place, split, config, revision, file FROM rows WHERE grouped = ? AND NOT done ORDER BY n",
            (grouped,),
        )
        return [IndexedRow(n, json.loads(cells), *rest) for n, cells, *rest in found]

    def index_groups(self) -> None:
        self._db.execute("CREATE INDEX IF NOT EXISTS by_group ON rows(grouped)")

    # ---- joined tables and ids

    def add_joined(self, source: int, key: str, values: dict[str, Any], *, where: str, used: Container[str]) -> None:
        """Add a row of a further table; a second one of the same key is its rival if a column in `used` differs."""
        row = (source, key, _dumps(values), where)
        if self._db.execute("INSERT OR IGNORE INTO joined VALUES (?, ?, ?, ?, NULL)", row).rowcount == 1:
            return
        [(cells,)] = self._db.execute("SELECT cells FROM joined WHERE source = ? AND key = ?", (source, key)).fetchall()
        known, other = json.loads(cells), json.loads(row[2])
        if any(known.get(column) != other.get(column) for column in (known | other) if column in used):
            self._db.execute(
                "UPDATE joined SET rival = coalesce(rival, ?) WHERE source = ? AND key = ?", (where, source, key)
            )

    def joined(self, source: int, key: str) -> dict[str, Any] | None:
        """The row of this key.

        Raises:
            RowError: Rows of this key contradict each other.
        """
        found = self._db.execute(
            "SELECT cells, place, rival FROM joined WHERE source = ? AND key = ?", (source, key)
        ).fetchone()
        if found is None:
            return None
        cells, place, rival = found
        if rival is not None:
            raise RowError("ambiguous_row", f"{place} and {rival} differ about {', '.join(json.loads(key))}")
        values: dict[str, Any] = json.loads(cells)
        return values

    def claim(self, identity: str) -> bool:
        """Claim an id; False if it was claimed before."""
        return self._db.execute("INSERT OR IGNORE INTO ids VALUES (?)", (identity,)).rowcount == 1

    # ---- waiting media

    def hold(self, media: Arrived, keys: list[str], context: ReadContext) -> int:
        """Keep a media file until its rows and any paired media have arrived; return its number."""
        blob = media.blob(context)
        cursor = self._db.execute(
            "INSERT INTO waiting(name, uri, revision, split, config, path, temporary, data) VALUES (?,?,?,?,?,?,?,?)",
            (media.name, media.uri, media.revision, media.split, media.config,
             str(blob.path) if blob.path else None, blob.temporary, blob.data),
        )  # fmt: skip
        number = int(cursor.lastrowid or 0)
        self._db.executemany("INSERT OR IGNORE INTO waiting_keys VALUES (?, ?)", [(key, number) for key in keys])
        return number

    def match_waiting(self, *, after: int) -> list[tuple[int, str]]:
        """Waiting media (number, place) that may belong to a row after this number."""
        found = self._db.execute(
            "SELECT DISTINCT waiting.w, coalesce(config || '/', '') || name FROM keys "
            "CROSS JOIN waiting_keys USING (key) CROSS JOIN waiting USING (w) WHERE n > ? ORDER BY waiting.w",
            (after,),
        )
        return [(int(w), str(place)) for w, place in found]

    def waits(self) -> bool:
        return self._db.execute("SELECT 1 FROM waiting LIMIT 1").fetchone() is not None

    def note(self, n: int, kind: str, w: int) -> None:
        """Record that the media of one kind has arrived for a row; of several such files, the first is used."""
        self._db.execute("INSERT OR IGNORE INTO have VALUES (?, ?, ?)", (n, kind, w))

    def have(self, n: int) -> dict[str, int]:
        """Kind -> number of the waiting file, for a row."""
        found = self._db.execute("SELECT kind, w FROM have WHERE n = ?", (n,))
        return {str(kind): int(w) for kind, w in found}

    def rows_with_media(self) -> list[int]:
        """Unfinished rows with some media, in the order of its arrival."""
        found = self._db.execute("SELECT n, max(w) FROM have GROUP BY n ORDER BY 2, 1")
        return [int(n) for n, _ in found]

    def waiting(self, w: int) -> Arrived:
        name, uri, revision, split, config, path, temporary, data = self._db.execute(
            "SELECT name, uri, revision, split, config, path, temporary, data FROM waiting WHERE w = ?", (w,)
        ).fetchone()
        blob = Blob(name, data=data, path=Path(path) if path else None, temporary=bool(temporary))
        return Arrived(name, uri, revision, split, config, kept=blob, w=w)

    def needs(self, w: int) -> int:
        """The number of unfinished rows that a waiting file belongs to."""
        return int(self._db.execute("SELECT count(*) FROM have WHERE w = ?", (w,)).fetchone()[0])

    def note_use(self, w: int) -> None:
        """Record that a waiting file has had a row, even if it is kept for further ones."""
        self._db.execute("UPDATE waiting SET used = 1 WHERE w = ?", (w,))

    def release(self, w: int) -> None:
        """Remove a waiting file that was passed to all its samples."""
        self._db.execute("DELETE FROM waiting_keys WHERE w = ?", (w,))
        self._db.execute("DELETE FROM waiting WHERE w = ?", (w,))

    def unclaimed(self) -> Iterator[Arrived]:
        """Waiting media without a row; its bytes are not loaded."""
        last = 0
        while True:
            found = self._db.execute(
                "SELECT w, name, uri, revision, split, config FROM waiting WHERE w > ? AND NOT used "
                "AND NOT EXISTS (SELECT 1 FROM have WHERE have.w = waiting.w) ORDER BY w LIMIT ?",
                (last, _BATCH),
            ).fetchall()
            if not found:
                return
            for w, name, uri, revision, split, config in found:
                yield Arrived(name, uri, revision, split, config, w=w)
                last = w


def _dumps(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, default=str, separators=(",", ":"))
