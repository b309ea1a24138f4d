"""`ConvertOptions`: all options of `convert`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from ...errors import UsageError
from ...options import Option, Options, flag_of, parameters
from ..files.inside import check_allowed
from ..row_options import CONVERSATIONS, SOUNDS, TEXTS, PromptLanguage, Prompts, Reasoning, System

RESULT = "The result"
COLUMNS = "Columns and values of the input"
MEDIA = "Media"
MERGE_SPLIT_OPTIONS = {"merge": {"max_samples", "seed", "force"}, "split": {"force"}}


@dataclass(frozen=True, kw_only=True)
class ConvertOptions(Options):
    """Options of a conversion."""

    to: Annotated[
        str | None, Option("unified, msswift, cot or evaluation; default: depends on the input format.", RESULT)
    ] = None
    task: Annotated[
        str | None,
        Option("sft, grpo (the answer becomes the solution), dpo, kto or pretrain; implies --to msswift.", RESULT),
    ] = None
    text: Annotated[str, Option("raw, clean or lower, as for export.", RESULT, choices=TEXTS)] = "raw"
    name: Annotated[str | None, Option("Prefix of every id: NAME/id.", RESULT)] = None
    max_samples: Annotated[int | None, Option("At most N rows: the first valid ones.", RESULT, min=1)] = None
    seed: Annotated[
        int | None,
        Option(
            "Draw those rows by hash of seed and id, independent of file order; a larger N adds rows. Also the seed "
            "of varied prompts.",
            RESULT,
        ),
    ] = None
    force: Annotated[bool, Option("Overwrite an existing file.", RESULT)] = False
    system: System = None
    user_template: Annotated[
        str | None,
        Option("The user turn, from {modality_tag}, {prompt} and fields such as {question}.", CONVERSATIONS),
    ] = None
    allow_answer_in_prompt: Annotated[
        bool, Option("Write even if the user turn contains the answer.", CONVERSATIONS)
    ] = False
    reasoning: Reasoning = None
    prompts: Prompts = None
    prompt_language: PromptLanguage = None
    av: Annotated[
        str,
        Option("Of a video with sound: separate (the video and its sound), in-video (the video alone, whose sound the "
               "trainer reads itself) or sound-only; convert cannot take sound out of a video.", MEDIA, choices=SOUNDS),
    ] = "separate"  # fmt: skip
    id_column: Annotated[
        str | None,
        Option("The column that identifies a row.", COLUMNS, flags=("--id-column", "--id-col", "--id-key")),
    ] = None
    text_column: Annotated[
        str | None, Option("The column of the text.", COLUMNS, flags=("--text-col", "--text-key"))
    ] = None
    audio_column: Annotated[
        str | None, Option("The column of audio paths.", COLUMNS, flags=("--audio-col", "--audio-key"))
    ] = None
    video_column: Annotated[
        str | None, Option("The column of video paths.", COLUMNS, flags=("--video-col", "--video-key"))
    ] = None
    image_column: Annotated[
        str | None, Option("The column of image paths.", COLUMNS, flags=("--image-col", "--image-key"))
    ] = None
    question_column: Annotated[
        str | None, Option("The column of the question.", COLUMNS, flags=("--question-col", "--question-key"))
    ] = None
    answer_column: Annotated[
        str | None, Option("The column of the answer.", COLUMNS, flags=("--answer-col", "--answer-key"))
    ] = None
    columns: Annotated[
        Mapping[str, str],
        Option("Map a column to a field of the sample.", COLUMNS, flags=("--map",), metavar="COLUMN=FIELD"),
    ] = field(default_factory=dict)
    records: Annotated[
        str | None, Option("json: the key path of the list of records in the document: data.items.", COLUMNS,
                           metavar="KEY.KEY")
    ] = None  # fmt: skip
    values: Annotated[
        Mapping[str, str],
        Option("The same value for every row.", COLUMNS, flags=("--set",), metavar="FIELD=VALUE"),
    ] = field(default_factory=dict)
    modality: Annotated[
        str | None,
        Option("What every row of the input is: audio, video, mixed or text; default: from its media.", MEDIA),
    ] = None
    media_dir: Annotated[
        Path | None, Option("Base folder of relative media paths; default: the input's folder.", MEDIA, metavar="DIR")
    ] = None
    allow_outside: Annotated[
        tuple[Path, ...],
        Option("A folder outside the input that its links and relative paths may lead to.", MEDIA, metavar="PATH"),
    ] = ()
    files: Annotated[bool, Option("Whether the media must be on this machine; default: yes.", MEDIA)] = True

    def check(self) -> None:
        if self.seed is not None and self.max_samples is None and self.prompts != "varied":
            raise UsageError("--seed requires --max-samples.", hint="add --max-samples N")
        if self.media_dir is not None and not self.media_dir.is_dir():
            raise UsageError(f"--media-dir {self.media_dir}: there is no such folder.")
        check_allowed(self.allow_outside)

    def check_format(self, format: str) -> None:
        """Raise UsageError for an option that `merge` or `split` does not have."""
        allowed = MERGE_SPLIT_OPTIONS.get(format)
        if allowed is None:
            return
        given = self.asked()
        for parameter in parameters(type(self)):
            if parameter.name in given and parameter.name not in allowed:
                raise UsageError(f"convert {format} does not change rows: it takes no {parameter.flag}.")

    @property
    def mapped(self) -> dict[str, str]:
        """Column -> field, from `--map` and the single-column options, without columns named like their field."""
        named = {column: name for name, column in self._columns().items() if column not in (None, name)}
        return {**self.columns, **named}

    @property
    def named_by(self) -> dict[str, str]:
        """Column -> the single-column option that named it."""
        return {column: flag_of(type(self), f"{name}_column") for name, column in self._columns().items() if column}

    def _columns(self) -> dict[str, str | None]:
        """Field -> column, from the single-column options."""
        return {"text": self.text_column, "audio": self.audio_column, "video": self.video_column,
                "image": self.image_column, "question": self.question_column,
                "answer": self.answer_column}  # fmt: skip
