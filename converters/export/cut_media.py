"""Derived media that views need: spans and channels cut from clips, spans of videos, audio extracted from videos.

The sound of a span of a video is taken from the cut, so that picture and sound are those of one clip. A sample whose
span or channel cannot be cut has no row (`span_unsupported`, `channel_unsupported`); it is never exported with its
whole file instead.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import soundfile

from ...shards.media.cut import Cut, cut_audio, cut_video
from ...shards.media.fence import fenced
from ...shards.media.media import MediaError
from ...shards.store.store import Store

if TYPE_CHECKING:
    import duckdb

DERIVED = pa.schema(
    [(name, pa.string()) for name in ("dataset", "id", "audio_path", "video_path", "reason", "detail")]
    + [("frames", pa.int64()), ("rate", pa.int32()), ("channels", pa.int32())]
)
"""`frames`, `rate` and `channels` are of the sound that was made."""
_THREADS = 2
_BATCH = 1024

_IS_PART = "(start_s IS NOT NULL OR end_s IS NOT NULL OR channel IS NOT NULL)"
_HAS_OTHERS = "(image IS NOT NULL OR more_media IS NOT NULL OR (audio IS NULL) = (video IS NULL))"
"""A span says of which medium it is only if there is one."""
_NEEDS_AUDIO = "(modality = 'mixed' AND audio IS NULL AND video.has_audio)"


def derive_media(
    store: Store, connection: duckdb.DuckDBPyConnection, *, include_rejected: bool = False, from_videos: bool = True
) -> None:
    """Derive the media that the rows to be made need and create the table `derived`; the table `missing` and the view
    `parts` must exist.

    Rejected samples have no row unless they are asked for, so nothing is cut for them. With `from_videos`, the sound
    of videos is extracted.
    """
    connection.register("derived_arrow", DERIVED.empty_table())
    connection.execute("CREATE OR REPLACE TABLE derived AS SELECT * FROM derived_arrow")
    wanted = "true" if include_rejected else "verdict IS DISTINCT FROM 'reject'"
    needed = f"({_IS_PART} OR {_NEEDS_AUDIO})" if from_videos else _IS_PART
    rows = connection.cursor().execute(
        f"SELECT dataset, id, start_s, end_s, channel, audio, video, {_HAS_OTHERS}, {_NEEDS_AUDIO} "
        f"FROM parts WHERE part_outcome IS NULL AND {wanted} AND {needed}"
    )
    missing = {str(path) for (path,) in connection.execute("SELECT path FROM missing").fetchall()}
    with ThreadPoolExecutor(_THREADS) as pool:
        while batch := rows.fetchmany(_BATCH):
            results = list(pool.map(lambda row: _derive(store, row, missing, from_videos=from_videos), batch))
            connection.register("derived_arrow", pa.Table.from_pylist(results, schema=DERIVED))
            connection.execute("INSERT INTO derived SELECT * FROM derived_arrow")


def _derive(store: Store, row: tuple[Any, ...], missing: set[str], *, from_videos: bool) -> dict[str, Any]:
    dataset, identity, start, end, channel, audio, video, has_others, needs_audio = row
    result = dict.fromkeys(DERIVED.names) | {"dataset": dataset, "id": identity}
    has_span = start is not None or end is not None
    if has_span and has_others:
        return result | {"reason": "span_unsupported"}
    if channel is not None and (has_others or audio is None):
        return result | {"reason": "channel_unsupported"}
    media = audio if audio is not None else video
    if media["path"] in missing:
        return result | {"reason": "missing_media"}
    try:
        with fenced(media["path"], reason="undecodable", store=store.root):
            cut = Cut(media["sha256"], store.media.absolute(media["path"]), start, end, channel)
            if video is not None and has_span:
                result["video_path"] = path = cut_video(store.media, cut)
                cut = Cut(PurePath(path).stem, store.media.absolute(path), None, None)
            if video is None or (needs_audio and from_videos):
                result["audio_path"] = path = cut_audio(store.media, cut)
                made = soundfile.info(str(store.media.absolute(path)))
                result |= {"frames": made.frames, "rate": made.samplerate, "channels": made.channels}
    except MediaError as error:
        return result | {"reason": error.reason, "detail": error.detail}
    return result
