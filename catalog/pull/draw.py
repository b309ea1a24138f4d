"""Pull a draw: list the source, draw, and read the drawn candidates.

Missing or broken candidates are replaced by the next ranks, for which the source is read again, until the requested
number is stored or no candidates are left. A draw by hours measures the drawn media before it stores any, to find
the smallest draw that is long enough. Repeating or growing a draw reads only what is not stored yet.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing

from ...converters.candidate import Blob, Candidate, Rejection
from ...converters.ingest.quota import measured_seconds, seconds_of
from ...shards.events import DUPLICATE, FILTERED, Account
from ...shards.media.media import MediaError
from ...shards.media.probe import probe
from ...shards.sample import MEDIA_KINDS
from ..files.file_set import FileSet
from ..subset.filter import Filter, discard_media, known_fields
from ..subset.options import Subset
from ..subset.sample import Draw, KeySet, Listing, hash_key
from .candidates import CandidateReader, FileSetRead, IsChosen, Item, Items, pipeline
from .promises import Promises
from .stored import StoredDataset

_PILOT = 64
"""A draw by hours measures this many candidates first, to estimate how many it needs."""


class SourceDraw:
    """One draw from the file sets of one source.

    Attributes:
        ended: File sets that were listed to their end.
        held: Number of stored samples of the draw.
        missing: Number of ids in the user's list that no candidate had.
        unmet_labels: The requested labels that no candidate has.
        reached: The requested number or hours are stored.
        has_all: Everything that could be drawn is stored or was tried.
    """

    def __init__(
        self,
        reader: CandidateReader,
        promises: Promises,
        file_sets: list[FileSet],
        subset: Subset,
        stored: StoredDataset,
    ) -> None:
        self.ended: list[FileSet] = []
        self.held = 0
        self.missing = 0
        self.unmet_labels: list[str] = []
        self.reached = False
        self.has_all = False
        self._reader = reader
        self._promises = promises
        self._file_sets = file_sets
        self._subset = subset
        self._stored = stored
        self._listed = 0
        self._read = 0
        self._rejected: set[int] = set()
        self._not_found: list[Rejection] = []

    def passes(self, samples: int | None) -> Iterator[Items]:
        """List the source and draw; then yield the drawn candidates in passes, each to be stored before the next.

        Passes after the first read replacements for the candidates that failed; the last one yields a rejection for
        each id of the user's list that was not found.
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
        """Count the listed candidates that no pass read: already stored, or not drawn."""
        not_read_again = max(0, self.held - account.kept - account.dropped[DUPLICATE])
        account.drop(DUPLICATE, not_read_again)
        account.drop(FILTERED, max(0, self._listed - self._read - not_read_again))

    # ---- passes over the source

    def _list(self) -> Draw:
        """List every candidate that passes the filters."""
        listing = Listing(self._subset)
        filters = Filter(self._subset.without_limits(), self._reader.card.name, self._reader.defaults)
        source = self._reader.read(self._file_sets, chosen=filters.may_pass, index_only=True, settles=False)
        with pipeline(source, self._promises.watch, self._counted, filters.apply) as passed:
            for item in passed:
                if isinstance(item, Candidate):
                    listing.add(self._reader.identity(item), known_fields(item, self._reader.defaults))
                    discard_media(item)
                elif isinstance(item, Rejection) and not item.damaged and item.reason == "not_found":
                    self._not_found.append(item)
        self.missing = filters.missing
        self.unmet_labels = filters.unmet_labels() if filters.ended else []
        return listing.draw()

    def _counted(self, items: Iterator[Item]) -> Items:
        for item in items:
            self._listed += isinstance(item, Candidate)
            if not isinstance(item, FileSetRead):
                yield item
            elif item.whole:
                self.ended.append(item.file_set)

    def _drawn(self, keys: KeySet) -> Items:
        """Yield the candidates of these keys, and each rejection once over all passes."""
        rejected_before = frozenset(self._rejected)
        with closing(self._reader.read(self._file_sets, chosen=self._is_in(keys), settles=False)) as source:
            for item in source:
                if isinstance(item, Candidate):
                    if hash_key(self._subset.seed, self._reader.identity(item)) not in keys:
                        discard_media(item)
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

    # ---- number of samples

    def _count(self, draw: Draw, samples: int | None) -> int | None:
        """Return the number of samples of the draw, as far as is known."""
        if self._subset.hours is None:
            return samples
        count = self._count_for(draw, self._subset.hours * 3600)
        return count if samples is None else min(count, samples)

    def _count_for(self, draw: Draw, seconds: float) -> int:
        """Return the smallest number of samples with this many seconds; measures media until it is certain."""
        while True:
            count = draw.samples_for(seconds)
            if not len(draw.unmeasured(count)):
                return count
            ahead = min(count + count // 8 + 8, len(draw)) if draw.knows_lengths else min(count, _PILOT)
            unknown = len(draw.unmeasured(ahead))
            self._measure(draw, ahead)
            if len(draw.unmeasured(ahead)) == unknown:
                # The length of these clips is unknown before they are downloaded: the mean of the others is used.
                return ahead if not draw.knows_lengths else count

    def _measure(self, draw: Draw, count: int) -> None:
        """Measure the drawn media of unknown length; nothing is stored."""
        keys = KeySet(draw.unmeasured(count))
        with closing(self._reader.read(self._file_sets, chosen=self._is_in(keys), settles=False)) as source:
            for item in source:
                if isinstance(item, Candidate):
                    key = hash_key(self._subset.seed, self._reader.identity(item))
                    length = _length(item) if key in keys else None
                    if length is not None:
                        draw.measured(key, length)
                    discard_media(item)

    def _note_stored(self, draw: Draw) -> None:
        """Mark the stored samples in the draw, from a fresh snapshot of the store."""
        self._stored.refresh()
        for keys, seconds in self._stored.draw_keys(seed=self._subset.seed, measured=self._subset.hours is not None):
            draw.note_stored(keys, seconds)


def _length(candidate: Candidate) -> float | None:
    """Return the seconds of a candidate; 0 if its media is broken, None if unknown before it is downloaded."""
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
    known = seconds_of({**candidate.fields, **found})
    if known is not None:
        return known
    media = {kind: io.BytesIO(blob.data) if blob.data is not None else blob.path for kind, blob in candidate.media}
    return measured_seconds(candidate.fields, {kind: place for kind, place in media.items() if place is not None})


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
