"""Which configuration and split a file of a user's folder is of, by the names that the card gives its files.

A copy of a hub repository holds `en-US/train-00000-of-00001.parquet`, and the card says `{config}/train-*.parquet`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from ...converters.raw import RawFile, RawStream, Rejection
from ..files import all_files, named_configs, named_splits
from ..source_card import SourceCard

_TOKEN = re.compile(r"\{(config|split)\}|(\*)|(\?)")


def named_by_card(stream: RawStream, source: SourceCard, root: str, configs: Sequence[str]) -> RawStream:
    """The files with the configuration and split that their paths tell; those of other configurations are left out.

    Args:
        root: The folder's own path, part of the path of every file.
        configs: The wanted ones; empty where all are, or the corpus has none.
    """
    patterns = list(_patterns(source.named_files)) if source.hub is not None else []
    for item in stream:
        if isinstance(item, Rejection) or not _is_unwanted(item, patterns, root, configs):
            yield item


def _is_unwanted(file: RawFile, patterns: list[_Pattern], root: str, configs: Sequence[str]) -> bool:
    """Whether a file is of another configuration; one that the card names gets what its path tells."""
    found = [named for pattern in patterns if (named := pattern.match(f"{root}/{file.name}")) is not None]
    if not found:
        return False
    if configs and all(config is not None and config not in configs for config, _ in found):
        return True
    if len(set(found)) == 1:
        file.config, file.split = found[0]
    return False


class _Pattern:
    """A file of the card as a regular expression over the end of a path."""

    def __init__(self, path: str, config: str | None, split: str | None) -> None:
        self._config, self._split = config, split
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

    def match(self, path: str) -> tuple[str | None, str | None] | None:
        """Configuration and split of a path; None where it is not this file."""
        found = self._regex.search(path)
        if found is None:
            return None
        parts = found.groupdict()
        return parts.get("config") or self._config, parts.get("split") or self._split


def _patterns(files: Any) -> Iterator[_Pattern]:
    configs: Sequence[str | None] = sorted(named_configs(files) or ()) or (None,)
    for config in configs:
        of_config = files if config is None else files[config]
        for split in sorted(named_splits(of_config) or ()) or (None,):
            for file in all_files(of_config if split is None else of_config[split]):
                for path in file.paths:
                    yield _Pattern(path, config, split)
