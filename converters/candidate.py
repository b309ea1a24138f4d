"""Raw files as sources yield them, and the candidates that readers make of them.

A source yields `RawFile`s (and a `Rejection` for a member it refuses); a reader turns them into `Candidate`s (and
`Rejection`s); `ingest` writes those to the store. Nothing here touches the store.

A `RawFile` from an archive is valid only until the next one is requested: read it, or call its `blob()`, at once.
"""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import DamagedError, UsageError
from ..shards.git_pointers import HEAD_BYTES, LARGEST, pointer_kind
from ..shards.json_lines import LARGEST_LINE_MB, MB
from ..shards.media.media import scratch_path

IN_MEMORY_BYTES = 32 * 1024 * 1024
"""A blob larger than this is spooled to a file, so that memory use is bounded however large an archive is."""

TEXT_BYTES = 1024 * 1024 * 1024
"""A text file larger than this is refused rather than read into memory."""


@dataclass(frozen=True, slots=True)
class Remote:
    """Remote media that is fetched clip by clip: a direct link, or a video on a site.

    Attributes:
        url: `https://...`; for a site, the page of the video.
        start_s, end_s: The requested span in seconds; None means from the start, or to the end.
        site: `link` for a file at the URL itself, `youtube` for what yt-dlp finds behind it.
    """

    url: str
    start_s: float | None = None
    end_s: float | None = None
    site: str = "link"


@dataclass(slots=True)
class Blob:
    """The bytes of one media file: in memory, on disk, or still to be fetched (`remote`).

    A `temporary` file is owned by the holder of the blob and is moved, not copied. A `remote` blob is fetched before it
    reaches `ingest`. When several candidates use one file, their blobs carry the same object in `shared`, so that the
    file is stored once; if it is temporary, each blob has its own hard link to it.
    """

    name: str
    data: bytes | None = None
    path: Path | None = None
    temporary: bool = False
    remote: Remote | None = None
    shared: object | None = None

    @property
    def size(self) -> int:
        if self.data is not None:
            return len(self.data)
        assert self.path is not None
        return self.path.stat().st_size

    def discard(self) -> None:
        """Delete its temporary file, if it has one."""
        if self.temporary and self.path is not None:
            self.path.unlink(missing_ok=True)


@dataclass(slots=True)
class RawFile:
    """One file of a source.

    Attributes:
        name: POSIX path inside the source, normalised; never absolute, never with `..`.
        uri: Where it came from, for people: `https://host/a.tar.gz!LibriSpeech/x.flac`.
        revision: The pinned revision or checksum of its origin.
        size: Size in bytes, if the source knows it.
        opener: Opens the bytes for reading. Archive members are not seekable.
        path: Its local path, if it is a separate file on this machine.
        split: The corpus split, if the source already knows it.
        config: The corpus configuration, if the source already knows it.
        spool: Folder for blobs too large for memory.
    """

    name: str
    uri: str
    revision: str
    size: int | None
    opener: Callable[[], BinaryIO]
    path: Path | None = None
    split: str | None = None
    config: str | None = None
    spool: Path | None = None

    def open(self) -> BinaryIO:
        return self.opener()

    def pointer(self) -> str | None:
        """What this is if its content was never fetched (Git LFS, git-annex); a larger file is not opened for it."""
        if self.size is None or self.size > LARGEST:
            return None
        with self.open() as file:
            return pointer_kind(file.read(HEAD_BYTES))

    def read(self) -> bytes:
        """The whole file as bytes; for transcripts and tables, not for media."""
        if self.size is not None and self.size > TEXT_BYTES:
            raise DamagedError(f"{self.uri}: {self.size:,} bytes is too large for a text file.")
        with self.open() as file:
            return file.read()

    def blob(self) -> Blob:
        """The media bytes as a blob that stays valid after the next file is requested."""
        if self.path is not None:
            return Blob(self.name, path=self.path)
        if self.size is not None and self.size <= IN_MEMORY_BYTES:
            return Blob(self.name, data=self.read())
        if self.spool is None:
            raise DamagedError(f"{self.uri}: there is no spool folder for a member of {self.size} bytes.")
        path = scratch_path(self.spool)
        with self.open() as file, path.open("xb") as out:
            shutil.copyfileobj(file, out, 1024 * 1024)
        return Blob(self.name, path=path, temporary=True)


@dataclass(slots=True)
class Rejection:
    """A candidate that is not kept, and why. `reason` is a code (`snake_case`), `detail` is for people.

    `damaged` marks a fault of the whole source (a truncated archive): the rest of it could not be read.
    """

    candidate: str
    reason: str
    detail: str
    uri: str = ""
    damaged: bool = False

    @property
    def fault(self) -> str:
        """What is wrong with a whole file, naming the file once."""
        place = self.uri or self.candidate
        message = self.detail if self.detail.startswith(place) else f"{place}: {self.detail}"
        return message.rstrip(".")


class RowError(Exception):
    """A row, or a file holding one sample, that cannot be used; it becomes a `Rejection`.

    Attributes:
        reason: The code of its rejection (`snake_case`).
        detail: What is wrong, with the actual and the expected value, for people.
        column: The offending column, if there is one.
        row: The row or line in `file`, if the raising code knows both.
        file: The file that contains it.
    """

    def __init__(
        self,
        reason: str,
        detail: str,
        column: str | None = None,
        row: int | str | None = None,
        file: str | None = None,
    ) -> None:
        super().__init__(reason, detail, column, row, file)
        self.reason = reason
        self.detail = detail
        self.column = column
        self.row = row
        self.file = file

    def __str__(self) -> str:
        message = self.detail if self.column is None else f"column {self.column!r}: {self.detail}"
        return f"{self.where}: {message}" if self.where else message

    @property
    def where(self) -> str:
        """File and row, as far as they are known."""
        return ":".join(str(part) for part in (self.file, self.row) if part is not None)

    def rejection(self, where: str = "", *, candidate: str = "", uri: str = "", damaged: bool = False) -> Rejection:
        """The `Rejection` for the account. Every row error becomes a rejection here and nowhere else.

        Args:
            where: File and row, for people, if the error itself does not know them.
            candidate: Name of the candidate; default: the place.
            uri: Where to look; default: the place.
            damaged: The rest of the source could not be read.
        """
        place = where if self.file is None and self.row is None else self.where
        message = self.detail if self.column is None else f"column {self.column!r}: {self.detail}"
        detail = f"{place}: {message}" if place else message
        return Rejection(candidate or place, self.reason, detail, uri or place, damaged)


def bad_cell(column: str, value: Any, expected: str, *, reason: str = "bad_value") -> RowError:
    """The error for a cell whose value is invalid for its column."""
    return RowError(reason, f"expected {expected}, got {str(value)[:80]!r}", column)


@dataclass(slots=True)
class Candidate:
    """One sample before its media is probed.

    Attributes:
        source_id: Unique within dataset, config and split.
        split, config: As the corpus defines them.
        fields: Columns of the sample schema; omitted columns are null, unknown keys are an error.
        media: Pairs of kind (`audio`, `video`, `image`) and blob, in tag order.
        uri, revision: Written to the columns `source` and `revision`.
        where: For messages: the file and row this came from.
        settled: True if the reader knows that the store already has this row, or that it was read before; it is
            counted but not read again.
        made_from: The media's name, if the id was made of nothing else: in another version of the file, the same row
            may have another place among those with that media, and an id with its content (`content_id`).
        stated_s: How long its media is by its manifest, where the manifest says that the sample is all of it.
        length_s: How long its sound must be if it has no span: a file of another length is refused. (One of another
            length than `stated_s` becomes a span.)
        clip_s: How long the piece of a recording is that its media was cut to: the whole recording is refused.
    """

    source_id: str
    split: str | None
    fields: dict[str, Any] = field(default_factory=dict)
    media: list[tuple[str, Blob]] = field(default_factory=list)
    config: str | None = None
    uri: str = ""
    revision: str = ""
    where: str = ""
    settled: bool = False
    made_from: str | None = None
    stated_s: float | None = None
    length_s: float | None = None
    clip_s: float | None = None


@dataclass(frozen=True, slots=True)
class Filtered:
    """Candidates excluded by the user's selection: counted, never listed."""

    count: int = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything before this may be committed: a file set was read to its end and its checksums match."""


RawStream = Iterable[RawFile | Rejection]
CandidateStream = Iterator[Candidate | Rejection]


@dataclass(frozen=True, slots=True)
class ReadContext:
    """What a reader knows about the pull, import or conversion it runs in; immutable.

    Attributes:
        dataset: Name of the dataset.
        options: The options of the reader, from the card.
        wants: Whether a split was requested; a reader skips the others without reading their media.
        settled: Given ids and a revision, whether the store has all of them at that revision.
        chosen: Whether a candidate (source id, config, split) is selected, if the selection was drawn beforehand.
        index_only: Candidates are only listed: media is not read, and blobs carry only a name.
        config: Given by the user (`--as`): replaces the configuration found in the files.
        splits: The splits of the corpus, where a card lists them.
        configs: The requested configurations; empty for all of them.
        whole_corpus: All splits were requested, so that entries belonging to no split are reported.
        remote: The source consists of tables only; media is fetched clip by clip.
        spool: Folder for data too large for memory.
        note: Takes a line for the user: what was skipped, and how much of it.
        listing: Names and paths of the files to be read, where they are a folder of the user's.
        path: The file or folder given by the user.
        format: The format given by the user: `csv`, `jsonl` ...
        columns: Column -> field, from `--map`.
        named_by: Column -> the option that named it, if that was not `--map`.
        id_column: The column that holds the ids.
        records: The key path of the list of records in a JSON document.
        media_dir: The folder that relative media paths are resolved against; default: the folder of the table.
        allow_outside: Folders beside the input whose files may be read too.
        text_only: Samples need no media.
        looks_for_media: Media will be read, so a row whose file is missing may be rejected at once.
        classes: The names of classes 0, 1, 2 ...
        open_archive: Opens an archive and yields its members.
        largest_line: Bytes of the longest line of JSON Lines.
    """

    dataset: str
    options: Mapping[str, Any] = field(default_factory=dict)
    wants: Callable[[str | None], bool] = lambda split: True
    settled: Callable[[list[str], str], bool] = lambda ids, revision: False
    chosen: Callable[[str, str | None, str | None], bool] = lambda source_id, config, split: True
    index_only: bool = False
    config: str | None = None
    splits: Sequence[str] = ()
    configs: Sequence[str] = ()
    whole_corpus: bool = False
    remote: bool = False
    spool: Path | None = None
    note: Callable[[str], None] = lambda line: None
    listing: Callable[[], Iterable[tuple[str, Path]]] = tuple
    path: Path | None = None
    format: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    named_by: Mapping[str, str] = field(default_factory=dict)
    id_column: str | None = None
    records: str = ""
    media_dir: Path | None = None
    allow_outside: tuple[Path, ...] = ()
    text_only: bool = False
    looks_for_media: bool = False
    classes: Sequence[str] = ()
    open_archive: Callable[[RawFile], RawStream] | None = None
    largest_line: int = LARGEST_LINE_MB * MB

    def blob(self, file: RawFile) -> Blob:
        """The media of a file; only its name if candidates are merely listed."""
        return Blob(file.name) if self.index_only else file.blob()

    @property
    def column_fields(self) -> dict[str, str]:
        """Column -> field as given by the user, including the id column."""
        return {**self.columns, **({self.id_column: "id"} if self.id_column else {})}

    @property
    def column_flags(self) -> dict[str, str]:
        """Column -> the option that named it, if that was not `--map`."""
        return {**self.named_by, **({self.id_column: "--id-column"} if self.id_column else {})}


@dataclass(frozen=True, slots=True)
class Layout:
    """The names of the files of a layout.

    Attributes:
        uses: Whether the reader uses a file of this name.
        needs: Each is true of the names of a file that must be there; empty if the names do not tell.
    """

    uses: Callable[[str], bool] = lambda name: False
    needs: tuple[Callable[[str], bool], ...] = ()


class Reader(ABC):
    """Turns the files of one layout into candidates.

    An instance handles one read at a time: `read` starts it, and `accepts` applies to the read in progress. The files
    must therefore come from a lazy iterator: `reader.read(source.files(reader.accepts), context)`.
    """

    def check(self, options: Mapping[str, Any]) -> None:
        """Check the options of a card, as far as that is possible without data.

        Raises:
            UsageError: An option is unknown or invalid.
        """
        if options:
            raise UsageError(f"this reader takes no options; got {', '.join(map(str, options))}.")

    def check_columns(self, file: RawFile, context: ReadContext) -> tuple[str, ...]:
        """Return the columns of a Parquet file; none if this reader does not go by them. No row is read.

        Raises:
            DamagedError: A column that the options name is missing.
        """
        return ()

    def accepts(self, name: str) -> bool:
        """Whether this reader uses a file of this name.

        A source skips the others without reading them; members of a remote zip file are then not even fetched.
        """
        return True

    def layout(self, options: Mapping[str, Any]) -> Layout:
        """Return the names of this reader's files, which tell the sources of a card apart in a user's own folder."""
        return Layout()

    @abstractmethod
    def read(self, files: RawStream, context: ReadContext) -> CandidateStream:
        """Yield the candidates of the files, and rejections; rejections from the source are passed on."""
