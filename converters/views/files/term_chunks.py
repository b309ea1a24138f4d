"""The chunks as InfiniSST reads them, its glossary with aliases, and the index of its terms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from ..base import ViewOptions
from ..terms import glossary

CHUNKS = "term_level_chunks_{split}.json"
TERM_INDEX = "glossary_term2idx.json"
TERM_SET = "term_set.txt"
_OURS = ("id", "sample_id", "audio", "split", "other_terms", "unseen_terms")


def write_files(rows: Path, folder: Path, options: ViewOptions) -> None:
    """Write a JSON array of chunks for each split, and the files of the glossary."""
    _write_glossary(folder, glossary.of_options(options.own))
    import pyarrow.parquet as pq

    with ExitStack() as files, pq.ParquetFile(rows) as parquet:
        splits: dict[str, IO[str]] = {}
        for batch in parquet.iter_batches():
            for row in batch.to_pylist():
                split = row["split"]
                is_first = split not in splits
                if is_first:
                    path = folder / CHUNKS.format(split=split)
                    splits[split] = files.enter_context(path.open("w", encoding="utf-8"))
                splits[split].write(("[\n" if is_first else ",\n") + json.dumps(chunk_of(row), ensure_ascii=False))
        for file in splits.values():
            file.write("\n]\n")


def chunk_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as a chunk object; only chunks without a term have `is_no_term_chunk`."""
    chunk = {"segment_id": row["segment_id"], "term_chunk_audio": row["audio"]}
    chunk |= {name: value for name, value in row.items() if name not in _OURS and value is not None}
    if not chunk["is_no_term_chunk"]:
        del chunk["is_no_term_chunk"]
    return chunk


def _write_glossary(folder: Path, found: glossary.Glossary) -> None:
    _write(folder / glossary.GLOSSARY_FILE, found.entries)
    _write(folder / glossary.ALIASES_FILE, found.aliases)
    _write(folder / TERM_INDEX, {term: number for number, term in enumerate(found.terms)})
    phrases = sorted(" ".join(phrase) for phrase in found.labels)
    (folder / TERM_SET).write_text("".join(f"{phrase}\n" for phrase in phrases), encoding="utf-8")


def _write(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
