"""Unfinished downloads, kept so that no byte is fetched twice, and `download`, which completes one.

Each URL has a folder, named by its hash, under the store's `partial/`:

    data          the prefix: exactly the first bytes of the file on the host, nothing after them
    state.json    url, etag, size and last_modified of the file the prefix belongs to; sha256 and md5 once complete
    lock          held by the process that writes, and names it
    <name>        the complete file: verified, then renamed from `data`

A prefix is extended only by a 206 whose range starts at its end and whose ETag (or size, if there is none) matches
`state.json`. Anything else starts over. `data` is truncated before `state.json` describes another file, so a process
killed at any point leaves a prefix that matches its state.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import math
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from ....errors import DamagedError, UsageError
from ....shards.store.lock import locked
from .checksums import Expected, Hasher, Measured, check
from .http import BodyDropped, HttpClient, HttpReply, RangeRefused, RemoteFile, same_etag
from .retry import RetryBudget

log = logging.getLogger("triptych")

Progress = Callable[[int, int | None], None]
"""Called with the number of bytes so far and the total, if known."""

Notice = Callable[[str], None]
"""Called with a message for the user."""

SPACE_LEFT = 64 * 1024 * 1024
"""Bytes that a download leaves free on the disk."""


class NoSpace(UsageError):
    """The disk has no space for the file."""


@dataclass(frozen=True, slots=True)
class State:
    """The file a prefix belongs to; `sha256` and `md5` are set only once it is complete and verified."""

    url: str
    etag: str | None = None
    size: int | None = None
    last_modified: str | None = None
    sha256: str | None = None
    md5: str | None = None


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A complete, verified file. `fetched` counts the bytes downloaded in this run."""

    path: Path
    size: int
    sha256: str
    etag: str | None
    fetched: int


class ResumableFile:
    """The folder of one URL. Everything but `locked` must be called with the lock held."""

    def __init__(self, partial: Path, url: str, *, name: str | None = None) -> None:
        self.url = url
        self.folder = partial / hashlib.sha256(url.encode()).hexdigest()[:32]
        self.data = self.folder / "data"
        self.final = self.folder / (name or file_name(url))
        self._state_path = self.folder / "state.json"
        self._state: State | None = None

    @contextmanager
    def locked(self, on_wait: Notice | None = None) -> Iterator[None]:
        """Lock the folder; `on_wait` is called with the holder of the lock, if there is one."""

        def report(holder: str) -> None:
            if on_wait is not None:
                on_wait(f"{self.url} is being downloaded by {holder}; waiting for it.")

        with locked(self.folder / "lock", purpose="download", timeout_s=math.inf, on_wait=report):
            self._state = None
            yield

    @property
    def state(self) -> State:
        if self._state is None:
            self._state = _read_state(self._state_path, self.url)
        return self._state

    @property
    def length(self) -> int:
        """Size of the prefix, in bytes."""
        return self.data.stat().st_size if self.data.exists() else 0

    @property
    def whole(self) -> bool:
        """Whether the prefix is as long as the file it belongs to."""
        return self.state.size is not None and self.length == self.state.size

    def finished(self, expected: Expected) -> Downloaded | None:
        """Return the complete file if it is stored already and is the expected one; delete it if it is another."""
        if not self.final.is_file():
            return None
        state, size = self.state, self.final.stat().st_size
        if state.sha256 is None or state.size != size or (expected.md5 and state.md5 is None):
            hasher = Hasher(expected)
            hasher.update_from(self.final)
            measured = hasher.measured()
            self._write(State(self.url, state.etag, measured.size, state.last_modified, measured.sha256, measured.md5))
        else:
            measured = Measured(size, state.sha256, state.md5)
        try:
            check(measured, expected, str(self.final))
        except DamagedError:
            # The expected checksums have changed since (a corrected card): fetch the file again.
            self.discard()
            return None
        return Downloaded(self.final, measured.size, measured.sha256, self.state.etag, 0)

    def connect(self, client: HttpClient, budget: RetryBudget) -> HttpReply:
        """Return a reply that continues the prefix, or one with the whole file (`start` is 0; call `begin` then)."""
        length, state = self.length, self.state
        if length and (state.etag or state.size is not None):
            try:
                reply = client.open(self.url, start=length, if_range=_strong(state.etag), budget=budget)
            except RangeRefused:
                return client.open(self.url, budget=budget)
            if reply.status == 200 or self.continues(reply, length):
                return reply
            reply.close()
        return client.open(self.url, budget=budget)

    def continues(self, reply: HttpReply, start: int) -> bool:
        """Whether a reply is for the same file as the prefix, from `start` on."""
        state, remote = self.state, reply.remote
        if reply.status != 206 or reply.start != start:
            return False
        if state.size is not None and remote.size is not None and state.size != remote.size:
            return False
        if state.etag and remote.etag:
            return same_etag(state.etag, remote.etag)
        if state.last_modified and remote.last_modified and state.last_modified != remote.last_modified:
            return False
        return state.size is not None and state.size == remote.size

    def is_of(self, remote: RemoteFile) -> bool:
        """Whether the stored prefix or file matches the current file on the host, as far as the host describes it."""
        state = self.state
        if state.etag and remote.etag:
            return same_etag(state.etag, remote.etag)
        pairs = ((state.size, remote.size), (state.last_modified, remote.last_modified))
        return all(ours is None or theirs is None or ours == theirs for ours, theirs in pairs)

    def begin(self, remote: RemoteFile) -> None:
        """Discard the prefix and start a new one for this file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.data.open("wb").close()
        self._write(State(self.url, remote.etag, remote.size, remote.last_modified))

    def appending(self) -> BinaryIO:
        """Open the prefix for appending; unbuffered, so that a killed process keeps what it received."""
        return self.data.open("ab", buffering=0)

    def finish(self, hasher: Hasher, fetched: int) -> Downloaded:
        """Verify the complete file and rename it to its final name.

        Raises:
            DamagedError: Its size or checksum differs; the file is deleted.
        """
        measured = hasher.measured()
        try:
            check(measured, hasher.expected, self.url, consequence="The downloaded file has been deleted.")
        except DamagedError:
            self.discard()
            raise
        state = self.state
        self._write(State(self.url, state.etag, measured.size, state.last_modified, measured.sha256, measured.md5))
        self.data.replace(self.final)
        return Downloaded(self.final, measured.size, measured.sha256, state.etag, fetched)

    def discard(self) -> None:
        """Delete prefix, state and complete file, but not the lock: deleting a held lock would let two processes in."""
        for path in (self.data, self.final, self._state_path):
            path.unlink(missing_ok=True)
        self._state = None

    def _write(self, state: State) -> None:
        _replace(self._state_path, asdict(state))
        self._state = state


def download(
    client: HttpClient,
    url: str,
    partial: Path,
    *,
    expected: Expected | None = None,
    name: str | None = None,
    progress: Progress | None = None,
    on_wait: Notice | None = None,
    on_restart: Notice | None = None,
) -> Downloaded:
    """Download a file, or the missing rest of it, and verify it.

    Args:
        partial: The store's folder for downloads.
        expected: Size and checksums the file must have.
        name: File name of the result. Default: the last part of the URL's path.
        on_wait: Called when another process is downloading the same URL; its file is used afterwards.
        on_restart: Called when a prefix could not be continued.

    Raises:
        DamagedError: The file is not the expected one.
        NoSpace: The disk has no space for it.
        NetworkError: See `http`.
    """
    target, expected = ResumableFile(partial, url, name=name), expected or Expected()
    with target.locked(on_wait):
        done = target.finished(expected)
        return done or _Download(client, target, expected, progress, on_restart).run()


class _Download:
    def __init__(
        self,
        client: HttpClient,
        target: ResumableFile,
        expected: Expected,
        progress: Progress | None,
        on_restart: Notice | None,
    ) -> None:
        self._client = client
        self._target = target
        self._expected = expected
        self._progress = progress
        self._on_restart = on_restart
        self._budget = client.budget()
        self._hasher = Hasher(expected)
        self._fetched = 0

    def run(self) -> Downloaded:
        started = time.monotonic()
        log.info("fetch %s from byte %d", self._target.url, self._target.length)
        if self._target.length:
            self._hasher.update_from(self._target.data)
        while not self._target.whole:
            try:
                with self._target.connect(self._client, self._budget) as reply:
                    self._take(reply)
                break
            except BodyDropped as error:
                self._budget.failed(self._target.url, error.message)
        done = self._target.finish(self._hasher, self._fetched)
        log_fetched(done, self._target.url, started)
        return done

    def _take(self, reply: HttpReply) -> None:
        target, remote = self._target, reply.remote
        check_offer(remote, self._expected)
        if reply.start == 0:
            self._start_over(remote)
        check_space(target.folder, (remote.size or 0) - target.length, target.url)
        with target.appending() as out, no_space_named(target):
            for chunk in reply.chunks():
                write_whole(out, chunk)
                self._hasher.update(chunk)
                self._fetched += len(chunk)
                self._budget.received(len(chunk))
                if self._progress is not None:
                    self._progress(self._hasher.size, remote.size)
        if remote.size is not None and self._hasher.size < remote.size:
            raise BodyDropped(f"{target.url}: the body ended at {self._hasher.size:,} of {remote.size:,} bytes.")

    def _start_over(self, remote: RemoteFile) -> None:
        if self._target.length and self._on_restart is not None:
            self._on_restart(restart_notice(self._target.url, self._target.length))
        self._target.begin(remote)
        self._hasher = Hasher(self._expected)


def log_fetched(done: Downloaded, url: str, started: float) -> None:
    """Log what a download fetched, and how long it took."""
    log.info("fetched %s: %d bytes (%d new) in %.1f s", url, done.size, done.fetched, time.monotonic() - started)


def restart_notice(url: str, length: int) -> str:
    return f"{url}: cannot resume after {length:,} bytes (the file changed, or no range requests); starting over."


def check_offer(remote: RemoteFile, expected: Expected) -> None:
    """Refuse a file of the wrong size before its first byte is fetched."""
    if expected.size is not None and remote.size is not None and remote.size != expected.size:
        raise DamagedError(
            f"{remote.url}: the host offers {remote.size:,} bytes, expected {expected.size:,}.",
            hint="The host serves a different file than the card describes: try another --source.",
        )


def check_space(folder: Path, needed: int, what: str) -> None:
    """Raise `NoSpace` unless `needed` more bytes fit on the disk of `folder`."""
    free = shutil.disk_usage(folder).free
    if needed > 0 and needed + SPACE_LEFT > free:
        raise NoSpace(
            f"{what}: needs {needed:,} more bytes in {folder}, but only {free:,} are free.",
            hint="Free some space, or choose a store on another disk with --store.",
        )


@contextmanager
def no_space_named(target: ResumableFile) -> Iterator[None]:
    """Raise `NoSpace` if the disk becomes full while writing."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise NoSpace(
            f"{target.url}: the disk is full ({target.folder}); the bytes downloaded so far are kept.",
            hint="Free some space and run the same command again; it continues.",
        ) from error


def write_whole(out: BinaryIO, data: bytes | memoryview) -> None:
    """Write all of `data`: an unbuffered write may write less."""
    view = memoryview(data)
    while view:
        view = view[out.write(view) :]


def file_name(url: str) -> str:
    """Return a safe file name for a URL: the last part of its path."""
    last = unquote(urlsplit(url).path).rsplit("/", 1)[-1]
    name = re.sub(r"[^A-Za-z0-9._-]", "_", last)[-128:].lstrip(".")
    return f"file-{name}" if name in ("", "data", "state.json", "lock") else name


def _strong(etag: str | None) -> str | None:
    """Return the ETag if `If-Range` allows it: weak ones are not allowed (RFC 9110, 13.1.5)."""
    return None if etag is None or etag.startswith("W/") else etag


def _read_state(path: Path, url: str) -> State:
    try:
        return State(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        # Missing or unreadable: nothing identifies the prefix, so it is not continued.
        return State(url)


def _replace(path: Path, document: dict[str, object]) -> None:
    written = path.with_suffix(".tmp")
    written.write_text(json.dumps(document, indent=1))
    written.replace(path)
