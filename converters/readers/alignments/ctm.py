"""Reader for CTM files: time-marked words or phones, one per line, UTF-8; `;;` starts a comment.

    <recording or utterance> <channel> <start> <duration> <word> [<confidence>]

A file with `phone` in its name contains phones, any other contains words; otherwise name the file (without its suffix)
with `--word-tier` and `--phone-tier`. Lines of one recording and channel are grouped, wherever they are in the file.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from ....shards.text import split_blanks
from ...candidate import RawFile, Rejection
from .interval import PHONES, WORDS, Aligned, AlignmentContext, Interval

SUFFIX = ".ctm"


def read(files: Iterable[RawFile], context: AlignmentContext) -> Iterator[Aligned | Rejection]:
    """One alignment per recording and channel, in the order of their first lines."""
    for file in files:
        kind = _kind(PurePosixPath(file.name).stem, context)
        if kind is None:
            context.note(f"{file.name}: neither the word tier nor the phone tier: skipped")
            continue
        yield from _read(file, kind)


def _kind(stem: str, context: AlignmentContext) -> str | None:
    words, phones = context.word_tier, context.phone_tier
    if phones == stem:
        return PHONES
    if words == stem:
        return WORDS
    if words and phones:
        return None
    return PHONES if "phone" in stem.lower() and not phones else WORDS if not words else None


def _read(file: RawFile, kind: str) -> Iterator[Aligned | Rejection]:
    found: defaultdict[tuple[str, str], list[Interval]] = defaultdict(list)
    first: dict[tuple[str, str], int] = {}
    if (pointer := file.pointer()) is not None:
        yield Rejection(file.name, "pointer", f"{file.uri}: it is {pointer}", file.uri)
        return
    for number, raw in enumerate(file.read().split(b"\n"), start=1):
        where = f"{file.uri}:{number}"
        try:
            # Fields are separated by ASCII whitespace only: a no-break space is part of an id or a word.
            parts = split_blanks(raw.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            yield Rejection(f"{file.name}:{number}", "not_utf8", f"{where}: byte {error.start}", where)
            continue
        if not parts or parts[0].startswith(";;"):
            continue
        interval = _interval(parts)
        if interval is None:
            detail = f"{where}: expected id, channel, start, duration and word, got {' '.join(parts)[:80]!r}"
            yield Rejection(f"{file.name}:{number}", "bad_row", detail, where)
            continue
        key = (parts[0], parts[1])
        first.setdefault(key, number)
        found[key].append(interval)
    channels: defaultdict[str, int] = defaultdict(int)
    for name, _ in found:
        channels[name] += 1
    for (name, channel), intervals in found.items():
        intervals.sort(key=lambda each: (each.start_s, each.end_s))
        where = f"{file.uri}:{first[name, channel]}"
        yield Aligned((name,), where, {kind: intervals}, channel if channels[name] > 1 else None)


def _interval(parts: list[str]) -> Interval | None:
    try:
        start, length, text = float(parts[2]), float(parts[3]), parts[4]
    except (IndexError, ValueError):
        return None
    return Interval(text, start, round(start + length, 9)) if math.isfinite(start + length) else None
