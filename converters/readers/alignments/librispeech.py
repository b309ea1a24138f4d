"""Reader for LibriSpeech Alignments: the word times of one chapter a file, `84-121123.alignment.txt`, UTF-8.

    84-121123-0000 ",GO,,DO,YOU,HEAR," "0.490,0.890,1.270,1.380,1.490,1.930,2.045"

A line is an utterance: its words, upper case, an empty one being a pause, and the second at which each ends; each
begins where the one before it ends. Lines in `*.unaligned.txt` have no times and are not read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

from ...candidate import RawFile, Rejection
from .interval import WORDS, Aligned, AlignmentContext, Interval

SUFFIX = ".alignment.txt"

_LINE = re.compile(r'(\S+)\s+"([^"]*)"\s+"([^"]*)"')


def read(files: Iterable[RawFile], context: AlignmentContext) -> Iterator[Aligned | Rejection]:
    """One alignment per line, by the utterance's id."""
    for file in files:
        if (pointer := file.pointer()) is not None:
            yield Rejection(file.name, "pointer", f"{file.uri}: it is {pointer}", file.uri)
            continue
        for number, raw in enumerate(file.read().split(b"\n"), start=1):
            line, where = raw.decode("utf-8", errors="replace").strip(), f"{file.uri}:{number}"
            if not line:
                continue
            match = _LINE.fullmatch(line)
            words = None if match is None else _words(match[2].split(","), match[3].split(","))
            if match is None or words is None:
                detail = f'{where}: expected an id, "words" and as many "ends" in order, got {line[:80]!r}'
                yield Rejection(f"{file.name}:{number}", "bad_row", detail, where)
                continue
            yield Aligned((match[1],), where, {WORDS: words})


def _words(words: list[str], ends: list[str]) -> list[Interval] | None:
    """The words with their times; None if they are not of one length, or an end is no number."""
    try:
        seconds = [float(end) for end in ends]
    except ValueError:
        return None
    if len(words) != len(seconds) or not all(map(math.isfinite, seconds)):
        return None
    starts = [0.0, *seconds[:-1]]
    return [Interval(word, start, end) for word, start, end in zip(words, starts, seconds, strict=True) if word]
