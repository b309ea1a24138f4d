"""The part of a card that names the files of a source, by configuration and split.

A source names its files in one of four forms:

    archive: https://host/corpus_{split}.tar.gz              # one per split
    archive: [https://host/captions.csv, https://host/audio.zip]   # opened together, in this order
    archive: {train: [...], test: [...]}                     # by split
    archive: {en: {train: [...]}, fr: {train: [...]}}        # by configuration, then by split

`{split}` and `{config}` are replaced by the name of the split or configuration. A file is a string (a URL, or a path
in a hub repository, where `*` and `?` match within a folder and `**/` matches any folders), or one of

    {join: [a.zip.001, a.zip.002], as: a.zip}                # concatenated into one file (patterns on the hub)
    {list: https://host/parts.txt}                           # a text file with one URL per line
    {list: https://host/v1.list, base: https://other/, matching: "audio/dev/*"}
                                                             # or one `<md5> <path under base>` per line, filtered

Nothing here accesses the network.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

_KEYS = {"join": {"join", "as"}, "list": {"list", "base", "matching"}}


@dataclass(frozen=True, slots=True)
class FileCard:
    """One file of a source.

    Attributes:
        paths: One path or URL; several are concatenated.
        name: Name of the concatenated file; None for a single path.
        is_list: The file is a list of URLs, one per line.
        base, matching: For a list of paths: the base URL, and the pattern of the paths to use.
    """

    paths: tuple[str, ...]
    name: str | None = None
    is_list: bool = False
    base: str | None = None
    matching: str = "*"

    def filled(self, config: str | None, split: str | None) -> FileCard:
        """Return a copy with `{config}` and `{split}` replaced."""
        return replace(
            self,
            paths=tuple(fill(path, config, split) for path in self.paths),
            name=fill(self.name, config, split) if self.name else None,
            matching=fill(self.matching, config, split),
        )

    def mentions(self, placeholder: str) -> bool:
        return any(placeholder in path for path in (*self.paths, self.name or "", self.matching))


@dataclass(frozen=True, slots=True)
class Group:
    """Files that are opened together, in order, with the configuration and splits that they contain.

    Attributes:
        split: The split of all of these files, if the card names them by split; never what was only asked for.
    """

    config: str | None
    splits: tuple[str, ...]
    files: tuple[FileCard, ...]
    split: str | None = None


def fill(text: str, config: str | None, split: str | None) -> str:
    """Return `text` with its placeholders replaced; those without a known value are kept."""
    if config is not None:
        text = text.replace("{config}", config)
    return text.replace("{split}", split) if split is not None else text


def check_files(value: Any, *, depth: int = 0) -> Any:
    """Return `value` unchanged if it has one of the forms above.

    Raises:
        ValueError: It does not; the message says what was found.
    """
    if isinstance(value, Mapping) and depth < 2 and not _is_file(value):
        if not value:
            raise ValueError("no file is named")
        for key, inner in value.items():
            if not isinstance(key, str):
                raise ValueError(f"{key!r} is not the name of a split or configuration; put it in quotes")
            check_files(inner, depth=depth + 1)
        return value
    files = _files(value)
    if not files:
        raise ValueError("no file is named")
    return value


def groups(value: Any, splits: Sequence[str], configs: Sequence[str]) -> Iterator[Group]:
    """Yield the groups of the given splits and configurations, in the order of `configs`, then of `splits`.

    `configs` is empty for a corpus without configurations.
    """
    for config, files in _by_config(value, configs):
        yield from _by_split(files, splits, config)


def all_files(value: Any) -> Iterator[FileCard]:
    """Yield every file that a source names, without replacing placeholders."""
    if isinstance(value, Mapping) and not _is_file(value):
        for inner in value.values():
            yield from all_files(inner)
    else:
        yield from _files(value)


def named_splits(value: Any) -> set[str] | None:
    """Return the splits that a source names; None if it contains all of them."""
    if not isinstance(value, Mapping) or _is_file(value):
        return None
    inner = [each for each in value.values() if isinstance(each, Mapping) and not _is_file(each)]
    return {str(split) for each in inner for split in each} if inner else {str(key) for key in value}


def named_configs(value: Any) -> set[str] | None:
    """Return the configurations that a source names; None if it names none."""
    if not isinstance(value, Mapping) or _is_file(value):
        return None
    nested = {str(key) for key, each in value.items() if isinstance(each, Mapping) and not _is_file(each)}
    return nested or None


def _by_config(value: Any, configs: Sequence[str]) -> Iterator[tuple[str | None, Any]]:
    if named_configs(value) is not None:
        yield from ((config, value[config]) for config in configs if config in value)
    elif configs and any(file.mentions("{config}") for file in all_files(value)):
        yield from ((config, value) for config in configs)
    else:
        # The reader finds the configuration in the files, or there is only one.
        yield (configs[0] if len(configs) == 1 else None), value


def _by_split(value: Any, splits: Sequence[str], config: str | None) -> Iterator[Group]:
    if isinstance(value, Mapping) and not _is_file(value):
        for split in splits:
            if split in value:
                yield Group(config, (split,), tuple(file.filled(config, split) for file in _files(value[split])), split)
        return
    files = _files(value)
    if any(file.mentions("{split}") for file in files):
        for split in splits:
            yield Group(config, (split,), tuple(file.filled(config, split) for file in files), split)
    else:
        yield Group(config, tuple(splits), tuple(file.filled(config, None) for file in files))


def _files(value: Any) -> list[FileCard]:
    return [_file(item) for item in (value if isinstance(value, list) else [value])]


def _is_file(value: Mapping[Any, Any]) -> bool:
    return any(key in value for key in _KEYS)


def _file(value: Any) -> FileCard:
    if isinstance(value, str) and value:
        return FileCard((value,))
    if not isinstance(value, Mapping) or not _is_file(value):
        raise ValueError(f"{value!r} is not a file: give a path or URL, {{join: [...], as: NAME}} or {{list: URL}}")
    kind = next(key for key in _KEYS if key in value)
    if set(value) - _KEYS[kind]:
        raise ValueError(f"{value!r}: unknown key(s) {', '.join(sorted(map(str, set(value) - _KEYS[kind])))}")
    if kind == "list":
        if not all(isinstance(each, str) for each in value.values()):
            raise ValueError(f"{value!r}: list and base each take one URL, matching takes a path pattern")
        return FileCard(
            (value["list"],), is_list=True, base=value.get("base"), matching=value.get("matching", "*")
        )  # fmt: skip
    parts = value["join"] if isinstance(value["join"], list) else [value["join"]]
    if not parts or not all(isinstance(part, str) and part for part in parts) or not isinstance(value.get("as"), str):
        raise ValueError(f"{value!r}: join takes paths, and `as` the name of the joined file")
    return FileCard(tuple(parts), name=value["as"])
