"""`phones.json`: the inventory of a version, for extending a tokenizer and for scoring."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from ....shards.phones import BOUNDARY, SILENCE
from ..base import ViewOptions

INVENTORY = "phones.json"


def write_files(rows: Path, folder: Path, options: ViewOptions) -> None:
    """Count the phones of all rows."""
    import pyarrow.parquet as pq

    counts: Counter[str] = Counter()
    with pq.ParquetFile(rows) as file:
        for batch in file.iter_batches(columns=["conversations"]):
            for turns in batch.column(0).to_pylist():
                counts.update(turns[-1]["value"].split())
    boundaries = counts.pop(BOUNDARY, 0) if options.own["word_boundaries"] else 0
    name = options.own["phones"]
    silence = [phone for phone in sorted(counts) if phone.lower() in SILENCE[name]]
    found = {
        "set": name,
        "phones": dict(sorted(counts.items())),
        "silence": silence,
        "word_boundary": BOUNDARY if options.own["word_boundaries"] else None,
        "word_boundaries": boundaries,
    }
    (folder / INVENTORY).write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
