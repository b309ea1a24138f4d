"""`store verify`: tables, media and exports are what was stored, and everything that is not is named.

Tables: every file that a log names is there, has the log's size and can be read, and no log lost commits. Media: every
file that a row names, and every other file of `media/`, has the bytes that its name states. Exports: their own files
and the media that they name. `quick` looks at sizes and footers instead of bytes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import DamagedError
from ..exports import versions as exports
from ..media.integrity import Expected, problems_of
from ..query import connect
from ..store.damage import table_problems
from ..store.sql import quote
from ..store.store import Store
from ..store_format import TABLE_NAMES

_NAMED = """
    SELECT path, CASE WHEN min(sha256) = max(sha256) THEN min(sha256) ELSE min(sha256) || ' or ' || max(sha256) END
           AS sha256, any_value(bytes) AS bytes, list(DISTINCT dataset) AS datasets,
           list(id ORDER BY id)[1:{ids}] AS ids, count(*) AS samples
    FROM (
        SELECT dataset, id, unnest(list_filter([
            {{path: audio.path, sha256: audio.sha256, bytes: audio.bytes}},
            {{path: video.path, sha256: video.sha256, bytes: video.bytes}},
            {{path: image.path, sha256: image.sha256, bytes: image.bytes}}
        ], lambda m: m.path IS NOT NULL), recursive := true) FROM samples_as_pulled {where}
        UNION ALL
        SELECT dataset, id, m.path, m.sha256, NULL FROM (
            SELECT dataset, id, unnest(more_media) AS m FROM samples_as_pulled {where})
    ) GROUP BY path ORDER BY path"""
_IDS = 5
_MANY = 20_000
_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class LostMedia:
    """A media file that is missing or damaged, and which samples name it; none of an export's own cuts."""

    path: str
    problem: str
    sha256: str | None = None
    bytes: int | None = None
    samples: int = 0
    datasets: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()


@dataclass(slots=True)
class Verified:
    """What was looked at, and every problem.

    Attributes:
        repaired: Media files that were stored again.
        failures: Why media could not be fetched again.
    """

    media_files: int = 0
    tables: list[str] = field(default_factory=list)
    media: list[LostMedia] = field(default_factory=list)
    exports: dict[str, list[str]] = field(default_factory=dict)
    repaired: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        lines = [*self.tables, *(f"{each.path}: {each.problem}" for each in self.media)]
        return lines + [f"{name}: {line}" for name, found in self.exports.items() for line in found]


def verify(store: Store, *, quick: bool = False) -> Verified:
    """Look at everything in a store; nothing is changed."""
    found = Verified(tables=[*table_problems(store), *_lost_commits(store)])
    if not quick and not found.tables:
        found.tables = list(_unreadable_files(store))
    is_readable = not any(f"{store.root / 'samples'}/" in line for line in found.tables)
    _verify_media(store, found, quick=quick, is_readable=is_readable)
    bad = {store.media.absolute(each.path): each.problem for each in found.media}
    for name in exports.names(store):
        for label in exports.labels(store, name):
            problems = _verify_export(store, name, label, bad)
            if problems:
                found.exports[f"{name}@{label}"] = problems
    return found


def lost_media(store: Store, dataset: str) -> list[LostMedia]:
    """The media that a dataset's samples name and that is gone; only presence is looked at."""
    from ..store.rows_to_arrow import texts_table

    with connect(store, named_in="samples_as_pulled") as connection:
        connection.execute(
            "CREATE TEMP TABLE own AS SELECT DISTINCT path FROM (SELECT unnest(list_concat([audio.path, video.path, "
            "image.path], [m.path for m in coalesce(more_media, [])])) AS path FROM samples_as_pulled "
            f"WHERE dataset = {quote(dataset)}) WHERE path IS NOT NULL"
        )
        count = connection.execute("SELECT count(*) FROM own").fetchall()[0][0]
        is_there = _presence(store, many=count > _MANY)
        batches = connection.sql("SELECT path FROM own").to_arrow_reader(_ROWS)
        gone = [path for batch in batches for path in batch.column("path").to_pylist() if not is_there(path)]
        if not gone:
            return []
        connection.register("gone", texts_table(path=gone))
        table = connection.sql(f"SELECT * FROM ({_NAMED.format(ids=_IDS, where='')}) SEMI JOIN gone USING (path)")
        return [_lost(row, "missing") for row in table.to_arrow_table().to_pylist()]


def _presence(store: Store, *, many: bool) -> Callable[[str], bool]:
    """Return a function that tells whether a file is there; of many, their folders are listed instead."""
    if not many:
        return lambda path: os.path.isfile(store.media.absolute(path))  # noqa: PTH113 (ten times quicker)
    folders: dict[str, frozenset[str]] = {}

    def is_listed(path: str) -> bool:
        folder, _, name = path.rpartition("/")
        if folder not in folders:
            try:
                folders[folder] = frozenset(os.listdir(store.media.absolute(folder)))  # noqa: PTH208
            except OSError:
                folders[folder] = frozenset()
        return name in folders[folder]

    return is_listed


def recorded_media(store: Store, version: exports.Version) -> dict[str, Expected]:
    """What the samples of a version say of its media, by the path that they use; cuts are known by their name alone."""
    import duckdb

    from ..store.rows_to_arrow import texts_table

    if exports.without_rows(version) or not (version.path / "data.parquet").is_file():
        return {}
    try:
        paths = list(exports.media_files(version).values())
    except duckdb.Error:
        return {}  # `exports.verify` finds that the file has changed
    datasets = ", ".join(quote(name) for name in version.manifest["datasets"]) or "NULL"
    parquet = version.path / "data.parquet"
    with connect(store, named_in="samples_as_pulled") as connection:
        sample = exports.sample_column(connection, parquet)
        of_rows = f"SELECT {sample} FROM read_parquet({quote(str(parquet))})"
        named = _NAMED.format(ids=1, where=f"WHERE dataset IN ({datasets}) AND id IN ({of_rows})")
        connection.register("wanted", texts_table(path=paths))
        rows = connection.execute(f"SELECT path, sha256, bytes FROM ({named}) SEMI JOIN wanted USING (path)").fetchall()
    return {path: Expected(store.media.absolute(path), digest, size) for path, digest, size in rows}


def _verify_media(store: Store, found: Verified, *, quick: bool, is_readable: bool) -> None:
    rows: dict[Path, dict[str, object]] = {}

    def expected() -> Iterator[Expected]:
        named: set[Path] = set()
        if is_readable:
            with connect(store, named_in="samples_as_pulled") as connection:
                for batch in connection.sql(_NAMED.format(ids=_IDS, where="")).to_arrow_reader(_ROWS):
                    for row in batch.to_pylist():
                        path = store.media.absolute(row["path"])
                        named.add(path)
                        rows[path] = row
                        found.media_files += 1
                        yield Expected(path, row["sha256"], row["bytes"])
        for path in store.media.files():
            if path not in named:
                found.media_files += 1
                yield Expected(path)

    for each, problem in problems_of(expected(), quick=quick):
        row = rows.get(each.path)
        if row is None:
            found.media.append(LostMedia(each.path.relative_to(store.root).as_posix(), problem))
        else:
            found.media.append(_lost(row, problem))


def _lost(row: dict[str, object], problem: str) -> LostMedia:
    return LostMedia(
        str(row["path"]), problem, row["sha256"], row["bytes"], row["samples"],  # type: ignore[arg-type]
        tuple(row["datasets"]), tuple(row["ids"]),  # type: ignore[arg-type]
    )  # fmt: skip


def _verify_export(store: Store, name: str, label: str, bad: dict[Path, str]) -> list[str]:
    """The problems of a version; its media was looked at once for all of them."""
    try:
        version = exports.load(store, name, label)
        media_in = exports.media_place(store, version)
        problems = exports.verify(version, media_in=media_in, quick=True)
        if exports.without_rows(version) or any("data.parquet" in line for line in problems):
            return problems
        named = set(exports.media_files(version, media_in))
    except DamagedError as error:
        return [error.message]
    told = {line.partition(": ")[0] for line in problems}
    return problems + [f"{path}: {bad[path]}" for path in sorted(named & bad.keys()) if str(path) not in told]


def _lost_commits(store: Store) -> Iterator[str]:
    """Tables whose log ends before a version that a run has recorded: the last commits are gone."""
    try:
        with connect(store, named_in="runs") as connection:
            rows = connection.execute(
                "SELECT key, max(value) FROM (SELECT unnest(map_entries(versions), recursive := true) FROM runs) "
                "GROUP BY 1 ORDER BY 1"
            ).fetchall()
        recorded = {str(name): int(version) for name, version in rows}
        for name, version in recorded.items():
            if name in TABLE_NAMES and (now := store.table(name).version()) < version:
                yield f"{store.root / name / '_delta_log'}: ends with version {now}, but a run has seen {version}."
    except Exception as error:  # whatever DuckDB says of damaged files; the tables are named above
        if not table_problems(store):
            raise error


def _unreadable_files(store: Store) -> Iterator[str]:
    """Read every column of every live file: a footer can be whole while the rows are not.

    The process's DuckDB remembers footers; this one has read none.
    """
    import duckdb

    with duckdb.connect(":memory:") as connection:
        for name in TABLE_NAMES:
            for file in store.live_files(name):
                try:
                    connection.execute(f"SELECT bit_xor(hash(t)) FROM read_parquet({quote(str(file))}) t").fetchall()
                except duckdb.Error as error:
                    yield f"{file}: damaged: {str(error).splitlines()[0]}"
