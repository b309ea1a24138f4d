"""The samples of a tar shard, as WebDataset reads them: consecutive members whose names begin alike.

A key is a member's name up to the first dot after its folder, its suffix is the rest in lower case. WebDataset reads a
shard as a stream, with `tarfile`; so does this, so that both stop at the same byte. Where `tarfile` meets a header that
it cannot read it takes it for the end, without a word; what it met is looked at here.
Source: webdataset 1.0, `webdataset.tariterators`.
"""

from __future__ import annotations

import bz2
import lzma
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any

SUFFIXES = (".tar", ".tar.gz", ".tgz")
_NAME = re.compile(r"^((?:.*/|)[^.]+)[.]([^/]*)$")
_OF_THE_SHARD = re.compile(r"__[^/]*__($|/)")
_OF_THE_READER = ("__key__", "__url__")
"""Keys that every sample has without a member."""
_CHUNK = 1 << 20
_COMPRESSED: dict[bytes, Callable[[], Any]] = {
    b"\x1f\x8b\x08": partial(zlib.decompressobj, 31),
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ": lzma.LZMADecompressor,
}
"""How a file begins -> what decompresses it."""


@dataclass(slots=True)
class Member:
    """A file of a sample.

    Attributes:
        content: Its bytes if they were asked for, else None.
    """

    name: str
    size: int
    content: bytes | None = None


@dataclass(slots=True)
class Sample:
    """Consecutive members of one key.

    Attributes:
        members: By suffix, in order.
        skipped: Members before its end that no sample has, each with the reason.
    """

    key: str
    members: dict[str, Member] = field(default_factory=dict)
    skipped: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class End:
    """How a shard ends: `code` of the problem that it ends with, or None.

    Attributes:
        lost: The sample that the reader has begun and does not give.
        skipped: Members after the last sample, as those of `Sample`.
    """

    code: str | None = None
    detail: str = ""
    lost: Sample | None = None
    skipped: list[tuple[str, str]] = field(default_factory=list)


def read_samples(path: Path, *, wanted: frozenset[str]) -> Iterator[Sample | End]:
    """Yield the samples that WebDataset gives, and at last how the shard ends.

    Args:
        wanted: The last parts of suffixes whose content is kept.
    """
    reading = _Reading(wanted)
    code, detail = None, ""
    with path.open("rb") as file:
        try:
            yield from reading.samples(file)
            _look_at_checksum(file)
        except Stopped as problem:
            code, detail = problem.code, problem.detail
        except (tarfile.TarError, EOFError) as error:
            code, detail = ("cut_member" if reading.begun else "no_shard"), str(error)
    yield End(code, detail, reading.sample, reading.skipped)


class Stopped(Exception):
    """A problem, by the code of a finding, that ends the reading of a shard."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


class Ended(Stopped):
    """What stands where `tarfile` takes a shard to end, if it is no end."""


class _Reading:
    """One pass over a shard.

    Attributes:
        sample: The sample whose members are being read.
        begun: Whether a member was met.
    """

    def __init__(self, wanted: frozenset[str]) -> None:
        self.wanted = wanted
        self.sample: Sample | None = None
        self.skipped: list[tuple[str, str]] = []
        self.begun = False

    def samples(self, file: IO[bytes]) -> Iterator[Sample]:
        end: Ended | None = None
        try:
            for tar, info in members(file):
                self.begun = True
                yield from self._take(tar, info)
        except Ended as problem:
            end = problem
        if self.sample is not None:
            yield self.sample
            self.sample = None
        if end is not None:
            raise end

    def _take(self, tar: tarfile.TarFile, info: tarfile.TarInfo) -> Iterator[Sample]:
        """Add a member to its sample; yields the sample before, if that is whole now."""
        if not info.isreg():
            if not info.isdir():
                self.skipped.append((info.name, "a link" if info.islnk() or info.issym() else "no plain file"))
            return
        if _OF_THE_SHARD.match(info.name):
            if "/" in info.name:
                self.skipped.append((info.name, "in a folder whose name is kept for the shard itself"))
            return
        parts = _NAME.match(info.name)
        content = _content(tar, info, keep=parts is not None and _last(parts[2]) in self.wanted)
        if parts is None:
            self.skipped.append((info.name, "no suffix, or a name that begins with a dot"))
            return
        key, suffix = parts[1], parts[2].lower()
        if self.sample is None or self.sample.key != key:
            if self.sample is not None:
                yield self.sample
            self.sample, self.skipped = Sample(key, skipped=self.skipped), []
        if suffix in self.sample.members or suffix in _OF_THE_READER:
            raise Stopped("repeated_member", info.name)
        self.sample.skipped += self.skipped
        self.skipped = []
        self.sample.members[suffix] = Member(info.name, info.size, content)


def members(file: IO[bytes]) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """Yield the members of an archive that is read as a stream; where it is taken to end, say what stands there.

    Raises:
        Ended: Something else than its end, after the last member.
        tarfile.TarError, EOFError: It cannot be read on, or is no archive.
    """
    met: list[bytes] = []

    class Header(tarfile.TarInfo):
        """Remembers the last block that was taken for a header."""

        @classmethod
        def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Header:
            met[:] = [bytes(buf)]
            return super().frombuf(buf, encoding, errors)  # type: ignore[return-value]

    with tarfile.open(fileobj=file, mode="r|*", tarinfo=Header) as tar:
        kept: Any = tar
        for info in tar:
            yield tar, info
            kept.members = []  # else it remembers them all
        _look_at_end(tar, met[0])


def _last(suffix: str) -> str:
    return suffix.rpartition(".")[2].lower()


def _content(tar: tarfile.TarFile, info: tarfile.TarInfo, *, keep: bool) -> bytes | None:
    """Read a member to its end, so that one that is cut is met where the reader meets it."""
    member = tar.extractfile(info)
    assert member is not None, "it is a plain file"
    if keep:
        return member.read()
    while member.read(_CHUNK):
        pass
    return None


def _look_at_end(tar: tarfile.TarFile, block: bytes) -> None:
    """Say what stands where the reader took the shard to end."""
    if not block:
        raise Ended("no_end_mark", "")
    if len(block) < tarfile.BLOCKSIZE or block.count(0) < tarfile.BLOCKSIZE:
        raise Ended("broken_header", f"byte {tar.offset:,}")
    assert tar.fileobj is not None
    with suppress(tarfile.TarError, EOFError):  # what is compressed is looked at again
        while rest := tar.fileobj.read(_CHUNK):
            if rest.count(0) < len(rest):
                raise Ended("after_the_end", f"after byte {tar.offset:,}")


def _look_at_checksum(file: IO[bytes]) -> None:
    """Decompress a file again: as `tarfile` reads it, only its first part is read and no checksum is compared."""
    file.seek(0)
    begins = file.read(8)
    made = next((make for magic, make in _COMPRESSED.items() if begins.startswith(magic)), None)
    if made is None:
        return
    decompressor = made()
    file.seek(0)
    try:
        while not decompressor.eof and (block := file.read(_CHUNK >> 4)):
            decompressor.decompress(block)
    except (zlib.error, OSError, lzma.LZMAError) as error:
        raise Stopped("wrong_checksum", str(error)) from None
    rest = decompressor.unused_data + file.read(_CHUNK)
    if rest.count(0) < len(rest):
        raise Stopped("after_the_end", "another compressed file")
