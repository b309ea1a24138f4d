"""Archives and folders as raw files: whole members or none, nothing outside, an honest end."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import itertools
import lzma
import os
import random
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from triptych.catalog.sources import archive as archive_module
from triptych.catalog.sources.archive import ByteStream, members
from triptych.catalog.sources.checksums import Expected
from triptych.catalog.sources.growing import GrowingFile
from triptych.catalog.sources.http import Fetcher
from triptych.catalog.sources.limits import Limits, safe_name
from triptych.catalog.sources.retry import Retry
from triptych.catalog.sources.tree import tree
from triptych.converters.raw import RawFile, Rejection
from triptych.errors import DamagedError, NetworkError, UsageError

sys.path.insert(0, str(Path(__file__).parent))
from loopback import serve

SHARED = Path(__file__).parents[1].parent / "shared/data/mirror/www.openslr.org/resources"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs the real media under ../shared/data")

Files = dict[str, bytes]
DRAW = random.Random(11)
CORPUS: Files = {f"Corpus/test/{n // 5}/{n:03d}.flac": DRAW.randbytes(DRAW.randrange(2000, 60_000)) for n in range(20)}
CORPUS["Corpus/test/trans.txt"] = b"HELLO WORLD\n" * 500


def tar_of(files: Files, *, format: int = tarfile.GNU_FORMAT, extra: list[tarfile.TarInfo] | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format, encoding="utf-8", errors="surrogateescape") as tar:
        for info in extra or []:
            tar.addfile(info)
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zip_of(files: Files, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "gzip": lambda data: gzip.compress(data, 6),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


def opened(data: bytes | ByteStream, **options: Any) -> Generator[RawFile | Rejection, None, None]:
    stream = io.BytesIO(data) if isinstance(data, bytes) else data
    given: dict[str, Any] = {"name": "a.tar.gz", "uri": "https://h/a.tar.gz", "revision": "sha256:1", **options}
    return members(stream, **given)


def read(data: bytes | ByteStream, **options: Any) -> tuple[list[tuple[str, bytes]], list[Rejection]]:
    """All members with their bytes, and all rejections."""
    good, bad = [], []
    for item in opened(data, **options):
        if isinstance(item, Rejection):
            bad.append(item)
        else:
            good.append((item.name, item.read()))
    return good, bad


# --- formats ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_packing_gives_the_same_members_in_order(packer: str, format: int) -> None:
    good, bad = read(PACKERS[packer](tar_of(CORPUS, format=format)))
    assert good == list(CORPUS.items()) and bad == []


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_gives_the_same_members(method: int, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(zip_of(CORPUS, method))
    with path.open("rb") as file:
        assert read(file) == (list(CORPUS.items()), [])


def test_a_zip_in_a_stream_that_cannot_seek_is_copied_and_the_copy_goes(tmp_path: Path) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    assert read(Pipe(zip_of(CORPUS)), spool=tmp_path / "spool") == (list(CORPUS.items()), [])
    assert list((tmp_path / "spool").iterdir()) == []
    good, (refused,) = read(Pipe(zip_of(CORPUS)))
    assert good == [] and refused.damaged


def test_members_say_where_they_came_from() -> None:
    first = next(opened(gzip.compress(tar_of(CORPUS))))
    assert isinstance(first, RawFile)
    name, data = next(iter(CORPUS.items()))
    assert (first.name, first.uri, first.revision) == (name, f"https://h/a.tar.gz!{name}", "sha256:1")
    assert first.size == len(data) and first.path is None
    blob = first.blob()
    assert (blob.data, blob.temporary) == (data, False)


def test_long_and_foreign_names_are_kept() -> None:
    files = {
        "d/" + "x" * 150 + "/" + "y" * 180 + ".wav": b"1",
        "语音/数据.wav": b"2",
        "ä/é.wav": b"3",
        "./e//f.wav": b"4",
    }
    for format in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        good, bad = read(tar_of(files, format=format))
        assert good == [(name.removeprefix("./").replace("//", "/"), data) for name, data in files.items()] and not bad
    good, bad = read(zip_of({"语音/数据.wav": b"2"}))
    assert good == [("语音/数据.wav", b"2")]


def test_names_that_are_not_utf8_become_text() -> None:
    (name,) = [name for name, _ in read(tar_of({b"d/\xce\xc4.wav".decode("utf-8", "surrogateescape"): b"1"}))[0]]
    assert name == "d/%CE%C4.wav" and name.encode()


def test_utf8_names_of_zips_without_the_flag_are_understood() -> None:
    data = zip_of({"aaa.wav": b"1"}).replace(b"aaa.wav", "é".encode() + b"a.wav")
    assert read(data)[0] == [("éa.wav", b"1")]


def test_directories_and_sidecars_are_left_out() -> None:
    files = {"a.wav": b"1", "._a.wav": b"x", "d/._b.wav": b"x", "__MACOSX/d/c.wav": b"x"}
    data = tar_of(files, extra=[special("d/", tarfile.DIRTYPE)])
    assert read(data) == ([("a.wav", b"1")], [])


def test_several_gzip_streams_and_padding_are_one_archive() -> None:
    tar = tar_of(CORPUS)
    data = gzip.compress(tar[:70_000]) + gzip.compress(tar[70_000:]) + bytes(3000)
    assert read(data) == (list(CORPUS.items()), [])


def test_without_isal_zlib_does_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "isal", None)
    tar = tar_of(CORPUS)
    assert read(gzip.compress(tar[:70_000]) + gzip.compress(tar[70_000:])) == (list(CORPUS.items()), [])
    good, (end,) = read(gzip.compress(tar)[:-100_000])
    assert good == list(CORPUS.items())[: len(good)] and end.reason == "truncated_archive"


def test_a_packed_single_file_is_that_file() -> None:
    assert read(gzip.compress(b"id,text\n"), name="d/table.csv.gz") == ([("table.csv", b"id,text\n")], [])


def test_wants_skips_members_by_name() -> None:
    for data in (tar_of(CORPUS), gzip.compress(tar_of(CORPUS)), zip_of(CORPUS)):
        good, _ = read(data, wants=lambda name: name.endswith(".txt"))
        assert good == [("Corpus/test/trans.txt", CORPUS["Corpus/test/trans.txt"])]


def test_a_plain_tar_is_skipped_without_reading_it(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(tar_of({f"{n}.wav": bytes(4_000_000) for n in range(5)}))

    class Counted(io.FileIO):
        taken = 0

        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(-1 if size is None else size)
            self.taken += len(data)
            return data

    with Counted(path) as file:
        assert read(file, wants=lambda name: False) == ([], [])
        assert file.taken < 3_000_000


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(st.text("abcäß语/ .", min_size=1, max_size=150), st.binary(max_size=3000), max_size=8),
    st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
def test_what_tarfile_writes_is_read(files: Files, format: int) -> None:
    named = [(safe_name(name), data) for name, data in files.items() if not name.endswith("/")]
    good, bad = read(tar_of({name: data for name, data in files.items() if not name.endswith("/")}, format=format))
    assert good == [(name, data) for name, data in named if name is not None]
    assert len(bad) == sum(name is None for name, _ in named)


# --- archives inside archives ----------------------------------------------------------------------------------------


def aishell() -> bytes:
    speakers = {
        f"data_aishell/wav/{speaker}.tar.gz": gzip.compress(
            tar_of({f"train/{speaker}/{speaker}{n}.wav": f"{speaker}{n}".encode() * 9000 for n in range(3)})
        )
        for speaker in ("S0002", "S0150")
    }
    return gzip.compress(tar_of({"data_aishell/transcript/t.txt": b"x", **speakers, "data_aishell/end.txt": b"end"}))


def test_nested_archives_are_read_in_place() -> None:
    good, bad = read(aishell(), name="data_aishell.tgz", uri="u")
    assert bad == [] and [name for name, _ in good] == [
        "data_aishell/transcript/t.txt",
        *(f"data_aishell/wav/train/{s}/{s}{n}.wav" for s in ("S0002", "S0150") for n in range(3)),
        "data_aishell/end.txt",
    ]
    assert dict(good)["data_aishell/wav/train/S0150/S01502.wav"] == b"S01502" * 9000
    inner = [item for item in opened(aishell(), uri="u") if "S01502" in item.uri]
    assert [item.uri for item in inner] == ["u!data_aishell/wav/S0150.tar.gz!train/S0150/S01502.wav"]


def test_members_of_nested_archives_may_be_left_unread() -> None:
    assert [item.name for item in opened(aishell()) if isinstance(item, RawFile)][-1] == "data_aishell/end.txt"
    assert read(aishell(), nested=())[0][1][0] == "data_aishell/wav/S0002.tar.gz"


def test_archives_of_every_kind_nest(tmp_path: Path) -> None:
    inner = {"x.wav": b"1" * 999}
    files = {"a/1.tar": tar_of(inner), "b/2.zip": zip_of(inner), "c/3.tar.xz": lzma.compress(tar_of(inner))}
    expected = [("a/x.wav", inner["x.wav"]), ("b/x.wav", inner["x.wav"]), ("c/x.wav", inner["x.wav"])]
    for outer in (tar_of(files), gzip.compress(tar_of(files)), zip_of(files)):
        assert read(outer, spool=tmp_path) == (expected, [])
    assert list(tmp_path.iterdir()) == []


def test_a_member_only_named_like_an_archive_is_a_file() -> None:
    assert read(tar_of({"a.zip": b"no zip", "b.tar": b""})) == ([("a.zip", b"no zip"), ("b.tar", b"")], [])


def test_nesting_too_deep_is_refused_and_the_rest_is_read() -> None:
    data = tar_of({"x.wav": b"1"})
    for level in range(4):
        data = tar_of({f"{level}.tar": data, f"{level}.txt": b"t"})
    good, (bad,) = read(data, limits=Limits(depth=3))
    assert bad.reason == "nested_too_deep" and bad.damaged
    assert [name for name, _ in good] == ["1.txt", "2.txt", "3.txt"]


def test_a_damaged_nested_archive_does_not_end_the_outer_one() -> None:
    inner = gzip.compress(tar_of(CORPUS))
    good, (bad,) = read(gzip.compress(tar_of({"a.txt": b"a", "b.tar.gz": inner[:200_000], "c.txt": b"c"})))
    assert [good[0], good[-1]] == [("a.txt", b"a"), ("c.txt", b"c")]
    assert good[1:-1] == list(CORPUS.items())[: len(good) - 2]
    assert (bad.reason, bad.damaged, bad.candidate) == ("truncated_archive", True, "b.tar.gz")


# --- hostile members -------------------------------------------------------------------------------------------------


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
def test_climbing_and_absolute_members_are_refused_and_the_rest_is_read(
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


def test_an_inflation_bomb_is_left_at_its_grace(tmp_path: Path) -> None:
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


def test_an_encrypted_member_is_refused() -> None:
    data = bytearray(zip_of({"a.wav": b"1"}))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    good, (bad,) = read(bytes(data))
    assert good == [] and bad.reason == "encrypted"


# --- damage ----------------------------------------------------------------------------------------------------------


def assert_honest(data: bytes, reasons: tuple[str, ...], **options: Any) -> list[tuple[str, bytes]]:
    """Whole members only, a prefix of them, and one rejection that names the file and how far it got."""
    good, bad = read(data, **options)
    assert good == list(CORPUS.items())[: len(good)]
    assert len(bad) == 1 and bad[0].damaged and bad[0].reason in reasons
    assert "https://h/a.tar.gz" in bad[0].detail and f"{len(good)} whole members" in bad[0].detail
    return good


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
    # All the last member's bytes are there, its padding is not: it is whole.
    assert len(assert_honest(tar[: ends[-1] - 1], ("truncated_archive",))) == len(CORPUS)


def test_a_packed_tar_without_an_end_mark_is_whole_where_the_packing_says_so() -> None:
    tar = tar_of(CORPUS)
    end = sum(512 + -(-len(data) // 512) * 512 for data in CORPUS.values())
    assert read(gzip.compress(tar[:end])) == (list(CORPUS.items()), [])


@pytest.mark.parametrize("packer", ["bzip2", "xz"])
def test_damage_in_the_middle_ends_the_archive(packer: str) -> None:
    data = bytearray(PACKERS[packer](tar_of(CORPUS)))
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(64)
    assert_honest(bytes(data), ("corrupt_archive", "truncated_archive"))


def test_damage_that_only_gzips_sum_shows_is_said_at_the_end() -> None:
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


def test_what_is_no_archive_is_named() -> None:
    for data in (b"", b"<!DOCTYPE html><html>" * 50, b"fLaC" + bytes(600), b"Rar!\x1a\x07\x01" + bytes(600)):
        good, (bad,) = read(data)
        assert good == [] and bad.damaged and bad.reason in ("not_an_archive", "truncated_archive")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_damage_escapes_as_an_exception_or_as_half_a_member(data: st.DataObject) -> None:
    packer = data.draw(st.sampled_from([*PACKERS, "zip"]))
    files = {f"{n}.wav": random.Random(n).randbytes(3000) for n in range(6)}
    whole = bytearray(zip_of(files) if packer == "zip" else PACKERS[packer](tar_of(files)))
    for _ in range(data.draw(st.integers(0, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    good, _ = read(bytes(whole[:cut]))
    assert all(len(content) == 3000 for name, content in good if name in files)
    if packer == "zip":
        # The only format here with a sum for every member.
        assert all(content == files[name] for name, content in good if name in files)


# --- large members, leaving early, streams ---------------------------------------------------------------------------


def test_large_members_are_spooled_and_moved_not_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "IN_MEMORY_BYTES", 10_000)
    spool = tmp_path / "spool"
    taken: dict[str, Path] = {}
    for item in opened(gzip.compress(tar_of(CORPUS)), spool=spool):
        assert isinstance(item, RawFile)
        data = CORPUS[item.name]
        if len(data) > 10_000:
            assert len(list(spool.iterdir())) == len(taken) + 1
            with item.open() as file:
                assert file.read() == data
        if item.name.endswith(("1.flac", "2.flac")):
            blob = item.blob()
            if blob.path is not None:
                assert blob.temporary and blob.path.stat().st_mode & 0o044
                taken[item.name] = blob.path
    assert len(taken) >= 2 and sorted(taken.values()) == sorted(spool.iterdir())
    assert all(path.read_bytes() == CORPUS[name] for name, path in taken.items())


def test_a_large_member_that_is_cut_is_never_handed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "IN_MEMORY_BYTES", 1000)
    data = gzip.compress(tar_of(CORPUS))
    assert_honest(data[: len(data) // 2], ("truncated_archive",), spool=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_a_spool_a_large_member_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "IN_MEMORY_BYTES", 1000)
    good, (bad,) = read(tar_of({"a": b"1" * 2000, "b": b"2"}))
    assert good == [("b", b"2")] and bad.reason == "too_large"


def inflating() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("inflate")]


def test_leaving_early_reads_little_and_leaves_no_thread() -> None:
    before = inflating()
    stream = io.BytesIO(gzip.compress(tar_of({f"{n}": DRAW.randbytes(100_000) for n in range(100)}), 1))
    reading = opened(stream)
    assert isinstance(next(reading), RawFile)
    time.sleep(0.2)
    assert stream.tell() <= 100_000 + 2 * 1024 * 1024
    reading.close()
    assert inflating() == before


def test_leaving_early_inside_a_nested_archive_leaves_no_thread() -> None:
    before = inflating()
    inner = gzip.compress(tar_of({f"{n}": DRAW.randbytes(100_000) for n in range(60)}), 1)
    reading = opened(gzip.compress(tar_of({"wav/1.tar.gz": inner, "wav/2.tar.gz": inner}), 1))
    assert isinstance(next(reading), RawFile)
    assert len(inflating()) == len(before) + 2
    reading.close()
    assert inflating() == before


def test_a_streams_own_error_passes_unchanged() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 300_000:
                raise NetworkError("https://h/a: gave up", hint="again")
            return super().read(size)

    for data in (tar_of(CORPUS), gzip.compress(tar_of(CORPUS))):
        names = []
        with pytest.raises(NetworkError, match="gave up"):
            for item in opened(Broken(data)):
                assert isinstance(item, RawFile)
                names += [item.name]
        assert 0 < len(names) < len(CORPUS)


def test_an_archive_on_a_host_is_read_as_far_as_needed_then_to_its_checked_end(tmp_path: Path) -> None:
    files = {f"{n:03d}.flac": DRAW.randbytes(200_000) for n in range(60)}
    data = gzip.compress(tar_of(files), 1) + bytes(100)
    (tmp_path / "host").mkdir()
    (tmp_path / "host/a.tgz").write_bytes(data)
    partial = tmp_path / "partial"
    wanted = Expected(sha256=hashlib.sha256(data).hexdigest())
    with serve(tmp_path / "host") as server, Fetcher(retry=Retry(attempts=3, base=0.001)) as fetcher:
        url = server.url("/a.tgz")
        with GrowingFile(fetcher, url, partial, expected=wanted) as stream:
            reading = members(stream, name="a.tgz", uri=url, revision="r")
            first = [item.read() for item in itertools.islice(reading, 10) if isinstance(item, RawFile)]
            reading.close()
            assert first == list(files.values())[:10]
            assert not stream.complete and 2_000_000 < stream.bytes_fetched < 2_000_000 + 3 * 1024 * 1024
            kept = stream.bytes_fetched
        server.fault("/a.tgz", drop_after=3_000_000, times=2)
        with GrowingFile(fetcher, url, partial, expected=wanted) as stream:
            assert read(stream) == (list(files.items()), [])
            assert stream.complete and stream.bytes_fetched == len(data) - kept
        with GrowingFile(fetcher, url, tmp_path / "other", expected=Expected(sha256="0" * 64)) as stream:
            reading = members(stream, name="a.tgz", uri=url, revision="r")
            with pytest.raises(DamagedError):
                list(reading)


# --- folders ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    root = tmp_path / "Corpus"
    for name, data in CORPUS.items():
        path = root / name.removeprefix("Corpus/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def test_a_folder_gives_what_its_archive_gives_sorted(unpacked: Path) -> None:
    found = list(tree(unpacked, revision="r", uri="u"))
    assert all(isinstance(item, RawFile) for item in found)
    expected = {name.removeprefix("Corpus/"): data for name, data in CORPUS.items()}
    assert [(item.name, item.read()) for item in found if isinstance(item, RawFile)] == sorted(
        expected.items(), key=lambda pair: pair[0].split("/")
    )
    first = found[0]
    assert isinstance(first, RawFile)
    assert first.path == unpacked / first.name and first.uri == f"u/{first.name}" and first.revision == "r"
    assert first.blob().path == first.path and not first.blob().temporary


def test_a_folder_is_not_left_by_links(unpacked: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (unpacked / "a_out").symlink_to(tmp_path / "secret")
    (unpacked / "b_up").symlink_to(tmp_path)
    (unpacked / "c_in").symlink_to(unpacked / "test/trans.txt")
    (unpacked / "d_loop").symlink_to(unpacked)
    (unpacked / "e_gone").symlink_to(unpacked / "nothing")
    os.mkfifo(unpacked / "f_pipe")
    found = list(tree(unpacked, revision="r"))
    refused = [(item.candidate, item.reason) for item in found if isinstance(item, Rejection)]
    assert refused == [
        ("a_out", "link"),
        ("b_up", "link"),
        ("d_loop", "link"),
        ("e_gone", "link"),
        ("f_pipe", "special_file"),
    ]
    assert len(found) == len(CORPUS) + 6


def test_a_folder_with_foreign_names_and_sidecars(tmp_path: Path) -> None:
    root = tmp_path / "r"
    root.mkdir()
    (root / "._x.wav").write_bytes(b"x")
    (root / "__MACOSX").mkdir()
    (root / "__MACOSX/y.wav").write_bytes(b"x")
    Path(os.fsdecode(bytes(root) + b"/\xce\xc4.wav")).write_bytes(b"1")
    (one,) = tree(root, revision="r")
    assert isinstance(one, RawFile) and one.name == "%CE%C4.wav" and one.read() == b"1"


def test_archives_in_a_folder_are_read_in_place(tmp_path: Path) -> None:
    (tmp_path / "r/wav").mkdir(parents=True)
    (tmp_path / "r/wav/S0150.tar.gz").write_bytes(gzip.compress(tar_of({"train/S0150/x.wav": b"1"})))
    (one,) = tree(tmp_path / "r", revision="r", uri="u", nested=("*.tar.gz",))
    assert isinstance(one, RawFile) and (one.name, one.uri) == (
        "wav/train/S0150/x.wav",
        "u/wav/S0150.tar.gz!train/S0150/x.wav",
    )
    (one,) = tree(tmp_path / "r", revision="r")
    assert isinstance(one, RawFile) and one.name == "wav/S0150.tar.gz"


def test_a_missing_folder_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        next(tree(tmp_path / "nothing", revision="r"))


# --- the real archives -----------------------------------------------------------------------------------------------


@pytest.mark.shared
@needs_shared
@pytest.mark.parametrize("name", ["12/test-other.tar.gz", "12/dev-clean.tar.gz"])
def test_real_archives_read_as_tarfile_reads_them(name: str) -> None:
    with tarfile.open(SHARED / name) as tar:
        expected = [(info.name, tar.extractfile(info).read()) for info in tar if info.isfile()]  # type: ignore[union-attr]
    with (SHARED / name).open("rb") as file:
        good, bad = read(file)
    assert good == expected and bad == []


@pytest.mark.shared
@needs_shared
def test_the_real_aishell_has_its_speakers_beside_their_archives() -> None:
    with (SHARED / "33/data_aishell.tgz").open("rb") as file:
        good, bad = read(file)
    wavs = [name for name, _ in good if name.endswith(".wav")]
    assert bad == [] and wavs
    assert all(
        name.startswith(("data_aishell/wav/train/", "data_aishell/wav/test/", "data_aishell/wav/dev/")) for name in wavs
    )
    assert all(data.startswith(b"RIFF") for name, data in good if name.endswith(".wav"))
