"""Check and compile a card's options for the reader `annotated`: tables, media, remote media."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

from ....errors import UsageError
from ....shards.sample import MEDIA_KINDS
from ...candidate import Blob, Layout, Remote, bad_cell
from ...files.extensions import MEDIA_EXTENSIONS
from ..mapping.field_map import Value, compile_value
from ..mapping.operations import Names, seconds
from ..mapping.option_types import a_flag, a_text, entries, items, one_of, texts
from ..mapping.path_template import compile_template, match, placeholders
from ..mapping.text_template import Row, filling
from .embedded import Embedded, compile_embedded
from .index import normal_key
from .nested_rows import OF_FILES, get_layout
from .table import Table
from .tables import check_table

_OPTIONS = frozenset(
    {"tables", "media", "optional_media", "ignore_case", "id", "columns", "split", "config", "group", "reject"}
    | {"media_splits", "length", "clip", "remote", "embedded", "extra_media", "missing_media", "aside"}
)
_TABLE_OPTIONS = frozenset(
    {"file", "format", "encoding", "delimiter", "quoting", "header", "comment", "skip", "skip_initial_space", "escape"}
    | {"records", "keyed", "rows", "join", "optional", "names", "key", "value", "set", "rest", "single", "gather"}
)
KIND_OF_MEDIA = (*MEDIA_KINDS, "media")
_SITES = ("link", "youtube")


@dataclass
class Annotation:
    """The compiled options of one read."""

    tables: list[Table]
    media: dict[str, list[str]]
    optional_kinds: frozenset[str]
    ignore_case: bool
    group: list[str]
    report_extra: bool
    report_missing: bool
    remote: RemoteMedia | None
    embedded: Embedded | None = None
    media_splits: Mapping[str, str] = field(default_factory=dict)

    @property
    def first(self) -> list[Table]:
        """Tables whose rows are samples; if there are none, every media file is a row."""
        return [table for table in self.tables if table.is_first]

    @property
    def further(self) -> list[Table]:
        return [table for table in self.tables if not table.is_first]

    def layout(self) -> Layout:
        """The files that are tables, media or Parquet with media; every table that is not optional is needed."""

        def uses(name: str) -> bool:
            return bool(self.tables_of(name) or self.is_media(name)) or self.embeds(name)

        needed = [table for table in self.tables if table.names is None and not table.options.get("optional")]
        return Layout(uses, tuple(table.matches for table in needed))

    def embeds(self, name: str) -> bool:
        return self.embedded is not None and self.embedded.holds(name)

    @property
    def columns(self) -> set[str]:
        """The columns that the paths of media are made of."""
        return {name for templates in self.media.values() for each in templates for name in filling(each).columns}

    def tables_of(self, name: str) -> list[tuple[Table, dict[str, str]]]:
        """The tables that a file matches, with the parts of its path; one file may match several."""
        found = [(table, table.match(name)) for table in self.tables]
        return [(table, parts) for table, parts in found if parts is not None]

    @cached_property
    def table_parts(self) -> frozenset[str]:
        """The placeholders in the paths of the first tables."""
        return frozenset(name for table in self.first for each in table.templates for name in placeholders(each))

    def keys(self, row: Row, *, shorter: bool = True, as_written: bool = False) -> list[tuple[str, str]]:
        """The media keys (key, kind) of a row of the first table.

        Args:
            shorter: Not only a path, but also its end alone.
            as_written: Upper and lower case differ, even if the card ignores case.
        """
        keys: list[tuple[str, str]] = []
        for kind, templates in self.media.items():
            filled: list[str] = []
            for template in templates:
                key = filling(template).fill(row)
                if key is None or (not shorter and any(has_shorter(longer, [template]) for longer in filled)):
                    continue
                filled.append(template)
                keys.append((normal_key(key, ignore_case=self.ignore_case and not as_written), kind))
        return keys

    def is_media(self, name: str) -> bool:
        """Whether a path looks like media of this corpus, regardless of the rows."""
        # Of an archive's members, the source knows the configuration.
        shapes = (each.removeprefix("{config}/") for templates in self.media.values() for each in templates)
        return any(_shape(template).search(name) for template in shapes)

    def parts(self, name: str) -> dict[str, str] | None:
        """The parts of a media file's path, from the first template that matches."""
        for templates in self.media.values():
            for template in templates:
                if (parts := media_parts(template, name)) is not None:
                    known = self.media_splits.get(template)
                    return parts if known is None else {"split": known, **parts}
        return None


def has_shorter(template: str, templates: Sequence[str]) -> bool:
    """Whether the card also has the end of this path alone, with fewer folders."""
    return any(other != template and template.endswith(f"/{other.lstrip('/')}") for other in templates)


def media_parts(template: str, name: str) -> dict[str, str] | None:
    if not is_path_template(template):
        return None
    if not template.endswith(".*"):
        return match(template, name)
    path = PurePosixPath(name)
    if path.suffix.lower().removeprefix(".") not in MEDIA_EXTENSIONS:
        return None
    return match(template.removesuffix(".*"), str(path.with_suffix("")))


@lru_cache(maxsize=256)
def is_path_template(template: str) -> bool:
    """Whether every placeholder is a plain part of a path."""
    return placeholders(template) == filling(template).columns and not re.search(r"\{[^}]*[\[|:]", template)


@lru_cache(maxsize=256)
def _shape(template: str) -> re.Pattern[str]:
    """The paths that a media template can produce; the value of a column may contain slashes."""
    fixed = template.removesuffix(".*") if template.endswith(".*") else template
    pieces = ["" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{[^{}]*\})", fixed.strip("/"))]
    ending = rf"\.(?:{'|'.join(sorted(MEDIA_EXTENSIONS))})" if fixed != template else ""
    body = "".join(piece or ".*" for piece in _collapsed(pieces))
    return re.compile(f"(?:^|/){body}{ending}$", re.IGNORECASE)


def _collapsed(pieces: list[str]) -> Iterable[str]:
    """Merge adjacent wildcards, so that the expression cannot cause catastrophic backtracking."""
    before: str | None = None
    for piece in pieces:
        if piece or before != "":
            yield piece
        before = piece


@dataclass(slots=True)
class RemoteMedia:
    """Media that is fetched clip by clip, as described on a card."""

    site: str
    kind: str
    url: str
    start: Value | None
    end: Value | None

    def blob(self, row: Row, name: str) -> Blob:
        """The clip of this row, still to be fetched.

        Raises:
            RowError: The URL or the span is invalid.
        """
        template = filling(self.url)
        url = template.fill(row, quote=None if template.is_one_column else lambda text: quote(text, safe="-_.~"))
        if url is None or not _is_link(url):
            raise bad_cell(", ".join(template.columns), url, "a URL that starts with https://")
        start, end = self._seconds(self.start, row), self._seconds(self.end, row)
        if (start or 0) < 0 or (end is not None and end <= (start or 0)):
            raise bad_cell("start, end", f"{start} to {end}", "a start at 0 or later and an end after it")
        return Blob(name, remote=Remote(url, start, end, self.site))

    @staticmethod
    def _seconds(value: Value | None, row: Row) -> float | None:
        found = value.get(row) if value is not None else None
        return None if found is None or found == "" else seconds(found, ", ".join(value.uses if value else ()))


def _is_link(url: str) -> bool:
    """Whether it is a URL with a host that can be looked up: `urlsplit` and DNS raise ValueError for others."""
    try:
        host = urlsplit(url).hostname or ""
        host.encode("idna")
        _ = urlsplit(url).port
    except ValueError:
        return False
    return host != "" and re.fullmatch(r"https?://[^\s\x00-\x1f\x7f]+", url) is not None


def compile_options(options: Mapping[str, Any], names: Names) -> Annotation:
    """Check and compile the card's options.

    Raises:
        UsageError: An option is unknown or invalid.
    """
    unknown = sorted(set(map(str, options)) - _OPTIONS)
    if unknown:
        raise UsageError(f"reader annotated: unknown option {', '.join(unknown)}.")
    tables = [_table(number, entry, names) for number, entry in enumerate(items(options.get("tables"), "tables"))]
    media = {kind: texts(value, f"media.{kind}") for kind, value in entries(options.get("media"), "media").items()}
    wrong = sorted(set(media) - set(KIND_OF_MEDIA))
    if wrong:
        raise UsageError(f"media: {', '.join(wrong)} is not a kind of media ({', '.join(KIND_OF_MEDIA)}).")
    remote = _remote(options["remote"], names) if options.get("remote") else None
    if not media and remote is None:
        raise UsageError("reader annotated: `media`, `remote` or both are required.")
    for templates in media.values():
        for template in templates:
            filling(template)
    _note_shared(tables, media)
    optional = [one_of(kind, "optional_media", KIND_OF_MEDIA) for kind in _as_list(options.get("optional_media") or [])]
    return Annotation(
        tables,
        media,
        frozenset(optional),
        a_flag(options.get("ignore_case"), "ignore_case"),
        texts(options["group"], "group") if options.get("group") else [],
        _reported("extra_media", options),
        _reported("missing_media", options),
        remote,
        compile_embedded(options["embedded"]) if options.get("embedded") else None,
        _media_splits(options.get("media_splits"), media),
    )


def _media_splits(spec: Any, media: Mapping[str, list[str]]) -> dict[str, str]:
    splits = {str(template): a_text(split, "media_splits") for template, split in entries(spec, "media_splits").items()}
    unknown = sorted(set(splits) - {template for templates in media.values() for template in templates})
    if unknown:
        raise UsageError(f"media_splits: {', '.join(unknown)} is not a template of `media`.")
    return splits


def _note_shared(tables: list[Table], media: Mapping[str, list[str]]) -> None:
    known = [template for table in tables if table.is_first for template in table.templates]
    known = known or [template for templates in media.values() for template in templates]
    parts = {name for template in known for name in placeholders(template)}
    for table in tables:
        if not table.is_first:
            own = [name for template in table.templates for name in placeholders(template)]
            table.shared = tuple(dict.fromkeys(name for name in own if name in parts))


def _reported(name: str, options: Mapping[str, Any]) -> bool:
    value = options.get(name, "reject")
    if value not in ("reject", "ignore"):
        raise UsageError(f"{name}: expected reject or ignore, got {value!r}.")
    return bool(value == "reject")


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def _table(number: int, entry: Any, names: Names) -> Table:
    if not isinstance(entry, Mapping) or "file" not in entry:
        raise UsageError(f"tables: entry {number + 1} needs `file`, a path template.")
    unknown = sorted(set(map(str, entry)) - _TABLE_OPTIONS)
    if unknown:
        raise UsageError(f"tables: {entry['file']}: unknown option {', '.join(unknown)}.")
    table = Table(number, texts(entry["file"], f"tables.{number}.file"), entry, get_layout(None), get_layout(None))
    expand = get_layout(entry.get("rows"))
    if OF_FILES & set(entry.get("rows") or {}):
        table.spread = expand
    else:
        table.expand = expand
    for template in table.templates:
        compile_template(template)
    check_table(entry, what=f"tables.{number}")
    table.constants = entries(entry.get("set"), f"tables.{number}.set")
    if "names" in entry:
        if not {"key", "value"} <= set(entry):
            raise UsageError(f"tables: {entry['file']}: a table of names needs `key` and `value`.")
        table.names = a_text(entry["names"], f"tables.{number}.names")
    elif "join" in entry:
        join = entry["join"] if isinstance(entry["join"], Mapping) else {"on": entry["join"], "with": entry["join"]}
        if set(join) != {"on", "with"}:
            quoted = " (put `on` in quotes: YAML reads it as true)" if True in join else ""
            raise UsageError(f"tables: {entry['file']}: `join` is a column, or `on` and `with`{quoted}.")
        table.on = compile_value(join["on"], names, what="join.on")
        table.with_ = compile_value(join["with"], names, what="join.with")
    return table


def _remote(spec: Any, names: Names) -> RemoteMedia:
    if (
        not isinstance(spec, Mapping)
        or not isinstance(spec.get("url"), str)
        or set(spec) - {"site", "url", "start", "end", "kind"}
    ):
        raise UsageError(f"remote: expected {{site, url, start, end, kind}}, got {spec!r}.")
    site, kind = str(spec.get("site", "link")), str(spec.get("kind", "media"))
    if site not in _SITES or kind not in KIND_OF_MEDIA:
        raise UsageError(f"remote: site is one of {', '.join(_SITES)}, kind one of {', '.join(KIND_OF_MEDIA)}.")
    spans = {
        key: compile_value(spec[key], names, what=f"remote.{key}") if spec.get(key) is not None else None
        for key in ("start", "end")
    }
    filling(spec["url"])
    try:
        urlsplit(spec["url"])
    except ValueError as error:
        raise UsageError(f"remote.url: {spec['url']!r} is not a URL ({error}).") from None
    return RemoteMedia(site, kind, str(spec["url"]), spans["start"], spans["end"])
