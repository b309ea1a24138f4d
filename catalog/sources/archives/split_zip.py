"""Zips split into volumes (`a.z01`, `a.z02`, ... `a.zip`), read as one file.

The directory is at the end of the last volume. It locates each member, and itself, by the number of the volume where it
begins and the offset there (PKWARE's APPNOTE.TXT, 4.3.12 to 4.3.16 and 4.4.11 to 4.4.16); members continue from one
volume to the next. `assembled` appends a directory with offsets in the joined file, so that any zip reader can read it.

Volumes that do not belong together are a `VolumeFault`. The count in the directory reveals missing or extra volumes,
the members that must fit reveal a truncated one, and the headers expected in it reveal one of another archive. The last
check is made only when a member of the volume is read: `Assembled.check`.
"""

from __future__ import annotations

import io
import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import BinaryIO, NamedTuple

from .part_names import missing_names
from .safety import ArchiveFault
from .split_files import JoinedStream

SPLIT = (b"PK\x07\x08", b"PK00PK")
"""First bytes of the first volume: the marker of a split zip, or of one that ended up as a single volume."""

_END = struct.Struct("<4s4H2IH")
_END_MAGIC, _END64_MAGIC, _PLACE64_MAGIC = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_PLACE64 = struct.Struct("<4sIQI")
_END64 = struct.Struct("<4sQ2H2I4Q")
_MEMBER = struct.Struct("<4s6H3I5H2I")
_MEMBER_MAGIC, _LOCAL_MAGIC, _LOCAL_BYTES = b"PK\x01\x02", b"PK\x03\x04", 30
_COMMENT_BYTES = 0xFFFF
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_ZIP64 = 1
_PROOFS = 2


class VolumeFault(ArchiveFault):
    """The volumes do not belong together; none of them can be trusted."""


class _End(NamedTuple):
    """The end of central directory record."""

    volume: int
    first_volume: int
    members: int
    size: int
    offset: int
    before: int
    """Offset in the joined file before which the directory must end."""


@dataclass(frozen=True, slots=True)
class _Member:
    """One directory entry: the member's start in the joined file, its minimum size, and the rewritten entry."""

    start: int
    least: int
    volume: int
    raw_name: bytes
    entry: bytes


def has_directory(file: BinaryIO) -> bool:
    """Whether the file ends with a zip directory, whatever it begins with."""
    return _end(file) is not None


def assembled(file: BinaryIO) -> BinaryIO | Assembled:
    """Return `file` if it is a zip in one volume (or one split at arbitrary bytes), else its volumes as one zip.

    Raises:
        VolumeFault: The volumes do not belong together, or only the last one is given.
        ArchiveFault: The directory is damaged.
    """
    end = _end(file)
    if end is None:
        if isinstance(file, JoinedStream) and _begins_split(file):
            raise VolumeFault(
                "truncated_archive", f"its last volume, with the directory, is missing{_list_missing(file)}"
            )
        return file
    if end.volume == 0 or end.volume == _FULL16:
        if (missing := end.offset + end.size - end.before) > 0:
            raise ArchiveFault("truncated_archive", f"{missing:,} bytes are missing before the directory at its end")
        return file
    if not isinstance(file, JoinedStream):
        detail = f"it is the last of {end.volume + 1} volumes, which must be read together: give their folder"
        raise VolumeFault("truncated_archive", detail)
    if end.volume + 1 != len(file.sizes):
        raise VolumeFault("truncated_archive", _wrong_count(file, end.volume + 1))
    return Assembled(file, end)


class Assembled(io.RawIOBase):
    """The volumes followed by a directory of joined offsets: a zip in one volume."""

    def __init__(self, volumes: JoinedStream, end: _End) -> None:
        super().__init__()
        self._volumes = volumes
        self._starts = list(accumulate(volumes.sizes, initial=0))
        members = list(_members(volumes, self._starts, end))
        _check_space(volumes, self._starts, members, self._starts[end.first_volume] + end.offset)
        self._proofs: dict[int, list[_Member]] = {}
        for member in members:
            proofs = self._proofs.setdefault(member.volume, [])
            if len(proofs) < _PROOFS:
                proofs.append(member)
        self._directory = _directory([member.entry for member in members], self._starts[-1])
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        size = self._starts[-1] + len(self._directory)
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: size}[whence]
        if origin + offset < 0:
            raise ValueError(f"seek to {origin + offset}, before the start")
        self._position = origin + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        volumes = self._starts[-1]
        data = b""
        if self._position < volumes:
            self._volumes.seek(self._position)
            data = self._volumes.read(volumes - self._position if size < 0 else min(size, volumes - self._position))
            self._position += len(data)
        if self._position >= volumes and (size < 0 or len(data) < size):
            inside = self._position - volumes
            more = self._directory[inside : None if size < 0 else inside + size - len(data)]
            self._position += len(more)
            data += more
        return data

    def check(self, offset: int) -> None:
        """Check the volume where a member begins against the directory, on its first use.

        Raises:
            VolumeFault: It belongs to another archive.
        """
        volume = bisect_right(self._starts, offset) - 1
        proofs = self._proofs.pop(volume, [])
        # A single header may be damaged; that affects one member and is found when it is read.
        if proofs and not any(self._is_in_place(member) for member in proofs):
            last = len(self._starts) - 2
            names = f"{self._volumes.name_of(volume)} and the directory in {self._volumes.name_of(last)}"
            raise VolumeFault("corrupt_archive", f"{names} do not belong to one archive, or the volume is damaged")

    def _is_in_place(self, member: _Member) -> bool:
        self._volumes.seek(member.start)
        found = self._volumes.read(_LOCAL_BYTES + len(member.raw_name))
        return found.startswith(_LOCAL_MAGIC) and found[_LOCAL_BYTES:] == member.raw_name


def _end(file: BinaryIO) -> _End | None:
    size = file.seek(0, io.SEEK_END)
    from_here = max(0, size - _END.size - _COMMENT_BYTES - _PLACE64.size)
    file.seek(from_here)
    tail = file.read(size - from_here)
    at = tail.rfind(_END_MAGIC)
    if at < 0 or len(tail) - at < _END.size:
        return None
    _, volume, first, _, count, length, offset, _ = _END.unpack_from(tail, at)
    end = _End(volume, first, count, length, offset, from_here + at)
    place = tail[max(0, at - _PLACE64.size) : at]
    if len(place) == _PLACE64.size and place.startswith(_PLACE64_MAGIC):
        return _end64(file, place, end)
    return end


def _end64(file: BinaryIO, place: bytes, end: _End) -> _End:
    """Return the zip64 end of central directory record instead."""
    _, volume, offset, volumes = _PLACE64.unpack(place)
    at = end.before - _PLACE64.size - _END64.size
    if volumes > 1:
        if not isinstance(file, JoinedStream):
            return end._replace(volume=volumes - 1)
        if volumes != len(file.sizes) or volume >= volumes:
            raise VolumeFault("truncated_archive", _wrong_count(file, volumes))
        at = sum(file.sizes[:volume]) + offset
    file.seek(max(0, at))
    data = file.read(_END64.size)
    if len(data) < _END64.size or not data.startswith(_END64_MAGIC):
        if volumes > 1:
            raise VolumeFault("corrupt_archive", "the directory at its end is damaged (a record is not at its offset)")
        # In a single volume the record may be longer; leave that to `zipfile`.
        return end._replace(volume=0, size=0, offset=0)
    _, _, _, _, last, first, _, count, length, begin = _END64.unpack(data)
    return _End(last, first, count, length, begin, at)


def _members(volumes: JoinedStream, starts: list[int], end: _End) -> Iterator[_Member]:
    if end.first_volume >= len(starts) - 1:
        raise VolumeFault("truncated_archive", _wrong_count(volumes, end.first_volume + 1))
    begin = starts[end.first_volume] + end.offset
    if begin + end.size > starts[-1]:
        raise VolumeFault("truncated_archive", f"the directory at its end is truncated{_doubt(volumes)}")
    volumes.seek(begin)
    data = volumes.read(end.size)
    position = 0
    for _ in range(end.members):
        if data[position : position + 4] != _MEMBER_MAGIC or position + _MEMBER.size > len(data):
            raise VolumeFault("corrupt_archive", f"the directory is not at its offset{_doubt(volumes)}")
        member, position = _member(volumes, starts, data, position)
        yield member


def _member(volumes: JoinedStream, starts: list[int], data: bytes, position: int) -> tuple[_Member, int]:
    fields = list(_MEMBER.unpack_from(data, position))
    packed, size, name_length, extra_length, comment_length, volume, offset = (
        fields[8], fields[9], fields[10], fields[11], fields[12], fields[13], fields[16],
    )  # fmt: skip
    at = position + _MEMBER.size
    name = data[at : at + name_length]
    extra, wide = _extra(data[at + name_length : at + name_length + extra_length])
    following = at + name_length + extra_length + comment_length
    comment = data[following - comment_length : following]
    kept = b""
    if size == _FULL32:
        kept += wide.take(8)
    if packed == _FULL32:
        taken = wide.take(8)
        packed = int.from_bytes(taken, "little")
        kept += taken
    if offset == _FULL32:
        offset = int.from_bytes(wide.take(8), "little")
    if volume == _FULL16:
        volume = int.from_bytes(wide.take(4), "little")
    start = _place(volumes, starts, volume, offset, name)
    if start >= _FULL32:
        kept += start.to_bytes(8, "little")
    if kept:
        extra = struct.pack("<2H", _ZIP64, len(kept)) + kept + extra
    fields[11], fields[13], fields[16] = len(extra), 0, min(start, _FULL32)
    entry = _MEMBER.pack(*fields) + name + extra + comment
    return _Member(start, _LOCAL_BYTES + len(name) + packed, volume, name, entry), following


def _place(volumes: JoinedStream, starts: list[int], volume: int, offset: int, name: bytes) -> int:
    if volume >= len(starts) - 1:
        raise VolumeFault("truncated_archive", _wrong_count(volumes, volume + 1))
    if offset >= starts[volume + 1] - starts[volume]:
        shown = name.decode("utf-8", "backslashreplace")[:200]
        detail = f"{volumes.name_of(volume)} is truncated: {shown!r} begins in it at byte {offset:,}"
        raise VolumeFault(
            "truncated_archive", f"{detail}, but it has only {starts[volume + 1] - starts[volume]:,} bytes"
        )
    return starts[volume] + offset


class _Wide:
    """The values of a zip64 field, which replace 32-bit and 16-bit fields that overflow."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def take(self, count: int) -> bytes:
        taken, self._data = self._data[:count], self._data[count:]
        if len(taken) < count:
            raise ArchiveFault("corrupt_archive", "the directory at its end is damaged (a zip64 value is missing)")
        return taken


def _extra(data: bytes) -> tuple[bytes, _Wide]:
    """Split a member's extra fields into the others and the zip64 one."""
    kept, wide = b"", b""
    while len(data) >= 4:
        kind, length = struct.unpack_from("<2H", data)
        if kind == _ZIP64:
            wide = data[4 : 4 + length]
        else:
            kept += data[: 4 + length]
        data = data[4 + length :]
    return kept, _Wide(wide)


def _check_space(volumes: JoinedStream, starts: list[int], members: list[_Member], directory: int) -> None:
    """Check that every member that continues in the next volume has enough space."""
    ordered = sorted(members, key=lambda member: member.start)
    following = [(member.start, member.volume) for member in ordered[1:]]
    following.append((directory, bisect_right(starts, directory) - 1))
    for member, (end, volume) in zip(ordered, following, strict=False):
        missing = member.start + member.least - end
        if missing > 0 and volume > member.volume:
            names = " or ".join(volumes.name_of(number) for number in _likely_cut(volumes, member.volume, volume))
            detail = f"at least {missing:,} bytes are missing at the end of {names}"
            raise VolumeFault("truncated_archive", f"{detail}{_doubt(volumes)}")


def _likely_cut(volumes: JoinedStream, first: int, end: int) -> list[int]:
    """Return those volumes that are shorter than the longest: all but the last have the same size."""
    sizes = volumes.sizes
    return [number for number in range(first, end) if sizes[number] < max(sizes)] or list(range(first, end))


def _directory(entries: list[bytes], start: int) -> bytes:
    """Build a zip64 directory, whose fields hold any number."""
    data = b"".join(entries)
    count = len(entries)
    end64 = _END64.pack(_END64_MAGIC, _END64.size - 12, 45, 45, 0, 0, count, count, len(data), start)
    place = _PLACE64.pack(_PLACE64_MAGIC, 0, start + len(data), 1)
    end = _END.pack(_END_MAGIC, 0, 0, min(count, _FULL16), min(count, _FULL16), _FULL32, _FULL32, 0)
    return data + end64 + place + end


def _wrong_count(volumes: JoinedStream, expected: int) -> str:
    given = len(volumes.sizes)
    return f"its directory lists {expected} volumes, {given} were given{_list_missing(volumes, expected)}"


def _list_missing(volumes: JoinedStream, expected: int | None = None) -> str:
    """List the volumes that are missing according to their names, if any."""
    missing = missing_names(volumes.names, expected)
    return f": {', '.join(missing[:5])} {'is' if len(missing) == 1 else 'are'} missing" if missing else ""


def _doubt(volumes: JoinedStream) -> str:
    doubt = volumes.doubt()
    return f" ({doubt})" if doubt else ""


def _begins_split(file: JoinedStream) -> bool:
    file.seek(0)
    return file.read(len(SPLIT[0])) == SPLIT[0]
