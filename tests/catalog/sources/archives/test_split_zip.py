"""Zips in volumes, made by the zip tool and by hand: one archive, or a clear message about what is wrong."""

from __future__ import annotations

import io
import os
import random
import shutil
import struct
import subprocess
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pytest
from support.archives import Files, read
from triptych.catalog.sources.archives.split_files import JoinedStream
from triptych.converters.candidate import Rejection

DRAW = random.Random(3)
SOUNDS: Files = {f"mnt/fast/FreeSound_flac/{n}.flac": DRAW.randbytes(DRAW.randrange(10_000, 60_000)) for n in range(12)}
SOUNDS["mnt/fast/FreeSound_flac/long.flac"] = DRAW.randbytes(230_000)
SOUNDS["mnt/fast/readme.txt"] = b"read me\n" * 900
Volumes = dict[str, bytes]


def joined(made: Volumes) -> JoinedStream:
    openers: list[Callable[[], BinaryIO]] = [lambda data=data: io.BytesIO(data) for data in made.values()]  # type: ignore[misc]
    return JoinedStream(openers, list(made))


def found(made: Volumes) -> tuple[list[tuple[str, bytes]], list[Rejection]]:
    with joined(made) as stream:
        return read(stream, name="FreeSound.zip", uri="https://h/FreeSound.zip")


def fault(made: Volumes) -> Rejection:
    """The only rejection, after nothing but whole and correct members."""
    good, bad = found(made)
    assert all(SOUNDS[name] == data for name, data in good)
    (one,) = bad
    assert one.damaged and one.candidate == "FreeSound.zip" and "https://h/FreeSound.zip" in one.detail
    return one


def by_tool(folder: Path, size: str = "64k") -> Volumes:
    for name, data in SOUNDS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    subprocess.run(["zip", "-q", "-r", "-s", size, "FreeSound.zip", "mnt"], cwd=folder, check=True)
    paths = [*sorted(folder.glob("FreeSound.z[0-9]*")), folder / "FreeSound.zip"]
    return {path.name: path.read_bytes() for path in paths}


def by_hand(files: Files, size: int = 65_536, *, wide: bool = False, descriptors: bool = False) -> Volumes:
    """Volumes of `size` bytes as in PKWARE's APPNOTE; `wide` writes all offsets in zip64 fields."""
    parts = [bytearray(b"PK\x07\x08")]

    def put(data: bytes, *, whole: bool = True) -> tuple[int, int]:
        if len(parts[-1]) == size or (whole and size - len(parts[-1]) < len(data)):
            # A header is never split: if it does not fit, the next volume begins.
            parts.append(bytearray())
        begin = (len(parts) - 1, len(parts[-1]))
        while data:
            if len(parts[-1]) == size:
                parts.append(bytearray())
            room = size - len(parts[-1])
            parts[-1] += data[:room]
            data = data[room:]
        return begin

    lines = []
    for name, data in files.items():
        deflate = zlib.compressobj(wbits=-15)
        packed, raw = deflate.compress(data) + deflate.flush(), name.encode()
        flags = 0x808 if descriptors else 0x800
        sums = struct.pack("<3I", zlib.crc32(data), len(packed), len(data))
        told = bytes(12) if descriptors else sums
        volume, offset = put(struct.pack("<4s5H", b"PK\3\4", 20, flags, 8, 0, 33) + told
                             + struct.pack("<2H", len(raw), 0) + raw)  # fmt: skip
        put(packed, whole=False)
        if descriptors:
            put(b"PK\x07\x08" + sums)
        extra = struct.pack("<2H3QI", 1, 28, len(data), len(packed), offset, volume) if wide else b""
        full = 0xFFFFFFFF
        lines.append(
            struct.pack("<4s6HI", b"PK\1\2", 45, 45, flags, 8, 0, 33, zlib.crc32(data))
            + struct.pack("<2I", *((full, full) if wide else (len(packed), len(data))))
            + struct.pack("<5H2I", len(raw), len(extra), 0, 0xFFFF if wide else volume, 0, 0, full if wide else offset)
            + raw + extra
        )  # fmt: skip
    places = [put(line) for line in lines]
    if size - len(parts[-1]) < 150:
        parts.append(bytearray())
    (first, at), count, length = places[0], len(lines), sum(map(len, lines))
    here = sum(volume == len(parts) - 1 for volume, _ in places)
    if wide:
        last = len(parts) - 1
        record = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, last, first, here, count, length, at)
        volume, offset = put(record)
        put(struct.pack("<4sIQI", b"PK\6\7", volume, offset, len(parts)))
        put(struct.pack("<4s4H2IH", b"PK\5\6", *[0xFFFF] * 4, 0xFFFFFFFF, 0xFFFFFFFF, 0))
    else:
        put(struct.pack("<4s4H2IH", b"PK\5\6", len(parts) - 1, first, here, count, length, at, 0))
    names = [f"FreeSound.z{number:02d}" for number in range(1, len(parts))] + ["FreeSound.zip"]
    return dict(zip(names, map(bytes, parts), strict=True))


has_zip = pytest.mark.skipif(shutil.which("zip") is None, reason="needs the zip tool")
MAKERS = [
    pytest.param(lambda folder: by_tool(folder), id="tool", marks=has_zip),
    pytest.param(lambda folder: by_hand(SOUNDS), id="hand"),
    pytest.param(lambda folder: by_hand(SOUNDS, wide=True), id="zip64"),
    pytest.param(lambda folder: by_hand(SOUNDS, descriptors=True), id="descriptors"),
]
every_maker = pytest.mark.parametrize("make", MAKERS)
Make = Callable[[Path], Volumes]


@every_maker
def test_volumes_give_the_files_they_were_made_of(make: Make, tmp_path: Path) -> None:
    made = make(tmp_path)
    assert len(made) > 7
    good, bad = found(made)
    assert (dict(good), bad) == (SOUNDS, [])


@every_maker
def test_a_directory_that_begins_in_an_earlier_volume_is_read(make: Make, tmp_path: Path) -> None:
    many = {f"{n:04d} with a name that fills the directory.txt": b"%d" % n for n in range(1500)}
    made = by_hand(many, 66_000)
    assert len(made) > 3 and len(made["FreeSound.zip"]) < 1500 * 80
    good, bad = found(made)
    assert (dict(good), bad) == (many, [])


@has_zip
def test_more_than_99_volumes_by_the_tool_are_one_archive(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(DRAW.randbytes(7_000_000))
    subprocess.run(["zip", "-q", "-0", "-s", "64k", "m.zip", "a.bin"], cwd=tmp_path, check=True)
    numbers = sorted(int(path.suffix[2:]) for path in tmp_path.glob("m.z[0-9]*"))
    assert numbers[-1] > 100
    paths = [*(tmp_path / f"m.z{number:02d}" for number in numbers), tmp_path / "m.zip"]
    good, bad = found({path.name: path.read_bytes() for path in paths})
    assert good == [("a.bin", (tmp_path / "a.bin").read_bytes())] and bad == []


def test_members_beyond_four_gigabytes_are_found(tmp_path: Path) -> None:
    files = {"a.wav": DRAW.randbytes(140), "b.wav": b"more"}
    made = by_hand(files, 200)
    assert made["FreeSound.z02"].startswith(b"PK\3\4")
    paths = [tmp_path / name for name in made]
    for path in paths:
        path.write_bytes(made[path.name])
    # A sparse file: 5 GB that take no space on disk.
    os.truncate(paths[0], 5_000_000_000)
    with JoinedStream([partial(path.open, "rb") for path in paths], list(made)) as stream:  # type: ignore[list-item]
        assert read(stream, name="a.zip") == (list(files.items()), [])


@every_maker
def test_one_volume_missing_is_named(make: Make, tmp_path: Path) -> None:
    made = make(tmp_path)
    for name in [next(iter(made)), "FreeSound.z03", list(made)[-2]]:
        one = fault({key: data for key, data in made.items() if key != name})
        assert one.reason == "truncated_archive" and f"{name} is missing" in one.detail
        assert f"lists {len(made)} volumes" in one.detail
    one = fault({key: data for key, data in made.items() if key != "FreeSound.zip"})
    assert one.reason == "truncated_archive" and "FreeSound.zip is missing" in one.detail


def test_the_last_volume_alone_says_that_it_is_one_of_several(tmp_path: Path) -> None:
    made = by_hand(SOUNDS)
    good, (one,) = read(made["FreeSound.zip"], name="FreeSound.zip")
    assert good == [] and one.damaged and one.reason == "truncated_archive"
    assert f"the last of {len(made)} volumes" in one.detail
    one = fault({"FreeSound.zip": made["FreeSound.zip"]})
    assert "FreeSound.z01, FreeSound.z02" in one.detail


def test_a_volume_too_many_is_counted() -> None:
    made = by_hand(SOUNDS)
    stale = {**{name: data for name, data in made.items() if name != "FreeSound.zip"}, "FreeSound.z99": b"x" * 65_536,
             "FreeSound.zip": made["FreeSound.zip"]}  # fmt: skip
    one = fault(stale)
    assert f"lists {len(made)} volumes, {len(made) + 1} were given" in one.detail


@every_maker
@pytest.mark.parametrize("lost", [1000, 40_000])
def test_a_volume_cut_short_is_named(make: Make, lost: int, tmp_path: Path) -> None:
    made = make(tmp_path)
    made["FreeSound.z03"] = made["FreeSound.z03"][:-lost]
    one = fault(made)
    assert one.reason == "truncated_archive" and "'FreeSound.z03' (part 3 of" in one.detail


@every_maker
def test_a_volume_of_another_archive_is_named_before_its_members_are_read(make: Make, tmp_path: Path) -> None:
    made = make(tmp_path)
    other = by_hand({f"{n}.bin": random.Random(n).randbytes(20_000) for n in range(40)})
    named = 0
    for name in list(made)[1:-1]:
        good, bad = found({**made, name: other[name]})
        assert bad and all(SOUNDS[name] == data for name, data in good)
        # A member that continues into the foreign volume is detected by its own checksum.
        assert {one.reason for one in bad if not one.damaged} <= {"corrupt_member"} and len(bad) <= 2
        named += bad[-1].damaged and bad[-1].reason == "corrupt_archive" and f"'{name}'" in bad[-1].detail
    # No member begins in the others: they contain the middle of a long one.
    assert named >= len(made) - 2 - 3


def test_volumes_in_the_wrong_order_do_not_belong_together() -> None:
    made = by_hand(SOUNDS)
    names = list(made)
    names[1], names[2] = names[2], names[1]
    good, bad = found({name: made[name] for name in names})
    assert bad[-1].damaged and bad[-1].reason == "corrupt_archive"
    assert all(SOUNDS[name] == data for name, data in good)


def test_one_damaged_member_in_volumes_leaves_the_others() -> None:
    made = by_hand(SOUNDS)
    last = bytearray(made["FreeSound.z02"])
    last[len(last) // 2] ^= 0xFF
    good, bad = found({**made, "FreeSound.z02": bytes(last)})
    assert [one.reason for one in bad] == ["corrupt_member"] and len(good) == len(SOUNDS) - 1


def test_a_zip_cut_byte_after_byte_is_joined_as_it_is() -> None:
    from support.archives import zip_of

    whole = zip_of(SOUNDS)
    pieces = {f"a.zip.{n:03d}": whole[at : at + 100_000] for n, at in enumerate(range(0, len(whole), 100_000), 1)}
    good, bad = found(pieces)
    assert (dict(good), bad) == (SOUNDS, [])
    one = fault({name: data for name, data in pieces.items() if name != "a.zip.002"})
    assert "a.zip.002 is missing from its parts" in one.detail


def test_no_damage_of_volumes_escapes_as_an_exception() -> None:
    made = by_hand({f"{n}.wav": random.Random(n).randbytes(3000) for n in range(6)}, 4096, wide=True)
    files = {f"{n}.wav": random.Random(n).randbytes(3000) for n in range(6)}
    draw = random.Random(17)
    for _ in range(300):
        broken = {name: bytearray(data) for name, data in made.items()}
        for _ in range(draw.randrange(1, 4)):
            # The directory in the last volumes is what can mislead the reader.
            volume = broken[draw.choice(list(broken)[-2:])]
            volume[draw.randrange(len(volume))] = draw.randrange(256)
        if draw.random() < 0.3:
            name = draw.choice(list(broken))
            del broken[name][draw.randrange(len(broken[name])) :]
        good, _ = found({name: bytes(data) for name, data in broken.items()})
        assert all(data == files[name] for name, data in good if name in files)


def test_only_wanted_members_are_read_from_volumes() -> None:
    files = {f"{n}.wav": random.Random(n).randbytes(60_000) for n in range(60)}
    made = by_hand(files)
    taken: list[int] = []

    class Counted(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            taken.append(len(data))
            return data

    openers: list[Callable[[], BinaryIO]] = [lambda data=data: Counted(data) for data in made.values()]  # type: ignore[misc]
    stream = JoinedStream(openers, list(made))
    assert read(stream, name="a.zip", wants=lambda name: name == "30.wav") == ([("30.wav", files["30.wav"])], [])
    assert sum(taken) < 600_000 < sum(map(len, files.values())) / 5
