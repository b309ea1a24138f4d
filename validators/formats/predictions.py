"""The names under which files of predictions hold what a model answered; all that read such files share them.

`prediction` is our own. Qwen2-Audio's scripts write `response`, NeMo `pred_text`, the toolkits of speech recognition
`hypothesis`, the Audio Reasoning Challenge `answer_prediction`. `text` is the last: where another of them stands beside
it, `text` is the reference. Where one stands beside it that only looks like a prediction (`pred`, `output`), nobody can
say which of the two is, and a reference that is scored as a prediction would be perfect.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

COLUMNS = ("prediction", "predicted", "response", "pred_text", "hypothesis", "answer_prediction", "text")
"""Names of the column of a prediction, in order of preference."""

_LIKE = re.compile(r"pred|hyp|generat|output|transcri|decoded|recogni[sz]ed|asr")

AUDIO_COLUMNS = ("audio", "audio_path", "audio_filepath")
"""Names of the column with the path of the clip, in order of preference."""


def prediction_column(names: Iterable[str]) -> str | None:
    """The column of the prediction among these; None if there is none."""
    return _first(COLUMNS, names)


def unsure_of(column: str | None, names: Iterable[str]) -> str | None:
    """The column that may hold the predictions in place of `text`; None if there is none."""
    if column != COLUMNS[-1]:
        return None
    return next((name for name in names if name not in (column, "predictions") and _LIKE.search(name.lower())), None)


def audio_column(names: Iterable[str]) -> str | None:
    """The column of the clip's path among these; None if there is none."""
    return _first(AUDIO_COLUMNS, names)


def _first(wanted: tuple[str, ...], names: Iterable[str]) -> str | None:
    there = set(names)
    return next((name for name in wanted if name in there), None)
