"""Derived media that views need: spans cut from clips, audio extracted from videos.

A sample whose span cannot be cut has no row (`span_unsupported`); it is never exported with its whole file instead.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ...shards.media.cut import Cut, cut_audio
from ...shards.media.media import MediaError
from ...shards.store.store import Store

if TYPE_CHECKING:
    import duckdb

DERIVED = pa.schema(
    [("dataset", pa.string()), ("id", pa.string()), ("audio_path", pa.string()), ("reason", pa.string())]
)
_THREADS = 2
_BATCH = 1024

_HAS_SPAN = "(start_s IS NOT NULL OR end_s IS NOT NULL)"
_NEEDS_AUDIO = "(modality = 'mixed' AND audio IS NULL AND video.has_audio)"


def derive_media(store: Store, connection: duckdb.DuckDBPyConnection, *, from_videos: bool) -> None:
    """Derive the media that the chosen samples need and create the table `derived`; the table `missing` must exist.

    `from_videos`: the sound of videos is extracted.
    """
    connection.execute(
        "CREATE OR REPLACE TABLE derived (dataset VARCHAR, id VARCHAR, audio_path VARCHAR, reason VARCHAR)"
    )
    rows = connection.cursor().execute(
        "SELECT dataset, id, start_s, end_s, audio, video, image IS NOT NULL, more_media IS NOT NULL FROM chosen "
        f"WHERE NOT filtered AND ({_HAS_SPAN}{f' OR {_NEEDS_AUDIO}' if from_videos else ''})"
    )
    missing = {str(path) for (path,) in connection.execute("SELECT path FROM missing").fetchall()}
    with ThreadPoolExecutor(_THREADS) as pool:
        while batch := rows.fetchmany(_BATCH):
            results = list(pool.map(lambda row: _derive(store, row, missing), batch))
            connection.register("derived_arrow", pa.Table.from_pylist(results, schema=DERIVED))
            connection.execute("INSERT INTO derived SELECT * FROM derived_arrow")


def _derive(store: Store, row: tuple[Any, ...], missing: set[str]) -> dict[str, Any]:
    dataset, identity, start, end, audio, video, has_image, has_more = row
    result = {"dataset": dataset, "id": identity, "audio_path": None, "reason": None}
    has_span = start is not None or end is not None
    if has_span and (video is not None or has_image or has_more or audio is None):
        return result | {"reason": "span_unsupported"}
    media = audio if audio is not None else video
    if media["path"] in missing:
        return result | {"reason": "missing_media"}
    try:
        path = cut_audio(store.media, Cut(media["sha256"], store.media.absolute(media["path"]), start, end))
    except MediaError as error:
        return result | {"reason": error.reason}
    return result | {"audio_path": path}
