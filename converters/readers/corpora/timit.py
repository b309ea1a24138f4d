"""Reader for TIMIT in its native layout.

    TRAIN/DR1/FCJF0/SA1.WAV    the audio: RIFF, or NIST SPHERE as shipped by LDC; named SA1.WAV.wav in some copies
    TRAIN/DR1/FCJF0/SA1.TXT    "0 46797 She had your dark suit in greasy wash water all year."
    TRAIN/DR1/FCJF0/SA1.WRD    "3050 5723 she", one word per line: first sample, end sample, word
    TRAIN/DR1/FCJF0/SA1.PHN    the same for phones

The corpus has the folders TRAIN and TEST. Of TEST, the 24 speakers of the corpus's core test set are the split
`core-test`, the 50 speakers of Kaldi's development set are `dev`, and the other 94 are `test`. The two SA sentences,
which every speaker reads, put the same texts in training and test: the card's option `sa: false` leaves them out
(`sa_sentence`). A speaker of those two sets under TRAIN is refused (`ambiguous_split`).

Names may be in upper or lower case. Times are sample numbers at 16 kHz and are converted to seconds. A sample's id is
`<speaker>_<utterance>`, because utterance names repeat across speakers; `extra` contains dialect, gender and the type
of sentence. The audio is not changed.

The files of an utterance may come in any order; utterances are completed at the end of their folder, so samples come
folder by folder. One lacking .TXT is rejected (`no_transcript`), as is one lacking audio (`no_media`); words and phones
may be missing. An invalid line rejects its utterance (`bad_transcript`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ....errors import UsageError
from ...candidate import Blob, Candidate, CandidateStream, RawFile, RawStream, ReadContext, Reader, Rejection, RowError
from ..mapping.option_types import a_flag

RATE = 16_000
"""The sample rate of all times in the corpus, even if the audio of a copy was resampled."""

_PATH = re.compile(
    r"(?:^|/)(?P<split>train|test)/(?P<dialect>dr[1-8])/(?P<speaker>[mf][a-z]{3}\d)/"
    r"(?P<utterance>s[aix]\d+)\.(?P<ending>wav|txt|wrd|phn|wav\.wav)$",
    re.IGNORECASE,
)
_LINE = re.compile(r"\s*(\d+)\s+(\d+)\s+(\S.*?)\s*")


def _speakers(names: str) -> frozenset[str]:
    return frozenset(names.split())


CORE_TEST = _speakers(
    "MDAB0 MWBT0 FELC0 MTAS1 MWEW0 FPAS0 MJMP0 MLNT0 FPKT0 MLLL0 MTLS0 FJLM0 "
    "MBPM0 MKLT0 FNLP0 MCMJ0 MJDH0 FMGD0 MGRT0 MNJM0 FDHC0 MJLN0 MPAM0 FMLD0"
)
"""The speakers of the core test set, as the corpus's documentation names them."""

DEV = _speakers(
    "FAKS0 FDAC1 FJEM0 MGWT0 MJAR0 MMDB1 MMDM2 MPDF0 FCMH0 FKMS0 MBDG0 MBWM0 MCSH0 FADG0 FDMS0 FEDW0 MGJF0 MGLB0 "
    "MRTK0 MTAA0 MTDT0 MTHC0 MWJG0 FNMR0 FREW0 FSEM0 MBNS0 MMJR0 MDLS0 MDLF0 MDVC0 MERS0 FMAH0 FDRW0 MRCS0 MRJM4 "
    "FCAL1 MMWH0 FJSJ0 MAJC0 MJSW0 MREB0 FGJD0 FJMG0 MROA0 MTEB0 MJFC0 MRJR0 FMML0 MRWS1"
)
"""The speakers of the development set of Kaldi's recipe (egs/timit/s5/conf/dev_spk.list)."""

_GENDER = {"F": "female", "M": "male"}
_SENTENCE = {"SA": "dialect", "SI": "diverse", "SX": "compact"}


@dataclass(slots=True)
class _Utterance:
    parts: dict[str, str]
    audio: tuple[RawFile, Blob] | None = None
    texts: dict[str, bytes] = field(default_factory=dict)
    uri: str = ""


class TimitReader(Reader):
    """TIMIT in its native layout; see the module docstring."""

    def check(self, options: Mapping[str, Any]) -> None:
        if unknown := sorted(set(map(str, options)) - {"sa"}):
            raise UsageError(f"reader timit: unknown option {', '.join(unknown)}.")
        a_flag(options.get("sa"), "sa")

    def __init__(self) -> None:
        self._context: ReadContext | None = None

    def accepts(self, name: str) -> bool:
        return self._context is None or _is_wanted(name, self._context)

    def read(self, files: RawStream, context: ReadContext) -> CandidateStream:
        """Candidates folder by folder; those with files scattered over the archive come at the end."""
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
            if (parent := file.name.rpartition("/")[0]) != folder:
                yield from _complete(open_utterances, context)
                folder = parent
            if (refused := _refused(found, file, context)) is not None:
                if found["ending"].lower().startswith("wav"):
                    yield refused
                continue
            _take(found, file, open_utterances, context)
        yield from _complete(open_utterances, context)
        if intact:
            yield from _incomplete(open_utterances)
        for utterance in open_utterances.values():
            _discard(utterance)


def _is_wanted(name: str, context: ReadContext) -> bool:
    found = _PATH.search(name)
    return found is not None and context.wants(_split(found.groupdict())) and _is_chosen(found, context)


def _is_chosen(found: re.Match[str], context: ReadContext) -> bool:
    parts = found.groupdict()
    return context.chosen(_identity(parts), context.config, _split(parts))


def _split(parts: Mapping[str, str]) -> str:
    speaker = parts["speaker"].upper()
    if parts["split"].lower() == "train":
        return "train"
    return "core-test" if speaker in CORE_TEST else "dev" if speaker in DEV else "test"


def _refused(found: re.Match[str], file: RawFile, context: ReadContext) -> Rejection | None:
    """The rejection of an utterance that its name alone rules out."""
    name, speaker = _identity(found.groupdict()), found["speaker"].upper()
    if found["split"].lower() == "train" and speaker in CORE_TEST | DEV:
        detail = f"{name}: {file.name} is among the training data, but {speaker} is a speaker of the corpus's test set"
        return Rejection(name, "ambiguous_split", detail, file.uri)
    if found["utterance"][:2].upper() == "SA" and context.options.get("sa") is False:
        detail = f"{name}: every speaker reads the SA sentences; the reader's option `sa: true` keeps them"
        return Rejection(name, "sa_sentence", detail, file.uri)
    return None


def _identity(parts: dict[str, str]) -> str:
    return f"{parts['speaker'].upper()}_{parts['utterance'].upper()}"


def _take(found: re.Match[str], file: RawFile, utterances: dict[str, _Utterance], context: ReadContext) -> None:
    parts = found.groupdict()
    # The files of an utterance lie in one folder: those of another copy of the corpus are not mixed in.
    key = f"{file.name.rpartition('/')[0]}/{parts['utterance'].upper()}"
    utterance = utterances.setdefault(key, _Utterance(parts, uri=file.uri))
    ending = parts["ending"].lower()
    if not ending.startswith("wav"):
        utterance.texts[ending] = file.read()
    elif utterance.audio is None:
        utterance.audio = (file, context.blob(file))


def _complete(utterances: dict[str, _Utterance], context: ReadContext) -> CandidateStream:
    """Samples of the utterances that have audio and text."""
    ready = [key for key, utterance in utterances.items() if utterance.audio and "txt" in utterance.texts]
    for key in ready:
        utterance = utterances.pop(key)
        try:
            yield _candidate(utterance, context)
        except RowError as error:
            _discard(utterance)
            yield error.rejection(candidate=_identity(utterance.parts), uri=utterance.uri)


def _candidate(utterance: _Utterance, context: ReadContext) -> Candidate:
    assert utterance.audio is not None
    parts, (file, blob) = utterance.parts, utterance.audio
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
    return Candidate(
        _identity(parts),
        _split(parts),
        fields,
        [("audio", blob)],
        context.config or file.config,
        file.uri,
        file.revision,
        file.uri,
    )


def _lines(utterance: _Utterance, ending: str) -> list[tuple[str, int, int]]:
    """Token, first sample and end sample of every line; raises RowError for an invalid line."""
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


def _incomplete(utterances: dict[str, _Utterance]) -> Iterator[Rejection]:
    for utterance in utterances.values():
        name = _identity(utterance.parts)
        if utterance.audio is None:
            yield Rejection(name, "no_media", f"{name}: there is no .WAV file for its text", utterance.uri)
        else:
            yield Rejection(name, "no_transcript", f"{name}: there is no .TXT file for its audio", utterance.uri)


def _discard(utterance: _Utterance) -> None:
    if utterance.audio is not None:
        blob = utterance.audio[1]
        blob.discard()
