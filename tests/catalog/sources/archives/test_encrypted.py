"""Encrypted archives: opened by their password, and by no other; it never appears in a message."""

from __future__ import annotations

import gzip
import io
import random
import shutil
import subprocess

import pytest
from support.archives import SECRET, Files, aes_zip, opened, read, tar_of, zip_of
from support.archives import openssl_stream as by_hand
from triptych.converters.candidate import Rejection

WRONG = "wrong battery"
DRAW = random.Random(5)
SOUNDS: Files = {f"audio/train/{n}.opus": DRAW.randbytes(DRAW.randrange(1, 90_000)) for n in range(12)}
has_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl tool")


def only(bad: list[Rejection]) -> Rejection:
    (one,) = bad
    assert SECRET not in repr(one) and WRONG not in repr(one)
    return one


# --- openssl ---------------------------------------------------------------------------------------------------------


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


def test_an_encrypted_stream_cut_anywhere_gives_whole_members_and_is_reported_as_truncated() -> None:
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
    # Only the authentication code at the end.
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
        # A directory with a wrong size is not detected: nothing in the format authenticates it.
        assert all(content in (b"sound" * 100, b"more") for _, content in good if len(content) in (500, 4))
