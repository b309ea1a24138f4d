"""One of a card's tables: which files it has, which of them have arrived, and how its rows join those of the first."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...candidate import RowError
from ..mapping.field_map import Value
from ..mapping.path_template import match, placeholders
from ..mapping.text_template import Row
from ..tables.cells import as_text
from .nested_rows import Expand


@dataclass(slots=True)
class Table:
    """One entry of `tables`.

    Attributes:
        number: Its position on the card.
        templates: Path templates of its files.
        expand: From a record, whose media has arrived, to its rows.
        spread: From a record, when it is read, to rows with files of their own.
        on, with_: For a joined table, the key from its own row and the key from the first table's row.
        names: For a table of class names, its name on the card.
        constants: Columns with a constant value in all its rows.
        shared: Placeholders of its path that are also columns of the first table: a file belongs to matching rows only.
        read_parts: The shared parts of the paths of its files that were read, and how many files have them.
        expected: How many files will have them, as far as that is known.
        files: Template and all parts of every file that has arrived, whether read or skipped.
    """

    number: int
    templates: list[str]
    options: Mapping[str, Any]
    expand: Expand
    spread: Expand
    on: Value | None = None
    with_: Value | None = None
    names: str | None = None
    constants: Mapping[str, Any] = field(default_factory=dict)
    shared: tuple[str, ...] = ()
    read_parts: Counter[tuple[str, ...]] = field(default_factory=Counter)
    expected: Counter[tuple[str, ...]] = field(default_factory=Counter)
    files: set[tuple[str, tuple[str, ...]]] = field(default_factory=set)

    def match(self, name: str) -> dict[str, str] | None:
        for template in self.templates:
            if (parts := match(template, name)) is not None:
                return parts
        return None

    def add_name(self, row: Row, names: dict[str, dict[str, str]]) -> None:
        """Add a row of a table of class names to the names of the card.

        Raises:
            RowError: The class has another name already.
        """
        key, value = (as_text(row.get(str(self.options[column]))) for column in ("key", "value"))
        if key is not None and value is not None:
            first = names.setdefault(str(self.names), {}).setdefault(key.strip(), value.strip())
            if first != value.strip():
                raise RowError("ambiguous_row", f"{key.strip()} is {value.strip()!r} here, and {first!r} before")

    def matches(self, name: str) -> bool:
        return self.match(name) is not None

    def note(self, name: str, parts: dict[str, str]) -> None:
        """Record that one of its files has arrived; `parts` are those of its path if it was read."""
        if parts or not self.shared:
            self.read_parts[self.parts_of(parts)] += 1
        for template in self.templates:
            if (found := match(template, name)) is not None:
                self.files.add((template, tuple(found[part] for part in placeholders(template))))

    def expect(self, parts: dict[str, str]) -> None:
        """Record that one of its files will come."""
        if self.on is not None:
            self.expected[self.parts_of(parts)] += 1

    def is_complete(self, parts: Mapping[str, str]) -> bool:
        """Whether every file that may contain rows for media with these parts has arrived."""
        expected = [
            (template, tuple(parts.get(part, "") for part in placeholders(template))) for template in self.templates
        ]
        return "*" not in "".join(self.templates) and all(item in self.files for item in expected)

    @property
    def is_first(self) -> bool:
        return self.on is None and self.names is None

    def parts_of(self, row: Row) -> tuple[str, ...]:
        """The shared parts of a row or a path."""
        return tuple(str(row.get(name)) for name in self.shared)

    def has_arrived(self, row: Row) -> bool:
        """Whether the file that belongs to this row was read; all of them, where there are several."""
        parts = self.parts_of(row)
        return 0 < self.read_parts[parts] >= self.expected[parts]

    def key_of(self, row: Row, value: Value) -> str | None:
        """The key for joining rows: the result of `value`, together with the shared parts."""
        key = as_text(value.get(row))
        return None if key is None else json.dumps([*self.parts_of(row), key], ensure_ascii=False)
