"""The stage between reader and ingest: a candidate passes, or is counted as `Filtered`.

The order is kept. If there is an SQL expression, items are buffered in small batches; without one they pass
immediately. The temporary media of filtered candidates is deleted.
"""

from __future__ import annotations

import difflib
import hashlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...converters.candidate import Blob, Candidate, Checkpoint, Filtered, Rejection, RowError
from ...converters.spans import span_suffix
from ...errors import TriptychError
from ...shards.sample import sample_id
from .id_list import Span
from .options import Subset
from .span import media_of_span, span_of
from .where import Unfit

BATCH_ROWS = 256
BATCH_BYTES = 8 * 1024 * 1024
"""The batch size for evaluating an expression; batches are smaller if the media is large."""

NOT_FOUND = "not_found"
_SEEN_LABELS = 2_000

Item = Candidate | Rejection | Checkpoint | Filtered
Defaults = Callable[[str | None], Mapping[str, Any]]
"""Returns the column values shared by all samples of a configuration."""


class Filter:
    """Applies the filters of a subset to one stream of one dataset.

    Attributes:
        ended: The stream was read to its end, and not left early because every id was found or the tries ran out.
        missing: Number of listed ids that no candidate had; known once `ended`.
        ended_by: The option that ended the stream before its end: `--max-tries` or `--ids`; empty otherwise.
    """

    def __init__(self, subset: Subset, dataset: str, defaults: Defaults) -> None:
        self.ended = False
        self.missing = 0
        self.ended_by = ""
        self._subset = subset
        self._dataset = dataset
        self._defaults = defaults
        self._labels = {label.casefold() for label in subset.labels}
        self._met_labels: dict[str, str] = {}
        self._awaited = set(subset.ids.spans) if subset.ids else set()
        self._held: deque[Item] = deque()
        self._held_rows = 0
        self._held_bytes = 0
        self._tries = 0

    def apply(self, items: Iterable[Candidate | Rejection | Checkpoint]) -> Generator[Item, None, None]:
        """Yield what passes, in the original order."""
        try:
            for passed in self._passed(items):
                yield passed
                self._tries += isinstance(passed, Candidate)
                if self._subset.max_tries is not None and self._tries >= self._subset.max_tries:
                    self.ended, self.ended_by = False, "--max-tries"
                    return
        finally:
            _discard_all(self._held)

    def _passed(self, items: Iterable[Candidate | Rejection | Checkpoint]) -> Iterator[Item]:
        try:
            for item in items:
                yield from self._judge(item)
                if self._found_all():
                    self.ended_by = "--ids"
                    break
            else:
                self.ended = True
        except TriptychError:
            yield from self._judge_held()
            raise
        yield from self._judge_held()
        if self.ended:
            yield from self._not_found()

    def may_pass(self, identity: str, source_id: str) -> bool:
        """Whether a sample can pass, by its sample id and its corpus id; readers can skip the media of others."""
        ids, part = self._subset.ids, self._subset.part
        if ids is not None and identity not in ids.spans and source_id not in ids.spans:
            return False
        return part is None or part_of(identity, part[1]) == part[0]

    def unmet_labels(self) -> list[str]:
        """Return the labels that no candidate had, each with the closest existing label."""
        unmet = []
        for label in self._subset.labels:
            if label.casefold() not in self._met_labels:
                near = difflib.get_close_matches(label.casefold(), self._met_labels, n=1)
                unmet.append(f"{label!r}" + (f" (there is {self._met_labels[near[0]]!r})" if near else ""))
        return unmet

    # ---- one candidate

    def _judge(self, item: Candidate | Rejection | Checkpoint) -> Iterator[Item]:
        if isinstance(item, Checkpoint):
            yield from self._judge_held()
            yield item
        elif isinstance(item, Rejection):
            yield from self._hold(self._rejected(item))
        elif not (self.may_pass(self._identity(item), item.source_id) and self._has_label(item)):
            yield from self._hold(discard_media(item))
        else:
            for taken in self._spans(item):
                yield from self._hold(taken)

    def _rejected(self, item: Rejection) -> Item:
        """Handle a candidate that the reader rejected; with a list of ids, unlisted ones only count as filtered."""
        if self._subset.ids is None or item.damaged:
            return item
        if not self._listed(item.candidate):
            return Filtered()
        self._awaited.discard(item.candidate)
        return item

    def _has_label(self, candidate: Candidate) -> bool:
        if not self._labels:
            return True
        labels = candidate.fields.get("labels") or ()
        if len(self._met_labels) < _SEEN_LABELS:
            self._met_labels.update((label.casefold(), label) for label in labels)
        return any(label.casefold() in self._labels for label in labels)

    def _listed(self, identity: str) -> bool:
        return self._subset.ids is not None and identity in self._subset.ids.spans

    def _identity(self, candidate: Candidate) -> str:
        return sample_id(self._dataset, candidate.config, candidate.split, candidate.source_id)

    def _spans(self, candidate: Candidate) -> Iterator[Item]:
        """Yield the candidate, or what the list of ids requests of it: the whole, spans of it, or nothing."""
        ids = self._subset.ids
        if ids is None:
            yield candidate
            return
        names = (self._identity(candidate), candidate.source_id)
        wanted = tuple(dict.fromkeys(span for name in names for span in ids.spans.get(name, ())))
        self._awaited.difference_update(names)
        if len(wanted) > 1:
            candidate = replace(candidate, media=[(kind, _shared(blob)) for kind, blob in candidate.media])
        for position, span in enumerate(wanted):
            yield self._part(candidate, span, is_last=position + 1 == len(wanted))

    def _part(self, candidate: Candidate, span: Span | None, *, is_last: bool) -> Item:
        """The whole candidate or one span of it."""
        task = self._defaults(candidate.config).get("task")
        try:
            part = candidate if span is None else span_of(candidate, span, task=task)
        except RowError as problem:
            if is_last:
                discard_media(candidate)
            name = self._identity(candidate) + span_suffix(*span or (None, None))
            return problem.rejection(candidate.where, candidate=name, uri=candidate.uri)
        return replace(part, media=[(kind, media_of_span(blob, span, is_last=is_last)) for kind, blob in part.media])

    def _found_all(self) -> bool:
        return self._subset.ids is not None and not self._awaited

    def _not_found(self) -> Iterator[Rejection]:
        self.missing = len(self._awaited)
        if self._subset.ids is not None:
            path = self._subset.ids.path
            for identity in sorted(self._awaited):
                detail = f"--ids {path}: no candidate of {self._dataset} has this id"
                yield Rejection(identity, NOT_FOUND, detail)

    # ---- the expression

    def _hold(self, item: Item) -> Iterator[Item]:
        """Pass an item on; with an expression, in a batch, so that the order is kept."""
        if self._subset.where is None:
            yield item
            return
        self._held.append(item)
        if isinstance(item, Candidate):
            self._held_rows += 1
            self._held_bytes += sum(len(blob.data) for _, blob in item.media if blob.data is not None)
        if len(self._held) >= 4 * BATCH_ROWS or self._held_rows >= BATCH_ROWS or self._held_bytes >= BATCH_BYTES:
            yield from self._judge_held()

    def _judge_held(self) -> Iterator[Item]:
        held, self._held, self._held_rows, self._held_bytes = deque(self._held), deque(), 0, 0
        answers = iter(self._answers([item for item in held if isinstance(item, Candidate)]))
        try:
            while held:
                item = held.popleft()
                yield item if not isinstance(item, Candidate) or next(answers) else discard_media(item)
        finally:
            _discard_all(held)

    def _answers(self, candidates: list[Candidate]) -> list[bool]:
        where = self._subset.where
        if where is None or not candidates:
            return [True] * len(candidates)
        rows = [self._row(candidate) for candidate in candidates]
        try:
            return where.of(rows)
        except Unfit:
            return [self._answer(row) for row in rows]

    def _answer(self, row: Mapping[str, Any]) -> bool:
        """Evaluate one row of a batch that does not fit the schema; a row that does not fit is rejected later."""
        assert self._subset.where is not None
        try:
            return self._subset.where.of([row])[0]
        except Unfit:
            return True

    def _row(self, candidate: Candidate) -> dict[str, Any]:
        return {"id": self._identity(candidate), "dataset": self._dataset, **known_fields(candidate, self._defaults)}


def known_fields(candidate: Candidate, defaults: Defaults) -> dict[str, Any]:
    """Return the columns of a candidate that are known before its media is read."""
    shared = defaults(candidate.config)
    row = {**shared, **candidate.fields}
    extra = {**(shared.get("extra") or {}), **(candidate.fields.get("extra") or {})}
    row["extra"] = [(name, value) for name, value in extra.items() if value is not None]
    row |= {"config": candidate.config, "split": candidate.split}
    return row | {"source": candidate.uri, "revision": candidate.revision}


def part_of(identity: str, parts: int) -> int:
    """Return the part, from 1, of an id: the same on every machine, whatever else is pulled."""
    digest = hashlib.sha256(f"part:{identity}".encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % parts + 1


def discard_media(candidate: Candidate) -> Filtered:
    """Delete the temporary files of a candidate that is not taken."""
    for _, blob in candidate.media:
        blob.discard()
    return Filtered()


def _discard_all(held: deque[Item]) -> None:
    """Delete the temporary files of all candidates that are still buffered."""
    while held:
        item = held.popleft()
        if isinstance(item, Candidate):
            discard_media(item)


def _shared(blob: Blob) -> Blob:
    """Mark media as shared by several samples, so that it is stored once."""
    return blob if blob.remote is not None or blob.shared is not None else replace(blob, shared=object())
