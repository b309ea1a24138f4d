"""Archives encrypted by `openssl enc -aes-256-cbc -pbkdf2`, such as WenetSpeech's: decrypted as they are read.

The stream begins with `Salted__` and eight bytes of salt; key and IV are derived from the password by PBKDF2 with
HMAC-SHA-256 and 10,000 rounds, the defaults of OpenSSL since 1.1.1. The format cannot verify a password: a wrong one
yields bytes that are not an archive. Once they are known to be one, wrong padding means a truncated stream.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from .safety import ArchiveFault

if TYPE_CHECKING:
    from .decompress import ByteReader

SALTED = b"Salted__"
ROUNDS = 10_000
_SALT_BYTES, _KEY_BYTES, _BLOCK_BITS = 8, 32, 128


class Decrypted:
    """The decrypted bytes of an encrypted stream, in order.

    Attributes:
        proven: Whether the bytes read so far were an archive, and so the password is right.

    Raises:
        ArchiveFault: The stream is truncated (`truncated_archive`), or its padding is wrong (`wrong_password`).
    """

    def __init__(self, source: ByteReader, password: str) -> None:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
        from cryptography.hazmat.primitives.padding import PKCS7

        head = source.read(len(SALTED) + _SALT_BYTES)
        if len(head) < len(SALTED) + _SALT_BYTES:
            raise ArchiveFault("truncated_archive", "the encrypted stream is truncated")
        derived = hashlib.pbkdf2_hmac("sha256", password.encode(), head[len(SALTED) :], ROUNDS, _KEY_BYTES + 16)
        cipher = Cipher(algorithms.AES256(derived[:_KEY_BYTES]), modes.CBC(derived[_KEY_BYTES:]))
        self._source = source
        self._decryptor = cipher.decryptor()
        self._unpadder = PKCS7(_BLOCK_BITS).unpadder()
        self._ended = False
        self.proven = False

    def take(self) -> bytes:
        """Return the next bytes, `b""` at the end."""
        while not self._ended:
            data = self._source.take()
            plain = self._unpadder.update(self._decryptor.update(data)) if data else self._end()
            if plain:
                return plain
        return b""

    def _end(self) -> bytes:
        self._ended = True
        try:
            rest = self._unpadder.update(self._decryptor.finalize())
        except ValueError:
            raise ArchiveFault("truncated_archive", "the encrypted stream is truncated") from None
        try:
            return rest + self._unpadder.finalize()
        except ValueError:
            if self.proven:
                raise ArchiveFault(
                    "truncated_archive", "the encrypted stream is truncated, or its end is damaged"
                ) from None
            raise ArchiveFault("wrong_password", "the password does not fit its end, or its end is damaged") from None
