"""`View`: one SELECT over the relation `prepared`, with settings in the header of its file.

A view's file starts with a block of comments `-- key: value`; the first other line ends it:

    name           the view's name; default: the file name
    revision       increased whenever the same samples produce different rows; default: `1`
    tasks          the values of `--task`; default: none
    options        further options of `export` that only some views have, such as `phones`; default: none
    order          `hash` or `id`; default: `hash`
    text           `raw` or `clean`; default: `clean`
    consumer       the program that reads the rows, which `--verify` asks; default: none
    format         the format whose rules the rows are validated against; default: only paths and types are checked
    media          columns that hold paths; default: columns with a media name (`audio`, `audios`, `video` ...)
    only TASK      columns that only rows of that task have
    optional       columns that a file has only if one of its rows has a value
    use            `training` or `evaluation`, which is warned of training data; default: `training`
    empty columns  `kept` or `dropped`: media columns without a value in any row; default: `dropped`
    model          the model in which tokens are counted unless `--model` names one; rows whose tokens are unknown are
                   left out
    counts         columns of `budget.parquet` that rows have too
    singular       columns of lists of which a file holds the only items, if no row has more than one
    mixed          columns of messages, as JSON, whose contents are texts or lists of parts
    message keys   `kept` or `dropped`: whether rows that read `turns` carry the `loss` of messages; default: `kept`

The SELECT below the header is checked in `statement.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ...errors import UsageError, did_you_mean
from ...shards.budgets import COUNTS, MODELS
from ...shards.exports.media_places import MEDIA_COLUMNS
from ...shards.pace import Progress
from ...shards.sample import check_name
from ...validators.consumers import CONSUMERS
from ...validators.formats import FORMATS
from ..row_options import ORDERS, TEXTS

if TYPE_CHECKING:
    import duckdb

_KEYS = (
    "name", "revision", "tasks", "options", "order", "text", "format", "consumer", "media", "optional", "use",
    "empty columns", "singular", "mixed", "message keys", "model", "counts",
)  # fmt: skip
_LINE = re.compile(r"--\s*([a-z]+(?: [a-z]+)?)\s*:\s*(.*?)\s*")


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """Options that change the rows of a view; all of them are part of an export's identity.

    Attributes:
        task: `sft`, `grpo`, `dpo` and so on, for views that have tasks.
        text: `raw`, as in the corpus, or `clean`: normalized (case, spaces, punctuation tags).
        system: System message at the start of every conversation.
        user_template: Template of the user turn; `{modality_tag}` and names of sample fields are filled in.
        allow_answer_in_prompt: Publish even if the user turn contains the answer.
        reasoning: Where the reasoning of an answer goes: `think`, in front of it; `drop`; `column`, its own column.
        av: What is used of a video with sound: `separate`, the video and its sound; `in-video`, the video, whose sound
            the trainer reads itself; `sound-only`.
        captions: Which of several descriptions is an answer: `first`, or `all`, a row for each.
        modality: What is shown of a video with sound: `own`, all of it; `audio` or `video` alone; `av`, and only of
            samples that have both.
        prompts: How a task is asked: `one`, the same words for all samples; `varied`, one of several phrasings.
        prompt_language: The language in which tasks are asked; None: each sample's.
        prompts_per_sample: Rows of a sample, each with another phrasing.
        seed: Part of the hash that chooses phrasings.
        mode: `analysis`, sound with a text that says what to do; `voice-chat`, sound alone; None: as the samples are.
        pairs: Whether rows are pairs of answers though neither a task nor an option says so.
        own: The options that only some views have, by name.
    """

    task: str | None = None
    text: str = "clean"
    system: str | None = None
    user_template: str | None = None
    allow_answer_in_prompt: bool = False
    reasoning: str = "think"
    av: str = "separate"
    captions: str = "first"
    modality: str = "own"
    prompts: str = "one"
    prompt_language: str | None = None
    prompts_per_sample: int = 1
    seed: int = 0
    mode: str | None = None
    pairs: bool = False
    own: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def takes_pairs(self) -> bool:
        """Whether rows are made of `chosen` and `rejected`: their answer is then the chosen one."""
        return self.pairs or self.task in ("dpo", "kto") or "dimension" in self.own


class TrainCommand(Protocol):
    def __call__(
        self,
        data: Path,
        options: ViewOptions,
        columns: Collection[str],
        settings: Mapping[str, str],
        *,
        model: str | None = None,
    ) -> str: ...


TrainedModel = Callable[[Collection[str]], str]
TrainerSettings = Callable[[Mapping[str, int]], dict[str, str]]
Expand = Callable[["duckdb.DuckDBPyConnection", str, ViewOptions], str]
Arrange = Callable[[str], str]
Tell = Callable[[Mapping[str, Any], Mapping[str, Any]], Iterator[str]]
Extract = Callable[["duckdb.DuckDBPyConnection", Path, Mapping[str, Any], str, Progress | None], Mapping[str, str]]
Choose = Callable[["duckdb.DuckDBPyConnection", Mapping[str, Any], str], str | None]
WriteFiles = Callable[[Path, Path, ViewOptions], None]
Complete = Callable[[Mapping[str, Any]], dict[str, Any]]
Certify = Callable[[Path, ViewOptions], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class View:
    """One consumer's format.

    Attributes:
        sql: The text of the whole file.
        style: Which of its styles this is, for a view that has several: each is a file of its own.
        options: Names of the options that only some views have, and this one has.
        consumer: A key of `validators.consumers.CONSUMERS`: the program that reads the rows.
        format: A key of `validators.formats.FORMATS`; None if there is no validator for the format.
        media_columns: Columns that hold paths; None: those with a media name.
        optional_columns: Columns that a file has only if one of its rows has a value.
        task_columns: Columns that only rows of some tasks have, by task.
        singular_columns: Columns of lists of which a file holds the only items, if no row has more than one.
        mixed_columns: Columns of messages, as JSON, whose contents are texts or lists of parts.
        keeps_message_keys: Whether rows that read `turns` carry the `loss` of messages.
        train_command: Makes the training command from the data file, the options, the columns of the file and the
            trainer's settings.
        trainer_settings: The settings of the trainer that rows need, from their number by where their sound is.
        trained_model: The model that the training command names, from the columns of the file.
        expand: Makes several rows of one sample, as `export/expand.py` says: a SELECT from a connection, the relation
            of samples and the options.
        model: The model whose tokens are counted unless the request names another; rows need them.
        counts: Columns of the budget that rows have too.
        arrange: Makes SQL for the order of rows from that of the request, of which it may use windows over rows.
        choose: Leaves out rows that could be written: a SELECT of `id` and `reason` over `rows`, or None, from a
            connection, the view's own options and SQL for the order of rows.
        extract: Makes further files of the media of `rows` while a version is made, from a connection, its folder, the
            view's own options, SQL for the order of rows and whom to tell how far it is; creates the table `extracted`
            of columns that rows get, and of the `reason` why one is left out, by `id`. Returns the columns and their
            types.
        write_files: Writes the further files of a version into its folder, from its `data.parquet` and the options
            and nothing else: a copy of the version for another media root is made from its own `data.parquet`.
        embeds_media: Whether those files hold the media itself and no paths; a copy of the version has the same files.
        evaluates: Whether its rows are for evaluation.
        has_tests: Whether its tests are files beside the training rows, which nobody trains on by mistake.
        complete: Checks the view's own options and adds what else rows depend on, such as the digest of a file.
        option_files: The view's own options that are files -> the further file of a version that says the same.
        certify: What a version promises, from its `data.parquet` and the options; it is written into the manifest. A
            version that breaks a promise is not published: it raises ProblemsFound.
        tell: Lines for a person about a version, from its manifest and the view's own options.
        lost: Fields that its columns read and that not every row carries -> SQL over `prepared`: this row does not.
        states_times: Whether rows say when something is heard, which changed speed would make wrong.
        built_in: Whether the revision identifies the rows; any other view is identified by its text.
    """

    name: str
    sql: str
    revision: str = "1"
    tasks: tuple[str, ...] = ()
    style: str | None = None
    options: tuple[str, ...] = ()
    order: str = "hash"
    text: str = "clean"
    format: str | None = None
    consumer: str | None = None
    media_columns: tuple[str, ...] | None = None
    optional_columns: tuple[str, ...] = ()
    task_columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    singular_columns: tuple[str, ...] = ()
    mixed_columns: tuple[str, ...] = ()
    keeps_empty_columns: bool = False
    keeps_message_keys: bool = True
    train_command: TrainCommand | None = None
    trainer_settings: TrainerSettings | None = None
    trained_model: TrainedModel | None = None
    model: str | None = None
    counts: tuple[str, ...] = ()
    expand: Expand | None = None
    arrange: Arrange | None = None
    choose: Choose | None = None
    extract: Extract | None = None
    write_files: WriteFiles | None = None
    embeds_media: bool = False
    evaluates: bool = False
    has_tests: bool = False
    complete: Complete | None = None
    option_files: Mapping[str, str] = field(default_factory=dict)
    certify: Certify | None = None
    tell: Tell | None = None
    lost: Mapping[str, str] = field(default_factory=dict)
    states_times: bool = False
    built_in: bool = False

    @property
    def file_name(self) -> str:
        """The name under which the view's file is stored."""
        return f"{self.name}.sql"

    def options_of(self, manifest: Mapping[str, Any], folder: Path) -> ViewOptions:
        """The options of a version, from its manifest; files that it was made with are its own copies, if there."""
        options = dict(manifest["options"])
        own = dict(options.get("own", {}))
        for name, file in self.option_files.items():
            if (folder / file).is_file():
                own[name] = str(folder / file)
        return ViewOptions(**{**options, "own": own})

    def excluded_columns(self, task: str | None) -> list[str]:
        """Columns that only rows of other tasks have."""
        own = self.task_columns.get(task or "", ())
        others = (column for columns in self.task_columns.values() for column in columns if column not in own)
        return list(dict.fromkeys(others))


def make_view(sql: str, *, file: str, built_in: bool = False, **code: Any) -> View:
    """Make a view from the text of its file; `file` is the name used in errors.

    Args:
        code: The attributes that the file cannot state: `style`, `train_command`, `expand`, `write_files` and so on.

    Raises:
        UsageError: The header has an unknown key or an invalid value.
    """
    header = _read_header(sql, file)
    tasks = _words(header.pop("tasks", (0, "")))
    known: dict[str, tuple[str, ...]] = {task: _words(header.pop(f"only {task}", (0, ""))) for task in tasks}
    for key, (line, _) in header.items():
        if key not in _KEYS:
            raise UsageError(
                f"{file}, line {line}: {key!r} is not a key of the header.",
                hint=f"keys: {', '.join(_KEYS)}, only TASK; comments start after a line with only `--`",
            )
    media = _words(header["media"]) if "media" in header else None
    for column in media or ():
        if column not in MEDIA_COLUMNS:
            raise UsageError(
                f"{file}, line {header['media'][0]}: {column!r} cannot be a media column: `exports relocate` and "
                f"`pack` support only {', '.join(MEDIA_COLUMNS)}.",
                hint=f"rename the column, for example to {MEDIA_COLUMNS[-1]!r}",
            )
    line, empty = header.get("empty columns", (0, "dropped"))
    _one_of(file, line, "empty columns", empty, ("kept", "dropped"))
    keys_line, message_keys = header.get("message keys", (0, "kept"))
    _one_of(file, keys_line, "message keys", message_keys, ("kept", "dropped"))
    line, use = header.get("use", (0, "training"))
    _one_of(file, line, "use", use, ("training", "evaluation"))
    allowed = {"order": ORDERS, "text": TEXTS, "format": FORMATS, "consumer": CONSUMERS, "model": MODELS}
    for key, values in allowed.items():
        if key in header:
            _one_of(file, header[key][0], key, header[key][1], tuple(values))
    counts = _words(header["counts"]) if "counts" in header else ()
    if counts and "model" not in header:
        raise UsageError(f"{file}, line {header['counts'][0]}: counts are those of a model: state `model` too.")
    for name in counts:
        _one_of(file, header["counts"][0], "counts", name, (*COUNTS, "text_tokens", "tokens"))
    plain: dict[str, Any] = {key: header[key][1] for key in ("revision", *allowed) if key in header}
    return View(
        check_name(header["name"][1] if "name" in header else Path(file).stem, what="view"),
        sql,
        tasks=tasks,
        media_columns=media,
        optional_columns=_words(header["optional"]) if "optional" in header else (),
        task_columns={task: columns for task, columns in known.items() if columns},
        singular_columns=_words(header["singular"]) if "singular" in header else (),
        mixed_columns=_words(header["mixed"]) if "mixed" in header else (),
        keeps_empty_columns=empty == "kept",
        keeps_message_keys=message_keys == "kept",
        options=_words(header["options"]) if "options" in header else (),
        counts=counts,
        evaluates=use == "evaluation",
        built_in=built_in,
        **plain,
        **code,
    )


def _read_header(sql: str, file: str) -> dict[str, tuple[int, str]]:
    """Key -> line and value, from the `-- key: value` lines at the start of the file."""
    found: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(sql.splitlines(), 1):
        match = _LINE.fullmatch(line.strip())
        if match is None:
            break
        key, value = match.groups()
        if key in found:
            raise UsageError(f"{file}, line {number}: the header has the key {key!r} twice.")
        if not value:
            raise UsageError(f"{file}, line {number}: the key {key!r} of the header has no value.")
        found[key] = (number, value)
    return found


def _words(entry: tuple[int, str]) -> tuple[str, ...]:
    return tuple(word.strip() for word in entry[1].split(",") if word.strip())


def _one_of(file: str, line: int, key: str, value: str, allowed: Collection[str]) -> None:
    if value not in allowed:
        raise UsageError(f"{file}, line {line}: {key} must be {' or '.join(allowed)}, not {value!r}.")


def check_task(view: View, task: str | None) -> str | None:
    """Return the task of an export, checked against the tasks of the view; a style may be named after its only one."""
    if not view.tasks:
        if task is not None:
            raise UsageError(f"the view {view.name!r} has no tasks: remove --task.")
        return None
    if task is None and view.style in view.tasks:
        return view.style
    if task is None:
        raise UsageError(
            f"the view {view.name!r} needs --task: {' or '.join(view.tasks)}.",
            hint=f"triptych export {view.name} --task {view.tasks[0]}",
        )
    if task not in view.tasks:
        raise UsageError(
            f"the view {view.name!r} has no task {task!r}: it has {', '.join(view.tasks)}.",
            hint=did_you_mean(task, view.tasks) or "a view of your own can have it: docs/how-to/bring-a-view.md",
        )
    return task
