"""Archives as streams of raw files: tar, plain or compressed by gzip, bzip2 or xz; zip, also in volumes; 7z; any of
them encrypted by openssl; archives inside archives.

The format is detected from the first bytes, not from the name. Members come in the archive's order, each one read whole
before it is yielded, so a partial member never gets out: up to 32 MiB in memory, larger ones in a file in `spool`.
Nothing else is written anywhere.

A refused member becomes a `Rejection` (`unsafe_path`, `link`, `special_file`, `too_large`, `encrypted`,
`wrong_password`, `corrupt_member`, `unsupported_compression`) and reading continues. An archive that cannot be read
further ends with a `damaged` one (`truncated_archive`, `corrupt_archive`, `inflation_bomb`, `too_many_members`,
`archive_too_large`, `nested_too_deep`, `not_an_archive`, `encrypted`, `wrong_password`) that reports how far it got;
all whole members before it have been yielded (before damaged compressed data, up to 256 KiB of output are lost).
Directories and macOS's `._` files are skipped. gzip's own checksum is at its end: bytes altered without breaking the
format are detected only there, so `corrupt_archive` casts doubt on all members, unless the archive was verified by
another checksum.

A nested archive is read in place, its members named as if next to it: `wav/S0150.tar.gz` with `train/x.wav` gives
`wav/train/x.wav`. A tar stream is read to its end after the last member, so that its checksums are verified; of a zip
or 7z in a seekable file, only the selected members are read.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fnmatch import translate
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

from ....converters.candidate import IN_MEMORY_BYTES, Blob, RawFile, Rejection
from ....shards.git_pointers import pointer_kind
from ....shards.media.media import scratch_path
from .decompress import MAGIC, PIECE_BYTES, ByteReader, DecompressedStream, Section
from .openssl_enc import SALTED, Decrypted
from .safety import ArchiveFault, InflationBomb, Limits, ReadTotals, is_sidecar, safe_name, shown
from .sevenzip import SEVEN_ZIP, SevenEntry, seven_entries
from .split_files import JoinedStream
from .split_zip import SPLIT, VolumeFault, has_directory
from .tar import BLOCK, entries, is_tar

if TYPE_CHECKING:
    from .zip import ZipEntry

NESTED = ("*.tar", "*.tar.gz", "*.tgz", "*.tar.bz2", "*.tar.xz", "*.zip", "*.7z")
"""Names of members to open as archives, if their bytes confirm it."""

ZIP = (b"PK\x03\x04", b"PK\x05\x06", *SPLIT)
PARTS_AT_FAULT = ("truncated_archive", "corrupt_archive", "not_an_archive")
PACKED_SUFFIXES = (".gz", ".bz2", ".xz")


class ByteStream(Protocol):
    """What `members` needs from a stream: open files and `StreamingFile`s provide it."""

    def read(self, size: int, /) -> bytes: ...
    def seekable(self) -> bool: ...


def members(
    stream: ByteStream,
    *,
    name: str,
    uri: str,
    revision: str,
    spool: Path | None = None,
    limits: Limits | None = None,
    nested: Sequence[str] = NESTED,
    wants: Callable[[str], bool] | None = None,
    prefix: str = "",
    password: str | None = None,
) -> Generator[RawFile | Rejection, None, None]:
    """Yield the files of an archive, in order. Close the generator when leaving early: that ends its threads.

    Args:
        stream: The archive's bytes from its start. A zip or 7z in a stream that cannot seek is first copied to `spool`.
        name: The archive's file name, for messages; a single compressed file gets its name from it.
        uri: URI of the archive; members are `<uri>!<name>`.
        revision: Revision of every file.
        spool: Folder for members larger than 32 MiB; if None, they are refused.
        limits: Limits against decompression bombs.
        nested: Patterns of member names to open as archives.
        wants: Returns whether to yield the member of this name; the others are skipped.
        prefix: Folder prepended to every member's name.
        password: Decrypts openssl, 7z, and both zip ciphers; it never appears in a message.
    """
    totals = ReadTotals()
    reading = _Reading(revision, spool, limits or Limits(), tuple(nested), wants, totals, password)
    file = cast("BinaryIO", stream)
    yield from reading.archive(ByteReader.of(file, totals), file, _Place(name, uri, prefix, 1))


@dataclass(frozen=True, slots=True)
class _Place:
    """An archive's name, its URI, the folder of its members, and its level of nesting."""

    name: str
    uri: str
    folder: str
    depth: int

    def member(self, name: str) -> str:
        return f"{self.folder}/{name}" if self.folder else name


@dataclass(slots=True)
class _Reach:
    """How far one archive was read."""

    whole: int = 0
    last: str = ""


class _SpooledFile(RawFile):
    """A member too large for memory: a spool file holds its bytes until the next member, or until `blob` takes it."""

    __slots__ = ("spooled", "taken")

    def keep_at(self, path: Path) -> None:
        self.spooled = path
        self.taken = False

    def blob(self) -> Blob:
        self.taken = True
        return Blob(self.name, path=self.spooled, temporary=True)


class _Reading:
    """One pass over an outermost archive and all archives inside it."""

    def __init__(
        self,
        revision: str,
        spool: Path | None,
        limits: Limits,
        nested: tuple[str, ...],
        wants: Callable[[str], bool] | None,
        totals: ReadTotals,
        password: str | None,
    ) -> None:
        self.password = password
        self.revision = revision
        self.spool = spool
        self.limits = limits
        # All patterns in one expression, since every name is matched. Without patterns it matches nothing.
        self.nested = re.compile("|".join(map(translate, nested)) or r"(?!)")
        self.wants = wants
        self.totals = totals

    def archive(self, source: ByteReader, stream: BinaryIO | None, place: _Place) -> Iterator[RawFile | Rejection]:
        reach = _Reach()
        try:
            yield from self._by_format(source, stream, place, reach)
            return
        except ArchiveFault as error:
            fault = error
        why = fault.detail
        if isinstance(stream, JoinedStream) and fault.reason in PARTS_AT_FAULT and not isinstance(fault, VolumeFault):
            doubt = stream.doubt()
            why += f" ({doubt})" if doubt else ""
        progress = f"{reach.whole:,} whole members" + (f", the last {reach.last!r}" if reach.last else "")
        detail = f"{place.uri}: {why}, after {progress}."
        yield Rejection(place.name, fault.reason, detail, uri=place.uri, damaged=True)

    def _by_format(
        self, source: ByteReader, stream: BinaryIO | None, place: _Place, reach: _Reach
    ) -> Iterator[RawFile | Rejection]:
        if place.depth > self.limits.depth:
            raise ArchiveFault("nested_too_deep", f"archives are nested more than {self.limits.depth} deep")
        head = source.peek(BLOCK)
        packing = next((packing for packing, magic in MAGIC.items() if head.startswith(magic)), None)
        if packing is not None:
            with closing(DecompressedStream(source, packing, self.limits, self.totals, place.depth)) as decompressed:
                yield from self._unpacked(ByteReader(decompressed.take), place, reach)
        elif head.startswith((*ZIP, SEVEN_ZIP)):
            yield from self._zip(source, stream, place, reach)
        elif is_tar(head):
            yield from self._tar(source, place, reach, end_known=False)
        elif head.startswith(SALTED):
            yield from self._by_format(self._decrypted(source), None, place, reach)
        elif not head:
            raise ArchiveFault("truncated_archive", "it is empty")
        elif _ends_as_zip(stream, place.name):
            yield from self._zip(source, stream, place, reach)
        else:
            kind = pointer_kind(head)
            begins = f"it begins with {head[:8]!r}, which is not tar, gzip, bzip2, xz, zip or 7z"
            raise ArchiveFault("pointer" if kind else "not_an_archive", f"it is {kind}" if kind else begins)

    def _decrypted(self, source: ByteReader) -> ByteReader:
        if self.password is None:
            raise ArchiveFault(
                "encrypted", "it is encrypted; a password is needed (the card names the environment variable for it)"
            )
        decrypted = Decrypted(source, self.password)
        plain = ByteReader(decrypted.take)
        if not _is_archive(plain.peek(BLOCK)):
            raise ArchiveFault(
                "wrong_password", "the password does not open it: the decrypted bytes are not an archive"
            )
        decrypted.proven = True
        return plain

    def _unpacked(self, source: ByteReader, place: _Place, reach: _Reach) -> Iterator[RawFile | Rejection]:
        if is_tar(source.peek(BLOCK)):
            yield from self._tar(source, place, reach, end_known=True)
            return
        name = next((place.name[: -len(end)] for end in PACKED_SUFFIXES if place.name.endswith(end)), place.name)
        yield from self._hand_over(source, None, place.member(name.rsplit("/", 1)[-1]), place.uri)
        reach.whole += 1
        source.drain()

    def _tar(
        self, source: ByteReader, place: _Place, reach: _Reach, *, end_known: bool
    ) -> Iterator[RawFile | Rejection]:
        for entry in entries(source, self.limits, end_known=end_known):
            self._count(source.position)
            if entry.kind == "directory":
                continue
            yield from self._entry(source, entry.name, entry.kind, entry.size, place)
            reach.whole += 1
            reach.last = shown(entry.name)
        source.drain()

    def _zip(
        self, source: ByteReader, stream: BinaryIO | None, place: _Place, reach: _Reach
    ) -> Iterator[RawFile | Rejection]:
        from .zip import zip_entries

        listing = seven_entries if source.peek(len(SEVEN_ZIP)) == SEVEN_ZIP else zip_entries
        with self._seekable(source, stream) as file:
            length = file.seek(0, io.SEEK_END)
            listed = 0
            for entry in listing(file, self.limits, self.password):
                if place.depth == 1:  # members may share bytes, but never have more than the file
                    self.totals.consumed = min(self.totals.consumed + entry.packed, length)
                listed += entry.size
                self._count(listed)
                if entry.refused is not None:
                    yield self._refusal(entry.name, *entry.refused, place)
                    continue
                yield from self._zipped(entry, place, length)
                reach.whole += 1
                reach.last = shown(entry.name)

    def _zipped(self, entry: ZipEntry | SevenEntry, place: _Place, length: int) -> Iterator[RawFile | Rejection]:
        def take() -> bytes:
            data = entry.take()
            # All of it is compared with the length of all of it: many members in a row may be silence.
            packed = length if place.depth == 1 else self.totals.consumed
            self.totals.inflate(len(data), packed, place.depth, self.limits)
            return data

        with closing(entry):
            try:
                yield from self._entry(ByteReader(take), entry.name, entry.kind, entry.size, place)
                return
            except (VolumeFault, InflationBomb):
                raise
            except ArchiveFault as error:
                fault = error
        yield self._refusal(entry.name, _member_reason(fault), fault.detail, place)

    def _entry(
        self, source: ByteReader, raw: str, kind: str, size: int, place: _Place
    ) -> Iterator[RawFile | Rejection]:
        """One member: refused, opened as an archive, skipped, or handed over."""
        name = safe_name(raw)
        if name is None:
            yield self._refusal(
                raw, "unsafe_path", "its path is empty, absolute, too long, contains .. or cannot be encoded", place
            )
        elif is_sidecar(name):
            return
        elif kind != "file":
            reason = "link" if kind == "link" else "special_file"
            yield self._refusal(raw, reason, f"it is a {reason.replace('_', ' ')}, not a regular file", place)
        elif size > self.limits.member_bytes:
            detail = f"it has {size:,} bytes, more than {self.limits.member_bytes:,}"
            yield self._refusal(raw, "too_large", detail, place)
        elif self.nested.match(name.lower()):
            yield from self._nested(source, name, size, place)
        else:
            yield from self._selected(source, name, size, place)

    def _selected(self, source: ByteReader, name: str, size: int, place: _Place) -> Iterator[RawFile | Rejection]:
        named = place.member(name)
        if self.wants is None or self.wants(named):
            yield from self._hand_over(source, size, named, f"{place.uri}!{name}")

    def _nested(self, source: ByteReader, name: str, size: int, place: _Place) -> Iterator[RawFile | Rejection]:
        section = Section(source, size)
        inner = ByteReader(section.take)
        head = inner.peek(BLOCK)
        if not (_is_archive(head) or head.startswith(SALTED)):
            yield from self._selected(inner, name, size, place)
            return
        folder = place.member(name).rpartition("/")[0]
        yield from self.archive(inner, None, _Place(name, f"{place.uri}!{name}", folder, place.depth + 1))

    def _hand_over(self, source: ByteReader, size: int | None, name: str, uri: str) -> Iterator[RawFile | Rejection]:
        """Read a member whole, then yield it; its bytes are kept until the next one is requested."""
        data = source.read(IN_MEMORY_BYTES + 1 if size is None else min(size, IN_MEMORY_BYTES + 1))
        if len(data) <= IN_MEMORY_BYTES:
            if size is not None and len(data) < size:
                raise ArchiveFault("truncated_archive", f"it ends inside {name!r}")
            yield RawFile(name, uri, self.revision, len(data), partial(io.BytesIO, data), spool=self.spool)
            return
        if self.spool is None:
            yield Rejection(name, "too_large", f"{uri}: more than 32 MiB, and there is no spool folder.", uri=uri)
            return
        yield from self._spooled(data, source, size, name, uri)

    def _spooled(
        self, head: bytes, source: ByteReader, size: int | None, name: str, uri: str
    ) -> Iterator[RawFile | Rejection]:
        path = self._spool_path()
        raw: _SpooledFile | None = None
        try:
            with path.open("xb") as out:
                out.write(head)
                limit = self.limits.member_bytes if size is None else size
                length = len(head) + self._copy(source, out, limit - len(head), exact=size is not None)
            raw = _SpooledFile(name, uri, self.revision, length, lambda: path.open("rb"), spool=self.spool)
            raw.keep_at(path)
            yield raw
        finally:
            if raw is None or not raw.taken:
                path.unlink(missing_ok=True)

    def _copy(self, source: ByteReader, out: BinaryIO, limit: int, *, exact: bool = False) -> int:
        """Copy at most `limit` bytes: exactly that many if `exact`, else to the end of the source."""
        copied = 0
        while copied < limit or not exact:
            data = source.read(min(PIECE_BYTES, limit - copied) if exact else PIECE_BYTES)
            if not data:
                break
            copied += len(data)
            if copied > limit:
                raise ArchiveFault("archive_too_large", f"it decompresses to more than {limit:,} bytes")
            out.write(data)
        if exact and copied < limit:
            raise ArchiveFault("truncated_archive", "it ends inside a member")
        return copied

    @contextmanager
    def _seekable(self, source: ByteReader, stream: BinaryIO | None) -> Iterator[BinaryIO]:
        """Provide the archive as a seekable file: the stream itself, or a temporary copy."""
        if stream is not None and stream.seekable():
            yield stream
            return
        if self.spool is None:
            raise ArchiveFault("archive_too_large", "it must be copied to be read, and there is no spool folder")
        path = self._spool_path()
        try:
            with path.open("xb") as out:
                self._copy(source, out, self.limits.total_bytes)
            with path.open("rb") as file:
                yield file
        finally:
            path.unlink(missing_ok=True)

    def _spool_path(self) -> Path:
        assert self.spool is not None
        return scratch_path(self.spool)

    def _count(self, position: int) -> None:
        self.totals.members += 1
        if self.totals.members > self.limits.members:
            raise ArchiveFault("too_many_members", f"it contains more than {self.limits.members:,} members")
        if position > self.limits.total_bytes:
            raise ArchiveFault("archive_too_large", f"it decompresses to more than {self.limits.total_bytes:,} bytes")

    def _refusal(self, raw: str, reason: str, why: str, place: _Place) -> Rejection:
        name = shown(raw)
        return Rejection(place.member(name), reason, f"{place.uri}!{name}: {why}.", uri=f"{place.uri}!{name}")


def _is_archive(head: bytes) -> bool:
    return is_tar(head) or head.startswith((*MAGIC.values(), *ZIP, SEVEN_ZIP))


def _ends_as_zip(stream: BinaryIO | None, name: str) -> bool:
    """Whether it ends with a zip directory, though it does not begin as a zip: its first volumes may be missing."""
    if stream is None or not name.lower().endswith(".zip") or not stream.seekable():
        return False
    return has_directory(stream)


def _member_reason(fault: ArchiveFault) -> str:
    return "wrong_password" if fault.reason == "wrong_password" else "corrupt_member"
