"""Import alignments of samples that are already stored: `triptych import textgrid|ctm|... PATH --name DATASET`.

An alignment is matched with a sample by name (see `match_samples.py`), checked, and written as the annotations `words`
and `phones`, in seconds from the start of the sample's media. Times in a file for one sample are relative to the
sample's start; a file for a whole recording is divided among the samples cut from it, by the midpoint of each interval.

Each alignment counts as one candidate in the account: kept, `duplicate` (identical to the latest annotations), or
rejected: `no_sample`, `ambiguous`, `bad_interval` (an end before its start, a start before 0), `beyond_media`,
`empty_alignment`, or a reason from the format's reader. Overlaps are kept and reported.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import pairwise
from typing import Any

import pyarrow as pa

from ...errors import UsageError
from ...shards.events import DUPLICATE, Run
from ...shards.query import connect
from ...shards.store.annotations import LATEST, annotation_row
from ...shards.store.store import Store
from ...shards.store.tables import ANNOTATIONS
from ..candidate import RawFile, RawStream, Rejection, RowError
from ..ingest.event_log import EventLog
from ..readers.alignments.interval import Aligned, AlignmentContext, AlignmentReader, Interval, as_json
from .match_samples import Samples, Target

READERS = {
    "textgrid": "triptych.converters.readers.alignments.textgrid",
    "ctm": "triptych.converters.readers.alignments.ctm",
    "aligner-json": "triptych.converters.readers.alignments.aligner_json",
    "librispeech-alignments": "triptych.converters.readers.alignments.librispeech",
}
"""Format -> module."""

TOLERANCE_S = 0.1
"""Aligners round the end up to a whole frame; an alignment that ends later than this belongs to another recording."""

_OVERLAP_S = 0.001
_BATCH_ROWS = 10_000


def alignment_reader(format: str) -> AlignmentReader:
    """Return the reader of that format; its module is imported on first use."""
    reader: AlignmentReader = import_module(READERS[format]).read
    return reader


def suffix_of(format: str) -> str:
    """The file name suffix of a format, in lower case."""
    suffix: str = import_module(READERS[format]).SUFFIX
    return suffix


def import_alignments(
    format: str, files: RawStream, *, store: Store, run: Run, context: AlignmentContext, producer: str | None
) -> None:
    """Write the alignments of the files as annotations of the run's dataset; the run is counted but not finished.

    Raises:
        UsageError: The dataset has no samples.
    """
    samples = Samples(store, run.dataset)
    if not len(samples):
        raise UsageError(
            f"{run.dataset}: the store has no samples to align.",
            hint=f"import or pull them first; `import {format}` adds annotations to samples that are already stored",
        )
    writer = _AnnotationWriter(store, run, samples, producer or f"import {format}")
    for item in alignment_reader(format)(_files_only(files, writer.reject), context):
        if isinstance(item, Rejection):
            writer.reject(item)
        else:
            writer.take(item)
    writer.finish()
    if writer.overlapping:
        context.note(f"{writer.overlapping} alignments have overlapping intervals; kept as they are")
    if writer.outside:
        context.note(f"{writer.outside} intervals are outside the span of every sample; skipped")


def _files_only(files: RawStream, reject: Callable[[Rejection], None]) -> Iterator[RawFile]:
    for file in files:
        if isinstance(file, Rejection):
            reject(file)
        else:
            yield file


@dataclass(slots=True)
class _AnnotationWriter:
    store: Store
    run: Run
    samples: Samples
    producer: str
    overlapping: int = 0
    outside: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)
    event_log: EventLog = field(init=False)
    latest: dict[tuple[str, str], str] = field(init=False)
    started: datetime = field(init=False)
    number: int = 0

    def __post_init__(self) -> None:
        self.event_log = EventLog(self.store, self.run)
        self.latest = _latest(self.store, self.run.dataset)
        self.started = datetime.now(UTC)

    def take(self, item: Aligned) -> None:
        try:
            values = self._values(item)
        except RowError as problem:
            self.reject(problem.rejection(item.where, candidate=item.names[0]))
            return
        fresh = [each for each in values if self.latest.get(each[:2]) != _digest(each[2])]
        if not fresh:
            self.run.account.drop(DUPLICATE)
            return
        self.run.account.keep()
        for identity, key, value in fresh:
            self.latest[identity, key] = _digest(value)
            # The latest annotation wins, so each row of an import is one microsecond later than the one before.
            time = self.started + timedelta(microseconds=self.number)
            self.number += 1
            self.rows.append(annotation_row(identity, self.run.dataset, key, value, self.producer, time))
        if len(self.rows) >= _BATCH_ROWS:
            self._write()

    def reject(self, item: Rejection) -> None:
        self.run.account.drop(item.reason)
        self.event_log.note(item.candidate, item.reason, item.detail, item.uri)

    def finish(self) -> None:
        self._write()

    def _write(self) -> None:
        with self.store.dataset_lock(self.run.dataset, "write alignments"):
            self.event_log.write()
            if self.rows:
                self.store.append("annotations", pa.Table.from_pylist(self.rows, schema=ANNOTATIONS))
        self.rows = []

    def _values(self, item: Aligned) -> list[tuple[str, str, str]]:
        """(id, key, value) of every annotation of an alignment."""
        if not any(item.tiers.values()):
            raise RowError("empty_alignment", "no interval has any text")
        for intervals in item.tiers.values():
            _check(intervals)
        match = self.samples.find(item.names, item.channel)
        _check_channels(item, match.targets)
        values: list[tuple[str, str, str]] = []
        for key, intervals in item.tiers.items():
            shared = _share(intervals, match.targets, own=match.own)
            self.outside += len(intervals) - sum(map(len, shared))
            for target, mine in zip(match.targets, shared, strict=True):
                _check_end(mine, target)
                if mine:
                    values.append((target.id, key, as_json(mine)))
        if not values:
            raise RowError("empty_alignment", "no interval is within the span of a sample")
        self.overlapping += any(_overlaps(intervals) for intervals in item.tiers.values())
        return values


def _check_channels(item: Aligned, targets: list[Target]) -> None:
    """Refuse an alignment that does not say which channel it is of, if the channels are samples of their own."""
    channels = sorted({str(target.channel) for target in targets})
    names_speakers = all(interval.speaker for intervals in item.tiers.values() for interval in intervals)
    if len(channels) > 1 and item.channel is None and not names_speakers:
        detail = f"the samples of {item.names[-1]} are on the channels {', '.join(channels)}, the alignment names none"
        raise RowError("ambiguous", detail)


def _share(intervals: list[Interval], targets: list[Target], *, own: bool) -> list[list[Interval]]:
    """The intervals of each sample, in seconds of its media; only its speaker's if the file names speakers."""
    if own:
        zero = targets[0].start_s or 0.0
        if not zero:
            return [intervals]
        moved = [Interval(i.text, round(i.start_s + zero, 9), round(i.end_s + zero, 9), i.speaker) for i in intervals]
        return [moved]
    speakers = {interval.speaker for interval in intervals} - {None}
    return [
        [
            interval
            for interval in intervals
            if target.spans((interval.start_s + interval.end_s) / 2)
            and (interval.speaker is None or target.speaker not in speakers or interval.speaker == target.speaker)
        ]
        for target in targets
    ]


def _check(intervals: list[Interval]) -> None:
    for interval in intervals:
        if interval.start_s < 0 or interval.end_s < interval.start_s:
            detail = f"{interval.text!r} from {interval.start_s:g} to {interval.end_s:g} s"
            raise RowError("bad_interval", detail)


def _check_end(intervals: list[Interval], target: Target) -> None:
    if not intervals or target.duration is None:
        return
    last = max(intervals, key=lambda interval: interval.end_s)
    if last.end_s > target.duration + TOLERANCE_S:
        raise RowError(
            "beyond_media", f"{last.text!r} ends at {last.end_s:g} s, the media of {target.id} at {target.duration:g} s"
        )


def _overlaps(intervals: list[Interval]) -> bool:
    pairs = pairwise(intervals)
    return any(b.start_s < a.end_s - _OVERLAP_S and a.speaker == b.speaker for a, b in pairs)


def _latest(store: Store, dataset: str) -> dict[tuple[str, str], str]:
    """(id, key) -> digest of the latest alignment of every sample."""
    with connect(store) as connection:
        rows = connection.execute(
            f"SELECT id, key, sha256({LATEST}) FROM annotations "
            "WHERE dataset = $1 AND key IN ('words', 'phones') GROUP BY id, key",
            [dataset],
        ).fetchall()
    return {(str(identity), str(key)): str(digest) for identity, key, digest in rows}


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
