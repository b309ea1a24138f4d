"""The corpus `talks`: Parquet files as `datasets` writes them, and its card, which takes them from a hub."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from support.cards import head
from support.hub import COMMIT

Tone = Callable[..., bytes]
CARD = (
    head("talks", splits="{train: train, test: test}")
    + f"""
sources:
  - hub: team/talks
    revision: {COMMIT}
    files: {{train: data/train/*.parquet, test: data/test/*.parquet}}
    reader:
      columns: {{id: id, text: text, speaker: speaker_id, audio: audio}}
"""
)


def parquet(path: Path, rows: range, tone: Tone, *, group: int, seconds: float = 1.0) -> None:
    """A file as `datasets` writes it: audio as {bytes, path} in row groups."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(
        {
            "id": [f"t{n:03d}" for n in rows],
            "audio": [{"bytes": tone(200 + n, seconds=seconds, format="WAV"), "path": f"t{n}.wav"} for n in rows],
            "text": [f"text {n}" for n in rows],
            "speaker_id": [n % 3 for n in rows],
            "chapter": [n // 10 for n in rows],
        }
    )
    pq.write_table(table, path, row_group_size=group, compression="none")
