"""Reader for WebDataset shards: tar files whose members are grouped into samples by their names.

    audio/0001.flac      the folder and the name up to the first dot are the key: `audio/0001`
    audio/0001.txt       text; or `.text`, or `.lab`: the first of the three, the others go to `extra`
    audio/0001.json      an object: its keys are columns, like those of a table
    audio/0001.cls       a class; a number becomes a label only with `--classes FILE`, else it goes to `extra`
    audio/0001.x.json    a text member with a longer extension goes to `extra`, under that extension

Media is recognised by its last extension and kept in member order. Members of one sample are consecutive. A pickled
member (`.pkl`, `.pickle`, `.pyd`, `.pth`, `.pt`) is rejected as `executable_entry` and never unpickled; the sample is
kept without it. Arrays and other members are counted in a note. A key already used by an earlier shard is prefixed with
its shard's name. Shards are read as streams; nothing is unpacked.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from ....errors import DamagedError, UsageError
from ....shards.sample import MEDIA_KINDS
from ...candidate import Blob, CandidateStream, RawFile, RawStream, ReadContext, Reader, Rejection, RowError
from ...files.extensions import MEDIA_EXTENSIONS
from ...imports.columns import COMMON_NAMES, MEDIA
from ..tables.cells import Row, Rows
from ..tables.user_table import candidates

KNOWN = {"__key__": "id", "__media__": "media", "__text__": "text", "__labels__": "labels"}
PICKLED = frozenset({"pickle", "pkl", "pyd", "pth", "pt"})
TEXTS = ("txt", "text", "lab")
_PEEK_SAMPLES = 20
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


@dataclass(slots=True)
class _Sample:
    """The members of one key, as they are read."""

    key: str
    where: str
    media: list[Blob] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    fault: Rejection | None = None
    pickled: bool = False

    def discard(self) -> None:
        for blob in self.media:
            if blob.temporary and blob.path is not None:
                blob.path.unlink(missing_ok=True)


class _Shards:
    def __init__(self, context: ReadContext) -> None:
        self.members = context.open_archive
        self.classes = context.classes
        self.text_only = context.text_only
        self.note = context.note
        self.skipped: Counter[str] = Counter()
        self.seen: set[int] = set()

    def rows(self, shard: RawFile) -> Rows:
        if self.members is None:
            raise UsageError("import webdataset needs `open_archive` to read shards: call triptych.import_data.")
        sample: _Sample | None = None
        for member in self.members(shard):
            if isinstance(member, Rejection):
                yield member
                continue
            key, extension = _split(member.name)
            if sample is None or key != sample.key:
                if sample is not None:
                    yield from self._finished(sample, shard)
                sample = _Sample(key, member.uri.rpartition("!")[0] + f"!{key}")
            yield from self._take(member, extension, sample)
        if sample is not None:
            yield from self._finished(sample, shard)

    def _take(self, member: RawFile, extension: str, sample: _Sample) -> Iterator[Rejection]:
        last = extension.rpartition(".")[2]
        if last in PICKLED:
            sample.pickled = True
            yield Rejection(member.name, "executable_entry", f"{member.uri}: pickles are never read", member.uri)
        elif last in MEDIA_EXTENSIONS:
            sample.media.append(member.blob())
        elif last in TEXTS or last in ("json", "cls"):
            try:
                self._read_text(member, extension, sample)
            except RowError as problem:
                sample.fault = sample.fault or problem.rejection(member.uri, candidate=sample.key, uri=sample.where)
        else:
            self.skipped[last or "(no extension)"] += 1

    def _read_text(self, member: RawFile, extension: str, sample: _Sample) -> None:
        try:
            text = member.read().decode("utf-8-sig").strip()
        except UnicodeDecodeError as error:
            raise RowError("not_utf8", f"byte {error.start}") from None
        except DamagedError as error:
            raise RowError("too_large", error.message) from None
        if extension == "json":
            sample.values.update(_columns(_parsed(text)))
        elif extension == "cls":
            self._label(text, sample)
        else:
            sample.texts[extension] = text

    def _label(self, text: str, sample: _Sample) -> None:
        if not text.lstrip("-").isdigit():
            sample.values["__labels__"] = text or None
        elif not self.classes:
            sample.values["cls"] = text
        elif 0 <= int(text) < len(self.classes):
            sample.values["__labels__"] = self.classes[int(text)]
        else:
            raise RowError("bad_value", f"class {text}, but only {len(self.classes)} class names are given")

    def _finished(self, sample: _Sample, shard: RawFile) -> Rows:
        text = next((extension for extension in TEXTS if extension in sample.texts), None)
        if text is not None:
            sample.values["__text__"] = sample.texts.pop(text) or None
        sample.values.update(sample.texts)
        if sample.fault is not None:
            sample.discard()
            yield sample.fault
        elif sample.media or (self.text_only and sample.values):
            media = {"__media__": sample.media} if sample.media else {}
            yield Row({"__key__": self._unique(sample.key, shard), **media, **sample.values}, sample.where)
        elif sample.values or not sample.pickled:
            detail = f"{sample.where}: no member of this key is audio, video or an image"
            yield Rejection(sample.key, "no_media", detail, sample.where)

    def _unique(self, key: str, shard: RawFile) -> str:
        if hash(key) in self.seen:
            key = f"{shard.name.partition('.')[0]}/{key}"
        self.seen.add(hash(key))
        return key

    def report_skipped(self) -> None:
        if self.skipped:
            listed = ", ".join(f"{count} .{extension}" for extension, count in sorted(self.skipped.items()))
            self.note(f"members skipped: {listed}")


def _split(name: str) -> tuple[str, str]:
    """Key and extension: the file name is split at its first dot."""
    path = PurePosixPath(name)
    stem, _, extension = path.name.partition(".")
    return (path.parent / stem).as_posix(), extension.lower()


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=lambda _: None)
    except json.JSONDecodeError as error:
        raise RowError("bad_json", f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise RowError("bad_json", str(error)) from None


def _columns(value: Any) -> dict[str, Any]:
    """The columns of a JSON member; media columns are prefixed, because the media itself is in the shard."""
    if not isinstance(value, dict):
        return {"json": value}
    return {f"json.{key}" if key.lower() in _MEDIA_NAMES else key: cell for key, cell in value.items()}
