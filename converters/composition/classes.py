"""The fields by which samples are composed: columns, and classes of samples.

length          short: under `--bucket` seconds; long: the rest; none without a length
complexity      complex: with reasoning (the field, or `<think>` in the answer or a message), or with more than one
                turn of the user; simple: all others
question_kind   choice: with options to choose from; open: a question that has none; null where there is no question
speaker         the corpus's own, within its dataset
label           the labels, several as one value
task            the sample's, else the one that its fields show
COLUMN          any other column of text or numbers
extra.NAME      an entry of `extra`
"""

from __future__ import annotations

import re

from ...errors import UsageError, did_you_mean
from ...shards.store.sql import quote

LENGTH = "coalesce(end_s, audio.duration, video.duration) - coalesce(start_s, 0)"
"""SQL for the seconds of a sample."""

CLASSES = {
    "length": ("short", "long"),
    "complexity": ("simple", "complex"),
    "question_kind": ("open", "choice"),
}
_NAMES = {"label": "labels"}
_NO_VALUES = ("audio", "video", "image", "more_media", "messages", "words", "phones", "extra", "pulled_at", "id")
_EXTRA = re.compile(r"extra\.(.+)")

_COMPLEX = (
    "not_blank(reasoning) IS NOT NULL OR contains(answer, '<think>') OR "
    "len([m FOR m IN messages IF m.role = 'user']) > 1 OR "
    "len([m FOR m IN messages IF contains(m.content, '<think>')]) > 0"
)
_QUESTION = "not_blank(question) IS NOT NULL OR effective_task = 'qa'"


def check_field(name: str, *, flag: str) -> str:
    """Return the field of that name.

    Raises:
        UsageError: There is none.
    """
    from ...shards.sample import COLUMNS

    name = _NAMES.get(name, name)
    known = [*CLASSES, *(column for column in COLUMNS if column not in _NO_VALUES)]
    if name not in known and not _EXTRA.fullmatch(name):
        raise UsageError(
            f"{flag} {name!r}: there is no such field.",
            hint=did_you_mean(name, known) or f"fields: {', '.join(known)}, extra.NAME",
        )
    return name


def value_sql(field: str, *, bucket: float) -> str:
    """SQL over `chosen` for the value of a field, as text; null without one."""
    if field == "length":
        return f"CASE WHEN {LENGTH} < {bucket!r} THEN 'short' WHEN {LENGTH} IS NOT NULL THEN 'long' END"
    if field == "complexity":
        return f"CASE WHEN coalesce({_COMPLEX}, false) THEN 'complex' ELSE 'simple' END"
    if field == "question_kind":
        return f"CASE WHEN {_QUESTION} THEN CASE WHEN len(choices) > 0 THEN 'choice' ELSE 'open' END END"
    if field == "speaker":
        return "dataset || '/' || nullif(speaker, '')"
    if field == "task":
        return "effective_task"
    if field in ("choices", "captions", "labels"):
        return f"nullif(array_to_string(list_sort({field}), '|'), '')"
    if (match := _EXTRA.fullmatch(field)) is not None:
        return f"nullif(extra[{quote(match[1])}], '')"
    return f"nullif(\"{field}\"::VARCHAR, '')"
