"""Truncated or altered archives: whole members or none, and the damage reported."""

from __future__ import annotations

import gzip
import itertools
import random
import tarfile
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.archives import CORPUS, PACKERS, assert_honest, read, special, tar_of, zip_of
from triptych.catalog.sources.archives.safety import Limits


@pytest.mark.parametrize("packer", PACKERS)
def test_an_archive_cut_anywhere_yields_whole_members_and_says_so(packer: str) -> None:
    tar = tar_of(CORPUS)
    data = PACKERS[packer](tar)
    cuts = [1, 5, 11, 300, 511, 513, 700, len(data) // 3, len(data) // 2, len(data) - 30_000, len(data) - 20_000]
    cuts += [len(data) - 9, len(data) - 4] if packer != "tar" else []
    for cut in cuts:
        assert_honest(data[:cut], ("truncated_archive", "not_an_archive") if cut < 512 else ("truncated_archive",))
    if packer != "bzip2":
        # bzip2 packs blocks of 900 kB, so nothing of this corpus comes before its end.
        assert len(assert_honest(data[: int(len(data) * 0.9)], ("truncated_archive",))) > 10


def test_a_plain_tar_cut_between_members_is_cut() -> None:
    tar = tar_of(CORPUS)
    ends = list(itertools.accumulate(512 + -(-len(data) // 512) * 512 for data in CORPUS.values()))
    for count, end in enumerate(ends, 1):
        good = assert_honest(tar[:end], ("truncated_archive",))
        assert len(good) == count
    # The last member's bytes are complete, only its padding is missing: the member is whole.
    assert len(assert_honest(tar[: ends[-1] - 1], ("truncated_archive",))) == len(CORPUS)


def test_a_compressed_tar_without_an_end_mark_is_whole_if_the_compression_format_vouches_for_it() -> None:
    tar = tar_of(CORPUS)
    end = sum(512 + -(-len(data) // 512) * 512 for data in CORPUS.values())
    assert read(gzip.compress(tar[:end])) == (list(CORPUS.items()), [])


@pytest.mark.parametrize("packer", ["bzip2", "xz"])
def test_damage_in_the_middle_ends_the_archive(packer: str) -> None:
    data = bytearray(PACKERS[packer](tar_of(CORPUS)))
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(64)
    assert_honest(bytes(data), ("corrupt_archive", "truncated_archive"))


def test_damage_that_only_gzips_checksum_shows_is_reported_at_the_end() -> None:
    data = bytearray(gzip.compress(tar_of(CORPUS), 0))
    data[len(data) // 2] ^= 0xFF
    good, (bad,) = read(bytes(data))
    assert bad.reason == "corrupt_archive" and bad.damaged
    wrong = [name for name, content in good if content != CORPUS[name]]
    assert len(wrong) == 1 and all(len(content) == len(CORPUS[name]) for name, content in good)


def test_a_wrong_gzip_checksum_is_damage() -> None:
    data = bytearray(gzip.compress(tar_of(CORPUS)))
    data[-8] ^= 0xFF
    assert_honest(bytes(data), ("corrupt_archive",))


def test_a_damaged_tar_header_is_damage_not_the_end() -> None:
    tar = bytearray(tar_of(CORPUS))
    names = list(CORPUS)
    tar[bytes(tar).index(names[7].encode()) + 3] ^= 0x55
    assert len(assert_honest(bytes(tar), ("corrupt_archive",))) == 7
    assert len(assert_honest(bytes(tar), ("corrupt_archive",), wants=lambda name: name in names)) == 7


def test_hostile_extended_headers_are_damage() -> None:
    for records in (b"13 path=abc\n", b"0 path=a\n", b"x", b"99999999999999999999 path=a\n", b"15 size=1e9999\n"):
        header = special("PaxHeader", tarfile.XHDTYPE)
        header.size = len(records)
        data = header.tobuf() + records.ljust(512, b"\0") + tar_of({"a": b"1"})
        good, (bad,) = read(data)
        assert good == [] and bad.reason == "corrupt_archive" and bad.damaged
    huge = special("././@LongLink", tarfile.GNUTYPE_LONGNAME)
    huge.size = 10**9
    good, (bad,) = read(huge.tobuf() + tar_of({"a": b"1"}))
    assert good == [] and bad.reason == "corrupt_archive"


def test_a_header_that_lies_about_a_size_ends_in_truncation() -> None:
    info = tarfile.TarInfo("a.wav")
    info.size = 10**12
    good, (bad,) = read(info.tobuf(tarfile.GNU_FORMAT) + bytes(5000), limits=Limits(member_bytes=10**13))
    assert good == [] and bad.reason == "truncated_archive"


def test_a_zip_member_without_a_name_is_refused() -> None:
    data = zip_of({"a.wav": b"1", "b.wav": b"2"}).replace(b"a.wav", b"\0.wav")
    good, (bad,) = read(data)
    assert good == [("b.wav", b"2")] and bad.reason == "unsafe_path"


def test_damaged_zips() -> None:
    data = bytearray(zip_of(CORPUS, zipfile.ZIP_STORED))
    good, (bad,) = read(bytes(data[:-100_000]))
    assert good == [] and bad.reason == "truncated_archive" and bad.damaged
    first = next(iter(CORPUS.values()))
    data[bytes(data).index(first) + 100] ^= 0xFF
    good, (bad,) = read(bytes(data))
    assert good == list(CORPUS.items())[1:] and bad.reason == "corrupt_member" and not bad.damaged


def test_a_file_that_is_not_an_archive_is_named() -> None:
    for data in (b"", b"<!DOCTYPE html><html>" * 50, b"fLaC" + bytes(600), b"Rar!\x1a\x07\x01" + bytes(600)):
        good, (bad,) = read(data)
        assert good == [] and bad.damaged and bad.reason in ("not_an_archive", "truncated_archive")


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_damage_escapes_as_an_exception_or_a_partial_member(data: st.DataObject) -> None:
    packer = data.draw(st.sampled_from([*PACKERS, "zip"]))
    files = {f"{n}.wav": random.Random(n).randbytes(3000) for n in range(6)}
    whole = bytearray(zip_of(files) if packer == "zip" else PACKERS[packer](tar_of(files)))
    for _ in range(data.draw(st.integers(0, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    good, _ = read(bytes(whole[:cut]))
    assert all(len(content) == 3000 for name, content in good if name in files)
    if packer == "zip":
        # The only format here with a checksum for every member.
        assert all(content == files[name] for name, content in good if name in files)
