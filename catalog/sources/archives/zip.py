"""The zip format as a list of entries, read from a seekable file: its directory is at its end.

A truncated zip has lost that directory, so nothing in it can be read; every member has a checksum, so a damaged member
is detected and the others are still read. Zips split into volumes are joined first (`split_zip.py`). Encrypted members
are decrypted with a password: the legacy cipher by `zipfile`, WinZip's AES (method 99) by pyzipper, which supports
both. AES has an authentication code over a member's compressed bytes, which is verified before the last plain bytes are
returned.
"""

from __future__ import annotations

import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import IO, Any, BinaryIO, cast

from .decompress import PIECE_BYTES
from .name_encoding import encoding_of, possible_encodings
from .safety import ArchiveFault, Limits
from .split_zip import Assembled, assembled

READABLE = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA})
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    IndexError,
    KeyError,
    RuntimeError,
)
"""Errors of `zipfile` and pyzipper on damaged bytes, which they are not written for."""

UTF8_NAME = 0x800
UNICODE_PATH = 0x7075
ENCRYPTED = 0x1
UNIX = 3
AES = 99
"""The compression method of a member encrypted with AES."""


class ZipEntry:
    """One member.

    Attributes:
        name, kind, size: As in a tar entry.
        packed: Its compressed size in the archive, in bytes.
        refused: Reason and detail, if it cannot be read at all.
    """

    def __init__(
        self,
        archive: Any,
        whole: BinaryIO | Assembled,
        info: Any,
        limits: Limits,
        password: str | None,
        names: _Names,
    ) -> None:
        self.name = names.of(info)
        self.kind = _kind(info)
        self.size = info.file_size
        self.packed = info.compress_size
        self.refused = _refused(info, limits, password) or names.refusal(info)
        self._password = password if info.flag_bits & ENCRYPTED else None
        self._archive = archive
        self._whole = whole
        self._info = info
        self._file: IO[bytes] | None = None

    def take(self) -> bytes:
        """Return the next bytes, `b""` at the end.

        Raises:
            ArchiveFault: Damaged; the checksum is verified at the end of the bytes.
        """
        try:
            if self._file is None:
                self._file = self._open()
            return self._file.read(PIECE_BYTES)
        except _damage(self._info) as error:
            raise self._fault(error) from error

    def _open(self) -> IO[bytes]:
        if isinstance(self._whole, Assembled):
            self._whole.check(self._info.header_offset)
        password = None if self._password is None else self._password.encode()
        return cast("IO[bytes]", self._archive.open(self._info, pwd=password))

    def _fault(self, error: Exception) -> ArchiveFault:
        if self._password is not None and not _is_aes(self._info):
            # The legacy cipher checks the password by one byte: too weak to tell a wrong password from damage.
            return ArchiveFault("wrong_password", "the password does not open it, or its bytes are damaged")
        if self._password is not None and type(error) is RuntimeError:
            return ArchiveFault("wrong_password", "the password does not open it")
        return ArchiveFault("corrupt_member", f"its bytes are damaged ({error})")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def zip_entries(file: BinaryIO, limits: Limits, password: str | None = None) -> Iterator[ZipEntry]:
    """Yield the members in the order of the directory, without folders.

    Raises:
        ArchiveFault: The directory is missing or damaged, or the volumes do not belong together.
    """
    whole = assembled(file)
    try:
        archive = zipfile.ZipFile(cast("IO[bytes]", whole))
    except DAMAGE as error:
        reason = "truncated_archive" if "not a zip file" in str(error) else "corrupt_archive"
        raise ArchiveFault(reason, f"the directory at its end is missing or damaged ({error})") from error
    with archive:
        infos = archive.infolist()
        if any(info.compress_type == AES for info in infos):
            yield from _aes_entries(whole, limits, password)
            return
        names = _Names(infos)
        for info in infos:
            entry = ZipEntry(archive, whole, info, limits, password, names)
            if not entry.name.endswith("/"):
                yield entry


def _aes_entries(whole: BinaryIO | Assembled, limits: Limits, password: str | None) -> Iterator[ZipEntry]:
    import pyzipper

    try:
        archive = pyzipper.AESZipFile(whole)
    except (*DAMAGE, pyzipper.BadZipFile) as error:
        raise ArchiveFault("corrupt_archive", f"the directory at its end is damaged ({error})") from error
    with archive:
        names = _Names(archive.infolist())
        for info in archive.infolist():
            entry = ZipEntry(archive, whole, info, limits, password, names)
            if not entry.name.endswith("/"):
                yield entry


def _damage(info: Any) -> tuple[type[Exception], ...]:
    """Return the errors on damaged bytes of a member: pyzipper's error class is not that of `zipfile`."""
    if isinstance(info, zipfile.ZipInfo):
        return DAMAGE
    import pyzipper

    return (*DAMAGE, pyzipper.BadZipFile)


def _is_aes(info: Any) -> bool:
    return getattr(info, "wz_aes_version", None) is not None


class _Names:
    """The names of all members: UTF-8 if valid, whatever the flag says, as some tools forget to set it; else decoded
    by what all other names of the archive have in common."""

    def __init__(self, infos: Sequence[Any]) -> None:
        self._raw = [raw for info in infos if isinstance(raw := _decoded(info), bytes)]
        self._encoding = encoding_of(self._raw) if self._raw else None

    def of(self, info: Any) -> str:
        name = _decoded(info)
        if isinstance(name, bytes):
            # Without an encoding a backslash may be half of a character.
            if self._encoding is None:
                return name.decode("ascii", "surrogateescape")
            name = name.decode(self._encoding)
        # Zips made on Windows by old tools separate folders by backslashes.
        return name.replace("\\", "/")

    def refusal(self, info: Any) -> tuple[str, str] | None:
        """Reason and detail, if the name of a member cannot be told."""
        if self._encoding is not None or not isinstance(_decoded(info), bytes):
            return None
        fitting = possible_encodings(self._raw)
        return "name_encoding", (
            f"its name is not UTF-8, and whether it is {fitting} can't be told; unpack the archive with the right one "
            "(unzip -O ENCODING) and give the folder with --from"
        )


def _decoded(info: Any) -> str | bytes:
    """The name of a member; its bytes if they are not UTF-8 and nothing says what they are."""
    # `zipfile` cuts a name at a null byte; the part before it may look harmless.
    name: str = info.orig_filename
    if info.flag_bits & UTF8_NAME or name.isascii():
        return name
    try:
        raw = name.encode("cp437")
    except UnicodeError:
        return name
    try:
        return _unicode_name(info.extra, raw) or raw.decode("utf-8")
    except UnicodeError:
        return raw


def _unicode_name(extra: bytes, raw: bytes) -> str | None:
    """Return the UTF-8 name that some tools add to one in their local code page (Info-ZIP's field 0x7075)."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        field = extra[4 : 4 + length]
        # The field belongs to this name only if it has its checksum.
        if kind == UNICODE_PATH and len(field) > 5 and struct.unpack_from("<BI", field) == (1, zlib.crc32(raw)):
            return field[5:].decode("utf-8")
        extra = extra[4 + length :]
    return None


def _kind(info: Any) -> str:
    mode = info.external_attr >> 16 if info.create_system == UNIX else 0
    if stat.S_ISLNK(mode):
        return "link"
    return "file" if stat.S_IFMT(mode) in (0, stat.S_IFREG) else "special"


def _refused(info: Any, limits: Limits, password: str | None) -> tuple[str, str] | None:
    if info.flag_bits & ENCRYPTED and password is None:
        return "encrypted", "it is encrypted; a password is needed"
    if info.compress_type not in READABLE:
        return "unsupported_compression", f"compression method {info.compress_type} is not supported"
    if info.file_size > limits.ratio_grace and info.file_size > limits.ratio * max(info.compress_size, 1):
        return "inflation_bomb", f"{info.compress_size:,} bytes decompress to {info.file_size:,}"
    return None
