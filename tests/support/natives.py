"""Small corpora in the layouts of the originals, as mirrors (`<host>/<path>`) and as unpacked trees."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from support.imported import noise as samples
from support.imported import video

HUB = "huggingface.co/datasets/{repo}/resolve/{revision}/{path}"


def on_host(mirror: Path, url: str) -> Path:
    """Where a mirror has the file of a URL; its folder is made."""
    path = mirror / url.removeprefix("https://")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def on_hub(mirror: Path, repo: str, path: str, *, revision: str = "main") -> Path:
    return on_host(mirror, HUB.format(repo=repo, revision=revision, path=path))


def summed(mirror: Path) -> str:
    """The mirror, with a `mirror.yaml` whose sums stand in for those of the originals."""
    files = [path for path in sorted(mirror.rglob("*")) if path.is_file()]
    sums = {path.relative_to(mirror).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    (mirror / "mirror.yaml").write_text(yaml.safe_dump({"subset": True, "sha256": sums}))
    return str(mirror)


def packed(path: Path, files: Mapping[str, bytes]) -> Path:
    """An archive of these members in their order, of the kind that the name says: zip, tar, tar.bz2 or tar.gz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as out:
            for name, data in files.items():
                out.writestr(name, data)
        return path
    mode = {".tar": "w", ".bz2": "w:bz2"}.get(path.suffix, "w:gz")
    with tarfile.open(path, mode) as out:  # type: ignore[call-overload]
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            out.addfile(entry, io.BytesIO(data))
    return path


def unpacked(folder: Path, files: Mapping[str, bytes]) -> Path:
    """A tree of these files."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


@cache
def encoded(seed: int, kind: str, *, seconds: float = 0.3, rate: int = 16_000) -> bytes:
    """Noise as WAV, MP3, FLAC, Ogg Vorbis, Ogg Opus or NIST SPHERE."""
    import soundfile

    formats = {"wav": ("WAV", "PCM_16"), "mp3": ("MP3", None), "flac": ("FLAC", None), "ogg": ("OGG", "VORBIS"),
               "opus": ("OGG", "OPUS"), "sphere": ("NIST", "PCM_16")}  # fmt: skip
    file = io.BytesIO()
    name, subtype = formats[kind]
    soundfile.write(file, samples(seconds, seed=seed, rate=rate), rate, format=name, subtype=subtype)
    return file.getvalue()


@cache
def film(seed: int, *, with_sound: bool = True) -> bytes:
    """An MP4 of half a second."""
    with TemporaryDirectory() as folder:
        return video(Path(folder) / "film.mp4", seed=seed, with_sound=with_sound).read_bytes()


def wavs(count: int, *, seconds: float = 0.2) -> list[bytes]:
    """Short sounds, all different."""
    return [encoded(seed, "wav", seconds=seconds) for seed in range(count)]


def films(count: int) -> list[bytes]:
    """Short videos with sound, all different."""
    return [film(seed) for seed in range(count)]


def cell(data: bytes, name: str = "x.wav") -> dict[str, Any]:
    """A cell of a hub's audio or video column."""
    return {"bytes": data, "path": name}


def lines(*rows: str) -> bytes:
    return "".join(f"{row}\n" for row in rows).encode()


def tsv(*rows: tuple[Any, ...]) -> bytes:
    """Tab-separated without any quoting."""
    return lines(*("\t".join(str(cell) for cell in row) for row in rows))


def json_lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return lines(*(json.dumps(row, ensure_ascii=False) for row in rows))


def json_bytes(rows: Any) -> bytes:
    return json.dumps(rows).encode()


def csv_bytes(rows: Iterable[Sequence[Any]], *, delimiter: str = ",", line_end: str = "\n") -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator=line_end).writerows(rows)
    return out.getvalue().encode()


def parquet(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Rows as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), path)
    return path


def volumes(name: str, files: Mapping[str, bytes], *, size: int) -> dict[str, bytes]:
    """A zip of several volumes, `NAME.z01`, `NAME.z02`, ..., `NAME.zip`, as Info-ZIP's `zip -s` cuts it.

    A volume ends where it is full, but never inside a header; the directory and its end stand in the last one, and say
    of every member in which volume it begins, and where there.
    """
    made = [bytearray(b"PK\x07\x08")]
    directory = bytearray()
    for member, data in files.items():
        raw, crc = member.encode(), zlib.crc32(data)
        common = struct.pack("<HHHHHIIIHH", 20, 0x800, 0, 0, 0x21, crc, len(data), len(data), len(raw), 0)
        header = b"PK\x03\x04" + common + raw
        if len(made[-1]) + len(header) > size:
            made.append(bytearray())
        place = struct.pack("<HHHII", 0, len(made) - 1, 0, 0o644 << 16, len(made[-1]))
        directory += b"PK\x01\x02" + struct.pack("<H", 0x314) + common + place + raw
        made[-1] += header
        rest = data
        while rest:
            if len(made[-1]) >= size:
                made.append(bytearray())
            room = size - len(made[-1])
            made[-1] += rest[:room]
            rest = rest[room:]
    made.append(bytearray(directory))
    last, count = len(made) - 1, len(files)
    made[-1] += b"PK\x05\x06" + struct.pack("<HHHHIIH", last, last, count, count, len(directory), 0, 0)
    names = [*(f"{name}.z{n:02d}" for n in range(1, len(made))), f"{name}.zip"]
    return {each: bytes(data) for each, data in zip(names, made, strict=True)}
