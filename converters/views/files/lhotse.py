"""Lhotse's manifests: recordings, supervisions and cuts, gzipped JSON Lines; equal rows give equal bytes."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from ....shards.exports.rows import read_rows
from ..base import ViewOptions

NAMES = ("recordings.jsonl.gz", "supervisions.jsonl.gz", "cuts.jsonl.gz")
_LEVEL = 6


def write_files(rows: Path, folder: Path, options: ViewOptions) -> None:
    """Write the three manifests; the ids of recording, supervision and cut are the row's."""
    with ExitStack() as stack:
        files = [stack.enter_context(_gzipped(folder / name)) for name in NAMES]
        for row in read_rows(rows):
            recording, supervision = _recording(row), _supervision(row)
            for file, item in zip(files, (recording, supervision, _cut(recording, supervision)), strict=True):
                file.write(json.dumps(item, ensure_ascii=False).encode() + b"\n")


@contextmanager
def _gzipped(path: Path) -> Iterator[IO[bytes]]:
    """A gzip file without the time and the name of the file, which would make equal content differ."""
    with path.open("wb") as raw, gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as file:
        yield file  # type: ignore[misc]


def _recording(row: Mapping[str, Any]) -> dict[str, Any]:
    channels = list(range(row.get("channels") or 1))
    return {
        "id": row["id"],
        "sources": [{"type": "file", "channels": channels, "source": row["audio"]}],
        "sampling_rate": row["sampling_rate"],
        "num_samples": row["num_samples"],
        "duration": row["num_samples"] / row["sampling_rate"],
        "channel_ids": channels,
    }


def _supervision(row: Mapping[str, Any]) -> dict[str, Any]:
    channels = row.get("channels") or 1
    found: dict[str, Any] = {
        "id": row["id"],
        "recording_id": row["id"],
        "start": 0.0,
        "duration": row["num_samples"] / row["sampling_rate"],
        "channel": 0 if channels == 1 else list(range(channels)),
    }
    found |= {name: row[name] for name in ("text", "language", "speaker") if name in row}
    custom = dict(row.get("custom") or {})
    if "translation" in row:
        custom["translation"] = row["translation"]
    if custom:
        found["custom"] = custom
    alignment = {
        kind: [[item["text"], item["start_s"], round(item["end_s"] - item["start_s"], 6)] for item in row[column]]
        for kind, column in (("word", "words"), ("phone", "phones"))
        if column in row
    }
    if alignment:
        found["alignment"] = alignment
    return found


def _cut(recording: Mapping[str, Any], supervision: Mapping[str, Any]) -> dict[str, Any]:
    kind = "MonoCut" if supervision["channel"] == 0 else "MultiCut"
    return {
        "id": recording["id"],
        "start": 0.0,
        "duration": recording["duration"],
        "channel": supervision["channel"],
        "supervisions": [dict(supervision)],
        "recording": dict(recording),
        "type": kind,
    }
