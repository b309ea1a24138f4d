"""Reader of TIMIT in its native layout.

    TRAIN/DR1/FCJF0/SA1.WAV    the sound: RIFF, or NIST SPHERE as LDC ships it; some copies call it SA1.WAV.wav
    TRAIN/DR1/FCJF0/SA1.TXT    "0 46797 She had your dark suit in greasy wash water all year."
    TRAIN/DR1/FCJF0/SA1.WRD    "3050 5723 she", a word a line: first sample, end sample, word
    TRAIN/DR1/FCJF0/SA1.PHN    the same for phones

Names may be in either case. Times are sample numbers at 16 kHz and come out as seconds. A sample's id is
`<speaker>_<utterance>`, because utterance names repeat from speaker to speaker; `extra` holds dialect, gender and the
kind of sentence. The sound passes untouched.

The files of an utterance may come in any order; an utterance is complete when its folder is, so samples come folder by
folder. One without .TXT is rejected (`no_transcript`), one without sound too (`no_media`); words and phones may be
missing. A line that is not of this form rejects its utterance (`bad_transcript`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ...candidate import Blob, Candidate, CandidateStream, RawFile, RawStream, ReadContext, Reader, Rejection, RowError

RATE = 16_000
"""Samples a second of every time in the corpus, whatever rate a copy's sound has."""

_PATH = re.compile(
    r"(?:^|/)(?P<split>train|test)/(?P<dialect>dr[1-8])/(?P<speaker>[mf][a-z]{3}\d)/"
    r"(?P<utterance>s[aix]\d+)\.(?P<ending>wav|txt|wrd|phn|wav\.wav)$",
    re.IGNORECASE,
)
_LINE = re.compile(r"\s*(\d+)\s+(\d+)\s+(\S.*?)\s*")
_GENDER = {"F": "female", "M": "male"}
_SENTENCE = {"SA": "dialect", "SI": "diverse", "SX": "compact"}


@dataclass(slots=True)
class _Utterance:
    parts: dict[str, str]
    sound: tuple[RawFile, Blob] | None = None
    texts: dict[str, bytes] = field(default_factory=dict)
    uri: str = ""


class TimitReader(Reader):
    """TIMIT in its native layout; see the module's text."""

    def __init__(self) -> None:
        self._context: ReadContext | None = None

    def accepts(self, name: str) -> bool:
        return self._context is None or _is_wanted(name, self._context)

    def read(self, files: RawStream, context: ReadContext) -> CandidateStream:
        """Candidates folder by folder; those whose files lie apart come at the end."""
        self._context = context
        open_utterances: dict[str, _Utterance] = {}
        folder, intact = "", True
        for file in files:
            if isinstance(file, Rejection):
                intact &= not file.damaged
                yield file
                continue
            found = _PATH.search(file.name)
            if found is None or not _is_wanted(file.name, context):
                continue
            if (here := file.name.rpartition("/")[0]) != folder:
                yield from _complete(open_utterances, context)
                folder = here
            _take(found, file, open_utterances, context)
        yield from _complete(open_utterances, context)
        if intact:
            yield from _lacking(open_utterances)
        for utterance in open_utterances.values():
            _let_go(utterance)


def _is_wanted(name: str, context: ReadContext) -> bool:
    found = _PATH.search(name)
    return found is not None and context.wants(found["split"].lower()) and _is_chosen(found, context)


def _is_chosen(found: re.Match[str], context: ReadContext) -> bool:
    return context.chosen(_identity(found.groupdict()), context.config, found["split"].lower())


def _identity(parts: dict[str, str]) -> str:
    return f"{parts['speaker'].upper()}_{parts['utterance'].upper()}"


def _take(found: re.Match[str], file: RawFile, utterances: dict[str, _Utterance], context: ReadContext) -> None:
    parts = found.groupdict()
    key = f"{parts['split'].lower()}/{_identity(parts)}"
    utterance = utterances.setdefault(key, _Utterance(parts, uri=file.uri))
    ending = parts["ending"].lower()
    if not ending.startswith("wav"):
        utterance.texts[ending] = file.read()
    elif utterance.sound is None:
        utterance.sound = (file, context.blob(file))


def _complete(utterances: dict[str, _Utterance], context: ReadContext) -> CandidateStream:
    """Samples of the utterances that have sound and text."""
    ready = [key for key, utterance in utterances.items() if utterance.sound and "txt" in utterance.texts]
    for key in ready:
        utterance = utterances.pop(key)
        try:
            yield _candidate(utterance, context)
        except RowError as error:
            _let_go(utterance)
            yield error.rejection(candidate=_identity(utterance.parts), uri=utterance.uri)


def _candidate(utterance: _Utterance, context: ReadContext) -> Candidate:
    assert utterance.sound is not None
    parts, (file, blob) = utterance.parts, utterance.sound
    speaker = parts["speaker"].upper()
    lines = _lines(utterance, "txt")
    fields: dict[str, Any] = {
        "text": " ".join(text for text, _, _ in lines),
        "speaker": speaker,
        "extra": {
            "dialect": parts["dialect"].upper(),
            "gender": _GENDER[speaker[0]],
            "sentence_type": _SENTENCE[parts["utterance"][:2].upper()],
            "utterance": parts["utterance"].upper(),
        },
    }
    for column, ending in (("words", "wrd"), ("phones", "phn")):
        if ending in utterance.texts:
            times = _lines(utterance, ending)
            fields[column] = [{"text": t, "start_s": first / RATE, "end_s": end / RATE} for t, first, end in times]
    split = parts["split"].lower()
    return Candidate(
        _identity(parts),
        split,
        fields,
        [("audio", blob)],
        context.config or file.config,
        file.uri,
        file.revision,
        file.uri,
    )


def _lines(utterance: _Utterance, ending: str) -> list[tuple[str, int, int]]:
    """Token, first sample and end sample of every line; raises RowError where one is not of that form."""
    name = f"{_identity(utterance.parts)}.{ending.upper()}"
    try:
        lines = utterance.texts[ending].decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise RowError("bad_transcript", f"byte {error.start} is not ASCII", file=name) from None
    found: list[tuple[str, int, int]] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        parsed = _LINE.fullmatch(line)
        if parsed is None or int(parsed[2]) < int(parsed[1]):
            detail = f"expected a first sample, an end sample and a token, got {line[:60]!r}"
            raise RowError("bad_transcript", detail, row=number, file=name)
        found.append((parsed[3], int(parsed[1]), int(parsed[2])))
    return found


def _lacking(utterances: dict[str, _Utterance]) -> Iterator[Rejection]:
    for utterance in utterances.values():
        name = _identity(utterance.parts)
        if utterance.sound is None:
            yield Rejection(name, "no_media", f"{name}: there is no .WAV beside its text", utterance.uri)
        else:
            yield Rejection(name, "no_transcript", f"{name}: there is no .TXT beside its sound", utterance.uri)


def _let_go(utterance: _Utterance) -> None:
    if utterance.sound is not None:
        blob = utterance.sound[1]
        if blob.temporary and blob.path is not None:
            blob.path.unlink(missing_ok=True)
