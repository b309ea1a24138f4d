"""Find the configuration and split of a user's file, by matching its path against the file names on the card.

A copy of a hub repository has `en-US/train-00000-of-00001.parquet`, and the card says `{config}/train-*.parquet`. Only
the last part of a URL is matched, as downloads are named by it. Archive members inherit from the archive.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import Any

from ...converters.candidate import RawFile, RawStream, Rejection
from ..schema.files import all_files, named_configs, named_splits
from ..schema.source import SourceCard
from .resolve import file_of

_TOKEN = re.compile(r"\{(config|split)\}|(\*)|(\?)")

Named = tuple[str | None, str | None]
"""Configuration and split."""


class Naming:
    """Matches paths against the names of a source's files.

    Args:
        splits: All splits of the card; `{split}` matches only these.
        left_out: Receives the configurations of files that `mark` leaves out.
    """

    def __init__(self, source: SourceCard, splits: Collection[str], *, left_out: set[str] | None = None) -> None:
        self._left_out = left_out if left_out is not None else set()
        self._patterns = list(_patterns(source.named_files, splits)) if source.named_files is not None else []
        self.of = lru_cache(maxsize=256)(self._of)

    def _of(self, path: str) -> frozenset[Named]:
        """Return the possible configurations and splits of a path; empty if the card names no such file."""
        return frozenset(named for pattern in self._patterns if (named := pattern.match(path)) is not None)

    def only(self, path: str) -> Named:
        """Return the configuration and split of a path if they are unambiguous; else `(None, None)`."""
        found = self.of(path)
        return next(iter(found)) if len(found) == 1 else (None, None)

    def mark(self, stream: RawStream, root: str, configs: Sequence[str]) -> RawStream:
        """Set the configuration and split of each file from its path; leave out other configurations.

        Args:
            root: The folder's own path, part of the path of every file.
            configs: The requested configurations; empty for all, or if the corpus has none.
        """
        for item in stream:
            if isinstance(item, Rejection) or not self._is_unwanted(item, root, configs):
                yield item

    def _is_unwanted(self, file: RawFile, root: str, configs: Sequence[str]) -> bool:
        archive, inside, _ = file.uri.partition("!")
        found = (self.of(archive) if inside else frozenset()) or self.of(f"{root}/{file.name}")
        if not found:
            return False
        named = {config for config, _ in found if config is not None and config not in configs}
        if configs and all(config in named for config, _ in found):
            self._left_out |= named
            return True
        if len(found) == 1:
            file.config, file.split = next(iter(found))
        return False


class _Pattern:
    """A file name on the card, as a regular expression that matches the end of a path."""

    def __init__(self, path: str, config: str | None, split: str | None, splits: Collection[str]) -> None:
        self._config, self._split, self._splits = config, split, splits
        seen: set[str] = set()

        def expression(token: re.Match[str]) -> str:
            if token[1] is None:
                return "[^/]*" if token[2] else "[^/]"
            if token[1] in seen:
                return f"(?P={token[1]})"
            seen.add(token[1])
            return f"(?P<{token[1]}>[^/]+?)"

        pieces: list[str] = []
        position = 0
        for token in _TOKEN.finditer(path):
            pieces += [re.escape(path[position : token.start()]), expression(token)]
            position = token.end()
        self._regex = re.compile(f"(?:^|/){''.join(pieces)}{re.escape(path[position:])}$")

    def match(self, path: str) -> Named | None:
        """Return the configuration and split of a path; None if it does not match."""
        found = self._regex.search(path)
        if found is None:
            return None
        parts = found.groupdict()
        if parts.get("split") is not None and parts["split"] not in self._splits:
            return None
        return parts.get("config") or self._config, parts.get("split") or self._split


def _patterns(files: Any, splits: Collection[str]) -> Iterator[_Pattern]:
    configs: Sequence[str | None] = sorted(named_configs(files) or ()) or (None,)
    for config in configs:
        config_files = files if config is None else files[config]
        for split in sorted(named_splits(config_files) or ()) or (None,):
            for file in all_files(config_files if split is None else config_files[split]):
                # The content of a list is only known to its host.
                for path in (*file.paths, *filter(None, [file.name])) if not file.is_list else ():
                    yield _Pattern(file_of(path) if "://" in path else path, config, split, splits)
