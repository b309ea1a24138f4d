"""The HTTP layer: every download goes through an `HttpClient`.

It guarantees bounded retries (429, 5xx, refused or dropped connections, timeouts; see `retry`), redirects that never
go from https to http and never send a token to another host, bodies exactly as stored on the host, and errors that
name the URL: `NotFound` (try the next source), `GateError` (accept terms or log in), `NetworkError` (the rest). A web
page where data is expected is an error, never data.

It never writes a file; `resumable` and `streaming` do, on top of it.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urljoin, urlsplit

from ....errors import GateError, NetworkError
from ....shards.certificates import tls_context
from .retry import Retry, RetryBudget, retry_after_seconds

if TYPE_CHECKING:
    import httpx2

RETRIED = frozenset({408, 429, 500, 502, 503, 504})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
MAX_REDIRECTS = 10
READ_LIMIT = 64 * 1024 * 1024
SNIFFED_BYTES = 64
CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")


class NotFound(NetworkError):
    """The host does not have this file; another source may have it."""


class BodyDropped(NetworkError):
    """The connection dropped before the end of the body; the caller resumes with a range request."""


class WebPageSent(NetworkError):
    """The host answered with a web page where a data file is expected: a login, an error page, terms."""


class RangeRefused(NetworkError):
    """The host answered 416: the requested range is outside the current file."""


class RemoteChanged(NetworkError):
    """The file on the host has changed since reading began."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait for a connection and for the next bytes."""

    connect: float = 15.0
    read: float = 60.0


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """What a host reports about a file. `url` is the requested one; `size` is that of the whole file, in bytes."""

    url: str
    size: int | None
    etag: str | None
    accepts_ranges: bool
    last_modified: str | None
    content_type: str | None = None


class HttpReply:
    """An open response whose body is still to be read.

    Attributes:
        remote: Metadata of the whole file.
        status: 200, or 206 for a range.
        start: Offset of the body's first byte in the file; None if the host's Content-Range is invalid.
    """

    def __init__(self, url: str, response: httpx2.Response) -> None:
        self._response = response
        self.url = url
        self.status = response.status_code
        self.start: int | None = 0
        size = _number(response.headers.get("content-length"))
        if self.status == 206:
            self.start, size = _content_range(response.headers.get("content-range", ""))
        headers = response.headers
        self.remote = RemoteFile(
            url=url,
            size=size,
            etag=headers.get("etag"),
            accepts_ranges=self.status == 206 or headers.get("accept-ranges", "").lower() == "bytes",
            last_modified=headers.get("last-modified"),
            content_type=headers.get("content-type"),
        )

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it arrives, in pieces of at most 64 KiB, never decoded: a `.tar.gz` stays compressed.

        Raises:
            BodyDropped: The connection dropped too early.
            NetworkError: The body is a web page.
        """
        pieces = self._pieces()
        first = b""
        for piece in pieces:
            first += piece
            if self.start != 0 or len(first) >= SNIFFED_BYTES:
                break
        if self.start == 0 and looks_like_html(first):
            self.close()
            _refuse_page(self.url)
        if first:
            yield first
        yield from pieces

    def _pieces(self) -> Iterator[bytes]:
        import httpx2

        got = 0
        try:
            for piece in self._response.iter_raw():
                got += len(piece)
                yield piece
        except httpx2.TransportError as error:
            raise BodyDropped(
                f"{self.url}: the connection dropped after {got:,} bytes ({_describe(error)})."
            ) from error

    def close(self) -> None:
        self._response.close()

    def __enter__(self) -> HttpReply:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class HttpClient:
    """Opens URLs. One per command is enough; it is thread-safe.

    Args:
        tokens: Bearer tokens by host (`huggingface.co`, `127.0.0.1:8000`); each is sent to that host only.
        retry: Limits of retries.
        timeouts: Time limits of a single wait.
        gate_hint: What to do about a 401 or 403, if the caller knows more than this layer.
        sleep, clock: For tests.
    """

    def __init__(
        self,
        *,
        tokens: Mapping[str, str] | None = None,
        retry: Retry | None = None,
        timeouts: Timeouts | None = None,
        gate_hint: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tokens = {host.lower(): token for host, token in (tokens or {}).items()}
        self._retry = retry or Retry()
        self._timeouts = timeouts or Timeouts()
        self._gate_hint = gate_hint
        self._sleep = sleep
        self._clock = clock
        self._making_client = threading.Lock()
        self._client: httpx2.Client | None = None

    def budget(self) -> RetryBudget:
        """Return a fresh retry budget for one piece of work."""
        return RetryBudget(self._retry, sleep=self._sleep, clock=self._clock)

    def head(self, url: str) -> RemoteFile:
        """Return what the host reports about a file, without its body."""
        budget = self.budget()
        try:
            with self._send("HEAD", url, {}, budget) as reply:
                if reply.remote.size is not None:
                    return reply.remote
        except (GateError, _MethodRefused):
            # Some hosts answer HEAD with 403 or 405, but GET with the file; the GET below decides.
            pass
        with self.open(url, start=0, end=0, budget=budget) as reply:
            return reply.remote

    def open(
        self,
        url: str,
        *,
        start: int | None = None,
        end: int | None = None,
        if_range: str | None = None,
        budget: RetryBudget | None = None,
    ) -> HttpReply:
        """Open a URL, or a range of it (`end` included); the caller reads the body.

        A host may answer a range request with the whole file: check `status` and `start`.

        Raises:
            NotFound, GateError, RangeRefused, NetworkError
        """
        headers = {}
        if start is not None:
            headers["Range"] = f"bytes={start}-{'' if end is None else end}"
            if if_range:
                headers["If-Range"] = if_range
        return self._send("GET", url, headers, budget or self.budget())

    def read(self, url: str, *, limit: int = READ_LIMIT) -> bytes:
        """Read a small document as a whole.

        Raises:
            NetworkError: Also if it has more than `limit` bytes.
        """
        budget = self.budget()
        while True:
            body = bytearray()
            try:
                with self.open(url, budget=budget) as reply:
                    for chunk in reply.chunks():
                        body += chunk
                        if len(body) > limit:
                            raise NetworkError(f"{url}: more than {limit:,} bytes.", hint="Check the URL.")
                return bytes(body)
            except BodyDropped as error:
                budget.failed(url, error.message)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def __enter__(self) -> HttpClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, method: str, url: str, headers: Mapping[str, str], budget: RetryBudget) -> HttpReply:
        import httpx2

        while True:
            try:
                response = self._follow(method, url, headers)
            except httpx2.TransportError as error:
                if "CERTIFICATE_VERIFY_FAILED" in str(error) or isinstance(error, httpx2.UnsupportedProtocol):
                    raise NetworkError(f"{url}: {_describe(error)}", hint="Check the URL, or try --mirror.") from error
                budget.failed(url, _describe(error))
                continue
            budget.answered()
            if response.status_code not in RETRIED:
                break
            wait = retry_after_seconds(response.headers.get("retry-after"))
            response.close()
            budget.failed(url, f"the host answered {response.status_code}", retry_after=wait)
        return self._checked(url, method, response)

    def _follow(self, method: str, url: str, headers: Mapping[str, str]) -> httpx2.Response:
        import httpx2

        client = self._connected()
        here = url
        for _ in range(MAX_REDIRECTS + 1):
            try:
                request = client.build_request(method, here, headers={**headers, **self._authorization(here, url)})
                response = client.send(request, stream=True)
            except (httpx2.InvalidURL, ValueError) as error:  # ValueError: of urlsplit, and of host names in DNS
                raise NetworkError(f"{here}: not a URL: {error}", hint="Check the URL.") from error
            target = response.headers.get("location")
            if response.status_code not in REDIRECTS or not target:
                return response
            response.close()
            here = _redirected(here, target)
        raise NetworkError(f"{url}: more than {MAX_REDIRECTS} redirects.", hint="Check the URL in a browser.")

    def _authorization(self, here: str, requested: str) -> dict[str, str]:
        """Return the token for one hop: sent only to its own host, and unencrypted only if `requested` is http."""
        target, first = urlsplit(here), urlsplit(requested)
        token = self._tokens.get(target.netloc.lower())
        own = target.scheme == "https" or (target.scheme, target.netloc) == (first.scheme, first.netloc)
        return {"Authorization": f"Bearer {token}"} if token and own else {}

    def _checked(self, url: str, method: str, response: httpx2.Response) -> HttpReply:
        status = response.status_code
        if status in (200, 206):
            if response.headers.get("content-type", "").lower().startswith("text/html"):
                response.close()
                _refuse_page(url)
            return HttpReply(url, response)
        response.close()
        if status in (401, 403):
            raise GateError(f"{url}: the host answered {status}: access is not granted.", hint=self._gate(url))
        if status in (404, 410):
            raise NotFound(f"{url}: the host answered {status}: no such file.", hint="Check the URL, or try --source.")
        if status == 416:
            raise RangeRefused(f"{url}: the host refused the range.", hint="Run the same command again.")
        if method == "HEAD" and status in (405, 501):
            raise _MethodRefused(f"{url}: the host does not support HEAD.")
        raise NetworkError(f"{url}: the host answered {status}.", hint="Check the URL, or try another --source.")

    def _gate(self, url: str) -> str:
        if self._gate_hint:
            return self._gate_hint
        if (urlsplit(url).hostname or "").endswith("huggingface.co"):
            return "Accept the terms on the dataset's page, then `hf auth login` or set HF_TOKEN."
        return "Open it in a browser, accept its terms or log in, download it there and pass it with --from PATH."

    def _connected(self) -> httpx2.Client:
        import httpx2

        with self._making_client:
            if self._client is not None:
                return self._client
            timeout = httpx2.Timeout(self._timeouts.read, connect=self._timeouts.connect)
            # `identity`: ranges and checksums refer to the file's own bytes. Loopback never goes through a proxy.
            headers = {"Accept-Encoding": "identity", "User-Agent": "triptych"}
            direct: dict[str, httpx2.BaseTransport | None] = {"all://127.0.0.1": None, "all://localhost": None}
            self._client = httpx2.Client(timeout=timeout, headers=headers, mounts=direct, verify=tls_context())
            return self._client


class _MethodRefused(NetworkError):
    """The host does not support HEAD."""


def looks_like_html(head: bytes) -> bool:
    """Whether the bytes begin like a web page."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:14].lower()
    return start.startswith((b"<!doctype html", b"<html"))


def same_etag(one: str, other: str) -> bool:
    """Whether two ETags are equal, ignoring the weak prefix."""
    return one.removeprefix("W/") == other.removeprefix("W/")


def _refuse_page(url: str) -> NoReturn:
    raise WebPageSent(
        f"{url}: the host sent a web page instead of a data file; nothing was stored.",
        hint="Open it in a browser: it may ask for a login or terms. Then pass the file with --from PATH.",
    )


def _redirected(here: str, target: str) -> str:
    try:
        there = urljoin(here, target)
        scheme = urlsplit(there).scheme
    except ValueError as error:
        raise NetworkError(f"{here}: redirected to {target!r}, which is not a URL: {error}") from error
    if scheme not in ("http", "https") or (urlsplit(here).scheme == "https" and scheme == "http"):
        raise NetworkError(f"{here}: refused a redirect to {there}.", hint="Redirects from https must stay on https.")
    return there


def _content_range(value: str) -> tuple[int | None, int | None]:
    match = CONTENT_RANGE.fullmatch(value.strip())
    if match is None:
        return None, None
    return _number(match[1]), _number(match[3])


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 20 else None


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
