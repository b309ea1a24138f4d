"""Reader for corpora with annotation tables next to media files.

A card's options:

    tables        the tables, each with its file and how to read it, see tables.py
    media         kind (audio, video, image, media) -> template, or list of templates, for the end of a file's path,
                  from columns of the row: `{split}/{file_name}`, `{video_id}.*` for any extension. With two kinds a
                  sample has one file of each. Without a first table (no tables, or only joined ones) every media file
                  is a row whose columns are the parts of its path.
    media_splits  {template of media: split}, where paths do not say it; media of other splits is not read
    optional_media  kinds that a row may lack; such rows become samples at the end
    ignore_case   true if media paths match case-insensitively
    id            column or template, unique in a split; {row} is the number of the row in its table
    columns       fields of the sample, see field_map.py; unmapped columns go to `extra`, except those in `aside`.
                  `recording.id` is a value inside a column, unless there is a column of that name
    split, config column, template or mapping; else the part {split} or {config} of a path, else the source's value.
                  split: {column: split, map: {validate: val}, only: [train, val]} skips rows of other splits
    group         columns; rows of a file with equal values form one sample, with the captions of all
    length        the seconds of a row without a span; a file of another length is rejected as `other_length`
    clip          {start, end} in a recording: a file much longer is refused, as it is not the clip (`other_length`)
    reject        [{column: text, values: ["<SIL>"], reason: no_speech}]; null is `null`; no media is read for these
    embedded      {file: "*.parquet", name: "{id}.flac", column: audio}: media in Parquet files, see embedded.py
    extra_media   ignore: media without a row is counted, not rejected
    missing_media ignore: rows without media are counted, not rejected
    remote        {site: youtube or link, url: "https://www.youtube.com/watch?v={id}", start, end, kind}: used if the
                  source has only tables. A fetched clip starts at 0, so start_s and end_s go to `extra` as
                  clip_start_s and clip_end_s.

Guarantees: samples come in the order of their media (rows in table order if media is remote). Media that arrives before
its table or its paired media waits on disk. Rows are indexed on disk. Media is read only for selected rows. Rejections:
`bad_row`, `not_utf8`, `bad_value`, `no_id`, `duplicate_source_id`, `ambiguous_row` (rows of one key in a joined table
differ), `ambiguous_media` (a folder has different files of the row's name), the card's own reasons; after a complete,
undamaged read also `no_media` (a row), `no_row` and `duplicate_media` (a file), `no_table`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any

from ...candidate import CandidateStream, Layout, RawFile, RawStream, ReadContext, Reader, Rejection, RowError
from ...files.extensions import kind_of
from ...files.rubbish import is_rubbish
from ..mapping.row_rules import RowRules
from ..tables.cells import Row
from .index import Arrived, Index, IndexedRow, arrived, path_keys
from .namesakes import Namesakes
from .options import Annotation, compile_options
from .rows_of_media import find_rows
from .samples import AnnotatedSamples, refused, skipped
from .table import Table
from .tables import completed, no_table, open_blob, read_rows, seekable

_FURTHER = ("duplicate_media", "its rows already have other media")


class AnnotatedReader(Reader):
    """Annotation tables next to media files; see the module docstring."""

    def __init__(self) -> None:
        self._reading: _Annotated | None = None

    def check(self, options: Mapping[str, Any]) -> None:
        names: dict[str, dict[str, str]] = {}
        compile_options(options, names)
        RowRules(options, ReadContext("check", options), names)

    def layout(self, options: Mapping[str, Any]) -> Layout:
        return compile_options(options, {}).layout()

    def accepts(self, name: str) -> bool:
        return self._reading is None or self._reading.accepts(name)

    def read(self, files: RawStream, context: ReadContext) -> CandidateStream:
        """Candidates in the order in which their media arrives; see the module docstring."""
        names: dict[str, dict[str, str]] = {}
        annotation = compile_options(context.options, names)
        with closing(Index(context.spool)) as index:
            rules = RowRules(context.options, context, names)
            self._reading = _Annotated(annotation, rules, context, index, names)
            yield from self._reading.read(files)


class _Annotated:
    def __init__(
        self,
        annotation: Annotation,
        rules: RowRules,
        context: ReadContext,
        index: Index,
        names: dict[str, dict[str, str]],
    ) -> None:
        self.annotation = annotation
        self.rules = rules
        self.context = context
        self.index = index
        self.names = names
        self.samples = AnnotatedSamples(annotation, rules, context, index)
        self.remote = self.samples.remote
        self.namesakes = Namesakes(annotation, index, context.listing, context.note)
        self.skipped_tables = False
        self.has_first_table = not annotation.first
        self.extra = 0
        self.missing = 0
        self.inner = sorted(name for name in rules.uses | annotation.columns if "." in name)

    # ---- incoming files

    def accepts(self, name: str) -> bool:
        """Whether a file of this name is a table, or media that a requested row may use."""
        if is_rubbish(name):
            return False
        if self.annotation.tables_of(name) or self._is_embedding(name):
            return True
        if self.remote is not None or not self.annotation.is_media(name) or self._is_unwanted(name):
            return False
        keys = self._keys(name)
        return not self.index.is_passed(keys) or bool(find_rows(self.annotation, self.index, name))

    def read(self, files: RawStream) -> CandidateStream:
        intact = True
        for file in files:
            if isinstance(file, Rejection):
                intact &= not file.damaged
                yield file
            elif not self.accepts(file.name):
                continue
            elif tables := self.annotation.tables_of(file.name):
                for item in self._take_tables(file, tables):
                    intact &= not (isinstance(item, Rejection) and item.damaged)
                    yield item
            elif self._is_embedding(file.name):
                for item in self._take_embedded(file):
                    intact &= not (isinstance(item, Rejection) and item.damaged)
                    yield item
            else:
                yield from self._take_media(arrived(file))
        yield from self._finish(intact=intact)

    def _is_embedding(self, name: str) -> bool:
        return self.remote is None and self.annotation.embeds(name)

    def _take_embedded(self, file: RawFile) -> CandidateStream:
        assert self.annotation.embedded is not None
        for item in self.annotation.embedded.files(file, wants=self._awaits, listed=self.context.index_only):
            if isinstance(item, Rejection):
                yield item
            else:
                yield from self._take_media(arrived(item))

    def _awaits(self, name: str) -> bool:
        """Whether a selected row still needs media of this name, or such a row may still arrive."""
        found = find_rows(self.annotation, self.index, name)
        if not found:
            return self.accepts(name)
        return any(self.samples.may_be_chosen(row) for row in self.index.read(n for n, _ in found))

    def _keys(self, name: str) -> list[str]:
        return path_keys(name, ignore_case=self.annotation.ignore_case)

    def _is_unwanted(self, name: str) -> bool:
        """Whether the path of media names a split or a configuration that was not requested."""
        parts = self.annotation.parts(name) or {}
        return not self.rules.wants_config(parts) or ("split" in parts and not self.rules.may_want(parts, None))

    # ---- tables

    def _take_tables(self, file: RawFile, tables: list[tuple[Table, dict[str, str]]]) -> CandidateStream:
        try:
            wanted = [(table, parts) for table, parts in tables if self._is_wanted(table, parts, file)]
        except RowError as error:
            yield error.rejection(file.uri, candidate=file.name)
            return
        if not wanted:
            return
        before = self.index.rows
        if len(wanted) == 1 and not seekable(file):
            with file.open() as stream:
                yield from self._take_table(file, stream, *wanted[0])
        else:
            blob = file.blob()
            for table, parts in wanted:
                with open_blob(blob) as stream:
                    yield from self._take_table(file, stream, table, parts)
            blob.discard()
        if self.index.waits():
            yield from self._match_waiting(before, further=any(not table.is_first for table, _ in wanted))

    def _is_wanted(self, table: Table, parts: dict[str, str], file: RawFile) -> bool:
        """Whether a table has rows of a requested split, by its path and constants; RowError if of none there is."""
        self.rules.check_split({**table.constants, **parts})
        known = {**({"split": file.split} if file.split else {}), **table.constants, **parts}
        if table.names is None and not self.rules.may_want(known, file.split):
            self.skipped_tables = True
            table.note(file.name, {})
            self.has_first_table |= table.is_first
            return False
        return True

    def _take_table(self, file: RawFile, stream: Any, table: Table, parts: dict[str, str]) -> Iterator[Rejection]:
        for number, row in enumerate(read_rows(file, stream, table.options)):
            if isinstance(row, Rejection):
                yield row
                continue
            try:
                if table.names is not None:
                    table.add_name(row.values, self.names)
                elif table.on is not None:
                    self._add_joined(table, row, parts)
                else:
                    for values in table.spread({**table.constants, **row.values, **parts}):
                        self._add_row(completed(values, number, self.rules.id.uses, self.inner), row.where, file)
            except RowError as error:
                yield error.rejection(row.where)
        table.note(file.name, parts)
        self.has_first_table |= table.is_first

    def _add_joined(self, table: Table, row: Row, parts: dict[str, str]) -> None:
        assert table.on is not None
        key = table.key_of({**row.values, **parts}, table.on)
        if key is not None:
            self.index.add_joined(table.number, key, row.values, where=row.where, used=self.rules.uses)

    def _add_row(self, values: dict[str, Any], where: str, file: RawFile) -> int | None:
        if self.rules.knows_split(values) and not self.rules.wants(self.rules.split_of(values, file.split)):
            self.index.add_passed(self.annotation.keys(values, shorter=False))
            return None
        keys, grouped = self.annotation.keys(values), self.samples.group_of(values, file.uri)
        return self.index.add(values, keys, where=where, file=file, grouped=grouped)

    # ---- media

    def _take_media(self, media: Arrived) -> CandidateStream:
        keys = self._keys(media.place)
        try:
            found = self.namesakes.rows_of(media.place) or self._row_of_path(media, keys)
        except RowError as error:
            yield error.rejection(media.uri, candidate=media.name, uri=media.uri)
            return
        if not found:
            if self.index.is_passed(keys):
                return
            if self._tables_are_complete(media):
                yield from self._without_row(media)
            else:
                self.index.hold(media, keys, self.context)
            return
        rows = self.index.read(n for n, _ in found)
        if not rows:
            yield from self._without_row(media, *_FURTHER)
            return
        if len(self.annotation.media) == 1 and all(self._is_ready(row) for row in rows):
            if media.is_free and self._may_have_further_rows(media):
                media.w = self.index.hold(media, keys, self.context)
            yield from self._samples(rows, {found[0][1]: media})
            return
        w = self.index.hold(media, keys, self.context)
        for n, kind in found:
            self.index.note(n, kind, w)
        yield from self._complete([row.n for row in rows])

    def _row_of_path(self, media: Arrived, keys: list[str]) -> list[tuple[int, str]]:
        """If media files are the rows: the row of this one, built from the parts of its path."""
        parts = self.annotation.parts(media.name) if not self.annotation.first else None
        if parts is None or media.file is None:
            return []
        self._add_row(dict(parts), media.uri, media.file)
        return self.index.find(keys)

    def _tables_are_complete(self, media: Arrived) -> bool:
        """Whether all tables that may contain rows for this media have arrived."""
        first = self.annotation.first
        parts = self.annotation.parts(media.name) or {}
        return bool(first) and all(table.is_complete(parts) for table in first)

    def _is_ready(self, row: IndexedRow) -> bool:
        """Whether every further table that this row needs has arrived."""
        return all(table.has_arrived(row.values) for table in self.annotation.further)

    def _match_waiting(self, before: int, *, further: bool) -> CandidateStream:
        """Match waiting media with the table that has just arrived."""
        touched: list[int] = []
        for w, place in self.index.match_waiting(after=before):
            for n, kind in self.namesakes.rows_of(place):
                if n > before:
                    self.index.note(n, kind, w)
                    touched.append(n)
        yield from self._complete(self.index.rows_with_media() if further else list(dict.fromkeys(touched)))

    def _complete(self, numbers: Iterable[int], *, at_end: bool = False) -> CandidateStream:
        """Samples of the rows whose media and tables are complete; rows that share a file are consecutive."""
        needed = set(self.annotation.media)
        if at_end:
            needed -= self.annotation.optional_kinds
        rows: list[IndexedRow] = []
        of_rows: dict[str, int] = {}
        for n in numbers:
            have = self.index.have(n)
            if not have or not needed <= set(have):
                continue
            ready = [row for row in self.index.read([n]) if at_end or self._is_ready(row)]
            if rows and have != of_rows:
                yield from self._from_waiting(rows, of_rows)
                rows = []
            rows.extend(ready)
            of_rows = have
        if rows:
            yield from self._from_waiting(rows, of_rows)

    def _from_waiting(self, rows: list[IndexedRow], have: dict[str, int]) -> CandidateStream:
        yield from self._samples(rows, {kind: self.index.waiting(w) for kind, w in have.items()})

    # ---- samples

    def _samples(self, rows: list[IndexedRow], media: dict[str, Arrived]) -> CandidateStream:
        """The candidates of these rows, which share the same media; it is read only if there is a candidate."""
        ordered = [(kind, media[kind]) for kind in self.annotation.media if kind in media]
        first = ordered[0][1]
        items = list(self.samples.candidates(rows, first))
        if (why := self.namesakes.ambiguity(rows, ordered)) is not None:
            items = refused(items, "ambiguous_media", why)
        samples = [item for item in items if not isinstance(item, Rejection)]
        self.index.finish(row.n for row in rows)
        for kind, media_file in ordered:
            needed_later = media_file.w is not None and self._is_needed_later(media_file, media_file.w)
            alone = len(samples) == 1 and not needed_later
            for sample in samples:
                blob = media_file.blob(self.context) if alone else media_file.share(self.context)
                sample.media.append((kind, blob))
            if not needed_later:
                if not alone:
                    media_file.discard()
                if media_file.w is not None:
                    self.index.release(media_file.w)
        yield from items

    def _is_needed_later(self, media: Arrived, w: int) -> bool:
        """Whether waiting media has further rows, or may have some."""
        self.index.note_use(w)
        return self.index.needs(w) > 0 or self._may_have_further_rows(media)

    def _may_have_further_rows(self, media: Arrived) -> bool:
        """Whether a table that has not arrived may have rows for this media."""
        return bool(self.annotation.first) and not self._tables_are_complete(media)

    # ---- the end

    def _finish(self, *, intact: bool) -> CandidateStream:
        """Handle incomplete rows and media; after a damaged source none are rejected, as the rest may be lost."""
        missing = [t for t in self.annotation.further if not t.read_parts and not t.options.get("optional")]
        if intact and (missing or not self.has_first_table) and not self.skipped_tables:
            yield from (no_table(table.templates) for table in missing or self.annotation.first[:1])
            return
        if self.remote is not None:
            self.index.index_groups()
            for rows in self.index.unfinished():
                yield from self.samples.candidates(rows, None)
                self.index.finish(row.n for row in rows)
            return
        if intact:
            yield from self._complete(self.index.rows_with_media(), at_end=True)
            yield from self._rows_without_media()
            for media in self.index.unclaimed():
                is_further = bool(find_rows(self.annotation, self.index, media.place))
                yield from self._without_row(media, *(_FURTHER if is_further else ()))
        self._note()

    def _rows_without_media(self) -> CandidateStream:
        for rows in self.index.unfinished():
            for item in self.samples.candidates(rows, None):
                if isinstance(item, Rejection):
                    yield item
                elif self.annotation.report_missing:
                    wanted = ", ".join(key for key, _ in self.annotation.keys(rows[0].values))
                    yield Rejection(item.source_id, "no_media", f"{item.where}: there is no file {wanted}", item.where)
                else:
                    self.missing += 1

    def _without_row(
        self, media: Arrived, reason: str = "no_row", detail: str = "no table row refers to this file"
    ) -> Iterator[Rejection]:
        if self.skipped_tables:
            return
        if self.annotation.report_extra:
            yield Rejection(media.name, reason, detail, media.uri)
        elif kind_of(media.name) is not None:
            self.extra += 1

    def _note(self) -> None:
        for line in skipped(self.extra, self.missing):
            self.context.note(line)
