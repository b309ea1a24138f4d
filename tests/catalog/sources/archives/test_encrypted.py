"""Encrypted archives: opened by their password, and by no other; nothing of it stands in a message."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import io
import random
import shutil
import struct
import subprocess
import zlib

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from support.archives import Files, opened, read, tar_of, zip_of
from triptych.converters.candidate import Rejection

SECRET, WRONG = "correct hörse", "wrong battery"
DRAW = random.Random(5)
SOUNDS: Files = {f"audio/train/{n}.opus": DRAW.randbytes(DRAW.randrange(1, 90_000)) for n in range(12)}
has_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl tool")


def only(bad: list[Rejection]) -> Rejection:
    (one,) = bad
    assert SECRET not in repr(one) and WRONG not in repr(one)
    return one


# --- openssl ---------------------------------------------------------------------------------------------------------


def by_hand(plain: bytes, password: str = SECRET, salt: bytes = b"8 bytes!") -> bytes:
    """As `openssl enc -aes-256-cbc -salt -pbkdf2` writes it."""
    made = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 10_000, 48)
    cipher = Cipher(algorithms.AES(made[:32]), modes.CBC(made[32:])).encryptor()
    fill = 16 - len(plain) % 16
    return b"Salted__" + salt + cipher.update(plain + bytes([fill]) * fill) + cipher.finalize()


def by_openssl(plain: bytes, password: str = SECRET) -> bytes:
    command = ["openssl", "enc", "-aes-256-cbc", "-salt", "-pbkdf2", "-pass", f"pass:{password}"]
    return subprocess.run(command, input=plain, capture_output=True, check=True).stdout


every_encryption = pytest.mark.parametrize(
    "encrypted", [pytest.param(by_hand, id="hand"), pytest.param(by_openssl, id="openssl", marks=has_openssl)]
)


@every_encryption
def test_an_encrypted_stream_gives_what_was_encrypted(encrypted: type[bytes]) -> None:
    tar = tar_of(SOUNDS)
    for plain in (tar, gzip.compress(tar)):
        assert read(encrypted(plain), password=SECRET, name="B00000.aes.tgz") == (list(SOUNDS.items()), [])


@every_encryption
def test_an_encrypted_stream_opens_by_no_other_password(encrypted: type[bytes]) -> None:
    data = encrypted(gzip.compress(tar_of(SOUNDS)))
    good, bad = read(data)
    one = only(bad)
    assert (good, one.reason, one.damaged) == ([], "encrypted", True) and "password" in one.detail
    good, bad = read(data, password=WRONG)
    one = only(bad)
    assert (good, one.reason, one.damaged) == ([], "wrong_password", True)


def test_encrypted_archives_in_a_tar_are_read_in_place() -> None:
    inner = {n: by_hand(gzip.compress(tar_of({f"{n}.opus": n.encode() * 99}))) for n in ("a", "b")}
    outer = tar_of({f"audio/{n}.aes.tgz": data for n, data in inner.items()})
    assert read(outer, password=SECRET) == ([("audio/a.opus", b"a" * 99), ("audio/b.opus", b"b" * 99)], [])
    good, bad = read(outer, password=WRONG)
    assert good == [] and [one.reason for one in bad] == ["wrong_password"] * 2


def test_an_encrypted_stream_cut_anywhere_gives_whole_members_and_is_called_cut() -> None:
    data = by_hand(gzip.compress(tar_of(SOUNDS)))
    for cut in (len(data) // 2, len(data) // 2 // 16 * 16, len(data) - 16, len(data) - 7, len(data) * 9 // 10):
        good, bad = read(data[:cut], password=SECRET)
        assert good == list(SOUNDS.items())[: len(good)]
        assert only(bad).reason == "truncated_archive"
    for cut in (8, 12, 16, 20):
        good, bad = read(data[:cut], password=SECRET)
        assert good == [] and only(bad).reason in (
            ("truncated_archive",) if cut < 16 else ("wrong_password", "truncated_archive")
        )


def test_an_encrypted_stream_is_decrypted_as_it_is_read() -> None:
    stream = io.BytesIO(by_hand(gzip.compress(tar_of({f"{n}": DRAW.randbytes(100_000) for n in range(100)}), 1)))
    reading = opened(stream, password=SECRET)
    next(reading)
    assert stream.tell() < 4_000_000
    reading.close()


# --- WinZip's AES ----------------------------------------------------------------------------------------------------


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


SMALL: Files = {"a.wav": b"sound" * 5000, "empty.txt": b"", "one.txt": b"1", "r.bin": DRAW.randbytes(40_000)}


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("strength", [1, 2, 3])
@pytest.mark.parametrize("method", [0, 8])
def test_a_zip_by_aes_opens_by_its_password(version: int, strength: int, method: int) -> None:
    data = aes_zip(SMALL, version=version, strength=strength, method=method)
    assert read(data, password=SECRET) == (list(SMALL.items()), [])


def test_a_zip_by_aes_opens_by_no_other_password() -> None:
    data = aes_zip({"a.wav": b"sound" * 5000})
    good, bad = read(data)
    assert good == [] and only(bad).reason == "encrypted"
    good, bad = read(data, password=WRONG)
    assert good == [] and only(bad).reason == "wrong_password" and not bad[0].damaged


@pytest.mark.parametrize("method", [0, 8])
def test_altered_bytes_under_aes_are_damage_not_a_wrong_password(method: int) -> None:
    data = bytearray(aes_zip(SMALL, method=method))
    at = bytes(data).index(b"r.bin") + 20_000
    data[at] ^= 1
    good, bad = read(bytes(data), password=SECRET)
    assert good == [each for each in SMALL.items() if each[0] != "r.bin"]
    assert only(bad).reason == "corrupt_member"
    # The code at the end alone.
    data[at] ^= 1
    data[bytes(data).index(b"PK\1\2") - 1] ^= 1
    good, bad = read(bytes(data), password=SECRET)
    assert len(good) == 3 and only(bad).reason == "corrupt_member"


def test_plain_members_beside_encrypted_ones_need_no_password() -> None:
    plain = zip_of({"plain.txt": b"p"})
    assert read(plain, password=SECRET) == ([("plain.txt", b"p")], [])


def test_hostile_fields_of_aes_do_not_escape() -> None:
    whole = aes_zip({"a.wav": b"sound" * 100, "b.wav": b"more"})
    draw = random.Random(2)
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(3):
            data[draw.randrange(len(data))] = draw.randrange(256)
        good, _ = read(bytes(data), password=SECRET)
        # A directory that lies about a size is not found out: nothing in the format vouches for it.
        assert all(content in (b"sound" * 100, b"more") for _, content in good if len(content) in (500, 4))
