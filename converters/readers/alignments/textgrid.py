"""Reader for Praat TextGrids in the long and the short text form, UTF-8 or UTF-16, as MFA and Praat write them.

Both forms are a sequence of strings, numbers and flags; the rest of the long form is ignored. A tier is chosen by its
name: `words` or `word`, `phones` or `phone` or `phonemes`, or the value of `--word-tier` and `--phone-tier`, ignoring
case. With several speakers MFA writes `speaker - words`. Empty intervals are pauses and are omitted; named pauses
(`sil`, `sp`, `spn`) are kept like other phones. Point tiers are skipped.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from ...candidate import RawFile, Rejection, RowError
from .interval import PHONES, WORDS, Aligned, AlignmentContext, Interval

SUFFIX = ".textgrid"
DEFAULT_TIERS = {WORDS: ("words", "word"), PHONES: ("phones", "phone", "phonemes")}
_TOKEN = re.compile(
    r'"(?P<string>(?:[^"]|"")*)"'
    r"|(?P<comment>(?<!\S)![^\n]*)"
    r"|(?P<flag><\w+>)"
    r"|(?<!\S)(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?!\S)"
)
_SPEAKER = " - "


def read(files: Iterable[RawFile], context: AlignmentContext) -> Iterator[Aligned | Rejection]:
    """One alignment per file, by the file's name."""
    for file in files:
        stem = PurePosixPath(file.name).with_suffix("").as_posix()
        if (pointer := file.pointer()) is not None:
            yield Rejection(file.name, "pointer", f"{file.uri}: it is {pointer}", file.uri)
            continue
        try:
            tiers = parse(file.read())
        except UnicodeDecodeError as error:
            detail = f"{file.uri}: byte {error.start} is neither UTF-8 nor UTF-16 with a byte order mark"
            yield Rejection(file.name, "not_utf8", f"{detail} (Latin-1? convert it: iconv -f LATIN1)", file.uri)
            continue
        except RowError as error:
            yield error.rejection(file.uri, candidate=file.name)
            continue
        given = {WORDS: context.word_tier, PHONES: context.phone_tier}
        chosen = {kind: tier_of(tiers, kind, given[kind]) for kind in (WORDS, PHONES)}
        if not any(found is not None for found in chosen.values()):
            listed = ", ".join(repr(name) for name, _ in tiers) or "none"
            detail = f"{file.uri}: no word or phone tier; its tiers are {listed}: choose one with --word-tier NAME"
            yield Rejection(file.name, "no_tier", detail, file.uri)
            continue
        names = tuple(dict.fromkeys((stem, PurePosixPath(stem).name)))
        yield Aligned(names, file.uri, {kind: found for kind, found in chosen.items() if found is not None})


def tier_of(tiers: list[tuple[str, list[Interval]]], kind: str, given: str | None = None) -> list[Interval] | None:
    """The intervals of that kind for all speakers, sorted by time; None if there is no such tier.

    Args:
        kind: `words` or `phones`.
        given: The name of the tier, if it is not the usual one.
    """
    wanted = (str(given).lower(),) if given else DEFAULT_TIERS[kind]
    found: list[Interval] | None = None
    for name, intervals in tiers:
        speaker, mark, last = name.rpartition(_SPEAKER)
        if name.lower() in wanted:
            found = [*(found or ()), *intervals]
        elif mark and last.lower() in wanted:
            found = [*(found or ()), *(Interval(i.text, i.start_s, i.end_s, speaker) for i in intervals)]
    return None if found is None else sorted((i for i in found if i.text), key=lambda i: (i.start_s, i.end_s))


def parse(data: bytes) -> list[tuple[str, list[Interval]]]:
    """The interval tiers of a TextGrid with their names, in the order of the file.

    Raises:
        UnicodeDecodeError: It is neither UTF-16 with a byte order mark nor UTF-8.
        RowError: It is not a TextGrid, or it is truncated.
    """
    if data.startswith(b"ooBinaryFile"):
        raise RowError("bad_textgrid", "a binary TextGrid: save it as text in Praat")
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    tokens = _Tokens(data.decode("utf-16" if utf16 else "utf-8-sig"))
    if (tokens.string(), tokens.string()) != ("ooTextFile", "TextGrid"):
        raise RowError("bad_textgrid", 'the file does not start with "ooTextFile" and "TextGrid"')
    tokens.number(), tokens.number()
    if tokens.flag() != "<exists>":
        return []
    return [tier for tier in (_tier(tokens) for _ in range(tokens.count())) if tier is not None]


def _tier(tokens: _Tokens) -> tuple[str, list[Interval]] | None:
    kind, name = tokens.string(), tokens.string().strip()
    tokens.number(), tokens.number()
    count = tokens.count()
    if kind == "IntervalTier":
        return name, [_interval(tokens) for _ in range(count)]
    for _ in range(count):
        tokens.number(), tokens.string()
    return None


def _interval(tokens: _Tokens) -> Interval:
    start, end, text = tokens.number(), tokens.number(), tokens.string()
    return Interval(" ".join(text.split()), start, end)


class _Tokens:
    """The strings, numbers and flags of a Praat text file, in order."""

    def __init__(self, text: str) -> None:
        self._found = (match for match in _TOKEN.finditer(text) if match.lastgroup != "comment")

    def _next(self, kind: str) -> str:
        match = next(self._found, None)
        if match is None:
            raise RowError("bad_textgrid", "the file ends in the middle of its tiers")
        if match.lastgroup != kind:
            raise RowError("bad_textgrid", f"expected a {kind}, got {match[0][:40]!r}")
        return match[kind]

    def string(self) -> str:
        return self._next("string").replace('""', '"')

    def flag(self) -> str:
        return self._next("flag")

    def number(self) -> float:
        return float(self._next("number"))

    def count(self) -> int:
        number = self.number()
        if not number.is_integer() or number < 0:
            raise RowError("bad_textgrid", f"{number} is not a valid number of tiers or intervals")
        return int(number)
