"""Reader for LRS2 and LRS3: talking faces, each .mp4 with a .txt next to it.

    main/5535415699068794046/00001.mp4
    main/5535415699068794046/00001.txt

    Text:  WHEN YOU'RE COOKING CHIPS AT HOME
    Conf:  4

    WORD START END ASDSCORE
    WHEN 0.10 0.25 5.6

The table of words is found by its header line, wherever it is; its times are seconds. Options (on the card):

    folders   folder -> split: {pretrain: pretrain, trainval: trainval, test: test}; default: each folder's name
    lists     folder -> splits defined by text files of those names: {main: [train, val, test]}. A line of `train.txt`
              is `<folder of the video>/<name>`; the rest of the line is ignored. An utterance in no list is rejected
              (`not_listed`), as is one in the lists of several splits (`ambiguous_split`); so all lists are awaited.
    speaker   true if the folder of a video identifies its speaker (LRS3: the id of the talk)

A sample's id is `<folder of the video>/<name>`. Media, text and lists may come in any order; a text belongs to the
video in its own folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ....errors import UsageError
from ...candidate import Candidate, CandidateStream, RawFile, RawStream, ReadContext, Reader, Rejection, RowError
from ..mapping.option_types import entries, texts
from .spool import WaitingMedia

_PATH = re.compile(r"(?:^|/)(?P<folder>[^/]+)/(?P<id>[^/]+/[^/]+)\.(?P<ending>mp4|txt)$", re.IGNORECASE)
_LIST = re.compile(r"(?:^|/)(?P<split>[^/]+)\.txt$")
_TABLE_HEAD = ["WORD", "START", "END"]
_DEFAULT_FOLDERS = ("pretrain", "trainval", "test")


class LipreadingReader(Reader):
    """LRS2 and LRS3; see the module docstring."""

    def check(self, options: Mapping[str, Any]) -> None:
        _Lipreading(ReadContext("check", options))

    def __init__(self) -> None:
        self._reading: _Lipreading | None = None

    def accepts(self, name: str) -> bool:
        return self._reading is None or self._reading.accepts(name)

    def read(self, files: RawStream, context: ReadContext) -> CandidateStream:
        """Candidates as soon as their media, text and split are known."""
        self._reading = _Lipreading(context)
        yield from self._reading.read(files)


class _Lipreading:
    def __init__(self, context: ReadContext) -> None:
        self.context = context
        self.lists = {folder: texts(names, f"lists.{folder}") for folder, names in _option(context, "lists").items()}
        folders = _option(context, "folders") or dict.fromkeys(_DEFAULT_FOLDERS)
        self.folders = {str(folder): str(split or folder) for folder, split in folders.items()}
        self.awaited = {name for names in self.lists.values() for name in names}
        self.listed: dict[str, str] = {}
        self.rivals: dict[str, str] = {}
        self.texts: dict[str, dict[str, Any] | RowError] = {}
        self.waiting = WaitingMedia()

    def accepts(self, name: str) -> bool:
        return self._list_of(name) is not None or self._place(name) is not None

    def _place(self, name: str) -> tuple[str, str, str] | None:
        """Folder, id and suffix of a media or text file in a known folder whose split is requested."""
        found = _PATH.search(name)
        if found is None or not (found["folder"] in self.folders or found["folder"] in self.lists):
            return None
        if found["folder"] not in self.lists and not self.context.wants(self.folders[found["folder"]]):
            return None
        return found["folder"], found["id"], found["ending"].lower()

    def _list_of(self, name: str) -> str | None:
        """The split that a list file defines; None for other files."""
        found = _LIST.search(name)
        if found is None or self._place(name) is not None:
            return None
        return found["split"] if any(found["split"] in names for names in self.lists.values()) else None

    def read(self, files: RawStream) -> CandidateStream:
        intact = True
        for file in files:
            if isinstance(file, Rejection):
                intact &= not file.damaged
                yield file
            elif (split := self._list_of(file.name)) is not None:
                self._take_list(file, split)
                yield from self._complete(self.waiting.names())
            elif (place := self._place(file.name)) is not None:
                yield from self._take(file, *place)
        yield from self._finish(intact=intact)

    def _take_list(self, file: RawFile, split: str) -> None:
        for line in file.read().decode("utf-8-sig", errors="replace").splitlines():
            if fields := line.split():
                first = self.listed.setdefault(fields[0], split)
                if first != split:
                    self.rivals[fields[0]] = split
        self.awaited.discard(split)

    def _take(self, file: RawFile, folder: str, identity: str, ending: str) -> CandidateStream:
        if not self._may_be_wanted(folder, identity):
            return
        key = file.name.rpartition(".")[0]
        if ending == "txt":
            try:
                self.texts[key] = parse_text(file.read())
            except RowError as error:
                self.texts[key] = error
        else:
            candidate = Candidate(identity, None, {}, [("video", self.context.blob(file))], self.context.config
                                  or file.config, file.uri, file.revision, file.uri)  # fmt: skip
            if self.context.options.get("speaker"):
                candidate.fields["speaker"] = identity.partition("/")[0]
            self.waiting.hold(key, candidate, spool=file.spool)
        yield from self._complete([key])

    def _may_be_wanted(self, folder: str, identity: str) -> bool:
        if folder in self.lists and identity not in self.listed:
            return bool(self.awaited) or self._is_reported(folder)
        return any(
            self.context.wants(split) and self.context.chosen(identity, self.context.config, split)
            for split in self._splits(folder, identity)
        )

    def _is_reported(self, folder: str) -> bool:
        """Whether an utterance in no list is reported: only if all splits of the folder were requested."""
        return all(self.context.wants(split) for split in self.lists[folder])

    def _splits(self, folder: str, identity: str) -> list[str]:
        """The split of an utterance; several if lists contradict each other."""
        if folder not in self.lists:
            return [self.folders[folder]]
        return [each[identity] for each in (self.listed, self.rivals) if identity in each]

    def _complete(self, keys: list[str], *, at_end: bool = False) -> CandidateStream:
        for key in self.waiting.among(keys):
            folder, identity = _folder_and_id(key)
            splits = self._splits(folder, identity)
            if key not in self.texts or not splits or (folder in self.lists and self.awaited and not at_end):
                continue
            candidate, text = self.waiting.release(key), self.texts.pop(key)
            candidate.split = splits[0]
            is_wanted = self._may_be_wanted(folder, identity)
            if isinstance(text, dict) and is_wanted and len(splits) == 1:
                candidate.fields |= text
                yield candidate
                continue
            _discard(candidate)
            if is_wanted and len(splits) > 1:
                detail = f"{identity} is in {' and '.join(f'{split}.txt' for split in splits)}"
                yield Rejection(identity, "ambiguous_split", detail, candidate.uri)
            elif isinstance(text, RowError) and is_wanted:
                yield text.rejection(f"{identity}.txt", candidate=identity, uri=candidate.uri)

    def _finish(self, *, intact: bool) -> CandidateStream:
        """Reject files without their counterpart, unless a damaged archive may have contained it."""
        yield from self._complete(self.waiting.names(), at_end=True)
        for key in self.waiting.names():
            candidate = self.waiting.release(key)
            _discard(candidate)
            folder, identity = _folder_and_id(key)
            if not intact:
                continue
            if key not in self.texts:
                yield Rejection(identity, "no_transcript", f"{identity}: there is no .txt next to it", candidate.uri)
            elif self._is_reported(folder):
                lists = ", ".join(f"{name}.txt" for name in self.lists[folder])
                yield Rejection(identity, "not_listed", f"{identity} is in none of {lists}", candidate.uri)
            self.texts.pop(key, None)
        for key in self.texts if intact else ():
            _, identity = _folder_and_id(key)
            yield Rejection(identity, "no_media", f"{identity}: there is no .mp4 next to its text", key)


def _folder_and_id(key: str) -> tuple[str, str]:
    """The folder and the id in the path of an utterance without its suffix."""
    *_, folder, video, name = key.split("/")
    return folder, f"{video}/{name}"


def parse_text(raw: bytes) -> dict[str, Any]:
    """The fields of a text file.

    Raises:
        RowError: It has no `Text:` line, or a row of the table is not a word and two times.
    """
    try:
        lines = raw.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise RowError("bad_transcript", f"byte {error.start} is not UTF-8") from None
    named: dict[str, str] = {}
    for number, line in enumerate(lines):
        if line.split()[:3] == _TABLE_HEAD:
            words = [_word(item, place) for place, item in enumerate(lines[number + 1 :], number + 2) if item.strip()]
            return _fields(named, words)
        name, colon, value = line.partition(":")
        if colon:
            named.setdefault(name.strip().lower(), value.strip())
    return _fields(named, [])


def _word(line: str, number: int) -> dict[str, Any]:
    cells = line.split()
    try:
        return {"text": cells[0], "start_s": float(cells[1]), "end_s": float(cells[2])}
    except (IndexError, ValueError):
        detail = f"line {number}: expected a word, a start and an end, got {line[:60]!r}"
        raise RowError("bad_transcript", detail) from None


def _fields(named: dict[str, str], words: list[dict[str, Any]]) -> dict[str, Any]:
    if not named.get("text"):
        raise RowError("bad_transcript", "there is no `Text:` line")
    fields: dict[str, Any] = {"text": named["text"]}
    if words:
        fields["words"] = words
    extra = {name: value for name, value in named.items() if name != "text" and value}
    if extra:
        fields["extra"] = extra
    return fields


def _option(context: ReadContext, name: str) -> dict[str, Any]:
    value = context.options.get(name) or {}
    if not isinstance(value, dict):
        raise UsageError(f"reader lipreading: `{name}` must be an object, not {value!r}.")
    return entries(value, name)


def _discard(candidate: Candidate) -> None:
    for _, blob in candidate.media:
        blob.discard()
