"""Reader for a plain folder: every audio, video and image file is a sample; `<stem>.txt` next to it is its text.

Without a `.txt`, `<stem>.lab` is, as aligners read their transcripts; a `.lab` of HTK, whose lines begin with two
times, is an alignment and no text.
Files in one folder with the same stem but different extensions keep their extension in the id. Stems that differ only
by Unicode normalisation are equal, unless both are there. A sample whose text cannot be read is rejected. Other files
are counted and reported, so that nothing is skipped silently, and a table beside the media is named. A sample has no
split unless one was given for all; folders with the names of splits are reported, too.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from ....errors import DamagedError
from ....shards.git_pointers import pointer_kind
from ....shards.split_roles import is_held_out
from ...candidate import Candidate, CandidateStream, RawFile, RawStream, ReadContext, Reader, Rejection
from ...files.extensions import MEDIA_EXTENSIONS
from ...files.unicode_names import composed

_Text = RawFile | Rejection
_TIMED = re.compile(r"\d+\s+\d+\s+\S")
"""A line of an HTK label file."""
_TABLES = {"csv": "csv", "tsv": "csv", "jsonl": "jsonl"}
"""Extension -> the format under which a table is imported."""


class FolderReader(Reader):
    """A plain folder; see the module docstring."""

    def read(self, files: RawStream, context: ReadContext) -> CandidateStream:
        """Candidates in path order."""
        media: list[RawFile] = []
        texts = _Texts()
        refused: list[str] = []
        ignored: Counter[str] = Counter()
        tables: list[RawFile] = []
        for file in files:
            name = file.candidate if isinstance(file, Rejection) else file.name
            if (extension := _extension(name)) in ("txt", "lab"):
                texts.add(_stem(name), file)
            elif isinstance(file, Rejection):
                refused.append(_stem(name))
                yield file
            elif extension in MEDIA_EXTENSIONS:
                media.append(file)
            else:
                ignored[extension or "(no extension)"] += 1
                if extension in _TABLES:
                    tables.append(file)
        yield from _candidates(media, texts)
        for stem in refused:
            texts.of(stem, ())
        _note(context, ignored, texts)
        _note_tables(context, tables)
        _note_splits(context, media)


@dataclass(slots=True)
class _Texts:
    """The texts by stem, and those that no media file has taken."""

    by_stem: dict[str, _Text] = field(default_factory=dict)
    spelled: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    taken: set[str] = field(default_factory=set)
    unused: Counter[str] = field(default_factory=Counter)

    def add(self, stem: str, text: _Text) -> None:
        other = self.by_stem.get(stem)
        if other is not None and _is_lab(other) != _is_lab(text):
            self.unused["beside a .txt"] += 1
            text = other if _is_lab(text) else text
        self.by_stem[stem] = text
        if not stem.isascii():
            self.spelled[composed(stem)].append(stem)

    def of(self, stem: str, media: Container[str]) -> _Text | None:
        """The text of a media file: of its own stem, else of the only one that equals it but for normalisation.

        `media` has the stems of all media files: a text of another file's stem is that file's.
        """
        if stem not in self.by_stem:
            found = [each for each in self.spelled.get(composed(stem), []) if each not in media]
            stem = found[0] if len(found) == 1 else stem
        self.taken.add(stem)
        return self.by_stem.get(stem)

    def left(self) -> int:
        return sum(stem not in self.taken for stem in self.by_stem)

    def endings(self) -> list[str]:
        """The extensions of the texts that no media file has taken."""
        left = [text for stem, text in self.by_stem.items() if stem not in self.taken]
        return [
            name for name, is_lab in ((".txt", False), (".lab", True)) if any(_is_lab(text) == is_lab for text in left)
        ]


def _candidates(media: list[RawFile], texts: _Texts) -> CandidateStream:
    by_stem: Counter[str] = Counter(_stem(file.name) for file in media)
    for file in media:
        stem = _stem(file.name)
        fields: dict[str, object] = {}
        if (text := texts.of(stem, by_stem)) is not None:
            content = _content(text)
            if isinstance(content, Rejection):
                yield Rejection(file.name, content.reason, content.detail, content.uri)
                continue
            if _is_lab(text) and _is_timed(content):
                texts.unused["with times, no texts"] += 1
                content = ""
            fields["text"] = content or None
        identity = stem if by_stem[stem] == 1 else file.name
        yield Candidate(
            identity, file.split, fields, [("media", file.blob())], file.config, file.uri, file.revision, file.uri
        )


def _content(text: _Text) -> str | Rejection:
    """The content of a text file, or why there is none."""
    if isinstance(text, Rejection):
        return text
    try:
        data = text.read()
        if (kind := pointer_kind(data)) is not None:
            return Rejection(text.name, "pointer", f"{text.uri}: the text is {kind}", text.uri)
        return data.decode("utf-8-sig").strip()
    except DamagedError as error:
        return Rejection(text.name, "too_large", error.message, text.uri)
    except UnicodeDecodeError as error:
        return Rejection(text.name, "not_utf8", f"{text.uri}: byte {error.start}", text.uri)


def _note(context: ReadContext, ignored: Counter[str], texts: _Texts) -> None:
    if ignored:
        context.note("not media: " + ", ".join(f"{n} .{extension}" for extension, n in sorted(ignored.items())))
    if left := texts.left():
        context.note(f"{left} {' or '.join(texts.endings())} without a media file of the same stem")
    for why, count in texts.unused.items():
        context.note(f"{count} .lab {why}, left out")


def _is_lab(text: _Text) -> bool:
    return _extension(text.candidate if isinstance(text, Rejection) else text.name) == "lab"


def _is_timed(content: str) -> bool:
    lines = [line for line in content.splitlines() if line.strip()]
    return bool(lines) and all(_TIMED.match(line.strip()) for line in lines)


def _note_tables(context: ReadContext, tables: list[RawFile]) -> None:
    if tables:
        first = tables[0]
        more = f" and {len(tables) - 1:,} more tables" if len(tables) > 1 else ""
        command = f"triptych import {_TABLES[_extension(first.name)]} {first.path or first.name}"
        context.note(f"{first.name}{more}: the rows of tables are not read; with their media: {command}")


def _note_splits(context: ReadContext, media: list[RawFile]) -> None:
    """Folders `train` and `test` do not make splits: without a word, test data could end in training."""
    folders = {PurePosixPath(file.name).parts[0] for file in media if file.split is None and "/" in file.name}
    if any(map(is_held_out, folders)):
        named = ", ".join(f"{name}/" for name in sorted(folders)[:5])
        context.note(f"{named}: the rows have no split; import each folder by itself, with --set split=NAME")


def _extension(name: str) -> str:
    return PurePosixPath(name).suffix.lower().removeprefix(".")


def _stem(name: str) -> str:
    return PurePosixPath(name).with_suffix("").as_posix()
