"""`--long window`: a recording that a model's extractor would cut becomes several rows, each with its own words.

A window ends in a pause between two words, in the longest one of its second half, and never inside a word; its text is
that of the words in it. So a sample needs the times of its words, and the words must be those of its text, in order;
otherwise it has no row, with a reason. A whole text never stands beside a part of the sound.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...shards.sample import ALIGNMENT
from ..export.expand import extended

if TYPE_CHECKING:
    import duckdb

Word = Mapping[str, Any]
MARGIN_S = 0.5
"""Of a pause that is too long for a window, this much is kept beside its words."""
_BATCH = 1_024
_DIVISIBLE = (
    "effective_task = 'asr' AND coalesce(len(messages), 0) = 0 AND coalesce(len(captions), 0) = 0 "
    "AND concat(translation, reasoning, answer, extra['reference']) = ''"
)
"""Samples whose only answer is what is said: everything else is said of the whole recording."""


class NotDivisible(Exception):
    """The sample has no windows; the argument is the reason code."""


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a recording: seconds in its media, and the words from `first` to before `last`."""

    start_s: float
    end_s: float
    first: int
    last: int


def windows_of(words: Sequence[Word], *, start_s: float, end_s: float, longest_s: float) -> list[Window]:
    """Divide the sound between two times into windows that have words, none longer than `longest_s`.

    Raises:
        NotDivisible: Words are out of order, or run on for longer than a window.
    """
    bounds = [float(word[side]) for word in words for side in ("start_s", "end_s")]
    if bounds != sorted(bounds) or not words or bounds[0] < start_s - MARGIN_S or bounds[-1] > end_s + MARGIN_S:
        raise NotDivisible("words_out_of_order" if words else "no_word_times")
    found: list[Window] = []
    first, begin = 0, start_s
    while first < len(words):
        if words[first]["start_s"] - begin > longest_s / 2:
            begin = round(words[first]["start_s"] - MARGIN_S, 3)
        if end_s - begin <= longest_s:
            found.append(Window(begin, end_s, first, len(words)))
            break
        last, cut = _cut(words, first, begin=begin, end_s=end_s, longest_s=longest_s)
        found.append(Window(begin, cut, first, last))
        first, begin = last, cut
    return found


def _cut(words: Sequence[Word], first: int, *, begin: float, end_s: float, longest_s: float) -> tuple[int, float]:
    """Where the window from word `first` ends: the number of the next word, and the time."""
    latest = round(begin + longest_s, 3)
    best: tuple[bool, float, int, float] | None = None
    for last in range(first + 1, len(words) + 1):
        pause = words[last - 1]["end_s"], words[last]["start_s"] if last < len(words) else end_s
        if pause[0] > latest:
            break
        cut = round(min((pause[0] + pause[1]) / 2, pause[0] + longest_s / 4, latest), 3)
        if pause[0] <= cut <= pause[1]:
            best = max(best or (False, 0.0, 0, 0.0), (cut > begin + longest_s / 2, pause[1] - pause[0], last, cut))
    if best is None:
        raise NotDivisible("no_pause")
    return best[2], best[3]


def texts_of(text: str, words: Sequence[Word]) -> list[str]:
    """The text, divided before each word; signs between two words stay with the one that they touch, else the first.

    Raises:
        NotDivisible: The words are not those of the text.
    """
    starts: list[int] = []
    place = 0
    for word in words:
        said, end = word["text"].strip(), place
        while not _stands(said, text, place):
            if place >= len(text) or text[place].isalnum():
                raise NotDivisible("words_differ_from_text")
            place += 1
        between = text[end:place]
        touching = len(between) - 1 - max(between.rfind(space) for space in " \t\r\n")
        starts.append(place - (touching if touching < len(between) else 0))
        place += len(said)
    if any(sign.isalnum() for sign in text[place:]):
        raise NotDivisible("words_differ_from_text")
    return [text[start:end] for start, end in zip([0, *starts[1:]], [*starts[1:], len(text)], strict=True)]


def _stands(word: str, text: str, place: int) -> bool:
    """Whether the word stands there, whole as far as letters tell: Chinese has no spaces."""
    end = place + len(word)
    if text[place:end].casefold() != word.casefold():
        return False
    both = word[-1] + text[end : end + 1]
    return not (len(both) == 2 and both.isascii() and both.isalnum())


def expand_into_windows(
    connection: duckdb.DuckDBPyConnection, relation: str, *, longest_s: int, takes_pairs: bool = False
) -> str:
    """A SELECT over the relation: a row for each window of the samples whose one recording is longer.

    Args:
        takes_pairs: Whether rows have a second answer, or say whether one was liked: of a whole recording, so that none
            can be divided.
    """
    _make_windows(connection, longest_s, "false" if takes_pairs else f"coalesce({_DIVISIBLE}, false)")
    return f"""
        SELECT r.* REPLACE (
                 CASE WHEN w.n IS NULL THEN r.start_s ELSE w.start_s END AS start_s,
                 CASE WHEN w.n IS NULL THEN r.end_s ELSE w.end_s END AS end_s,
                 CASE WHEN w.n IS NULL THEN r.text ELSE w.text END AS text,
                 CASE WHEN w.n IS NULL THEN r.words ELSE w.words END AS words,
                 CASE WHEN w.n IS NULL THEN r.phones ELSE w.phones END AS phones,
                 coalesce(r.part_outcome, w.outcome) AS part_outcome,
                 {extended("'window' || w.n")} AS part)
        FROM {relation} r LEFT JOIN windows w ON w.dataset = r.dataset AND w.sample = r.id"""


def _has_times(item: Word) -> bool:
    return item["start_s"] is not None and item["end_s"] is not None


def _is_in(phone: Word, window: Window) -> bool:
    return bool(window.start_s <= (phone["start_s"] + phone["end_s"]) / 2 < window.end_s)


def _make_windows(connection: duckdb.DuckDBPyConnection, longest_s: int, divisible: str) -> None:
    """Create the table `windows`: the parts of long samples, or one line with the reason why there are none."""
    import pyarrow as pa

    schema = pa.schema(
        [("dataset", pa.string()), ("sample", pa.string()), ("n", pa.int32()), ("start_s", pa.float64()),
         ("end_s", pa.float64()), ("text", pa.string()), ("words", ALIGNMENT), ("phones", ALIGNMENT),
         ("outcome", pa.string())]
    )  # fmt: skip
    rows = connection.cursor().execute(f"""
        SELECT dataset, id, start_s, end_s, audio.duration, text, words, phones, {divisible}
        FROM chosen
        WHERE NOT filtered AND audio IS NOT NULL AND video IS NULL AND more_media IS NULL
          AND least(coalesce(end_s, audio.duration), audio.duration) - coalesce(start_s, 0) > {longest_s}""")
    connection.register("windows_arrow", schema.empty_table())
    connection.execute("CREATE OR REPLACE TABLE windows AS SELECT * FROM windows_arrow")
    while batch := rows.fetchmany(_BATCH):
        made = [line for row in batch for line in _lines(row, longest_s)]
        connection.register("windows_arrow", pa.Table.from_pylist(made, schema=schema))
        connection.execute("INSERT INTO windows SELECT * FROM windows_arrow")
    connection.unregister("windows_arrow")


def _lines(row: tuple[Any, ...], longest_s: int) -> Iterator[dict[str, Any]]:
    dataset, sample, start_s, end_s, duration, text, words, phones, divisible = row
    line = {"dataset": dataset, "sample": sample}
    try:
        if not divisible or not (text or "").strip():
            raise NotDivisible("not_divisible")
        words = [word for word in words or () if (word["text"] or "").strip()]
        if not all(map(_has_times, words)):
            raise NotDivisible("no_word_times")
        span = start_s or 0.0, duration if end_s is None else min(end_s, duration)
        found = windows_of(words, start_s=span[0], end_s=span[1], longest_s=longest_s)
        texts = texts_of(text, words)
    except NotDivisible as reason:
        yield line | {"outcome": str(reason)}
        return
    phones = phones if phones and all(map(_has_times, phones)) else []
    for n, window in enumerate(found, 1):
        yield line | {
            "n": n,
            "start_s": window.start_s,
            "end_s": window.end_s,
            "text": "".join(texts[window.first : window.last]).strip(),
            "words": words[window.first : window.last],
            "phones": [phone for phone in phones if _is_in(phone, window)] or None,
        }  # fmt: skip
