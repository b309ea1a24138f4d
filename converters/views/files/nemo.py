"""`nemo_manifest.json`: one JSON object a line, as NeMo reads it."""

from __future__ import annotations

import json
from pathlib import Path

from ....shards.exports.rows import read_rows
from ..base import ViewOptions

NAME = "nemo_manifest.json"
LOST = {
    "text": "effective_task = 's2tt'",
    "translation": "effective_task IS DISTINCT FROM 's2tt'",
    "target_language": "effective_task IS DISTINCT FROM 's2tt'",
}
"""The one text of a line is what is said, or its translation."""


def write_files(rows: Path, folder: Path, options: ViewOptions) -> None:
    """Write the manifest; `id` goes along as a field of its own, which NeMo passes through."""
    with (folder / NAME).open("w", encoding="utf-8", newline="\n") as file:
        for row in read_rows(rows):
            line = {"audio_filepath": row.pop("audio"), **row}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
