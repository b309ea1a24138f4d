"""WebDataset: the tar shards of a version, each sample with its media decoded.

The shards lie beside the rows, listed in `shards.json`. A sound is decoded by soundfile; of pictures and videos, which
need packages of their own, the bytes are there. What a sample says of its row is compared with the row.

A request may name `shards` instead of a file: each is read by itself, and the answer of its path says what of it is
read:

    given       the keys and suffixes of each sample
    undecoded   numbers of those samples at which `decode()` stops
    stopped     whether reading ended with an error; `why` is that
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .answers import MEDIA, answer, begin, read_ids, words

SUFFIXES = {
    "audio": ("flac", "wav", "mp3", "ogg", "opus", "m4a"),
    "video": ("mp4", "avi", "mkv", "webm", "mov", "mpg"),
    "image": ("png", "jpg", "jpeg", "webp"),
}
_COLUMNS = tuple(f"{kind}s" for kind in MEDIA)


def main() -> None:
    """Answer one request."""
    request, answers = begin()
    import webdataset

    answer(answers, {"consumer": "webdataset", "version": webdataset.__version__, "model": None})
    made = (
        map(_shard, request["shards"]) if "shards" in request else _answers(Path(request["file"]), request.get("rows"))
    )
    for each in made:
        answer(answers, each)
    if "shards" in request:
        answer(answers, {"rows": len(request["shards"]), "loaded": len(request["shards"])})


def _shard(path: str) -> dict[str, Any]:
    import webdataset

    decode = webdataset.autodecode.Decoder([])  # what `.decode()` uses
    said: dict[str, Any] = {"id": path, "given": [], "undecoded": [], "stopped": False}
    try:
        for number, sample in enumerate(webdataset.WebDataset([path], shardshuffle=False), 1):
            said["given"].append([sample["__key__"], [name for name in sample if not name.startswith("__")]])
            try:
                decode(sample)
            except webdataset.autodecode.DecodingError:
                said["undecoded"].append(number)
    except Exception as error:  # noqa: BLE001 (the answer)
        said |= {"stopped": True, "why": words(error)}
    return said


def _answers(file: Path, rows: int | None) -> Iterator[dict[str, Any]]:
    import webdataset

    ids = read_ids(file)
    shards = [str(file.parent / each["file"]) for each in json.loads((file.parent / "shards.json").read_text())]
    found: dict[str, dict[str, Any]] = {}
    try:
        for sample in webdataset.WebDataset(shards, shardshuffle=False):
            said = _described(json.loads(sample["json"]))
            found[said["id"]] = _sample(sample, said)
    except Exception as error:  # noqa: BLE001 (the answer)
        yield from ({"id": each, "outcome": "crashed", "stage": "load", "why": words(error)} for each in ids)
        yield {"rows": len(ids), "loaded": 0}
        return
    written = _written(file)
    for each in ids[:rows]:
        if each not in found:
            yield {"id": each, "outcome": "deleted", "stage": "load"}
        elif (said := found[each].pop("said")) != written[each]:
            own = written[each]
            names = sorted(name for name in said.keys() | own.keys() if said.get(name) != own.get(name))
            yield {"id": each, "outcome": "replaced", "stage": "load", "why": f"differs in {', '.join(names)}"}
        else:
            yield {"id": each, **found[each]}
    yield {"rows": len(ids), "loaded": len(found)}


def _written(file: Path) -> dict[str, dict[str, Any]]:
    """The rows without their media, by id."""
    with file.open(encoding="utf-8") as lines:
        return {row["id"]: _described(row) for row in map(json.loads, lines)}


def _described(row: dict[str, Any]) -> dict[str, Any]:
    """What a row says beside its media."""
    return {name: value for name, value in row.items() if name not in _COLUMNS and value is not None}


def _sample(sample: Mapping[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    heard, seconds = dict.fromkeys(MEDIA, 0), 0.0
    for name, held in sample.items():
        suffix = name.rpartition(".")[2]
        for kind, suffixes in SUFFIXES.items():
            if suffix in suffixes and isinstance(held, bytes):
                heard[kind] += 1
                seconds += _seconds(held) if kind == "audio" else 0
    return {"outcome": "kept", "stage": None, "heard": heard, "seconds": round(seconds, 3), "said": said}


def _seconds(held: bytes) -> float:
    import soundfile

    samples, rate = soundfile.read(io.BytesIO(held), always_2d=True)
    return len(samples) / float(rate)
