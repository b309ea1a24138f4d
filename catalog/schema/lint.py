"""Load a card file: the card, or every problem with its file, line and key.

The model (`card.py`, `source.py`) checks one key at a time. Checks that involve several keys are here: the files,
splits, configurations and checksums of a source must be consistent, and its reader must accept its options.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from ...converters.readers import check_options
from ...errors import UsageError
from ...shards.strict_yaml import Lines, read_yaml
from ...shards.yaml_problems import line_of, problem_of
from .card import Card
from .facts import unknown_facts
from .files import FileCard, Group, all_files, groups
from .source import SourceCard

Problem = tuple[tuple[Any, ...], str]
"""The path of keys to the faulty value, and the message."""

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_PATTERN = re.compile(r"[*?[]")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def check_card(path: Path) -> tuple[list[str], Card | None]:
    """Return the problems of a card file, each as `file:line: key: message`, and the card if there are none."""
    try:
        document = read_yaml(path, noun="card")
    except UsageError as error:
        return [error.message], None
    lines = document.lines
    try:
        card = Card.model_validate(document.value)
    except ValidationError as error:
        return [problem_of(path, item, lines, noun="card") for item in error.errors()], None
    if card.name != path.stem:
        return [f"{path}:1: name: {card.name!r}, but the file is called {path.name}"], None
    problems = [*_reader_problems(path, card, lines), *_inconsistency_problems(path, card, lines)]
    return problems, None if problems else card


def _line_of_option(place: tuple[Any, ...], reader: str, message: str, lines: Lines) -> int:
    """The line of the option that a reader's message begins with (`tables.0.file: ...`), as far as the file has it."""
    for part in (reader, *message.partition(":")[0].split(".")):
        inner = (*place, int(part) if part.isdecimal() else part)
        place = inner if inner in lines else place
    return lines.get(place, 1)


def _reader_problems(path: Path, card: Card, lines: Lines) -> Iterator[str]:
    """Yield the options that the readers reject."""
    for number, source in enumerate(card.sources):
        try:
            check_options(source.reader_name, source.reader_options)
        except UsageError as error:
            where = _line_of_option(("sources", number, "reader"), source.reader_name, error.message, lines)
            yield f"{path}:{where}: sources.{number}.reader: {error.message}"
        if source.is_remote and "remote" not in source.reader_options:
            where = lines.get(("sources", number), 1)
            yield f"{path}:{where}: sources.{number}: {source.kind} needs a reader with the option `remote`"


def _inconsistency_problems(path: Path, card: Card, lines: Lines) -> Iterator[str]:
    for place, message in inconsistencies(card):
        yield f"{path}:{line_of(place, lines)}: {'.'.join(map(str, place))}: {message}"


def inconsistencies(card: Card) -> Iterator[Problem]:
    """Yield the inconsistencies of a card's promises and sources, and what no source provides."""
    if isinstance(card.promises, dict) and (unknown := sorted(set(card.promises) - set(card.splits))):
        yield ("promises",), f"unknown split(s) {', '.join(unknown)}; the card has {', '.join(card.splits)}"
    for number, source in enumerate(card.sources):
        for key, message in _of_source(card, source):
            yield ("sources", number, key), message
    for name, evaluation in card.evaluation.items():
        if (why := _fault_of_url(evaluation.url)) is not None:
            yield ("evaluation", name, "url"), f"{evaluation.url!r}: {why}"
    yield from _provided_by_no_source(card)
    for fact, message in unknown_facts(card):
        yield ("seen", fact), message


def _of_source(card: Card, source: SourceCard) -> Iterator[tuple[str, str]]:
    if source.named_files is None:
        return
    key = "files" if source.hub is not None else source.kind
    if source.hub is not None and not _REPOSITORY.fullmatch(source.hub):
        yield "hub", f"expected owner/name, got {source.hub!r}"
    for what, named, known in (
        ("split", source.splits, card.splits),
        ("configuration", source.configs, card.configs),
    ):
        unknown = sorted((named or set()) - set(known))
        if unknown:
            yield key, f"unknown {what}(s) {', '.join(unknown)}; the card has {', '.join(known) or 'none'}"
            return
    for file in all_files(source.named_files):
        yield from ((key, message) for message in _of_file(card, source, file))
    opened = list(groups(source.named_files, list(card.splits), list(card.configs)))
    yield from _of_sums(card, source, opened)


def _of_file(card: Card, source: SourceCard, file: FileCard) -> Iterator[str]:
    texts = [*file.paths, *filter(None, [file.name])]
    for word in sorted({word for text in texts for word in _PLACEHOLDER.findall(text)}):
        if word not in ("split", "config"):
            yield f"{{{word}}} is not a placeholder; use {{split}} or {{config}}"
        elif word == "config" and not card.configs:
            yield "{config} cannot be replaced: the card has no configs"
    if file.name is not None and ("/" in file.name or "\\" in file.name):
        yield f"as: expected a file name, got {file.name!r}"
    for path in file.paths if source.hub is not None else ():
        if "://" in path or file.is_list:
            if not path.startswith("https://"):
                yield f"{path!r}: files outside the repository, and lists, need an https:// URL"
        elif path.startswith("/") or ".." in path.split("/"):
            yield f"{path!r}: expected a path inside the repository"
    for url in (each for each in (*file.paths, file.base or "") if "://" in each):
        if (why := _fault_of_url(url)) is not None:
            yield f"{url!r}: {why}"
    if file.base is not None and not re.match(r"https?://", file.base):
        yield f"base: expected a URL, got {file.base!r}"
    if file.is_list and file.base is None and file.matching != "*":
        yield "matching needs base"


def _fault_of_url(url: str) -> str | None:
    """Why an address leads nowhere, as far as it says so itself."""
    try:
        parts = urlsplit(url)
        return None if parts.hostname and parts.port != 0 else "the URL names no host"
    except ValueError as error:
        return f"not a URL ({error})"


def _of_sums(card: Card, source: SourceCard, opened: list[Group]) -> Iterator[tuple[str, str]]:
    for algorithm in ("sha256", "md5"):
        sums = getattr(source, algorithm)
        names = [name for group in opened for file in group.files for name in _names(file)]
        for each in sums if isinstance(sums, dict) else ():
            if each not in card.splits and not any(_is_named(each, name) for name in names):
                yield algorithm, f"{each!r} is neither a split nor a file of this source"
        for group in opened if sums is not None else ():
            if _is_shared(source, algorithm, group):
                yield algorithm, "one checksum for several files that are opened together: give one per file"
                break
    for group in opened:
        for path in (path for file in group.files for path in file.paths if path.startswith("http://")):
            if not _has_sum(source, group, path):
                yield source.kind, f"{path!r}: an http:// file needs its own checksum"


def _names(file: FileCard) -> tuple[str, ...]:
    if file.is_list:
        return ("*",)
    whole = file.name or file.paths[0].split("?")[0]
    return whole, whole.rsplit("/", 1)[-1]


def _is_named(key: str, name: str) -> bool:
    """Whether a file may have this name; a name may be a hub pattern."""
    keys = (key, key.rsplit("/", 1)[-1])
    return name in keys or (bool(_PATTERN.search(name)) and any(fnmatchcase(each, name) for each in keys))


def _is_shared(source: SourceCard, algorithm: str, group: Group) -> bool:
    """Whether two files of a group would be verified against the same checksum."""
    sums = getattr(source, algorithm)
    if len(group.files) < 2 or any(file.is_list for file in group.files):
        return False
    if isinstance(sums, str):
        return True
    split = group.splits[0] if len(group.splits) == 1 else None
    unnamed = [file for file in group.files if not any(_is_named(key, name) for key in sums for name in _names(file))]
    return split in sums and len(unnamed) > 0


def _has_sum(source: SourceCard, group: Group, path: str) -> bool:
    split = group.splits[0] if len(group.splits) == 1 else None
    joined = next((file.name for file in group.files if path in file.paths), None)
    name = joined or path.split("?")[0].rsplit("/", 1)[-1]
    return any(source.sum_of(algorithm, name, split) for algorithm in ("sha256", "md5"))  # type: ignore[arg-type]


def _provided_by_no_source(card: Card) -> Iterator[Problem]:
    """Yield the configurations that could never be pulled."""
    named = [source.configs for source in card.sources]
    if any(configs is None for configs in named):
        return
    missing = sorted(set(card.configs) - {config for configs in named for config in configs or ()})
    if missing:
        yield ("configs",), f"no source has {', '.join(missing)}"
    default = {name for name, config in card.configs.items() if config.default}
    if default and not any(default <= (configs or set()) for configs in named):
        yield ("configs",), "no source has all default configurations, which are pulled together"
