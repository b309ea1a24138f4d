"""What is right: the rows of an export, or of a file, each with its answer and what scoring must know of it.

An answer stands in `gt` (Qwen2-Audio's lists), `solution` (rows for rewards), `answer`, `answer_gt` (MMSU),
`reference`, `text` or `transcript`, `translation`, `caption`, `output` (Alpaca), or in the last turn of the assistant
in `messages` or `conversations`; the first that is there counts. A chain of thought stands in `cot`, `reasoning` or
`thinking`, or in front of the answer itself. Two of `text` and `translation` need the task. A text file has one answer
a line.

Task and language are those of the row; else of the prompt, as Qwen2-Audio's lists have it; else of the sample that a
row of an export is of; else those that the caller names for rows that have none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...shards.exports.versions import SAMPLE_ID
from ...shards.json_rows import read_object_rows
from ...shards.query import connect
from ...shards.store.sql import identifier
from ...shards.store.store import Store
from ...shards.vocabulary import UnknownWordError, as_language, as_task
from ...validators.formats.predictions import audio_column
from ...validators.metrics.completion import chain_and_answer
from ..benchmarks.protocols import TASK_NAME
from ..benchmarks.protocols import columns_of as columns_of_benchmark
from ..data.exports import ExportReader
from .predictions import shown
from .text_lines import is_text, read_texts

ANSWERS = (
    "gt",
    "solution",
    "answer",
    "answer_gt",
    "reference",
    "text",
    "transcript",
    "translation",
    "caption",
    "output",
)
"""Columns of the answer, in order of preference."""
CHAINS = ("cot", "reasoning", "thinking")
RUBRIC, DESCRIPTION = "rubric", "meta_info"
"""What a judge must know: the points of an item of MMAR, the description of a sound of AIR-Bench."""
TURNS = ("messages", "conversations")
_TASKS = {"text": "asr", "transcript": "asr", "translation": "s2tt", "caption": "captioning"}
"""What a column of answers says of the task."""
_VIEWS = {"phoneme": "phoneme"}
"""What a view asks for, whatever the task of its samples."""
_LIST_TASKS = (
    ("recognize the speech", "asr"), ("translate the speech", "s2tt"), ("recognize the emotion", "ser"),
    ("classify the human vocal sound", "vsc"),
)  # fmt: skip
"""What prompts of Qwen2-Audio's lists ask for."""
_TAG = re.compile(r"<\|([a-z]{2,3})\|>")
_TARGET = re.compile(r"translate the speech into ([A-Za-z]+)", re.IGNORECASE)
_LANGUAGES = {
    "mandarin": "zh", "chinese": "zh", "english": "en", "german": "de", "japanese": "ja", "french": "fr",
    "spanish": "es", "italian": "it",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What is true of rows that do not say it themselves."""

    task: str | None = None
    language: str | None = None
    target_language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One row.

    Attributes:
        id: Its id; None in files without ids.
        source_id: The id that its corpus gave to its sample, where it is known.
        audio: The path of its clip.
        answer: What is right.
        chain: Its chain of thought, None if it has none.
        task, language, target_language, source, question, choices: As far as the row, its prompt or its sample say so.
        columns: Every scalar field of the row, as text, and those of its sample that were asked for.
        where: Where it stands, for messages.
    """

    id: str | None = None
    source_id: str | None = None
    audio: str | None = None
    answer: str
    chain: str | None = None
    task: str | None = None
    language: str | None = None
    target_language: str | None = None
    source: str | None = None
    question: str | None = None
    choices: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    where: str


def read_gold(path: Path, given: Given) -> list[Reference]:
    """The rows of a file.

    Raises:
        UsageError: There is no such file, a row has no answer, or two have one id.
    """
    if is_text(path):
        return [
            Reference(answer=text, where=f"{path}:{line}", task=given.task, language=given.language,
                      target_language=given.target_language)
            for line, text in read_texts(path)
        ]  # fmt: skip
    return _unique(_reference(f"{path}:{line}", row, {}, given) for line, row in read_object_rows(path))


def read_export(
    reader: ExportReader, store: Store, given: Given, columns: Iterable[str], *, judged: bool = False
) -> list[Reference]:
    """The rows of an export, with these columns of their samples where a row does not have them.

    Args:
        judged: Whether a judge scores the responses; the rows of a chat then have the answers of their samples.

    Raises:
        UsageError: A row has no answer; or a chat is compared, which can only be judged.
    """
    manifest = reader.version.manifest
    rows = list(reader.rows())
    if is_chat(reader) and not judged:
        raise UsageError(
            f"{reader.version.reference} is a chat: its rows have no reference, a judge scores the responses.",
            hint="add --judge URL --judge-model NAME; --style items (or list) of the view has references",
        )
    samples = _samples(store, [_sample_id(row) for row in rows], columns)
    if is_chat(reader):
        rows = [{**row, **_answered(samples.get(_sample_id(row), {}))} for row in rows]
    told = {"task": _VIEWS[manifest["view"]]} if manifest.get("view") in _VIEWS else {}
    return _unique(
        _reference(f"{reader.version.reference} row {number}", row, {**samples.get(_sample_id(row), {}), **told}, given)
        for number, row in enumerate(rows, start=1)
    )


def is_chat(reader: ExportReader) -> bool:
    """Whether the rows of an export only ask."""
    return reader.version.manifest.get("style") == "chat"


def _answered(sample: Mapping[str, Any]) -> dict[str, Any]:
    """What the sample of a row that only asks says of its answer."""
    told = {"question": sample.get("question"), "answer": sample.get("answer"), "source": sample.get("dataset")}
    return {name: value for name, value in told.items() if value is not None}


def _sample_id(row: Mapping[str, Any]) -> str:
    return str(row.get(SAMPLE_ID) or row.get("id") or "")


_OF_SAMPLES = (
    "task", "language", "target_language", "dataset", "config", "split", "labels", "question", "answer",
    TASK_NAME, RUBRIC, DESCRIPTION,
)  # fmt: skip
_TOLD = ("task", "language", "target_language", TASK_NAME, RUBRIC, DESCRIPTION)
"""Those that a row has as its columns."""


def _samples(store: Store, ids: list[str], columns: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What the store says of samples, by id; a column that samples do not have is looked for in `extra`."""
    import pyarrow as pa

    wanted = pa.table({"id": pa.array(sorted({each for each in ids if each}), pa.string())})
    with connect(store) as connection:
        connection.register("wanted", wanted)
        there = {row[0] for row in connection.execute("DESCRIBE SELECT * FROM samples").fetchall()}
        names = list(dict.fromkeys((*_OF_SAMPLES, *columns)))
        taken = [identifier(name) if name in there else "extra[?]" for name in names]
        values = [name.removeprefix("extra.") for name in names if name not in there]
        sql = f"SELECT id, {', '.join(taken)} FROM samples SEMI JOIN wanted USING (id)"
        found = connection.execute(sql, values).fetchall()
    return {str(row[0]): dict(zip(("id", *names), row, strict=True)) for row in found}


def _reference(where: str, row: Mapping[str, Any], sample: Mapping[str, Any], given: Given) -> Reference:
    told = _told(row, sample, given)
    column, text = _answer(row, told["task"], where)
    chain, answer = chain_and_answer(text)
    for name in CHAINS:
        if chain is None and isinstance(row.get(name), str) and row[name].strip():
            chain = row[name]
    path = audio_column(row)
    choices = row.get("choices")
    if choices is not None and not (isinstance(choices, list) and all(isinstance(each, str) for each in choices)):
        raise UsageError(f"{where}: column choices: expected a list of texts, got {shown(choices)}.")
    audio = row.get(path) if path else None
    scalars = {name: str(value) for name, value in row.items() if isinstance(value, str | int | float)}
    if isinstance(row.get(RUBRIC), list):
        scalars[RUBRIC] = json.dumps(row[RUBRIC], ensure_ascii=False)
    facts = columns_of_benchmark(sample) | {
        name: str(value) for name, value in sample.items()
        if value is not None and name != "id" and (name in _TOLD or name not in _OF_SAMPLES)
    }  # fmt: skip
    return Reference(
        id=None if row.get("id") is None else str(row["id"]), source_id=_source_id(sample),
        audio=audio if isinstance(audio, str) else next(iter(row.get("audios") or ()), None),
        answer=answer, chain=chain, source=_text(row.get("source")), question=_text(row.get("question")),
        choices=tuple(choices or ()), where=where, columns={**facts, **scalars},
        **{**told, "task": told["task"] or _TASKS.get(column)},
    )  # fmt: skip


def _source_id(sample: Mapping[str, Any]) -> str | None:
    """The id of a sample without its data set, its part of it and its split."""
    place = "/".join(value for name in ("dataset", "config", "split") if (value := sample.get(name)))
    id = str(sample.get("id") or "")
    return id.removeprefix(f"{place}/") if place and id.startswith(f"{place}/") else None


def _told(row: Mapping[str, Any], sample: Mapping[str, Any], given: Given) -> dict[str, str | None]:
    """Task and languages of a row."""
    prompt = _text(row.get("prompt")) or ""
    task = next((task for words, task in _LIST_TASKS if words in prompt.lower()), None)
    spoken, target = _TAG.search(prompt), _TARGET.search(prompt)
    asked = {
        "task": task,
        "language": spoken[1] if spoken else None,
        "target_language": _LANGUAGES.get(target[1].lower()) if target else None,
    }
    return {
        name: _word(name, _text(row.get(name)) or value or _text(sample.get(name)) or getattr(given, name))
        for name, value in asked.items()
    }


def _word(name: str, value: str | None) -> str | None:
    """A task or language as it is named here (`English` is `en`); a value that is neither stays as it is."""
    if value is None:
        return None
    try:
        return as_task(value) if name == "task" else as_language(value)
    except UnknownWordError:
        return value


def _answer(row: Mapping[str, Any], task: str | None, where: str) -> tuple[str, str]:
    """The column of the answer, and the answer."""
    there = [name for name in ANSWERS if row.get(name) is not None]
    if "text" in there and "translation" in there and there[0] in ("text", "translation"):
        if task not in ("asr", "s2tt"):
            raise UsageError(f"{where}: it has a text and a translation.", hint="--task asr or --task s2tt says which")
        there = ["translation" if task == "s2tt" else "text"]
    if there:
        value = row[there[0]]
        if isinstance(value, int | float) and not isinstance(value, bool) and not row.get("choices"):
            value = str(value)
        if not isinstance(value, str):
            raise UsageError(f"{where}: column {there[0]}: expected text, got {shown(value)}.")
        return there[0], value
    for name in TURNS:
        if isinstance(turns := row.get(name), list) and (said := _last_answer(turns)) is not None:
            return name, said
    raise UsageError(
        f"{where}: no answer among the columns {', '.join(row)}.",
        hint=f"an answer stands in {', '.join(ANSWERS)}, or in the last turn of messages",
    )


def _last_answer(turns: list[Any]) -> str | None:
    last = turns[-1] if turns and isinstance(turns[-1], dict) else {}
    role, said = last.get("role", last.get("from")), last.get("content", last.get("value"))
    return said if role in ("assistant", "gpt") and isinstance(said, str) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _unique(references: Iterable[Reference]) -> list[Reference]:
    """Refuse two rows of one id, and rows without one among others."""
    found = list(references)
    seen: dict[str, str] = {}
    for each in found:
        if each.id is not None:
            if each.id in seen:
                raise UsageError(f"{each.where}: column id: {each.id!r} stands in {seen[each.id]} already.")
            seen[each.id] = each.where
    if 0 < len(seen) < len(found):
        lacking = next(each for each in found if each.id is None)
        raise UsageError(f"{lacking.where}: column id: other rows have one.")
    return found


def columns_of(references: Iterable[Reference]) -> Iterator[str]:
    """The names of all columns of these rows."""
    yield from dict.fromkeys(name for each in references for name in each.columns)
