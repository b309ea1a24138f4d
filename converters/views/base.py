"""What a view is: one SELECT over the relation `prepared`, under a header that says the rest.

A view's file begins with a block of comments `-- key: value`, ended by a line that is not one:

    name           the view's name; the file's own by default
    revision       raised whenever the same samples would give other rows; `1` by default
    tasks          what `--task` takes; none by default
    order          `hash` or `id`; `hash` by default
    text           `raw` or `clean`; `clean` by default
    format         whose rules the rows are held against; without, paths and types alone are looked at
    media          columns that hold paths; by default those called like media (`audio`, `audios`, `video` ...)
    only TASK      columns that rows of that task alone have
    empty columns  `kept`, or `dropped` where no row fills a media column (the default)

What stands below the header is checked in `statement.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import UsageError
from ...shards.exports.versions import MEDIA_COLUMNS
from ...shards.sample import check_name
from ...validators.formats import FORMATS

ORDERS = ("hash", "id")
TEXTS = ("raw", "clean")
_KEYS = ("name", "revision", "tasks", "order", "text", "format", "media", "empty columns")
_LINE = re.compile(r"--\s*([a-z]+(?: [a-z]+)?)\s*:\s*(.*?)\s*")


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """Options that change the rows of a view; all of them are part of an export's identity.

    Attributes:
        task: `sft` or `grpo`, for views that have tasks.
        text: `raw`, what the corpus says, or `clean`: the corpus's habits undone.
        system: System message put before every conversation.
        user_template: What the user turn says; `{modality_tag}` and names of sample fields are filled in.
        allow_answer_in_prompt: Publish even where the user template holds the answer.
    """

    task: str | None = None
    text: str = "clean"
    system: str | None = None
    user_template: str | None = None
    allow_answer_in_prompt: bool = False


TrainCommand = Callable[[Path, ViewOptions, Collection[str]], str]


@dataclass(frozen=True, slots=True)
class View:
    """One consumer's format.

    Attributes:
        sql: The whole file.
        format: A key of `validators.formats.FORMATS`; None for a format that nobody here knows.
        media_columns: Columns that hold paths; None for those that are called like media.
        task_columns: Columns that rows of one task alone have, by task.
        train_command: The line to type next, from data file, options and the columns of the file.
        built_in: Whether the revision alone says what the rows are; of any other view the text does.
    """

    name: str
    sql: str
    revision: str = "1"
    tasks: tuple[str, ...] = ()
    order: str = "hash"
    text: str = "clean"
    format: str | None = None
    media_columns: tuple[str, ...] | None = None
    task_columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    keeps_empty_columns: bool = False
    train_command: TrainCommand | None = None
    built_in: bool = False

    @property
    def file_name(self) -> str:
        """What the view's file is called where it is kept."""
        return f"{self.name}.sql"

    def left_out(self, task: str | None) -> list[str]:
        """Columns that only rows of other tasks have."""
        return [column for other, columns in self.task_columns.items() if other != task for column in columns]


def make_view(sql: str, *, file: str, train_command: TrainCommand | None = None, built_in: bool = False) -> View:
    """A view from the text of its file; `file` is named in errors.

    Raises:
        UsageError: The header has a key or a value that it cannot have.
    """
    header = _read_header(sql, file)
    tasks = _words(header.pop("tasks", (0, "")))
    known: dict[str, tuple[str, ...]] = {task: _words(header.pop(f"only {task}", (0, ""))) for task in tasks}
    for key, (line, _) in header.items():
        if key not in _KEYS:
            raise UsageError(
                f"{file}, line {line}: the header has no key {key!r}.",
                hint=f"keys: {', '.join(_KEYS)}, only TASK; prose starts after a line `--` alone",
            )
    media = _words(header["media"]) if "media" in header else None
    for column in media or ():
        if column not in MEDIA_COLUMNS:
            raise UsageError(
                f"{file}, line {header['media'][0]}: {column!r} cannot be a media column: `exports relocate` and "
                f"`pack` move the paths of {', '.join(MEDIA_COLUMNS)}.",
                hint=f"call the column {MEDIA_COLUMNS[-1]!r}",
            )
    line, empty = header.get("empty columns", (0, "dropped"))
    _one_of(file, line, "empty columns", empty, ("kept", "dropped"))
    for key, values in (("order", ORDERS), ("text", TEXTS), ("format", tuple(FORMATS))):
        if key in header:
            _one_of(file, header[key][0], key, header[key][1], values)
    plain = {key: header[key][1] for key in ("revision", "order", "text", "format") if key in header}
    return View(
        check_name(header["name"][1] if "name" in header else Path(file).stem, what="view"),
        sql,
        tasks=tasks,
        media_columns=media,
        task_columns={task: columns for task, columns in known.items() if columns},
        keeps_empty_columns=empty == "kept",
        train_command=train_command,
        built_in=built_in,
        **plain,
    )


def _read_header(sql: str, file: str) -> dict[str, tuple[int, str]]:
    """Key -> line and value, of the `-- key: value` lines that the file begins with."""
    found: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(sql.splitlines(), 1):
        match = _LINE.fullmatch(line.strip())
        if match is None:
            break
        key, value = match.groups()
        if key in found:
            raise UsageError(f"{file}, line {number}: the header says {key!r} twice.")
        if not value:
            raise UsageError(f"{file}, line {number}: the header gives {key!r} no value.")
        found[key] = (number, value)
    return found


def _words(entry: tuple[int, str]) -> tuple[str, ...]:
    return tuple(word.strip() for word in entry[1].split(",") if word.strip())


def _one_of(file: str, line: int, key: str, value: str, allowed: Collection[str]) -> None:
    if value not in allowed:
        raise UsageError(f"{file}, line {line}: {key} is {' or '.join(allowed)}, not {value!r}.")


def check_task(view: View, task: str | None) -> str | None:
    """The task of an export, checked against what the view knows."""
    if not view.tasks:
        if task is not None:
            raise UsageError(f"the view {view.name!r} has no tasks: leave --task out.")
        return None
    if task is None:
        raise UsageError(
            f"the view {view.name!r} needs --task: {' or '.join(view.tasks)}.",
            hint=f"triptych export {view.name} --task {view.tasks[0]}",
        )
    if task not in view.tasks:
        raise UsageError(f"the view {view.name!r} has no task {task!r}: it has {', '.join(view.tasks)}.")
    return task
