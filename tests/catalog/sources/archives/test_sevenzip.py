"""7z archives as raw files: the same members, the same refusals, and passwords that never appear in a message."""

from __future__ import annotations

import io
import random
import subprocess
import tarfile
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from triptych.catalog.sources.archives.reader import members
from triptych.catalog.sources.archives.safety import Limits
from triptych.converters.candidate import Rejection

py7zr = pytest.importorskip("py7zr")

DRAW = random.Random(7)
FILES = {f"Clotho/development/{n:03d} ü.wav": DRAW.randbytes(DRAW.randrange(1, 40_000)) for n in range(8)}
FILES["Clotho/empty.txt"] = b""
FILES["Clotho/captions.csv"] = b"file_name,caption_1\n" * 300
SECRET = "correct horse"


def seven_of(files: dict[str, bytes], **options: Any) -> bytes:
    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w", **options) as archive:
        for name, data in files.items():
            archive.writestr(data, name)
    return out.getvalue()


def read(data: bytes, **options: Any) -> tuple[dict[str, bytes], list[Rejection]]:
    given: dict[str, Any] = {"name": "a.7z", "uri": "https://h/a.7z", "revision": "sha256:1", **options}
    good, bad = {}, []
    for item in members(io.BytesIO(data), **given):
        if isinstance(item, Rejection):
            bad.append(item)
        else:
            good[item.name] = item.read()
    return good, bad


def test_a_7z_gives_the_files_it_was_made_of() -> None:
    assert read(seven_of(FILES)) == (FILES, [])


def test_unwanted_members_of_a_solid_block_are_left_out() -> None:
    last = "Clotho/captions.csv"
    assert read(seven_of(FILES), wants=lambda name: name == last) == ({last: FILES[last]}, [])


def test_a_7z_inside_a_tar_is_read_in_place(tmp_path: Path) -> None:
    out, inner = io.BytesIO(), seven_of({"x.wav": b"sound"})
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("audio/dev.7z")
        info.size = len(inner)
        tar.addfile(info, io.BytesIO(inner))
    assert read(out.getvalue(), spool=tmp_path) == ({"audio/x.wav": b"sound"}, [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("hidden", [False, True], ids=["members", "directory"])
def test_a_password_opens_it_and_appears_in_no_message(hidden: bool) -> None:
    data = seven_of({"a.wav": b"one" * 999}, password=SECRET, header_encryption=hidden)
    assert read(data, password=SECRET) == ({"a.wav": b"one" * 999}, [])
    good, bad = read(data)
    assert good == {} and [one.reason for one in bad] == ["encrypted"]
    good, bad = read(data, password="wrong battery")
    assert good == {} and [one.reason for one in bad] == ["wrong_password"]
    assert "wrong battery" not in str(bad)


def test_a_cut_7z_has_lost_its_directory() -> None:
    data = seven_of(FILES)
    good, bad = read(data[: len(data) // 2])
    assert good == {} and [one.damaged for one in bad] == [True]


def test_whole_members_before_damage_stay() -> None:
    data = bytearray(seven_of(FILES))
    data[len(data) * 2 // 3] ^= 0xFF
    good, bad = read(bytes(data))
    assert good and bad and all(FILES[name] == found for name, found in good.items())
    assert {one.reason for one in bad} <= {"corrupt_member"}


def test_a_bomb_and_too_many_members_are_refused() -> None:
    _, bad = read(seven_of({"z": bytes(3_000_000)}), limits=Limits(ratio_grace=1_000_000))
    assert [one.reason for one in bad] == ["inflation_bomb"]
    _, bad = read(seven_of(FILES), limits=Limits(members=3))
    assert [one.reason for one in bad] == ["too_many_members"]


def blocks_of(*groups: dict[str, bytes], **options: Any) -> bytes:
    """A 7z of several blocks: py7zr begins a new one with every append."""
    out = io.BytesIO()
    for number, files in enumerate(groups):
        out.seek(0)
        with py7zr.SevenZipFile(out, "a" if number else "w", **options) as archive:
            for name, data in files.items():
                archive.writestr(data, name)
    return out.getvalue()


GROUPS = [{f"{n}/{k}.wav": DRAW.randbytes(30_000) for k in range(3)} | {f"{n}/empty": b""} for n in range(3)]


def test_blocks_are_read_in_their_order_with_empty_members_between() -> None:
    data = blocks_of(*GROUPS)
    assert read(data) == ({name: held for group in GROUPS for name, held in group.items()}, [])
    last = "2/1.wav"
    assert read(data, wants=lambda name: name == last) == ({last: GROUPS[2][last]}, [])


def test_damage_in_one_block_leaves_the_others() -> None:
    data = bytearray(blocks_of(*GROUPS))
    at = bytes(data).index(GROUPS[1]["1/1.wav"][:16]) if GROUPS[1]["1/1.wav"][:16] in data else 32 + 90_000 + 45_000
    data[at : at + 64] = bytes(64)
    good, bad = read(bytes(data))
    whole = {name: held for group in GROUPS for name, held in group.items()}
    assert all(whole[name] == found for name, found in good.items())
    assert set(GROUPS[0]) | set(GROUPS[2]) <= set(good)
    assert bad and {one.reason for one in bad} == {"corrupt_member"}
    assert len(bad) + len(good) == len(whole)


def test_two_members_of_the_same_name_have_their_own_bytes() -> None:
    data = blocks_of({"a.wav": b"first" * 999}, {"a.wav": b"second" * 999})
    found = [item.read() for item in members(io.BytesIO(data), name="a.7z", uri="u", revision="r")]  # type: ignore[union-attr]
    assert found == [b"first" * 999, b"second" * 999]


def test_names_with_parent_folders_or_drives_affect_no_other_member() -> None:
    given = {"../up.wav": b"1" * 99, "/abs.wav": b"2" * 99, "C:/x.wav": b"3" * 99, "D:x.wav": b"4" * 99, "x.wav": b"5"}
    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w") as archive:
        for number, data in enumerate(given.values()):
            archive.writestr(data, f"name{number}")
        for info, name in zip(archive.files, given, strict=True):
            info._file_info["filename"] = name
    good, bad = read(out.getvalue())
    assert good == {"x.wav": b"5"} and [one.reason for one in bad] == ["unsafe_path"] * 4


def test_memory_stays_flat_and_no_thread_is_left() -> None:
    few, many = (blocks_of({f"{n:05d}.wav": DRAW.randbytes(64) * 400 for n in range(count)}) for count in (100, 900))
    before, peaks = threading.active_count(), []
    for data, count in ((few, 100), (many, 900)):
        tracemalloc.start()
        reading = members(io.BytesIO(data), name="a.7z", uri="u", revision="r")
        assert sum(item.size for item in reading if not isinstance(item, Rejection)) == count * 25_600
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 4_000 * 800
    early = members(io.BytesIO(many), name="a.7z", uri="u", revision="r")
    next(early)
    early.close()
    assert threading.active_count() == before


def zip_by_tool(folder: Path, *options: str) -> bytes:
    (folder / "a.wav").write_bytes(b"sound" * 1000)
    subprocess.run(["zip", "-q", *options, "made.zip", "a.wav"], cwd=folder, check=True)
    return (folder / "made.zip").read_bytes()


def have_zip() -> bool:
    import shutil

    return shutil.which("zip") is not None


@pytest.mark.skipif(not have_zip(), reason="needs the zip tool to encrypt")
def test_a_zips_password_opens_it(tmp_path: Path) -> None:
    make: Callable[..., bytes] = zip_by_tool
    data = make(tmp_path, "-P", SECRET)
    assert read(data, password=SECRET) == ({"a.wav": b"sound" * 1000}, [])
    assert [one.reason for one in read(data)[1]] == ["encrypted"]
    assert [one.reason for one in read(data, password="no")[1]] == ["wrong_password"]
