"""The certificates by which hosts are known, loaded once a process: they take longer to load than a small file."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl


def tls_context() -> ssl.SSLContext:
    """The context that all clients of HTTP share; another one where the environment names other certificates."""
    return _loaded(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@lru_cache(maxsize=2)
def _loaded(file: str | None, folder: str | None) -> ssl.SSLContext:
    import httpx2

    return httpx2.create_ssl_context()
