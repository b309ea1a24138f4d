"""`ConvertOptions`: every option of `convert`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from ...errors import UsageError
from ...options import Option, Options, parameters

RESULT = "The result"
CONVERSATIONS = "Conversations"
COLUMNS = "Columns and values of the input"
MEDIA = "Media"
OF_ROWS_AS_THEY_ARE = {"merge": {"max_samples", "seed", "force"}, "split": {"force"}}


@dataclass(frozen=True, kw_only=True)
class ConvertOptions(Options):
    """Options of a conversion."""

    to: Annotated[str | None, Option("unified or msswift; default: what suits the input.", RESULT)] = None
    task: Annotated[str | None, Option("sft, or grpo: the answer is then the solution; means msswift.", RESULT)] = None
    text: Annotated[str, Option("raw or clean, as of export.", RESULT, choices=("raw", "clean"))] = "raw"
    name: Annotated[str | None, Option("Put before every id: NAME/id.", RESULT)] = None
    max_samples: Annotated[int | None, Option("At most N rows: the first good ones.", RESULT, min=1)] = None
    seed: Annotated[
        int | None,
        Option("Draw those rows by hash of seed and id, whatever the order of files; a larger N adds to them.", RESULT),
    ] = None
    force: Annotated[bool, Option("Write over a file that is there.", RESULT)] = False
    system: Annotated[str | None, Option("A system message before every conversation.", CONVERSATIONS)] = None
    user_template: Annotated[
        str | None,
        Option("The user turn, from {modality_tag}, {prompt} and fields such as {question}.", CONVERSATIONS),
    ] = None
    allow_answer_in_prompt: Annotated[
        bool, Option("Write even where the user turn holds the answer.", CONVERSATIONS)
    ] = False
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
        Option("Which field of the sample a column fills.", COLUMNS, flags=("--map",), metavar="COLUMN=FIELD"),
    ] = field(default_factory=dict)
    values: Annotated[
        Mapping[str, str],
        Option("The same value for every row.", COLUMNS, flags=("--set",), metavar="FIELD=VALUE"),
    ] = field(default_factory=dict)
    modality: Annotated[
        str | None, Option("audio, video, mixed or text, of every row; default: told from the media.", MEDIA)
    ] = None
    media_dir: Annotated[
        Path | None, Option("Where relative media paths start; default: the input's folder.", MEDIA, metavar="DIR")
    ] = None
    files: Annotated[bool, Option("Whether the media must be on this machine; default: yes.", MEDIA)] = True

    def check(self) -> None:
        if self.seed is not None and self.max_samples is None:
            raise UsageError("--seed draws --max-samples rows: say how many.", hint="add --max-samples N")
        if self.media_dir is not None and not self.media_dir.is_dir():
            raise UsageError(f"--media-dir {self.media_dir}: there is no such folder.")

    def check_format(self, format: str) -> None:
        """Raises UsageError for an option that means nothing to `merge` or `split`."""
        takes = OF_ROWS_AS_THEY_ARE.get(format)
        if takes is None:
            return
        given = self.asked()
        for parameter in parameters(type(self)):
            if parameter.name in given and parameter.name not in takes:
                raise UsageError(f"convert {format} leaves rows as they are: it takes no {parameter.flag}.")

    @property
    def mapped(self) -> dict[str, str]:
        """Column -> field, by `--map` and by the options for single columns; one called like its field needs none."""
        named = {"text": self.text_column, "audio": self.audio_column, "video": self.video_column,
                 "image": self.image_column, "question": self.question_column,
                 "answer": self.answer_column}  # fmt: skip
        return {**self.columns, **{column: name for name, column in named.items() if column not in (None, name)}}
