"""The one reader of YAML: cards, presets, rules, prompts, `mirror.yaml`; and the line of every key.

A file is taken as hostile: it has a limit of size, is UTF-8, makes nothing but plain values (the safe C loader), has no
anchors, aliases or merge keys, and no key twice. Every error names the file and the line. Nothing else of the package
loads YAML; a test holds it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UsageError

MAX_BYTES = 1024 * 1024

Lines = dict[tuple[Any, ...], int]
"""Path of keys -> line."""

_MERGE = "tag:yaml.org,2002:merge"
_TEXT = "tag:yaml.org,2002:str"


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """A document: its plain value, and the line of every path of keys (as they are written) and numbers of items."""

    value: Any
    lines: Lines = field(default_factory=dict)

    def line(self, *place: Any) -> int:
        """The line of a key, or of the nearest one around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


def read_yaml(path: Path, *, noun: str = "file", max_bytes: int = MAX_BYTES) -> YamlDocument:
    """The document of a file.

    Args:
        path: The file.
        noun: What it is called in messages, such as `card`.
        max_bytes: More than this is refused before anything is read.

    Raises:
        UsageError: It is missing, too large, not UTF-8, or invalid YAML, as `parse_yaml` says.
    """
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise UsageError(f"{path}: {size:,} bytes; a {noun} has at most {max_bytes:,}.")
        data = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such {noun}.") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}.") from error
    return parse_yaml(data, name=str(path), noun=noun, max_bytes=max_bytes)


def parse_yaml(data: bytes, *, name: str, noun: str = "file", max_bytes: int = MAX_BYTES) -> YamlDocument:
    """The document in the bytes of a file; `name` stands in messages.

    Raises:
        UsageError: Too large, not UTF-8, invalid YAML, an anchor, an alias, a merge key, or a key twice.
    """
    import yaml

    if len(data) > max_bytes:
        raise UsageError(f"{name}: {len(data):,} bytes; a {noun} has at most {max_bytes:,}.")
    try:
        text = data.decode("utf-8")
        # Looked for before anything is built: nested aliases grow a small file to gigabytes.
        if "&" in text or "*" in text:
            _refuse_anchors(text, name, noun)
        loader = yaml.CSafeLoader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return YamlDocument(None)
            lines: Lines = {}
            _note_lines(node, (), lines, name, loader)
            return YamlDocument(loader.construct_document(node), lines)
        finally:
            loader.dispose()
    except UnicodeDecodeError as error:
        raise UsageError(f"{name}: not UTF-8 at byte {error.start}.") from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise UsageError(f"{name}:{line}: invalid YAML: {getattr(error, 'problem', None) or error}.") from error


def parse_scalar(text: str) -> Any:
    """What YAML makes of one plain value: `no` is False."""
    import yaml

    return yaml.load(text, Loader=yaml.CSafeLoader)


def yaml_text(value: Any) -> str:
    """A plain value as YAML, its keys in their order."""
    import yaml

    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)


def _refuse_anchors(text: str, name: str, noun: str) -> None:
    import yaml

    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise UsageError(f"{name}:{line}: anchors and aliases are not allowed in a {noun}.")


def _note_lines(node: Any, here: tuple[Any, ...], lines: Lines, name: str, loader: Any) -> None:
    lines.setdefault(here, node.start_mark.line + 1)
    if node.id == "mapping":
        seen = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.id != "scalar":
                raise UsageError(f"{name}:{line}: a key must be text.")
            if key.tag == _MERGE:
                raise UsageError(f"{name}:{line}: a merge key (<<) is not allowed; write out what it stands for.")
            # `no` and `false`, or 1 and 0x1, are one key, though they are written in two ways.
            meant = key.value if key.tag == _TEXT else loader.construct_object(key)
            if meant in seen:
                raise UsageError(f"{name}:{line}: the key {key.value!r} is there twice.")
            seen.add(meant)
            place = (*here, key.value)
            lines[place] = line
            _note_lines(value, place, lines, name, loader)
    elif node.id == "sequence":
        for index, value in enumerate(node.value):
            _note_lines(value, (*here, index), lines, name, loader)
