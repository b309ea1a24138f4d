"""Media that views need beyond what the corpus holds: spans cut out of clips, sound out of videos.

A sample whose span cannot be honoured has no row (`span_unsupported`); it is never exported by its whole file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ...shards.cut import Cut, cut_audio
from ...shards.media import MediaError
from ...shards.store import Store

if TYPE_CHECKING:
    import duckdb

DERIVED = pa.schema(
    [("dataset", pa.string()), ("id", pa.string()), ("audio_path", pa.string()), ("reason", pa.string())]
)
_THREADS = 2
_BATCH = 1024

_HAS_SPAN = "(start_s IS NOT NULL OR end_s IS NOT NULL)"
_NEEDS_SOUND = "(modality = 'mixed' AND audio IS NULL AND video.has_audio)"


def derive_media(store: Store, connection: duckdb.DuckDBPyConnection) -> None:
    """Make what the chosen samples need and create the tables `derived` and `missing`."""
    missing = _missing_paths(store, connection)
    connection.register("missing_arrow", pa.table({"path": pa.array(missing, pa.string())}))
    connection.execute("CREATE OR REPLACE TABLE missing AS SELECT * FROM missing_arrow")
    connection.execute(
        "CREATE OR REPLACE TABLE derived (dataset VARCHAR, id VARCHAR, audio_path VARCHAR, reason VARCHAR)"
    )
    rows = connection.cursor().execute(
        "SELECT dataset, id, start_s, end_s, audio, video, image IS NOT NULL, more_media IS NOT NULL FROM chosen "
        f"WHERE NOT filtered AND ({_HAS_SPAN} OR {_NEEDS_SOUND})"
    )
    gone = set(missing)
    with ThreadPoolExecutor(_THREADS) as pool:
        while batch := rows.fetchmany(_BATCH):
            made = list(pool.map(lambda row: _derive(store, row, gone), batch))
            connection.register("made", pa.Table.from_pylist(made, schema=DERIVED))
            connection.execute("INSERT INTO derived SELECT * FROM made")


def _derive(store: Store, row: tuple[Any, ...], gone: set[str]) -> dict[str, Any]:
    dataset, identity, start, end, audio, video, has_image, has_more = row
    result = {"dataset": dataset, "id": identity, "audio_path": None, "reason": None}
    has_span = start is not None or end is not None
    if has_span and (video is not None or has_image or has_more or audio is None):
        return result | {"reason": "span_unsupported"}
    media = audio if audio is not None else video
    if media["path"] in gone:
        return result | {"reason": "missing_media"}
    try:
        path = cut_audio(store.media, Cut(media["sha256"], store.media.absolute(media["path"]), start, end))
    except MediaError as error:
        return result | {"reason": error.reason}
    return result | {"audio_path": path}


def _missing_paths(store: Store, connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Media paths of the chosen samples that are not there, in order; folder by folder they are found quickest."""
    parts = [f"SELECT {kind}.path AS path FROM chosen WHERE NOT filtered" for kind in ("audio", "video", "image")]
    parts.append("SELECT m.path FROM (SELECT unnest(more_media) AS m FROM chosen WHERE NOT filtered)")
    rows = connection.cursor().execute(
        f"SELECT DISTINCT path FROM ({' UNION ALL '.join(parts)}) WHERE path IS NOT NULL ORDER BY path"
    )
    root = str(store.root)
    return [path for path in _first_column(rows) if not _is_file(root, path)]


def _first_column(rows: Any) -> Iterator[str]:
    while batch := rows.fetchmany(10_000):
        yield from (str(row[0]) for row in batch)


def _is_file(root: str, path: str) -> bool:
    # A million paths are looked at: joining text is ten times quicker than joining Path objects.
    return os.path.isfile(path if path.startswith("/") else f"{root}/{path}")  # noqa: PTH113
