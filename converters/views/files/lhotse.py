"""Lhotse's manifests: recordings, supervisions and cuts, gzipped JSON Lines; and its shards, with the sound inside.

Equal rows and media give equal bytes.
"""

from __future__ import annotations

import gzip
import json
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from ....errors import ProblemsFound
from ....shards.exports.rows import read_rows
from ....shards.media.fence import fenced
from ....shards.media.sound import flac_of
from ....shards.media.streams import MediaError
from ..base import ViewOptions
from .rows import in_shards
from .webdataset import add_member

NAMES = ("recordings.jsonl.gz", "supervisions.jsonl.gz", "cuts.jsonl.gz")
SHAR = "shar"
"""The folder of shards. Lhotse takes every file in it for a field of cuts, so nothing else is there."""
_LEVEL = 6


def write_files(rows: Path, folder: Path, options: ViewOptions) -> None:
    """Write the three manifests; the ids of recording, supervision and cut are the row's."""
    with ExitStack() as stack:
        files = [stack.enter_context(_gzipped(folder / name)) for name in NAMES]
        for row in read_rows(rows):
            recording, supervision = _recording(row), _supervision(row)
            for file, item in zip(files, (recording, supervision, _cut(recording, supervision)), strict=True):
                file.write(json.dumps(item, ensure_ascii=False).encode() + b"\n")


def write_shards(rows: Path, folder: Path, options: ViewOptions) -> None:
    """Write the cuts of each shard and, in their order, their recordings: the sound, then its manifest."""
    (folder / SHAR).mkdir()
    shards = in_shards(read_rows(rows), limit=options.own["shard_mb"] * 1_000_000, media=("audio",))
    for number, shard in enumerate(shards):
        recordings = folder / SHAR / f"recording.{number:06d}.tar"
        with (
            _gzipped(folder / SHAR / f"cuts.{number:06d}.jsonl.gz") as cuts,
            tarfile.open(recordings, "w", format=tarfile.PAX_FORMAT) as tar,
        ):
            for row in shard:
                suffix, held, row["num_samples"] = _held(row)
                recording = _recording(row)
                recording["sources"] = [{"type": "shar", "channels": recording["channel_ids"], "source": ""}]
                add_member(tar, f"{row['id']}{suffix}", held)
                add_member(tar, f"{row['id']}.json", json.dumps(recording, ensure_ascii=False).encode())
                cuts.write(json.dumps(_cut(recording, _supervision(row)), ensure_ascii=False).encode() + b"\n")


def _held(row: Mapping[str, Any]) -> tuple[str, Path | bytes, int]:
    """What a shard holds of the sound of a row: its suffix, file or bytes, and number of samples.

    Lhotse reads sound in memory with libsndfile: what that knows goes in as it is, all else is decoded to FLAC.

    Raises:
        ProblemsFound: It cannot be decoded.
    """
    import soundfile

    path = Path(row["audio"])
    try:
        soundfile.info(path)
    except soundfile.LibsndfileError:
        try:
            with fenced(str(path)):
                data, samples = flac_of(path)
        except MediaError as error:
            raise ProblemsFound(f"{row['id']}: {error.detail}.", hint="triptych validate, and export again") from error
        return ".flac", data, samples
    return path.suffix, path, row["num_samples"]


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
    for name in ("translation", "caption"):
        if name in row:
            if name in custom:
                custom[f"extra.{name}"] = custom[name]
            custom[name] = row[name]
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
