"""Archives made for tests, and all that `members` says of one."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import hmac
import io
import lzma
import random
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from triptych.catalog.sources.archives.reader import ByteStream, members
from triptych.converters.candidate import RawFile, Rejection

Files = dict[str, bytes]
SECRET = "correct hörse"
DRAW = random.Random(11)
CORPUS: Files = {f"Corpus/test/{n // 5}/{n:03d}.flac": DRAW.randbytes(DRAW.randrange(2000, 60_000)) for n in range(20)}
CORPUS["Corpus/test/trans.txt"] = b"HELLO WORLD\n" * 500


def tar_of(files: Files, *, format: int = tarfile.GNU_FORMAT, extra: list[tarfile.TarInfo] | None = None) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format, encoding="utf-8", errors="surrogateescape") as tar:
        for info in extra or []:
            tar.addfile(info)
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zip_of(files: Files, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


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


def openssl_stream(plain: bytes, password: str = SECRET, salt: bytes = b"8 bytes!") -> bytes:
    """As `openssl enc -aes-256-cbc -salt -pbkdf2` writes it."""
    made = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 10_000, 48)
    cipher = Cipher(algorithms.AES(made[:32]), modes.CBC(made[32:])).encryptor()
    fill = 16 - len(plain) % 16
    return b"Salted__" + salt + cipher.update(plain + bytes([fill]) * fill) + cipher.finalize()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "tar": bytes,
    "gzip": lambda data: gzip.compress(data, 6),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


def opened(data: bytes | ByteStream, **options: Any) -> Generator[RawFile | Rejection, None, None]:
    stream = io.BytesIO(data) if isinstance(data, bytes) else data
    given: dict[str, Any] = {"name": "a.tar.gz", "uri": "https://h/a.tar.gz", "revision": "sha256:1", **options}
    return members(stream, **given)


def read(data: bytes | ByteStream, **options: Any) -> tuple[list[tuple[str, bytes]], list[Rejection]]:
    """All members with their bytes, and all rejections."""
    good, bad = [], []
    for item in opened(data, **options):
        if isinstance(item, Rejection):
            bad.append(item)
        else:
            good.append((item.name, item.read()))
    return good, bad


def assert_honest(data: bytes, reasons: tuple[str, ...], **options: Any) -> list[tuple[str, bytes]]:
    """Whole members only, a prefix of them, and one rejection that names the file and how far it got."""
    good, bad = read(data, **options)
    assert good == list(CORPUS.items())[: len(good)]
    assert len(bad) == 1 and bad[0].damaged and bad[0].reason in reasons
    assert "https://h/a.tar.gz" in bad[0].detail and f"{len(good)} whole members" in bad[0].detail
    return good
