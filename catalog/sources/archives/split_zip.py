"""Zips cut into volumes (`a.z01`, `a.z02`, ... `a.zip`), read as one file.

The directory stands at the end of the last volume. It names each member by the number of the volume it begins in and
by its offset there, and so it names itself (PKWARE's APPNOTE.TXT, 4.3.12 to 4.3.16 and 4.4.11 to 4.4.16); members go
on from one volume to the next. `assembled` puts a directory of offsets in the joined file behind the volumes, so that
any reader of zips can read them.

Volumes that are not of one archive are found out, as a `VolumeFault`: too few or too many by the count in the
directory, one that is short by the members that must fit in it, one of another archive by the headers that must stand
in it. That last one is looked at only when a member of it is read: `Assembled.check`.
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
"""How the first volume begins: the marker of several volumes, or of what was to be several and became one."""

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
    """The volumes are not all of one archive; none of them can be relied on."""


class _End(NamedTuple):
    """What the record at the end says of the directory."""

    volume: int
    first_volume: int
    members: int
    size: int
    offset: int
    before: int
    """Where the directory must have ended, in the joined file."""


@dataclass(frozen=True, slots=True)
class _Member:
    """One line of the directory: where it begins in the joined file, the least it takes, and its new line."""

    start: int
    least: int
    volume: int
    raw_name: bytes
    line: bytes


def has_directory(file: BinaryIO) -> bool:
    """Whether a zip's directory stands at the end, whatever stands at the start."""
    return _end(file) is not None


def assembled(file: BinaryIO) -> BinaryIO | Assembled:
    """`file` itself where it is a zip in one volume (or cut anywhere, byte after byte), else its volumes as one zip.

    Raises:
        VolumeFault: They are not all volumes of one archive, or only the last is there.
        ArchiveFault: The directory is damaged.
    """
    end = _end(file)
    if end is None:
        if isinstance(file, JoinedStream) and _begins_split(file):
            raise VolumeFault("truncated_archive", f"its last volume, with the directory, is missing{_among(file)}")
        return file
    if end.volume == 0 or end.volume == _FULL16:
        if (missing := end.offset + end.size - end.before) > 0:
            raise ArchiveFault("truncated_archive", f"{missing:,} bytes are missing before the directory at its end")
        return file
    if not isinstance(file, JoinedStream):
        detail = f"it is the last of {end.volume + 1} volumes, which can only be read together: give the folder of all"
        raise VolumeFault("truncated_archive", detail)
    if end.volume + 1 != len(file.sizes):
        raise VolumeFault("truncated_archive", _miscounted(file, end.volume + 1))
    return Assembled(file, end)


class Assembled(io.RawIOBase):
    """The volumes with a directory of joined offsets behind them: a zip of one volume."""

    def __init__(self, volumes: JoinedStream, end: _End) -> None:
        super().__init__()
        self._volumes = volumes
        self._starts = list(accumulate(volumes.sizes, initial=0))
        members = list(_members(volumes, self._starts, end))
        _hold_together(volumes, self._starts, members, self._starts[end.first_volume] + end.offset)
        self._proofs: dict[int, list[_Member]] = {}
        for member in members:
            proofs = self._proofs.setdefault(member.volume, [])
            if len(proofs) < _PROOFS:
                proofs.append(member)
        self._directory = _directory([member.line for member in members], self._starts[-1])
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
        """Hold the volume that a member begins in against the directory, the first time that it is asked for.

        Raises:
            VolumeFault: It is of another archive.
        """
        volume = bisect_right(self._starts, offset) - 1
        proofs = self._proofs.pop(volume, [])
        # One header may be damaged by itself; that is the member's own fault and is found when it is read.
        if proofs and not any(self._stands(member) for member in proofs):
            last = len(self._starts) - 2
            names = f"{self._volumes.name_of(volume)} and the directory in {self._volumes.name_of(last)}"
            raise VolumeFault("corrupt_archive", f"{names} are not of one archive, or the volume is damaged")

    def _stands(self, member: _Member) -> bool:
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
    """What the record of large numbers says instead."""
    _, volume, offset, volumes = _PLACE64.unpack(place)
    at = end.before - _PLACE64.size - _END64.size
    if volumes > 1:
        if not isinstance(file, JoinedStream):
            return end._replace(volume=volumes - 1)
        if volumes != len(file.sizes) or volume >= volumes:
            raise VolumeFault("truncated_archive", _miscounted(file, volumes))
        at = sum(file.sizes[:volume]) + offset
    file.seek(max(0, at))
    data = file.read(_END64.size)
    if len(data) < _END64.size or not data.startswith(_END64_MAGIC):
        if volumes > 1:
            raise VolumeFault("corrupt_archive", "the directory at its end is damaged (a record is not where it says)")
        # In one volume it may be longer; `zipfile` judges it.
        return end._replace(volume=0, size=0, offset=0)
    _, _, _, _, last, first, _, count, length, begin = _END64.unpack(data)
    return _End(last, first, count, length, begin, at)


def _members(volumes: JoinedStream, starts: list[int], end: _End) -> Iterator[_Member]:
    if end.first_volume >= len(starts) - 1:
        raise VolumeFault("truncated_archive", _miscounted(volumes, end.first_volume + 1))
    begin = starts[end.first_volume] + end.offset
    if begin + end.size > starts[-1]:
        raise VolumeFault("truncated_archive", f"the directory at its end is cut{_doubt(volumes)}")
    volumes.seek(begin)
    data = volumes.read(end.size)
    position = 0
    for _ in range(end.members):
        if data[position : position + 4] != _MEMBER_MAGIC or position + _MEMBER.size > len(data):
            raise VolumeFault("corrupt_archive", f"the directory is not where it says{_doubt(volumes)}")
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
    line = _MEMBER.pack(*fields) + name + extra + comment
    return _Member(start, _LOCAL_BYTES + len(name) + packed, volume, name, line), following


def _place(volumes: JoinedStream, starts: list[int], volume: int, offset: int, name: bytes) -> int:
    if volume >= len(starts) - 1:
        raise VolumeFault("truncated_archive", _miscounted(volumes, volume + 1))
    if offset >= starts[volume + 1] - starts[volume]:
        shown = name.decode("utf-8", "backslashreplace")[:200]
        detail = f"{volumes.name_of(volume)} is cut: {shown!r} begins in it at byte {offset:,}"
        raise VolumeFault("truncated_archive", f"{detail}, and it has {starts[volume + 1] - starts[volume]:,}")
    return starts[volume] + offset


class _Wide:
    """The values of a zip64 field, which hold what the fields of 32 and 16 bits could not."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def take(self, count: int) -> bytes:
        taken, self._data = self._data[:count], self._data[count:]
        if len(taken) < count:
            raise ArchiveFault("corrupt_archive", "the directory at its end is damaged (a large number is missing)")
        return taken


def _extra(data: bytes) -> tuple[bytes, _Wide]:
    """A member's extra fields without its zip64 one, and that one."""
    kept, wide = b"", b""
    while len(data) >= 4:
        kind, length = struct.unpack_from("<2H", data)
        if kind == _ZIP64:
            wide = data[4 : 4 + length]
        else:
            kept += data[: 4 + length]
        data = data[4 + length :]
    return kept, _Wide(wide)


def _hold_together(volumes: JoinedStream, starts: list[int], members: list[_Member], directory: int) -> None:
    """Every member that goes on in the next volume must have its room."""
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
    """Of some volumes those that are shorter than the longest, as all but the last are of one size."""
    sizes = volumes.sizes
    return [number for number in range(first, end) if sizes[number] < max(sizes)] or list(range(first, end))


def _directory(lines: list[bytes], start: int) -> bytes:
    """A directory in zip64, whose fields hold any number."""
    data = b"".join(lines)
    count = len(lines)
    end64 = _END64.pack(_END64_MAGIC, _END64.size - 12, 45, 45, 0, 0, count, count, len(data), start)
    place = _PLACE64.pack(_PLACE64_MAGIC, 0, start + len(data), 1)
    end = _END.pack(_END_MAGIC, 0, 0, min(count, _FULL16), min(count, _FULL16), _FULL32, _FULL32, 0)
    return data + end64 + place + end


def _miscounted(volumes: JoinedStream, wanted: int) -> str:
    here = len(volumes.sizes)
    return f"its directory counts {wanted} volumes, {here} were given{_among(volumes, wanted)}"


def _among(volumes: JoinedStream, wanted: int | None = None) -> str:
    """Which volumes by their names are missing or too many, where that can be told."""
    missing = missing_names(volumes.names, wanted)
    return f": {', '.join(missing[:5])} {'is' if len(missing) == 1 else 'are'} missing" if missing else ""


def _doubt(volumes: JoinedStream) -> str:
    doubt = volumes.doubt()
    return f" ({doubt})" if doubt else ""


def _begins_split(file: JoinedStream) -> bool:
    file.seek(0)
    return file.read(len(SPLIT[0])) == SPLIT[0]
