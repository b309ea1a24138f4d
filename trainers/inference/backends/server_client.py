"""Requests to a server that speaks OpenAI's protocol: bounded retries, keys, and what its errors mean.

429, 5xx, timeouts and lost connections are retried with a growing pause, or after as long as the server asks for
(`Retry-After`). 401 and 403 stop the run, as does a model that the server does not have; any other refusal is the error
of its row.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from ....errors import GateError, NetworkError, UsageError
from ....shards.certificates import tls_context
from ..options import ServerOptions

if TYPE_CHECKING:
    import httpx2

_RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0
_LONGEST_ASKED_S = 300.0
_CONNECT_S = 15.0
_SHOWN = 300


def without_login(url: str) -> str:
    """A URL without a user's name and password, for messages and records."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).rstrip("/")


def _key(variable: str) -> str:
    """The key in a variable of the environment.

    Raises:
        UsageError: It cannot be sent as it is; the message does not show it.
    """
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise UsageError(
            f"{variable} holds no key: it has line breaks or characters that are not ASCII.",
            hint=f"set it again: export {variable}=...",
        )
    return key


class RefusedError(Exception):
    """The server refused one request: its row has no answer."""


class ServerClient:
    """Sends requests; may be used by several threads at once."""

    def __init__(self, options: ServerOptions) -> None:
        import httpx2

        assert options.server is not None
        self.options = options
        self.url = options.server.rstrip("/")
        self._key = _key(options.key_env)
        self._stop = threading.Event()
        limits = httpx2.Limits(max_connections=options.concurrency)
        timeout = httpx2.Timeout(options.timeout, connect=_CONNECT_S)
        self._client = httpx2.Client(timeout=timeout, limits=limits, verify=tls_context())

    def shown(self, text: str) -> str:
        """What a server says of an error, as rows keep it: in short, and without the key, which some repeat."""
        return (text.replace(self._key, "[key]") if self._key else text)[:_SHOWN]

    @property
    def shown_url(self) -> str:
        return without_login(self.url)

    def close(self) -> None:
        """Close the connections; requests that wait to be repeated are not."""
        self._stop.set()
        self._client.close()

    def get(self, path: str) -> Any:
        """The document at a path.

        Raises:
            NetworkError, GateError, RefusedError: It cannot be had.
        """
        return self._send("GET", path, {})

    def post(self, path: str, **body: Any) -> Any:
        """Send `json=`, or `data=` and `files=`; the document that comes back.

        Raises:
            NetworkError: The server cannot be reached, or kept failing.
            GateError: It wants another key.
            RefusedError: It refuses this request.
        """
        return self._send("POST", path, body)

    def _send(self, method: str, path: str, body: Mapping[str, Any]) -> Any:
        import httpx2

        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        reason = ""
        for attempt in range(self.options.retries + 1):
            pause = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**attempt)
            try:
                reply = self._client.request(method, f"{self.url}{path}", headers=headers, **body)
            except httpx2.TransportError as error:
                reason = f"{type(error).__name__}: {error}"
            else:
                if reply.status_code not in _RETRIED:
                    return self._document(reply)
                reason = f"HTTP {reply.status_code}"
                pause = _asked_pause(reply) or pause
            if attempt < self.options.retries and self._stop.wait(pause):
                break
        raise NetworkError(
            f"{self.shown_url}{path}: {reason}, after {self.options.retries + 1} attempts.",
            hint="check that the server runs, then run the same command again: it continues",
        )

    def _document(self, reply: httpx2.Response) -> Any:
        if reply.status_code in (401, 403):
            raise GateError(
                f"{self.shown_url} refuses the key (HTTP {reply.status_code}).",
                hint=f"set the key in the environment: export {self.options.key_env}=...",
            )
        if not reply.is_success:
            raise RefusedError(f"HTTP {reply.status_code}: {_message(reply)}")
        try:
            return reply.json()
        except (ValueError, RecursionError) as error:
            raise RefusedError(f"the server did not answer in JSON: {reply.text!r}") from error

    def check_model(self, model: str) -> None:
        """Raise UsageError if the server lists its models and this is none of them."""
        try:
            listed = self.get("/models")
        except RefusedError:
            return  # not every server lists its models
        told = listed.get("data") if isinstance(listed, dict) else None
        names = [each["id"] for each in told or () if isinstance(each, dict) and "id" in each]
        if names and model not in names:
            raise UsageError(f"--model {model}: {self.shown_url} has {', '.join(map(str, names))}.")


def _asked_pause(reply: httpx2.Response) -> float | None:
    """Seconds that the server asks to wait: a number, or a date."""
    asked = reply.headers.get("Retry-After", "").strip()
    if not asked:
        return None
    try:
        seconds = float(asked)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(asked).timestamp() - time.time()
        except ValueError:
            return None
    return min(max(seconds, 0.0), _LONGEST_ASKED_S) if seconds == seconds else None


def _message(reply: httpx2.Response) -> str:
    """What the server says is wrong, on one line."""
    try:
        told = reply.json()
    except ValueError:
        told = None
    return (error_of(told) if isinstance(told, dict) else "") or " ".join(reply.text.split())


def error_of(told: Mapping[str, Any]) -> str:
    """What a document of an error says, on one line; empty if it says nothing."""
    inner = told.get("error")
    message = inner.get("message") if isinstance(inner, dict) else inner or told.get("message") or told.get("detail")
    return " ".join(str(message or inner or "").split())
