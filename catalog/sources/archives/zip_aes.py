"""Members of zips that are encrypted by AES, as WinZip, 7-Zip and others write them (compression method 99).

The format is WinZip's "AES Encryption Information" (AE-1 and AE-2). The true method and the length of the key stand in
the extra field 0x9901. A member's bytes are: salt (half the key's length), two bytes that tell a wrong password,
the packed data under AES in counter mode (the counter begins at 1, its low byte first), and ten bytes of HMAC-SHA-1
over the encrypted data. Password to keys: PBKDF2 with HMAC-SHA-1 and 1,000 rounds. AE-2 has no checksum of the plain
bytes, so the code at the end is what tells damage; it is held against the bytes before the last of them are handed out.
"""

from __future__ import annotations

import copy
import hashlib
import hmac
import struct
import zipfile
from typing import BinaryIO

from .safety import ArchiveFault

METHOD = 99
ROUNDS = 1000
_FIELD, _FIELD_BYTES = 0x9901, 7
_KEY_BYTES = {1: 16, 2: 24, 3: 32}
_AE_2 = 2
_CHECK_BYTES, _CODE_BYTES, _BLOCK = 2, 10, 16
_LOCAL = struct.Struct("<4s5H3I2H")


def true_method(info: zipfile.ZipInfo) -> int | None:
    """The compression below the encryption; None where the extra field is missing or damaged."""
    field = _field(info)
    return None if field is None else field[2]


def open_encrypted(file: BinaryIO, info: zipfile.ZipInfo, password: str) -> Member:
    """The plain bytes of a member of `file`.

    Raises:
        ArchiveFault: The password is wrong (`wrong_password`), or the member is damaged (`corrupt_member`).
    """
    field = _field(info)
    if field is None:
        raise ArchiveFault("corrupt_member", "what its encryption is does not stand in the directory")
    version, strength, method = field
    encrypted = _Encrypted(file, info, password, _KEY_BYTES[strength])
    plain = copy.copy(info)
    plain.compress_type, plain.compress_size = method, encrypted.size
    plain.flag_bits &= ~0x1
    if version == _AE_2:
        # Its checksum is left empty on purpose: it would tell of the plain bytes.
        del plain.CRC
    return Member(encrypted, plain)


class Member:
    """A member's plain bytes, in pieces."""

    def __init__(self, encrypted: _Encrypted, info: zipfile.ZipInfo) -> None:
        self._encrypted = encrypted
        self._left = info.file_size
        self._plain = zipfile.ZipExtFile(encrypted, "r", info)

    def read(self, size: int) -> bytes:
        data = self._plain.read(size)
        self._left -= len(data)
        if self._left <= 0 or not data:
            # A reader may stop at the size: the last bytes go out only when the code holds.
            self._encrypted.verify()
        return data

    def close(self) -> None:
        self._plain.close()


class _Encrypted:
    """The packed bytes, decrypted as they are read."""

    def __init__(self, file: BinaryIO, info: zipfile.ZipInfo, password: str, key_bytes: int) -> None:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        salt_bytes = key_bytes // 2
        self.size = info.compress_size - salt_bytes - _CHECK_BYTES - _CODE_BYTES
        if self.size < 0:
            raise ArchiveFault("corrupt_member", f"it has {info.compress_size} bytes, too few for what is encrypted")
        self._file = file
        self._at = _data_offset(file, info)
        head = self._take(salt_bytes + _CHECK_BYTES)
        made = hashlib.pbkdf2_hmac("sha1", password.encode(), head[:salt_bytes], ROUNDS, 2 * key_bytes + _CHECK_BYTES)
        if made[2 * key_bytes :] != head[salt_bytes:]:
            raise ArchiveFault("wrong_password", "the password does not open it")
        self._code = hmac.new(made[key_bytes : 2 * key_bytes], digestmod="sha1")
        # Counter mode by hand: the library counts with the high byte first.
        self._blocks = Cipher(algorithms.AES(made[:key_bytes]), modes.ECB()).encryptor()
        self._left = self.size
        self._counter = 1
        self._stream = b""
        self._verified = False

    def read(self, size: int = -1, /) -> bytes:
        count = self._left if size < 0 else min(size, self._left)
        if not count:
            return b""
        data = self._take(count)
        self._left -= count
        self._code.update(data)
        return self._applied(data)

    def verify(self) -> None:
        """Read what is left, and hold the code at the end against all of it.

        Raises:
            ArchiveFault: It is another.
        """
        if self._verified:
            return
        while self._left:
            self.read(256 * 1024)
        if not hmac.compare_digest(self._take(_CODE_BYTES), self._code.digest()[:_CODE_BYTES]):
            raise ArchiveFault("corrupt_member", "its bytes are damaged (their authentication code is another)")
        self._verified = True

    def close(self) -> None:
        """The file belongs to the archive."""

    def _take(self, count: int) -> bytes:
        self._file.seek(self._at)
        data = self._file.read(count)
        self._at += len(data)
        if len(data) < count:
            raise ArchiveFault("corrupt_member", "it ends too early")
        return data

    def _applied(self, data: bytes) -> bytes:
        import numpy as np

        missing = -(-(len(data) - len(self._stream)) // _BLOCK)
        if missing > 0:
            counters = np.zeros((missing, 2), "<u8")
            counters[:, 0] = np.arange(self._counter, self._counter + missing, dtype="<u8")
            self._stream += self._blocks.update(counters.tobytes())
            self._counter += missing
        used, self._stream = self._stream[: len(data)], self._stream[len(data) :]
        return bytes(np.frombuffer(data, "u1") ^ np.frombuffer(used, "u1"))


def _field(info: zipfile.ZipInfo) -> tuple[int, int, int] | None:
    """Version, strength and true method of the extra field."""
    extra = info.extra
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        if kind == _FIELD and length >= _FIELD_BYTES and len(extra) >= 4 + _FIELD_BYTES:
            version, vendor, strength, method = struct.unpack_from("<H2sBH", extra, 4)
            return (version, strength, method) if vendor == b"AE" and strength in _KEY_BYTES else None
        extra = extra[4 + length :]
    return None


def _data_offset(file: BinaryIO, info: zipfile.ZipInfo) -> int:
    file.seek(info.header_offset)
    head = file.read(_LOCAL.size)
    if len(head) < _LOCAL.size or not head.startswith(b"PK\x03\x04"):
        raise ArchiveFault("corrupt_member", "its header is damaged")
    *_, name_length, extra_length = _LOCAL.unpack(head)
    return info.header_offset + _LOCAL.size + int(name_length) + int(extra_length)
