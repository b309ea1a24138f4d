"""The chunks of one utterance: a term with its context, and parts that name no term.

A chunk never leaves its utterance: an utterance that is a span of a recording has neighbours that may be of another
split. Its text are the words that overlap it, also those that it or its utterance cuts; it is never estimated from a
sentence. Times of words count from the start of the file, those of a chunk's description from the start of the
utterance.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ....shards.terms import SILENCES, Match, Phrases, joined, plain

SHORTEST_S = 0.01
LONGEST_S = 30.0
"""What encoders hear of a clip; both bounds are allowed."""
NO_TERM_S = (0.5, 2.0)
"""A chunk without a term is as long as the context on both sides and so many seconds."""
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Word:
    """One spoken word, in seconds from the start of the file.

    Attributes:
        is_whole: It lies within its utterance; of any other a part is heard, so that it makes no chunk of its own.
    """

    text: str
    start: float
    end: float
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Utterance:
    """A sample with its words.

    Attributes:
        key: What random choices depend on: its id.
        start, end: Where it lies in its file.
    """

    key: str
    start: float
    end: float
    words: Sequence[Word]


@dataclass(slots=True)
class Chunk:
    """A part of an utterance.

    Attributes:
        part: Its name within the utterance: `term1`, `no_term_0`.
        start, end: Where it lies in the file.
        text: The words that overlap it.
        terms: The term that it was cut for; none if it names none.
        named: All terms whose words overlap it, also in part.
        span: Where the term lies in the file.
        outcome: Why it has no row.
    """

    part: str
    start: float
    end: float
    text: str
    words: list[Word]
    terms: list[str]
    named: list[str]
    span: tuple[float, float] | None = None
    outcome: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def words_of(items: Sequence[Mapping[str, Any]] | None, start: float, end: float) -> list[Word]:
    """The spoken words of an alignment that are heard in an utterance; silences and words without times are none."""
    found = []
    for item in items or ():
        text, first, last = item["text"], item["start_s"], item["end_s"]
        if text is None or first is None or last is None or text.strip().lower() in SILENCES or not plain(text):
            continue
        is_whole = first >= start - _SLACK and last <= end + _SLACK
        if min(last, end) - max(first, start) > (0.0 if is_whole else _SLACK):
            found.append(Word(text, max(first, start), min(last, end), is_whole))
    return sorted(found, key=lambda word: (word.start, word.end))


def unsure_word(items: Sequence[Mapping[str, Any]] | None, start: float, end: float) -> str | None:
    """Why nobody knows all words of an utterance: one is `<unk>`, or one between two others has no times.

    Chunks would not name what is heard in them, and hear terms that they must not. Tags such as `<noise>` are no words.
    """
    words = [item for item in items or () if plain(item["text"] or "") not in SILENCES or _is_unknown(item)]
    before: float = 0.0
    for number, item in enumerate(words):
        first, last = item["start_s"], item["end_s"]
        is_timed = first is not None and last is not None and last > first
        if is_timed:
            is_heard = min(last, end) - max(first, start) > _SLACK
        else:
            after = next((each["start_s"] for each in words[number + 1 :] if each["start_s"] is not None), end)
            is_heard = before < end and after > start
        if is_heard and not is_timed:
            return "untimed_word"
        if is_heard and _is_unknown(item):
            return "unknown_word"
        before = max(before, last or first or before)
    return None


def _is_unknown(item: Mapping[str, Any]) -> bool:
    """Whether an aligner wrote that a word is said which it does not know."""
    return (item["text"] or "").strip().lower() in ("<unk>", "[unk]", "<oov>")


_SLACK = 0.02
"""Alignments count in steps of 10 ms, files in samples: a last word may end so much later than its file."""


def chunks_of(
    utterance: Utterance, phrases: Phrases, *, context: float, no_term_share: float, first_only: bool = False
) -> list[Chunk]:
    """The chunks of an utterance, terms first; none if it names no term."""
    texts = [word.text for word in utterance.words]
    everywhere = phrases.all_in(texts)
    found = [match for match in phrases.longest_in(texts) if _is_whole(utterance, match)]
    chosen = list({match.label: match for match in reversed(found)}.values()) if first_only else found
    chunks = [
        _of_term(utterance, match, everywhere, number, context)
        for number, match in enumerate(sorted(chosen, key=lambda match: match.first), 1)
    ]
    if chunks and no_term_share > 0:
        wanted = max(1, int(len(chunks) * no_term_share))
        chunks += _without_terms(utterance, everywhere, wanted, context)
    return chunks


def _is_whole(utterance: Utterance, match: Match) -> bool:
    return all(word.is_whole for word in utterance.words[match.first : match.last + 1])


def _of_term(utterance: Utterance, match: Match, everywhere: Sequence[Match], number: int, context: float) -> Chunk:
    span = utterance.words[match.first].start, utterance.words[match.last].end
    asked = span[0] - context, span[1] + context
    chunk = _cut(utterance, f"term{number}", max(asked[0], utterance.start), min(asked[1], utterance.end), everywhere)
    chunk.terms, chunk.span = [match.label], span
    zero = utterance.start
    chunk.facts = {
        "term_start_time": _round(span[0] - zero), "term_end_time": _round(span[1] - zero),
        "term_start_time_abs": _round(span[0]), "term_end_time_abs": _round(span[1]),
        "term_duration": _round(span[1] - span[0]),
        "context_seconds": context,
        "actual_extended_start": _round(asked[0] - zero), "actual_extended_end": _round(asked[1] - zero),
    }  # fmt: skip
    return _with_extent(chunk, zero)


def _without_terms(utterance: Utterance, everywhere: Sequence[Match], wanted: int, context: float) -> Iterator[Chunk]:
    """At most one chunk from each gap between the terms and their context, around a word that lies in it."""
    draw = random.Random(int.from_bytes(hashlib.sha256(utterance.key.encode()).digest()[:8]))
    gaps = list(_gaps(utterance, everywhere, context))
    draw.shuffle(gaps)
    number = 0
    for low, high in gaps:
        if number == wanted:
            return
        room = high - low - 2 * context
        length = 2 * context + draw.uniform(NO_TERM_S[0], min(NO_TERM_S[1], room))
        inside = [word for word in utterance.words if word.is_whole and word.start >= low and word.end <= high]
        inside = [word for word in inside if word.end - word.start <= length]
        if room < NO_TERM_S[0] or not inside:
            continue
        word = draw.choice(inside)
        start = _round(draw.uniform(max(low, word.end - length), min(word.start, high - length)))
        chunk = _cut(utterance, f"no_term_{number}", start, min(_round(start + length), high), everywhere)
        zero = utterance.start
        chunk.facts = {
            "context_seconds": 0.0,
            "actual_extended_start": _round(chunk.start - zero), "actual_extended_end": _round(chunk.end - zero),
        }  # fmt: skip
        number += 1
        yield _with_extent(chunk, zero)


def _gaps(utterance: Utterance, everywhere: Sequence[Match], context: float) -> Iterator[tuple[float, float]]:
    """What lies outside every term with its context, and is long enough for a chunk."""
    words = utterance.words
    taken = sorted((words[match.first].start - context, words[match.last].end + context) for match in everywhere)
    low = utterance.start
    for start, end in [*taken, (utterance.end, utterance.end)]:
        if start - low >= 2 * context + NO_TERM_S[0]:
            yield low, start
        low = max(low, end)


def _cut(utterance: Utterance, part: str, start: float, end: float, everywhere: Sequence[Match]) -> Chunk:
    places = [number for number, word in enumerate(utterance.words) if word.start < end and word.end > start]
    words = [utterance.words[number] for number in places]
    seen = set(places)
    named = {match.label for match in everywhere if seen.issuperset(range(match.first, match.last + 1))}
    chunk = Chunk(part, start, end, joined(word.text for word in words), words, [], sorted(named))
    length = _round(end - start)
    if length > LONGEST_S:
        chunk.outcome = "longer_than_30_s"
    elif length < SHORTEST_S:
        chunk.outcome = "too_short"
    return chunk


def _with_extent(chunk: Chunk, zero: float) -> Chunk:
    chunk.facts |= {
        "extended_start_time": _round(chunk.start - zero), "extended_end_time": _round(chunk.end - zero),
        "extended_duration": _round(chunk.end - chunk.start),
    }  # fmt: skip
    return chunk


def _round(seconds: float) -> float:
    return round(seconds, _DIGITS)
