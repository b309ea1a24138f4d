"""Phones as conversations: the prompt beside the sound, then the phones, separated by spaces.

A row has `conversations` of two turns. The first is `<audio>` and a prompt, with the path in `audio`, or holds the
path: `<audio>/path.wav</audio>prompt`. The second are the phones. `phone_set` says of which set they are (39, 48, 61 or
own), `seconds` how long the sound is. Readers build the vocabulary from the second turns of all rows: a word among the
phones becomes a phone.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ....shards.phones import BOUNDARY, OWN, PHONES
from ....shards.store.sql import quote
from ..findings import Finding, Problem, finding
from ..mend_texts import with_mends
from ..unified import is_file, path_shape

TASKS: tuple[str, ...] = ()
MOST_A_SECOND = 40
"""Phones are at least a frame or two long; speech has 10 to 20 in a second, closures counted."""
FEWEST_A_SECOND = 0.5

_SKIPS = "the reader skips the row without a word"

PROBLEMS = {
    "duplicate_id": Problem("load", "warning", "duplicate id", "rows cannot be distinguished"),
    "bad_turns": Problem("read", "error", "not two turns with `from` and `value`, both texts", "the reader stops"),
    "no_sound": Problem("read", "error", "no sound: neither `audio` with one <audio> nor a path in the turn", _SKIPS),
    "no_prompt": Problem("read", "warning", "no prompt beside the sound", "the reader asks a prompt of its own"),
    "no_phones": Problem("train", "error", "no phones", "the model learns to say nothing"),
    "unknown_phone": Problem(
        "train", "error", "not of the phone set", "it becomes a token of its own, and scores never match it"
    ),
    "misplaced_boundary": Problem(
        "train", "error", "a word boundary at the start, the end, or beside another", "an empty word is learned"
    ),
    "too_many_phones": Problem(
        "train", "error", f"more than {MOST_A_SECOND} phones in a second", "they are of another sound"
    ),
    "few_phones": Problem("train", "warning", f"fewer than one phone in {1 / FEWEST_A_SECOND:g} seconds", ""),
    "unknown_set": Problem("score", "warning", "no phone set", "scores cannot be folded"),
    "missing_file": Problem("train", "error", "no such file", "training stops there"),
    "relative_path": Problem("train", "warning", "not an absolute path", "it is resolved from where training starts"),
}
PROBLEMS = with_mends("phoneme", PROBLEMS)

_INLINE = re.compile("<audio>(.*?)</audio>")


class Rows:
    """Validates rows one by one."""

    def __init__(self, *, task: str | None = None, files: bool = True) -> None:
        self.files = files

    def check(self, number: int, row: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield the findings of one row."""
        turns = _turns(row.get("conversations"))
        if turns is None:
            yield finding(PROBLEMS, "bad_turns", number, column="conversations", value=row.get("conversations"))
            return
        yield from self._question(number, row, turns[0])
        yield from _answer(number, row, turns[1])

    def _question(self, number: int, row: Mapping[str, Any], text: str) -> Iterator[Finding]:
        inline = _INLINE.search(text)
        path = inline[1].strip() if inline else row.get("audio")
        prompt = _INLINE.sub("", text) if inline else text.replace("<audio>", "", 1)
        if not isinstance(path, str) or not path or (inline is None and text.count("<audio>") != 1):
            yield finding(PROBLEMS, "no_sound", number, column="conversations", value=text)
        else:
            column = "conversations" if inline else "audio"
            if not path.startswith("/"):
                yield finding(PROBLEMS, "relative_path", number, column=column, value=path)
            if self.files and not is_file(path):
                yield finding(PROBLEMS, "missing_file", number, column=column, value=path)
        if not prompt.strip():
            yield finding(PROBLEMS, "no_prompt", number, column="conversations", value=text)


def _turns(value: Any) -> list[str] | None:
    """The texts of both turns."""
    if not isinstance(value, list) or len(value) != 2:
        return None
    turns = [turn for turn in value if isinstance(turn, Mapping) and isinstance(turn.get("from"), str)]
    texts = [turn["value"] for turn in turns if isinstance(turn.get("value"), str)]
    return texts if len(texts) == 2 else None


def _answer(number: int, row: Mapping[str, Any], text: str) -> Iterator[Finding]:
    phones, name = text.split(), row.get("phone_set")
    said = [phone for phone in phones if phone != BOUNDARY]
    if not said:
        yield finding(PROBLEMS, "no_phones", number, column="conversations", value=text)
        return
    if name not in (*PHONES, OWN):
        yield finding(PROBLEMS, "unknown_set", number, column="phone_set", value=name)
    elif name != OWN and (foreign := [phone for phone in said if phone not in PHONES[name]]):
        yield finding(PROBLEMS, "unknown_phone", number, detail=f"{foreign[0]!r}, of {name}", column="conversations",
                      value=text)  # fmt: skip
    if BOUNDARY in (phones[0], phones[-1]) or f"{BOUNDARY} {BOUNDARY}" in " ".join(phones):
        yield finding(PROBLEMS, "misplaced_boundary", number, column="conversations", value=text)
    seconds = row.get("seconds")
    if isinstance(seconds, int | float) and seconds > 0:
        if len(said) > MOST_A_SECOND * seconds:
            detail = f"{len(said)} in {seconds:g} s"
            yield finding(PROBLEMS, "too_many_phones", number, detail=detail, column="conversations", value=text)
        elif len(said) < FEWEST_A_SECOND * seconds:
            detail = f"{len(said)} in {seconds:g} s"
            yield finding(PROBLEMS, "few_phones", number, detail=detail, column="conversations", value=text)


def detect_task(rows: Collection[Mapping[str, Any]]) -> str | None:
    """Return None: the format has no tasks."""
    return None


def shape(columns: Mapping[str, str]) -> dict[str, str]:
    """Return what the findings of a row depend on; phones that are all of their set are one shape."""
    if "conversations" not in columns:
        return {}
    answer, prompt = 'conversations[2]."value"', 'conversations[1]."value"'
    said = f"list_filter(string_split({answer}, ' '), lambda p: p <> {quote(BOUNDARY)})"
    sets = " ".join(
        f"WHEN {quote(name)} THEN [{', '.join(map(quote, sorted(phones)))}]" for name, phones in PHONES.items()
    )
    good = (
        f"len({said}) > 0 AND (phone_set = 'own' OR list_has_all(CASE phone_set {sets} END, {said})) "
        f"AND NOT regexp_matches({answer}, '^\\||\\|$|\\| \\|') "
        f"AND (seconds IS NULL OR seconds <= 0 OR len({said}) BETWEEN {FEWEST_A_SECOND} * seconds "
        f"AND {MOST_A_SECOND} * seconds)"
    )
    asked = (
        f"CASE WHEN regexp_full_match({prompt}, '<audio>\\n[^<>\\s][^<>]*') THEN '<audio>x' "
        f"WHEN regexp_full_match({prompt}, '<audio>/[^<>]+</audio>[^<>\\s][^<>]*') THEN '<audio>/x</audio>x' "
        f"ELSE {prompt} END"
    )
    found = {
        "conversations": f"CASE WHEN len(conversations) = 2 AND {answer} IS NOT NULL AND {prompt} IS NOT NULL "
        f"THEN [{{'from': 'x', 'value': {asked}}}, {{'from': 'x', 'value': CASE WHEN {good} THEN 'sil' "
        f"ELSE {answer} END}}] END",
    }
    if "audio" in columns:
        found["audio"] = path_shape("audio")
    if "phone_set" in columns and "seconds" in columns:
        found["phone_set"] = f"CASE WHEN {good} THEN 'own' ELSE phone_set END"
        found["seconds"] = f"CASE WHEN {good} THEN 1.0 ELSE seconds END"
    return found
