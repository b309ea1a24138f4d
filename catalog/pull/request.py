"""The request of a pull: a card, with the splits and configurations that the options select."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..registry import get_card
from ..schema.card import Card
from ..schema.source import SourceCard
from ..sources.clips.options import require_ytdlp
from .history import Goal, History
from .options import PullOptions
from .sources import check_gate, source_of_files, sources_to_try, usable_sources
from .stored import StoredDataset

if TYPE_CHECKING:
    from pathlib import Path

    from ..files.access import Access
    from ..files.file_set import FileSet
    from ..sources.download.http import HttpClient


@dataclass(frozen=True, slots=True)
class PullRequest:
    """What to pull of a dataset: its card, and the names of the selected splits and configurations.

    It is created once, from a name and the options, and passed from stage to stage.

    Attributes:
        own: The source whose layout the user's own files have.
    """

    card: Card
    splits: tuple[str, ...]
    configs: tuple[str, ...]
    options: PullOptions
    own: SourceCard | None = None

    @classmethod
    def of(cls, name: str, options: PullOptions) -> PullRequest:
        """Create a request. Raises UsageError if the card, a split, a configuration or the source does not exist."""
        return cls.of_card(get_card(name, extra=options.cards), options)

    @classmethod
    def of_card(cls, card: Card, options: PullOptions) -> PullRequest:
        configs = () if options.as_config else card.chosen_configs(options.configs)
        request = cls(card, card.chosen_splits(options.splits), configs, options)
        sources = request._usable()
        if options.from_path is None:
            return request
        own = source_of_files(card, sources, options.from_path, allow_outside=options.allow_outside)
        return replace(request, own=own)

    def with_options(self, options: PullOptions) -> PullRequest:
        """Return a request for the same dataset with other options."""
        return self.of_card(self.card, options)

    @property
    def is_chosen(self) -> bool:
        """Whether a filter or draw selects some samples of the splits; a number of samples alone does not."""
        return self.options.subset.is_filter or self.options.subset.is_draw

    @property
    def reads_all(self) -> bool:
        """Whether archives are read to their end, so that they are verified first."""
        subset = self.options.subset
        return subset.is_draw or (self.options.samples is None and not subset.has_limits and not subset.ids)

    def goal(self) -> Goal:
        """Return the selected samples and the limits."""
        options, subset = self.options, self.options.subset
        what = [subset.key(), list(self._split_names()), list(self.configs), options.as_config]
        key = json.dumps(what, ensure_ascii=False)
        return Goal(key, options.samples, subset.hours, subset.max_tries)

    # ---- what is stored

    def held(self, stored: StoredDataset) -> int:
        """Return the number of stored samples of the splits and configurations."""
        return stored.count(splits=self._split_names(), configs=self._config_names())

    def held_seconds(self, stored: StoredDataset) -> float:
        """Return their total length in seconds."""
        return stored.seconds(splits=self._split_names(), configs=self._config_names())

    def held_speakers(self, stored: StoredDataset) -> int | None:
        """Return their number of speakers; None if one of them has no speaker."""
        return stored.speakers(splits=self._split_names(), configs=self._config_names())

    # ---- where it comes from

    def sources(self, history: History) -> list[SourceCard]:
        """Return the sources to try, in order."""
        if self.own is not None:
            return [self.own]
        return sources_to_try(self._usable(), is_asked=self.options.source is not None, history=history)

    def _usable(self) -> list[SourceCard]:
        return usable_sources(self.card, configs=self.configs, splits=self._split_names(), asked=self.options.source)

    def check_tools(self, source: SourceCard) -> None:
        """Raises UsageError if a source needs an optional package that is not installed."""
        if source.clip_site == "youtube" and self.options.from_path is None:
            require_ytdlp()

    def tokens(self) -> dict[str, str]:
        """Return the hub's token by host; empty if the pull does not use the hub."""
        options = self.options
        if options.mirror or options.from_path or all(source.kind != "hub" for source in self.card.sources):
            return {}
        from ..sources.hub import hub_tokens

        return hub_tokens()

    def access(self, client: HttpClient, partial: Path, history: History) -> Access:
        """Return the access of this pull to hosts, mirrors and downloads."""
        from ..files.access import Access
        from ..files.mirror import Mirror

        options = self.options
        return Access(
            client,
            partial,
            Mirror.open(options.mirror, client=client) if options.mirror else None,
            whole=self.reads_all,
            asked=bool(options.splits),
            revisions=dict(history.revisions),
            progress=options.on_bytes,
            allow_outside=options.allow_outside,
        )

    def file_sets(self, source: SourceCard, access: Access) -> list[FileSet]:
        """Return the file sets of a source, after checking its gate."""
        from ..files.file_set import file_sets_of
        from ..files.user_files import file_set_from

        if self.options.from_path is not None:
            known = tuple(self.card.splits)
            return [file_set_from(self.options.from_path, source, self.splits, self.configs, access, known=known)]
        if self.options.mirror is None:
            check_gate(self.card, source)
        return file_sets_of(source, self.card, self.splits, self.configs, access)

    def _split_names(self) -> tuple[str, ...]:
        return self.splits if self.options.splits else ()

    def _config_names(self) -> tuple[str, ...]:
        return (self.options.as_config,) if self.options.as_config else self.configs


def check_request(name: str, options: PullOptions) -> PullRequest:
    """Create and check the request of a pull, before a store is created for it.

    Raises:
        UsageError: The request cannot work.
    """
    request = PullRequest.of(name, options)
    request.check_tools(request.sources(History())[0])
    return request
