"""Which samples a removal takes: rows of the store, and what was removed earlier and is now purged."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import DamagedError
from ..exports import versions as exports
from ..query import check_where, connect, scan, where_errors
from ..store.database import session
from ..store.sql import first_row, quote
from ..store.store import Store
from .tombstones import datasets_with_tombstones, speaker_name, withdrawn_ids

if TYPE_CHECKING:
    import duckdb

_MEDIA = (
    "list_distinct(list_filter(list_concat([audio.sha256, video.sha256, image.sha256], "
    "list_transform(coalesce(more_media, []), lambda m: m.sha256)), lambda s: s IS NOT NULL))"
)


@dataclass(slots=True)
class Selection:
    """The selected samples by dataset, each with the media that no remaining sample names, and what contains them."""

    samples: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    earlier: dict[str, list[str]] = field(default_factory=dict)
    speakers: dict[str, list[str]] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    exports: dict[str, int] = field(default_factory=dict)


def select(store: Store, dataset: str | None, where: str | None, *, purge: bool, forget: bool) -> Selection:
    """Select samples of a dataset, by an expression, or both; with `purge` or `forget`, removed ones too.

    Raises:
        UsageError: The expression is not one, or names a column that is not there.
    """
    condition = f"({check_where(where)}\n)" if where else "true"
    if dataset is not None:
        condition += f" AND dataset = {quote(dataset)}"
    found = Selection()
    if dataset is not None or where is not None:
        with connect(store) as connection, where_errors(where):
            _read_rows(connection, condition, found)
    if purge or forget:
        _add_earlier(store, dataset, where, found, forget=forget)
    ids = [identity for rows in found.samples.values() for identity, _ in rows]
    ids += [identity for group in found.earlier.values() for identity in group]
    found.exports = using_exports(store, ids)
    return found


def _read_rows(connection: duckdb.DuckDBPyConnection, condition: str, found: Selection) -> None:
    connection.execute(f"CREATE TEMP TABLE gone AS SELECT dataset, id, speaker FROM samples WHERE {condition}")
    connection.execute(f"""
        CREATE TEMP TABLE media_of AS
        SELECT s.dataset, s.id, unnest({_MEDIA}) AS sha256, g.id IS NOT NULL AS gone
        FROM samples_as_pulled s LEFT JOIN gone g ON g.dataset = s.dataset AND g.id = s.id""")
    rows = connection.execute("""
        SELECT g.dataset, g.id, coalesce(string_agg(DISTINCT m.sha256, ' ' ORDER BY m.sha256), '')
        FROM gone g LEFT JOIN (
            SELECT * FROM media_of WHERE gone AND sha256 NOT IN (SELECT sha256 FROM media_of WHERE NOT gone)
        ) m ON m.dataset = g.dataset AND m.id = g.id
        GROUP BY ALL ORDER BY ALL""").fetchall()
    for name, identity, media in rows:
        found.samples.setdefault(str(name), []).append((str(identity), str(media)))
    for name, speaker in connection.execute(
        "SELECT DISTINCT dataset, speaker FROM gone WHERE speaker IS NOT NULL ORDER BY ALL"
    ).fetchall():
        found.speakers.setdefault(str(name), []).append(speaker_name(str(speaker)))
    found.words += _words(connection, "SELECT speaker FROM gone")


def _words(connection: duckdb.DuckDBPyConnection, speakers: str) -> list[str]:
    """Speakers of these rows that no remaining sample has, as pulled or as annotated."""
    rows = connection.execute(f"""
        SELECT DISTINCT speaker FROM ({speakers}) WHERE speaker IS NOT NULL AND speaker <> '' EXCEPT
        SELECT speaker FROM samples s ANTI JOIN gone g ON g.dataset = s.dataset AND g.id = s.id ORDER BY 1""")
    return [str(speaker) for (speaker,) in rows.fetchall()]


def _add_earlier(store: Store, dataset: str | None, where: str | None, found: Selection, *, forget: bool) -> None:
    """Add ids that were removed before: a purge deletes the old versions that still hold their rows."""
    if not store.has_rows("events"):
        return
    matching, words = removed_rows(store, where or "true", dataset)
    found.words += [word for word in words if word not in found.words]
    chosen = {dataset} if dataset is not None else {*found.samples}
    if where is None:
        chosen |= set(datasets_with_tombstones(store)) if dataset is None else set()
        found.earlier = withdrawn_ids(store, chosen)
    elif forget:
        found.earlier = {name: sorted(ids) for name, ids in matching.items()}
    else:
        # Their rows lie in the same old files: whatever was removed from a dataset is purged with it.
        found.earlier = withdrawn_ids(store, chosen | set(matching))
    if not forget:
        now = {name: {identity for identity, _ in rows} for name, rows in found.samples.items()}
        left = {name: [i for i in ids if i not in now.get(name, ())] for name, ids in found.earlier.items()}
        found.earlier = {name: ids for name, ids in left.items() if ids}


def removed_rows(store: Store, where: str, dataset: str | None) -> tuple[dict[str, set[str]], list[str]]:
    """The withdrawn ids that an expression selects in the files of old versions, and speakers that only they have."""
    condition = f"({check_where(where)}\n)" + (f" AND dataset = {quote(dataset)}" if dataset is not None else "")
    files = old_files(store, "samples")
    if not files:
        return {}, []
    withdrawn = {name: set(ids) for name, ids in withdrawn_ids(store, datasets_with_tombstones(store)).items()}
    old = f"(SELECT *, CAST(NULL AS VARCHAR) AS assigned_split FROM ({old_rows_sql(store, 'samples', files)}))"
    with connect(store) as connection, where_errors(where):
        rows = connection.execute(
            f"SELECT DISTINCT dataset, id, speaker FROM {old} WHERE {condition} "
            "AND (dataset, id) NOT IN (SELECT (dataset, id) FROM samples_as_pulled)"
        ).fetchall()
        named = {str(name) for (name,) in connection.execute("SELECT DISTINCT speaker FROM samples").fetchall()}
    matching: dict[str, set[str]] = {}
    words = set()
    for name, identity, speaker in rows:
        if identity in withdrawn.get(str(name), ()):
            matching.setdefault(str(name), set()).add(str(identity))
            words |= {str(speaker)} - named if speaker else set()
    return matching, sorted(words)


def old_files(store: Store, table: str) -> list[Path]:
    """The files of a table that only its old versions name, as far as they were not purged."""
    live = set(store.live_files(table))
    return sorted(path for path in (store.root / table).glob("dataset=*/*.parquet") if path not in live)


def old_rows_sql(store: Store, table: str, files: Iterable[Path]) -> str:
    """SQL that reads these files with the columns that the table has now."""
    listed = ", ".join(quote(str(file)) for file in files)
    old = (
        f"SELECT * FROM read_parquet([{listed}], hive_partitioning=true, "
        "hive_types={'dataset': VARCHAR}, union_by_name=true)"
    )
    return f"(SELECT * FROM ({scan(store, table)}) LIMIT 0) UNION ALL BY NAME ({old})"


def using_exports(store: Store, ids: list[str]) -> dict[str, int]:
    """Map the reference of every version that contains any of the samples, or their sound as noise, to how many.

    Raises:
        DamagedError: A version cannot be read, so nobody knows what it contains.
    """
    import duckdb
    import pyarrow as pa

    from ..store.rows_to_arrow import values_to_array

    wanted = pa.table({"id": values_to_array(ids, pa.string())})
    withdrawn = set(ids)
    used: dict[str, int] = {}
    with session() as connection:
        connection.register("wanted", wanted)
        for version in exports.all_versions(store):
            parquet = version.path / "data.parquet"
            if version.manifest.get("withdrawn") or not parquet.is_file():
                continue
            try:
                sample = exports.sample_column(connection, parquet)
                rows = f"read_parquet({quote(str(parquet))})"
                row = first_row(connection, f"SELECT count(*) FROM {rows} r SEMI JOIN wanted w ON r.{sample} = w.id")
                behind = len(withdrawn.intersection(exports.noise_samples(version)))
            except duckdb.Error as error:
                raise DamagedError(
                    f"{parquet}: cannot be read: {str(error).splitlines()[0]}",
                    hint=f"delete {version.path}, if nothing needs it, and run the command again",
                ) from error
            if row and row[0] + behind:
                used[version.reference] = int(row[0]) + behind
    return used
