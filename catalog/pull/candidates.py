"""The interface of a pull's stages, and the first stage: reading candidates from a source, file set by file set.

Every stage takes an iterator of items and returns one, in the same order. An item is a candidate, the outcome of one
(`Rejection`, `Filtered`), or a checkpoint after a file set. A pipeline that is left early must be closed; each stage
then deletes the temporary files of the items that it holds.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ...converters.candidate import Candidate, Checkpoint, Filtered, ReadContext, Rejection
from ...converters.readers import get_reader
from ...shards.sample import sample_id
from ..schema.source import SourceCard
from .request import PullRequest
from .stored import StoredDataset

if TYPE_CHECKING:
    from ..files.access import Access
    from ..files.file_set import FileSet
    from ..sources.clips.rate_limit import RateLimiter

log = logging.getLogger("triptych")

Item = Candidate | Rejection | Checkpoint | Filtered
Items = Generator[Item, None, None]
Stage = Callable[[Iterator[Any]], Items]
NO_SPLIT = "no_split"
"""Reason of the rejection of a sample whose files do not say which split it is of."""
UNKNOWN_SPLIT = "unknown_split"
"""Reason of the rejection of a sample of a split that the card lacks: nobody knows whether it is for training."""
IsChosen = Callable[[str, str], bool]
"""Whether a sample is requested, by its sample id and its corpus id."""


@contextmanager
def pipeline(source: Items, *stages: Stage) -> Iterator[Iterator[Item]]:
    """Pass the items of a source through all stages; at the end the last stage is closed first."""
    with ExitStack() as opened:
        items = opened.enter_context(closing(source))
        for stage in stages:
            items = opened.enter_context(closing(stage(items)))
        yield items


@dataclass(frozen=True, slots=True)
class FileSetRead(Checkpoint):
    """The checkpoint after a file set; `whole` if it was read to its end without damage."""

    file_set: FileSet
    whole: bool


def noting_read(ended: list[FileSet]) -> Stage:
    """Return the last stage before the store, which adds a file set to `ended` when the item after it is requested: by
    then all of it is stored. The reader itself is often further ahead, as clips are fetched in advance."""

    def stage(items: Iterable[Item]) -> Items:
        for item in items:
            yield item
            if isinstance(item, FileSetRead) and item.whole:
                ended.append(item.file_set)

    return stage


def _of_no_split(candidate: Candidate, splits: Iterable[str]) -> Rejection:
    """Return the rejection of a sample whose split is not one of the card's."""
    from ..subset.filter import discard_media

    discard_media(candidate)
    reason, detail = NO_SPLIT, "nothing says which split it is of"
    if candidate.split is not None:
        reason, detail = UNKNOWN_SPLIT, f"its split is {candidate.split!r}; the card has {', '.join(splits)}"
    where = candidate.where or candidate.uri
    return Rejection(candidate.source_id, reason, f"{where}: {detail}", candidate.uri)


class CandidateReader:
    """Reads one source: from files to candidates, and from clips in tables to media."""

    def __init__(
        self,
        request: PullRequest,
        source: SourceCard,
        stored: StoredDataset,
        access: Access,
    ) -> None:
        self._request = request
        self._source = source
        self._stored = stored
        self._access = access
        self._rate_limiter: RateLimiter | None = None
        self.card = request.card

    def read(
        self,
        file_sets: list[FileSet],
        *,
        chosen: IsChosen | None = None,
        index_only: bool = False,
        settles: bool = True,
    ) -> Items:
        """Yield the reader's items of each file set, followed by a checkpoint.

        Args:
            chosen: Which samples are requested; a reader may skip the others unread, but does not have to.
            index_only: Candidates are only listed; a reader does not have to read their media.
            settles: Row groups that are already in the store can be skipped.
        """
        reader_name = self._source.reader_name
        reader = get_reader(reader_name)
        # Of one file among several, nobody knows yet whether another has what it lacks.
        tells = len(file_sets) == 1 and not index_only
        context = self._context(chosen, index_only=index_only, settles=settles, tells=tells)
        for file_set in file_sets:
            damaged = False
            log.info("read %s (%s) with the reader %s", file_set.place, ", ".join(file_set.splits), reader_name)
            for item in reader.read(file_set.files(reader.accepts), replace(context, listing=file_set.listing)):
                if isinstance(item, Rejection):
                    damaged |= item.damaged
                elif item.split not in self.card.splits:
                    item = _of_no_split(item, self.card.splits)
                elif not item.settled:
                    self._complete(item)
                yield item
            yield FileSetRead(file_set, whole=not damaged)

    def fetch(self, items: Iterator[Item]) -> Items:
        """Yield the same candidates in the same order, with remote media downloaded clip by clip."""
        if not self._source.is_remote or self._request.options.from_path is not None:
            yield from items
            return
        from ..sources.clips.availability import read_failures, read_held
        from ..sources.clips.rate_limit import RateLimiter
        from ..sources.clips.stage import fetch_remote

        options = replace(
            self._request.options.clips,
            # An audio-video sample is useless without its audio.
            sound_required=self.card.modality == "mixed",
            trusted_hosts=self._source.clip_hosts,
        )
        # Shared by all passes over the source: a host that refused in one pass is not retried in the next.
        self._rate_limiter = self._rate_limiter or RateLimiter(options, self._access.notice)
        yield from fetch_remote(
            items,
            options,
            dataset=self.card.name,
            spool=self._access.spool,
            held=read_held(self._stored.snapshot, self.card.name),
            known_failures=read_failures(self._stored.snapshot, self.card.name),
            rate_limiter=self._rate_limiter,
            notice=self._access.notice,
        )

    @property
    def wall(self) -> str:
        """Why no host of clips serves anything any more, so that reading on is pointless; empty otherwise."""
        return self._rate_limiter.refusal if self._rate_limiter is not None else ""

    def defaults(self, config: str | None) -> Mapping[str, Any]:
        """Return the column values shared by all samples of a configuration."""
        return self.card.defaults(config)

    def identity(self, candidate: Candidate) -> str:
        return sample_id(self.card.name, candidate.config, candidate.split, candidate.source_id)

    def _context(self, chosen: IsChosen | None, *, index_only: bool, settles: bool, tells: bool) -> ReadContext:
        request, name = self._request, self.card.name
        options = request.options
        asked_all = not options.splits
        remote = self._source.is_remote and options.from_path is None
        splits, known, configs = request.splits, self.card.splits, request.configs

        def is_chosen(source_id: str, config: str | None, split: str | None) -> bool:
            if configs and config is not None and config not in configs:
                self._access.other_configs.add(config)
                return False
            return chosen is None or chosen(sample_id(name, options.as_config or config, split, source_id), source_id)

        return ReadContext(
            name,
            self._source.reader_options,
            # An unknown split is not what was asked for: the reader finds out, or the candidate is rejected.
            wants=lambda split: split is None or (split in splits if split in known else asked_all),
            settled=lambda ids, revision: settles and self._stored.has_all(ids, revision),
            chosen=is_chosen,
            index_only=index_only,
            config=options.as_config,
            whole_corpus=asked_all,
            remote=remote,
            spool=self._access.spool,
            splits=tuple(known),
            configs=configs,
            note=(lambda line: self._access.notice(f"{name}: {line}")) if tells else lambda line: None,
        )

    def _complete(self, candidate: Candidate) -> None:
        """Set the release named by the user, and the column values shared by the candidate's configuration."""
        candidate.config = self._request.options.as_config or candidate.config
        if candidate.config in self.card.configs:
            shared = self.card.defaults()
            for field, value in self.card.defaults(candidate.config).items():
                if value is not None and value != shared[field]:
                    candidate.fields.setdefault(field, value)
