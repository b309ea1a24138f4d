"""What there is to review: the predictions of a file, the rows of an export, or predictions beside their rows.

A row of an export alone is reviewed for what it says itself: its answer, and its chain of thought. Beside a prediction
its answer is the reference. A prediction is taken apart into chain and answer only where nothing is lost: what stands
in front of `</think>`, and what stands behind it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import UsageError, did_you_mean
from ...shards.exports.media_places import media_places
from ...shards.exports.versions import SAMPLE_ID
from ...shards.store.database import session
from ...shards.store.sql import identifier, quote
from ..data.exports import ExportReader
from ..evaluation.match import match_file
from ..evaluation.predictions import Prediction, read_predictions
from ..evaluation.references import ANSWERS, CHAINS, TURNS, Reference

QUESTIONS = ("question", "prompt", "query")
MEDIA = {
    "audio": "audio", "audio_path": "audio", "audio_feat": "audio", "audio_filepath": "audio", "audios": "audio",
    "video": "video", "videos": "video", "image": "image", "images": "image",
}  # fmt: skip
"""Column of a file of predictions -> the kind of its media."""

_THOUGHT = re.compile(r"\s*(?:<think>)?(?P<chain>(?:(?!</?think>).)*)</think>(?P<rest>(?:(?!</?think>).)*)", re.DOTALL)
_RESPONSE = re.compile(r"\s*<response>(?P<said>(?:(?!</?response>).)*)</response>\s*", re.DOTALL | re.IGNORECASE)

Row = Mapping[str, Any]
Media = tuple[tuple[str, str], ...]
"""Kind and path of each medium of a row, in order."""


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """One row as a reviewer sees it.

    Attributes:
        id: The row's id, `id#part` where a sample has several rows.
        sample: The id of its sample.
        media: Kind and path of each medium, in order.
        answer: What is judged.
        reference: What is right, where that is known apart from the answer.
        of: The model that answered; empty for the answers of an export.
        stratum: The value of the column that was asked for.
        where: File and line, or export and row, for messages.
    """

    id: str
    sample: str
    answer: str
    media: Media = ()
    question: str | None = None
    choices: tuple[str, ...] = ()
    reference: str | None = None
    chain: str | None = None
    of: str = ""
    stratum: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Everything that could be drawn: id -> stratum, and how the rows of some ids are read.

    Attributes:
        of: The model that answered, or all of them.
        without_prediction: Rows of the export that have none, or an error instead of one; they are not drawn.
        extra: Predictions that answer no row of the export; they are not drawn.
    """

    strata: Mapping[str, str]
    of: str
    predictions: Mapping[str, Prediction] = field(default_factory=dict)
    reader: ExportReader | None = None
    pred: Path | None = None
    without_prediction: Sequence[str] = ()
    extra: Sequence[str] = ()

    def read(self, ids: Sequence[str]) -> list[ReviewRow]:
        """The rows of these ids, in their order."""
        rows = {} if self.reader is None else dict(_rows_of(self.reader, ids))
        return [self._row(identity, *rows.get(identity, ({}, (), ""))) for identity in ids]

    def _row(self, identity: str, row: Row, media: Media, where: str) -> ReviewRow:
        prediction = self.predictions.get(identity)
        turns = _turns(row)
        question = _first_text(row, QUESTIONS) or _last_said(turns, "user")
        own = _first_text(row, ANSWERS) or _last_said(turns, "assistant")
        if prediction is None:
            chain, answer = chain_and_rest(own or "")
            return ReviewRow(
                identity, str(row.get(SAMPLE_ID, identity)), answer, media, question, _choices(row), None,
                _first_text(row, CHAINS) or chain, "", self.strata[identity], where,
            )  # fmt: skip
        fields = {**prediction.fields, "audio": prediction.audio, "gt": prediction.gt}
        chain, answer = chain_and_rest(prediction.prediction or "")
        return ReviewRow(
            id=identity,
            sample=str(row.get(SAMPLE_ID) or fields.get(SAMPLE_ID) or identity),
            answer=answer,
            media=media or _media_of(fields, self.pred.parent if self.pred else Path()),
            question=question or _first_text(fields, QUESTIONS),
            choices=_choices(row) or _choices(fields),
            reference=own if own is not None else _first_text(fields, ANSWERS),
            chain=_first_text(fields, (*CHAINS, "thinking_prediction")) or chain,
            of=str(prediction.fields.get("model") or ""),
            stratum=self.strata[identity],
            where=f"{self.pred}:{prediction.line}",
        )


def candidates_of(reader: ExportReader | None, pred: Path | None, *, by: str | None) -> Candidates:
    """Look at everything that could be drawn; rows are read when they are.

    Raises:
        UsageError: Rows or predictions cannot be told apart or matched, or no row has the column `by`.
    """
    if pred is None:
        assert reader is not None
        strata = _strata_of(reader, by)
        _check_column(by, strata.values(), _columns(reader), reader.version.reference)
        return Candidates({identity: stratum or "" for identity, stratum in strata.items()}, "", reader=reader)
    answers: dict[str, Prediction | None] = {}
    extra: Sequence[str] = ()
    columns: list[str] = []
    if reader is None:
        answers |= _by_name(pred)
        strata = dict.fromkeys(answers)
    else:
        strata = _strata_of(reader, by)
        matched = match_file(list(_references(reader)), pred)
        answers, extra = dict(zip(strata, matched.predictions, strict=True)), matched.extra
        columns = _columns(reader)
    kept = {name: each for name, each in answers.items() if each is not None and each.prediction is not None}
    strata = {name: strata[name] or _value(each, by) for name, each in kept.items()}
    columns += dict.fromkeys(name for each in kept.values() for name in each.fields)
    if kept:
        _check_column(by, strata.values(), columns, str(pred))
    return Candidates(
        {name: stratum or "" for name, stratum in strata.items()}, _model(kept.values()), kept, reader, pred,
        without_prediction=[name for name in answers if name not in kept], extra=extra,
    )  # fmt: skip


def chain_and_rest(text: str) -> tuple[str | None, str]:
    """Take an answer apart where that loses nothing: one `</think>`, with or without its beginning, and no other."""
    found = _THOUGHT.fullmatch(text)
    chain, rest = (found["chain"].strip(), found["rest"]) if found else (None, text)
    response = _RESPONSE.fullmatch(rest)
    return chain or None, (response["said"] if response else rest).strip()


def _by_name(pred: Path) -> dict[str, Prediction]:
    """The predictions of a file by the id of their row; else by the path of the clip, else by the line."""
    found: dict[str, Prediction] = {}
    for each in read_predictions(pred):
        name = each.id or each.audio or f"line {each.line}"
        if name in found:
            raise UsageError(
                f"{pred}:{each.line}: {name} has a prediction in line {found[name].line} already.",
                hint="give every row an id",
            )
        found[name] = each
    return found


def _strata_of(reader: ExportReader, by: str | None) -> dict[str, str | None]:
    """The ids of an export with the value of a column."""
    import pyarrow.parquet as pq

    names = _columns(reader)
    if "id" not in names:
        raise UsageError(f"{reader.version.reference}: its rows have no ids. Columns: {', '.join(names)}.")
    columns = dict.fromkeys(["id", *([by] if by in names and by is not None else [])])
    table = pq.read_table(reader.parquet, columns=[*columns])
    ids = table.column("id").to_pylist()
    values = table.column(by).to_pylist() if by in columns and by is not None else [None] * len(ids)
    return {identity: _word(value) for identity, value in zip(ids, values, strict=True)}


def _references(reader: ExportReader) -> Iterator[Reference]:
    """What tells which row a prediction is of."""
    names = [name for name in (*ANSWERS, "source") if name in _columns(reader)]
    for identity, media, values in _media_of_rows(reader, also=names):
        audio = next((path for kind, path in media if kind == "audio"), None)
        told = dict(zip(names, values, strict=True))
        known = {name: told[name] for name in ANSWERS if isinstance(told.get(name), str)}
        where = f"{reader.version.reference} {identity}"
        yield Reference(id=identity, audio=audio, answer="", source=told.get("source"), columns=known, where=where)


def _rows_of(reader: ExportReader, ids: Sequence[str]) -> Iterator[tuple[str, tuple[Row, Media, str]]]:
    media = {identity: named for identity, named, _ in _media_of_rows(reader, ids=ids)}
    for row in reader.rows(ids=ids):
        identity = str(row["id"])
        yield identity, (row, media[identity], f"{reader.version.reference} {identity}")


def _media_of_rows(
    reader: ExportReader, *, ids: Sequence[str] | None = None, also: Sequence[str] = ()
) -> Iterator[tuple[str, Media, list[Any]]]:
    """Ids and media of the rows of an export, named in columns, in parts of messages or in texts.

    Args:
        ids: The rows; default: all.
        also: Further columns.
    """
    source = f"read_parquet({quote(str(reader.parquet))}, file_row_number=true)"
    with session() as connection:
        types = {str(row[0]): str(row[1]) for row in connection.execute(f"DESCRIBE FROM {source}").fetchall()}
        lists = [(kind, sql) for place in media_places(types) for kind, sql in place.paths_by_kind().items()]
        columns = ", ".join(["id", *map(identifier, also), *(sql for _, sql in lists)])
        chosen = "" if ids is None else "WHERE id IN (SELECT unnest($1))"
        given = [] if ids is None else [[*ids]]
        rows = connection.execute(f"SELECT {columns} FROM {source} {chosen} ORDER BY file_row_number", given).fetchall()
    for identity, *values in rows:
        paths = values[len(also) :]
        named = [(kind, path) for (kind, _), listed in zip(lists, paths, strict=True) for path in listed or () if path]
        yield str(identity), tuple(dict.fromkeys(named)), values[: len(also)]


def _columns(reader: ExportReader) -> list[str]:
    import pyarrow.parquet as pq

    names: list[str] = pq.read_schema(reader.parquet).names
    return names


def _check_column(by: str | None, values: Iterable[str | None], columns: Sequence[str], where: str) -> None:
    if by is not None and not any(values):
        raise UsageError(
            f"--by {by}: no row of {where} has a value of it. Columns: {', '.join(columns)}.",
            hint=did_you_mean(by, columns),
        )


def _value(prediction: Prediction, by: str | None) -> str | None:
    if by is None:
        return None
    own = {"source": prediction.source, "gt": prediction.gt, "audio": prediction.audio, "error": prediction.error}
    return _word(own[by] if by in own else prediction.fields.get(by))


def _word(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _model(predictions: Iterable[Prediction]) -> str:
    """The model of a file of predictions, or of all of them if there are several."""
    names = dict.fromkeys(str(each.fields["model"]) for each in predictions if each.fields.get("model"))
    return ", ".join(names)


def _first_text(row: Row, columns: Sequence[str]) -> str | None:
    return next((row[name] for name in columns if isinstance(row.get(name), str) and row[name].strip()), None)


def _choices(row: Row) -> tuple[str, ...]:
    choices = row.get("choices")
    return tuple(map(str, choices)) if isinstance(choices, list) else ()


def _turns(row: Row) -> list[tuple[str, Any]]:
    """Role and content of each turn, whatever the trainer calls them."""
    roles = {"human": "user", "gpt": "assistant"}
    listed: list[Any] = next((row[name] for name in TURNS if isinstance(row.get(name), list)), [])
    turns = [(each.get("role", each.get("from")), each.get("content", each.get("value"))) for each in listed]
    return [(roles.get(role, str(role)), content) for role, content in turns]


def _last_said(turns: Sequence[tuple[str, Any]], role: str) -> str | None:
    said = [content for who, content in turns if who == role]
    if not said:
        return None
    if isinstance(said[-1], list):
        return "\n".join(str(part["text"]) for part in said[-1] if isinstance(part, dict) and part.get("text"))
    return str(said[-1])


def _media_of(fields: Row, folder: Path) -> Media:
    """Kind and path of each medium that a prediction names; a relative path is that of its file's folder."""
    named = [(kind, path) for column, kind in MEDIA.items() for path in _listed(fields.get(column))]
    return tuple(dict.fromkeys((kind, path if "://" in path else str(folder / path)) for kind, path in named))


def _listed(value: Any) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [each for each in listed if isinstance(each, str) and each]
