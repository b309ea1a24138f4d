"""Raw files on their way from a source to a reader, and what a reader makes of them.

A source yields `RawFile`s (and a `Rejection` for a member it refuses); a reader turns them into `Candidate`s (and
`Rejection`s); `ingest` takes those into the store. Nothing here touches the store.

A `RawFile` from an archive is valid only until the next one is asked for: read it, or take its `blob()`, at once.
"""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import DamagedError, UsageError
from ..shards.media.media import scratch_path

IN_MEMORY_BYTES = 32 * 1024 * 1024
"""A blob larger than this is spooled to a file, so that memory stays flat whatever an archive holds."""

TEXT_BYTES = 1024 * 1024 * 1024
"""A text file larger than this is not read whole."""


@dataclass(frozen=True, slots=True)
class Remote:
    """Media that lies elsewhere and is fetched clip by clip: a direct link, or a video of a site.

    Attributes:
        url: `https://...`; for a site, the page of the video.
        start_s, end_s: The span that is wanted, in seconds; None is from the start, to the end.
        site: `link` for a file at the URL itself, `youtube` for what yt-dlp finds behind it.
    """

    url: str
    start_s: float | None = None
    end_s: float | None = None
    site: str = "link"


@dataclass(slots=True)
class Blob:
    """The bytes of one media file: in memory, on disk, or still to be fetched (`remote`).

    `temporary` files belong to whoever holds the blob and are moved, not copied. What is `remote` is fetched before it
    comes to `ingest`. Blobs of one file that several candidates hold have the same object as `shared`, so that it is
    stored once; each has a link of its own where the file is temporary.
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


@dataclass(slots=True)
class RawFile:
    """One file as a source hands it over.

    Attributes:
        name: POSIX path inside the source, normalised; never absolute, never climbing out.
        uri: Where it came from, for people: `https://host/a.tar.gz!LibriSpeech/x.flac`.
        revision: The pinned revision or checksum of what it came from.
        size: Bytes, where the source knows it.
        opener: Opens the bytes for reading. Archive members are not seekable.
        path: Set where the bytes lie in a file of their own on this machine.
        split: The corpus split, where the source already knows it.
        config: The corpus configuration, where the source already knows it.
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

    def read(self) -> bytes:
        """The whole file as bytes; for transcripts and tables, not for media."""
        if self.size is not None and self.size > TEXT_BYTES:
            raise DamagedError(f"{self.uri}: {self.size:,} bytes is too large for a text file.")
        with self.open() as file:
            return file.read()

    def blob(self) -> Blob:
        """The media bytes, to be kept beyond the next file."""
        if self.path is not None:
            return Blob(self.name, path=self.path)
        if self.size is not None and self.size <= IN_MEMORY_BYTES:
            return Blob(self.name, data=self.read())
        if self.spool is None:
            raise DamagedError(f"{self.uri}: no spool folder for a member of {self.size} bytes.")
        path = scratch_path(self.spool)
        with self.open() as file, path.open("xb") as out:
            shutil.copyfileobj(file, out, 1024 * 1024)
        return Blob(self.name, path=path, temporary=True)


@dataclass(slots=True)
class Rejection:
    """A candidate that is not kept, and why. `reason` is a code (`snake_case`), `detail` is for people.

    `damaged` marks a fault of the whole source (a truncated archive): what follows it could not be read.
    """

    candidate: str
    reason: str
    detail: str
    uri: str = ""
    damaged: bool = False


class RowError(Exception):
    """A row, or a file that stands for one sample, that cannot be used; it becomes a `Rejection`.

    Attributes:
        reason: The code of its rejection (`snake_case`).
        detail: What is wrong, with the value and what was expected, for people.
        column: The column that is wrong, where it is one.
        row: The row or line inside `file`, where whoever raises it knows both.
        file: The file that it stands in.
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
        said = self.detail if self.column is None else f"column {self.column!r}: {self.detail}"
        return f"{self.where}: {said}" if self.where else said

    @property
    def where(self) -> str:
        """File and row, as far as they are known."""
        return ":".join(str(part) for part in (self.file, self.row) if part is not None)

    def rejection(self, where: str = "", *, candidate: str = "", uri: str = "", damaged: bool = False) -> Rejection:
        """What goes to the account: the one place where an error becomes a `Rejection`.

        Args:
            where: File and row, for people, where the error itself does not know them.
            candidate: Name of the candidate; by default the place.
            uri: Where to look; by default the place.
            damaged: What follows in the source could not be read.
        """
        place = where if self.file is None and self.row is None else self.where
        said = self.detail if self.column is None else f"column {self.column!r}: {self.detail}"
        detail = f"{place}: {said}" if place else said
        return Rejection(candidate or place, self.reason, detail, uri or place, damaged)


def bad_cell(column: str, value: Any, expected: str, *, reason: str = "bad_value") -> RowError:
    """The error of a cell that its column cannot hold."""
    return RowError(reason, f"expected {expected}, got {str(value)[:80]!r}", column)


@dataclass(slots=True)
class Candidate:
    """One sample before its media is probed.

    Attributes:
        source_id: Unique within dataset, config and split.
        split, config: The corpus's own.
        fields: Columns of the sample schema; columns left out are null, unknown keys are an error.
        media: Pairs of kind (`audio`, `video`, `image`) and blob, in tag order.
        uri, revision: Go to the columns `source` and `revision`.
        where: For messages: the file and row this came from.
        settled: True where the reader knows that the store holds this very row; it is counted, not read again.
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


@dataclass(frozen=True, slots=True)
class Filtered:
    """Candidates that the user's selection leaves out: counted, never listed."""

    count: int = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What came before is whole and may be committed: a source's unit was read to its end and its sums agree."""


RawStream = Iterable[RawFile | Rejection]
CandidateStream = Iterator[Candidate | Rejection]


@dataclass(frozen=True, slots=True)
class ReadContext:
    """What a reader may know of the pull, import or conversion it works for; nothing of it changes.

    Attributes:
        dataset: Name of the dataset.
        options: The reader's own options as the card says them.
        wants: Whether a split was asked for; a reader skips the others without reading their media.
        settled: Given ids and a revision, whether the store holds every one of them at that revision.
        chosen: Whether a candidate (source id, config, split) is wanted at all, where a draw has decided that before.
        index_only: The candidates are only listed: media is not read, blobs carry a name and nothing else.
        config: Named by the user (`--as`): stands for the configuration that the files would give.
        whole_corpus: All splits were asked for, so that what belongs to no split is somebody's business.
        remote: The source holds only tables; media is fetched clip by clip.
        spool: Folder for what is too large for memory.
        note: Takes a line for the user: what was passed over, and how much of it.
        path: The file or folder that the user named.
        format: What the user calls its format: `csv`, `jsonl` ...
        columns: Column -> field, as `--map` says.
        id_column: The column that holds the ids.
        media_dir: Where relative paths of media start; by default the table's own folder.
        text_only: Samples need no media.
        looks_for_media: Media is going to be read, so that a row whose file is not there may be rejected at once.
        classes: The names of classes 0, 1, 2 ...
        open_archive: Opens an archive as its members.
    """

    dataset: str
    options: Mapping[str, Any] = field(default_factory=dict)
    wants: Callable[[str | None], bool] = lambda split: True
    settled: Callable[[list[str], str], bool] = lambda ids, revision: False
    chosen: Callable[[str, str | None, str | None], bool] = lambda source_id, config, split: True
    index_only: bool = False
    config: str | None = None
    whole_corpus: bool = False
    remote: bool = False
    spool: Path | None = None
    note: Callable[[str], None] = lambda line: None
    path: Path | None = None
    format: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    id_column: str | None = None
    media_dir: Path | None = None
    text_only: bool = False
    looks_for_media: bool = False
    classes: Sequence[str] = ()
    open_archive: Callable[[RawFile], RawStream] | None = None

    def blob(self, file: RawFile) -> Blob:
        """The media of a file; only its name where candidates are but listed."""
        return Blob(file.name) if self.index_only else file.blob()

    @property
    def column_fields(self) -> dict[str, str]:
        """Column -> field as the user says, the id's column among them."""
        return {**self.columns, **({self.id_column: "id"} if self.id_column else {})}


class Reader(ABC):
    """Turns the files of one layout into candidates.

    An object serves one reading at a time: `read` begins it, and `accepts` answers for the reading in progress. So the
    files come from something lazy: `reader.read(source.files(reader.accepts), context)`.
    """

    def check(self, options: Mapping[str, Any]) -> None:
        """Compile the options that a card gives, as far as that is possible without data.

        Raises:
            UsageError: There is no such option, or it is written wrong.
        """
        if options:
            raise UsageError(f"this reader takes no options; got {', '.join(map(str, options))}.")

    def accepts(self, name: str) -> bool:
        """Whether it has use for a file of this name.

        A source skips the others unread; members of a zip on a host are then not even fetched.
        """
        return True

    @abstractmethod
    def read(self, files: RawStream, context: ReadContext) -> CandidateStream:
        """The candidates of the files, and the rejections; the source's own rejections pass through."""
