"""Speech from espeak-ng, with word and phone times.

`speak` is a pure function: the same text, voice, rate and pitch give the same bytes, in any order and in any process.
espeak-ng itself does not guarantee that: its pitch flutter and noise carry over from one utterance to the next, and
neither a new voice nor a new initialisation resets them. So the library is loaded for each utterance and unloaded
after it, which costs about 5 ms and leaves no state between calls.

Never opens an audio device or the network. Needs the package `espeakng-loader`, which contains library and voices.
"""

from __future__ import annotations

import ctypes
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from ....errors import UsageError
from ....shards.in_memory import ctrl_c_waits

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SAMPLE_RATE = 22050
NOISE_SEED = 1
STRESS_MARKS = str.maketrans("", "", "ˈˌ")
INSTALL = "pip install 'triptych[demo]'"
PUNCTUATION = '.,;:!?¿¡…()"“”„«»。，、；：！？'

# From the public header speak_lib.h.
_SYNCHRONOUS = 2
_PHONEME_EVENTS, _IPA_NAMES, _DONT_EXIT = 0x0001, 0x0002, 0x8000
_UTF8, _END_PAUSE = 1, 0x1000
_RATE, _PITCH = 1, 3
_EVENT_LIST_END, _EVENT_WORD, _EVENT_PHONEME = 0, 1, 7
_POS_CHARACTER = 1


class _EventId(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_void_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    )


_SynthCallback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))

_one_at_a_time = threading.Lock()


@dataclass(frozen=True, slots=True)
class Timed:
    """A word or phone and its time, in seconds from the start of the audio."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Speech:
    """One spoken text.

    Attributes:
        pcm: int16 mono samples at `SAMPLE_RATE`, ending with a short pause.
        words: One entry per word, in order and without overlap; None if espeak-ng did not report every word
            separately (it speaks some pairs, such as `很好`, as one).
        phones: IPA as reported by espeak-ng, without stress marks; pauses are omitted, and so is the rare phone that
            espeak-ng merges into the one before it, so that it has no time of its own (an `l` after a vowel).
    """

    pcm: npt.NDArray[np.int16]
    words: list[Timed] | None
    phones: list[Timed]

    @property
    def duration(self) -> float:
        return len(self.pcm) / SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class _Mark:
    """One event of espeak-ng: a word (by its position in the text) or a phone (by name; a pause has none)."""

    sample: int
    position: int | None
    phone: str


def speak(text: str, voice: str, *, words: Sequence[str] | None = None, rate: int = 160, pitch: int = 50) -> Speech:
    """Speak `text` with `voice`.

    Parameters:
        text: What to say.
        voice: A language of espeak-ng, with an optional variant: `en-us`, `de+f3`.
        words: The words of `text`, in order, for scripts without spaces. Default: split at spaces.
        rate: Words per minute, 80 to 450.
        pitch: 0 to 99.

    Raises:
        UsageError: espeak-ng is not installed, or does not have this voice.
    """
    import numpy as np

    data, marks = _synthesize(text, voice, rate, pitch)
    pcm = np.frombuffer(data, dtype="<i2").astype(np.int16)
    spans = _word_spans(text, split_words(text) if words is None else words)
    return Speech(pcm, _timed_words(spans, marks, len(pcm)), _timed_phones(marks, len(pcm)))


def split_words(text: str) -> list[str]:
    """Split a text at spaces into words, without the punctuation around them."""
    return [word for token in text.split() if (word := token.strip(PUNCTUATION))]


def _word_spans(text: str, words: Sequence[str]) -> list[tuple[str, int, int]]:
    """Return each word with its first and last character position in `text`, counted from 1 as in espeak-ng."""
    spans = []
    found_to = 0
    for word in words:
        start = text.find(word, found_to)
        if start < 0:
            raise UsageError(f"the word {word!r} is not in the text {text!r}, or not in this order.")
        found_to = start + len(word)
        spans.append((word, start + 1, found_to))
    return spans


def _timed_words(spans: Sequence[tuple[str, int, int]], marks: Sequence[_Mark], total: int) -> list[Timed] | None:
    """Return the times of the words, or None if one of them has no event or the events do not match the words."""
    starts: dict[int, int] = {}
    ends: dict[int, int] = {}
    current = -1
    for mark, after in zip(marks, [*marks[1:], _Mark(total, None, "")], strict=True):
        if mark.position is not None:
            current = next((n for n, (_, first, last) in enumerate(spans) if first <= mark.position <= last), -1)
            starts.setdefault(current, mark.sample)
        elif mark.phone:
            ends[current] = after.sample
    if -1 in starts or any(n not in starts or n not in ends for n in range(len(spans))):
        return None
    timed = [Timed(word, starts[n] / SAMPLE_RATE, ends[n] / SAMPLE_RATE) for n, (word, _, _) in enumerate(spans)]
    in_order = all(one.end_s <= other.start_s for one, other in pairwise(timed))
    return timed if in_order and all(word.start_s < word.end_s for word in timed) else None


def _timed_phones(marks: Sequence[_Mark], total: int) -> list[Timed]:
    """Return the times of the phones; each lasts until the next event, so that it ends with its word."""
    timed = []
    for mark, after in zip(marks, [*marks[1:], _Mark(total, None, "")], strict=True):
        if mark.phone and after.sample > mark.sample:
            timed.append(Timed(mark.phone, mark.sample / SAMPLE_RATE, after.sample / SAMPLE_RATE))
    return timed


def _synthesize(text: str, voice: str, rate: int, pitch: int) -> tuple[bytes, list[_Mark]]:
    chunks: list[bytes] = []
    marks: list[_Mark] = []

    def receive(wave: int | None, count: int, events: Any) -> int:
        if wave and count > 0:
            chunks.append(ctypes.string_at(wave, count * 2))
        marks.extend(_read_marks(events))
        return 0

    with _one_at_a_time, ctrl_c_waits(), _loaded(receive) as espeak:
        if espeak.espeak_SetVoiceByName(voice.encode()) != 0:
            raise UsageError(f"espeak-ng has no voice {voice!r}.", hint="try 'en-us+f3'")
        espeak.espeak_SetParameter(_RATE, rate, 0)
        espeak.espeak_SetParameter(_PITCH, pitch, 0)
        encoded = text.encode() + b"\0"
        flags = _UTF8 | _END_PAUSE
        if espeak.espeak_Synth(encoded, len(encoded), 0, _POS_CHARACTER, 0, flags, None, None) != 0:
            raise UsageError(f"espeak-ng could not speak {text!r} with the voice {voice!r}.")
    return b"".join(chunks), marks


def _read_marks(events: Any) -> Iterator[_Mark]:
    index = 0
    while events[index].type != _EVENT_LIST_END:
        event = events[index]
        if event.type == _EVENT_WORD:
            yield _Mark(event.sample, event.text_position, "")
        elif event.type == _EVENT_PHONEME:
            yield _Mark(event.sample, None, event.id.string.decode(errors="replace").translate(STRESS_MARKS))
        index += 1


@contextmanager
def _loaded(receive: Callable[[int | None, int, Any], int]) -> Iterator[ctypes.CDLL]:
    """Load espeak-ng in its initial state, passing audio and events to `receive`; unload it at the end."""
    import _ctypes

    library, data = find_espeak()
    if _is_loaded(library):
        warnings.warn("espeak-ng is already loaded in this process: speech may differ from run to run", stacklevel=5)
    espeak = ctypes.CDLL(library)
    espeak.espeak_Synth.argtypes = (
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_uint,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.c_uint,
        ctypes.c_void_p,
        ctypes.c_void_p,
    )
    callback = _SynthCallback(receive)
    try:
        started = espeak.espeak_Initialize(_SYNCHRONOUS, 0, data.encode(), _PHONEME_EVENTS | _IPA_NAMES | _DONT_EXIT)
        if started != SAMPLE_RATE:
            raise UsageError(f"espeak-ng did not start with the voices in {data}.", hint=INSTALL)
        espeak.espeak_ng_SetRandSeed(ctypes.c_long(NOISE_SEED))  # the default is the time of day
        espeak.espeak_SetSynthCallback(callback)
        yield espeak
    finally:
        espeak.espeak_Terminate()
        _ctypes.dlclose(espeak._handle)


def _is_loaded(library: str) -> bool:
    """Whether the library is loaded already, so that loading it would not reset it."""
    import _ctypes

    try:
        held = ctypes.CDLL(library, mode=os.RTLD_NOLOAD)
    except OSError:
        return False
    _ctypes.dlclose(held._handle)
    return True


def find_espeak() -> tuple[str, str]:
    """Return the paths of the espeak-ng library and its voices; raise UsageError if the package is missing."""
    try:
        import espeakng_loader
    except ImportError as error:
        raise UsageError(
            "the synthetic source needs espeak-ng for speech, but the package 'espeakng-loader' is not installed.",
            hint=INSTALL,
        ) from error
    return str(espeakng_loader.get_library_path()), str(espeakng_loader.get_data_path())
