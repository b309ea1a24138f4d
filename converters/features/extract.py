"""From rows to shards: each clip is decoded once, and what cannot be is left out with its reason.

Rows of one clip, such as those of several captions, share its features, which have the id of the first of them. Clips
are in the order of rows. Spectrograms are made in processes, hidden states in this one, which holds the model. Memory
holds a few clips.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...shards.engine.engine import map_parts
from ...shards.exports.versions import PARQUET
from ...shards.media.fence import fenced
from ...shards.media.sound import heard, sound_from
from ...shards.media.streams import MediaError, open_media
from ...shards.pace import Progress
from ...shards.store.sql import quote
from .extractors import EXTRACTORS, RATE
from .options import DIGEST, HIDDEN
from .shards import DTYPE, ITEM, Shard, open_shard

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

INDEX = "index.parquet"
FOLDER = "shards"
COLUMNS = {"shard": "VARCHAR", "start": "BIGINT", "key": "VARCHAR", "frames": "BIGINT", "dims": "BIGINT",
           "dtype": "VARCHAR", "seconds": "DOUBLE"}  # fmt: skip
"""What rows get of their features: the file, where in it (a first frame or a key), their shape and type."""
_PART = 16
_BATCH = 2_048
_PRELOAD = ("av", "numpy", "triptych.converters.features.log_mel")


def extract(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    own: Mapping[str, Any],
    order: str,
    progress: Progress | None = None,
) -> Mapping[str, str]:
    """Write the shards and the index of `rows` into a folder, and create the table `extracted`: the columns by id, or
    the reason why a row has no features. Returns the columns.

    Args:
        own: The options of the view.
        order: SQL for the order of rows.
        progress: Called with the number of clips that are done, and of how many.
    """
    listed, refused = folder / ".clips.parquet", folder / ".refused.parquet"
    clips = f"SELECT id, _audio_paths[1] AS path, row_number() OVER (ORDER BY {order}) AS place"
    connection.execute(f"""
        COPY (SELECT arg_min(id, place) AS id, path FROM ({clips} FROM rows WHERE _outcome IS NULL)
              GROUP BY path ORDER BY min(place)) TO {quote(str(listed))} ({PARQUET})""")
    _write(_counted(_features(listed, own), listed, progress), folder, refused, own)
    connection.execute(f"""
        CREATE OR REPLACE TABLE extracted AS
        SELECT r.id, {", ".join(COLUMNS)}, reason
        FROM (SELECT id, _audio_paths[1] AS path FROM rows WHERE _outcome IS NULL) r
        JOIN read_parquet({quote(str(listed))}) c ON c.path = r.path
        JOIN (SELECT *, NULL::VARCHAR AS reason FROM read_parquet({quote(str(folder / INDEX))})
              UNION ALL BY NAME FROM read_parquet({quote(str(refused))})) f ON f.id = c.id""")
    for path in (listed, refused):
        path.unlink()
    return COLUMNS


def _features(listed: Path, own: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Each clip with its array or the reason why there is none, in order."""
    if own["features"] == HIDDEN:
        parts: Iterator[list[dict[str, Any]]] = map(partial(_hidden, own=dict(own)), _parts(listed))
    else:
        function = partial(_spectrograms, name=own["extractor"])
        parts = map_parts(function, _parts(listed), preload=_PRELOAD, lost=_lost)
    for part in parts:
        yield from part


def _counted(features: Iterator[dict[str, Any]], listed: Path, progress: Progress | None) -> Iterator[dict[str, Any]]:
    import pyarrow.parquet as pq

    total = pq.read_metadata(listed).num_rows
    for done, each in enumerate(features, 1):
        yield each
        if progress is not None:
            progress(done, total)


def _parts(listed: Path) -> Iterator[list[dict[str, Any]]]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(listed) as file:
        for batch in file.iter_batches(batch_size=_PART):
            yield batch.to_pylist()


def _lost(row: dict[str, Any], how: str) -> dict[str, Any]:
    return {"id": row["id"], "reason": "crashed"}


def _spectrograms(rows: list[dict[str, Any]], *, name: str) -> list[dict[str, Any]]:
    from .log_mel import log_mel

    extractor = EXTRACTORS[name]
    return [_made(row, lambda samples: log_mel(samples, extractor)) for row in rows]


def _hidden(rows: list[dict[str, Any]], *, own: Mapping[str, Any]) -> list[dict[str, Any]]:
    from .encoder import load

    encoder = load(own["encoder"], own["layer"], own[DIGEST])
    return [_made(row, encoder.states) for row in rows]


def _made(row: Mapping[str, Any], make: Callable[[Floats], Floats]) -> dict[str, Any]:
    import numpy as np

    try:
        with fenced(row["path"], reason="undecodable"):
            samples = _heard(Path(row["path"]))
        array = make(samples)
        if not len(array):
            raise MediaError("too_short", "no frames")
        if not np.isfinite(array).all():
            raise MediaError("not_finite", "numbers that are none")
    except MediaError as error:
        return {"id": row["id"], "reason": error.reason}
    return {"id": row["id"], "array": array, "seconds": len(samples) / RATE}


def _heard(path: Path) -> Floats:
    """The sound of a file: mono, 16 kHz."""
    import numpy as np

    with open_media(path) as container:
        _, frames = sound_from(container)
        blocks = list(heard(frames, RATE))
    return np.concatenate(blocks) if blocks else np.empty(0, np.float32)


def _write(features: Iterator[dict[str, Any]], folder: Path, refused: Path, own: Mapping[str, Any]) -> None:
    """Write arrays into shards, where they lie into the index, and reasons beside it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"VARCHAR": pa.string(), "BIGINT": pa.int64(), "DOUBLE": pa.float64()}
    schema = pa.schema([("id", pa.string()), *((name, types[type_]) for name, type_ in COLUMNS.items())])
    reasons = pa.schema([("id", pa.string()), ("reason", pa.string())])
    (folder / FOLDER).mkdir()
    shards = _Shards(folder, file_format=own["file_format"], limit=own["shard_mb"] * 1_000_000)
    found: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    with (
        pq.ParquetWriter(folder / INDEX, schema, compression="zstd") as index,
        pq.ParquetWriter(refused, reasons, compression="zstd") as unwritten,
    ):
        for each in features:
            if "reason" in each:
                failed.append(each)
            else:
                found.append({**shards.add(each["id"], each["array"]), "id": each["id"], "seconds": each["seconds"]})
            for rows, file, columns in ((found, index, schema), (failed, unwritten, reasons)):
                if len(rows) >= _BATCH:
                    file.write_table(pa.Table.from_pylist(rows, schema=columns))
                    rows.clear()
        index.write_table(pa.Table.from_pylist(found, schema=schema))
        unwritten.write_table(pa.Table.from_pylist(failed, schema=reasons))
    shards.close()


class _Shards:
    """The shards of a version, one open at a time; each holds at least one clip."""

    def __init__(self, folder: Path, *, file_format: str, limit: int) -> None:
        self._folder = folder
        self._format = file_format
        self._limit = limit
        self._count = 0
        self._open: Shard | None = None

    def add(self, identity: str, array: Floats) -> dict[str, Any]:
        """Write an array; returns where it is."""
        if self._open is not None and self._open.size + array.size * ITEM > self._limit:
            self.close()
        if self._open is None:
            self._name = f"{FOLDER}/{self._count:06d}.{self._format}"
            self._open = open_shard(self._folder / self._name, file_format=self._format)
            self._count += 1
        start = self._open.add(identity, array)
        return {"shard": self._name, "start": start, "key": None if start is not None else identity,
                "frames": len(array), "dims": array.shape[1], "dtype": DTYPE}  # fmt: skip

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None
