"""The candidates of one source, file set by file set, as often as a pull needs them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...converters.candidate import Candidate, Checkpoint, Filtered, ReadContext, Rejection
from ...converters.readers import get_reader
from ...shards.sample import sample_id
from ...shards.store import Store
from ..files import Access, FileSet
from ..schema.source import SourceCard
from .request import PullRequest
from .stored import settled

if TYPE_CHECKING:
    from ..sources.clips import RateLimiter

Item = Candidate | Rejection | Checkpoint | Filtered
Stream = Generator[Candidate | Rejection | Checkpoint, None, None]
Chosen = Callable[[str, str], bool]
"""Whether a sample is wanted, by its own id and the corpus's."""


class CandidateReader:
    """One source through its reader."""

    def __init__(self, store: Store, request: PullRequest, source: SourceCard, access: Access) -> None:
        self._store = store
        self._request = request
        self._source = source
        self._access = access
        self._rate_limiter: RateLimiter | None = None
        self.card = request.card

    def candidates(
        self,
        file_sets: list[FileSet],
        ended: list[FileSet],
        *,
        chosen: Chosen | None = None,
        index_only: bool = False,
        settles: bool = True,
    ) -> Stream:
        """What the reader makes of the file sets, each followed by a checkpoint.

        Args:
            ended: File sets are added to it as they were read to their end, each before its checkpoint.
            chosen: Which samples are wanted at all; a reader may skip the others unread, and need not.
            index_only: Candidates are only listed; a reader need not read their media.
            settles: Row groups that the store holds need not be read again.
        """
        reader = get_reader(self._source.reader_name)
        context = self._context(chosen, index_only=index_only, settles=settles)
        for file_set in file_sets:
            damaged = False
            for item in reader(file_set.files(lambda name: context.accepts(name)), context):
                if isinstance(item, Rejection):
                    damaged |= item.damaged
                elif not item.settled:
                    self._complete(item)
                yield item
            if not damaged:
                ended.append(file_set)
            yield Checkpoint()

    def fetched(self, items: Iterable[Item], notice: Callable[[str], None]) -> Generator[Item, None, None]:
        """The same candidates in the same order, with media that lies elsewhere brought here clip by clip."""
        if not self._source.is_remote or self._request.options.from_path is not None:
            yield from items
            return
        from ..sources.clips import RateLimiter, fetch_remote, read_failures, read_held

        options = replace(
            self._request.options.clips,
            # What shows and sounds is of no use without its sound.
            sound_required=self.card.modality == "mixed",
            trusted_hosts=self._source.clip_hosts,
        )
        self._rate_limiter = self._rate_limiter or RateLimiter(options, notice)
        yield from fetch_remote(
            items,
            options,
            dataset=self.card.name,
            spool=self._access.spool,
            held=read_held(self._store, self.card.name),
            known_failures=read_failures(self._store, self.card.name),
            rate_limiter=self._rate_limiter,
            notice=notice,
        )

    @property
    def wall(self) -> str:
        """What is wrong where no host lets anything through any more, so that reading on is no use; else empty."""
        return self._rate_limiter.wall if self._rate_limiter is not None else ""

    def defaults(self, config: str | None) -> Mapping[str, Any]:
        """The columns that every sample of a configuration shares."""
        return self.card.defaults(config)

    def identity(self, candidate: Candidate) -> str:
        return sample_id(self.card.name, candidate.config, candidate.split, candidate.source_id)

    def _context(self, chosen: Chosen | None, *, index_only: bool, settles: bool) -> ReadContext:
        request, name = self._request, self.card.name
        options = request.options
        asked_all = not options.splits
        remote = self._source.is_remote and options.from_path is None
        splits, known, configs = request.splits, self.card.splits, request.configs

        def is_chosen(source_id: str, config: str | None, split: str | None) -> bool:
            if configs and config is not None and config not in configs:
                return False
            return chosen is None or chosen(sample_id(name, options.as_config or config, split, source_id), source_id)

        return ReadContext(
            name,
            self._source.reader_options | {"_whole_corpus": asked_all, "_remote": remote},
            wants=lambda split: split in splits if split in known else asked_all,
            settled=lambda ids, revision: settles and settled(self._store, name, ids, revision),
            chosen=is_chosen,
            index_only=index_only,
            config=options.as_config,
            spool=self._access.spool,
        )

    def _complete(self, candidate: Candidate) -> None:
        """Give a candidate the release that the user named, and what its configuration says of all samples."""
        candidate.config = self._request.options.as_config or candidate.config
        if candidate.config in self.card.configs:
            for field, value in self.card.defaults(candidate.config).items():
                if value is not None:
                    candidate.fields.setdefault(field, value)
