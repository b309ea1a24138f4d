"""Which rows a media file belongs to: those of its name, if it can be of their kind.

Of rows whose names differ by case alone, where a card ignores case, a file belongs to those that it has the name of.
Several folders of a corpus may lie side by side.

A card may give one place of the media with more and with fewer folders: `{release}/{folder}/clips/{path}`, then
`{folder}/clips/{path}`, then `clips/{path}`, because a user may give the folder of a release or one inside it. The row
of a table in one release must not take the clip of another by the shorter path: a file whose longer path names another
folder than that of the row's table is not its media, also if that other folder's table comes later.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...files.extensions import AUDIO
from .index import Index, path_keys
from .options import Annotation, has_shorter, media_parts

Rows = list[tuple[int, str]]
_SOUND_ALONE = AUDIO - {"ogg"}
"""Suffixes of files that are no video: where the sound of videos was extracted beside them, it is not their clip."""


def find_rows(annotation: Annotation, index: Index, name: str) -> Rows:
    """Return the rows (number, kind) of a media file at this place, in table order, including finished rows."""
    found = _of_its_folder(annotation, index, name)
    if name.rpartition(".")[2].lower() in _SOUND_ALONE:
        found = [(n, kind) for n, kind in found if kind != "video"]
    return _of_its_case(annotation, index, name, found) if annotation.ignore_case and len(found) > 1 else found


def _of_its_folder(annotation: Annotation, index: Index, name: str) -> Rows:
    keys = path_keys(name, ignore_case=annotation.ignore_case)
    template, folders = _folders(annotation, name)
    if not folders:
        return index.find(keys)
    depth = template.strip("/").count("/")
    whole = index.find([key for key in keys if key.count("/") >= depth])
    return whole or [(n, kind) for n, kind in index.find(keys) if not _contradicts(folders, index.values(n))]


def _of_its_case(annotation: Annotation, index: Index, name: str, found: Rows) -> Rows:
    own = path_keys(name, ignore_case=False)
    written = {n: {key for key, _ in annotation.keys(index.values(n), as_written=True)} for n, _ in found}
    return [(n, kind) for n, kind in found if not written[n].isdisjoint(own)] or found


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
