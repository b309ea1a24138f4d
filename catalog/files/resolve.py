"""Resolve the files named on a card to files on a host: hub listings, lists of URLs, joined parts."""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from ...errors import UsageError
from ..schema.files import FileCard, Group
from ..schema.source import SourceCard
from ..sources.download.checksums import Expected
from ..sources.download.http import NotFound
from ..sources.hub import hub_listing, hub_url
from .access import Access
from .mirror import glob_expression
from .shard_numbers import incomplete_series

_BY_HAND = "download the files it lists yourself, then: --from PATH"
LIST_BYTES = 16 * 1024 * 1024
_WILD = re.compile(r"[*?\[]")
_SUMMED = re.compile(r"([0-9a-f]{32})\s+([^/\s]\S*)")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class ResolvedFile:
    """One file to open: a table, a Parquet file, an archive.

    Attributes:
        name: As the reader sees it: the path in the repository, or the last part of the URL.
        urls: The original URLs; several are concatenated.
        expected: Checksums from the card, of the concatenated file.
        revision: The commit that pins it; None if only a checksum can.
    """

    name: str
    urls: tuple[str, ...]
    expected: Expected = field(default_factory=Expected)
    revision: str | None = None


def resolve_files(source: SourceCard, group: Group, access: Access) -> list[ResolvedFile]:
    """Return the files of a group, in order.

    Raises:
        NotFound: One of them does not exist.
        NetworkError, GateError: A listing is not available.
    """
    found: list[ResolvedFile] = []
    revision = _revision(source, access) if source.hub is not None else None
    for file in group.files:
        if source.hub is not None and not _is_url(file):
            assert revision is not None
            found.extend(_of_hub(source, file, revision, group.split, access))
        elif file.is_list:
            found.extend(_listed(source, file, group.split, access))
        else:
            found.append(_resolved(source, file.name or file_of(file.paths[0]), file.paths, group.split, None))
    if not found:
        lists = ", ".join(list_urls(group))
        raise NotFound(f"{lists}: the list is empty.", hint="check it in a browser, or choose another --source")
    return found


def list_urls(group: Group) -> list[str]:
    """Return the URLs of the lists that name a group's files."""
    return [file.paths[0] for file in group.files if file.is_list]


def _is_url(file: FileCard) -> bool:
    return file.paths[0].startswith(("https://", "http://"))


def _resolved(
    source: SourceCard, name: str, urls: tuple[str, ...], split: str | None, revision: str | None
) -> ResolvedFile:
    expected = Expected(sha256=source.sum_of("sha256", name, split), md5=source.sum_of("md5", name, split))
    return ResolvedFile(name, urls, expected, revision)


def file_of(url: str) -> str:
    """Return the name of a downloaded file: the decoded last part of the URL's path."""
    return unquote(urlsplit(url).path).rsplit("/", 1)[-1]


# ---- lists of URLs


def _listed(source: SourceCard, file: FileCard, split: str | None, access: Access) -> Iterator[ResolvedFile]:
    """Yield the files of a list of URLs, one per line; characters not allowed in a URL are quoted."""
    text = _text(file.paths[0], access)
    for number, line in enumerate(text.split("\n"), start=1):
        url, where = line.strip(), f"{file.paths[0]}: line {number}"
        if not url or (file.base is not None and url.startswith("#")):
            continue
        if file.base is not None:
            yield from _of_base(file, url, where)
            continue
        _check_listed(url, file.paths[0], where)
        resolved = _resolved(source, file_of(url), (quote(url, safe=":/?&=%+,;@~"),), split, None)
        if url.startswith("http://") and not _has_sum(resolved) and not _is_same_host(url, file.paths[0]):
            raise UsageError(f"{where}: refused, {url[:80]!r} is not https, and the card has no checksum for it.",
                             hint=_BY_HAND)  # fmt: skip
        yield resolved


def _check_listed(url: str, list_url: str, where: str) -> None:
    """Refuse URLs into this machine's private network, except to the host of the list: a list is untrusted."""
    try:
        address = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"{where}: expected a URL, got {url[:80]!r}: {error}.") from error
    if address.scheme not in ("https", "http") or not address.hostname:
        raise UsageError(f"{where}: expected a URL (https://host/path), got {url[:80]!r}.")
    if _is_private(address.hostname) and not _is_same_host(url, list_url):
        raise UsageError(f"{where}: refused, {url[:80]!r} leads into this machine's private network.", hint=_BY_HAND)


def _is_same_host(url: str, other: str) -> bool:
    return urlsplit(url)[:2] == urlsplit(other)[:2]


def _has_sum(file: ResolvedFile) -> bool:
    return bool(file.expected.sha256 or file.expected.md5)


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal"))


def _of_base(file: FileCard, line: str, where: str) -> Iterator[ResolvedFile]:
    """Yield the file of a line `<md5> <path>`, if the path matches the pattern."""
    found = _SUMMED.fullmatch(line)
    if found is None or ".." in found[2].split("/"):
        raise UsageError(f"{where}: expected an MD5 checksum and a path, got {line[:80]!r}.")
    if fnmatch.fnmatchcase(found[2], file.matching):
        url = f"{str(file.base).rstrip('/')}/{quote(found[2])}"
        yield ResolvedFile(file_of(url), (url,), Expected(md5=found[1]))


def _text(url: str, access: Access) -> str:
    where = access.mirror.locate(url) if access.mirror is not None else url
    data = where.read_bytes() if isinstance(where, Path) else access.client.read(where, limit=LIST_BYTES)
    return data.decode("utf-8-sig", errors="replace")


# ---- hub


def _revision(source: SourceCard, access: Access) -> str:
    """Return the commit to read: from the card, an earlier pull, the mirror, or the current head of the branch."""
    repo, pinned = str(source.hub), str(source.revision)
    if _COMMIT.fullmatch(pinned):
        return pinned
    if repo not in access.revisions:
        if access.mirror is not None:
            return access.mirror.revisions.get(repo, pinned)
        access.revisions[repo] = hub_listing(repo, pinned).commit
    return access.revisions[repo]


def _of_hub(
    source: SourceCard, file: FileCard, revision: str, split: str | None, access: Access
) -> Iterator[ResolvedFile]:
    repo = str(source.hub)
    found = [(path, *_found(repo, path, revision, access)) for path in file.paths]
    if file.name is not None:
        joined = tuple(url for _, urls, _ in found for url in sorted(urls, key=in_number_order))
        yield _resolved(source, file.name, joined, split, found[0][2])
        return
    for _, urls, at in found:
        for url in urls:
            yield _resolved(source, _path_in_repo(url), (url,), split, at)


def in_number_order(name: str) -> list[tuple[str, int]]:
    """Return a natural sort key, by which part 100 comes after part 99: `a.z99`, `a.z100`, `a.zip`."""
    return [(text, int(number or 0)) for text, number in re.findall(r"(\D+|^)(\d*)", name)]


def _found(repo: str, pattern: str, revision: str, access: Access) -> tuple[list[str], str]:
    """Return the original URLs of the matching files, and the revision at which they were found."""
    if access.mirror is None:
        names = hub_listing(repo, revision).names
        expression = glob_expression(pattern)
        matching = sorted(name for name in names if expression.fullmatch(name))
        if not matching:
            raise NotFound(f"{repo}@{revision[:12]} has no file {pattern}.")
        for line in incomplete_series(matching) if _WILD.search(pattern) else ():
            access.notice(f"{repo}: {line}")
        return [hub_url(repo, name, revision) for name in matching], revision
    for candidate in dict.fromkeys((revision, "main")):
        original = f"https://huggingface.co/datasets/{repo}/resolve/{quote(candidate, safe='')}/{pattern}"
        if not _WILD.search(pattern):
            urls = [original] if access.mirror.root is None or access.mirror.has(original) else []
            if access.mirror.root is None and access.mirror.sums and not access.mirror.has(original):
                urls = []
        else:
            urls = access.mirror.glob(original)
        if urls:
            if candidate != revision:
                access.notice(
                    f"the mirror has {repo} at {candidate}, not at the pinned revision {revision[:12]}; its files are "
                    "verified only where mirror.yaml has a checksum"
                )
            return urls, candidate
    tried = "at main" if revision == "main" else f"neither at {revision[:12]} nor at main"
    raise NotFound(
        f"the mirror {access.mirror.name} has no file {pattern} of {repo}, {tried}.",
        hint="copy it there, or choose another --source",
    )


@lru_cache(maxsize=1024)
def _path_in_repo(url: str) -> str:
    return unquote(urlsplit(url).path).split("/resolve/", 1)[-1].split("/", 1)[-1]
