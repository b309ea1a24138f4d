"""Files of one name in several places of a folder, known before it is read: media, and tables that are joined.

Two corpora in one folder, or a corpus beside an older copy of it, have files and tables of the same names. As files
come one after the other, the first would be taken without a word. An archive is not listed: it is one release of one
corpus.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...candidate import Blob
from ...files.extensions import AUDIO, MEDIA_EXTENSIONS, VIDEO
from ...files.same_content import same_content
from .index import Arrived, Index, IndexedRow, normal_key
from .options import Annotation, is_path_template
from .rows_of_media import find_rows

Names = Callable[[], Iterable[tuple[str, Path]]]


class Namesakes:
    """The names of the files to be read; empty where they are not a folder."""

    def __init__(self, annotation: Annotation, index: Index, names: Names, note: Callable[[str], None]) -> None:
        """Read the names; `note` takes a line about tables of one name that differ."""
        self._annotation = annotation
        self._index = index
        self._note = note
        templates = [each for listed in annotation.media.values() for each in listed]
        self._depths = {each.strip("/").count("/") + 1 for each in templates}
        self._open_ended = {each.strip("/").count("/") + 1 for each in templates if each.endswith(".*")}
        self._least, self._most = min(self._depths, default=1), max(self._depths, default=1)
        # The value of a column may be a path, so that a row may name any end of a path.
        self._any_depth = not all(map(is_path_template, templates))
        self._namesakes = self._read(names)

    def rows_of(self, place: str) -> list[tuple[int, str]]:
        """The rows (number, kind) of a media file; the sound of a row is not a video, where there is a file of it."""
        found = find_rows(self._annotation, self._index, place)
        return [(n, kind) for n, kind in found if kind != "audio" or not self._has_sound_of(place)]

    def _has_sound_of(self, name: str) -> bool:
        """Whether there is a file of sound with the same stem as this video."""
        stem, _, ending = name.rpartition(".")
        if not self._namesakes or ending.lower() not in VIDEO:
            return False
        alike = (self._namesakes.get(self._end(f"{stem}.*", depth), {}) for depth in self._open_ended)
        return any(other.rpartition(".")[2].lower() in AUDIO for files in alike for other in files)

    def ambiguity(self, rows: Sequence[IndexedRow], media: Iterable[tuple[str, Arrived]]) -> str | None:
        """What is ambiguous about the media (kind, file) of these rows; None if nothing is."""
        for kind, file in media if self._namesakes else ():
            for row in rows:
                for key in (key for key, of in self._annotation.keys(row.values) if of == kind):
                    for rival in self._rivals(file.name, key.count("/") + 1):
                        place = replace(file, name=rival).place
                        if (row.n, kind) in find_rows(self._annotation, self._index, place):
                            return f"{file.name} and {rival} both have the name of its file, and they differ"
        return None

    def _rivals(self, name: str, depth: int) -> Iterator[str]:
        """The other files whose paths end with the same names, so many of them, and whose content differs."""
        alike = self._namesakes.get(self._end(name, depth), {})
        own = Blob(name, path=alike.get(name))
        for other, path in alike.items():
            if other != name and not same_content(own, Blob(other, path=path)):
                yield other

    def _read(self, names: Names) -> dict[str, dict[str, Path]]:
        """Return the media whose paths end alike, by that end, and tell joined tables how many files they have.

        Ends are hashed first, since nearly all of them occur once.
        """
        hashes = array("q")
        tables: dict[tuple[Any, ...], dict[str, Path]] = {}
        for name, path in names():
            if _is_media(name):
                hashes.extend(map(hash, self._ends(name)))
                continue
            for table, parts in self._annotation.tables_of(name):
                table.expect(parts)
                if table.is_first and "*" not in "".join(table.templates):
                    tables.setdefault((table.number, *parts.items()), {})[name] = path
        self._note_tables(tables.values())
        found: dict[str, dict[str, Path]] = {}
        repeated = _repeated(hashes)
        for name, path in names() if repeated else ():
            for end in self._ends(name) if _is_media(name) else ():
                if hash(end) in repeated:
                    found.setdefault(end, {})[name] = path
        return found

    def _note_tables(self, tables: Iterable[Mapping[str, Path]]) -> None:
        for alike in tables:
            (first, path), *others = alike.items()
            own = Blob(first, path=path)
            unlike = [name for name, path in others if not same_content(own, Blob(name, path=path))]
            if unlike:
                listed = " and ".join([first, *unlike[:2]])
                self._note(f"{listed} are the same table, and differ: of rows of one id, the first counts")

    def _ends(self, name: str) -> Iterator[str]:
        """The ends of a media file's path that a row may name."""
        for depth, end in enumerate(_ends_of(normal_key(name, ignore_case=self._annotation.ignore_case)), start=1):
            if depth in self._depths or (self._any_depth and depth >= self._least):
                yield end
            if depth in self._open_ended:
                yield f"{end.rpartition('.')[0]}.*"
            if depth >= self._most and not self._any_depth:
                return

    def _end(self, name: str, depth: int) -> str:
        return normal_key("/".join(name.split("/")[-depth:]), ignore_case=self._annotation.ignore_case)


def _is_media(name: str) -> bool:
    return name.rpartition(".")[2].lower() in MEDIA_EXTENSIONS


def _ends_of(name: str) -> Iterator[str]:
    """The last part of a path, the last two, and so on."""
    place = len(name)
    while (place := name.rfind("/", 0, place)) >= 0:
        yield name[place + 1 :]
    yield name


def _repeated(hashes: array[int]) -> set[int]:
    """The numbers that occur more than once."""
    import numpy as np

    ordered = np.sort(np.frombuffer(hashes, np.int64)) if hashes else np.zeros(0, np.int64)
    return {int(each) for each in np.unique(ordered[1:][ordered[1:] == ordered[:-1]])}
