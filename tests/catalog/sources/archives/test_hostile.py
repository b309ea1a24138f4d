"""Malicious archives: nothing is written outside, no bombs, and the rest is read."""

from __future__ import annotations

import copy
import gzip
import io
import random
import tarfile
import zipfile
from pathlib import Path

import pytest
from support.archives import read, special, tar_of, zip_of
from triptych.catalog.sources.archives.safety import Limits


@pytest.mark.parametrize(
    "name",
    [
        "../x.wav",
        "a/../../x.wav",
        "/etc/x.wav",
        "a/..",
        "..",
        "C:/x.wav",
        "C:\\x.wav",
        "..\\x.wav",
        "a\\..\\..\\x",
        "\\x",
    ],
)
def test_parent_and_absolute_paths_are_refused_and_the_rest_is_read(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for data in (
        tar_of({"a.wav": b"1", name: b"evil", "b.wav": b"2"}),
        zip_of({"a.wav": b"1", name: b"evil", "b.wav": b"2"}),
    ):
        good, (bad,) = read(data, spool=tmp_path / "spool")
        assert good == [("a.wav", b"1"), ("b.wav", b"2")]
        assert bad.reason == "unsafe_path" and not bad.damaged and "https://h/a.tar.gz" in bad.detail
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_links_and_devices_are_refused() -> None:
    extra = [
        special("out", tarfile.SYMTYPE, "/etc/passwd"),
        special("hard", tarfile.LNKTYPE, "a.wav"),
        special("device", tarfile.CHRTYPE),
        special("disk", tarfile.BLKTYPE),
        special("pipe", tarfile.FIFOTYPE),
    ]
    good, bad = read(tar_of({"a.wav": b"1"}, extra=extra))
    assert good == [("a.wav", b"1")]
    assert [(one.candidate, one.reason) for one in bad] == [
        ("out", "link"),
        ("hard", "link"),
        ("device", "special_file"),
        ("disk", "special_file"),
        ("pipe", "special_file"),
    ]


def test_links_in_zips_are_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        link = zipfile.ZipInfo("out")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("a.wav", b"1")
    good, (bad,) = read(out.getvalue())
    assert good == [("a.wav", b"1")] and bad.reason == "link"


def test_a_sparse_file_is_refused_and_skipped() -> None:
    sparse = special("sparse.wav", tarfile.GNUTYPE_SPARSE)
    header = bytearray(sparse.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"%011o\0" % 1000
    header[482] = 1
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + 256 + sum(header[156:512]))
    data = bytes(header) + bytes(512) + b"s" * 1000 + bytes(24) + tar_of({"a.wav": b"1"})
    good, (bad,) = read(data)
    assert good == [("a.wav", b"1")] and (bad.candidate, bad.reason) == ("sparse.wav", "special_file")


def test_member_and_count_and_total_limits() -> None:
    data = gzip.compress(tar_of({"a": b"1" * 100, "b": b"2" * 5000, "c": b"3" * 100}))
    good, (bad,) = read(data, limits=Limits(member_bytes=1000))
    assert [name for name, _ in good] == ["a", "c"] and (bad.candidate, bad.reason) == ("b", "too_large")
    assert not bad.damaged
    good, (bad,) = read(data, limits=Limits(members=2))
    assert [name for name, _ in good] == ["a", "b"] and bad.reason == "too_many_members" and bad.damaged
    good, (bad,) = read(data, limits=Limits(total_bytes=2000))
    assert [name for name, _ in good] == ["a", "b"] and bad.reason == "archive_too_large" and bad.damaged


def zeros_tar_gz(count: int) -> bytes:
    info = tarfile.TarInfo("zeros.wav")
    info.size = count
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=6) as packed:
        packed.write(info.tobuf())
        for _ in range(count // 1_000_000):
            packed.write(bytes(1_000_000))
    return out.getvalue()


def test_reading_an_inflation_bomb_stops_at_the_limit(tmp_path: Path) -> None:
    bomb = zeros_tar_gz(40_000_000)
    good, (bad,) = read(bomb, limits=Limits(ratio_grace=4_000_000), spool=tmp_path)
    assert good == [] and bad.reason == "inflation_bomb" and bad.damaged
    assert list(tmp_path.iterdir()) == []


def test_a_nested_bomb_counts_against_the_outermost_archive() -> None:
    bomb = gzip.compress(tar_of({"inner.tar.gz": zeros_tar_gz(20_000_000), "b.txt": b"b"}))
    _, bad = read(bomb, limits=Limits(ratio_grace=4_000_000))
    assert bad[0].reason == "inflation_bomb" and bad[0].candidate == "inner.tar.gz"


def test_a_zip_bomb_is_refused_without_inflating() -> None:
    good, (bad,) = read(zip_of({"zeros": bytes(10_000_000), "a": b"1"}), limits=Limits(ratio_grace=1_000_000))
    assert good == [("a", b"1")] and (bad.candidate, bad.reason) == ("zeros", "inflation_bomb")


def overlapping(count: int, size: int) -> bytes:
    """A zip whose members all share the bytes of the first one: each alone has an ordinary ratio."""
    chance = random.Random(1)
    data = bytes(chance.choice(b"ab") for _ in range(1_000)) * (size // 1_000)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m0", data)
        for number in range(1, count):
            shared = copy.copy(archive.infolist()[0])
            shared.filename = shared.orig_filename = "m0"
            archive.filelist.append(shared)
            archive.NameToInfo[f"m{number}"] = shared
    return out.getvalue()


def test_the_members_of_a_zip_are_limited_together(tmp_path: Path) -> None:
    limits = Limits(ratio_grace=1_000_000, ratio=100)
    data = zip_of({f"m{number}": bytes(900_000) for number in range(5)})
    good, (bad,) = read(data, limits=limits)
    assert len(good) == 1 and bad.reason == "inflation_bomb" and bad.damaged
    good, (bad,) = read(overlapping(200, 500_000), limits=Limits(ratio_grace=1_000_000))
    assert len(good) < 60 and bad.reason == "inflation_bomb" and bad.damaged
    inner = zip_of({"bomb.zip": data, "a.wav": b"1"})
    assert [bad.reason for bad in read(inner, limits=limits, spool=tmp_path)[1]] == ["inflation_bomb"]


def test_silence_beside_speech_is_no_bomb() -> None:
    speech = random.Random(2).randbytes(100_000)
    quiet = {f"quiet{number}": bytes(900_000) for number in range(5)}
    good, bad = read(zip_of({**quiet, "speech": speech}), limits=Limits(ratio_grace=1_000_000, ratio=100))
    assert len(good) == 6 and not bad


def test_an_encrypted_member_is_refused() -> None:
    data = bytearray(zip_of({"a.wav": b"1"}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    good, (bad,) = read(bytes(data))
    assert good == [] and bad.reason == "encrypted"
