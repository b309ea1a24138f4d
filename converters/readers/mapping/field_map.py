"""The mapping language of cards: how the columns of a source row become the fields of a sample.

    columns:
      id: "{youtube_id}_{start_time:06d}"              # text built from columns, see text_template.py
      text: caption                                     # the column unchanged
      captions: [caption_1, caption_2]                  # several columns as one list, without nulls
      language: {const: en}
      labels: {column: keywords, split: ";"}            # one column and operations in order, see operations.py
      start_s: {column: StartTime, time: true}
      end_s: {column: start, plus: duration}            # the number of another column added
      speaker: {column: speaker_id, drop: ["None", "N/A"], optional: true}
      question: {try: [question, prompt]}               # the first that exists and is not null; `filled: values`: the
                                                        # values of a list in the places `<...>` of a template
      answer: {column: Answer, choice_of: options}      # a letter or index to the text of that choice; `named_choice`:
                                                        # unchanged unless it is a letter; `letter_of`: the reverse
      choices: {columns: [option0, option1], drop: "N/A"}
      extra: {clip_start_s: time_start}                 # your own name in `extra`

`then: [...]` takes a list of operations (`then: [strip, {split: ","}]`), for using one twice. A column that no field
uses goes to `extra` as text, and so does a column of which a field uses only a part, or which an operation rewrote. A
missing column is an error unless it is `optional: true`, or another column of a `try` exists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ....errors import UsageError
from ....shards.sample import COLUMNS, MEDIA_KINDS
from ...imports.columns import NOT_FROM_A_COLUMN
from ..tables.cells import as_field, as_text, check_span
from .choices import choice, letter_of, named_choice
from .operations import Names, Operation, added, compile_operation, filled
from .option_types import a_flag, a_text, entries, some
from .text_template import Row, filling

SETTABLE = frozenset(COLUMNS) - NOT_FROM_A_COLUMN - {"id", "config", "split", *MEDIA_KINDS}
_PICKS = {"choice_of": choice, "named_choice": named_choice, "letter_of": letter_of}
_WITH_ANOTHER = {**_PICKS, "filled": filled, "plus": added}
"""Operations on a value and another one of the row."""
_PARTIAL = frozenset({"item", "slice", "stem", "base", "letter", "question_part", "choices_part", *_PICKS})
_REWRITING = frozenset({"straight_quotes", "lower", "upper", "unlettered", "unspaced", "remove", "filled"})


class Value:
    """One compiled entry of a mapping: a function of a row.

    Attributes:
        uses: Every column that it reads.
        takes: Columns that it uses completely, so that `extra` need not keep them.
        rewrites: Columns that `extra` keeps if an operation changed their value.
    """

    def __init__(self, get: Callable[[Row], Any], uses: Iterable[str]) -> None:
        self.get = get
        self.uses = tuple(dict.fromkeys(uses))
        self.takes: tuple[str, ...] = ()
        self.rewrites: tuple[str, ...] = ()
        self.missing: Callable[[Iterable[str]], list[str]] = lambda columns: sorted(set(self.uses) - set(columns))


def compile_value(spec: Any, names: Names | None = None, *, what: str = "columns") -> Value:
    """Compile a spec to a function of a row.

    Args:
        names: Tables of class names, filled while the source is read.
        what: The location of the spec on the card, for messages.

    Raises:
        UsageError: The spec is invalid.
    """
    names = names if names is not None else {}
    if isinstance(spec, str) and spec:
        return _template(spec) if "{" in spec else _column(spec)
    if isinstance(spec, list):
        return _listed([compile_value(item, names, what=what) for item in spec])
    if isinstance(spec, Mapping):
        try:
            return _described(dict(spec), names, what)
        except UsageError as error:
            inside = error.message.startswith(f"{what}.")
            raise UsageError(error.message if inside else f"{what}: {error.message}", hint=error.hint) from error
    raise UsageError(f"{what}: expected a column, a template, a list or an object, got {spec!r}.")


def _column(column: str) -> Value:
    value = Value(lambda row: row.get(column), [column])
    value.takes = (column,)
    return value


def _template(template: str) -> Value:
    filled = filling(template)
    return Value(filled.fill, filled.columns)


def _listed(values: list[Value]) -> Value:
    def get(row: Row) -> list[Any] | None:
        found: list[Any] = []
        for value in values:
            item = value.get(row)
            if isinstance(item, list):
                found.extend(item)
            elif item is not None and item != "":
                found.append(item)
        return found or None

    listed = _over(values, get)
    listed.missing = lambda columns: [name for value in values for name in value.missing(columns)]
    return listed


def _first(values: list[Value]) -> Value:
    def get(row: Row) -> Any:
        for value in values:
            item = value.get(row)
            if item is not None and item != "" and item != []:
                return item
        return None

    first = _over(values, get)
    first.missing = lambda columns: (
        [] if any(not value.missing(columns) for value in values) else [" or ".join(first.uses)]
    )
    return first


def _over(values: list[Value], get: Callable[[Row], Any]) -> Value:
    value = Value(get, [name for item in values for name in item.uses])
    value.takes = tuple(name for item in values for name in item.takes)
    value.rewrites = tuple(name for item in values for name in item.rewrites)
    return value


_HEADS = ("const", "column", "columns", "try")


def _described(spec: dict[str, Any], names: Names, what: str) -> Value:
    heads = [key for key in _HEADS if key in spec]
    if len(heads) != 1:
        raise UsageError(f"expected exactly one of {', '.join(_HEADS)}.")
    head = spec.pop(heads[0])
    optional = a_flag(spec.pop("optional", False), f"{what}.optional")
    if heads[0] == "const":
        value = Value(lambda row: head, ())
    elif heads[0] == "column":
        value = compile_value(a_text(head, f"{what}.column"), names, what=what)
    else:
        items = [compile_value(item, names, what=what) for item in some(head, f"{what}.{heads[0]}")]
        value = _first(items) if heads[0] == "try" else _listed(items)
    for name, argument in _steps(spec):
        value = _operated(value, name, argument, names, what)
    if optional:
        value.missing = lambda columns: []
    return value


def _steps(spec: dict[str, Any]) -> list[tuple[str, Any]]:
    """The operations of a spec in order; `then` and `as` contain one or a list of them."""
    steps: list[tuple[str, Any]] = []
    for key, argument in spec.items():
        if key not in ("then", "as"):
            steps.append((key, argument))
            continue
        for item in argument if isinstance(argument, list) else [argument]:
            steps.extend(item.items() if isinstance(item, Mapping) else [(str(item), True)])
    return steps


def _operated(value: Value, name: str, argument: Any, names: Names, what: str) -> Value:
    column = value.uses[0] if value.uses else what
    inner = value.get
    if name in _WITH_ANOTHER and not isinstance(argument, int | float):
        other, both = compile_value(argument, names, what=what), _WITH_ANOTHER[name]
        result = Value(lambda row: both(inner(row), other.get(row), column), [*value.uses, *other.uses])
    else:
        operation: Operation = compile_operation(name, argument, names)
        result = Value(lambda row: operation(inner(row), column), value.uses)
    result.missing = value.missing
    result.rewrites = value.rewrites
    if name in _REWRITING:
        result.rewrites = (*value.rewrites, *value.takes)
    result.takes = () if name in _PARTIAL else value.takes
    return result


class FieldMap:
    """The `columns` of a card: fields of the sample, and the columns that go to `extra`."""

    def __init__(
        self, columns: Mapping[str, Any] | None, names: Names | None = None, *, aside: Iterable[str] = ()
    ) -> None:
        """`aside` names columns that are neither mapped nor kept (media)."""
        columns = entries(columns, "columns")
        extra = entries(columns.get("extra"), "columns.extra")
        unknown = sorted(set(columns) - SETTABLE - {"extra"})
        if unknown:
            raise UsageError(
                f"columns: {', '.join(unknown)} is not a field of a sample. Fields: {', '.join(sorted(SETTABLE))}."
            )
        self.values = {
            field: compile_value(spec, names, what=f"columns.{field}")
            for field, spec in columns.items()
            if field != "extra"
        }
        self.named = {name: compile_value(spec, names, what=f"columns.extra.{name}") for name, spec in extra.items()}
        self.every = [*self.values.values(), *self.named.values()]
        self._taken = {column for value in self.every for column in value.takes} | set(aside)
        self._rewritten = {
            column: field for field, value in self.values.items() for column in value.rewrites if column in value.takes
        }

    @property
    def uses(self) -> set[str]:
        return {column for value in self.every for column in value.uses}

    def missing(self, columns: Iterable[str]) -> list[str]:
        """Columns that the mapping needs but that are not among these."""
        known = set(columns)
        return sorted({name for value in self.every for name in value.missing(known)})

    def fields(self, row: Row) -> dict[str, Any]:
        """The non-null fields of this row, including `extra`.

        Raises:
            RowError: A cell is invalid for its field or operation.
        """
        fields: dict[str, Any] = {}
        for field, value in self.values.items():
            made = as_field(field, value.get(row))
            if made is not None:
                fields[field] = made
        check_span(fields)
        extra = self._extra(row, fields)
        if extra:
            fields["extra"] = extra
        return fields

    def _extra(self, row: Row, fields: Mapping[str, Any]) -> dict[str, str]:
        extra: dict[str, str] = {}
        for column, cell in row.items():
            if column in self._taken and fields.get(self._rewritten.get(column, ""), cell) == cell:
                continue
            if (text := as_text(cell)) is not None:
                extra[column] = text
        for name, value in self.named.items():
            if (text := as_text(value.get(row))) is not None:
                extra[name] = text
        return extra
