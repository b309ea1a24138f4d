"""What a column states of the span or the channel of its row, judging by its name.

    start     start, begin, onset, from, offset, tmin, xmin; start_time, segment_start, clipStart, "Start (s)"
    end       end, stop, to, until, tmax, xmax
    length    duration, dur, length; alone it states a length, and is no span
    channel   channel, audio_channel, channel_selector

A name may end in seconds (the default), milliseconds, microseconds, nanoseconds or samples. torchaudio's
`frame_offset` and `num_frames` are samples; any other `frame` may be one of a video or of features.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

START, END, LENGTH, CHANNEL = "start", "end", "length", "channel"

_WORDS: Mapping[str, tuple[str, ...]] = {
    START: ("start", "starts", "begin", "begins", "onset", "from", "offset", "tmin", "xmin"),
    END: ("end", "ends", "stop", "stops", "to", "until", "tmax", "xmax"),
    LENGTH: ("duration", "dur", "length"),
    CHANNEL: ("channel", "chan"),
}
_PART_OF = {word: part for part, words in _WORDS.items() for word in words}
_WEAK = frozenset({"from", "to", "until", "offset", "tmin", "tmax", "xmin", "xmax", "length"})
"""Words that mean something else as often: they count in pairs, and only with numbers."""

_OF_SEGMENT = frozenset({"segment", "seg", "clip", "utterance", "utt", "turn", "chunk", "speech", "subtitle"})
_OF_FILE = frozenset({"audio", "video", "wav", "sound"})
_BESIDE = frozenset({"time", "timestamp", "ts", "t"})
_OF_CHANNEL = frozenset({"selector", "index", "idx", "id", "number"})
_UNITS: Mapping[str, float | str] = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "msec", "msecs", "millis", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("us", "usec", "microsecond", "microseconds"), 1e-6),
    **dict.fromkeys(("ns", "nsec", "nanosecond", "nanoseconds"), 1e-9),
    **dict.fromkeys(("sample", "samples"), "samples"),
    **dict.fromkeys(("frame", "frames"), "frames"),
}
_TOKEN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_TORCHAUDIO = {
    "frame_offset": (START, "samples"),
    "num_frames": (LENGTH, "frame_offset"),
    "num_samples": (LENGTH, "samples"),
    "n_samples": (LENGTH, "samples"),
}
_NAMES = 4096


@dataclass(frozen=True, slots=True)
class Role:
    """What a column states.

    Attributes:
        part: `START`, `END`, `LENGTH` or `CHANNEL`.
        word: The word of its name that says so.
        unit: Its length in seconds, or `samples`, `frames`, `frame_offset` (samples if that column gives the start).
        rank: 0 for a field of the sample, or a column that the user mapped to one; 1 for a word that means nothing
            else; 2 for one that may.
        of: What it is the start, end or length of: `segment`, `audio` ...; empty if the name does not say.
    """

    part: str
    word: str
    unit: float | str = 1.0
    rank: int = 1
    of: str = ""

    @property
    def is_of_file(self) -> bool:
        """Whether a length is that of the file, not of a part of it."""
        return self.of in _OF_FILE


FIELDS: Mapping[str, Role] = {
    "start_s": Role(START, "start", rank=0),
    "end_s": Role(END, "end", rank=0),
    "duration_s": Role(LENGTH, "duration", rank=0),
    "start_ms": Role(START, "start", 1e-3, rank=0),
    "end_ms": Role(END, "end", 1e-3, rank=0),
    "duration_ms": Role(LENGTH, "duration", 1e-3, rank=0),
    "start_sample": Role(START, "start", "samples", rank=0),
    "end_sample": Role(END, "end", "samples", rank=0),
    "duration_samples": Role(LENGTH, "duration", "samples", rank=0),
    "channel": Role(CHANNEL, "channel", rank=0),
    "channel_from_1": Role(CHANNEL, "channel_from_1", rank=0),
}
"""What a column states that `--map` maps to one of these fields."""


@lru_cache(maxsize=_NAMES)
def role_of(column: str) -> Role | None:
    """What a column of this name states; None if it states neither a span nor a channel."""
    name = column.lower()
    if name in ("start_s", "end_s", "channel"):
        return FIELDS[name]
    if name in _TORCHAUDIO:
        return Role(_TORCHAUDIO[name][0], name, _TORCHAUDIO[name][1])
    tokens = [token.lower() for token in _TOKEN.findall(column)]
    unit: float | str = _UNITS[tokens.pop()] if len(tokens) > 1 and tokens[-1] in _UNITS else 1.0
    if len(tokens) > 1 and tokens[0] in ("frame", "sample"):
        unit = f"{tokens.pop(0)}s"
    of = tokens.pop(0) if len(tokens) > 1 and tokens[0] in _OF_SEGMENT | _OF_FILE else ""
    if len(tokens) == 2 and tokens[1] == "offset" and _PART_OF.get(tokens[0]) in (START, END):
        tokens.pop()
    if len(tokens) == 2 and tokens[0] == CHANNEL and tokens[1] in _OF_CHANNEL:
        tokens.pop()
    words = [token for token in tokens if token not in _BESIDE]
    if len(words) != 1 or words[0] not in _PART_OF:
        return None
    word = words[0]
    return Role(_PART_OF[word], word, unit, 2 if word in _WEAK else 1, of)
