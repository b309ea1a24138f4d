"""`catalog fetch`: download the files of a dataset into a mirror, for machines without internet access.

A mirror is a folder `<host>/<path>` with a `mirror.yaml` of checksums (see `mirror.py`). A file that is already there
with the recorded checksum is not downloaded again; an interrupted download resumes. Several fetches may write
into one mirror at the same time: each file is downloaded once, and no process overwrites another's checksums.
"""

from __future__ import annotations

import hashlib
import math
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..shards.store.lock import locked, shared
from ..shards.strict_yaml import yaml_text
from .files.access import Access
from .files.file_set import groups_of, manual_download_error
from .files.mirror import LISTING, Mirror, mirror_key
from .files.resolve import ResolvedFile, list_urls, resolve_files
from .pull.history import History
from .pull.options import PullOptions
from .pull.request import PullRequest
from .pull.sources import check_gate
from .schema.source import SourceCard
from .sources.download.checksums import Expected, Hasher
from .sources.download.http import HttpClient
from .sources.download.resumable import ResumableFile, download

LISTED_EVERY_SECONDS = 10.0
"""How often `mirror.yaml` is written: a killed fetch loses at most this much of it; the next fetch adds the rest."""


@dataclass(frozen=True, slots=True)
class MirrorFile:
    """One file to fetch: its URL, its key in the mirror, and its checksum if the card has one."""

    url: str
    key: str
    expected: Expected


@dataclass(slots=True)
class FetchResult:
    """The result of fetching one dataset.

    Attributes:
        files: Keys (`host/path`) of the dataset's files in the mirror.
        fetched, bytes: Number of files downloaded by this call, and their total size.
    """

    dataset: str
    source: str
    mirror: str
    files: list[str] = field(default_factory=list)
    fetched: int = 0
    bytes: int = 0


def files_to_fetch(
    name: str, *, options: PullOptions, scratch: Path
) -> tuple[SourceCard, list[MirrorFile], dict[str, str]]:
    """Return the source, the files that a pull would read from hosts, and the commit of each hub repository.

    Raises:
        UsageError: No such card, split, configuration or source.
        GateError: The dataset is gated, or must be downloaded manually.
    """
    return _files_to_fetch(PullRequest.of(name, options), scratch)


def _files_to_fetch(request: PullRequest, scratch: Path) -> tuple[SourceCard, list[MirrorFile], dict[str, str]]:
    source = request.sources(History())[0]
    if source.manual is not None:
        raise manual_download_error(request.card, source)
    if source.named_files is None:
        raise UsageError(f"{request.card.name}: its source {source.kind} has no files to fetch.")
    check_gate(request.card, source)
    with HttpClient(tokens=request.tokens()) as client:
        access = Access(client, scratch, asked=True)
        found: dict[str, MirrorFile] = {}
        for group in groups_of(source, request.card, request.splits, request.configs):
            for url in list_urls(group):
                found.setdefault(url, MirrorFile(url, mirror_key(url), Expected()))
            for resolved in resolve_files(source, group, access):
                for file in _mirror_files(resolved, source):
                    found.setdefault(file.url, file)
        for each in request.card.evaluation.values():
            # Evaluation lists are read through the mirror too, and are small.
            found.setdefault(each.url, MirrorFile(each.url, mirror_key(each.url), Expected(sha256=each.sha256)))
        return source, list(found.values()), dict(access.revisions)


def _mirror_files(resolved: ResolvedFile, source: SourceCard) -> Iterator[MirrorFile]:
    for url in resolved.urls:
        expected = resolved.expected if len(resolved.urls) == 1 else Expected()
        # A mirror stores hub files under huggingface.co, whichever endpoint served them.
        original = f"https://huggingface.co/{url.split('/', 3)[3]}" if resolved.revision else url
        yield MirrorFile(url, mirror_key(original), expected)


def fetch(
    name: str,
    *,
    to: Path,
    options: PullOptions | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    on_notice: Callable[[str], None] | None = None,
) -> FetchResult:
    """Download the files of a dataset into the mirror `to`, which is created if it does not exist.

    Raises:
        UsageError: No such card, split, configuration or source; not enough disk space.
        GateError, NetworkError: As for a pull.
        DamagedError: A file does not match the card's checksum; the download is deleted.
    """
    to = to.expanduser().absolute()
    # Before the folder is created: a wrong card name must not leave a folder behind.
    request = PullRequest.of(name, options or PullOptions())
    try:
        to.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--to {to}: cannot create the folder: {error.strerror}.") from error
    if Mirror.open(to).subset:
        raise UsageError(f"{to} is a mirror of smaller stand-ins (subset: true); original files do not belong there.")
    with _locked_mirror(to) as partial:
        source, files, revisions = _files_to_fetch(request, partial)
        result = FetchResult(name, f"{source.kind} {source.place}", str(to))
        listing = _Listing(to, revisions)
        if source.is_remote and on_notice is not None:
            on_notice(f"{name}: only the tables are fetched; the clips that they name stay on their own hosts")
        try:
            with HttpClient(tokens=request.tokens()) as client:
                for file in files:
                    with _claimed(partial, file, on_notice) as claim:
                        sha256 = _sum_of(to / file.key, listing.known(file.key) or claim.sum, file.expected)
                        if sha256 is None:
                            done = download(client, file.url, partial, expected=file.expected, progress=progress,
                                            on_wait=on_notice, on_restart=on_notice)  # fmt: skip
                            claim.write(done.sha256)
                            _place(done.path, to / file.key)
                            _discard_partial(partial, file.url)
                            sha256 = done.sha256
                            result.fetched += 1
                            result.bytes += done.size
                        listing.add(file.key, sha256)
                    result.files.append(file.key)
        finally:
            listing.write()
    return result


def _place(fetched: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    fetched.replace(target)


@contextmanager
def _locked_mirror(to: Path) -> Iterator[Path]:
    """Yield the folder for downloads; the last process to leave deletes it."""
    partial = to / ".partial"
    with shared(to / ".lock") as is_last:
        partial.mkdir(exist_ok=True)
        yield partial
        if is_last():
            shutil.rmtree(partial, ignore_errors=True)


class _Claim:
    """One process's claim on one file; the checksum is stored beside the lock, so it survives a killed fetch."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.sum = file.read_text(encoding="ascii").strip() or None if file.exists() else None

    def write(self, sha256: str) -> None:
        self._file.write_text(sha256, encoding="ascii")


@contextmanager
def _claimed(partial: Path, file: MirrorFile, on_notice: Callable[[str], None] | None) -> Iterator[_Claim]:
    """Hold the lock of a file, so that only one process checks, downloads and places it."""

    def notice_wait(_: str) -> None:
        if on_notice is not None:
            on_notice(f"{file.key} is being fetched by another process; waiting for it.")

    name = hashlib.sha256(file.key.encode()).hexdigest()[:32]
    with locked(partial / f"{name}.claim", purpose=f"fetch {file.key}", timeout_s=math.inf, on_wait=notice_wait):
        yield _Claim(partial / f"{name}.sum")


class _Listing:
    """The `mirror.yaml` of a mirror that other processes may also be writing: new entries are merged into the file."""

    def __init__(self, to: Path, revisions: dict[str, str]) -> None:
        self._to = to
        self._revisions = revisions
        self._sums: dict[str, str] = {}
        self._current = Mirror.open(to)
        self._written = time.monotonic()

    def known(self, key: str) -> str | None:
        """Return the recorded SHA-256 of a file."""
        return self._sums.get(key) or self._current.sums.get(key)

    def add(self, key: str, sha256: str) -> None:
        self._sums[key] = sha256
        if time.monotonic() - self._written > LISTED_EVERY_SECONDS:
            self.write()

    def write(self) -> None:
        with locked(self._to / ".lock.listing", purpose=f"write {LISTING}"):
            current = Mirror.open(self._to)
            _write_listing(self._to, current, {**current.sums, **self._sums}, self._revisions)
        self._current = current
        self._written = time.monotonic()


def _sum_of(target: Path, known: str | None, expected: Expected) -> str | None:
    """Return the SHA-256 of an intact file; None if it is missing, damaged or has no known checksum."""
    sha256 = expected.sha256 or known
    if not target.is_file() or (sha256 is None and expected.md5 is None):
        return None
    hasher = Hasher(expected)
    hasher.update_from(target)
    measured = hasher.measured()
    is_intact = measured.sha256 == sha256 if sha256 else measured.md5 == expected.md5
    return measured.sha256 if is_intact else None


def _discard_partial(partial: Path, url: str) -> None:
    target = ResumableFile(partial, url)
    if target.folder.is_dir():
        with target.locked():
            target.discard()


def _write_listing(to: Path, mirror: Mirror, sums: dict[str, str], revisions: dict[str, str]) -> None:
    """Replace `mirror.yaml`; the caller holds its lock, so what a killed fetch left is overwritten."""
    document: dict[str, Any] = {
        "about": mirror.about or "Files as served by their hosts; created by `triptych catalog fetch`.",
        "subset": False,
        "sha256": dict(sorted(sums.items())),
    }
    if known := {**mirror.revisions, **revisions}:
        document["revisions"] = dict(sorted(known.items()))
    path = to / LISTING
    temporary = path.with_name(f".{LISTING}.new")
    temporary.write_text(yaml_text(document), encoding="utf-8")
    temporary.replace(path)


__all__ = ["FetchResult", "MirrorFile", "fetch", "files_to_fetch"]
