"""Tables: a row names its media, or contains it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from truth.layouts.corpus import Corpus, text_of


def table_rows(corpus: Corpus) -> list[dict[str, Any]]:
    return corpus.rows(**{corpus.column: corpus.place}, text=text_of)


def columns_of(rows: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def csv_table(corpus: Corpus) -> Path:
    rows = table_rows(corpus)
    path = corpus.path("table.csv")
    with path.open("w", newline="") as file:
        out = csv.DictWriter(file, columns_of(rows))
        out.writeheader()
        out.writerows({name: json.dumps(cell) if isinstance(cell, list) else cell for name, cell in row.items()}
                      for row in rows)  # fmt: skip
    return path


def json_table(corpus: Corpus) -> Path:
    path = corpus.path("table.json")
    path.write_text(json.dumps(table_rows(corpus)))
    return path


def jsonl_table(corpus: Corpus) -> Path:
    return corpus.lines("table.jsonl", table_rows(corpus))


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.Table.from_pylist([{name: row.get(name) for name in columns_of(rows)} for row in rows]), path)
    return path


def embedded(corpus: Corpus) -> list[dict[str, Any]]:
    return corpus.rows(audio=lambda each: {"bytes": corpus.data(each), "path": corpus.name(each)}, text=text_of)


def parquet_table(corpus: Corpus) -> Path:
    return write_parquet(corpus.path("table.parquet"), embedded(corpus))


def saved_dataset(corpus: Corpus) -> Path:
    """As `datasets` saves it to disk."""
    import pyarrow as pa

    rows = embedded(corpus)
    table = pa.Table.from_pylist([{name: row.get(name) for name in columns_of(rows)} for row in rows])
    path = corpus.path("saved/data-00000-of-00001.arrow")
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as out:
        out.write_table(table)
    state = {"_data_files": [{"filename": path.name}], "_fingerprint": "0", "_split": "train"}
    corpus.path("saved/state.json").write_text(json.dumps(state))
    features = {"audio": {"_type": "Audio"}}
    corpus.path("saved/dataset_info.json").write_text(json.dumps({"features": features}))
    return path.parent
