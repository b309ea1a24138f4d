"""The ids of a dataset's stored rows with their content hashes, kept in memory: 16 bytes per row.

Each row is represented by two 64-bit numbers: the hash of its id and the hash of its content. Comparing candidates with
these distinguishes a known id with different content from a duplicate without reading the table again.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import numpy as np
import pyarrow as pa

from ...shards.hash_sets import HashMap
from ...shards.sample import sample_id
from ...shards.store.database import session
from ...shards.store.sql import quote
from ...shards.store.store import Store
from ...shards.store.views import scan_sql
from ..candidate import Candidate
from ..files.content_id import content_id

_MEDIA = "audio.sha256, video.sha256, image.sha256, list_transform(more_media, lambda x: x.sha256)"
_CONTENT = (
    "text, translation, question, answer, reasoning, choices, captions, labels, messages, chosen, rejected, "
    "start_s, end_s, channel"
)
_ROW = (
    f"{_CONTENT}, {_MEDIA}, panel, modality, task, language, target_language, speaker, "
    "words, phones, extra::VARCHAR, license"
)
COMPARED = {"content": f"{_CONTENT}, {_MEDIA}", "row": _ROW, "origin": f"{_ROW}, source"}
"""`content`: media and text (pulls). `row`: every column that the user's file can set (imports). `origin`: also the
file that the row is from (`--sync`, which takes out what a file no longer has)."""


class StoredIds:
    """The ids of one dataset with the content hashes of their rows."""

    def __init__(self, store: Store, dataset: str, *, compare: str = "content") -> None:
        self._store = store
        self._dataset = dataset
        self._columns = COMPARED[compare]
        self._opened = ExitStack()
        self._connection = self._opened.enter_context(session())
        self._contents = HashMap()
        self.number = -1

    def close(self) -> None:
        self._opened.close()

    def __contains__(self, sample: str) -> bool:
        return self.content_of(sample) is not None

    def __len__(self) -> int:
        return len(self._contents)

    @property
    def nbytes(self) -> int:
        """Memory used by the hashes."""
        return self._contents.nbytes

    def content_of(self, sample: str) -> int | None:
        """The content hash stored for an id, or None."""
        return self._contents.get(hash(sample))

    def identity_of(self, candidate: Candidate) -> str:
        """The id of a candidate; that with its content, if its row is stored so (`Candidate.made_from`)."""
        split, config = candidate.split, candidate.config
        if candidate.made_from is not None and len(self):
            name = content_id(candidate.made_from, candidate.fields, candidate.media)
            if (known := sample_id(self._dataset, config, split, name)) in self:
                return known
        return sample_id(self._dataset, config, split, candidate.source_id)

    def read(self) -> None:
        """Reload the table; `number` is then the fence number of the version read."""
        table = self._store.table("samples")
        self.number = self._store.fence_number("samples", fence_name(self._dataset), table=table)
        sql = scan_sql("samples", table)
        relation = self._connection.sql(
            f"SELECT id, hash({self._columns}) AS content FROM ({sql}) WHERE dataset = {quote(self._dataset)}"
        )
        keys: list[np.ndarray] = []
        contents: list[np.ndarray] = []
        for batch in relation.to_arrow_reader(100_000):
            keys.append(np.fromiter(map(hash, batch.column("id").to_pylist()), dtype=np.int64, count=len(batch)))
            contents.append(batch.column("content").to_numpy(zero_copy_only=False).astype(np.uint64))
        self._contents.load(keys, contents)

    def hash_rows(self, rows: pa.Table) -> list[int]:
        """The content hash of every row of a batch."""
        self._connection.register("batch", rows)
        result = self._connection.execute(f"SELECT hash({self._columns}) FROM batch").fetchall()
        self._connection.unregister("batch")
        return [int(row[0]) for row in result]

    def add(self, ids: Sequence[str], contents: Sequence[int], *, number: int) -> None:
        """Add rows just committed under fence `number`."""
        for key, content in zip(map(hash, ids), contents, strict=True):
            self._contents.put(key, content)
        self.number = number


def fence_name(dataset: str) -> str:
    """The Delta transaction application id that makes commits to a dataset exclusive."""
    return f"pull:{dataset}"
