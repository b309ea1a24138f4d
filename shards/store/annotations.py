"""Annotations: later facts about samples that override the values from the corpus.

A known key overrides the typed column of that name; an unknown key appears in `extra`. The values from the corpus stay
in the table and can be read as `samples_as_pulled`. The latest annotation of a key wins; one whose value is null clears
the key, so that the value from the corpus counts again.

Times of words and phones are those of a text. Once the text is corrected, those from before count no longer, unless
only case, spaces or punctuation changed: what was cut by them would have the words that the correction took out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from ...errors import UsageError
from ..sample import COLUMNS, SCHEMA
from ..vocabulary import NORMALIZED, UnknownWordError
from .sql import quote
from .tables import duckdb_type

TEXT_KEYS = (
    "text", "translation", "language", "target_language", "speaker", "task",
    "question", "answer", "reasoning", "chosen", "rejected",
)  # fmt: skip
JSON_KEYS = ("choices", "captions", "labels", "messages", "words", "phones")
NUMBER_KEYS = ("start_s", "end_s")
ALIGNMENT_KEYS = ("words", "phones")
KNOWN_KEYS = (*TEXT_KEYS, *JSON_KEYS, *NUMBER_KEYS)
ASSIGNED_SPLIT = "assigned_split"

REMEASURED_KEYS = ("text", "language", "start_s", "end_s", "captions")
"""An annotation with one of these keys makes the stored measurements of a sample stale."""

DECIDING_KEYS = (*(key for key in KNOWN_KEYS if key not in ALIGNMENT_KEYS), ASSIGNED_SPLIT)
"""An annotation with one of these keys makes the verdict on a sample stale; no rule reads alignments."""

LATEST = "arg_max({'value': value}, time).value"
"""SQL for the latest value of a key. A plain `arg_max` would skip the null that clears it and give the value before."""


COMPLETES = "completes"
"""Detail of a run that accounts for annotations of an earlier command, which was killed before its own account: the
first and the last time of these annotations, in microseconds."""


def unaccounted_sql(stage: str, time: str, *, dataset: str | None = None) -> str:
    """SQL for whether no run of a stage accounts for annotations of this time (SQL): they were written by a command
    that was killed before its account. It needs the view `runs`.

    Args:
        dataset: Whose runs count; default: those of any.
    """
    of_dataset = "" if dataset is None else f" AND dataset = {quote(dataset)}"
    first, last = (f"(details::JSON ->> '$.{COMPLETES}[{n}]')::BIGINT" for n in (0, 1))
    return (
        f"NOT EXISTS (SELECT 1 FROM runs WHERE stage = {quote(stage)}{of_dataset} AND ("
        f"(started_at <= {time} AND finished_at >= {time}) OR epoch_us({time}) BETWEEN {first} AND {last}))"
    )


def changed_sql(keys: Sequence[str], annotations: str = "annotations") -> str:
    """Return a SELECT of the samples (`dataset`, `id`) annotated with one of the keys, and when: `changed_at`."""
    listed = ", ".join(map(quote, keys))
    return (
        f"SELECT dataset, id, max(time) AS changed_at FROM {annotations} WHERE key IN ({listed}) GROUP BY dataset, id"
    )


def samples_sql(samples: str, *, keys: Collection[str]) -> str:
    """Return a SELECT of all sample columns and `assigned_split` over the relation `samples` (and `annotations`).

    Args:
        keys: Those that any annotation has. Each costs memory for every annotated sample, so the others are left out.
    """
    if not keys:
        return f"SELECT *, CAST(NULL AS VARCHAR) AS {ASSIGNED_SPLIT} FROM {samples}"
    known = [key for key in (*KNOWN_KEYS, ASSIGNED_SPLIT) if key in keys]
    columns = ", ".join(_column(name, known, has_others=set(keys) > set(known)) for name in COLUMNS)
    assigned = f"w.{ASSIGNED_SPLIT}" if ASSIGNED_SPLIT in known else "CAST(NULL AS VARCHAR)"
    return f"""
        WITH latest AS (
            SELECT dataset, id, key, {LATEST} AS value, max(time) AS time FROM annotations GROUP BY dataset, id, key
            HAVING {LATEST} IS NOT NULL
        ), wide AS ({_wide_sql(known, has_others=set(keys) > set(known))})
        SELECT {columns}, {assigned} AS {ASSIGNED_SPLIT}
        FROM {samples} s LEFT JOIN wide w ON s.dataset = w.dataset AND s.id = w.id
    """


def _wide_sql(known: Sequence[str], *, has_others: bool) -> str:
    """The latest annotations of each sample, one column per known key; the others in `extra`."""
    if len(known) == 1 and not has_others:
        return f'SELECT dataset, id, value AS "{known[0]}" FROM latest'
    picks = [f"max(value) FILTER (key = '{key}') AS \"{key}\"" for key in known]
    if "text" in known:
        timed = ("text", *(key for key in ALIGNMENT_KEYS if key in known))
        picks += [f"max(time) FILTER (key = '{key}') AS {key}_time" for key in timed]
    if has_others:
        listed = ", ".join(f"'{key}'" for key in (*KNOWN_KEYS, ASSIGNED_SPLIT))
        picks.append(f"map_from_entries(list((key, value) ORDER BY key) FILTER (key NOT IN ({listed}))) AS extra")
    return f"SELECT dataset, id, {', '.join(picks)} FROM latest GROUP BY dataset, id"


def _column(name: str, known: Collection[str], *, has_others: bool) -> str:
    if name == "extra" and has_others:
        return "CASE WHEN w.extra IS NULL THEN s.extra ELSE map_concat(coalesce(s.extra, MAP {}), w.extra) END AS extra"
    if name in ALIGNMENT_KEYS:
        return _alignment(name, known)
    if name not in known:
        return f's."{name}"'
    if name in TEXT_KEYS:
        return f'coalesce(w."{name}", s."{name}") AS "{name}"'
    return f'{_typed(name)} AS "{name}"'


def _typed(name: str) -> str:
    """SQL for the value of a column that is no text: that of an annotation, else the corpus's."""
    type_ = duckdb_type(SCHEMA.field(name).type)
    value = f'TRY_CAST(w."{name}" AS JSON)' if name in JSON_KEYS else f'w."{name}"'
    # Values are checked when they are written; one that cannot be cast must not break every query of the store.
    return f'coalesce(TRY_CAST({value} AS {type_}), s."{name}")'


def _alignment(name: str, known: Collection[str]) -> str:
    """The times of words or phones; null if they are those of a text that was corrected since."""
    own = f's."{name}"' if name not in known else _typed(name)
    if "text" not in known:
        return f'{own} AS "{name}"'
    kept = ["w.text IS NULL", f"{_letters('w.text')} = {_letters('s.text')}"]
    if name in known:
        kept.append(f"w.{name}_time > w.text_time")
        if "words" in known:  # of one file with both: the times are those of the new text
            spoken = f"array_to_string([i.text FOR i IN {_typed('words')}], '')"
            kept.append(f"w.{name} IS NOT NULL AND {_letters(spoken)} = {_letters('w.text')}")
    return f'CASE WHEN {" OR ".join(kept)} THEN {own} END AS "{name}"'


def _letters(text: str) -> str:
    """SQL: the letters and digits of a text, without case."""
    return f"regexp_replace(lower(nfc_normalize({text})), '[^\\pL\\pM\\pN]+', '', 'g')"


def check_value(key: str, value: str, *, where: str) -> str:
    """Return `value` as it is stored; known keys are typed, so a bad value fails here and not in a query."""
    if not key:
        raise UsageError(f"{where}: an annotation needs a key.", hint='triptych annotate ID text "the corrected text"')
    if key in NUMBER_KEYS:
        _check_seconds(key, value, where)
    if key in JSON_KEYS:
        _check_json(key, value, where)
    if key in COLUMNS and key not in KNOWN_KEYS:
        hint = "assign a split with the key assigned_split" if key == "split" else "import the corrected data instead"
        raise UsageError(f"{where}: {key!r} comes from the corpus and cannot be annotated.", hint=hint)
    if key in NORMALIZED:
        try:
            return NORMALIZED[key](value)
        except UnknownWordError as error:
            raise UsageError(f"{where}: {key}: expected {error.expected}, got {value!r}.", hint=error.hint) from None
    return value


def _check_seconds(key: str, value: str, where: str) -> None:
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0 and value.isascii() and "_" not in value):
        raise UsageError(f"{where}: {key} must be a number of seconds, got {value!r}.")


def _check_json(key: str, value: str, where: str) -> None:
    shape = {"words": _is_alignment, "phones": _is_alignment, "messages": _is_conversation}.get(key, _is_string_list)
    try:
        parsed = json.loads(value, parse_constant=_refuse_constant)
        # Later queries read the value with DuckDB, which rejects an unpaired surrogate; Python's parser accepts it.
        json.dumps(parsed, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where}: {key} must be JSON ({error}), got {value!r}.") from None
    if not shape(parsed):
        example = {
            "words": '[{"text": "hello", "start_s": 0.1, "end_s": 0.5}]',
            "phones": '[{"text": "h", "start_s": 0.1, "end_s": 0.2}]',
            "messages": '[{"role": "user", "content": "hello"}]',
        }.get(key, '["one", "two"]')
        raise UsageError(f"{where}: {key} has the wrong shape: {value!r}.", hint=f"for example {example}")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not valid JSON")


def _is_string_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_alignment(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, dict)
        and set(item) == {"text", "start_s", "end_s"}
        and isinstance(item["text"], str)
        and all(_is_seconds(item[side]) for side in ("start_s", "end_s"))
        for item in value
    )


def _is_seconds(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9


def _is_conversation(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(item, dict) and set(item) == {"role", "content"} and all(isinstance(v, str) for v in item.values())
        for item in value
    )


def annotation_row(
    sample: str, dataset: str, key: str, value: str | None, producer: str, time: datetime
) -> dict[str, Any]:
    """Build one row of the annotations table; a null value clears the key."""
    return {"id": sample, "dataset": dataset, "key": key, "value": value, "producer": producer, "time": time}
