"""Validators of the formats that consumers read: the problems of a row, and what the consumer does about them.

`validate_file` reads a file as the consumer would and yields findings; `summarise_file` counts them. `refused_shapes`
validates a whole export by the same rules: of a million rows it checks each distinct shape once.
A new format is a module with `TASKS`, `PROBLEMS`, `Rows`, `detect_task` and `shape`, and its line in `FORMATS`.

    findings.py       the findings of a validator
    files.py          the rows of a file: JSON Lines, a JSON array, Parquet
    other_format.py   files that are of another format than the one named
    unified.py        the unified format
    toolkits/         manifests and shards of speech toolkits and dataset libraries
    msswift.py        MS-SWIFT
    msswift_problems.py, msswift_rows.py, msswift_turns.py, msswift_rejected.py
                      what can be wrong for it, and how it reads columns, messages and the rejected side
    cot/              chains of thought
    evaluation/       rows that models are evaluated on
    calibration.py    rows on which experts are scored, and their order
    features.py       rows of acoustic features, and their shards
    predictions.py    the names under which files hold what a model answered
    preference.py     pairs of answers
    speech/           phones, and terms in speech
    conversation/     ShareGPT rows: Qwen2-Audio's, with the path inside the text, with all media
    llamafactory/     LLaMA-Factory: conversations, instructions, preference pairs
    messages/         messages for servers, for processors of transformers, for TRL
    mend.py           mended copies of files; mends.py, msswift_fixes.py: the mends of each format
    mend_texts.py     what to do about the problems of each format; msswift_mends.py: about those for MS-SWIFT
"""

from __future__ import annotations

import itertools
import json
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from ...errors import UsageError, did_you_mean
from ...shards.on_demand import modules
from ...shards.store.sql import identifier
from .files import read_rows
from .findings import Finding, Problem, Severity, Summary, finding
from .other_format import refuse_other_format

DETECT_FROM_ROWS = 100
"""Number of rows from which the task of a file is detected if none is given."""


class RowValidator(Protocol):
    """Validates the rows of one file, in order. If it has `begin(path)`, that is called first and yields findings of
    the whole file: of what stands beside it; if it has `end()`, that is called last: of what no row has."""

    def check(self, number: int, row: Mapping[str, Any]) -> Iterator[Finding]:
        """Yield the findings of one row."""


class Format(Protocol):
    """The members of a format's module.

    A format with files of another kind has their `SUFFIXES` as well, and `examine(path)`, which yields the findings of
    one by the number of the row, and with None those of the whole file.
    """

    TASKS: tuple[str, ...]
    PROBLEMS: dict[str, Problem]

    def Rows(self, *, task: str | None = None, files: bool = True) -> RowValidator: ...
    def detect_task(self, rows: Collection[Mapping[str, Any]]) -> str | None: ...
    def shape(self, columns: Mapping[str, str]) -> dict[str, str]: ...


FORMATS = modules(
    __name__,
    {
        "unified": "unified",
        "msswift": "msswift",
        "preference": "preference",
        "calibration": "calibration",
        "features": "features",
        "nemo": "toolkits.nemo",
        "kaldi": "toolkits.kaldi",
        "lhotse": "toolkits.lhotse",
        "webdataset": "toolkits.webdataset",
        "hf": "toolkits.embedded",
        "cot-messages": "cot.cot_messages",
        "cot-json": "cot.cot_json",
        "evaluation-list": "evaluation.evaluation_list",
        "evaluation-items": "evaluation.evaluation_items",
        "evaluation-chat": "evaluation.evaluation_chat",
        "challenge": "evaluation.challenge",
        "term-chunks": "speech.term_chunks",
        "phoneme": "speech.phoneme",
        "conversation-qwen2-audio": "conversation.qwen2_audio",
        "conversation-inline": "conversation.inline",
        "conversation-sharegpt": "conversation.sharegpt",
        "llamafactory-sharegpt": "llamafactory.sharegpt",
        "llamafactory-alpaca": "llamafactory.alpaca",
        "llamafactory-ranking": "llamafactory.ranking",
        "llamafactory-kto": "llamafactory.kto",
        "messages-openai": "messages.openai",
        "messages-hf": "messages.hf",
        "messages-trl": "messages.trl",
    },
)
"""Formats by name, that of the view and of its style where it has several: modules, imported when asked for."""


def validate_file(path: Path, format: str, *, task: str | None = None, files: bool = True) -> Iterator[Finding]:
    """Yield every finding of a file: JSON Lines, a JSON array or Parquet.

    Args:
        path: The file; read as a stream.
        format: A key of `FORMATS`.
        task: A task of the format (`sft`, `grpo`); detected from the first rows if None.
        files: Whether the media files must exist.

    Raises:
        UsageError: Unknown format or task, no such file, or an unsupported suffix.
    """
    for _, findings in _examine(path, _format(format, task), task, files, Summary(format, task)):
        yield from findings


def summarise_file(path: Path, format: str, *, task: str | None = None, files: bool = True) -> Summary:
    """Count the findings of a file and keep the first of every code; otherwise like `validate_file`."""
    summary = Summary(format, task)
    for number, findings in _examine(path, _format(format, task), task, files, summary):
        summary.add(findings, is_row=number is not None)
    return summary


def shape_sql(format: str, columns: Mapping[str, str], seen: Collection[str] = ()) -> str:
    """Return a DuckDB expression for a row's shape: a struct of everything that the format's rules look at.

    Rows of the same shape have the same findings, apart from values. The shape does not cover missing files or
    duplicate ids.

    Args:
        columns: Column name -> DuckDB type, of the relation.
        seen: Shapes (JSON) that many rows have, with which the expression may take less time.
    """
    fields = _format(format, None).shape(columns)
    if known := [json.loads(shape) for shape in seen]:
        from .messages.parts import json_shape

        for name in [name for name, sql in fields.items() if sql == json_shape(name)]:
            fields[name] = json_shape(name, sorted({shape[name] for shape in known if shape[name] is not None}))
    listed = ", ".join(f"{identifier(name)}: {sql}" for name, sql in fields.items())
    return f"{{{listed}}}"


def refused_shapes(format: str, task: str | None, shapes: Iterable[str]) -> dict[str, str]:
    """Return the shapes (JSON) whose rows the consumer would lose -> their first problem's code, as in `PROBLEMS`."""
    module = _format(format, task)
    order = list(module.PROBLEMS)
    refused = {}
    for shape in shapes:
        found = module.Rows(task=task, files=False).check(1, json.loads(shape))
        codes = [each.code for each in found if each.severity == "error"]
        if codes:
            refused[shape] = min(codes, key=order.index)
    return refused


def _format(name: str, task: str | None) -> Any:
    if name not in FORMATS:
        known = ", ".join(FORMATS)
        raise UsageError(f"Unknown format {name!r}. Formats: {known}.", hint=did_you_mean(name, FORMATS))
    if task is not None and task not in FORMATS[name].TASKS:
        known = ", ".join(FORMATS[name].TASKS) or "none"
        raise UsageError(f"The format {name!r} has no task {task!r}.", hint=f"its tasks: {known}")
    return FORMATS[name]


def _examine(
    path: Path, module: Any, task: str | None, files: bool, summary: Summary
) -> Iterator[tuple[int | None, list[Finding]]]:
    """Yield every row's number and findings; at the end, with the number None, those of the whole file."""
    if path.is_file() and path.name.lower().endswith(getattr(module, "SUFFIXES", ())):
        yield from module.examine(path)
        return
    rows = read_rows(path)
    first = list(itertools.islice(rows, DETECT_FROM_ROWS))
    known = [row for _, row in first if not isinstance(row, Finding)]
    refuse_other_format(path, summary.format, known)
    if task is None:
        task = module.detect_task(known)
        summary.task, summary.task_detected = task, task is not None
    rows = itertools.chain(first, rows)
    validator: RowValidator = module.Rows(task=task, files=files)
    if hasattr(validator, "begin"):
        yield None, list(validator.begin(path))
    ids = _Ids()
    for number, row in rows:
        if isinstance(row, Finding):
            yield number, [row]
            continue
        ids.add(number, row.get("id"))
        yield number, list(validator.check(number, row))
    if hasattr(validator, "end"):
        yield None, list(validator.end())
    repeated = ids.repeated(path, module.PROBLEMS)
    if repeated:
        yield None, repeated


class _Ids:
    """Finds duplicate ids with 16 bytes per row; the ids are only read again if some may be duplicates."""

    def __init__(self) -> None:
        self.hashes = array("q")
        self.numbers = array("q")

    def add(self, number: int, value: Any) -> None:
        if isinstance(value, str):
            self.hashes.append(hash(value))
            self.numbers.append(number)

    def repeated(self, path: Path, problems: Mapping[str, Problem]) -> list[Finding]:
        """Return one finding for every row whose id occurs in an earlier row."""
        import numpy as np

        hashes = np.frombuffer(self.hashes, np.int64) if self.hashes else np.empty(0, np.int64)
        order = np.argsort(hashes, kind="stable")
        again = hashes[order][1:] == hashes[order][:-1]
        if not again.any():
            return []
        suspects = {self.numbers[i] for i in order[1:][again]} | {self.numbers[i] for i in order[:-1][again]}
        first: dict[str, int] = {}
        findings = []
        for number, row in read_rows(path):
            if number not in suspects or isinstance(row, Finding):
                continue
            seen = first.setdefault(row["id"], number)
            if seen != number:
                detail = f"first in row {seen}"
                findings.append(finding(problems, "duplicate_id", number, detail=detail, column="id", value=row["id"]))
        return findings


__all__ = [
    "FORMATS", "Finding", "Format", "Problem", "RowValidator", "Severity", "Summary", "refused_shapes", "shape_sql",
    "summarise_file", "validate_file",
]  # fmt: skip
