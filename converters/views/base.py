"""What a view is: a pure function from samples to the rows of a consumer's format.

A view says its rows twice: as a DuckDB expression over the relation `prepared` (a million rows in seconds, memory
flat), and as a plain function of one sample for tests and readers of the code; a test holds the two equal.

`prepared` has every column of the sample plus:
    image_paths, video_paths, audio_paths   VARCHAR[], final paths in tag order, null where there are none
    effective_task                          the task, or what modality and fields suggest where there is none
    base_language                           `zh` of `zh-HK`
    upper                                   whether the corpus writes upper case throughout
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ...errors import UsageError
from ...shards.text import clean, clean_sql

MEDIA_PATHS = ("image_paths", "video_paths", "audio_paths")


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """Options that change the rows of a view; all of them are part of an export's identity.

    Attributes:
        task: `sft` or `grpo`, for views that have tasks.
        text: `raw` or `clean` (see shards/text.py).
        system: System message put before every conversation.
        user_template: What the user turn says; `{modality_tag}` and names of sample fields are filled in.
        allow_answer_in_prompt: Publish even where the user template holds the answer.
    """

    task: str | None = None
    text: str = "clean"
    system: str | None = None
    user_template: str | None = None
    allow_answer_in_prompt: bool = False


@dataclass(frozen=True, slots=True)
class Skip:
    """A sample that has no row in this view, and why (a reason code)."""

    reason: str


class View(Protocol):
    """One consumer's format."""

    name: str
    revision: str
    order: str
    text: str
    tasks: tuple[str, ...]
    format: str
    media_columns: tuple[str, ...]
    keeps_empty_columns: bool

    def skip_sql(self, options: ViewOptions) -> str:
        """A reason code where a sample has no row, NULL where it has one."""

    def select_sql(self, options: ViewOptions) -> str:
        """The select list over `prepared`."""

    def leak_sql(self, options: ViewOptions) -> str | None:
        """A boolean expression: the answer stands in the user turn; None where that cannot be."""

    def row(self, sample: Mapping[str, Any], options: ViewOptions) -> dict[str, Any] | Skip:
        """The row of one prepared sample, without its null columns."""

    def train_command(self, data: Path, options: ViewOptions) -> str | None:
        """The line to type next, for views that a trainer reads."""


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


def text_sql(column: str, options: ViewOptions) -> str:
    """A text column as the options want it; clean texts of plain ASCII words skip the regular expressions."""
    if options.text == "raw":
        return column
    odd = f"regexp_matches({column}, '[^ -~]|  |<| [,.?!]|^ | $')"
    return (
        f"CASE WHEN {odd} THEN {clean_sql(column, upper_when='upper')} "
        f"WHEN upper THEN lower({column}) ELSE {column} END"
    )


def text_of(value: str | None, sample: Mapping[str, Any], options: ViewOptions) -> str | None:
    """The same for one value."""
    if value is None or options.text == "raw":
        return value
    return clean(value, upper=bool(sample.get("upper")))


def language_of(language: str | None) -> str:
    """The primary language subtag; empty where there is none. `cmn` is `zh`."""
    base = (language or "").lower().replace("_", "-").split("-")[0]
    return "zh" if base == "cmn" else base


LANGUAGE_SQL = (
    "CASE split_part(replace(lower(coalesce({column}, '')), '_', '-'), '-', 1) WHEN 'cmn' THEN 'zh' "
    "ELSE split_part(replace(lower(coalesce({column}, '')), '_', '-'), '-', 1) END"
)


def effective_task(sample: Mapping[str, Any]) -> str:
    """The sample's task, or what its fields suggest where the data named none."""
    if sample.get("task"):
        return str(sample["task"])
    if sample.get("question") and sample.get("answer"):
        return "qa"
    return "asr" if sample.get("modality") == "audio" else "captioning"


TASK_SQL = (
    "CASE WHEN coalesce(task, '') <> '' THEN task "
    "WHEN coalesce(question, '') <> '' AND coalesce(answer, '') <> '' THEN 'qa' "
    "WHEN modality = 'audio' THEN 'asr' ELSE 'captioning' END"
)
