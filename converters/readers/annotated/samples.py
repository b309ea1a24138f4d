"""Turn indexed rows into candidates: join further tables, expand, group, and apply the card's rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any

from ...candidate import Candidate, CandidateStream, ReadContext, Rejection, RowError
from ..mapping.row_rules import Origin, RowRules
from ..tables.cells import as_text
from .index import Arrived, Index, IndexedRow
from .options import Annotation


class AnnotatedSamples:
    """Builds the candidates of indexed rows, without their media; each id once."""

    def __init__(self, annotation: Annotation, rules: RowRules, context: ReadContext, index: Index) -> None:
        self.annotation = annotation
        self.rules = rules
        self.index = index
        self.remote = annotation.remote if context.remote else None
        self._unchecked = True

    def group_of(self, row: dict[str, Any], file: str) -> str | None:
        """The key that the rows of one sample share; None if every row is a sample.

        Rows of another file are another sample, refused for its id: two versions of a table are not put together.
        """
        if not self.annotation.group:
            return None
        return repr([file, *(as_text(row.get(column)) for column in self.annotation.group)])

    def may_be_chosen(self, row: IndexedRow) -> bool:
        """Whether a row, judging by its own columns, may become a selected sample."""
        if self.rules.joins_split and not self.rules.knows_split(row.values):
            return True
        try:
            return self.rules.identity(row.values, _origin(row, None)) is not None
        except RowError:
            return True

    def candidates(self, rows: list[IndexedRow], media: Arrived | None) -> CandidateStream:
        """The candidates of these rows, and rejections; the rows of a group must be passed together."""
        groups: dict[str, list[tuple[dict[str, Any], Origin]]] = {}
        for row in rows:
            try:
                whole = self._joined(row)
                for number, expanded in enumerate(self._expanded(row, whole)):
                    key = self.group_of(expanded, row.file) or f"{row.n}:{number}"
                    groups.setdefault(key, []).append((expanded, _origin(row, media)))
            except RowError as error:
                yield error.rejection(row.where)
        for members in groups.values():
            item = self._candidate([values for values, _ in members], members[0][1])
            if item is not None:
                yield item

    def _candidate(self, rows: list[dict[str, Any]], origin: Origin) -> Candidate | Rejection | None:
        item = self.rules.candidate(rows, origin)
        if not isinstance(item, Candidate):
            return item
        if self.remote is not None:
            try:
                blob = self.remote.blob(rows[0], item.source_id)
            except RowError as error:
                return error.rejection(origin.where, candidate=item.source_id)
            _as_clip(item, blob.remote.start_s if blob.remote else None, blob.remote.end_s if blob.remote else None)
            item.media = [(self.remote.kind, blob)]
            item.uri = blob.remote.url if blob.remote else item.uri
        if not self.index.claim(repr((item.config, item.split, item.source_id))):
            detail = f"{origin.where}: duplicate id {item.source_id!r} in this split"
            return Rejection(item.source_id, "duplicate_source_id", detail, origin.where)
        return item

    def _joined(self, row: IndexedRow) -> dict[str, Any]:
        """The row with the columns of the further tables."""
        whole = dict(row.values)
        complete = True
        for table in self.annotation.further:
            if table.with_ is None:
                continue
            key = table.key_of(row.values, table.with_)
            joined = self.index.joined(table.number, key) if key is not None else None
            complete &= joined is not None
            if joined is not None:
                whole = {**joined, **whole}
        if self._unchecked and complete and self._has_header():
            self.rules.check(whole, where=row.where)
            self._unchecked = False
        return whole

    def _has_header(self) -> bool:
        """Whether rows name all their columns: JSON rows may omit null ones."""
        tables = [table for table in self.annotation.tables if table.names is None]
        formats = {PurePosixPath(t.removesuffix(".gz")).suffix for table in tables for t in table.templates}
        return formats <= {".csv", ".tsv"} and not any(
            "rows" in table.options or "format" in table.options for table in tables
        )

    def _expanded(self, row: IndexedRow, whole: dict[str, Any]) -> Iterator[dict[str, Any]]:
        first = self.annotation.first
        yield from first[0].expand(whole) if first else iter([whole])


def refused(items: Iterable[Candidate | Rejection], reason: str, why: str) -> list[Candidate | Rejection]:
    """Return the same rejections, and one for each candidate."""
    return [
        Rejection(item.source_id, reason, f"{item.where}: {why}", item.where) if isinstance(item, Candidate) else item
        for item in items
    ]


def _origin(row: IndexedRow, media: Arrived | None) -> Origin:
    if media is None:
        return Origin(row.where, row.where, row.revision, row.split, row.config)
    split, config = row.split or media.split, row.config or media.config
    return Origin(row.where, media.uri, media.revision, split, config)


def _as_clip(item: Candidate, start: float | None, end: float | None) -> None:
    """Move the span in the source video to `extra`, because the fetched clip itself starts at 0."""
    for field, name, seconds in (("start_s", "clip_start_s", start), ("end_s", "clip_end_s", end)):
        of_row = item.fields.pop(field, None)
        seconds = of_row if seconds is None else seconds
        if seconds is not None:
            item.fields.setdefault("extra", {})[name] = as_text(seconds) or ""


def skipped(extra: int, missing: int) -> Iterator[str]:
    """The lines for the user about what a card lets pass: media files without a row, rows without media."""
    if extra:
        yield (
            f"{extra:,} media files without a row were skipped"
            if extra > 1
            else "1 media file without a row was skipped"
        )
    if missing:
        yield f"{missing:,} rows without media were skipped" if missing > 1 else "1 row without media was skipped"
