"""Tar shards for WebDataset, whole and broken: what stands in a shard, in what order, and where it is cut."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import tarfile
from collections.abc import Iterator

Named = Iterator[tuple[str, bytes]]
Members = list[tuple[str, bytes]]

SOUND = bytes(range(256)) * 6
"""Stands for a medium: three blocks."""
JSON = b'{"text": "said"}'


def sample(key: str, **members: bytes) -> Members:
    """The members of a sample, by suffix; `_` stands for the dot of a suffix of two parts."""
    return [(f"{key}.{suffix.replace('_', '.')}", held) for suffix, held in members.items()]


def pair(number: int) -> Members:
    return sample(f"{number:04d}", flac=SOUND, json=JSON)


def packed(members: Members, *, format: int = tarfile.USTAR_FORMAT, end: bool = True) -> bytes:
    """A tar archive; without its end if that is not wanted."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=format) as tar:
        for name, held in members:
            info = tarfile.TarInfo(name)
            info.size = len(held)
            tar.addfile(info, io.BytesIO(held))
        size = tar.offset
    return made.getvalue() if end else made.getvalue()[:size]


def linked(kind: bytes, name: str = "0001.wav") -> bytes:
    """A shard with a member that is no plain file."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for number, (each, held) in enumerate([*pair(0), *pair(1)]):
            info = tarfile.TarInfo(each)
            info.size = len(held)
            tar.addfile(info, io.BytesIO(held))
            if number == 2:
                other = tarfile.TarInfo(name)
                other.type, other.linkname = kind, "0000.flac"
                tar.addfile(other)
    return made.getvalue()


BLOCK = tarfile.BLOCKSIZE
THREE = [*pair(0), *pair(1), *pair(2)]


def _cut() -> Named:
    """Shards that end too early. A pair takes six blocks: a header and three of sound, a header and one of text."""
    whole = packed(THREE)
    for block in range(19):
        yield f"cut after {block} blocks", whole[: block * BLOCK]
        yield f"cut in block {block}", whole[: block * BLOCK + 100]
    yield "cut in the padding", whole[: 5 * BLOCK + len(JSON)]
    yield "cut in the end", whole[: 18 * BLOCK + BLOCK]
    for name, pack in {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}.items():
        zipped = pack(whole)
        yield f"{name}", zipped
        yield f"{name} cut", zipped[: len(zipped) // 2]
        yield f"{name} cut at its end", zipped[:-4]
        yield f"{name} twice", zipped + zipped
        yield f"{name} damaged", zipped[: len(zipped) // 2] + b"\xff" * 8 + zipped[len(zipped) // 2 + 8 :]
    yield "empty file", b""
    yield "page of errors", b"<html>not found</html>" * 60
    yield "zeros", bytes(20 * BLOCK)
    yield "no member", packed([])
    yield "joined", packed(pair(0)) + packed(pair(1))
    yield "joined without ends", packed(pair(0), end=False) + packed(pair(1))
    yield "text after the end", whole + b"appended"
    for block in (0, 6, 10, 12):
        yield f"damaged block {block}", whole[: block * BLOCK] + b"\xff" * BLOCK + whole[(block + 1) * BLOCK :]
        yield f"zeros in block {block}", whole[: block * BLOCK] + bytes(BLOCK) + whole[(block + 1) * BLOCK :]


def _order() -> Named:
    first, second, third = pair(0), pair(1), pair(2)
    yield "pairs", packed(THREE)
    yield "json first", packed([*reversed(first), *reversed(second)])
    yield "all sounds, then all texts", packed([first[0], second[0], third[0], first[1], second[1], third[1]])
    yield "one member at the end", packed([first[0], *second, *third, first[1]])
    yield "a pair twice", packed([*first, *second, *first])
    yield "a pair twice in a row", packed([*first, *first, *second])
    yield "a member twice in a row", packed([*first, second[0], second[0], second[1]])
    yield "a member twice at once", packed([first[0], first[0], first[1], *second])
    yield "suffixes in two cases", packed([*sample("a", jpg=SOUND), *sample("a", JPG=SOUND), *second])
    yield "keys in two cases", packed([*sample("a", jpg=SOUND), *sample("A", jpg=SOUND)])
    yield "suffix in capitals", packed(sample("a", FLAC=SOUND, Json=JSON))
    for lacking in ("flac", "json"):
        for place in (0, 10, 19):
            pairs = [pair(number) for number in range(20)]
            pairs[place] = [each for each in pairs[place] if not each[0].endswith(lacking)]
            yield f"pair {place} without {lacking}", packed([each for one in pairs for each in one])
    yield "sounds and films", packed([*first, *sample("v", mp4=SOUND, json=JSON)])


def _names() -> Named:
    for name in (
        "sound", ".hidden", "folder/.hidden.flac", "folder/a.flac", "./a.flac", "/a.flac", "v1.0/a.flac", "v1.0/sound",
        "a.b.flac", "a.flac.", "a..flac", "a b.flac", "é.flac", "Yabc_30.000_40.000.wav", "a.audio1.flac",
        "__meta__", "__meta__/a.flac", "__meta__.json", "folder/__meta__/a.flac", "__a.flac", "a.__url__",
    ):  # fmt: skip
        yield f"named {name}", packed([*pair(0), (name, SOUND), *pair(1)])
        yield f"only {name}", packed([(name, SOUND)])
    yield "clips of one name", packed([(f"Yabc_{at}.500_9.wav", SOUND) for at in (1, 2)])
    yield "clips of one video", packed([(f"Yabc.{at}.wav", SOUND) for at in (1, 2)])
    long = f"{'folder' * 30}/{'a' * 120}"
    for name, format in {"GNU": tarfile.GNU_FORMAT, "PAX": tarfile.PAX_FORMAT}.items():
        whole = packed([*pair(0), (f"{long}.flac", SOUND), *pair(1)], format=format)
        yield f"long name of {name}", whole
        yield f"long name of {name} cut", whole[: 8 * BLOCK]
        yield f"long name of {name} cut in its header", whole[: 6 * BLOCK + 100]
        yield f"long name of {name} cut in its block", whole[: 7 * BLOCK + 100]
        yield f"long name of {name} damaged", whole[: 7 * BLOCK] + b"\xff" * BLOCK + whole[8 * BLOCK :]
    for name, kind in {
        "hard link": tarfile.LNKTYPE, "symbolic link": tarfile.SYMTYPE, "folder": tarfile.DIRTYPE,
        "pipe": tarfile.FIFOTYPE, "device": tarfile.CHRTYPE, "continuous file": tarfile.CONTTYPE,
        "unknown type": b"Z",
    }.items():  # fmt: skip
        yield f"a {name}", linked(kind)


def _contents() -> Named:
    for suffix, contents in {
        "json": (JSON, b"", b"{", b'{"a": NaN}', b"\xff", b"[1]", '{"a": "é"}'.encode("utf-16"), b"[" * 3000),
        "txt": (b"said", b"", b"\xff\xfe", "é".encode("latin-1")),
        "text": (b"\xff",),
        "transcript": (b"\xff",),
        "cls": (b"3", b" 3\n", b"", b"dog", b"-1", b"1.5", b"1_0"),
        "index": (b"x",),
        "inx": (b"x",),
        "id": (b"utt1", b"7"),
        "jsn": (b"{", JSON),
        "flac": (b"",),
        "lab": (b"", b"\xff"),
        "json_gz": (gzip.compress(JSON), gzip.compress(b"{"), JSON, b"", gzip.compress(JSON)[:-3]),
        "flac_gz": (b"no gzip", gzip.compress(SOUND)),
        "pkl": (pickle.dumps(1),),
    }.items():
        for number, held in enumerate(contents):
            name = f"{suffix.replace('_', '.')} {number}"
            yield name, packed([*pair(0), *sample("odd", **{suffix: held}, wav=SOUND), *pair(1)])
    yield "two odd members", packed([*sample("a", json=b"{", txt=b"\xff"), *pair(0), *sample("b", cls=b"x")])


SHARDS = dict([*_cut(), *_order(), *_names(), *_contents()])
