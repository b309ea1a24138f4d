"""Open files: from a URL, through a mirror or the network, to the raw files that a reader gets.

An archive is opened as a stream of members, a Parquet file by range requests, and anything else (a table, a list, a
single media file) as a plain file. Files in a mirror folder are read in place.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from ...converters.candidate import RawFile, RawStream, Rejection
from ...errors import GateError, NetworkError
from ..sources.archives.reader import members
from ..sources.archives.split_files import JoinedStream
from ..sources.download.checksums import READ_BYTES, Expected, Hasher, Verification, check, file_fingerprint, verified
from ..sources.download.http import NotFound
from ..sources.download.ranges import BLOCK_BYTES, CACHE_BYTES, RangeFile, RangesIgnored
from ..sources.download.resumable import Downloaded, ResumableFile, download
from ..sources.download.streaming import StreamingFile
from .access import Accepts, Access
from .resolve import ResolvedFile, file_of

VERIFY_FIRST_BYTES = 512 * 1024 * 1024
"""A local file up to this size is verified before it is read, even if only some samples are needed."""

ARCHIVE = re.compile(r"\.(tar|tgz|tar\.(gz|bz2|xz|zst)|tbz2?|txz|zip|7z|aes\.tgz)$", re.IGNORECASE)
SEEKABLE = re.compile(r"\.zip$", re.IGNORECASE)
"""Archives whose members can be read individually, because they end with a directory."""


@dataclass(frozen=True, slots=True)
class ArchiveOptions:
    """How to read the members of an archive, and the split and configuration of the whole file set."""

    split: str | None
    config: str | None
    nested: tuple[str, ...]
    password: Callable[[], str | None]


def is_archive(name: str) -> bool:
    return ARCHIVE.search(name) is not None


class FileOpener:
    """Opens the files of one file set, each one when it is needed."""

    def __init__(self, resolved: list[ResolvedFile], archive_options: ArchiveOptions, access: Access) -> None:
        self.resolved = resolved
        self.archive_options = archive_options
        self.access = access
        self._verifications: dict[tuple[str, ...], Verification] = {}

    def files(self, accepts: Accepts) -> RawStream:
        """Yield the raw files of the file set, in order."""
        for file in self.resolved:
            if is_archive(file.name) or accepts(file.name):
                yield from self._marked(self._open(file, accepts))

    def prepare(self) -> None:
        """Start computing the checksum of the first file, if it is a local archive."""
        for file in self.resolved[:1]:
            where = self._where(file.urls[0])
            if isinstance(where, Path) and is_archive(file.name) and len(file.urls) == 1:
                self._verification(file, where).start()

    def discard(self) -> None:
        """Delete the downloads."""
        self._discard(url for file in self.resolved for url in file.urls)

    def _discard(self, urls: Iterable[str]) -> None:
        for where in map(self._where, urls):
            if isinstance(where, str):
                target = ResumableFile(self.access.partial, where)
                if target.folder.is_dir():
                    with target.locked():
                        target.discard()

    def _marked(self, stream: RawStream) -> Iterator[RawFile | Rejection]:
        for item in stream:
            if isinstance(item, RawFile):
                item.split = item.split or self.archive_options.split
                item.config = item.config or self.archive_options.config
            yield item

    def _where(self, url: str) -> Path | str:
        return self.access.mirror.locate(url) if self.access.mirror is not None else url

    def _open(self, file: ResolvedFile, accepts: Accepts) -> RawStream:
        expected = self._expected(file)
        if len(file.urls) > 1:
            return self._joined(file, expected, accepts)
        where = self._where(file.urls[0])
        if isinstance(where, Path):
            return self._local(file, where, expected, accepts)
        if not is_archive(file.name):
            return [self._remote_file(file, where, expected)]
        if self.access.whole:
            return self._fetched_archive(file, where, expected, accepts)
        if SEEKABLE.search(file.name):
            return self._ranged_archive(file, where, expected, accepts)
        return self._streamed_archive(file, where, expected, accepts)

    def _expected(self, file: ResolvedFile) -> Expected:
        mirrored = self.access.mirror.sha256(file.urls[0]) if self.access.mirror is not None else None
        return Expected(sha256=mirrored) if mirrored and len(file.urls) == 1 else file.expected

    # ---- on this machine

    def _local(self, file: ResolvedFile, path: Path, expected: Expected, accepts: Accepts) -> RawStream:
        if is_archive(file.name):
            yield from self._local_archive(file, path, accepts)
            return
        pinned = file.revision
        found = verified(path, expected) if expected.sha256 or expected.md5 or pinned is None else None
        revision = (f"{pinned} ({found})" if found else pinned) if pinned else str(found)
        yield local_file(path, file.name, file.urls[0], revision)

    def _local_archive(self, file: ResolvedFile, path: Path, accepts: Accepts) -> RawStream:
        size = path.stat().st_size
        verification = self._verification(file, path) if self.access.whole or size <= VERIFY_FIRST_BYTES else None
        revision = verification.revision() if verification else f"size:{size} (prefix)"
        with path.open("rb") as stream:
            for item in self._members(stream, file, revision, accepts):
                if self.access.progress:
                    self.access.progress(stream.tell(), size)
                yield item

    def _verification(self, file: ResolvedFile, path: Path) -> Verification:
        if file.urls not in self._verifications:
            self._verifications[file.urls] = Verification(path, self._expected(file))
        return self._verifications[file.urls]

    # ---- on a host

    def _fetched_archive(self, file: ResolvedFile, url: str, expected: Expected, accepts: Accepts) -> RawStream:
        opened, done = self._fetch(url, expected)
        is_damaged = False
        try:
            with opened as stream:
                for item in self._members(stream, file, self._pinned(file, f"sha256:{done.sha256}"), accepts):
                    is_damaged |= isinstance(item, Rejection) and item.damaged
                    yield item
        finally:
            if is_damaged and not (expected.sha256 or expected.md5):
                # Otherwise every later run would read the damaged copy again.
                self._discard(file.urls)

    def _streamed_archive(self, file: ResolvedFile, url: str, expected: Expected, accepts: Accepts) -> RawStream:
        access = self.access
        with StreamingFile(
            access.client, url, access.partial, expected=expected, progress=access.progress,
            on_wait=access.notice, on_restart=access.notice,
        ) as stream:  # fmt: skip
            state = f"etag:{stream.etag} (prefix)" if stream.etag else f"size:{stream.size} (prefix)"
            for item in self._members(cast("BinaryIO", stream), file, self._pinned(file, state), accepts):
                if isinstance(item, Rejection) and item.damaged:
                    # Otherwise every later run would replay the damaged prefix.
                    stream.discard()
                yield item

    def _ranged_archive(self, file: ResolvedFile, url: str, expected: Expected, accepts: Accepts) -> RawStream:
        """Download only the needed members; the archive has a checksum for each."""
        try:
            ranges = self._range_file(url)
        except RangesIgnored:
            yield from self._streamed_archive(file, url, expected, accepts)
            return
        state = f"etag:{ranges.etag} (members)" if ranges.etag else f"size:{ranges.size} (members)"
        yield from self._members(cast("BinaryIO", ranges), file, self._pinned(file, state), accepts)

    def _remote_file(self, file: ResolvedFile, url: str, expected: Expected) -> RawFile:
        """Open a table or Parquet file: Parquet by ranges if it cannot be verified whole; others are downloaded."""
        if file.name.endswith(".parquet") and not (expected.sha256 and self.access.whole):
            return RawFile(file.name, file.urls[0], file.revision or url, None, lambda: self._ranged(url))
        path, done = self._downloaded(url, expected)
        found = f"sha256:{done.sha256}"
        revision = file.revision if file.revision and not expected.sha256 else self._pinned(file, found)
        return local_file(path, file.name, file.urls[0], revision)

    def _ranged(self, url: str, cache: int = CACHE_BYTES) -> BinaryIO:
        try:
            return cast("BinaryIO", self._range_file(url, cache))
        except RangesIgnored as error:
            self.access.notice(f"{error.message} The whole file is downloaded first.")
            return self._fetch(url, Expected())[0]

    def _range_file(self, url: str, cache: int = CACHE_BYTES) -> RangeFile:
        """Open a file by ranges and test-read its end. Raises RangesIgnored if the host ignores ranges."""
        ranges = RangeFile(self.access.client, url, cache=cache)
        ranges.seek(max(0, ranges.size - 8))
        ranges.read(8)
        ranges.seek(0)
        return ranges

    def _joined(self, file: ResolvedFile, expected: Expected, accepts: Accepts) -> RawStream:
        """Read parts as one concatenated file: each is opened when it is needed, or read by ranges."""
        seekable = SEEKABLE.search(file.name) is not None
        # All parts are open at once, so they share the cache of one file.
        cache = max(4 * BLOCK_BYTES, CACHE_BYTES // len(file.urls)) if seekable else None
        openers = [self._part_opener(url, cache) for url in file.urls]
        damaged: tuple[str, ...] = ()
        try:
            with closing(JoinedStream(openers, [file_of(url) for url in file.urls])) as stream:
                state = self._joined_state(stream, file, expected)
                for item in self._members(cast("BinaryIO", stream), file, self._pinned(file, state), accepts):
                    if isinstance(item, Rejection) and item.damaged:
                        # Damage is detected in the damaged part, or at the start of the next one.
                        damaged = file.urls[max(0, stream.current - 1) : stream.current + 1]
                    yield item
        finally:
            if not (expected.sha256 or expected.md5):
                self._discard(damaged)

    def _part_opener(self, url: str, cache: int | None) -> Callable[[], BinaryIO]:
        access, where = self.access, self._where(url)
        expected = Expected(sha256=access.mirror.sha256(url) if access.mirror is not None else None)
        if isinstance(where, Path):
            return lambda: self._open_part(where, expected)
        if access.whole:
            return lambda: self._fetch(where, expected)[0]
        if cache is not None:
            return lambda: self._ranged(where, cache)
        return lambda: cast("BinaryIO", StreamingFile(
            access.client, where, access.partial, expected=expected, progress=access.progress,
            on_wait=access.notice, on_restart=access.notice,
        ))  # fmt: skip

    def _open_part(self, path: Path, expected: Expected) -> BinaryIO:
        if expected.sha256 and self.access.whole:
            verified(path, expected)
        return path.open("rb")

    def _joined_state(self, stream: JoinedStream, file: ResolvedFile, expected: Expected) -> str:
        """Identify the joined file: by its checksum, if everything is read and the card has one to verify against."""
        is_mirrored = self.access.mirror is not None and any(map(self.access.mirror.sha256, file.urls))
        if is_mirrored or not self.access.whole or not (expected.sha256 or expected.md5):
            return f"{len(file.urls)} parts"
        hasher = Hasher(expected)
        while data := stream.read(READ_BYTES):
            hasher.update(data)
        measured = hasher.measured()
        check(measured, expected, file.name)
        stream.seek(0)
        return f"sha256:{measured.sha256}"

    def _pinned(self, file: ResolvedFile, state: str) -> str:
        return f"{file.revision} ({state})" if file.revision else state

    def _members(self, stream: BinaryIO, file: ResolvedFile, revision: str, accepts: Accepts) -> RawStream:
        return members(
            stream, name=file.name.rsplit("/", 1)[-1], uri=file.urls[0], revision=revision, spool=self.access.spool,
            nested=self.archive_options.nested, wants=accepts, password=self.archive_options.password(),
        )  # fmt: skip

    def _downloaded(self, url: str, expected: Expected) -> tuple[Path, Downloaded]:
        if not (expected.sha256 or expected.md5):
            self._drop_changed(url)
        done = download(
            self.access.client, url, self.access.partial, expected=expected, progress=self.access.progress,
            on_wait=self.access.notice, on_restart=self.access.notice,
        )  # fmt: skip
        return done.path, done

    def _drop_changed(self, url: str) -> None:
        """Delete a finished download without a checksum if the file on the host has changed: rows of a new archive must
        not get the texts of an old table."""
        target = ResumableFile(self.access.partial, url)
        if not target.final.is_file():
            return
        try:
            remote = self.access.client.head(url)
        except (NotFound, GateError):
            raise
        except NetworkError:
            return  # The host is unreachable: the existing download may be enough.
        with target.locked(self.access.notice):
            if target.final.is_file() and not target.is_of(remote):
                self.access.notice(f"{url}: the file on the host has changed; downloading it again.")
                target.discard()

    def _fetch(self, url: str, expected: Expected) -> tuple[BinaryIO, Downloaded]:
        """Download and verify a whole file; return it open for reading."""
        while True:
            path, done = self._downloaded(url, expected)
            try:
                return path.open("rb"), done
            except FileNotFoundError:
                # Another pull finished with the same download and deleted it: download it again.
                continue


def open_later(path: Path) -> Callable[[], BinaryIO]:
    """Return a function that opens a file."""
    return lambda: path.open("rb")


def local_file(path: Path, name: str, uri: str, revision: str, split: str | None = None) -> RawFile:
    """Return a file on this machine as a raw file."""
    return RawFile(name, uri, revision, path.stat().st_size, lambda: path.open("rb"), path=path, split=split)


def fingerprint_of(files: list[ResolvedFile], access: Access) -> tuple[str, int | None]:
    """Return an identifier of these files, and their total size if all of them are on this machine."""
    marks: list[str] = []
    size: int | None = 0
    for file in files:
        for url in file.urls:
            where = access.mirror.locate(url) if access.mirror is not None else url
            if isinstance(where, Path):
                marks.append(file_fingerprint(where))
                size = None if size is None else size + where.stat().st_size
            else:
                pinned = f"{file.revision}/{file.name}" if file.revision else url
                marks.append(file.expected.sha256 or file.expected.md5 or pinned)
                size = None
    mark = "+".join(marks)
    return (mark if len(marks) == 1 else hashlib.sha256(mark.encode()).hexdigest()[:32]), size
