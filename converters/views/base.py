"""What a view is: a pure function from samples to the rows of a consumer's format.

A view says its rows twice: as DuckDB expressions over the relation `prepared` (a million rows in seconds, memory
flat), and as a plain function of one sample for tests and readers of the code; a test holds the two equal.

`prepared` has every column of the sample plus:
    image_paths, video_paths, audio_paths   VARCHAR[], final paths in tag order, null where there are none
    effective_task                          the task, or what modality and fields suggest where there is none
    base_language                           `zh` of `zh-HK`
    upper                                   whether the corpus writes upper case throughout
and the columns that the view itself adds, each computed once a sample.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ...errors import UsageError
from ...shards.text import SPACE, clean, clean_sql, is_blank

MEDIA_PATHS = ("image_paths", "video_paths", "audio_paths")

_ODD = "regexp_matches(t, '[^ -~]|  |<| [,.?!]|^ | $')"
_LOWER = "lambda x: CASE WHEN upper THEN lower(x) ELSE x END"
MACROS = (
    # A text of plain ASCII words skips the regular expressions; the list of one spells the long expression once.
    f"CREATE OR REPLACE TEMP MACRO clean_text(t, upper) AS CASE WHEN {_ODD} "
    f"THEN list_transform([{clean_sql('t')}], {_LOWER})[1] WHEN upper THEN lower(t) ELSE t END",
    f"CREATE OR REPLACE TEMP MACRO not_blank(t) AS CASE WHEN regexp_matches(t, '[^{SPACE[1:]}') THEN t END",
)
"""What the SQL of views is written in: `clean_text(t, upper)`, and `not_blank(t)`, which is null for a blank text."""


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


@dataclass(frozen=True, slots=True)
class ViewSql:
    """A view as DuckDB expressions.

    Attributes:
        layers: Columns that the view adds to `prepared`, by name; each layer over the ones before, each computed once.
        skip: A reason code where a sample has no row, NULL where it has one.
        select: The select list over `prepared`.
        leak: A boolean: the answer stands in the user turn; None where that cannot be.
    """

    layers: Sequence[Mapping[str, str]]
    skip: str
    select: str
    leak: str | None = None


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

    def sql(self, options: ViewOptions, *, conversations: bool) -> ViewSql:
        """The rows as SQL; `conversations` says whether any sample has `messages` of its own."""

    def row(self, sample: Mapping[str, Any], options: ViewOptions) -> dict[str, Any] | Skip:
        """The row of one prepared sample, without its null columns."""

    def train_command(self, data: Path, options: ViewOptions, columns: Collection[str]) -> str | None:
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


def text_sql(text: str, options: ViewOptions) -> str:
    """A SQL text as the options want it."""
    return text if options.text == "raw" else f"clean_text({text}, upper)"


def text_of(value: str | None, sample: Mapping[str, Any], options: ViewOptions) -> str | None:
    """The same for one value."""
    if value is None or options.text == "raw":
        return value
    return clean(value, upper=bool(sample.get("upper")))


def first_text_sql(candidates: Sequence[str]) -> str:
    """The first of several SQL texts that is not blank; the last one may be."""
    *others, last = candidates
    return f"coalesce({', '.join([*(f'not_blank({text})' for text in others), last])})"


def first_text_of(candidates: Iterable[str | None], sample: Mapping[str, Any], options: ViewOptions) -> str | None:
    """The first of several texts that is not blank, as the options want it; None where all are blank."""
    found = next((text for text in candidates if text is not None and not is_blank(text)), None)
    return text_of(found, sample, options)


def joined(values: Sequence[str | None] | None) -> str | None:
    """A list field as one text, as `array_to_string` gives it."""
    return None if values is None else ", ".join(value for value in values if value is not None)


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
