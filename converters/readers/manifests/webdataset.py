"""Reader for WebDataset shards: tar files whose members are grouped into samples by their names.

    audio/0001.flac      the folder and the name up to the first dot are the key: `audio/0001`
    audio/0001.txt       text; or `.text`, or `.lab`: the first of the three, the others go to `extra`
    audio/0001.json      an object: its keys are columns, like those of a table
    audio/0001.cls       a class; a number becomes a label only with `--classes FILE`, else it goes to `extra`
    audio/0001.x.json    a text member with a longer extension goes to `extra`, under that extension

Media is recognised by its last extension and kept in member order. Members of one sample are consecutive; where a shard
has a key at several places (packed by a plain `tar`), its parts are joined. Names with dots of their own
(`Yabc_30.000_40.000.wav`) are told by their texts and split at the last dot, see `shard_groups.py`. A pickled member
(`.pkl`, `.pickle`, `.pyd`, `.pth`, `.pt`) is rejected as `executable_entry` and never unpickled; the sample is kept
without it. Arrays and other members are counted in a note. A sample with two different members of one extension is
rejected (`duplicate_member`). A key already used by an earlier shard is prefixed with its shard's name. Shards are read
as streams; nothing is unpacked.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from ....errors import DamagedError, UsageError
from ....shards.git_pointers import pointer_kind
from ....shards.json_objects import NULLS
from ....shards.sample import MEDIA_KINDS
from ...candidate import CandidateStream, RawFile, RawStream, ReadContext, Reader, Rejection, RowError
from ...files.extensions import MEDIA_EXTENSIONS
from ...files.unicode_names import composed
from ...imports.columns import COMMON_NAMES, MEDIA
from ..tables.cells import Row, Rows
from ..tables.user_table import candidates
from .shard_groups import Apart, Group, Member, split_name

KNOWN = {"__key__": "id", "__media__": "media", "__text__": "text", "__labels__": "labels"}
PICKLED = frozenset({"pickle", "pkl", "pyd", "pth", "pt"})
TEXTS = ("txt", "text", "lab")
_PEEK_SAMPLES = 20
_SUFFIX = re.compile(r"\.(tar|tar\.gz|tgz)$", re.IGNORECASE)
_MEDIA_NAMES = {name for kind in (*MEDIA_KINDS, MEDIA) for name in (kind, *COMMON_NAMES.get(kind, ()))}


class WebDatasetReader(Reader):
    """WebDataset shards."""

    def accepts(self, name: str) -> bool:
        return name.lower().endswith((".tar", ".tar.gz", ".tgz"))

    def read(self, files: RawStream, context: ReadContext) -> CandidateStream:
        """Candidates in the order of the shards and of their members."""
        shards = _Shards(context)
        for shard in files:
            if isinstance(shard, Rejection):
                yield shard
            else:
                yield from candidates(shards.rows(shard), shard, context, known=KNOWN, peek=_PEEK_SAMPLES)
        shards.report_skipped()


class _Shards:
    def __init__(self, context: ReadContext) -> None:
        self.members = context.open_archive
        self.classes = context.classes
        self.text_only = context.text_only
        self.note = context.note
        self.spool = context.spool
        self.names_text = "text" in context.columns or "text" in context.columns.values()
        self.skipped: Counter[str] = Counter()
        self.joined = 0
        self.several: list[str] = []
        self.seen: set[int] = set()
        self.names: Counter[str] = Counter()
        self.name = ""
        self.split: str | None = None

    def rows(self, shard: RawFile) -> Rows:
        self.name, self.split = self._name_of(shard), shard.split
        apart = Apart(lambda: self._keys(shard), spool=self.spool)
        with closing(apart):
            for group in self._groups(shard):
                for item in [group] if isinstance(group, Rejection) else apart.take(group):
                    yield from [item] if isinstance(item, Rejection) else self._finished(item)
            yield from apart.rest()
        self.joined += apart.joined

    def _opened(self, shard: RawFile) -> RawStream:
        if self.members is None:
            raise UsageError("import webdataset needs `open_archive` to read shards: call triptych.import_data.")
        return self.members(shard)

    def _keys(self, shard: RawFile) -> Iterator[str]:
        """The key of every member, in order; nothing else of them is kept."""
        for member in self._opened(shard):
            if isinstance(member, RawFile):
                yield composed(split_name(member.name)[0])

    def _groups(self, shard: RawFile) -> Iterator[Group | Rejection]:
        """Consecutive members of one key."""
        group: Group | None = None
        for member in self._opened(shard):
            if isinstance(member, Rejection):
                yield member
                continue
            key, extension = split_name(member.name)
            if group is None or not group.takes(key, extension):
                if group is not None:
                    yield group
                group = Group(key, member.uri.rpartition("!")[0] + f"!{key}")
            yield from self._take(member, extension, group)
        if group is not None:
            yield group

    def _take(self, member: RawFile, extension: str, group: Group) -> Iterator[Rejection]:
        last = extension.rpartition(".")[2]
        if last in PICKLED:
            group.pickled = True
            yield Rejection(member.name, "executable_entry", f"{member.uri}: pickles are never read", member.uri)
        elif last in MEDIA_EXTENSIONS:
            group.add(Member(member.name, member.uri, extension, blob=member.blob()))
        elif _is_part(extension):
            group.add(_text_member(member, extension))
        else:
            self.skipped[last or "(no extension)"] += 1
        group.extensions.add(extension)

    def _finished(self, group: Group) -> Rows:
        parts = group.samples()
        for key, members in parts:
            where = f"{group.where.rpartition('!')[0]}!{key}"
            media = [member.blob for member in members if member.blob is not None]
            try:
                values = self._values(members)
            except RowError as problem:
                group.discard(members)
                yield problem.rejection(where, candidate=key, uri=where)
                continue
            if len(media) > 1 and all("." in member.extension for member in members):
                self.several.append(key)
            if media or (self.text_only and values):
                yield Row({"__key__": self._unique(key), **({"__media__": media} if media else {}), **values}, where)
            elif values or not group.pickled:
                detail = f"{where}: no member of this key is audio, video or an image"
                yield Rejection(key, "no_media", detail, where)

    def _values(self, members: list[Member]) -> dict[str, Any]:
        """The columns of a sample; raises RowError for the first member that cannot be read."""
        values: dict[str, Any] = {}
        texts: dict[str, str] = {}
        for member in members:
            if member.fault is not None:
                raise member.fault
            if member.text is None:
                continue
            try:
                if member.extension == "json":
                    values.update(_columns(_parsed(member.text)))
                elif member.extension == "cls":
                    values.update(self._label(member.text))
                else:
                    texts[member.extension] = member.text
            except RowError as problem:
                problem.file = problem.file or member.uri
                raise
        text = next((extension for extension in TEXTS if extension in texts), None)
        if text is not None:
            values["__text__"] = texts.pop(text) or None
        elif not self.names_text:
            values.update(_said(values))
        return {**values, **texts}

    def _label(self, text: str) -> dict[str, Any]:
        if not text.lstrip("-").isdigit():
            return {"__labels__": text or None}
        if not self.classes:
            return {"cls": text}
        if 0 <= int(text) < len(self.classes):
            return {"__labels__": self.classes[int(text)]}
        raise RowError("bad_value", f"class {text}, but only {len(self.classes)} class names are given")

    def _unique(self, key: str) -> str:
        if hash((self.split, key)) in self.seen:
            key = f"{self.name}/{key}"
        self.seen.add(hash((self.split, key)))
        return key

    def _name_of(self, shard: RawFile) -> str:
        """The shard's name without its suffix, with its folder where an earlier shard has the same name."""
        name = _SUFFIX.sub("", shard.name)
        if self.names[name] and shard.path is not None:
            name = f"{shard.path.parent.name}/{name}"
        self.names[name] += 1
        return name if self.names[name] == 1 else f"{name}#{self.names[name]}"

    def report_skipped(self) -> None:
        if self.skipped:
            listed = ", ".join(f"{count} .{extension}" for extension, count in sorted(self.skipped.items()))
            self.note(f"members skipped: {listed}")
        if self.joined:
            self.note(
                f"members that a shard has apart were joined: {self.joined:,} (tar --sort=name keeps them together)"
            )
        if self.several:
            self.note(
                f"samples of several media files that differ after the first dot: {len(self.several):,} "
                f"({', '.join(self.several[:3])}); if these are different clips, rename them"
            )


def _said(values: dict[str, Any]) -> dict[str, Any]:
    """Take out the text that a JSON member has under `text`, a number too; several texts stay a column of their own."""
    said = values.get("text")
    if isinstance(said, list) and len(said) == 1:
        said = said[0]
    if isinstance(said, bool) or not isinstance(said, str | int | float):
        return {}
    del values["text"]
    return {"__text__": said}


def _is_part(extension: str) -> bool:
    """Whether a member of this extension becomes part of a sample."""
    last = extension.rpartition(".")[2]
    return last in MEDIA_EXTENSIONS or last in TEXTS or last in ("json", "cls")


def _text_member(member: RawFile, extension: str) -> Member:
    read = Member(member.name, member.uri, extension)
    try:
        data = member.read()
        if (kind := pointer_kind(data)) is not None:
            raise RowError("pointer", f"it is {kind}", file=member.uri)
        read.text = data.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        read.fault = RowError("not_utf8", f"byte {error.start}", file=member.uri)
    except DamagedError as error:
        read.fault = RowError("too_large", error.message, file=member.uri)
    except RowError as error:
        read.fault = error
    return read


def _parsed(text: str) -> Any:
    try:
        return NULLS.decode(text)
    except json.JSONDecodeError as error:
        raise RowError("bad_json", f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise RowError("bad_json", str(error)) from None


def _columns(value: Any) -> dict[str, Any]:
    """The columns of a JSON member; media columns are prefixed, because the media itself is in the shard."""
    if not isinstance(value, dict):
        return {"json": value}
    return {f"json.{key}" if key.lower() in _MEDIA_NAMES else key: cell for key, cell in value.items()}
