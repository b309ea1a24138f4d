"""The media that a row names, wherever a format puts it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from .answers import MEDIA

_FURTHER = {"audio": ("audio_feat", "audio_path")}
"""Columns of formats that have a name of their own for a medium."""
_IN_TEXT = re.compile(r"<(audio|video|image)>(/[^<>\n]+)</\1>")


def media_of(row: Mapping[str, Any]) -> dict[str, list[str]]:
    """The paths of a row's media by kind: those of its columns, and of content parts and texts of its messages."""
    found: dict[str, list[str]] = {kind: [] for kind in MEDIA}
    for kind, paths in found.items():
        for name in (kind, f"{kind}s", *_FURTHER.get(kind, ())):
            value = row.get(name)
            paths += [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]
    for kind, path in _of_messages([each for each in row.values() if isinstance(each, list)]):
        found[kind].append(path)
    return found


def files_of(row: Mapping[str, Any]) -> dict[str, int]:
    """How many of a row's media are files that are there, by kind."""
    return {kind: sum(Path(path).is_file() for path in paths) for kind, paths in media_of(row).items()}


def _of_messages(value: Any) -> Iterator[tuple[str, str]]:
    """Kind and path of content parts, and of paths in texts, however deep they lie in conversations."""
    if isinstance(value, list):
        for each in value:
            yield from _of_messages(each)
    elif isinstance(value, Mapping):
        yield from _part(value)
        for each in value.values():
            if isinstance(each, str):
                yield from _IN_TEXT.findall(each)
            else:
                yield from _of_messages(each)


def _part(value: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    name = str(value.get("type"))
    held, kind = value.get(name), name.removesuffix("_url")
    path = held.get("url") if isinstance(held, Mapping) else held
    if isinstance(path, str) and kind in MEDIA:
        yield kind, unquote(path.removeprefix("file://")) if path.startswith("file://") else path
