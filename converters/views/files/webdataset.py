"""Tar shards with the media inside; equal rows and media give equal bytes."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from ....shards.exports.rows import read_rows
from ...files.extensions import MEDIA_EXTENSIONS
from ..base import ViewOptions
from .rows import in_shards

FOLDER = "shards"
INDEX = "shards.json"
_KINDS = {"images": "image", "videos": "video", "audios": "audio"}


def write_files(rows: Path, folder: Path, options: ViewOptions) -> None:
    """Write the shards, and their list with samples and bytes; a shard holds at least one sample."""
    (folder / FOLDER).mkdir()
    listed: list[dict[str, Any]] = []
    for shard in in_shards(read_rows(rows), limit=options.own["shard_mb"] * 1_000_000, media=_KINDS):
        name = f"{FOLDER}/{len(listed):06d}.tar"
        with tarfile.open(folder / name, "w", format=tarfile.USTAR_FORMAT) as tar:
            for row in shard:
                for member, source in members(row):
                    add_member(tar, member, source)
        listed.append({"file": name, "samples": len(shard), "bytes": (folder / name).stat().st_size})
    (folder / INDEX).write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")


def members(row: Mapping[str, Any]) -> Iterator[tuple[str, Path | bytes]]:
    """Yield the members of a sample: `json` first, then each medium, none under the name of another.

    A single medium is known by its suffix alone, as WebDataset's decoders want it: `flac`, `mp4`; one of several, and
    one whose suffix another medium has too, by its kind as well: `audio1.flac`, `audio.mp4`; one whose suffix is that
    of no medium by its kind alone, because decoders would take it for what the suffix says: `audio`.
    """
    key = key_of(row["id"])
    described = {name: value for name, value in row.items() if name not in _KINDS}
    yield f"{key}.json", json.dumps(described, ensure_ascii=False).encode()
    media = {kind: [Path(path) for path in row.get(column) or []] for column, kind in _KINDS.items()}
    suffixes = Counter(_suffix(path) for paths in media.values() for path in paths)
    for kind, paths in media.items():
        for number, path in enumerate(paths):
            suffix = _suffix(path)
            name = kind if len(paths) == 1 else f"{kind}{number}"
            alone = len(paths) == 1 and suffixes[suffix] == 1
            yield f"{key}.{name if suffix not in MEDIA_EXTENSIONS else suffix if alone else f'{name}.{suffix}'}", path


def key_of(identity: str) -> str:
    """A sample's key: letters, digits, `_` and `-`, and a hash of the id, so that no two ids have one key."""
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '_', identity)[-60:]}-{sha256(identity.encode()).hexdigest()[:12]}"


def _suffix(path: Path) -> str:
    return path.suffix.removeprefix(".").lower()


def add_member(shard: tarfile.TarFile, name: str, source: Path | bytes) -> None:
    """Add a member without owner, time and rights, which would make equal content differ."""
    member = tarfile.TarInfo(name)
    member.mode = 0o644
    if isinstance(source, bytes):
        member.size = len(source)
        shard.addfile(member, io.BytesIO(source))
        return
    member.size = source.stat().st_size
    with source.open("rb") as file:
        shard.addfile(member, file)
