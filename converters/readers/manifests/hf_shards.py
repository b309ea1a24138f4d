"""Datasets of Parquet shards, as the view `hf` writes them and repositories of the hub hold them.

    data/train-00000-of-00002.parquet     the split, the number of the shard and of all; below `data/`, or at the top
    data/train-00001-of-00002.parquet

The media is inside, in columns that the schema's metadata names. The members of a column `extra` of JSON objects, which
the view `hf` writes, go back to where they came from.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ....errors import UsageError
from ....shards.sample import lacks_media
from ...candidate import Candidate, CandidateStream, RawFile, ReadContext, Rejection, RowError
from ..mapping.class_labels import Features
from ..tables.cells import Place, as_name, as_text
from ..tables.parquet import read_parquet
from ..tables.user_table import candidates

_SHARD = re.compile(r"(?:data/)?(?P<split>[^/]+)-(?P<number>\d{5})-of-(?P<count>\d{5})(-[0-9a-f]+)?\.parquet")
_ROWS = 32
"""A small batch, because rows contain media."""


def is_shard(name: str) -> bool:
    """Whether a file of a folder is a shard of a split."""
    return _SHARD.fullmatch(name) is not None


def read_shards(found: Mapping[str, RawFile], context: ReadContext) -> CandidateStream:
    """Candidates in row order, split by split; a shard that the names of others promise is a rejection."""
    splits: dict[str, dict[int, RawFile]] = {}
    counts: dict[str, int] = {}
    for name, file in found.items():
        if (shard := _SHARD.fullmatch(name)) is not None:
            splits.setdefault(shard["split"], {})[int(shard["number"])] = file
            counts[shard["split"]] = int(shard["count"])
    for split, shards in splits.items():
        for number in sorted({*range(counts[split]), *shards}):
            if number in shards:
                yield from _read_shard(shards[number], split, context)
            else:
                name = f"{split}-{number:05d}-of-{counts[split]:05d}.parquet"
                yield Rejection(
                    name, "missing_file", f"{name} does not exist, but others of its split do", damaged=True
                )


def _read_shard(file: RawFile, split: str, context: ReadContext) -> CandidateStream:
    import pyarrow as pa
    import pyarrow.parquet as pq

    assert file.path is not None
    try:
        own = as_name("split", split)
    except RowError as error:
        raise UsageError(f"{file.uri}: {error}") from None
    try:
        schema = pq.read_schema(file.path)
    except (pa.ArrowException, OSError) as error:
        yield Rejection(file.name, "corrupt_parquet", str(error).splitlines()[0], file.uri, damaged=True)
        return
    with file.path.open("rb") as data:
        revision = "sha256:" + hashlib.file_digest(data, "sha256").hexdigest()
    rows = read_parquet(file.path, Place(file.name, file.uri), batch=_ROWS)
    marked = replace(file, split=file.split or own, revision=revision)
    features = Features.of_schema(schema)
    has_extra = features.features.get("extra") == {"_type": "Json"}
    for each in candidates(rows, marked, context, known=features.media(), peek=_ROWS):
        if isinstance(each, Candidate):
            if has_extra:
                _spread_extra(each.fields)
            if not each.media and lacks_media(each.fields.get("task"), ()):
                del each.fields["task"]  # the view gives every row a task; of a text alone it is about media
        yield each


def _spread_extra(fields: dict[str, Any]) -> None:
    """Put the members of the column `extra` beside it."""
    extra = fields.get("extra") or {}
    with suppress(ValueError):
        members = json.loads(extra.get("extra", ""))
        if isinstance(members, dict):
            del extra["extra"]
            extra |= {name: text for name, value in members.items() if (text := as_text(value)) is not None}
