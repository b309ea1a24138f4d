"""Raw files on their way from a source to a reader, and what a reader makes of them.

A source yields `RawFile`s (and a `Rejection` for a member it refuses); a reader turns them into `Candidate`s (and
`Rejection`s); `ingest` takes those into the store. Nothing here touches the store.

A `RawFile` from an archive is valid only until the next one is asked for: read it, or take its `blob()`, at once.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from ..errors import DamagedError
from ..shards.media import scratch_path

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
        place = self.where or where
        detail = f"{where}: {self}" if where and not self.where else str(self)
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


@dataclass(slots=True)
class ReadContext:
    """What a reader may know of the pull it works for.

    Attributes:
        dataset: Name of the dataset.
        options: The reader's own options, from the card or the command line.
        wants: Whether a split was asked for; a reader skips the others without reading their media.
        settled: Given ids and a revision, whether the store holds every one of them at that revision.
        accepts: Set by a reader before it asks for the first file: whether it has use for a file of that name. A
            source skips the others unread (members of a zip on a host are then not even fetched).
        chosen: Whether a candidate (source id, config, split) is wanted at all, where a draw has decided that before.
        index_only: The candidates are only listed: media is not read, blobs carry a name and nothing else.
        config: Named by the user (`--as`): stands for the configuration that the files would give.
        spool: Folder for what is too large for memory.
    """

    dataset: str
    options: Mapping[str, Any] = field(default_factory=dict)
    wants: Callable[[str | None], bool] = lambda split: True
    settled: Callable[[list[str], str], bool] = lambda ids, revision: False
    accepts: Callable[[str], bool] = lambda name: True
    chosen: Callable[[str, str | None, str | None], bool] = lambda source_id, config, split: True
    index_only: bool = False
    config: str | None = None
    spool: Path | None = None

    def blob(self, file: RawFile) -> Blob:
        """The media of a file; only its name where candidates are but listed."""
        return Blob(file.name) if self.index_only else file.blob()


Reader = Callable[[RawStream, ReadContext], CandidateStream]
