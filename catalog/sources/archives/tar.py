"""The tar format as a stream of entries: ustar, GNU (long names) and pax, parsed from the headers.

`tarfile` reads streams too, but takes a damaged or truncated header for the end of the archive; a corpus would silently
lose its second half. Here only an end-of-archive mark ends it, and everything else is an `ArchiveFault`.

Sparse files are entries of kind `special`: their bytes in the archive differ from their bytes on disk.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from .decompress import ByteReader
from .safety import ArchiveFault, Limits

BLOCK = 512
END_MARK = b"\0" * BLOCK
REGULAR = frozenset({tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE})
LINKS = frozenset({tarfile.LNKTYPE, tarfile.SYMTYPE})
WITHOUT_DATA = LINKS | {tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE}
PAX = frozenset({tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE})
PAX_RECORD = re.compile(rb"(\d{1,20}) ([^=\n]+)=")
LONG_NAMES = frozenset({tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK})


@dataclass(frozen=True, slots=True)
class Entry:
    """One member: `kind` is `file`, `directory`, `link` or `special`; `size` is its size in the archive, in bytes."""

    name: str
    kind: str
    size: int


def is_tar(head: bytes) -> bool:
    """Whether a stream that begins with these 512 bytes is a tar."""
    if len(head) < BLOCK:
        return False
    if head == END_MARK:
        return True
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return True


def entries(source: ByteReader, limits: Limits, *, end_known: bool) -> Iterator[Entry]:
    """Yield the members in order. After each, its data may be read from `source`; the unread rest is skipped.

    Args:
        end_known: Whether the compression format vouches for the whole stream, so that the end mark may be missing.

    Raises:
        ArchiveFault: Truncated or damaged.
    """
    reader = _HeaderReader(source, limits)
    while (header := reader.next(end_known=end_known)) is not None:
        info, name, size, sparse = header
        data = 0 if info.type in WITHOUT_DATA else size
        following = source.position + _padded(data)
        yield Entry(name, _kind(info, sparse=sparse), data)
        if not source.skip(following - source.position):
            raise ArchiveFault("truncated_archive", f"it ends inside {name!r}")


class _HeaderReader:
    def __init__(self, source: ByteReader, limits: Limits) -> None:
        self._source = source
        self._limits = limits
        self._global: dict[str, bytes] = {}

    def next(self, *, end_known: bool) -> tuple[tarfile.TarInfo, str, int, bool] | None:
        """Return the next member's header with the extended headers before it applied; None at the end mark."""
        local: dict[str, bytes] = {}
        long_name: bytes | None = None
        while True:
            info = self._header(end_known=end_known and not local and long_name is None)
            if info is None:
                return None
            if info.type in LONG_NAMES:
                value = self._extended(info).split(b"\0", 1)[0]
                long_name = value if info.type == tarfile.GNUTYPE_LONGNAME else long_name
            elif info.type in PAX:
                local.update(_records(self._extended(info)))
            elif info.type == tarfile.XGLTYPE:
                self._global.update(_records(self._extended(info)))
            else:
                return self._member(info, {**self._global, **local}, long_name)

    def _member(
        self, info: tarfile.TarInfo, records: dict[str, bytes], long_name: bytes | None
    ) -> tuple[tarfile.TarInfo, str, int, bool]:
        given = records.get("path", long_name)
        name = info.name if given is None else given.decode("utf-8", "surrogateescape")
        size = _whole_number(records["size"]) if "size" in records else info.size
        if size < 0:
            raise ArchiveFault("corrupt_archive", f"{name!r} has a size of {size}")
        sparse = info.type == tarfile.GNUTYPE_SPARSE or any(key.startswith("GNU.sparse.") for key in records)
        return info, name, size, sparse

    def _header(self, *, end_known: bool) -> tarfile.TarInfo | None:
        block = self._source.read(BLOCK)
        if block == END_MARK or (not block and end_known):
            return None
        if len(block) < BLOCK:
            where = "inside a header" if block else "without an end mark"
            raise ArchiveFault("truncated_archive", f"it ends {where}")
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except (tarfile.HeaderError, ValueError) as error:
            raise ArchiveFault("corrupt_archive", f"a header is damaged ({error})") from error
        if info.type == tarfile.GNUTYPE_SPARSE:
            self._skip_sparse_maps(block)
        return info

    def _skip_sparse_maps(self, block: bytes) -> None:
        more = block[482]
        while more:
            extension = self._source.read(BLOCK)
            if len(extension) < BLOCK:
                raise ArchiveFault("truncated_archive", "it ends inside a header")
            more = extension[504]

    def _extended(self, info: tarfile.TarInfo) -> bytes:
        if not 0 <= info.size <= self._limits.header_bytes:
            raise ArchiveFault("corrupt_archive", f"an extended header has a size of {info.size:,} bytes")
        data = self._source.read(_padded(info.size))
        if len(data) < info.size:
            raise ArchiveFault("truncated_archive", "it ends inside a header")
        return data[: info.size]


def _records(data: bytes) -> dict[str, bytes]:
    """The records of a pax header: `<length> <key>=<value>\\n` each (POSIX.1-2001, pax)."""
    records: dict[str, bytes] = {}
    position = 0
    while position < len(data) and data[position]:
        match = PAX_RECORD.match(data, position)
        length = int(match[1]) if match else 0
        end = position + length
        if match is None or end > len(data) or end <= match.end() - 1 or data[end - 1 : end] != b"\n":
            raise ArchiveFault("corrupt_archive", "an extended header is damaged")
        records[match[2].decode("utf-8", "surrogateescape")] = data[match.end() : end - 1]
        position = end
    return records


def _whole_number(text: bytes) -> int:
    if not text.isdigit() or len(text) > 20:
        raise ArchiveFault("corrupt_archive", f"an extended header has the invalid size {text[:30]!r}")
    return int(text)


def _kind(info: tarfile.TarInfo, *, sparse: bool) -> str:
    if sparse:
        return "special"
    if info.type in REGULAR:
        return "file"
    if info.type == tarfile.DIRTYPE:
        return "directory"
    return "link" if info.type in LINKS else "special"


def _padded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK
