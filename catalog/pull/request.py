"""What a pull is for: what of a card its options mean."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ...shards.store import Store
from ..files import Access, FileSet, file_set_from, file_sets_of
from ..registry import get_card
from ..schema.card import Card
from ..schema.source import SourceCard
from .history import Goal, History
from .options import PullOptions
from .sources import check_gate, sources_to_try
from .stored import held, held_seconds, held_speakers


@dataclass(frozen=True, slots=True)
class PullRequest:
    """What of a dataset a pull is for: its card, and the splits and configurations by their own names."""

    card: Card
    splits: tuple[str, ...]
    configs: tuple[str, ...]
    options: PullOptions

    @classmethod
    def of(cls, name: str, options: PullOptions) -> PullRequest:
        """Raises UsageError where the card, a split, a configuration or the source does not exist."""
        card = get_card(name, extra=options.cards)
        configs = () if options.as_config else card.chosen_configs(options.configs)
        request = cls(card, card.chosen_splits(options.splits), configs, options)
        request.sources(History())
        return request

    @property
    def is_chosen(self) -> bool:
        """Whether only some samples of the splits are wanted, whatever their number."""
        return self.options.subset.is_filter or self.options.subset.is_draw

    @property
    def reads_all(self) -> bool:
        """Whether archives are read to their ends, so that they can be verified before."""
        subset = self.options.subset
        return subset.is_draw or (self.options.samples is None and not subset.has_limits and not subset.ids)

    def goal(self) -> Goal:
        """How much of what is wanted."""
        options, subset = self.options, self.options.subset
        what = [subset.key(), list(self.splits if options.splits else ()), list(self.configs), options.as_config]
        key = json.dumps(what, ensure_ascii=False)
        return Goal(key, options.samples, subset.hours, subset.max_tries)

    def sources(self, history: History) -> list[SourceCard]:
        options = self.options
        return sources_to_try(
            self.card, configs=self.configs, splits=self._split_names(), asked=options.source,
            from_path=options.from_path, history=history,
        )  # fmt: skip

    def held(self, store: Store) -> int:
        """Samples of the splits and configurations that the store holds."""
        return held(store, self.card.name, splits=self._split_names(), configs=self._config_names())

    def held_seconds(self, store: Store) -> float:
        """How long they are."""
        return held_seconds(store, self.card.name, splits=self._split_names(), configs=self._config_names())

    def held_speakers(self, store: Store) -> int | None:
        """How many speakers they have; None where one of them does not say who speaks."""
        return held_speakers(store, self.card.name, splits=self._split_names(), configs=self._config_names())

    def file_sets(self, source: SourceCard, access: Access) -> list[FileSet]:
        """What a source holds of it; the gate before a source is looked at first."""
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
