"""Map the columns of a user's table to the fields of a sample.

A mapping given by the user takes precedence; then a column named like a field; then the common names below, in order.
A column that maps to no field is kept in `extra`. The columns of a span and a channel are found row by row instead
(`readers/tables/stated_span.py`), because several of them together state it.
"""

from __future__ import annotations

import difflib
import os.path
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...errors import UsageError
from ...shards.sample import COLUMNS, MEDIA_KINDS
from ...shards.vocabulary import NORMALIZED, UnknownWordError
from ..files.extensions import MEDIA_EXTENSIONS
from ..readers.tables.span_names import FIELDS as SPAN_FIELDS

MEDIA = "media"
"""A path whose kind is detected by probing; next to a column of known kind, `file` and the like are plain text."""

COMMON_NAMES: dict[str, tuple[str, ...]] = {
    "id": ("utt_id", "utterance_id", "sample_id", "segment_id", "uid", "key", "name"),
    "audio": ("audios", "audio_path", "audio_filepath", "audio_file", "wav", "wav_path", "wav_filename"),
    "video": ("videos", "video_path", "video_filepath", "video_file", "video_filename"),
    "image": ("images", "image_path", "image_file"),
    MEDIA: ("path", "file", "filepath", "file_path", "filename", "file_name"),
    "text": ("sentence", "transcript", "transcription", "caption", "normalized_text", "txt", "utterance"),
    "translation": ("translated_text", "target_text"),
    "language": ("lang", "locale", "language_id", "source_lang", "source_language", "src_lang"),
    "target_language": ("target_lang", "tgt_lang"),
    "speaker": ("speaker_id", "spk", "spk_id", "client_id"),
    "split": ("subset", "partition"),
    "labels": ("label", "class", "category", "emotion"),
    "captions": (),
    "reasoning": ("rationale", "cot", "think"),
    "license": ("licence",),
}  # fmt: skip

NOT_FROM_A_COLUMN = frozenset({"dataset", "panel", "more_media", "source", "revision", "pulled_at", "extra"})
FIELDS = (*(name for name in COLUMNS if name not in NOT_FROM_A_COLUMN), MEDIA)
KEEP = "extra"
"""`--map COLUMN=extra` keeps a column as text, whatever its name suggests."""

MAPPABLE = (*FIELDS, *(name for name in SPAN_FIELDS if name not in FIELDS), KEEP)
"""What `--map` takes: the fields, and those that make up a span or a channel."""

LIST_FIELDS = ("choices", "captions", "labels")
JSON_FIELDS = ("messages", "words", "phones")
NUMBER_FIELDS = ("start_s", "end_s")
_NUMBERED_CAPTION = re.compile(r"captions?[ _.-]?\d+", re.IGNORECASE)


def resolve_columns(
    columns: Sequence[str], given: Mapping[str, str], *, table: str, named_by: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the mapping column -> field for a table with these columns.

    `given` is the mapping from `--map column=field`; `named_by` has the options that named a column otherwise.

    Raises:
        UsageError: The mapping names a column or field that does not exist, or two columns map to a field of one value.
    """
    mapped: dict[str, str] = {}
    for column, field in given.items():
        flag = (named_by or {}).get(column, "--map")
        _check_column(column, columns, table, flag)
        check_field(field, where=flag, fields=MAPPABLE)
        if field in mapped.values() and field not in (*MEDIA_KINDS, MEDIA, KEEP, *LIST_FIELDS):
            raise UsageError(f"{flag}: two columns map to the field {field!r}.")
        mapped[column] = field
    taken = set(mapped.values())
    by_lower = {column.lower(): column for column in reversed(columns)}
    for field in FIELDS:
        if field in taken or field in SPAN_FIELDS or (field == MEDIA and taken.intersection(MEDIA_KINDS)):
            continue
        for name in (field, *COMMON_NAMES.get(field, ())):
            named = by_lower.get(name)
            if named is not None and named not in mapped:
                mapped[named] = field
                taken.add(field)
                break
    return mapped


def check_field(field: str, *, where: str, fields: Sequence[str] = FIELDS) -> None:
    """Raise UsageError unless `field` is one of the fields that a column or option may set."""
    if field not in fields:
        near = difflib.get_close_matches(field, fields, n=1)
        hint = f"did you mean {near[0]!r}?" if near else None
        raise UsageError(f"{where}: {field!r} is not a field of a sample. Fields: {', '.join(fields)}.", hint=hint)


def set_value(field: str, value: str, *, where: str = "--set") -> str:
    """Return the value of a field for every row, in our spelling of tasks, languages and the like.

    Raises:
        UsageError: It is none of the words of that field.
    """
    try:
        return NORMALIZED[field](value) if field in NORMALIZED else value
    except UnknownWordError as error:
        said = f"expected {error.expected}"
        if field in ("panel", "modality"):
            said = f"{'panels' if field == 'panel' else 'modalities'} are {error.expected.removeprefix('one of ')}"
        raise UsageError(f"{where} {field}={value}: {said}.", hint=error.hint) from None


def _check_column(column: str, columns: Sequence[str], table: str, flag: str) -> None:
    if column not in columns:
        near = difflib.get_close_matches(column, columns, n=1)
        hint = f"did you mean {flag} {near[0]}{'=...' if flag == '--map' else ''}?" if near else None
        raise UsageError(f"{flag}: {table} has no column {column!r}. Columns: {', '.join(columns)}.", hint=hint)


def map_option(column: str, field: str) -> str:
    """The option that maps a column, as it is typed in a shell."""
    return f"--map {shlex.quote(f'{column}={field}')}"


def numbered_captions(columns: Sequence[str], mapped: Mapping[str, str]) -> str | None:
    """What to say of columns such as `caption_1` and `caption_2`, which are kept in `extra` if nobody maps them."""
    found = [name for name in columns if name not in mapped and _NUMBERED_CAPTION.fullmatch(name)]
    if not found or "captions" in mapped.values():
        return None
    ways = " ".join(map_option(name, "captions") for name in found)
    return f"the columns {', '.join(found)} are kept in extra; to make them captions: {ways}"


def require_names(columns: Sequence[str], folder: Path, *, table: str) -> None:
    """Raise UsageError if the line that names the columns is a row, which would be lost: it names a media file."""
    for column in columns:
        ending = column.rpartition(".")[2].lower()
        if ending in MEDIA_EXTENSIONS and os.path.isfile(folder / column):  # noqa: PTH113 (answers for any text)
            raise UsageError(
                f"{table}: line 1 names no columns, it is a row: {column} is a file.",
                hint="put a line with the names of the columns in front of it, such as: audio,text",
            )


def require_media(
    columns: Sequence[str], mapped: Mapping[str, str], *, table: str, likely: Mapping[str, str] | None = None
) -> None:
    """Raise UsageError, suggesting a mapping, if no column gives media.

    `likely` maps the columns, and the paths inside columns, that look like media to their kind.
    """
    if any(field in (*MEDIA_KINDS, MEDIA) for field in mapped.values()):
        return
    if likely:
        maps = " ".join(map_option(path, kind) for path, kind in likely.items())
        raise UsageError(
            f"{table}: no column has a known media name; what looks like media is in {', '.join(likely)}. "
            f"Columns: {', '.join(columns)}.",
            hint=f"map one{', or all, in order' if len(likely) > 1 else ''}: {maps}",
        )
    free = [column for column in columns if column not in mapped] or list(columns)
    column = _likely_media(free)
    kind = "video" if "video" in column.lower() else "audio"
    raise UsageError(
        f"{table}: no column gives media. Columns: {', '.join(columns)}.",
        hint=f"map the media column: {map_option(column, kind)}  (for rows without media: --set modality=text)",
    )


def _likely_media(columns: Sequence[str]) -> str:
    """The column to suggest: one with a name that suggests media, else the first."""
    for part in ("audio", "wav", "sound", "video", "file", "path"):
        for column in columns:
            if part in column.lower():
                return column
    return columns[0] if columns else "COLUMN"
