"""What a pull reads, in order: units of raw files, each from a host, a mirror, a folder or a generator.

A unit is what is opened at once: one archive, the Parquet files of one split, one unpacked tree. Building units
touches at most a listing; their bytes come when `files()` is read. `fingerprint` says whether the same unit was read
to its end before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from ..converters.raw import RawFile, RawStream, Rejection
from ..errors import UsageError
from .card import Card, SourceCard
from .local import Verification, file_fingerprint, tree_fingerprint, verified
from .mirror import Mirror
from .sources.archive import members
from .sources.checksums import Expected
from .sources.growing import GrowingFile
from .sources.http import Fetcher, NotFound
from .sources.hub import hub_files
from .sources.partial import Downloaded, PartialFile, download
from .sources.ranges import RangeFile, RangesIgnored
from .sources.synthetic import LANGUAGES, SyntheticSource
from .sources.tree import tree

log = logging.getLogger("triptych")

VERIFY_FIRST_BYTES = 512 * 1024 * 1024
"""A local file up to this size is verified before any of it is read, also when only some samples are wanted."""


@dataclass(slots=True)
class Unit:
    """One thing to open.

    Attributes:
        splits: The corpus splits that it holds.
        place: For people: the URL, path or generator.
        files: Opens it; may be called once.
        fingerprint: Equal for the same content, as far as that can be told without reading it.
        bytes: Size, where known without reading.
        local: Whether it lies on this machine.
        prepare: Starts what may run beside the set-up of the pull (the sum of a local archive).
        spent: Deletes what was downloaded for it.
    """

    splits: tuple[str, ...]
    place: str
    files: Callable[[], RawStream]
    fingerprint: str
    bytes: int | None = None
    local: bool = False
    prepare: Callable[[], None] = field(default=lambda: None)
    spent: Callable[[], None] = field(default=lambda: None)


@dataclass(slots=True)
class Access:
    """How a pull reaches its sources.

    Attributes:
        fetcher: The HTTP layer.
        partial: The store's folder for downloads.
        mirror: Answers for the hosts, where given.
        whole: Everything is wanted, so archives are verified before they are read.
        asked: Splits were named; else those that a mirror of a subset lacks are passed over.
        progress: Told the bytes read so far of a file and its size.
        notices: What the user must be told (fallbacks, restarted downloads).
    """

    fetcher: Fetcher
    partial: Path
    mirror: Mirror | None = None
    whole: bool = True
    asked: bool = False
    progress: Callable[[int, int | None], None] | None = None
    notices: list[str] = field(default_factory=list)

    def notice(self, text: str) -> None:
        if text not in self.notices:
            self.notices.append(text)
            log.warning(text)

    @property
    def spool(self) -> Path:
        return self.partial / "tmp"


def units_of(source: SourceCard, card: Card, splits: Sequence[str], access: Access) -> list[Unit]:
    """The units of a source that hold the wanted splits, in the card's order.

    Raises:
        NotFound, NetworkError, GateError: The source cannot be reached.
    """
    if source.synthetic is not None:
        return [_synthetic(source, splits)]
    if source.archive is not None and "{split}" not in source.archive:
        return [_archive(source, source.archive, tuple(splits), access)]
    units: list[Unit] = []
    lacking: dict[str, NotFound] = {}
    for split in splits:
        if source.hub is not None and split not in source.files:
            continue
        try:
            units.append(_hub_split(source, split, access) if source.hub else _archive_split(source, split, access))
        except NotFound as error:
            if access.asked or access.mirror is None or not access.mirror.subset:
                raise
            lacking[split] = error
    if lacking and not units:
        raise next(iter(lacking.values()))
    if lacking:
        access.notice(f"the mirror holds a subset; passed over: {', '.join(lacking)}")
    return units


def unit_from(path: Path, source: SourceCard, splits: Sequence[str], access: Access) -> Unit:
    """One unit of files that the user already has: the archive itself, or the unpacked tree.

    Raises:
        UsageError: There is nothing at `path`.
    """
    path = path.expanduser().absolute()
    if path.is_dir():
        fingerprint = tree_fingerprint(path)

        def walk() -> RawStream:
            return tree(path, uri=path.as_uri(), revision="local tree", spool=access.spool, nested=source.nested)

        return Unit(tuple(splits), str(path), walk, fingerprint, local=True)
    if not path.is_file():
        raise UsageError(f"--from {path}: there is no such file or folder.")
    if source.reader_name == "columns":
        if len(splits) != 1:
            raise UsageError(f"--from {path}: which split is it? Add --split, one of {', '.join(splits)}.")
        return Unit(tuple(splits), str(path), lambda: [_local_file(path, path.as_uri(), "local file", splits[0])],
                    file_fingerprint(path), path.stat().st_size, local=True)  # fmt: skip
    return _local_archive(path, path.as_uri(), source, tuple(splits), Expected(), access)


def _synthetic(source: SourceCard, splits: Sequence[str]) -> Unit:
    languages = tuple(source.languages) or LANGUAGES
    made = SyntheticSource(kind=str(source.synthetic), seed=source.seed, count=source.count, languages=languages)
    wanted = frozenset(splits)
    return Unit(
        tuple(splits),
        f"synthetic:{source.synthetic}?seed={source.seed}",
        lambda: made.files(wants=lambda split: split in wanted),
        f"{made.revision}:{source.count}",
        local=True,
    )


# ---- archives


def _archive_split(source: SourceCard, split: str, access: Access) -> Unit:
    url = str(source.archive).replace("{split}", split)
    mirror = access.mirror
    if mirror is not None and mirror.subset and not access.asked and not mirror.has(url):
        raise NotFound(f"the mirror {mirror.name} has no {url}.", hint="copy it there, or choose another --source")
    return _archive(source, url, (split,), access)


def _archive(source: SourceCard, url: str, splits: tuple[str, ...], access: Access) -> Unit:
    expected = Expected(sha256=source.sum_of("sha256", splits[0]), md5=source.sum_of("md5", splits[0]))
    where: Path | str = url
    if access.mirror is not None:
        where = access.mirror.locate(url)
        stand_in = access.mirror.sha256(url)
        expected = Expected(sha256=stand_in) if stand_in else expected
    if isinstance(where, Path):
        return _local_archive(where, url, source, splits, expected, access)
    return _remote_archive(where, url, source, splits, expected, access)


def _local_archive(
    path: Path, uri: str, source: SourceCard, splits: tuple[str, ...], expected: Expected, access: Access
) -> Unit:
    size = path.stat().st_size
    verification = Verification(path, expected) if access.whole or size <= VERIFY_FIRST_BYTES else None

    def files() -> RawStream:
        revision = verification.revision() if verification else f"size:{size} (prefix)"
        with path.open("rb") as stream:
            for item in _members(stream, path.name, uri, revision, source, access):
                if access.progress:
                    access.progress(stream.tell(), size)
                yield item

    prepare = verification.start if verification else _nothing
    return Unit(splits, uri, files, file_fingerprint(path), size, local=True, prepare=prepare)


def _remote_archive(
    url: str, uri: str, source: SourceCard, splits: tuple[str, ...], expected: Expected, access: Access
) -> Unit:
    name = uri.rsplit("/", 1)[-1]

    def whole() -> RawStream:
        opened, done = _fetch(url, expected, access)
        with opened as stream:
            yield from _members(stream, name, uri, f"sha256:{done.sha256}", source, access)

    def prefix() -> RawStream:
        with GrowingFile(
            access.fetcher, url, access.partial, expected=expected, progress=access.progress,
            on_wait=access.notice, on_restart=access.notice,
        ) as stream:  # fmt: skip
            revision = f"etag:{stream.etag} (prefix)" if stream.etag else f"size:{stream.size} (prefix)"
            for item in _members(stream, name, uri, revision, source, access):
                if isinstance(item, Rejection) and item.damaged:
                    # Otherwise every later run would replay the damaged prefix.
                    stream.discard()
                yield item

    files = whole if access.whole else prefix
    fingerprint = expected.sha256 or expected.md5 or url
    return Unit(splits, uri, files, fingerprint, local=False, spent=lambda: _spend([url], access))


def _members(
    stream: BinaryIO | GrowingFile, name: str, uri: str, revision: str, source: SourceCard, access: Access
) -> RawStream:
    binary = cast("BinaryIO", stream)
    return members(binary, name=name, uri=uri, revision=revision, spool=access.spool, nested=source.nested)


def _nothing() -> None:
    """For units that have nothing to prepare."""


# ---- hub


def _hub_split(source: SourceCard, split: str, access: Access) -> Unit:
    repo, revision, pattern = str(source.hub), str(source.revision), source.files[split]
    if access.mirror is None:
        urls = hub_files(repo, revision, pattern)
        place = f"hub:{repo}@{revision[:12]}/{pattern}"
        return Unit((split,), place, lambda: _remote_files(urls, revision, split, access), f"{repo}@{revision}",
                    spent=lambda: _spend(urls, access))  # fmt: skip
    urls, found_at = _mirrored_hub(access.mirror, repo, revision, pattern)
    if found_at != revision:
        access.notice(
            f"the mirror has {repo} at {found_at}, not at the pinned revision {revision[:12]}; it is verified by "
            "mirror.yaml where that has a sum"
        )
    files = [(url, access.mirror.locate(url), access.mirror.sha256(url)) for url in urls]
    paths = [where for _, where, _ in files if isinstance(where, Path)]
    fingerprint = "+".join(file_fingerprint(path) for path in paths) or f"{repo}@{found_at}"
    size = sum(path.stat().st_size for path in paths) if paths else None
    remote = [where for _, where, _ in files if isinstance(where, str)]
    place = f"{access.mirror.name}: {repo}@{found_at}/{pattern}"
    return Unit((split,), place, lambda: _mirrored_files(files, found_at, split, access), fingerprint, size,
                local=bool(paths), spent=lambda: _spend(remote, access))  # fmt: skip


def _mirrored_hub(mirror: Mirror, repo: str, revision: str, pattern: str) -> tuple[list[str], str]:
    for candidate in (revision, "main"):
        urls = mirror.glob(f"https://huggingface.co/datasets/{repo}/resolve/{candidate}/{pattern}")
        if urls:
            return urls, candidate
    raise NotFound(
        f"the mirror {mirror.name} has no file {pattern} of {repo}, neither at {revision[:12]} nor at main.",
        hint="copy it there, or choose another --source",
    )


def _mirrored_files(
    files: list[tuple[str, Path | str, str | None]], revision: str, split: str, access: Access
) -> Iterator[RawFile]:
    for url, where, sha256 in files:
        if isinstance(where, Path):
            found = verified(where, Expected(sha256=sha256)) if sha256 else None
            yield _local_file(where, url, f"{revision} ({found})" if found else revision, split)
        elif sha256 and access.whole:
            # Everything is wanted, so the file can be verified before any of it is read.
            yield _whole_file(where, url, f"{revision} (sha256:{sha256})", split, Expected(sha256=sha256), access)
        else:
            yield _remote_file(where, url, revision, split, access)


def _remote_files(urls: list[str], revision: str, split: str, access: Access) -> Iterator[RawFile]:
    for url in urls:
        yield _remote_file(url, url, revision, split, access)


def _remote_file(where: str, uri: str, revision: str, split: str, access: Access) -> RawFile:
    """A file read by ranges, or fetched whole where its host ignores them."""

    def opener() -> BinaryIO:
        try:
            file = RangeFile(access.fetcher, where)
            file.seek(max(0, file.size - 8))
            file.read(8)
            file.seek(0)
        except RangesIgnored as error:
            access.notice(f"{error.message} It is fetched first.")
            return _fetch(where, Expected(), access)[0]
        return cast("BinaryIO", file)

    return RawFile(uri.rsplit("/", 1)[-1], uri, revision, None, opener, split=split)


def _whole_file(where: str, uri: str, revision: str, split: str, expected: Expected, access: Access) -> RawFile:
    def opener() -> BinaryIO:
        return _fetch(where, expected, access)[0]

    return RawFile(uri.rsplit("/", 1)[-1], uri, revision, None, opener, split=split)


def _fetch(url: str, expected: Expected, access: Access) -> tuple[BinaryIO, Downloaded]:
    """A file brought here whole and checked, open for reading."""
    while True:
        done = download(
            access.fetcher, url, access.partial, expected=expected, progress=access.progress,
            on_wait=access.notice, on_restart=access.notice,
        )  # fmt: skip
        try:
            return done.path.open("rb"), done
        except FileNotFoundError:
            # Another pull read the same download to its end and deleted it: it is fetched again.
            continue


def _spend(urls: Sequence[str], access: Access) -> None:
    """Delete what was downloaded for these URLs, where something was."""
    for url in urls:
        target = PartialFile(access.partial, url)
        if target.folder.is_dir():
            with target.locked():
                target.discard()


def _local_file(path: Path, uri: str, revision: str, split: str | None) -> RawFile:
    return RawFile(path.name, uri, revision, path.stat().st_size, lambda: path.open("rb"), path=path, split=split)
