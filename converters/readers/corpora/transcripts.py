"""Reader for trees with transcript files: LibriSpeech, AISHELL and similar corpora.

Options (on the card):
    media        path template of the media files, for example `{split}/{speaker}/{chapter}/{id}.flac`
    transcripts  path template of the transcript files, for example `{split}/{speaker}/{chapter}/*.trans.txt`
    unspaced     true if the corpus puts spaces between Chinese words: they are removed; `extra` keeps the raw line

A transcript file has one line per utterance: the id, whitespace, the text (UTF-8). In an archive read as a stream,
transcripts may come before or after their media; media waits for its line, on disk beyond a size limit. A line belongs
to the file of its id whose path has the same parts (split, speaker, chapter) as the transcript's, as far as both
templates name them. Parts of a path that are not sample columns go to `extra`.

Lines of one id with different texts are of no use (`ambiguous_transcript`), nor are different files that wait for one
line (`ambiguous_media`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ....errors import UsageError
from ....shards.sample import COLUMNS, MEDIA_KINDS
from ....shards.text import join_unspaced
from ...candidate import Candidate, CandidateStream, Layout, RawFile, RawStream, ReadContext, Reader, Rejection
from ...files.same_content import same_content
from ...files.unicode_names import pairs_by_spelling
from ..mapping.option_types import a_flag, one_of
from ..mapping.path_template import compile_template, match, placeholders
from .spool import WaitingMedia

_BOM = b"\xef\xbb\xbf"
_OPTIONS = frozenset({"media", "transcripts", "unspaced", "kind"})


class TranscriptsReader(Reader):
    """Trees with transcript files; see the module docstring."""

    def check(self, options: Mapping[str, Any]) -> None:
        unknown = sorted(set(options) - _OPTIONS)
        if unknown:
            raise UsageError(f"reader transcripts: unknown option {', '.join(unknown)}.")
        for name in ("media", "transcripts"):
            if not isinstance(options.get(name), str):
                raise UsageError(f"reader transcripts: `{name}` must be a path template.")
            compile_template(options[name])
        a_flag(options.get("unspaced"), "unspaced")
        one_of(options.get("kind", "audio"), "kind", (*MEDIA_KINDS, "media"))
        if "{id}" not in options["media"]:
            raise UsageError(f"media: {options['media']!r} has no {{id}}, by which a file finds its line.")

    def __init__(self) -> None:
        self._reading: _Transcripts | None = None

    def accepts(self, name: str) -> bool:
        return self._reading is None or self._reading.accepts(name)

    def layout(self, options: Mapping[str, Any]) -> Layout:
        needs = tuple(partial(_is_like, str(options[kind])) for kind in ("media", "transcripts"))
        return Layout(lambda name: any(need(name) for need in needs), needs)

    def read(self, files: RawStream, context: ReadContext) -> CandidateStream:
        """Candidates in the order in which their media and text are complete."""
        self._reading = _Transcripts(context)
        yield from self._reading.read(files)


def _is_like(template: str, name: str) -> bool:
    return match(template, name) is not None


@dataclass(slots=True)
class _Line:
    """The text of an utterance; `rival` is the place of another line of its id with another text."""

    identity: str
    text: str
    where: str
    rival: str | None = None


class _Transcripts:
    def __init__(self, context: ReadContext) -> None:
        self.context = context
        self.media_template = str(context.options["media"])
        self.text_template = str(context.options["transcripts"])
        self.unspaced = bool(context.options.get("unspaced", False))
        self.per_split = "{split}" in self.text_template
        self.shared = [part for part in placeholders(self.text_template) if part in placeholders(self.media_template)]
        self.lines: dict[str, _Line] = {}
        self.waiting = WaitingMedia()
        self.ambiguous: set[str] = set()

    def accepts(self, name: str) -> bool:
        """Whether a file is a transcript, or media of a requested split."""
        if match(self.text_template, name) is not None:
            return True
        parts = match(self.media_template, name)
        return parts is not None and ("split" not in parts or self.context.wants(parts["split"]))

    def read(self, files: RawStream) -> CandidateStream:
        intact = True
        for file in files:
            if isinstance(file, Rejection):
                intact &= not file.damaged
                yield file
            elif (parts := match(self.text_template, file.name)) is not None:
                yield from self._take_transcript(file, parts)
            elif (parts := match(self.media_template, file.name)) is not None:
                yield from self._take_media(file, parts)
        yield from self._leftovers(intact=intact)

    def _take_transcript(self, file: RawFile, parts: dict[str, str]) -> CandidateStream:
        if self.per_split and not self.context.wants(parts.get("split")):
            return
        if (kind := file.pointer()) is not None:
            yield Rejection(file.name, "pointer", f"{file.uri}: it is {kind}", file.uri)
            return
        keys: list[str] = []
        for number, raw in enumerate(file.read().split(b"\n"), start=1):
            where = f"{file.uri}:{number}"
            try:
                # Split at ASCII whitespace only: a no-break space is part of an id.
                fields = [part.decode().strip() for part in raw.removeprefix(_BOM).split(None, 1)]
            except UnicodeDecodeError as error:
                yield Rejection(where, "not_utf8", f"line {number}, byte {error.start}: {raw[:40]!r}", file.uri)
                continue
            if fields:
                identity, text = (*fields, "")[:2]
                key = self._key(parts, identity)
                self._add(key, _Line(identity, text, where))
                keys.append(key)
        for key in self.waiting.among(keys):
            yield self._complete(self.waiting.release(key), key)

    def _key(self, parts: Mapping[str, str], identity: str) -> str:
        return "/".join([*(parts.get(name, "") for name in self.shared), identity])

    def _add(self, key: str, line: _Line) -> None:
        known = self.lines.setdefault(key, line)
        if known.text != line.text:
            known.rival = known.rival or line.where

    def _take_media(self, file: RawFile, parts: dict[str, str]) -> CandidateStream:
        split = parts.get("split") or file.split
        if not self.context.wants(split):
            return
        identity = parts["id"]
        key = self._key(parts, identity)
        candidate = Candidate(
            source_id=identity,
            split=split,
            config=file.config,
            fields=_fields({name: value for name, value in parts.items() if name not in ("id", "split")}),
            media=[(str(self.context.options.get("kind", "audio")), self.context.blob(file))],
            uri=file.uri,
            revision=file.revision,
            where=file.uri,
        )
        if key in self.ambiguous:
            yield self._refuse(candidate, "ambiguous_media", "several different files have its id")
        elif key in self.waiting:
            yield from self._compare(key, self.waiting.release(key), candidate, file)
        elif key in self.lines:
            yield self._complete(candidate, key)
        else:
            self.waiting.hold(key, candidate, spool=file.spool)

    def _compare(self, key: str, first: Candidate, second: Candidate, file: RawFile) -> Iterator[Rejection]:
        """Keep the first of two files that wait for the same line, if the second is a copy; else refuse both."""
        if same_content(first.media[0][1], second.media[0][1]):
            self.waiting.hold(key, first, spool=file.spool)
            yield self._refuse(second, "duplicate_media", f"it is a copy of {first.uri}")
            return
        self.ambiguous.add(key)
        for candidate, other in ((first, second), (second, first)):
            detail = f"{other.uri} has the same id and another content: which of them the text is of is unknown"
            yield self._refuse(candidate, "ambiguous_media", detail)

    def _complete(self, candidate: Candidate, key: str) -> Candidate | Rejection:
        line = self.lines.pop(key)
        if line.rival is not None:
            detail = f"it has different texts in {line.where} and {line.rival}"
            return self._refuse(candidate, "ambiguous_transcript", detail)
        text = line.text
        if self.unspaced:
            candidate.fields.setdefault("extra", {})["raw_text"] = text
            text = join_unspaced(text)
        candidate.fields["text"] = text
        return candidate

    @staticmethod
    def _refuse(candidate: Candidate, reason: str, detail: str) -> Rejection:
        for _, blob in candidate.media:
            blob.discard()
        return Rejection(candidate.source_id, reason, f"{candidate.uri}: {detail}", candidate.uri)

    def _leftovers(self, *, intact: bool) -> CandidateStream:
        """Pair what is only spelled otherwise; reject the rest, unless a damaged archive may have contained it."""
        if not intact:
            return
        for key, spelled in pairs_by_spelling(self.waiting.names(), self.lines):
            candidate = self.waiting.release(key)
            self.lines[key] = self.lines.pop(spelled)
            yield self._complete(candidate, key)
        for candidate in self.waiting.rest():
            yield Rejection(candidate.source_id, "no_transcript", "no transcript line has this id", candidate.uri)
        if self.per_split or self.context.whole_corpus:
            for key, line in self.lines.items():
                if key not in self.ambiguous:
                    detail = "a transcript line, but no media file has this id"
                    yield Rejection(line.identity, "no_media", detail, line.where)


def _fields(parts: dict[str, str]) -> dict[str, Any]:
    fields: dict[str, Any] = {name: value for name, value in parts.items() if name in COLUMNS}
    extra = {name: value for name, value in parts.items() if name not in COLUMNS}
    return {**fields, "extra": extra} if extra else fields
