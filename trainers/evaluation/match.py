"""Predictions beside what is right: by id, by the path of the clip, or by line.

Ids decide where both files have them: those of the rows, or those that the corpus itself gave (submissions to a
benchmark have these). Else paths do, of the file names if they were made under another folder; and the lines of two
files without either, which must be equally many. A prediction that was made for another reference than the row's (its
`gt`) is refused, and so are two predictions for one row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ...errors import UsageError
from ...validators.formats.predictions import COLUMNS
from ...validators.metrics.completion import chain_and_answer
from .predictions import Prediction, read_predictions
from .references import ANSWERS, Reference


@dataclass(frozen=True, slots=True)
class Matched:
    """The predictions of a file, each at the place of its row.

    Attributes:
        predictions: One for each reference; None where there is none.
        by: `id`, `audio`, `audio name` or `line`.
        extra: Those that belong to no row, by id, path or line.
    """

    predictions: tuple[Prediction | None, ...]
    by: str
    extra: tuple[str, ...]


def match_file(references: Sequence[Reference], path: Path) -> Matched:
    """The predictions of a file beside their rows.

    Raises:
        UsageError: They cannot be matched, or a prediction contradicts its row.
    """
    predictions = list(read_predictions(path))
    if not predictions:
        raise UsageError(f"{path}: there is no prediction in it.")
    by, places = _places(references, predictions, path)
    found: list[Prediction | None] = [None] * len(references)
    extra = []
    for prediction, place in zip(predictions, places, strict=True):
        if place is None:
            extra.append(prediction.id or prediction.audio or f"line {prediction.line}")
            continue
        other = found[place]
        if other is not None:
            raise UsageError(
                f"{path}:{prediction.line}: {references[place].where} has the prediction of line {other.line} already.",
                hint="keep one prediction for each row",
            )
        _agree(references[place], prediction, path)
        if by == "line":
            _agree_by_text(references[place], prediction, path)
        found[place] = prediction
    if len(extra) == len(predictions):
        raise UsageError(f"{path}: no prediction is of a row: {extra[0]!r} is not there.")
    return Matched(tuple(found), by, tuple(extra))


def _places(
    references: Sequence[Reference], predictions: Sequence[Prediction], path: Path
) -> tuple[str, list[int | None]]:
    """How predictions find their rows, and which row each is of."""
    ids, asked = [each.id for each in references], [each.id for each in predictions]
    if None not in ids and None not in asked:
        if {*ids}.isdisjoint(asked) and _has_all((own := [each.source_id for each in references]), asked):
            return "id in the corpus", _by(own, asked, references)
        return "id", _by(ids, asked, references)
    if all(each.audio for each in references) and all(each.audio for each in predictions):
        return _by_audio(references, predictions)
    if any(each.id is not None or each.audio is not None for each in predictions):
        raise UsageError(
            f"{path}: predictions and rows have neither ids nor paths of clips in common.",
            hint="give each prediction the id of its row",
        )
    if len(references) != len(predictions):
        raise UsageError(
            f"{path}: {len(predictions):,} predictions for {len(references):,} rows, and no ids to match them by.",
            hint="give each prediction the id of its row, or predict for every line",
        )
    return "line", list(range(len(predictions)))


def _has_all(own: Sequence[str | None], asked: Sequence[str | None]) -> bool:
    """Whether rows can be told apart by the ids of their corpus, and predictions are of such."""
    return None not in own and len({*own}) == len(own) and not {*own}.isdisjoint(asked)


def _by_audio(references: Sequence[Reference], predictions: Sequence[Prediction]) -> tuple[str, list[int | None]]:
    paths = [each.audio or "" for each in references]
    asked = [each.audio or "" for each in predictions]
    if set(paths) & set(asked):
        if len(set(paths)) < len(paths):
            # One clip is in several rows where a corpus is translated into several languages.
            paths = [f"{path}\n{row.source or ''}" for path, row in zip(paths, references, strict=True)]
            asked = [f"{path}\n{row.source or ''}" for path, row in zip(asked, predictions, strict=True)]
        return "audio", _by(paths, asked, references)
    names, asked_names = [_name(each) for each in paths], [_name(each) for each in asked]
    return "audio name", _by(names, asked_names, references)


def _name(path: str) -> str:
    return PurePosixPath(path.replace("\\", "/")).name


def _by(keys: Sequence[str | None], asked: Sequence[str | None], references: Sequence[Reference]) -> list[int | None]:
    place: dict[str | None, int] = {}
    for number, key in enumerate(keys):
        if key in place:
            shown = (key or "").replace("\n", ", source ")
            raise UsageError(
                f"{references[number].where}: {references[place[key]].where} has the clip {shown}, too: a path alone "
                "does not say which row a prediction is of.",
                hint="give each prediction the id of its row",
            )
        place[key] = number
    return [place.get(key) for key in asked]


def _agree(reference: Reference, prediction: Prediction, path: Path) -> None:
    """Refuse a prediction that was made for another reference, wherever the row has its answer."""
    if prediction.gt is None:
        return
    known = [reference.columns[name] for name in ("gt", *ANSWERS) if name in reference.columns]
    known = known[:1] if "gt" in reference.columns else [*known, *filter(None, [reference.answer])]
    if known and prediction.gt not in known and chain_and_answer(prediction.gt)[1] not in known:
        raise UsageError(
            f"{path}:{prediction.line}: column gt: made for the reference {prediction.gt!r}, but {reference.where} has "
            f"{known[0]!r}.",
            hint="predict again for these rows",
        )


def _agree_by_text(reference: Reference, prediction: Prediction, path: Path) -> None:
    """Refuse a line whose own `text`, beside its prediction, is not the reference: the lines are in another order."""
    text = prediction.fields.get(COLUMNS[-1])
    if isinstance(text, str) and _letters(text) != _letters(reference.answer):
        raise UsageError(
            f"{path}:{prediction.line}: column {COLUMNS[-1]}: made for the reference {text!r}, but {reference.where} "
            f"has {reference.answer!r}.",
            hint="give each prediction the id of its row",
        )


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def name_of(reference: Reference) -> str:
    """How a row is named in reports."""
    return reference.id or reference.audio or reference.where
