"""The stage between a reader and the store that brings in media clip by clip, in the reader's order.

`fetch_remote` takes the stream of a reader and gives the same stream on: what has no remote media passes, what the
store holds passes as settled and unfetched, what is known to be gone becomes a rejection unasked, and the rest is
fetched by a few processes, a few clips ahead of the consumer. There is no thread: between two items nothing waits
but those processes, and closing the generator kills them and removes what they were writing.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from pathlib import Path

from ....converters.raw import Candidate, Checkpoint, Filtered, Rejection
from .liveness import Held
from .options import RemoteOptions

Item = Candidate | Rejection | Checkpoint | Filtered


def fetch_remote(
    items: Iterable[Item],
    options: RemoteOptions,
    *,
    dataset: str,
    spool: Path,
    held: Held = lambda ids: set(),
    known_failures: Mapping[str, str] | None = None,
    notice: Callable[[str], None] = lambda text: None,
) -> Generator[Item, None, None]:
    """Resolve the remote media of candidates, in their order; a pull that takes N fetches at most N + jobs downloads.

    Parameters:
        items: What a reader yields. `Blob.remote` says what is wanted.
        dataset: For sample ids.
        spool: Folder for temporary files on the store's own file system (`partial/tmp`).
        held: Which ids the store holds (`read_held`).
        known_failures: What is known to be gone (`read_failures`).
        notice: Told what the user should know, once each.

    Raises:
        UsageError: An option cannot be meant so, yt-dlp is missing (at the first clip that needs it, before anything
            is fetched), or the disk is full.
    """
    raise NotImplementedError
    yield
