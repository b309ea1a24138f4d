"""From rows to candidates: the card's rules for ids, splits, configurations, fields and rejected rows.

Options shared by row-based readers (documented in annotated/reader.py): `id`, `columns`, `split`, `config`, `group`,
`reject`, `length`, `aside`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ....errors import DamagedError, UsageError
from ...candidate import Candidate, ReadContext, Rejection, RowError
from ...imports.columns import LIST_FIELDS
from ..tables.cells import as_config, as_name, as_number, as_text
from .field_map import FieldMap, Value, compile_value
from .operations import Names
from .option_types import a_text, items, some, texts
from .text_template import Row


@dataclass(frozen=True, slots=True)
class Origin:
    """Where rows come from, and the split and configuration given by their source."""

    where: str
    uri: str
    revision: str
    split: str | None = None
    config: str | None = None


@dataclass(frozen=True, slots=True)
class _RejectRule:
    value: Value
    texts: frozenset[str | None]
    reason: str


class RowRules:
    """Builds one candidate from one row, or from the rows of one group."""

    def __init__(
        self,
        options: Mapping[str, Any],
        context: ReadContext,
        names: Names,
        *,
        aside: Iterable[str] = (),
        implied: bool = True,
    ) -> None:
        """`aside` are columns of media; if `implied`, columns named `split` and `config` need no mapping."""
        if "id" not in options:
            raise UsageError("the card's reader needs `id`: a column or a template of columns.")
        self.context = context
        self._implied = ("split", "config") if implied else ()
        self.id = compile_value(options["id"], names, what="id")
        split = dict(options["split"]) if isinstance(options.get("split"), Mapping) else options.get("split")
        only = texts(split.pop("only"), "split.only") if isinstance(split, dict) and "only" in split else ()
        self._only = set(only)
        self._split = compile_value(split, names, what="split") if split else None
        self._config = compile_value(options["config"], names, what="config") if options.get("config") else None
        self._length = compile_value(options["length"], names, what="length") if options.get("length") else None
        self._clip = _ends_of_clip(options.get("clip"), names)
        own = [self.id, *(value for value in (self._split, self._config) if value is not None)]
        taken = [column for value in own for column in value.takes]
        named = texts(options["aside"], "aside") if options.get("aside") else []
        self.fields = FieldMap(options.get("columns"), names, aside=[*taken, *self._implied, *aside, *named])
        self._reject_rules = [_reject_rule(item, names) for item in items(options.get("reject"), "reject")]
        length = [] if self._length is None else [self._length]
        self._needed = [*own, *length, *self._clip, *(item.value for item in self._reject_rules)]

    @property
    def deciding(self) -> set[str]:
        """Columns that identify the sample of a row: those of id, split and configuration."""
        values = (self.id, self._split, self._config)
        return {column for value in values if value is not None for column in value.uses} | set(self._implied)

    @property
    def uses(self) -> set[str]:
        return self.fields.uses | {column for value in self._needed for column in value.uses}

    def missing(self, columns: Iterable[str]) -> list[str]:
        """Columns that the card expects but that are not among these."""
        known = set(columns)
        return sorted({*self.fields.missing(known), *(name for value in self._needed for name in value.missing(known))})

    def check(self, columns: Iterable[str], *, where: str) -> None:
        """Raise DamagedError if a column that the card expects is missing."""
        known = list(columns)
        self.check_missing(self.missing(known), known, where=where)

    @staticmethod
    def check_missing(names: Iterable[str], known: Iterable[str], *, where: str) -> None:
        """Raise DamagedError if any column is missing."""
        missing = sorted(set(names))
        if missing:
            raise DamagedError(
                f"{where}: the card expects column(s) {', '.join(missing)}; there are {', '.join(map(str, known))}.",
                hint="the dataset changed its layout: pin the revision on the card, or fix its `columns`",
            )

    def knows_split(self, columns: Iterable[str]) -> bool:
        """Whether the split of a row is known from these columns, not from a table that is joined later."""
        known = set(columns)
        if self._split is None:
            return "split" in self._implied and "split" in known
        return known.issuperset(self._split.uses) and not self._split.missing(known)

    @property
    def joins_split(self) -> bool:
        """Whether the card takes the split from columns, which a joined table may have."""
        return self._split is not None and bool(self._split.uses)

    def split_of(self, row: Row, hint: str | None) -> str | None:
        """The split of a row; raises RowError if the column's value is not a valid split name."""
        return as_name("split", self._value(self._split, "split", row)) or hint

    def check_split(self, parts: Row) -> None:
        """Raise RowError if the parts of a path name a split that the corpus lacks.

        A template such as `captions_{split}.csv` fits `captions_metadata.csv`, too, which has none of its rows.
        """
        known = self.context.splits
        if not known or not self.context.whole_corpus or "split" not in parts or not self.knows_split(parts):
            return
        split = self.split_of(parts, None)
        if split not in known:
            raise RowError("unknown_split", f"by its name its split is {split!r}; there are {', '.join(known)}")

    def wants_config(self, parts: Row) -> bool:
        """Whether the configuration that a path names was requested; True if it names none."""
        named = parts.get("config") if self._config is None and "config" in self._implied else None
        return named is None or not self.context.configs or named in self.context.configs

    def config_of(self, row: Row, hint: str | None) -> str | None:
        if self.context.config is not None:
            return self.context.config
        return as_config("config", self._value(self._config, "config", row)) or hint

    def _value(self, value: Value | None, column: str, row: Row) -> Any:
        if value is not None:
            return value.get(row)
        return row.get(column) if column in self._implied else None

    def wants(self, split: str | None) -> bool:
        return (not self._only or split in self._only) and self.context.wants(split)

    def may_want(self, columns: Row, hint: str | None) -> bool:
        """Whether a split that these columns say is requested; True if they do not say one."""
        if not self.knows_split(columns):
            return True
        try:
            return self.wants(self.split_of(columns, hint))
        except RowError:
            return True

    def identity(self, row: Row, origin: Origin) -> tuple[str | None, str | None, str | None] | None:
        """Source id, configuration and split of a row; None if it is not requested.

        Raises:
            RowError: A cell is invalid.
        """
        split = self.split_of(row, origin.split)
        if not self.wants(split):
            return None
        config = self.config_of(row, origin.config)
        identity = as_text(self.id.get(row))
        if identity is not None and not self.context.chosen(identity, config, split):
            return None
        return identity, config, split

    def candidate(self, rows: Sequence[Row], origin: Origin) -> Candidate | Rejection | None:
        """The candidate of these rows, without media; None if it is not requested or not selected."""
        try:
            named = self.identity(rows[0], origin)
            if named is None:
                return None
            identity, config, split = named
            if identity is None:
                return Rejection(origin.where, "no_id", f"{origin.where}: the id is null", origin.where)
            for row in rows:
                if rejected := self._rejected(row):
                    return Rejection(identity, rejected[0], f"{origin.where}: {rejected[1]}", origin.where)
            fields = _merged([self.fields.fields(row) for row in rows])
            length = None if self._length is None else as_number("length", self._length.get(rows[0]))
            ends = [as_number("clip", value.get(rows[0])) for value in self._clip]
        except RowError as error:
            return error.rejection(origin.where)
        made = Candidate(identity, split, fields, [], config, origin.uri, origin.revision, origin.where)
        made.length_s = length
        start, end = ends or (None, None)
        made.clip_s = end - start if start is not None and end is not None and end > start else None
        return made

    def _rejected(self, row: Row) -> tuple[str, str] | None:
        for rule in self._reject_rules:
            text = as_text(rule.value.get(row))
            if text in rule.texts:
                return rule.reason, f"{', '.join(rule.value.uses)} is {text!r}"
        return None


def _ends_of_clip(spec: Any, names: Names) -> list[Value]:
    if spec is None:
        return []
    if not isinstance(spec, Mapping) or set(spec) != {"start", "end"}:
        raise UsageError(f"clip: expected {{start, end}}, got {spec!r}.")
    return [compile_value(spec[end], names, what=f"clip.{end}") for end in ("start", "end")]


def _reject_rule(item: Any, names: Names) -> _RejectRule:
    if not isinstance(item, Mapping) or not {"values", "reason"} <= set(item):
        raise UsageError(f"reject: expected {{column, values, reason}}, got {item!r}.")
    spec = {key: value for key, value in item.items() if key not in ("values", "reason")}
    spec.setdefault("optional", True)
    values = frozenset(as_text(value) for value in some(item["values"], "reject.values"))
    return _RejectRule(compile_value(spec, names, what="reject"), values, a_text(item["reason"], "reject.reason"))


def _merged(members: list[dict[str, Any]]) -> dict[str, Any]:
    """The fields of a group: all captions, distinct labels and choices, else the first row's; unequal extras listed."""
    merged = dict(members[0])
    if len(members) == 1:
        return merged
    for field in LIST_FIELDS:
        items = [item for member in members for item in member.get(field) or []]
        if items:
            merged[field] = items if field == "captions" else list(dict.fromkeys(items))
    extra: dict[str, str] = {}
    for name in dict.fromkeys(name for member in members for name in member.get("extra") or {}):
        texts = [(member.get("extra") or {}).get(name) for member in members]
        extra[name] = (texts[0] if len(set(texts)) == 1 else as_text(texts)) or ""
    if extra:
        merged["extra"] = extra
    return merged
