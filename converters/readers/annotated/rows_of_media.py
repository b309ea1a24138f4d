"""Which rows a media file belongs to, where several folders of a corpus lie side by side.

A card may give one place of the media with more and with fewer folders: `{release}/{folder}/clips/{path}`, then
`{folder}/clips/{path}`, then `clips/{path}`, because a user may give the folder of a release or one inside it. The row
of a table in one release must not take the clip of another by the shorter path: a file whose longer path names another
folder than that of the row's table is not its media, also if that other folder's table comes later.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .index import Index, path_keys
from .options import Annotation, has_shorter, media_parts


def find_rows(annotation: Annotation, index: Index, name: str) -> list[tuple[int, str]]:
    """Return the rows (number, kind) of a media file, in table order, including finished rows."""
    keys = path_keys(name, ignore_case=annotation.ignore_case)
    template, folders = _folders(annotation, name)
    if not folders:
        return index.find(keys)
    depth = template.strip("/").count("/")
    whole = index.find([key for key in keys if key.count("/") >= depth])
    return whole or [(n, kind) for n, kind in index.find(keys) if not _contradicts(folders, index.values(n))]


def _folders(annotation: Annotation, name: str) -> tuple[str, Mapping[str, str]]:
    """Return the longer of the card's paths that a media path has, with its parts that tables' paths have too."""
    for templates in annotation.media.values():
        for template in templates:
            parts = media_parts(template, name) if has_shorter(template, templates) else None
            if parts is not None:
                return template, {part: value for part, value in parts.items() if part in annotation.table_parts}
    return "", {}


def _contradicts(folders: Mapping[str, str], values: Mapping[str, Any]) -> bool:
    return any(part in values and str(values[part]) != value for part, value in folders.items())
