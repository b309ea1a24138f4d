"""PocketSphinx: an aligner for English that works offline; its wheel carries an acoustic model and a dictionary.

The words are found first, then their phones, each in 10 ms steps: phones are those of the CMU dictionary without
stress, `SIL` between words. Forced alignment returns something for almost any text, so the result is measured: where
the sound of one whole second is far less likely than phones of right transcripts are, the text is not what is spoken
there (`text_mismatch`). Every clip is aligned alone: its result does not depend on those before it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....errors import UsageError
from ...candidate import RowError
from ...readers.alignments.interval import Interval
from .aligner import AlignerSettings, Clip, Times
from .transcript import in_dictionary, in_own_spelling, joined, words_of

if TYPE_CHECKING:
    import numpy as np

INSTALL = "pip install 'triptych[align]'"

LONGEST_S = 120.0
"""Its memory grows with the square of the length: 500 MB at 140 s, 4 GB at 400 s."""

LEAST_LIKELY = -50.0
"""The score of a frame, in the model's own units, averaged over the worst second of a clip."""

LOUDEST_PAUSE = -35.0
"""The same, averaged over a pause of a quarter of a second or more: less, and something is spoken in it."""

LONGEST_PHONE_S = 0.8
"""A phone that lasts longer covers words that the text lacks.

The three were measured on LibriSpeech test-other. Of 53 right transcripts one has a worse second (-56, the next -46),
no pause is louder than -31 and no phone longer than 0.34 s. Of 18 transcripts that lack their second half all are
refused, of 18 that lack four words in the middle 17, of 40 that lack three words 28 have a pause that is too loud; with
words added, no alignment is found at all.
"""

_FRAME_S = 0.01
_WORST_FRAMES = 100
_PAUSE_FRAMES = 25
_VARIANT = re.compile(r"\(\d+\)$")
_STRESS = re.compile(r"\d$")
_FILLERS = ("<", "[", "+")
_COMMENTS = (";;;", "#")
_PHONES = frozenset({
    "AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH", "IH", "IY", "JH", "K",
    "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH", "UH", "UW", "V", "W", "Y", "Z", "ZH",
})  # fmt: skip


class PocketSphinx:
    """Aligns English; further pronunciations come from a file in the format of the CMU dictionary."""

    part_clips = 8
    in_workers = True

    def __init__(self, settings: AlignerSettings) -> None:
        try:
            from pocketsphinx import Decoder
        except ImportError:
            raise UsageError("The aligner pocketsphinx is not installed.", hint=INSTALL) from None
        if settings.acoustic_model is not None:
            raise UsageError(
                "--acoustic-model is of --aligner mfa: pocketsphinx has the model en-us.", hint="--aligner mfa"
            )
        # Wide beams: forced alignment has one path, and one that is pruned at a hard word is lost.
        self._decoder = Decoder(
            lm=None, bestpath=False, loglevel="FATAL", beam=1e-80, wbeam=1e-60, pbeam=1e-80, cmn="batch"
        )
        self.producer = f"align pocketsphinx {version('pocketsphinx')} en-us"
        if settings.dictionary is not None:
            file = Path(settings.dictionary)
            add_pronunciations(self._decoder, file)
            self.producer += f" {file.name} sha256:{hashlib.sha256(file.read_bytes()).hexdigest()[:12]}"

    def align(self, clips: Sequence[Clip]) -> list[Times | RowError]:
        return [self._times(clip) for clip in clips]

    def _times(self, clip: Clip) -> Times | RowError:
        try:
            return self._align(clip)
        except RowError as refusal:
            return refusal

    def _align(self, clip: Clip) -> Times:
        language = clip.language.lower().partition("-")[0]
        if language != "en":
            raise RowError("language_unsupported", f"pocketsphinx aligns English, not {clip.language!r}: --aligner mfa")
        words = words_of(clip.text)
        parts = in_dictionary(words, lambda word: self._decoder.lookup_word(word) is not None)
        if clip.seconds > LONGEST_S:
            raise RowError("too_long", f"{clip.seconds:.1f} s; pocketsphinx aligns {LONGEST_S:g} s: --aligner mfa")
        found = self._decode(clip.sound, joined(parts))
        check_likely(found)
        spoken = [word.interval for word in found if not word.is_pause]
        phones = [phone.interval for word in found for phone in word.phones]
        return Times(in_own_spelling(words, spoken), phones)

    def _decode(self, sound: np.ndarray, text: str) -> list[_Unit]:
        """The aligned words with their phones, pauses included."""
        try:
            self._decoder.set_align_text(text)
            self._run(sound)
            if self._decoder.hyp() is None:
                raise RowError("not_alignable", "no path through all words of the text: more than is spoken?")
            self._decoder.set_alignment()
            self._run(sound)
            found = self._decoder.get_alignment()
        except RuntimeError as error:
            raise RowError("not_alignable", f"pocketsphinx: {error}") from error
        if found is None:
            raise RowError("not_alignable", "no path through all phones of the text")
        # Its parts are valid only as long as the whole is: they are copied.
        return [_Unit.of(word, [_Unit.of(phone) for phone in word]) for word in found]

    def _run(self, sound: np.ndarray) -> None:
        # Else the end of the clip before would change the first frames of this one.
        self._decoder.reinit_feat()
        self._decoder.start_utt()
        try:
            self._decoder.process_raw(sound.tobytes(), full_utt=True)
        finally:
            self._decoder.end_utt()


@dataclass(frozen=True, slots=True)
class _Unit:
    """A word or a phone; start and length in frames."""

    name: str
    start: int
    length: int
    score: int
    phones: Sequence[_Unit] = ()

    @classmethod
    def of(cls, found: Any, phones: Sequence[_Unit] = ()) -> _Unit:
        return cls(_VARIANT.sub("", found.name), found.start, found.duration, found.score, phones)

    @property
    def is_pause(self) -> bool:
        return self.name.startswith(_FILLERS)

    @property
    def is_silence(self) -> bool:
        return self.name == "SIL" or self.name.startswith("+")

    @property
    def end(self) -> int:
        return self.start + self.length

    @property
    def interval(self) -> Interval:
        return Interval(self.name, round(self.start * _FRAME_S, 2), round(self.end * _FRAME_S, 2))


def check_likely(words: Sequence[_Unit]) -> None:
    """Raise RowError `text_mismatch` if the sound is too unlikely to be that of the text, and only of the text."""
    import numpy as np

    phones = [phone for word in words for phone in word.phones]
    for phone in phones:
        if phone.is_silence and phone.length >= _PAUSE_FRAMES and phone.score / phone.length < LOUDEST_PAUSE:
            said = f"score {phone.score / phone.length:.0f}, expected above {LOUDEST_PAUSE:g}"
            raise _mismatch(phone.start, phone.end, f"something is spoken, where the text has a pause: {said}")
        if not phone.is_silence and phone.length * _FRAME_S > LONGEST_PHONE_S:
            raise _mismatch(phone.start, phone.end, f"one phone, {phone.name}, would be spoken all the time")
    frames = np.concatenate([np.full(phone.length, phone.score / phone.length) for phone in phones])
    length = min(_WORST_FRAMES, len(frames))
    means = np.convolve(frames, np.full(length, 1 / length), "valid")
    start = int(means.argmin())
    if means[start] < LEAST_LIKELY:
        near = [word.name for word in words if start < word.end and word.start < start + length and not word.is_pause]
        said = f"score {means[start]:.0f}, expected above {LEAST_LIKELY:g}"
        raise _mismatch(start, start + length, f"something else is spoken than {' '.join(near)!r}: {said}")


def _mismatch(start: int, end: int, what: str) -> RowError:
    return RowError("text_mismatch", f"at {start * _FRAME_S:.2f} to {end * _FRAME_S:.2f} s {what}")


def add_pronunciations(decoder: Any, file: Path) -> None:
    """Add the words of a file in the format of the CMU dictionary: `avonlea  AE1 V AA0 N L IY0`; `;;;` is a comment.

    Raises:
        UsageError: The file cannot be read, or a line is not of that format; the message names it.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--dictionary {file}: {error}.") from None
    entries = [_entry(line, f"{file}:{number}") for number, line in enumerate(lines, start=1) if _says(line)]
    for number, (word, phones) in enumerate(entries, start=1):
        # The search is set up anew once, with the last word: with each, it would take seconds.
        decoder.add_word(_free_name(decoder, word), phones, number == len(entries))


def _says(line: str) -> bool:
    return bool(line.strip()) and not line.startswith(_COMMENTS)


def _entry(line: str, where: str) -> tuple[str, str]:
    word, *phones = line.split()
    phones = [_STRESS.sub("", each) for each in phones]
    unknown = next((each for each in phones if each not in _PHONES), None)
    if unknown is not None or not phones:
        why = "no phones" if unknown is None else f"{unknown!r} is no phone"
        raise UsageError(
            f"--dictionary {where}: expected a word and its phones; {why}: {line.strip()!r}.",
            hint=f"avonlea AE V AA N L IY; the phones are {' '.join(sorted(_PHONES))}",
        )
    return _VARIANT.sub("", word).lower(), " ".join(phones)


def _free_name(decoder: Any, word: str) -> str:
    """The word, or the name of its next variant: `word(2)`."""
    name, number = word, 1
    while decoder.lookup_word(name) is not None:
        number += 1
        name = f"{word}({number})"
    return name
