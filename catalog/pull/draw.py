"""A pull of a draw: the source is listed, the draw is made, and what was drawn is read.

What turns out dead or broken is replaced by the next ranks and the source is read again for those, until the number is
stored or nobody is left. A draw of hours measures the drawn media before it stores any: only so is it the shortest one
that is long enough. A draw that is run again, or grows, reads only what the store does not hold of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from ...converters.candidate import Blob, Candidate, Rejection
from ...converters.ingest.quota import seconds_of
from ...shards.events import DUPLICATE, FILTERED, Account
from ...shards.media.media import MediaError
from ...shards.media.probe import probe
from ...shards.sample import MEDIA_KINDS
from ..files.file_set import FileSet
from ..subset.filter import Filter, known_fields, let_go
from ..subset.options import Subset
from ..subset.sample import Draw, KeySet, Listing, hash_key
from .candidates import CandidateReader, FileSetRead, IsChosen, Item, Items, pipeline
from .stored import StoredDataset

_PILOT = 64
"""A draw of hours measures so many first, to know about how many it will take."""


class SourceDraw:
    """One draw from the file sets of one source.

    Attributes:
        ended: File sets whose listing was read to its end.
        held: Samples of the draw that the store holds.
        missing: Ids of the user's list that no candidate had.
        reached: The number or the hours that were asked for are stored.
        has_all: Everything that could be drawn is stored, or was tried.
    """

    def __init__(
        self, reader: CandidateReader, file_sets: list[FileSet], subset: Subset, stored: StoredDataset
    ) -> None:
        self.ended: list[FileSet] = []
        self.held = 0
        self.missing = 0
        self.reached = False
        self.has_all = False
        self._reader = reader
        self._file_sets = file_sets
        self._subset = subset
        self._stored = stored
        self._listed = 0
        self._read = 0
        self._rejected: set[int] = set()
        self._not_found: list[Rejection] = []

    def passes(self, samples: int | None) -> Iterator[Items]:
        """List the source and draw; then the drawn candidates, pass by pass, each to be stored before the next.

        A pass after the first reads what stands in for those that failed; the last one gives the ids of the user's
        list that nobody has.
        """
        draw = self._list()
        self._note_stored(draw)
        while True:
            count = self._count(draw, samples)
            keys = KeySet(draw.untried(count, tries=self._subset.max_tries))
            if not len(keys):
                break
            yield self._drawn(keys)
            self._note_stored(draw)
            draw.fail_untried(keys.keys)
            if self._reader.wall:
                break
        if self._not_found:
            yield (item for item in self._not_found)
        self.held = draw.held(count)
        self.has_all = len(draw.untried()) == 0
        hours = self._subset.hours
        self.reached = (samples is not None and self.held >= samples) or (
            hours is not None and draw.seconds(count) >= hours * 3600
        )

    def balance(self, account: Account) -> None:
        """Count the listed candidates that no pass read: stored already, or not drawn."""
        not_read_again = max(0, self.held - account.kept - account.dropped[DUPLICATE])
        account.drop(DUPLICATE, not_read_again)
        account.drop(FILTERED, max(0, self._listed - self._read - not_read_again))

    # ---- passes over the source

    def _list(self) -> Draw:
        """Every candidate that the filters pass."""
        listing = Listing(self._subset)
        filters = Filter(self._subset.without_limits(), self._reader.card.name, self._reader.defaults)
        source = self._reader.read(self._file_sets, chosen=filters.may_pass, index_only=True, settles=False)
        with pipeline(source, self._counted, filters.apply) as passed:
            for item in passed:
                if isinstance(item, Candidate):
                    listing.add(self._reader.identity(item), known_fields(item, self._reader.defaults))
                    let_go(item)
                elif isinstance(item, Rejection) and not item.damaged and item.reason == "not_found":
                    self._not_found.append(item)
        self.missing = filters.missing
        return listing.draw()

    def _counted(self, items: Iterator[Item]) -> Items:
        for item in items:
            self._listed += isinstance(item, Candidate)
            if not isinstance(item, FileSetRead):
                yield item
            elif item.whole:
                self.ended.append(item.file_set)

    def _drawn(self, keys: KeySet) -> Items:
        """The candidates of these keys, and what the reader rejects, once over all passes."""
        rejected_before = frozenset(self._rejected)
        with closing(self._reader.read(self._file_sets, chosen=self._is_in(keys), settles=False)) as source:
            for item in source:
                if isinstance(item, Candidate):
                    if hash_key(self._subset.seed, self._reader.identity(item)) not in keys:
                        let_go(item)
                        continue
                    self._read += 1
                elif isinstance(item, Rejection):
                    mark = hash((item.candidate, item.reason))
                    self._rejected.add(mark)
                    if mark in rejected_before:
                        continue
                yield item

    def _is_in(self, keys: KeySet) -> IsChosen:
        return lambda identity, _: hash_key(self._subset.seed, identity) in keys

    # ---- how many

    def _count(self, draw: Draw, samples: int | None) -> int | None:
        """How many samples the draw has, as far as is known."""
        if self._subset.hours is None:
            return samples
        count = self._count_for(draw, self._subset.hours * 3600)
        return count if samples is None else min(count, samples)

    def _count_for(self, draw: Draw, seconds: float) -> int:
        """The smallest number of samples that is so long; media is measured until that is sure."""
        while True:
            count = draw.samples_for(seconds)
            if not len(draw.unmeasured(count)):
                return count
            ahead = min(count + count // 8 + 8, len(draw)) if draw.knows_lengths else min(count, _PILOT)
            unknown = len(draw.unmeasured(ahead))
            self._measure(draw, ahead)
            if len(draw.unmeasured(ahead)) == unknown:
                # Clips whose length nobody knows before they are fetched: the mean of the others stands in.
                return ahead if not draw.knows_lengths else count

    def _measure(self, draw: Draw, count: int) -> None:
        """Read the length of the drawn media that is not known yet; nothing is stored."""
        keys = KeySet(draw.unmeasured(count))
        with closing(self._reader.read(self._file_sets, chosen=self._is_in(keys), settles=False)) as source:
            for item in source:
                if isinstance(item, Candidate):
                    key = hash_key(self._subset.seed, self._reader.identity(item))
                    length = _length(item) if key in keys else None
                    if length is not None:
                        draw.measured(key, length)
                    let_go(item)

    def _note_stored(self, draw: Draw) -> None:
        """Look at the store anew: a listing takes long, and a pass has just been stored."""
        self._stored.refresh()
        for keys, seconds in self._stored.draw_keys(seed=self._subset.seed):
            draw.note_stored(keys, seconds)


def _length(candidate: Candidate) -> float | None:
    """Seconds of a candidate; 0 where its media is broken, None where nobody knows before it is fetched."""
    found: dict[str, dict[str, float]] = {}
    for kind, blob in candidate.media:
        if blob.remote is not None:
            start, end = blob.remote.start_s, blob.remote.end_s
            if end is None:
                return None
            found.setdefault("audio", {"duration": end - (start or 0.0)})
            continue
        length = _probed(kind, blob)
        if length is not None:
            found.setdefault(length[0], {"duration": length[1]})
    return seconds_of({**candidate.fields, **found})


def _probed(kind: str, blob: Blob) -> tuple[str, float] | None:
    place = blob.data if blob.data is not None else blob.path
    if place is None:
        return None
    try:
        found = probe(place, kind=kind if kind in MEDIA_KINDS else None)
    except MediaError:
        return None
    length = found.fields.get("duration")
    return (found.kind, float(length)) if length is not None else None


__all__ = ["SourceDraw"]
