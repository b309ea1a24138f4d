"""Where questions come from: clips named on the command line, a prompt file, or a published export."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import UsageError
from ...shards.json_rows import read_object_rows
from ...shards.store.store import Store
from ...shards.store.use import using
from ..data.exports import ExportReader
from ..data.turns import with_sums
from .questions import Question
from .row_forms import question_of


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run asks.

    Attributes:
        questions: In order, with unique ids.
        export, export_sha256: The version that they come from, and the SHA-256 of its rows.
    """

    questions: tuple[Question, ...]
    export: str | None = None
    export_sha256: str | None = None


def clips(paths: Sequence[Path], prompt: str | None) -> Asked:
    """Ask about clips, each by itself."""
    found = (
        question_of({"audio": str(path)}, id=str(path), where=str(path), folder=Path(), prompt=prompt) for path in paths
    )
    return Asked(_unique(found))


def prompt_alone(prompt: str) -> Asked:
    """Ask one thing, without sound."""
    return Asked((question_of({"prompt": prompt}, id="1", where="--prompt", folder=Path()),))


def prompt_file(path: Path, prompt: str | None) -> Asked:
    """Ask what the rows of a file ask; a row without `id` is called by its line."""
    return Asked(_unique(_of_file(path, prompt)))


def _of_file(path: Path, prompt: str | None) -> Iterator[Question]:
    count = 0
    for line, row in read_object_rows(path):
        count += 1
        values = {name: value for name, value in row.items() if value is not None}
        identity = values.get("id", line)
        if not isinstance(identity, str | int) or isinstance(identity, bool):
            raise UsageError(f"{path}:{line}: column id: expected text, got {identity!r}.")
        yield question_of(values, id=str(identity), where=f"{path}:{line}", folder=path.parent, prompt=prompt)
    if not count:
        raise UsageError(f"{path}: there are no rows in it.")


def export(reference: str, store: str | Path | None, prompt: str | None) -> Asked:
    """Ask what the rows of a published version ask."""
    with using(Store.open(store), "infer") as opened:
        reader = ExportReader.open(reference, store=opened)
        where = reader.version.reference
        rows = list(reader.rows())
        if rows and "id" not in rows[0]:
            raise UsageError(
                f"{where}: its rows have no id.", hint="export the view evaluation, or one of conversations"
            )
        questions = _unique(
            question_of(row, id=str(row["id"]), where=f"{where} {row['id']}", folder=reader.version.path, prompt=prompt)
            for row in rows
        )
        known = (replace(each, turns=with_sums(each.turns, reader.linked)) for each in questions)
        return Asked(tuple(known), where, reader.content_sha256)


def _unique(questions: Iterator[Question]) -> tuple[Question, ...]:
    seen: dict[str, Question] = {}
    for question in questions:
        if question.id in seen:
            raise UsageError(
                f"{question.where}: the id {question.id!r} stands in {seen[question.id].where} already.",
                hint="answers are told apart by their id",
            )
        seen[question.id] = question
    return tuple(seen.values())
