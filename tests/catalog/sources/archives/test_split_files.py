"""Parts of one file: read in order or by seeking; a missing or truncated part is named."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.archives import CORPUS, read, tar_of
from triptych.catalog.sources.archives.part_names import missing_names
from triptych.catalog.sources.archives.split_files import JoinedStream
from triptych.errors import DamagedError, NetworkError


class Pipe(io.BytesIO):
    """A stream that cannot seek."""

    def seekable(self) -> bool:
        return False

    def seek(self, offset: int, whence: int = 0, /) -> int:
        raise io.UnsupportedOperation("seek")


def joined(parts: Sequence[bytes], kind: type[io.BytesIO] = io.BytesIO, names: Sequence[str] = ()) -> JoinedStream:
    openers: list[Callable[[], BinaryIO]] = [partial(kind, part) for part in parts]
    return JoinedStream(openers, names)


@pytest.mark.parametrize("kind", [io.BytesIO, Pipe])
@settings(max_examples=30, deadline=None)
@given(parts=st.lists(st.binary(max_size=20), max_size=6), sizes=st.lists(st.integers(0, 25), max_size=12))
def test_parts_read_in_order_are_their_bytes(kind: type[io.BytesIO], parts: list[bytes], sizes: list[int]) -> None:
    stream, plain = joined(parts, kind), io.BytesIO(b"".join(parts))
    for size in sizes:
        assert stream.read(size) == plain.read(size)
        assert stream.tell() == plain.tell()
    assert stream.read() == plain.read() and stream.read(1) == b""


@settings(max_examples=40, deadline=None)
@given(
    parts=st.lists(st.binary(max_size=20), min_size=1, max_size=6),
    steps=st.lists(st.tuples(st.integers(0, 60), st.sampled_from([0, 1, 2]), st.integers(-1, 30)), max_size=10),
)
def test_parts_that_can_seek_are_a_file(parts: list[bytes], steps: list[tuple[int, int, int]]) -> None:
    stream, plain = joined(parts), io.BytesIO(b"".join(parts))
    assert stream.seekable() and stream.sizes == [len(part) for part in parts]
    for offset, whence, size in steps:
        assert stream.seek(offset, whence) == plain.seek(offset, whence)
        assert stream.read(size) == plain.read(size)
        assert stream.tell() == plain.tell()


def test_empty_parts_are_skipped() -> None:
    stream = joined([b"", b"ab", b"", b"", b"cd", b""])
    assert stream.read(3) == b"abc" and stream.seek(2) == 2 and stream.read() == b"cd"
    assert joined([]).read() == b"" and not joined([]).seekable()


def test_a_part_is_opened_when_reached_and_closed_after_it() -> None:
    made: list[Pipe] = []

    def opener(data: bytes) -> Callable[[], BinaryIO]:
        def opened() -> BinaryIO:
            made.append(Pipe(data))
            return made[-1]

        return opened

    with JoinedStream([opener(b"ab"), opener(b"cd"), opener(b"ef")]) as stream:
        assert stream.read(2) == b"ab" and len(made) == 1
        assert stream.read(1) == b"c" and len(made) == 2 and made[0].closed
    assert len(made) == 2 and made[1].closed


def test_a_part_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.001").write_bytes(b"ab")
    names = ["a.001", "a.002", "a.003"]
    stream = JoinedStream([partial((tmp_path / name).open, "rb") for name in names], names)  # type: ignore[list-item]
    assert stream.read(2) == b"ab"
    with pytest.raises(DamagedError, match=r"'a\.002' \(part 2 of 3\) cannot be opened: No such file"):
        stream.read(2)


def test_a_hosts_own_error_passes_unchanged() -> None:
    def away() -> BinaryIO:
        raise NetworkError("https://h/a.002: gave up")

    stream = JoinedStream([partial(io.BytesIO, b"ab"), away], ["a.001", "a.002"])
    with pytest.raises(NetworkError, match="gave up"):
        stream.read(3)


@pytest.mark.parametrize("kind", [io.BytesIO, Pipe])
def test_a_part_cut_short_or_left_out_is_named_by_the_archives_fault(kind: type[io.BytesIO]) -> None:
    data = gzip.compress(tar_of(CORPUS))
    parts = {f"v.tar.gz.part-{n:02d}": data[at : at + 90_000] for n, at in enumerate(range(0, len(data), 90_000), 1)}
    assert len(parts) > 5
    good, bad = read(joined(list(parts.values()), kind, list(parts)))
    assert good == list(CORPUS.items()) and bad == []
    short = {**parts, "v.tar.gz.part-05": parts["v.tar.gz.part-05"][:40_000]}
    good, (one,) = read(joined(list(short.values()), kind, list(short)))
    assert good == list(CORPUS.items())[: len(good)] and good and one.damaged
    assert "'v.tar.gz.part-05' (part 5 of" in one.detail and "40,000 bytes, while others have 90,000" in one.detail
    less = {name: part for name, part in parts.items() if name != "v.tar.gz.part-06"}
    good, (one,) = read(joined(list(less.values()), kind, list(less)))
    assert good == list(CORPUS.items())[: len(good)] and good and one.damaged
    assert "v.tar.gz.part-06 is missing from its parts" in one.detail


@pytest.mark.parametrize(
    ("names", "count", "missing"),
    [
        (["a.zip.001", "a.zip.003"], None, ["a.zip.002"]),
        (["a.002", "a.003"], None, ["a.001"]),
        (["p_aa", "p_ab", "p_ad"], None, ["p_ac"]),
        (["p_ab"], None, []),
        (["x.part9", "x.part11"], None, [f"x.part{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 10)]),
        (["F.z01", "F.z03", "F.zip"], 4, ["F.z02"]),
        (["F.z01", "F.z02", "F.zip"], 5, ["F.z03", "F.z04"]),
        (["F.z01", "F.z02"], None, ["F.zip"]),
        (["F.zip"], 3, ["F.z01", "F.z02"]),
        (["F.z99", "F.z101", "F.zip"], 102, [f"F.z{n:02d}" for n in range(1, 21)]),
        (["F.zip"], 2**32, [f"F.z{n:02d}" for n in range(1, 21)]),
        (["F.z01", "F.zip"], 2**32, [f"F.z{n:02d}" for n in range(2, 22)]),
        (["one.bin", "other.dat"], None, []),
        ([], None, []),
    ],
)
def test_gaps_in_a_series_of_names_are_reported(names: list[str], count: int | None, missing: list[str]) -> None:
    assert missing_names(names, count) == missing


@pytest.mark.parametrize("kind", [io.BytesIO, Pipe])
def test_a_member_cut_by_a_missing_part_is_not_put_together_with_what_follows(kind: type[io.BytesIO]) -> None:
    """Of a tar without compression, no sum tells that the end of a member is that of another."""
    data = tar_of(CORPUS)
    size = len(data) // 7
    parts = {f"v.tar.part.a{letter}": data[n * size : (n + 1) * size] for n, letter in enumerate("abcdefgh")}
    del parts["v.tar.part.ad"]
    good, (one,) = read(joined(list(parts.values()), kind, list(parts)))
    assert good == list(CORPUS.items())[: len(good)] and good and one.damaged
    assert "v.tar.part.ad is missing from its parts" in one.detail
