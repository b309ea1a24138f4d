"""A card file as a document: YAML that is checked before it is read, and the line of every key.

A file is taken as hostile: at most 1 MB, the safe C loader, no anchors or aliases, no key twice.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ..errors import UsageError

CARD_BYTES = 1024 * 1024

Lines = dict[tuple[Any, ...], int]
"""Path of keys -> line."""


def load_document(path: Path) -> tuple[Any, Lines]:
    """The document of a card, and the line of every key path."""
    try:
        size = path.stat().st_size
        if size > CARD_BYTES:
            raise UsageError(f"{path}: {size:,} bytes; a card has at most {CARD_BYTES:,}.")
        text = path.read_text(encoding="utf-8")
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                mark = event.start_mark
                line = mark.line + 1 if mark else 1
                raise UsageError(f"{path}:{line}: anchors and aliases are not allowed in a card.")
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
        lines: Lines = {}
        _note_lines(node, (), lines, path)
        return yaml.load(text, Loader=yaml.CSafeLoader), lines
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such card.") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 at byte {error.start}.") from error
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise UsageError(f"{path}:{line}: no YAML: {getattr(error, 'problem', None) or error}") from error


def _note_lines(node: yaml.Node | None, here: tuple[Any, ...], lines: Lines, path: Path) -> None:
    if node is None:
        return
    lines.setdefault(here, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise UsageError(f"{path}:{key.start_mark.line + 1}: a key must be text.")
            place = (*here, key.value)
            if place in lines:
                raise UsageError(f"{path}:{key.start_mark.line + 1}: the key {key.value!r} stands twice.")
            lines[place] = key.start_mark.line + 1
            _note_lines(value, place, lines, path)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _note_lines(value, (*here, index), lines, path)
