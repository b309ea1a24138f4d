"""Reader for the JSON that aligners and recognisers write, one file per sample or recording, in seconds.

    {"tiers": {"words": {"entries": [[0.1, 0.4, "hello"]]}, "phones": ...}}             mfa --output_format json
    {"segments": [{"words": [{"word": "hello", "start": 0.1, "end": 0.4}]}]}             whisperX, whisper
    {"chunks": [{"text": "hello", "timestamp": [0.1, 0.4]}]}                             transformers, by words
    {"words": [{"word": "hello", "case": "success", "start": 0.1, "end": 0.4,
                "phones": [{"phone": "hh_B", "duration": 0.1}]}]}                        Gentle
    {"fragments": [{"begin": "0.100", "end": "0.400", "lines": ["hello"]}]}              aeneas, one word a fragment
    {"w": [{"t": "hello", "b": 0.1, "d": 0.3, "w": [{"t": "HH", "b": 0.1, "d": 0.1}]}]}  PocketSphinx
    {"words": [{"text": "hello", "start_s": 0.1, "end_s": 0.4}], "phones": [...]}        as the store keeps them

A word that its tool could not time is not left out: the file is refused (`untimed_word`), and so is one whose pieces
are sentences (`not_words`). Pauses without a name, and the fillers `<s>`, `<sil>` and `[NOISE]` of PocketSphinx, are no
words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any

from ....shards.json_objects import parse
from ...candidate import RawFile, Rejection, RowError
from .interval import PHONES, WORDS, Aligned, AlignmentContext, Interval
from .textgrid import tier_of

SUFFIX = ".json"

_SUFFIXES = (".phone", ".words", ".aligned")
"""What tools put between the name of a recording and `.json`."""
_STARTS, _ENDS = ("start", "start_s", "begin", "b"), ("end", "end_s")
_TEXTS = ("word", "text", "t")

Tiers = dict[str, list[Interval]]


def read(files: Iterable[RawFile], context: AlignmentContext) -> Iterator[Aligned | Rejection]:
    """One alignment per file, by the file's name."""
    for file in files:
        if (pointer := file.pointer()) is not None:
            yield Rejection(file.name, "pointer", f"{file.uri}: it is {pointer}", file.uri)
            continue
        try:
            tiers = _tiers(_document(file), context)
        except RowError as error:
            yield error.rejection(file.uri, candidate=file.name)
            continue
        yield Aligned(_names(file.name), file.uri, tiers)


def _names(name: str) -> tuple[str, ...]:
    stem = PurePosixPath(name).with_suffix("").as_posix()
    stems = [stem, *(stem.removesuffix(each) for each in _SUFFIXES)]
    return tuple(dict.fromkeys([*stems, *(PurePosixPath(each).name for each in stems)]))


def _document(file: RawFile) -> Any:
    try:
        return parse(file.read().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise RowError("not_utf8", f"{file.uri}: byte {error.start} is not UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise RowError("bad_json", f"{file.uri}: {error}") from None


def _tiers(document: Any, context: AlignmentContext) -> Tiers:
    for key, form in _FORMS.items():
        if isinstance(document, dict) and isinstance(document.get(key), dict | list):
            tiers = form(document, context)
            return {kind: _in_order(intervals) for kind, intervals in tiers.items() if intervals is not None}
    keys = ", ".join(map(repr, list(document)[:5])) if isinstance(document, dict) else type(document).__name__
    raise RowError("unknown_form", f"not the JSON of an aligner that is known ({keys}): expected {', '.join(_FORMS)}")


def _in_order(intervals: list[Interval]) -> list[Interval]:
    return sorted((each for each in intervals if each.text), key=lambda each: (each.start_s, each.end_s))


# ---- the forms


def _of_mfa(document: dict[str, Any], context: AlignmentContext) -> dict[str, list[Interval] | None]:
    tiers = [
        (str(name), [_entry(each) for each in _listed(tier.get("entries"), f"the tier {name!r}")])
        for name, tier in _mapping(document["tiers"], "tiers").items()
    ]
    return {WORDS: tier_of(tiers, WORDS, context.word_tier), PHONES: tier_of(tiers, PHONES, context.phone_tier)}


def _entry(entry: Any) -> Interval:
    if not isinstance(entry, list) or len(entry) < 3:
        raise RowError("bad_row", f"expected [start, end, text], got {entry!r:.80}")
    return _interval(entry[2], entry[0], entry[1])


def _of_whisper(document: dict[str, Any], context: AlignmentContext) -> Tiers:
    words = []
    for segment in _listed(document["segments"], "segments"):
        if "words" not in segment:
            raise RowError("not_words", "a segment has no words with times: run the tool with times of words")
        words += [_timed(word) for word in _listed(segment["words"], "words")]
    return {WORDS: words}


def _of_transformers(document: dict[str, Any], context: AlignmentContext) -> Tiers:
    words = []
    for chunk in _listed(document["chunks"], "chunks"):
        start, end = (chunk.get("timestamp") or (None, None))[:2]
        words.append(_one_word(_interval(chunk.get("text"), start, end)))
    return {WORDS: words}


def _of_aeneas(document: dict[str, Any], context: AlignmentContext) -> Tiers:
    return {WORDS: [_one_word(each) for each in _leaves(document["fragments"])]}


def _leaves(fragments: Any) -> Iterator[Interval]:
    for fragment in _listed(fragments, "fragments"):
        if fragment.get("children"):
            yield from _leaves(fragment["children"])
        else:
            text = " ".join(map(str, fragment.get("lines") or ()))
            yield _interval(text, fragment.get("begin"), fragment.get("end"))


def _of_pocketsphinx(document: dict[str, Any], context: AlignmentContext) -> Tiers:
    words = _listed(document["w"], "w")
    phones = [_by_length(phone) for word in words for phone in _listed(word.get("w") or [], "w")]
    spoken = [_by_length(word) for word in words if not str(word.get("t", "")).startswith(("<", "["))]
    return {WORDS: spoken} | ({PHONES: phones} if phones else {})


def _by_length(item: dict[str, Any]) -> Interval:
    text, _, variant = str(item.get("t", "")).rpartition("(")
    start = _seconds(item.get("b"), item)
    text = text if text and variant.rstrip(")").isdigit() else str(item.get("t", ""))
    return Interval(text, start, round(start + _seconds(item.get("d"), item), 9))


def _of_words(document: dict[str, Any], context: AlignmentContext) -> Tiers:
    """Gentle's form, or the store's own."""
    words = _listed(document["words"], "words")
    tiers: Tiers = {WORDS: [_timed(word) for word in words]}
    if "phones" in document:
        tiers[PHONES] = [_timed(phone) for phone in _listed(document["phones"], "phones")]
    elif any("phones" in word for word in words):
        tiers[PHONES] = [phone for word in words for phone in _phones_of(word)]
    return tiers


def _phones_of(word: dict[str, Any]) -> Iterator[Interval]:
    """Gentle's phones of a word, which follow one another; `hh_B` is `hh` at the beginning of a word."""
    start = _timed(word).start_s
    for phone in _listed(word.get("phones") or [], "phones"):
        end = round(start + _seconds(phone.get("duration"), phone), 9)
        name, mark, place = str(phone.get("phone", "")).rpartition("_")
        yield Interval(name if mark and place in ("B", "I", "E", "S") else str(phone.get("phone", "")), start, end)
        start = end


_FORMS: dict[str, Callable[[dict[str, Any], AlignmentContext], Any]] = {
    "tiers": _of_mfa,
    "segments": _of_whisper,
    "chunks": _of_transformers,
    "fragments": _of_aeneas,
    "w": _of_pocketsphinx,
    "words": _of_words,
}
"""The key that tells a form -> its reader."""


# ---- values


def _timed(item: dict[str, Any]) -> Interval:
    text, start, end = (next((item[key] for key in keys if key in item), None) for keys in (_TEXTS, _STARTS, _ENDS))
    return _interval(text, start, end, item.get("speaker"))


def _interval(text: Any, start: Any, end: Any, speaker: Any = None) -> Interval:
    text = " ".join(str("" if text is None else text).split())
    if start is None or end is None:
        raise RowError("untimed_word", f"{text!r} has no time: its aligner did not find it")
    return Interval(text, _seconds(start, text), _seconds(end, text), None if speaker is None else str(speaker))


def _one_word(interval: Interval) -> Interval:
    if " " in interval.text:
        detail = f"{interval.text[:60]!r} is more than one word: run the tool with times of words"
        raise RowError("not_words", detail)
    return interval


def _seconds(value: Any, where: Any) -> float:
    try:
        seconds = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        seconds = math.nan
    if not math.isfinite(seconds):
        raise RowError("bad_row", f"expected a number of seconds, got {value!r} in {where!r:.80}")
    return seconds


def _listed(value: Any, what: str) -> list[Any]:
    """A list of objects, or of MFA's entries."""
    if not isinstance(value, list) or not all(isinstance(each, dict | list) for each in value):
        raise RowError("bad_row", f"{what}: expected a list of objects, got {value!r:.80}")
    return value


def _mapping(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(each, dict) for each in value.values()):
        raise RowError("bad_row", f"{what}: expected an object of objects, got {value!r:.80}")
    return value
