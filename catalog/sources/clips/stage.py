"""The stage between a reader and the store that fetches media clip by clip, in the reader's order.

`fetch_remote` takes the items of a reader and yields them in the same order: items without remote media pass through,
samples already stored pass as settled without a download, clips known to be gone become rejections without a request,
and the rest is fetched by a few processes, a few downloads ahead of the consumer. No threads are used: between two
items only those processes run, and closing the generator kills them and removes their unfinished files.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from ....converters.candidate import Blob, Candidate, Checkpoint, Filtered, Rejection
from ....errors import TriptychError
from ....shards.events import WITHDRAWN
from ....shards.media.media import scratch_path
from ....shards.sample import sample_id
from .availability import Held
from .options import ClipOptions, require_ytdlp
from .pool import WorkerPool
from .process import Key, Task
from .rate_limit import RateLimiter

Item = Candidate | Rejection | Checkpoint | Filtered

_READ_AT_ONCE = 256
_LINE = 1024
_CLIPS_PER_JOB = 4


def fetch_remote(
    items: Iterable[Item],
    options: ClipOptions,
    *,
    dataset: str,
    spool: Path,
    held: Held = lambda ids: set(),
    known_failures: Mapping[str, str] | None = None,
    rate_limiter: RateLimiter | None = None,
    notice: Callable[[str], None] = lambda text: None,
) -> Generator[Item, None, None]:
    """Fetch the remote media of candidates, in order; consuming N of them starts at most N + jobs downloads.

    Parameters:
        items: Items of a reader. `Blob.remote` describes the clip to fetch.
        dataset: Dataset name, for sample ids.
        spool: Folder for temporary files on the store's file system (`partial/tmp`).
        held: Returns which ids are in the store (`read_held`).
        known_failures: Clips known to be gone, with the reason (`read_failures`).
        rate_limiter: State of the hosts from an earlier call that this one continues. Once every host is closed
            (`refusal`), only rows of other hosts can still be fetched. Clips never requested are not yielded at all.
        notice: Called with each message for the user, once.

    Raises:
        UsageError: An option is invalid, yt-dlp is missing (at the first clip that needs it, before anything is
            fetched), or the disk is full.
    """
    options.check()
    rate_limiter = rate_limiter or RateLimiter(options, notice)
    stage = _Stage(iter(items), options, dataset, spool, held, known_failures or {}, rate_limiter)
    try:
        yield from stage.run()
    finally:
        stage.close()


@dataclass(slots=True)
class _Place:
    """One item in the queue, and the tasks that must finish before it can be yielded."""

    item: Item
    tasks: list[tuple[int, Task]] = field(default_factory=list)
    begins: bool = False

    @property
    def is_ready(self) -> bool:
        return all(task.answer is not None for _, task in self.tasks)

    @property
    def is_not_requested(self) -> bool:
        """Whether one of its clips was never requested because its host is closed."""
        return any(task.not_requested for _, task in self.tasks)


class _Stage:
    def __init__(
        self,
        items: Iterator[Item],
        options: ClipOptions,
        dataset: str,
        spool: Path,
        held: Held,
        failures: Mapping[str, str],
        rate_limiter: RateLimiter,
    ) -> None:
        self._items = items
        self._options = options
        self._dataset = dataset
        self._spool = spool
        self._held = held
        self._failures = failures
        self._rate_limiter = rate_limiter
        self._pool = WorkerPool(options, spool.parent / "clips", rate_limiter)
        self._read: deque[Item] = deque()
        self._line: deque[_Place] = deque()
        self._error: TriptychError | None = None
        self._ended = False
        self._last_key: Key | None = None
        self._has_ytdlp = False

    def run(self) -> Iterator[Item]:
        while True:
            self._fill()
            self._pool.dispatch()
            if not self._line:
                if self._error is not None:
                    raise self._error
                return
            if not self._line[0].is_ready:
                self._pool.wait()
                continue
            place = self._line.popleft()
            if place.is_not_requested:
                _drop(place)
                continue
            yield self._finished(place)

    def close(self) -> None:
        """Stop all downloads and remove the files that were not consumed."""
        self._pool.close()
        for place in self._line:
            _drop(place)
        for item in self._read:
            _drop_files(item)

    def _fill(self) -> None:
        """Queue items: as many downloads as there are jobs, and further segments of the same downloads."""
        while len(self._line) < _LINE and self._has_room():
            if not self._read and not self._ended:
                self._read_on()
            if not self._read:
                return
            self._line.append(self._place(self._read.popleft()))

    def _has_room(self) -> bool:
        if self._rate_limiter.is_over:
            return False
        begun = sum(place.begins for place in self._line)
        clips = sum(len(place.tasks) for place in self._line)
        return begun < self._options.jobs and clips < _CLIPS_PER_JOB * self._options.jobs

    def _read_on(self) -> None:
        """Read a batch of items, to look up their ids at once; an error is raised after the items before it."""
        try:
            for item in islice(self._items, _READ_AT_ONCE):
                self._read.append(item)
        except TriptychError as error:
            self._error = error
            self._ended = True
        if len(self._read) < _READ_AT_ONCE:
            self._ended = True
        remote = [self._id(item) for item in self._read if _is_remote(item)]
        found = self._held(remote) if remote else set()
        if found:
            self._read = deque(self._settled(item, found) for item in self._read)

    def _settled(self, item: Item, found: set[str]) -> Item:
        if isinstance(item, Candidate) and _is_remote(item) and self._id(item) in found:
            return replace(item, media=[], settled=True)
        return item

    def _place(self, item: Item) -> _Place:
        if not isinstance(item, Candidate) or not _is_remote(item):
            return _Place(item)
        refused = self._refused(item)
        if refused is not None:
            _drop_files(item)
            return _Place(refused)
        place = _Place(item)
        for number, (kind, blob) in enumerate(item.media):
            if blob.remote is None:
                continue
            if blob.remote.site == "youtube" and not self._has_ytdlp:
                require_ytdlp()
                self._has_ytdlp = True
            task = Task(blob.remote, kind, scratch_path(self._spool), self._options.sound_required and kind == "video")
            place.begins |= task.key != self._last_key
            self._last_key = task.key
            place.tasks.append((number, task))
            self._pool.submit(task)
        return place

    def _refused(self, candidate: Candidate) -> Rejection | None:
        identity = self._id(candidate)
        reason = self._failures.get(identity)
        if reason == WITHDRAWN:
            return Rejection(
                identity, WITHDRAWN, "removed on request; `store remove` left a tombstone", _uri(candidate)
            )
        if reason is None or self._options.asks_again(reason):
            return None
        return Rejection(identity, reason, f"failed in an earlier run; --retry {reason} tries again", _uri(candidate))

    def _finished(self, place: _Place) -> Item:
        """Return the item with its files, or a rejection with the reason of the first failed clip."""
        candidate = place.item
        if not isinstance(candidate, Candidate) or not place.tasks:
            return candidate
        for _, task in place.tasks:
            assert task.answer is not None
            if "reason" in task.answer:
                for _, other in place.tasks:
                    other.discard()
                _drop_files(candidate)
                reason, detail = task.answer["reason"], task.answer["detail"]
                return Rejection(self._id(candidate), reason, detail, _uri(candidate))
        for number, task in place.tasks:
            kind, blob = candidate.media[number]
            candidate.media[number] = (kind, Blob(blob.name, path=task.target, temporary=True))
        ways = dict.fromkeys(task.answer["how"] for _, task in place.tasks if task.answer)
        candidate.fields["extra"] = {**(candidate.fields.get("extra") or {}), "cut": ",".join(ways)}
        return candidate

    def _id(self, item: Item) -> str:
        assert isinstance(item, Candidate)
        return sample_id(self._dataset, item.config, item.split, item.source_id)


def _is_remote(item: Item) -> bool:
    if not isinstance(item, Candidate) or item.settled:
        return False
    return any(blob.remote is not None for _, blob in item.media)


def _uri(candidate: Candidate) -> str:
    remotes = (blob.remote.url for _, blob in candidate.media if blob.remote is not None)
    return candidate.uri or next(remotes, "")


def _drop(place: _Place) -> None:
    for _, task in place.tasks:
        task.discard()
    _drop_files(place.item)


def _drop_files(item: Item) -> None:
    """Remove the temporary files of an item that will not be consumed."""
    if isinstance(item, Candidate):
        for _, blob in item.media:
            blob.discard()
