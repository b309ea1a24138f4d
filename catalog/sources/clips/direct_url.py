"""A file behind a direct link, downloaded through the HTTP layer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ....errors import GateError, NetworkError
from ..download.http import BodyDropped, HttpClient, NotFound, Timeouts
from ..download.retry import Retry
from .download import Download
from .failures import ClipError

_STATUS = re.compile(r"the host answered (\d{3})")


def get_link(start: dict[str, Any], request: dict[str, Any], stem: Path) -> Download:
    """Download the file of a request, unchanged.

    Raises:
        ClipError: `dead`, `private`, `not_media` (a web page), `too_large`, `rate_limited`, `network` or `timeout`.
    """
    allowed = float(start["timeout_s"])
    retry = Retry(attempts=4, connect_attempts=3, longest=min(30.0, allowed / 4), total=allowed / 2)
    with HttpClient(retry=retry, timeouts=Timeouts(min(15.0, allowed), min(60.0, allowed))) as client:
        try:
            return Download(_download(client, request["url"], stem, int(start["max_bytes"])))
        except NetworkError as error:
            raise ClipError(_reason(error), error.message) from error


def _download(client: HttpClient, url: str, path: Path, limit: int) -> Path:
    budget = client.budget()
    while True:
        try:
            with client.open(url, budget=budget) as reply, path.open("wb") as file:
                if (reply.remote.size or 0) > limit:
                    raise ClipError("too_large", f"{reply.remote.size:,} bytes, more than {limit:,}")
                got = 0
                for chunk in reply.chunks():
                    got += len(chunk)
                    if got > limit:
                        raise ClipError("too_large", f"more than {limit:,} bytes")
                    file.write(chunk)
                    budget.received(len(chunk))
            return path
        except BodyDropped as error:
            budget.failed(url, error.message)


def _reason(error: NetworkError) -> str:
    if isinstance(error, NotFound):
        return "dead"
    if isinstance(error, GateError):
        return "private"
    if "web page" in error.message or "not a URL" in error.message:
        return "not_media"
    status = _STATUS.search(error.message)
    if status is not None:
        return {"429": "rate_limited", "451": "geo_blocked", "408": "timeout"}.get(status[1], "network")
    return "timeout" if "Timeout" in error.message else "network"
