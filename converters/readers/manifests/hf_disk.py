"""Reader for datasets that Hugging Face `datasets` saved to disk (`save_to_disk`): Arrow files, read in place.

A folder without these that has Parquet shards instead, such as a version of the view `hf`, is read by `hf_shards.py`.

    dataset_dict.json                     {"splits": ["train", "test"]}; one folder per split. Without it: one dataset.
    train/state.json                      lists the Arrow files and their fingerprint
    train/dataset_info.json               the features: which columns are audio, video, images, class labels
    train/data-00000-of-00002.arrow

Media bytes are not changed or decoded; media paths are resolved against the split's folder, or `--media-dir`. Class
labels are replaced by their names at any nesting level; -1 means no label.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....errors import UsageError
from ...candidate import CandidateStream, RawFile, RawStream, ReadContext, Reader, Rejection, RowError
from ..mapping.class_labels import Features
from ..tables.arrow_rows import python_rows
from ..tables.cells import Row, Rows, as_cell, as_name
from ..tables.user_table import candidates
from .hf_shards import is_shard, read_shards

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 32
"""A small batch, because rows contain media."""
_FILES = ("dataset_dict.json", "state.json", "dataset_info.json")


class SavedDatasetReader(Reader):
    """A dataset saved to disk by `datasets`."""

    def accepts(self, name: str) -> bool:
        return name.rpartition("/")[2] in _FILES or name.endswith(".arrow") or is_shard(name)

    def read(self, files: RawStream, context: ReadContext) -> CandidateStream:
        """Candidates in row order, split by split in the dataset's own order."""
        found: dict[str, RawFile] = {}
        for file in files:
            if isinstance(file, Rejection):
                yield file
            else:
                found[file.name] = file
        root = context.path or Path()
        if "dataset_dict.json" in found:
            splits = _object(found["dataset_dict.json"]).get("splits")
            for split in splits if isinstance(splits, list) else []:
                yield from _read_split(f"{split}/", str(split), found, root, context)
        elif "state.json" not in found and any(map(is_shard, found)):
            yield from read_shards(found, context)
        else:
            yield from _read_split("", None, found, root, context)


def _read_split(
    prefix: str, split: str | None, found: Mapping[str, RawFile], root: Path, context: ReadContext
) -> CandidateStream:
    state = found.get(f"{prefix}state.json")
    if state is None:
        raise UsageError(
            f"{root / prefix} is not a dataset saved to disk: it has no state.json.",
            hint="a folder of Parquet files: triptych import parquet FILE; save one: dataset.save_to_disk(FOLDER)",
        )
    described = _object(state)
    arrows: list[RawFile] = []
    entries = described.get("_data_files")
    if not isinstance(entries, list):
        raise UsageError(f"{state.uri}: _data_files is not a list of files.")
    for entry in entries:
        name = f"{prefix}{entry.get('filename')}" if isinstance(entry, dict) else prefix
        if name in found:
            arrows.append(found[name])
        else:
            yield Rejection(name, "missing_file", f"{state.uri} lists {name}, which does not exist", damaged=True)
    if described.get("_indices_data_files"):
        raise UsageError(f"{state.uri}: its rows are selected by an indices file: flatten_indices() and save it again.")
    if arrows:
        info = found.get(f"{prefix}dataset_info.json")
        features = _object(info).get("features") if info is not None else {}
        if not isinstance(features, dict):
            raise UsageError(f"{root / prefix}dataset_info.json: features is not an object of columns.")
        yield from _read_arrows(arrows, Features(features), split, described, state, context)


def _read_arrows(
    arrows: list[RawFile],
    features: Features,
    split: str | None,
    described: Mapping[str, Any],
    state: RawFile,
    context: ReadContext,
) -> CandidateStream:
    name = split or described.get("_split")
    try:
        own = as_name("split", name) if name else None
    except RowError as error:
        raise UsageError(f"{state.uri}: {error}") from None
    revision = f"fingerprint:{described.get('_fingerprint')}"
    file = replace(state, split=own or state.split, revision=revision)
    known = features.media()
    yield from candidates(_rows(arrows, features), file, context, known=known, peek=_ROWS)


def _rows(arrows: list[RawFile], features: Features) -> Rows:
    import pyarrow as pa

    for file in arrows:
        number = 0
        try:
            for record in _records(file):
                where = f"{file.uri}#row={number}"
                number += 1
                try:
                    named = features.named(record)
                except RowError as error:
                    yield error.rejection(where)
                    continue
                yield Row({key: as_cell(value) for key, value in named.items()}, where)
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            where = f"{file.uri}#row={number}"
            yield Rejection(where, "corrupt_arrow", f"{where}: {str(error).splitlines()[0]}", where, damaged=True)


def _records(file: RawFile) -> Iterator[dict[str, Any]]:
    import pyarrow as pa

    assert file.path is not None
    with pa.memory_map(str(file.path)) as source:
        for batch in _batches(source):
            for start in range(0, batch.num_rows, _ROWS):
                yield from python_rows(batch.slice(start, _ROWS))


def _batches(source: pa.MemoryMappedFile) -> Iterator[pa.RecordBatch]:
    """Read the stream format, which `datasets` writes, or the file format."""
    import pyarrow as pa

    if source.read(6) == b"ARROW1":
        reader = pa.ipc.open_file(source)
        yield from (reader.get_batch(index) for index in range(reader.num_record_batches))
        return
    source.seek(0)
    yield from pa.ipc.open_stream(source)


def _object(file: RawFile) -> dict[str, Any]:
    try:
        value = json.loads(file.read().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file.uri}: {error}.") from None
    if not isinstance(value, dict):
        raise UsageError(f"{file.uri} is not a JSON object.")
    return value
