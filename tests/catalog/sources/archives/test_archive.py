"""Archives as raw files: every format, archives inside archives, and the real ones."""

from __future__ import annotations

import gzip
import io
import lzma
import struct
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.archives import CORPUS, PACKERS, Files, opened, read, special, tar_of, zip_of
from support.places import DATA
from triptych.catalog.sources.archives.safety import Limits, safe_name
from triptych.converters.candidate import RawFile

SHARED = DATA / "mirror/www.openslr.org/resources"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs the real media under ../shared/data")


@pytest.mark.parametrize("packer", PACKERS)
@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_compression_gives_the_same_members_in_order(packer: str, format: int) -> None:
    good, bad = read(PACKERS[packer](tar_of(CORPUS, format=format)))
    assert good == list(CORPUS.items()) and bad == []


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_gives_the_same_members(method: int, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(zip_of(CORPUS, method))
    with path.open("rb") as file:
        assert read(file) == (list(CORPUS.items()), [])


def test_a_zip_in_a_stream_that_cannot_seek_is_copied_and_the_copy_removed(tmp_path: Path) -> None:
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


def test_names_of_zips_in_an_old_code_page_are_understood() -> None:
    data = zip_of({"caf#.wav": b"1"}).replace(b"caf#", b"caf\x82")
    assert read(data)[0] == [("café.wav", b"1")]


def with_unicode_path(raw: bytes, name: str, *, of: bytes) -> bytes:
    """A zip with a name in GBK and the UTF-8 name in an extra field, as Windows tools write it."""
    field = struct.pack("<BI", 1, zlib.crc32(of)) + name.encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        info = zipfile.ZipInfo("#" * len(raw))
        info.extra = struct.pack("<2H", 0x7075, len(field)) + field
        archive.writestr(info, b"1")
    return out.getvalue().replace(b"#" * len(raw), raw)


def test_the_unicode_name_of_a_zip_member_is_used_if_it_belongs_to_its_name() -> None:
    raw, name = "语音/数据.wav".encode("gbk"), "语音/数据.wav"
    assert read(with_unicode_path(raw, name, of=raw)) == ([(name, b"1")], [])
    good, bad = read(with_unicode_path(b"renamed.wav", name, of=raw))
    assert good == [("renamed.wav", b"1")] and bad == []
    good, (one,) = read(with_unicode_path(raw, "../out.wav", of=raw))
    assert good == [] and one.reason == "unsafe_path"


def test_names_with_percent_signs_stay_as_they_are() -> None:
    files = {"a%20b.wav": b"1", "100%.wav": b"2", "%2e%2e/c.wav": b"3"}
    for data in (tar_of(files), zip_of(files)):
        assert read(data) == (list(files.items()), [])


def test_sidecars_of_macs_zips_are_left_out_and_never_opened() -> None:
    files = {"a/1.tar": tar_of({"x.wav": b"1"}), "__MACOSX/a/._1.tar": b"\0\5\x16\7" + bytes(600), "a/._x.wav": b"\0\5"}
    assert read(zip_of(files)) == ([("a/x.wav", b"1")], [])


def test_directories_and_sidecars_are_left_out() -> None:
    files = {"a.wav": b"1", "._a.wav": b"x", "d/._b.wav": b"x", "__MACOSX/d/c.wav": b"x"}
    data = tar_of(files, extra=[special("d/", tarfile.DIRTYPE)])
    assert read(data) == ([("a.wav", b"1")], [])


def test_several_gzip_streams_and_padding_are_one_archive() -> None:
    tar = tar_of(CORPUS)
    data = gzip.compress(tar[:70_000]) + gzip.compress(tar[70_000:]) + bytes(3000)
    assert read(data) == (list(CORPUS.items()), [])


def test_zlib_does_the_same_as_isal(monkeypatch: pytest.MonkeyPatch) -> None:
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
