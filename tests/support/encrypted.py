"""Encrypted archives, made by hand after their formats."""

from __future__ import annotations

import hashlib
import hmac
import io
import struct
import zlib

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from support.archives import Files

SECRET, WRONG = "correct hörse", "wrong battery"


def by_hand(plain: bytes, password: str = SECRET, salt: bytes = b"8 bytes!") -> bytes:
    """As `openssl enc -aes-256-cbc -salt -pbkdf2` writes it."""
    made = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 10_000, 48)
    cipher = Cipher(algorithms.AES(made[:32]), modes.CBC(made[32:])).encryptor()
    fill = 16 - len(plain) % 16
    return b"Salted__" + salt + cipher.update(plain + bytes([fill]) * fill) + cipher.finalize()


def aes_zip(files: Files, *, version: int = 2, strength: int = 3, method: int = 8, password: str = SECRET) -> bytes:
    """After WinZip's AES Encryption Information: AE-1 keeps the checksum, AE-2 does not."""
    out, lines = io.BytesIO(), []
    for name, data in files.items():
        deflate = zlib.compressobj(wbits=-15)
        packed = deflate.compress(data) + deflate.flush() if method == 8 else data
        body, raw = sealed(packed, strength, password), name.encode()
        extra = struct.pack("<2HH2sBH", 0x9901, 7, version, b"AE", strength, method)
        told = struct.pack("<5H3I2H", 51, 1, 99, 0, 33, zlib.crc32(data) if version == 1 else 0, len(body), len(data),
                           len(raw), len(extra))  # fmt: skip
        lines.append(
            b"PK\1\2" + struct.pack("<H", 51) + told + struct.pack("<3H2I", 0, 0, 0, 0, out.tell()) + raw + extra
        )
        out.write(b"PK\3\4" + told + raw + extra + body)
    begin = out.tell()
    out.write(b"".join(lines))
    out.write(struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, len(lines), len(lines), out.tell() - begin, begin, 0))
    return out.getvalue()


def sealed(packed: bytes, strength: int, password: str) -> bytes:
    length = 8 * (strength + 1)
    salt = bytes(range(length // 2))
    made = hashlib.pbkdf2_hmac("sha1", password.encode(), salt, 1000, 2 * length + 2)
    blocks = Cipher(algorithms.AES(made[:length]), modes.ECB()).encryptor()
    counted = b"".join(blocks.update(n.to_bytes(16, "little")) for n in range(1, len(packed) // 16 + 2))
    body = bytes(a ^ b for a, b in zip(packed, counted, strict=False))
    return salt + made[-2:] + body + hmac.new(made[length : 2 * length], body, "sha1").digest()[:10]
