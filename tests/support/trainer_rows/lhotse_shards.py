"""Folders of Lhotse's shards, whole and broken: the files of each."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import soundfile

from .tar_shards import BLOCK, Members, packed

Files = dict[str, bytes]

RATE, SAMPLES = 8_000, 4_800
IDS = ("a", "b/1", "c.d", "e")


def sound(samples: int = SAMPLES, rate: int = RATE) -> bytes:
    """A WAV file of a ramp."""
    held = io.BytesIO()
    soundfile.write(held, np.linspace(-0.5, 0.5, samples, dtype=np.float32), rate, format="WAV", subtype="PCM_16")
    return held.getvalue()


def recording(cut: str, **changed: Any) -> dict[str, Any]:
    made = {
        "id": cut, "sources": [{"type": "shar", "channels": [0], "source": ""}], "sampling_rate": RATE,
        "num_samples": SAMPLES, "duration": SAMPLES / RATE, "channel_ids": [0],
    }  # fmt: skip
    return {**made, **changed}


def cut(name: str, **changed: Any) -> dict[str, Any]:
    said = {"id": name, "recording_id": name, "start": 0, "duration": SAMPLES / RATE, "text": f"said in {name}"}
    made = {"id": name, "start": 0, "duration": SAMPLES / RATE, "channel": 0, "supervisions": [said],
            "recording": recording(name), "type": "MonoCut"}  # fmt: skip
    return {key: value for key, value in {**made, **changed}.items() if value is not None}


def lines(*items: Any) -> bytes:
    return b"".join((item if isinstance(item, bytes) else json.dumps(item).encode()) + b"\n" for item in items)


def cuts(*items: Any) -> bytes:
    return gzip.compress(lines(*items), mtime=0)


def pair(name: str, held: bytes | None = None, manifest: Any = None) -> Members:
    held = sound() if held is None else held
    said = manifest if isinstance(manifest, bytes) else json.dumps(manifest or recording(name)).encode()
    return [(f"{name}.wav", held), (f"{name}.json", said)]


def _without(name: str) -> Members:
    return [(f"{name}.nodata", b""), (f"{name}.nometa", b"")]


def folder(listed: bytes, tar: bytes | None, **more: bytes) -> Files:
    """One shard; further files by name, with `__` for a dot."""
    files = {"cuts.000000.jsonl.gz": listed} | ({} if tar is None else {"recording.000000.tar": tar})
    return files | {name.replace("__", "."): held for name, held in more.items()}


CUTS = [cut(name) for name in IDS]
PAIRS = [pair(name) for name in IDS]


def _tar(*pairs: Members, end: bool = True) -> bytes:
    return packed([member for each in pairs for member in each], end=end)


def _of_the_tar() -> Iterator[tuple[str, bytes]]:
    a, b, c, d = PAIRS
    yield "whole", _tar(a, b, c, d)
    yield "swapped", _tar(a, c, b, d)
    yield "last pair missing", _tar(a, b, c)
    yield "second pair missing", _tar(a, c, d)
    yield "empty", _tar()
    yield "a pair too many", _tar(a, b, c, d, pair("f"))
    yield "a member too many", _tar(a, b, c, d, d[:1])
    yield "a member missing at the end", _tar(a, b, c, d[:1])
    yield "a member missing within", _tar(a, b[:1], c, d)
    yield "manifest first", _tar(a, b[::-1], c, d)
    yield "nothing for one", _tar(a, _without("b/1"), c, d)
    yield "nothing for another", _tar(a, _without("x"), c, d)
    whole = _tar(a, b, c, d)
    size = (len(_tar(a, end=False))) // BLOCK
    for block in (0, 1, 4, size, size + 1, 2 * size, 4 * size):
        yield f"cut after {block} blocks", whole[: block * BLOCK]
        yield f"cut in block {block}", whole[: block * BLOCK + 100]
    damaged = bytearray(whole)
    damaged[2 * size * BLOCK : 2 * size * BLOCK + 20] = b"\xff" * 20
    yield "damaged header", bytes(damaged)
    yield "joined", _tar(a, b) + _tar(c, d)
    yield "joined at its end", whole + _tar(pair("f"))
    yield "page of errors", b"<html>not found</html>" * 60
    yield "compressed", gzip.compress(whole, mtime=0)
    for name, manifest in {
        "no JSON": b"{", "a list": b"[]", "no manifest": {"id": "b/1"},
        "two sources": recording("b/1", sources=[{}, {}]),
        "of no rate": recording("b/1", sampling_rate=None),
        "without a rate": {key: each for key, each in recording("b/1").items() if key != "sampling_rate"},
    }.items():  # fmt: skip
        yield f"manifest is {name}", _tar(a, pair("b/1", manifest=manifest), c, d)
    allowed = round(0.5 * RATE)
    for more in (-allowed - 1, -allowed, -1, 1, allowed, allowed + 1):
        yield f"{more} samples more", _tar(a, pair("b/1", sound(SAMPLES + more)), c, d)
    yield "another rate", _tar(a, pair("b/1", sound(rate=16_000)), c, d)
    yield "no sound", _tar(a, pair("b/1", b"no sound"), c, d)
    yield "sound of no bytes", _tar(a, pair("b/1", b""), c, d)


def _of_the_cuts() -> Iterator[tuple[str, bytes]]:
    a, b, c, d = CUTS
    yield "a cut missing", cuts(a, b, d)
    yield "last cut missing", cuts(a, b, c)
    yield "no cuts", cuts()
    yield "a cut too many", cuts(a, b, c, d, cut("f"))
    yield "cuts swapped", cuts(a, c, b, d)
    yield "cut no JSON", cuts(a, b"{", c, d)
    yield "cut a list", cuts(a, b"[]", c, d)
    yield "empty line", cuts(a, b"", b, c, d)
    yield "cut of no type", cuts(a, {"id": "b/1"}, c, d)
    yield "cut of another type", cuts(a, cut("b/1", type="Piece"), c, d)
    yield "cut without id", cuts(a, cut("b/1", id=None), c, d)
    yield "cut without duration", cuts(a, cut("b/1", duration=None), c, d)
    yield "cut twice", cuts(a, b, b, c)
    packed_cuts = cuts(*CUTS)
    yield "cuts cut", packed_cuts[: len(packed_cuts) // 2]
    yield "cuts not compressed", lines(*CUTS)
    yield "cuts of no bytes", b""


def folders() -> Iterator[tuple[str, Files]]:
    """Every folder by its name."""
    listed, tar = cuts(*CUTS), _tar(*PAIRS)
    yield from ((name, folder(listed, each)) for name, each in _of_the_tar())
    yield from ((name, folder(each, tar)) for name, each in _of_the_cuts())
    marks = [{"cut_id": name, "mark": name.upper()} for name in IDS]
    yield "no recordings", folder(listed, None)
    yield "no sound at all", folder(cuts(*(cut(name, recording=None) for name in IDS)), None)
    yield "a readme", folder(listed, tar, README__md=b"# Shards")
    yield "another shard of cuts", folder(listed, tar, cuts__000001__jsonl__gz=listed)
    yield "another shard", folder(listed, tar, cuts__000001__jsonl__gz=listed, recording__000001__tar=tar)
    yield (
        "two shards and a readme",
        folder(listed, tar, cuts__000001__jsonl__gz=listed, recording__000001__tar=tar, README__md=b"# Shards"),
    )
    yield "marks", folder(listed, tar, mark__000000__jsonl=lines(*marks))
    yield "marks compressed", folder(listed, tar, mark__000000__jsonl__gz=cuts(*marks))
    yield "marks for some", folder(listed, tar, mark__000000__jsonl=lines(*({"cut_id": name} for name in IDS)))
    yield "marks swapped", folder(listed, tar, mark__000000__jsonl=lines(*marks[::-1]))
    yield "marks too few", folder(listed, tar, mark__000000__jsonl=lines(*marks[:2]))
    yield "marks without cut_id", folder(listed, tar, mark__000000__jsonl=lines({"mark": "x"}))
