"""The only YAML loader of the package (cards, presets, rules, prompts, `mirror.yaml`); it keeps the line of every key.

Files are untrusted: they have a size limit, must be UTF-8, are loaded as plain values (the safe C loader), and must not
contain anchors, aliases, merge keys or duplicate keys. Every error names the file and the line. Nothing else in the
package loads YAML; a test enforces it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UsageError

MAX_BYTES = 1024 * 1024

Lines = dict[tuple[Any, ...], int]
"""Maps a path of keys to a line."""

_MERGE = "tag:yaml.org,2002:merge"
_TEXT = "tag:yaml.org,2002:str"


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """A document: its plain value, and the line of every path of keys (as written) and list indexes."""

    value: Any
    lines: Lines = field(default_factory=dict)

    def line(self, *place: Any) -> int:
        """Return the line of a key, or of the nearest enclosing one."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)


def read_yaml(path: Path, *, noun: str = "file", max_bytes: int = MAX_BYTES) -> YamlDocument:
    """Read a YAML file.

    Args:
        path: The file.
        noun: What messages call the file, such as `card`.
        max_bytes: A larger file is refused before it is read.

    Raises:
        UsageError: The file is missing or too large, or `parse_yaml` refuses it.
    """
    try:
        size = path.stat().st_size
        if size > max_bytes:
            raise UsageError(f"{path}: {size:,} bytes; the limit for a {noun} is {max_bytes:,}.")
        data = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such {noun}.") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}.") from error
    return parse_yaml(data, name=str(path), noun=noun, max_bytes=max_bytes)


def parse_yaml(data: bytes, *, name: str, noun: str = "file", max_bytes: int = MAX_BYTES) -> YamlDocument:
    """Parse the bytes of a YAML file; `name` is used in messages.

    Raises:
        UsageError: Too large, not UTF-8, invalid YAML, or an anchor, an alias, a merge key or a duplicate key.
    """
    import yaml

    if len(data) > max_bytes:
        raise UsageError(f"{name}: {len(data):,} bytes; the limit for a {noun} is {max_bytes:,}.")
    try:
        text = data.decode("utf-8")
        # Checked before anything is built: nested aliases can expand a small file to gigabytes.
        if "&" in text or "*" in text:
            _refuse_anchors(text, name, noun)
        loader = yaml.CSafeLoader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return YamlDocument(None)
            lines: Lines = {}
            _record_lines(node, (), lines, name, loader)
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
    """Parse one plain YAML value: `no` becomes False."""
    import yaml

    return yaml.load(text, Loader=yaml.CSafeLoader)


def yaml_text(value: Any) -> str:
    """Format a plain value as YAML, keeping the order of its keys."""
    import yaml

    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True)


def _refuse_anchors(text: str, name: str, noun: str) -> None:
    import yaml

    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise UsageError(f"{name}:{line}: anchors and aliases are not allowed in a {noun}.")


def _record_lines(node: Any, here: tuple[Any, ...], lines: Lines, name: str, loader: Any) -> None:
    lines.setdefault(here, node.start_mark.line + 1)
    if node.id == "mapping":
        seen = set()
        for key, value in node.value:
            line = key.start_mark.line + 1
            if key.id != "scalar":
                raise UsageError(f"{name}:{line}: a key must be text.")
            if key.tag == _MERGE:
                raise UsageError(f"{name}:{line}: merge keys (<<) are not allowed; write out the keys instead.")
            # `no` and `false`, or 1 and 0x1, are the same key written in different ways.
            resolved = key.value if key.tag == _TEXT else loader.construct_object(key)
            if resolved in seen:
                raise UsageError(f"{name}:{line}: duplicate key {key.value!r}.")
            seen.add(resolved)
            place = (*here, key.value)
            lines[place] = line
            _record_lines(value, place, lines, name, loader)
    elif node.id == "sequence":
        for index, value in enumerate(node.value):
            _record_lines(value, (*here, index), lines, name, loader)
