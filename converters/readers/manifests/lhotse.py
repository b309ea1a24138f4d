"""Reader for Lhotse manifests: cuts, or recordings with their supervisions; JSON Lines (also `.gz`) or a JSON array.

    cuts_train.jsonl.gz                        one cut per line, with its recording and supervisions
    corpus_recordings_train.jsonl.gz           these two belong together: giving one of them, or their folder, reads
    corpus_supervisions_train.jsonl.gz         both; the part after `recordings_`, `supervisions_`, `cuts_` is the split

One sample per supervision: its span in the recording (a cut only defines the offset of its times), and its channel if
the file has others. A supervision that stands in several cuts, as after cutting into windows, is one sample. A cut or
recording without supervisions is one sample without text. Word and phone alignments become `words` and `phones`, in
seconds from the recording's start like the span itself. Custom fields and gender go to `extra`, and so does the channel
as the manifest numbers it.

Relative paths are resolved against the manifest's folder, or `--media-dir`. Rejected: recordings produced by a command
(`executable_entry`, never run), behind a URL (`remote_media`), from other sources (`unsupported_source`) or transformed
after loading (`transformed_recording`), mixed cuts and padding (`mixed_cut`, `padding_cut`).
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from ....shards.hash_sets import HashMap
from ....shards.sample import NAME
from ...candidate import CandidateStream, RawFile, RawStream, ReadContext, Reader, Rejection, RowError
from ...imports.columns import KEEP
from ..tables.cells import Row, Rows
from ..tables.user_table import candidates, read_table
from .supervisions import OF_ANOTHER, cut_rows, supervised, unsupervised

KNOWN = {"id": "id", "media": "media", "text": "text", "language": "language", "speaker": "speaker",
         "start_s": "start_s", "end_s": "end_s", "file_channel": "channel", "channel": KEEP,
         "words": "words", "phones": "phones"}  # fmt: skip
_SAMPLE = ("recording_id", "media", "start_s", "end_s", "channel", "text", "language", "speaker")
"""The columns that make two mentions of a supervision the same."""
_SUFFIXES = (".jsonl", ".jsonl.gz", ".json")
_NAME = re.compile(r"(?:^|_)(recordings|supervisions|cuts)(?:_(.+?))?\.jsonl?(?:\.gz)?$")


@dataclass(slots=True)
class _Part:
    """The manifests of one split."""

    cuts: list[RawFile] = field(default_factory=list)
    recordings: list[RawFile] = field(default_factory=list)
    supervisions: list[RawFile] = field(default_factory=list)


class LhotseReader(Reader):
    """Lhotse manifests."""

    def accepts(self, name: str) -> bool:
        return name.lower().endswith(_SUFFIXES)

    def read(self, files: RawStream, context: ReadContext) -> CandidateStream:
        """Candidates in manifest order: cuts first, then supervisions, then recordings without supervisions."""
        parts: defaultdict[str, _Part] = defaultdict(_Part)
        for file in files:
            if isinstance(file, Rejection):
                yield file
                continue
            for each in [file, *_partner(file, context)]:
                _sort_in(each, parts, context)
        for part in parts.values():
            seen, others = HashMap(), Counter[str]()
            for file in part.cuts:
                yield from candidates(_cuts(file, seen, others), file, context, known=KNOWN, spans_by_name=False)
            if others:
                context.note(
                    "supervisions that name another recording than their cut has: "
                    f"{others.total():,} ({next(iter(others))}); if their texts are of that one, the cuts are wrong "
                    f"(extra['{OF_ANOTHER}'] has its id)"
                )
            yield from _pair(part, context)


def _partner(file: RawFile, context: ReadContext) -> Iterator[RawFile]:
    """The counterpart of a recordings or supervisions manifest that the user gave."""
    if file.path is None or file.path != context.path:
        return
    for one, other in (("recordings", "supervisions"), ("supervisions", "recordings")):
        path = file.path.with_name(file.path.name.replace(one, other))
        if one in file.path.name and path.is_file():
            yield _at_path(file, path)


def _at_path(file: RawFile, path: Path) -> RawFile:
    return replace(file, name=path.name, uri=path.as_uri(), path=path, opener=lambda: path.open("rb"))


def _sort_in(file: RawFile, parts: defaultdict[str, _Part], context: ReadContext) -> None:
    """Classify a manifest by its first record, not by its name; the name defines the split."""
    named = _NAME.search(file.name)
    split = named[2].lower() if named and named[2] else ""
    if split and NAME.fullmatch(split) and file.split is None:
        file.split = split
    first = next((row.values for row in _rows(file) if isinstance(row, Row)), None)
    part = parts[split]
    if first is None:
        part.cuts.append(file)
    elif "sources" in first:
        part.recordings.append(file)
    elif "recording_id" in first and "type" not in first and "storage_path" not in first:
        part.supervisions.append(file)
    elif "supervisions" in first or "tracks" in first or str(first.get("type", "")).endswith("Cut"):
        part.cuts.append(file)
    else:
        context.note(f"{file.name} contains no cuts, recordings or supervisions: skipped")


def _rows(file: RawFile) -> Rows:
    assert file.path is not None
    return read_table(file.path, "json" if file.name.lower().endswith(".json") else "jsonl")


def _cuts(file: RawFile, seen: HashMap, others: Counter[str]) -> Rows:
    """The rows of cuts; `others` counts supervisions of other recordings under the id of the first."""
    for row in _rows(file):
        if isinstance(row, Rejection):
            yield row
            continue
        for each in cut_rows(row):
            if isinstance(each, Row) and OF_ANOTHER in each.values:
                others[next(iter(others), str(each.values["id"]))] += 1
            yield _with_mention(each, seen)


def _with_mention(row: Row | Rejection, seen: HashMap) -> Row | Rejection:
    """Mark a supervision that an earlier cut contained too: cutting into windows leaves it in both neighbours."""
    if isinstance(row, Row):
        key, content = hash(row.values["id"]), hash(repr([row.values.get(name) for name in _SAMPLE])) & (2**64 - 1)
        before = seen.get(key)
        row.repeats = before == content
        if before is None:
            seen.put(key, content)
    return row


def _pair(part: _Part, context: ReadContext) -> CandidateStream:
    recordings: dict[str, Row] = {}
    for file in part.recordings:
        for row in _rows(file):
            if isinstance(row, Rejection):
                yield row
            elif str(row.values.get("id")) in recordings:
                yield Rejection(row.where, "duplicate_id", f"{row.where}: duplicate id {row.values['id']}", row.where)
            else:
                recordings[str(row.values.get("id"))] = row
    used: set[str] = set()
    for file in part.supervisions:
        yield from candidates(_supervisions(file, recordings, used), file, context, known=KNOWN, spans_by_name=False)
    if part.recordings:
        lone = (unsupervised(row) for name, row in recordings.items() if name not in used)
        yield from candidates(lone, part.recordings[0], context, known=KNOWN, spans_by_name=False)


def _supervisions(file: RawFile, recordings: dict[str, Row], used: set[str]) -> Rows:
    for row in _rows(file):
        if isinstance(row, Rejection):
            yield row
            continue
        name = str(row.values.get("recording_id"))
        where = row.where
        if name not in recordings:
            detail = f"{where}: no recordings manifest in its folder has the recording {name}"
            yield Rejection(str(row.values.get("id") or where), "no_media", detail, where)
            continue
        used.add(name)
        try:
            yield supervised(row.values, recordings[name].values, zero=0.0, where=where)
        except RowError as problem:
            yield problem.rejection(where, candidate=str(row.values.get("id") or where))
