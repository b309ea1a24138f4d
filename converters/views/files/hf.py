"""Parquet shards with the media inside, by split, and the README that `datasets` and the hub read the splits from.

Row groups hold about 100 MB, so that a reader which streams or shows a page need not read more; files have a page
index. Memory holds one row group.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....errors import ProblemsFound
from ....shards.exports.rows import read_rows
from ..base import ViewOptions
from .rows import in_shards, selected

if TYPE_CHECKING:
    import pyarrow as pa

GROUP_BYTES = 100_000_000
GROUP_ROWS = 2_000
MEDIA = {"audio": {"decode": False, "_type": "Audio"}, "video": {"decode": False, "_type": "Video"},
         "image": {"decode": False, "_type": "Image"}}  # fmt: skip
"""Media column -> its type in `datasets`; `decode` is left to whoever loads it: `cast_column("audio", Audio())`."""


def write_files(rows: Path, folder: Path, options: ViewOptions) -> None:
    """Write `data/<split>-<n>-of-<all>.parquet` for each split, and README.md.

    Raises:
        ProblemsFound: Two splits would have one name.
    """
    import pyarrow.parquet as pq

    limit = options.own["shard_mb"] * 1_000_000
    schema = _schema(pq.read_schema(rows))
    (folder / "data").mkdir()
    splits: dict[str, str] = {}
    for (split,) in selected(rows, "SELECT DISTINCT split FROM rows ORDER BY split"):
        name = re.sub(r"[^A-Za-z0-9_]+", "_", str(split)).strip("_") or "train"
        if name in splits.values():
            other = next(split for split, taken in splits.items() if taken == name)
            raise ProblemsFound(
                f"The splits {other!r} and {split!r} would be one: `datasets` allows letters, digits and _ in the name "
                f"of a split, and both become {name!r}.",
                hint="export them apart, with --split, or rename one: triptych annotate --from FILE.csv with the key "
                "assigned_split",
            )
        splits[str(split)] = name
        _write_split(rows, folder / "data", str(split), name, schema, limit)
    (folder / "README.md").write_text(_card(splits), encoding="utf-8")


def _schema(own: pa.Schema) -> pa.Schema:
    """The schema of the shards: media as bytes and name, with the types of `datasets` in its metadata."""
    import pyarrow as pa

    embedded = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    fields = [
        pa.field(field.name, embedded if field.name in MEDIA else field.type) for field in own if field.name != "split"
    ]
    features = {field.name: MEDIA.get(field.name) or _feature(field.type) for field in fields}
    return pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": features}})})


def _feature(type_: pa.DataType) -> dict[str, Any]:
    import pyarrow as pa

    if str(type_) == "extension<arrow.json>":
        return {"_type": "Json"}
    if pa.types.is_list(type_):
        return {"feature": _feature(type_.value_type), "_type": "List"}
    return {"dtype": "string" if pa.types.is_string(type_) else str(type_), "_type": "Value"}


def _write_split(rows: Path, folder: Path, split: str, name: str, schema: pa.Schema, limit: int) -> None:
    """Write one split under temporary names, since the number of its shards is part of their names."""
    own = ({key: value for key, value in row.items() if key != "split"}
           for row in read_rows(rows) if row["split"] == split)  # fmt: skip
    written: list[Path] = []
    for shard in in_shards(own, limit=limit, media=MEDIA):
        path = folder / f".{name}-{len(written):05d}"
        _write_shard(path, shard, schema)
        written.append(path)
    for number, path in enumerate(written):
        path.rename(folder / f"{name}-{number:05d}-of-{len(written):05d}.parquet")


def _write_shard(path: Path, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetWriter(path, schema, compression="zstd", write_page_index=True) as writer:
        group: list[Mapping[str, Any]] = []
        size = 0
        for row in rows:
            loaded = {kind: _embedded(row[kind]) for kind in MEDIA if kind in row}
            group.append(row | loaded | ({"extra": json.dumps(row["extra"])} if "extra" in row else {}))
            size += sum(len(medium["bytes"]) for medium in loaded.values())
            if size >= GROUP_BYTES or len(group) >= GROUP_ROWS:
                writer.write_table(pa.Table.from_pylist(group, schema=schema), row_group_size=len(group))
                group, size = [], 0
        if group:
            writer.write_table(pa.Table.from_pylist(group, schema=schema), row_group_size=len(group))


def _embedded(path: str) -> dict[str, Any]:
    return {"bytes": Path(path).read_bytes(), "path": Path(path).name}


def _card(splits: Mapping[str, str]) -> str:
    """The README: which files are which split; `path` of a medium is its name, the SHA-256 of its bytes."""
    lines = ["---", "configs:", "- config_name: default", "  data_files:"]
    for name in splits.values():
        lines += [f"  - split: {name}", f"    path: data/{name}-*.parquet"]
    lines += ["---", "", "NOTICE lists the licences of the rows by dataset.", ""]
    return "\n".join(lines)
