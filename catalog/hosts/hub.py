"""Check a hub repository: one listing, and the footer of one Parquet file by range requests."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, cast

from ...converters.candidate import RawFile, ReadContext
from ...converters.readers import get_reader
from ...errors import DamagedError, GateError, NetworkError
from ..files.mirror import glob_expression
from ..files.shard_numbers import incomplete_series
from ..schema.card import Card
from ..schema.files import groups
from ..schema.source import SourceCard
from ..sources.download.http import HttpClient, NotFound
from ..sources.download.ranges import RangeFile
from ..sources.hub import Repository, hub_repository, hub_url
from .findings import Finding, Status

UNLIKE = 1.25
"""A size that differs from the card's by more than this factor is a difference; cards give rounded sizes."""

SAYS_NOTHING = frozenset({"other", "unknown"})
"""Licence tags of the hub that name no licence."""

_DATA = re.compile(r"\.(parquet|arrow|jsonl?|csv|tsv|txt|tar|t?gz|tgz|zip|z\d\d|7z|rar|part_?\w+|mp[34]|mkv|wav|flac)$")


@dataclass(slots=True)
class HubAnswer:
    """What a repository says."""

    findings: list[Finding] = field(default_factory=list)
    unnamed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Named:
    """A path on the card with the files that it matches.

    Attributes:
        split: The split that it is for, if it is for one.
        whole: The name of the file that its parts are joined into.
    """

    place: str
    path: str
    split: str | None
    whole: str | None
    names: tuple[str, ...]


def check_hub(card: Card, number: int, client: HttpClient) -> HubAnswer:
    """Compare one hub source of a card with its repository, for all splits and configurations."""
    source = card.sources[number]
    answer = HubAnswer()

    def found(fact: str, status: Status, said: str, file: str | None = None) -> None:
        answer.findings.append(Finding(number, fact, status, said, file))

    try:
        repository = hub_repository(str(source.hub), str(source.revision))
    except NotFound as error:
        found("revision", "differs", error.message)
        return answer
    except (GateError, NetworkError) as error:
        # The hub does not say whether a repository is private or gone.
        found("files", "not asked", error.message)
        return answer
    named = list(_named(card, source, repository))
    for fact, status, said, file in _of_files(named, repository):
        found(fact, status, said, file)
    for fact, status, said, file in _of_sums(source, named, repository):
        found(fact, status, said, file)
    if number == 0 and card.scale.bytes is not None and all(each.names for each in named):
        found("scale", *_of_size(card.scale.bytes, sum(repository.sizes[name] for name in _all_names(named))))
    found("license", *_of_license(card, repository))
    found("gate", *_of_gate(card, source, repository))
    column = _of_columns(source, named, repository, client)
    if column is not None:
        found("columns", *column)
    answer.unnamed = _unnamed(card, repository)
    return answer


def _named(card: Card, source: SourceCard, repository: Repository) -> Iterator[_Named]:
    for group in groups(source.files, list(card.splits), list(card.configs)):
        split = group.splits[0] if len(group.splits) == 1 else None
        place = "/".join(filter(None, [group.config, split])) or "all"
        for file in group.files:
            for path in file.paths:
                if "://" not in path:
                    expression = glob_expression(path)
                    names = tuple(name for name in repository.sizes if expression.fullmatch(name))
                    yield _Named(place, path, split, file.name, names)


def _all_names(named: list[_Named]) -> dict[str, None]:
    return dict.fromkeys(name for each in named for name in each.names)


def _of_files(named: list[_Named], repository: Repository) -> Iterator[tuple[str, Status, str, str | None]]:
    patterns = [pattern_of(name) for name in repository.sizes if _DATA.search(name)]
    for each in named:
        if not each.names:
            near = difflib.get_close_matches(each.path, dict.fromkeys(patterns), n=3, cutoff=0.5)
            there = near or list(dict.fromkeys(patterns))[:3]
            listed = ", ".join(f"{pattern} ({patterns.count(pattern):,})" for pattern in there) or "no data file"
            yield "files", "differs", f"{each.place}: no file {each.path}; there is {listed}", each.path
    names = _all_names(named)
    for line in incomplete_series(names):
        yield "files", "differs", line, line.partition(":")[0]
    size = sum(repository.sizes[name] for name in names)
    if names:
        yield "files", "equal", f"{len(names):,} files, {size:,} bytes, at {repository.commit[:12]}", None


def _of_sums(
    source: SourceCard, named: list[_Named], repository: Repository
) -> Iterator[tuple[str, Status, str, str | None]]:
    compared, unlike = 0, 0
    for each in named:
        for name in each.names if each.whole is None else ():
            ours, theirs = source.sum_of("sha256", name, each.split), repository.sha256.get(name)
            if ours is not None and theirs is not None:
                compared += 1
                if ours != theirs:
                    unlike += 1
                    yield "checksums", "differs", f"sha256 on the card {ours}, on the hub {theirs}", name
    if compared and not unlike:
        yield "checksums", "equal", f"{compared:,} of the hub's own SHA-256 sums were compared", None


def _of_size(ours: int, theirs: int) -> tuple[Status, str]:
    if ours and theirs and max(ours, theirs) / min(ours, theirs) <= UNLIKE:
        return "equal", f"{theirs:,} bytes"
    return "differs", f"{ours:,} bytes on the card, {theirs:,} in the files that it names"


def _of_license(card: Card, repository: Repository) -> tuple[Status, str]:
    tags = [tag for tag in repository.licenses if tag.lower() not in SAYS_NOTHING]
    if not tags:
        return "equal", "the hub has no licence tag that names one"
    unlike = [tag for tag in tags if not _names(card.license, tag)]
    shown = ", ".join(tags)
    return ("differs", f"{card.license!r} on the card, tag {shown} on the hub") if unlike else ("equal", f"tag {shown}")


def _names(license_: str, tag: str) -> bool:
    """Whether the words of a tag stand in a licence, one after the other: `mit` is not in `limited`."""
    words, asked = (re.findall("[a-z0-9]+", text.lower()) for text in (license_, tag))
    return any(words[start : start + len(asked)] == asked for start in range(len(words)))


def _of_gate(card: Card, source: SourceCard, repository: Repository) -> tuple[Status, str]:
    if repository.is_gated and card.gate_of(source) is None:
        return "differs", "open on the card, gated on the hub"
    if card.gate_of(source) is not None and not repository.is_gated:
        return "equal", "open on the hub; the card names terms of the corpus"
    return "equal", "gated" if repository.is_gated else "open"


def _of_columns(
    source: SourceCard, named: list[_Named], repository: Repository, client: HttpClient
) -> tuple[Status, str, str] | None:
    """Compare the columns of the smallest Parquet file with those that the card's reader needs."""
    tables = [(each, name) for each in named for name in each.names if name.endswith(".parquet")]
    if not tables:
        return None
    each, name = min(tables, key=lambda found: repository.sizes[found[1]])
    url = hub_url(str(source.hub), name, repository.commit)

    def opened() -> BinaryIO:
        return cast("BinaryIO", RangeFile(client, url))

    file = RawFile(name, url, repository.commit, repository.sizes[name], opened, split=each.split)
    try:
        columns = get_reader(source.reader_name).check_columns(file, ReadContext("check", source.reader_options))
    except DamagedError as error:
        return "differs", error.message.removeprefix(f"{url}: "), name
    except (GateError, NetworkError) as error:
        return "not asked", error.message.removeprefix(f"{url}: "), name
    return ("equal", ", ".join(columns), name) if columns else None


def _unnamed(card: Card, repository: Repository) -> tuple[str, ...]:
    """Patterns of the data files that no source of this repository names, the most frequent first."""
    of_repository = [source for source in card.sources if source.hub == repository.name]
    known = _all_names([each for source in of_repository for each in _named(card, source, repository)])
    rest = [pattern_of(name) for name in repository.sizes if name not in known and _DATA.search(name)]
    return tuple(sorted(set(rest), key=lambda pattern: (-rest.count(pattern), pattern)))[:10]


def pattern_of(name: str) -> str:
    """Return the pattern of a file among its like: runs of digits in its base name become `*`."""
    folder, slash, base = name.rpartition("/")
    return f"{folder}{slash}{re.sub(r'[0-9]+', '*', base)}"
