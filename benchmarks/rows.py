"""Make stores with many synthetic rows, for `export` and `query`; runs as a separate process.

    python -m benchmarks.rows STORE --rows 1000000                              for `export`
    python -m benchmarks.rows STORE --rows 10000000 --datasets 4 --media 4096 --batch 10000 --plain DIR    for `query`

Rows are speech with a transcript of six words, in up to five languages, and go through `Store.append` under a pull's
fence, `--batch` rows per commit; each dataset is compacted at its end, as after a pull. `--plain` also writes the same
rows as Parquet files, by DuckDB alone.

Media: 64 short clips are real. The `--media` paths that the rows reference are hard links to these under other names,
so that every path exists as a separate directory entry, without a million clips on disk.
"""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from triptych.catalog.sources.synthetic.source import SAMPLE_RATE, encode_flac
from triptych.converters.ingest.stored_ids import fence_name
from triptych.shards.care.care import compact
from triptych.shards.events import Run
from triptych.shards.query import connect
from triptych.shards.sample import AUDIO, SCHEMA
from triptych.shards.store.sql import quote
from triptych.shards.store.store import Store
from triptych.shards.store_format import FORMAT, media_path

CLIPS = 64
CLIP_SECONDS = 0.25
WORDS = 500
WORDS_A_TEXT = 6
LANGUAGES = ("en", "de", "fr", "es", "it")
SOUGHT = ("harbour", "light")
"""Two words of the vocabulary; about one text in 50,000 contains them side by side."""

_SYLLABLES = ("ba", "do", "fe", "gi", "ka", "lu", "mo", "ne", "pi", "ra", "so", "tu", "ve", "wa", "zi", "ster", "lan")


def vocabulary() -> pa.Array:
    """500 words of two or three syllables, including the two to search for."""
    chance = np.random.default_rng(5)
    words = dict.fromkeys(SOUGHT)
    while len(words) < WORDS:
        words["".join(chance.choice(_SYLLABLES, size=int(chance.integers(2, 4))))] = None
    return pa.array(words)


def store_clips(store: Store) -> list[dict[str, Any]]:
    """Store a few real clips of noise as a pull does; returns their audio structs."""
    chance = np.random.default_rng(9)
    clips = []
    for _ in range(CLIPS):
        pcm = chance.integers(-3000, 3000, int(CLIP_SECONDS * SAMPLE_RATE)).astype(np.int16)
        clips.append(store.media.put(encode_flac(pcm), kind="audio").fields)
    return clips


def link_media(store: Store, clips: list[dict[str, Any]], count: int) -> tuple[pa.Array, pa.Array]:
    """Create `count` more names of the clips; returns their relative paths and the hashes in them."""
    targets = [store.media.absolute(clip["path"]) for clip in clips]
    paths, sums = [], []
    for number in range(count):
        digest = hashlib.sha256(f"media {number}".encode()).hexdigest()
        path = media_path(digest, "flac", FORMAT)
        (store.root / path).parent.mkdir(exist_ok=True)
        os.link(targets[number % CLIPS], store.root / path)
        paths.append(path)
        sums.append(digest)
    return pa.array(paths), pa.array(sums)


def make_batches(
    dataset: str,
    rows: int,
    batch: int,
    clips: list[dict[str, Any]],
    media: tuple[pa.Array, pa.Array],
    languages: tuple[str, ...],
    seed: int,
) -> Iterator[pa.Table]:
    """Yield the rows of one dataset, one table per commit."""
    words = vocabulary()
    for first in range(0, rows, batch):
        count = min(batch, rows - first)
        chance = np.random.default_rng([seed, first])
        yield _table(dataset, np.arange(first, first + count), words, clips[0], media, languages, chance)


def _table(
    dataset: str,
    numbers: np.ndarray,
    words: pa.Array,
    clip: dict[str, Any],
    media: tuple[pa.Array, pa.Array],
    languages: tuple[str, ...],
    chance: np.random.Generator,
) -> pa.Table:
    count = len(numbers)
    texts = [words.take(pa.array(chance.integers(0, WORDS, count))) for _ in range(WORDS_A_TEXT)]
    paths, sums = media
    chosen = pa.array(numbers % len(paths))
    names = pc.utf8_lpad(pa.array(numbers).cast("string"), 8, "0")
    columns: dict[str, Any] = {
        "id": pc.binary_join_element_wise(f"{dataset}/train", names, "/"),
        "text": pc.binary_join_element_wise(*texts, " "),
        "language": pa.array(languages).take(pa.array(chance.integers(0, len(languages), count))),
        "speaker": pa.array(chance.integers(1000, 3000, count)).cast("string"),
        "audio": _audio(paths.take(chosen), sums.take(chosen), clip, chance),
    }
    same = {
        "dataset": dataset, "split": "train", "panel": "S1", "modality": "audio", "task": "asr",
        "license": "CC0-1.0", "source": "synthetic:rows", "revision": "1",
    }  # fmt: skip
    columns |= {name: pa.repeat(value, count) for name, value in same.items()}
    columns["pulled_at"] = pa.array([datetime.now(UTC)] * count, SCHEMA.field("pulled_at").type)
    filled = [columns[f.name] if f.name in columns else pa.nulls(count, f.type) for f in SCHEMA]
    return pa.Table.from_arrays(filled, schema=SCHEMA)


def _audio(paths: pa.Array, sums: pa.Array, clip: dict[str, Any], chance: np.random.Generator) -> pa.Array:
    """The audio structs; durations vary, so that their sum is not trivial."""
    count = len(paths)
    frames = chance.integers(SAMPLE_RATE, 30 * SAMPLE_RATE, count)
    values = {"path": paths, "sha256": sums, "frames": pa.array(frames), "duration": pa.array(frames / SAMPLE_RATE)}
    arrays = [values[f.name] if f.name in values else pa.repeat(pa.scalar(clip[f.name], f.type), count) for f in AUDIO]
    return pa.StructArray.from_arrays(arrays, fields=list(AUDIO))


def make_store(root: Path, *, rows: int, datasets: int, media: int, batch: int, languages: int) -> Store:
    """Write the store; `store.duckdb`, rewritten at the end, marks it as complete."""
    store = Store.create(root)
    clips = store_clips(store)
    linked = link_media(store, clips, media)
    for number in range(datasets):
        dataset = f"rows-{number}"
        share = rows // datasets + (number < rows % datasets)
        batches = make_batches(dataset, share, batch, clips, linked, LANGUAGES[:languages], number)
        run = Run("pull", dataset, "synthetic rows", {})
        for fence, table in enumerate(batches, start=1):
            store.append("samples", table, fence=(fence_name(dataset), fence))
            run.account.keep(len(table))
        run.finish(store)
        compact(store, dataset)
    return store


def write_plain(store: Store, folder: Path) -> None:
    """The same rows as plain Parquet, the dataset as an ordinary column."""
    folder.mkdir(parents=True)
    with connect(store) as connection:
        connection.execute("SET memory_limit = '4GB'")
        target = quote(str(folder / "rows"))
        connection.execute(f"COPY (SELECT * FROM samples_as_pulled) TO {target} (FORMAT parquet, PER_THREAD_OUTPUT)")


def main() -> None:
    parser = argparse.ArgumentParser(description="Make a store with many synthetic rows.")
    parser.add_argument("store", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--datasets", type=int, default=1)
    parser.add_argument("--media", type=int, help="media paths that the rows reference; default: one per row")
    parser.add_argument("--batch", type=int, default=100_000, help="rows a commit")
    parser.add_argument("--languages", type=int, default=len(LANGUAGES), help="languages of the rows, English first")
    parser.add_argument("--plain", type=Path, help="write the rows as plain Parquet too")
    options = parser.parse_args()
    media = options.media or options.rows
    store = make_store(
        options.store,
        rows=options.rows,
        datasets=options.datasets,
        media=media,
        batch=options.batch,
        languages=options.languages,
    )
    if options.plain:
        write_plain(store, options.plain)


if __name__ == "__main__":
    main()
