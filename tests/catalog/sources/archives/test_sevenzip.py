"""7z archives as raw files: the same members, the same refusals, and passwords that stand in no message."""

from __future__ import annotations

import io
import random
import subprocess
import tarfile
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
def test_a_password_opens_it_and_stands_in_no_message(hidden: bool) -> None:
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
