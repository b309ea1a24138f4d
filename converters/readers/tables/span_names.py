"""What a column states of the span or the channel of its row, judging by its name.

    start     start, begin, onset, from, offset, tmin, xmin, in; start_time, segment_start, clipStart, "Start (s)"
    end       end, stop, to, until, tmax, xmax, out
    length    duration, dur, length; alone it states a length, and is no span
    pair      segment, interval, timestamp, time_span ...: the start and the end in one cell
    channel   channel, audio_channel, channel_selector

A name may end in seconds (the default), milliseconds, microseconds, nanoseconds or samples. torchaudio's
`frame_offset` and `num_frames` are samples; any other `frame` may be one of a video or of features.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache

START, END, LENGTH, PAIR, CHANNEL = "start", "end", "length", "pair", "channel"

_WORDS: Mapping[str, tuple[str, ...]] = {
    START: ("start", "starts", "begin", "begins", "onset", "from", "offset", "tmin", "xmin", "in"),
    END: ("end", "ends", "stop", "stops", "to", "until", "tmax", "xmax", "out"),
    LENGTH: ("duration", "dur", "length"),
    PAIR: ("segment", "interval", "timestamp", "timestamps", "span", "range", "window"),
    CHANNEL: ("channel", "chan", "ch"),
}
_PART_OF = {word: part for part, words in _WORDS.items() for word in words}
_WEAK = frozenset(
    {"from", "to", "until", "offset", "tmin", "tmax", "xmin", "xmax", "in", "out", "length", *_WORDS[PAIR]}
)
"""Words that mean something else as often: they count in pairs, and only with numbers."""

_OF_SEGMENT = frozenset({"segment", "seg", "clip", "utterance", "utt", "turn", "chunk", "speech", "subtitle"})
_OF_FILE = frozenset({"audio", "video", "wav", "sound"})
_OF_TIME = frozenset({"span", "range", "window"})
_BESIDE = frozenset({"time", "timestamp", "ts", "t", "at", "point"})
_CLOCK = frozenset({"hh", "mm", "ss", "hms", "sss"})
"""`Begin Time - hh:mm:ss.ms`, `Begin Time - ss.msec`: a clock or seconds, whatever stands after the point."""
_OF_CHANNEL = frozenset({"selector", "index", "idx", "id", "number"})
_UNITS: Mapping[str, float | str] = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "msec", "msecs", "millis", "millisecond", "milliseconds"), 1e-3),
    **dict.fromkeys(("us", "usec", "microsecond", "microseconds"), 1e-6),
    **dict.fromkeys(("ns", "nsec", "nanosecond", "nanoseconds"), 1e-9),
    **dict.fromkeys(("sample", "samples"), "samples"),
    **dict.fromkeys(("frame", "frames"), "frames"),
}
_JOINED = re.compile(r"(t)?(start|begin|end|stop)(times?|timestamp|s|secs?|seconds|ms|msec|samples?|frames?)?")
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
    tokens = tokens_of(column)
    if len(tokens) > 1 and not _CLOCK.isdisjoint(tokens):
        tokens = [token for token in tokens if token not in _CLOCK and token not in _UNITS]
    unit: float | str = _UNITS[tokens.pop()] if len(tokens) > 1 and tokens[-1] in _UNITS else 1.0
    if len(tokens) > 1 and tokens[0] in ("frame", "sample"):
        unit = f"{tokens.pop(0)}s"
    of = tokens.pop(0) if len(tokens) > 1 and tokens[0] in _OF_SEGMENT | _OF_FILE else ""
    if len(tokens) == 2 and tokens[1] == "offset" and _PART_OF.get(tokens[0]) in (START, END):
        tokens.pop()
    if len(tokens) == 2 and tokens[0] == CHANNEL and tokens[1] in _OF_CHANNEL:
        tokens.pop()
    words = [token for token in tokens if token not in _BESIDE] or tokens[:1]
    if len(words) != 1 or words[0] not in _PART_OF or (words[0] in _OF_TIME and "time" not in tokens):
        return None
    word = words[0]
    return Role(_PART_OF[word], word, unit, 2 if word in _WEAK else 1, of)


def tokens_of(column: str) -> list[str]:
    """The words of a column's name, in lower case: `clipStart`, `clip_start` and `Clip start` alike."""
    tokens: list[str] = []
    for token in _TOKEN.findall(column):
        joined = _JOINED.fullmatch(token.lower())
        tokens.extend(filter(None, joined.groups()) if joined else [token.lower()])
    return tokens


def unread_pair(columns: Collection[str]) -> tuple[str, str] | None:
    """Two columns that look like a start and an end of the same thing, and that no role names: `start_idx, end_idx`."""
    by_tokens = {tuple(tokens_of(column)): column for column in columns}
    for tokens, column in by_tokens.items():
        for start, end in (("start", "end"), ("begin", "end"), ("start", "stop"), ("onset", "offset")):
            if start in tokens:
                other = by_tokens.get(tuple(end if token == start else token for token in tokens))
                if other is not None and role_of(column) is None and role_of(other) is None:
                    return column, other
    return None
