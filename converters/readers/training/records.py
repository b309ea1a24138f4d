"""The loop that all training formats share: open the file, take the columns of every row, build a candidate."""

from __future__ import annotations

import difflib
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from ....errors import UsageError
from ....shards.json_lines import LARGEST_LINE_MB, MB
from ....shards.sample import MEDIA_KINDS, MODALITIES
from ...candidate import (
    Blob,
    Candidate,
    CandidateStream,
    RawFile,
    RawStream,
    ReadContext,
    Reader,
    Rejection,
    RowError,
    bad_cell,
)
from ...files.named_files import NamedFiles
from ...imports.columns import KEEP, MAPPABLE, check_field
from ...spans import sample_rate, span_suffix
from ..tables.cells import (
    Place,
    Row,
    Rows,
    as_name,
    as_text,
    blobs,
    check_span,
    members_left,
    typed,
    with_words,
)  # fmt: skip
from ..tables.json import read_json
from ..tables.made_ids import MadeIds
from ..tables.nested_columns import nested_columns, spread
from ..tables.stated_span import StatedSpans
from ..tables.user_table import read_table
from .turns import Dialogue, exchange_fields, fit_tags

MEDIA_NAMES: Mapping[str, tuple[str, ...]] = {
    kind: (f"{kind}s", kind, f"{kind}_abs_path", f"{kind}_path", f"{kind}_paths", f"{kind}_filepath", f"{kind}_file")
    for kind in MEDIA_KINDS
}
"""Names of columns with media of a kind, in order of preference."""

PLAIN_FIELDS = (
    "task", "text", "translation", "language", "target_language", "speaker", "question", "answer", "reasoning",
    "choices", "captions", "labels", "words", "phones", "license",
)  # fmt: skip
"""Fields that a column of exactly that name fills, in all formats."""

_PEEK_ROWS = 200


@dataclass(slots=True)
class Shape:
    """The content of a row as found by a format.

    Attributes:
        fields: Columns of the sample; they take precedence over columns of the same name.
        media: Pairs of kind and value, in tag order; in addition to the media columns.
        extra: Goes to `extra`, in addition to the columns that were not taken.
        name: An id for a row without one; made unique if it repeats.
    """

    fields: dict[str, Any] = field(default_factory=dict)
    media: list[tuple[str, Any]] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    name: str | None = None


class Columns:
    """The columns of one row, taken one by one; the remaining ones go to `extra`."""

    def __init__(self, values: Mapping[str, Any], given: Mapping[str, str]) -> None:
        self.left = dict(values)
        self._given = given

    def take(self, field: str, *names: str) -> Any:
        """Take the value of a field, from the column that the user mapped to it or the first of `names` with a value.

        Columns before it whose cell is null are removed too; a second column with a value stays.
        """
        if self._given:
            names = (*(column for column, meant in self._given.items() if meant == field), *names)
        for name in names:
            # A column that the user mapped elsewhere is not taken by its name.
            if name in self.left and self._given.get(name, field) == field:
                value = self.left.pop(name)
                if value is not None:
                    return value
        return None

    def media(self, kind: str) -> Any:
        """The media of a kind in the row: a path, bytes, or a list of them."""
        return self.take(kind, *MEDIA_NAMES[kind])

    def has(self, *names: str) -> bool:
        """Whether one of these columns has a value."""
        return any(self.left.get(name) is not None for name in names)


def conversation_shape(columns: Columns, dialogue: Dialogue, fields: dict[str, Any]) -> Shape:
    """The shape of a conversation row, after matching its tags to its media."""
    held = {kind: counted(columns, kind) for kind in MEDIA_KINDS}
    own = {kind: sum(found == kind for found, _ in dialogue.media) for kind in MEDIA_KINDS}
    both = [kind for kind in MEDIA_KINDS if held[kind] and own[kind]]
    if both:
        raise bad_cell("messages", both[0], "media in the messages or in a column, not in both", reason="media_twice")
    fit_tags("messages", dialogue, {kind: held[kind] + own[kind] for kind in MEDIA_KINDS})
    fields = {"messages": dialogue.messages, **exchange_fields(dialogue.messages), **fields}
    return Shape(fields, dialogue.media, dialogue.extra())


def open_with_system(columns: Columns, dialogue: Dialogue) -> None:
    """Put the row's system message in front; if the conversation has one of its own, it stays in `extra`."""
    system = columns.take("system", "system", "system_prompt")
    if system and not dialogue.open_with(system) and system not in [turn["content"] for turn in dialogue.messages[:1]]:
        columns.left["system"] = system


def counted(columns: Columns, kind: str) -> int:
    """The number of media of a kind in the columns of a row, not counting nulls."""
    value = columns.media(kind)
    items = [item for item in value if item is not None] if isinstance(value, list) else [value] if value else []
    columns.left[MEDIA_NAMES[kind][0]] = items or None
    return len(items)


Reshape = Callable[[Columns], Shape]


class RecordsReader(Reader):
    """One sample per row: candidates in file order; an invalid row becomes a `Rejection`.

    Attributes:
        kept_times: Columns with times of another file, which state no span of this one.
        has_channels: Whether a column `channel` is one of the audio; for trainers it is one of the loss.
    """

    kept_times: tuple[str, ...] = ()
    has_channels = False

    @staticmethod
    @abstractmethod
    def reshape(columns: Columns) -> Shape:
        """Take the columns that the format knows; raises RowError if they do not form a sample."""

    def read(self, files: RawStream, context: ReadContext) -> CandidateStream:
        for file in files:
            if isinstance(file, Rejection):
                yield file
            elif file.path is None:
                raise UsageError(f"{file.uri}: training data must be a separate file, not a member of an archive.")
            else:
                yield from self._read_file(file, file.path, context)

    def _read_file(self, file: RawFile, path: Path, context: ReadContext) -> CandidateStream:
        rows = open_rows(path, largest_line=context.largest_line)
        head = list(islice(rows, _PEEK_ROWS))
        if nested := nested_columns(context.column_fields, _columns(head), head):
            rows = spread(chain(head, rows), nested)
            head = list(islice(rows, _PEEK_ROWS))
        given = _given(context, head, path)
        spans = StatedSpans(given, dict.fromkeys(self.kept_times, KEEP), channels=self.has_channels)
        if (fault := spans.look([row.values for row in head if isinstance(row, Row)], context.note)) is not None:
            raise UsageError(f"{path}: {fault}.")
        made = MadeIds()
        files = NamedFiles.of(path, context)
        for row in chain(head, rows):
            if isinstance(row, Rejection):
                yield row
                continue
            try:
                columns = Columns(row.values, given)
                yield _candidate(row, columns, self.reshape, file=file, files=files, made=made, spans=spans)
            except RowError as error:
                yield error.rejection(row.where)


def open_rows(path: Path, *, largest_line: int = LARGEST_LINE_MB * MB) -> Rows:
    """Rows of JSON Lines, a JSON array or object, CSV or Parquet, detected by the suffix, then by the first line."""
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return read_table(path, "parquet")
    if suffix in (".csv", ".tsv", ".tab"):
        return read_table(path, "csv")
    with path.open("rb") as file:
        first = file.readline(64 * 1024).removeprefix(b"\xef\xbb\xbf").strip()
    if first.startswith(b"["):
        return _read_array(path)
    if suffix == ".json" and not first.endswith(b"}"):
        return read_table(path, "json")
    return read_table(path, "jsonl", largest_line=largest_line)


def _read_array(path: Path) -> Rows:
    with path.open("rb") as stream:
        yield from read_json(stream, Place(path.name, str(path)))


def _columns(head: Iterable[Row | Rejection]) -> list[str]:
    return list(dict.fromkeys(name for row in head if isinstance(row, Row) for name in row.values))


def _given(context: ReadContext, head: Iterable[Row | Rejection], path: Path) -> dict[str, str]:
    """Column -> field as given by the user, checked against the first rows."""
    given = context.column_fields
    columns = _columns(head)
    for column, meant in given.items():
        flag = context.column_flags.get(column, "--map")
        check_field(meant, where=flag, fields=MAPPABLE)
        if columns and column not in columns:
            near = difflib.get_close_matches(column, columns, n=1)
            raise UsageError(
                f"{flag}: {path} has no column {column!r}. Columns: {', '.join(columns)}.",
                hint=f"did you mean {flag} {near[0]}{f'={meant}' if flag == '--map' else ''}?" if near else None,
            )
    return given


def _candidate(
    row: Row, columns: Columns, reshape: Reshape, *, file: RawFile, files: NamedFiles, made: MadeIds, spans: StatedSpans
) -> Candidate:
    identity = as_text(columns.take("id", "id"))
    shape = reshape(columns)
    fields = with_words({name: value for name, value in shape.fields.items() if value is not None})
    media = list(_media(shape.media, files))
    for kind in MEDIA_KINDS:
        media.extend((kind, blob) for blob in blobs(kind, columns.media(kind), files=files))
    for name in PLAIN_FIELDS:
        if name not in fields and (value := columns.take(name, name)) is not None:
            fields[name] = typed(name, name, value)
            columns.left.update(members_left(name, name, value))
    fields["modality"], stated = _modality(columns.take("modality", "modality"), {kind for kind, _ in media})
    suffix = _take_span(row, columns, fields, spans, media[0][1]) if media else ""
    split = as_name("split", columns.take("split", "split"))
    config = as_text(columns.take("config", "config"))
    held = {**columns.left, **shape.extra, "stated_modality": stated}
    if extra := {name: text for name, value in held.items() if (text := as_text(value)) is not None}:
        fields["extra"] = extra
    media.sort(key=lambda item: MEDIA_KINDS.index(item[0]))
    identity, made_from = identity or row.key, None
    if not identity and shape.name:
        identity, made_from = made.unique(shape.name + suffix, fields, media)
    elif not identity:
        identity, made_from = made.next(media[0][1].name if media else "", fields, media, suffix)
    return Candidate(identity, split, fields, media, config, file.uri, file.revision, row.where, made_from=made_from)


def _take_span(row: Row, columns: Columns, fields: dict[str, Any], spans: StatedSpans, medium: Blob) -> str:
    """Add the span and the channel that the row states; returns what they add to its id."""
    stated, used = spans.read(row.values, lambda: sample_rate(medium))
    for column in used:
        columns.left.pop(column, None)
    fields |= stated
    check_span(fields)
    return span_suffix(fields.get("start_s"), fields.get("end_s"), fields.get("channel"))


def _media(given: Iterable[tuple[str, Any]], files: NamedFiles) -> Iterator[tuple[str, Blob]]:
    for kind, value in given:
        yield from ((kind, blob) for blob in blobs(kind, value, files=files))


def _modality(stated: Any, kinds: set[str]) -> tuple[str | None, Any]:
    """The modality of the row if its media allows it, else null and the modality that the row stated.

    Null leaves the modality to probing.
    """
    video, audio = "video" in kinds, "audio" in kinds
    allowed = {"audio": audio and not video, "video": video and not audio, "mixed": video}
    allowed["text"] = not (audio or video)
    if stated is None or (stated in MODALITIES and allowed[stated]):
        return stated, None
    return None, stated
