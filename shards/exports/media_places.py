"""Where the rows of a version name media: what `verify`, `pack`, `push` and `relocate` look at, each place in one way.

A place is a column of paths; a column of messages in JSON, whose parts are media (`{"type": "audio", "audio": path}`)
or name them by a URL (`{"url": "file://..."}`, percent-encoded); or turns whose texts hold paths between tags
(`<audio>path</audio>`). JSON is searched as text: within a string of JSON every quotation mark is escaped, so the
patterns of parts can match nothing but parts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote as percent_encoded

from ..store.sql import identifier, quote

MEDIA_COLUMNS = ("audio_feat", "audio_path", "image", "images", "video", "videos", "audio", "audios")
MESSAGE_COLUMNS = ("messages", "prompt", "completion", "chosen", "rejected")
"""Columns that hold messages, where they are JSON."""
KINDS = ("image", "video", "audio")

_STRING = r'((?:[^"\\]|\\.)*)'
_UNESCAPED = "('\"' || x || '\"')::JSON ->> '$'"


@dataclass(frozen=True, slots=True)
class MediaPlace:
    """A column in which rows name media.

    Attributes:
        kind: `path`, `paths`, `messages` or `inline`.
    """

    column: str
    kind: str

    @property
    def paths(self) -> str:
        """SQL for the list of the paths of a row; null or empty if it names none."""
        *more, listed = self.paths_by_kind().values()
        for other in more:
            listed = f"list_concat({listed}, {other})"
        return listed

    def paths_by_kind(self) -> dict[str, str]:
        """Kind of medium -> SQL for the list of the paths of a row, in order."""
        name = identifier(self.column)
        if self.kind in ("path", "paths"):
            kind = next(kind for kind in KINDS if self.column.startswith(kind))
            return {kind: name if self.kind == "paths" else f"[{name}]"}
        if self.kind == "inline":
            texts = f"array_to_string([m['value'] FOR m IN {name}], chr(10))"
            return {kind: f"regexp_extract_all({texts}, {quote(_inline(kind))}, 1)" for kind in KINDS}
        text = f"{name}::VARCHAR"
        found = {}
        for kind in KINDS:
            parts = f"[{_UNESCAPED} FOR x IN regexp_extract_all({text}, {quote(_part_pattern(kind))}, 1)]"
            urls = f"[url_decode(x) FOR x IN regexp_extract_all({text}, {quote(_url_pattern(kind))}, 1)]"
            found[kind] = f"list_concat({parts}, {urls})"
        return found

    def moved_to(self, old: str, new: str) -> str:
        """SQL for the column with the paths that are under a folder under another; both end in a slash."""
        name = identifier(self.column)
        if self.kind == "path":
            return _moved(name, old, new)
        if self.kind == "paths":
            return f"list_transform({name}, lambda p: {_moved('p', old, new)})"
        if self.kind == "inline":
            text = _replaced("m['value']", {f"<{kind}>{old}": f"<{kind}>{new}" for kind in KINDS})
            return f"list_transform({name}, lambda m: struct_update(m, value := {text}))"
        parts = {_part(kind, old): _part(kind, new) for kind in KINDS}
        return f"{_replaced(f'{name}::VARCHAR', {**parts, _url(old): _url(new)})}::JSON"


def _part_pattern(kind: str) -> str:
    return f'"type":"{kind}","{kind}":"{_STRING}"'


def _url_pattern(kind: str) -> str:
    return f'"{kind}_url":{{"url":"file://([^"\\\\]*)"'


def _inline(kind: str) -> str:
    return f"<{kind}>([^<>\\n]+)</{kind}>"


def media_places(types: Mapping[str, str]) -> list[MediaPlace]:
    """The places of rows with these columns (name -> type of DuckDB)."""
    found = []
    has_columns = any(name in types for name in MEDIA_COLUMNS)  # then a text holds tags, and no paths
    for name, type_ in types.items():
        if name in MEDIA_COLUMNS:
            found.append(MediaPlace(name, "paths" if type_.endswith("[]") else "path"))
        elif name in MESSAGE_COLUMNS and type_ == "JSON":
            found.append(MediaPlace(name, "messages"))
        elif (
            name == "conversations"
            and not has_columns
            and type_.endswith("[]")
            and "value VARCHAR" in type_.replace('"', "")
        ):
            found.append(MediaPlace(name, "inline"))
    return found


def without_root(line: bytes, media_root: str) -> bytes:
    """Rows in JSON with the media root replaced by `$MEDIA`, wherever they may name media."""
    root = media_root.rstrip("/") + "/"
    text = json.dumps(root, ensure_ascii=False)[1:-1]
    for start, form in (('"', text), ('"file://', _encoded(root)), *((f"<{kind}>", text) for kind in KINDS)):
        line = line.replace(f"{start}{form}".encode(), f"{start}$MEDIA/".encode())
    return line


def _moved(path: str, old: str, new: str) -> str:
    return (
        f"CASE WHEN starts_with({path}, {quote(old)}) THEN {quote(new)} || substr({path}, {len(old) + 1}) "
        f"ELSE {path} END"
    )


def _replaced(text: str, pairs: Mapping[str, str]) -> str:
    for before, after in pairs.items():
        text = f"replace({text}, {quote(before)}, {quote(after)})"
    return text


def _part(kind: str, root: str) -> str:
    """The start of a part of JSON whose path begins with this root."""
    return f'"type":"{kind}","{kind}":{json.dumps(root, ensure_ascii=False)[:-1]}'


def _url(root: str) -> str:
    return f'"url":"file://{_encoded(root)}'


def _encoded(path: str) -> str:
    """A path as `file_url` of the views writes it."""
    return percent_encoded(path, safe="/-._~")
