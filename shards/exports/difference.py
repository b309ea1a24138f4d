"""What differs between two versions: rows added, removed and changed, and in which fields."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..store.database import session
from ..store.sql import quote
from .versions import Version, columns, require_data, rows_under

if TYPE_CHECKING:
    import duckdb

SHOWN_CHANGES = 20
"""Changed rows whose values are kept; the ids and the counts by field are of all rows."""


@dataclass(frozen=True, slots=True)
class Change:
    """One field of one row in both versions; None for a field that the row lacks."""

    id: str
    field: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class Difference:
    """Ids that only one of two versions has, and ids whose rows differ apart from the media root.

    Attributes:
        fields: How many rows differ in each field.
        changes: The values that differ, of the first rows of `changed`.
    """

    added: list[str]
    removed: list[str]
    changed: list[str]
    fields: dict[str, int] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)


def diff(old: Version, new: Version) -> Difference:
    """Compare the rows of two versions; a column of nulls counts as a missing column."""
    with session() as connection:
        for alias, version in (("old", old), ("new", new)):
            select = rows_under(connection, require_data(version), "$MEDIA")
            connection.execute(
                f"CREATE VIEW {alias}_rows AS SELECT id, json_merge_patch('{{}}', to_json(r))::VARCHAR AS line "
                f"FROM ({select}) r"
            )

        def ids(sql: str) -> list[str]:
            return [str(row[0]) for row in connection.execute(sql).fetchall()]

        changed = ids("SELECT o.id FROM old_rows o JOIN new_rows n USING (id) WHERE o.line <> n.line ORDER BY 1")
        return Difference(
            added=ids("SELECT id FROM new_rows WHERE id NOT IN (SELECT id FROM old_rows) ORDER BY 1"),
            removed=ids("SELECT id FROM old_rows WHERE id NOT IN (SELECT id FROM new_rows) ORDER BY 1"),
            changed=changed,
            fields=_fields(connection, old, new) if changed else {},
            changes=_changes(connection, changed[:SHOWN_CHANGES]),
        )


def _fields(connection: duckdb.DuckDBPyConnection, old: Version, new: Version) -> dict[str, int]:
    names = [name for name in dict.fromkeys([*columns(old), *columns(new)]) if name != "id"]
    counts = ", ".join(
        f"count(*) FILTER ((o.line -> {key}) IS DISTINCT FROM (n.line -> {key}))" for key in map(_key, names)
    )
    found = connection.execute(f"SELECT {counts} FROM old_rows o JOIN new_rows n USING (id) WHERE o.line <> n.line")
    return {name: int(count) for name, count in zip(names, found.fetchall()[0], strict=True) if count}


def _key(name: str) -> str:
    """A JSON path, as SQL, of the field of this very name."""
    return quote(f"$.{json.dumps(name, ensure_ascii=False)}")


def _changes(connection: duckdb.DuckDBPyConnection, ids: list[str]) -> list[Change]:
    pairs = connection.execute(
        "SELECT id, o.line, n.line FROM old_rows o JOIN new_rows n USING (id) WHERE list_contains($1, id) ORDER BY 1",
        [ids],
    ).fetchall()
    found = []
    for identity, before, after in pairs:
        old, new = json.loads(before), json.loads(after)
        found += [
            Change(identity, name, old.get(name), new.get(name))
            for name in dict.fromkeys([*old, *new])
            if old.get(name) != new.get(name)
        ]
    return found
