"""Reader for trees with transcript files: LibriSpeech, AISHELL and similar corpora.

Options (on the card):
    media        path template of the media files, for example `{split}/{speaker}/{chapter}/{id}.flac`
    transcripts  path template of the transcript files, for example `{split}/{speaker}/{chapter}/*.trans.txt`
    unspaced     true if the corpus puts spaces between Chinese words: they are removed; `extra` keeps the raw line

A transcript file has one line per utterance: the id, whitespace, the text (UTF-8). In an archive read as a stream,
transcripts may come before or after their media; media waits for its line, on disk beyond a size limit. Parts of a path
that are not sample columns go to `extra`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from ....errors import UsageError
from ....shards.sample import COLUMNS, MEDIA_KINDS
from ....shards.text import join_unspaced
from ...candidate import Candidate, CandidateStream, Layout, RawFile, RawStream, ReadContext, Reader, Rejection
from ...files.unicode_names import pairs_by_spelling
from ..mapping.option_types import a_flag, one_of
from ..mapping.path_template import compile_template, match
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


class _Transcripts:
    def __init__(self, context: ReadContext) -> None:
        self.context = context
        self.media_template = str(context.options["media"])
        self.text_template = str(context.options["transcripts"])
        self.unspaced = bool(context.options.get("unspaced", False))
        self.per_split = "{split}" in self.text_template
        self.lines: dict[str, tuple[str, str, int]] = {}
        self.waiting = WaitingMedia()

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
        ids: list[str] = []
        for number, raw in enumerate(file.read().split(b"\n"), start=1):
            try:
                # Split at ASCII whitespace only: a no-break space is part of an id.
                fields = [part.decode().strip() for part in raw.removeprefix(_BOM).split(None, 1)]
            except UnicodeDecodeError as error:
                yield Rejection(
                    f"{file.uri}:{number}", "not_utf8", f"line {number}, byte {error.start}: {raw[:40]!r}", file.uri
                )
                continue
            if fields:
                identity, text = (*fields, "")[:2]
                self.lines[identity] = (text, file.uri, number)
                ids.append(identity)
        for identity in self.waiting.among(ids):
            yield self._complete(self.waiting.release(identity))

    def _take_media(self, file: RawFile, parts: dict[str, str]) -> CandidateStream:
        split = parts.pop("split", None) or file.split
        if not self.context.wants(split):
            return
        identity = parts.pop("id")
        candidate = Candidate(
            source_id=identity,
            split=split,
            config=file.config,
            fields=_fields(parts),
            media=[(str(self.context.options.get("kind", "audio")), self.context.blob(file))],
            uri=file.uri,
            revision=file.revision,
            where=file.uri,
        )
        if identity in self.lines:
            yield self._complete(candidate)
        else:
            self.waiting.hold(identity, candidate, spool=file.spool)

    def _complete(self, candidate: Candidate) -> Candidate:
        text, _, _ = self.lines.pop(candidate.source_id)
        if self.unspaced:
            candidate.fields.setdefault("extra", {})["raw_text"] = text
            text = join_unspaced(text)
        candidate.fields["text"] = text
        return candidate

    def _leftovers(self, *, intact: bool) -> CandidateStream:
        """Pair what is only spelled otherwise; reject the rest, unless a damaged archive may have contained it."""
        if not intact:
            return
        for identity, line in pairs_by_spelling(self.waiting.names(), self.lines):
            candidate = self.waiting.release(identity)
            self.lines[identity] = self.lines.pop(line)
            yield self._complete(candidate)
        for candidate in self.waiting.rest():
            yield Rejection(candidate.source_id, "no_transcript", "no transcript line has this id", candidate.uri)
        if self.per_split or self.context.whole_corpus:
            for identity, (_, uri, number) in self.lines.items():
                yield Rejection(
                    identity, "no_media", "a transcript line, but no media file has this id", f"{uri}:{number}"
                )


def _fields(parts: dict[str, str]) -> dict[str, Any]:
    fields: dict[str, Any] = {name: value for name, value in parts.items() if name in COLUMNS}
    extra = {name: value for name, value in parts.items() if name not in COLUMNS}
    return {**fields, "extra": extra} if extra else fields
