"""`catalog fetch`: the files of a dataset into a mirror, for machines that have no internet themselves.

A mirror is a folder `<host>/<path>` with a `mirror.yaml` of checksums (see `mirror.py`). What lies there already and
has the sum that was written down is not fetched again; an interrupted download goes on where it ended.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ..errors import UsageError
from .choosing import check_gate
from .files import groups
from .history import History
from .mirror import LISTING, Mirror, mirror_key
from .pull import PullOptions, Wanted, tokens_for
from .source_card import SourceCard
from .sources.checksums import Expected, Sums
from .sources.http import Fetcher
from .sources.partial import PartialFile, download
from .units import Access
from .units.parts import Part, list_urls, parts_of
from .units.whole import by_hand

LISTED_EVERY_SECONDS = 10.0
"""A fetch that is killed has at most this much in its mirror that nobody summed; it is summed by the next one."""


@dataclass(frozen=True, slots=True)
class Wish:
    """One file to fetch: where it is now, what it is called in a mirror, and its sum where the card has one."""

    url: str
    key: str
    expected: Expected


@dataclass(slots=True)
class FetchResult:
    """What a fetch did for one dataset.

    Attributes:
        files: Keys (`host/path`) of the files that the mirror holds now.
        fetched, bytes: How many of them came just now, and their bytes.
    """

    dataset: str
    source: str
    mirror: str
    files: list[str] = field(default_factory=list)
    fetched: int = 0
    bytes: int = 0


def wishes(name: str, *, options: PullOptions, scratch: Path) -> tuple[SourceCard, list[Wish], dict[str, str]]:
    """What a pull of the dataset would read from hosts, and the commits that its repositories are at.

    Raises:
        UsageError: No such card, split, configuration or source.
        GateError: It is behind a gate, or must be got by hand.
    """
    wanted = Wanted.of(name, options)
    source = wanted.sources(History())[0]
    if source.manual is not None:
        raise by_hand(wanted.card, source)
    if source.named_files is None:
        raise UsageError(f"{name}: its source {source.kind} has no files to fetch.")
    check_gate(wanted.card, source)
    with Fetcher(tokens=tokens_for(wanted)) as fetcher:
        access = Access(fetcher, scratch, asked=True)
        found: dict[str, Wish] = {}
        for group in groups(source.named_files, wanted.splits, wanted.configs):
            for url in list_urls(group):
                found.setdefault(url, Wish(url, mirror_key(url), Expected()))
            for part in parts_of(source, group, access):
                for wish in _wishes(part, source):
                    found.setdefault(wish.url, wish)
        return source, list(found.values()), dict(access.revisions)


def _wishes(part: Part, source: SourceCard) -> Iterator[Wish]:
    for url in part.urls:
        expected = part.expected if len(part.urls) == 1 else Expected()
        # Whatever endpoint answers, a mirror knows the hub by its own name.
        original = f"https://huggingface.co/{url.split('/', 3)[3]}" if part.revision else url
        yield Wish(url, mirror_key(original), expected)


def fetch(
    name: str,
    *,
    to: Path,
    options: PullOptions | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    on_notice: Callable[[str], None] | None = None,
) -> FetchResult:
    """Fetch the files of a dataset into the mirror `to`, which is made where it is missing.

    Raises:
        UsageError: No such card, split, configuration or source; no room.
        GateError, NetworkError: As of a pull.
        DamagedError: A file does not have the sum of the card; what came is deleted.
    """
    options = options or PullOptions()
    to = to.expanduser().absolute()
    to.mkdir(parents=True, exist_ok=True)
    mirror = Mirror.open(to)
    if mirror.subset:
        raise UsageError(f"{to} is a mirror of smaller stand-ins (subset); whole files do not belong there.")
    partial = to / ".partial"
    source, files, revisions = wishes(name, options=options, scratch=partial)
    result = FetchResult(name, f"{source.kind} {source.place}", str(to))
    sums = dict(mirror.sums)
    written = time.monotonic()
    try:
        with Fetcher(tokens=tokens_for(Wanted.of(name, options))) as fetcher:
            for wish in files:
                target = to / wish.key
                if not _is_there(target, sums.get(wish.key), wish.expected):
                    done = download(fetcher, wish.url, partial, expected=wish.expected, progress=progress,
                                    on_wait=on_notice, on_restart=on_notice)  # fmt: skip
                    target.parent.mkdir(parents=True, exist_ok=True)
                    done.path.replace(target)
                    _forget(partial, wish.url)
                    sums[wish.key] = done.sha256
                    result.fetched += 1
                    result.bytes += done.size
                result.files.append(wish.key)
                if time.monotonic() - written > LISTED_EVERY_SECONDS:
                    _write_listing(to, mirror, sums, revisions)
                    written = time.monotonic()
    finally:
        _write_listing(to, mirror, sums, revisions)
    shutil.rmtree(partial, ignore_errors=True)
    return result


def _is_there(target: Path, known: str | None, expected: Expected) -> bool:
    """Whether the file is there and was whole when it came; one that nobody summed is summed now."""
    if not target.is_file():
        return False
    wanted = expected.sha256 or known
    if known is not None:
        return known == wanted
    if wanted is None and expected.md5 is None:
        return False
    sums = Sums(expected)
    sums.update_from(target)
    measured = sums.measured()
    return measured.sha256 == wanted if wanted else measured.md5 == expected.md5


def _forget(partial: Path, url: str) -> None:
    target = PartialFile(partial, url)
    if target.folder.is_dir():
        with target.locked():
            target.discard()


def _write_listing(to: Path, mirror: Mirror, sums: dict[str, str], revisions: dict[str, str]) -> None:
    document: dict[str, Any] = {
        "about": mirror.about or "Files as their hosts serve them; made by `triptych catalog fetch`.",
        "subset": False,
        "sha256": dict(sorted(sums.items())),
    }
    if known := {**mirror.revisions, **revisions}:
        document["revisions"] = dict(sorted(known.items()))
    path = to / LISTING
    temporary = path.with_name(f".{LISTING}-{os.getpid()}")
    temporary.write_text(yaml.safe_dump(document, sort_keys=False, allow_unicode=True), encoding="utf-8")
    temporary.replace(path)


__all__ = ["FetchResult", "Wish", "fetch", "wishes"]
