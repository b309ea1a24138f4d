"""Texts of messages that a loader would take for JSON.

Where the contents of a file's messages are texts in one message and lists of parts in another, `datasets` (5.2) reads
every content as JSON: the answer `007` becomes the number 7, `"Yes."` loses its quotes, `null` is nothing. In such a
file these texts are written as a part of text, which means the same and is read as it is. A file whose contents are all
texts, or all lists, has no such texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....shards.store.sql import first_row, identifier, quote
from ....validators.formats.messages.json_text import READ_AS_JSON

if TYPE_CHECKING:
    import duckdb

_LIST, _TEXT = '"content":[', '"content":"'
_MAYBE = r'"content":"(\\[nrt]| )*([-0-9\[{]|\\"|true|false|null|NaN|Infinity)'
"""Of a column as text: whether a content may be JSON. It keeps the rows that cannot from being taken apart."""


def json_texts_as_parts(
    connection: duckdb.DuckDBPyConnection, columns: tuple[str, ...], types: dict[str, str], rows: str
) -> dict[str, str]:
    """SQL for columns of messages in which such texts are parts, by column; only columns that need it.

    Args:
        columns: Those that hold messages whose contents are texts or lists, as JSON.
        rows: FROM and WHERE.
    """
    found = {}
    for name in columns:
        text = f"{identifier(name)}::VARCHAR"
        if name in types and first_row(connection, f"SELECT 1 {rows} AND contains({text}, {quote(_LIST)}) LIMIT 1"):
            found[name] = f"CASE WHEN regexp_matches({text}, {quote(_MAYBE)}) THEN {_parted(name)} ELSE {name} END"
    return found


def mixed_tests(
    connection: duckdb.DuckDBPyConnection, columns: tuple[str, ...], types: dict[str, str], rows: str
) -> list[str]:
    """SQL for whether a content of a row is a list, and for whether one is a text, for columns that have both.

    A loader whose first chunk has only one of them fails at the other, or reads the texts of both chunks differently.
    """
    tests = []
    for name in columns:
        both = [f"contains({identifier(name)}::VARCHAR, {quote(mark)})" for mark in (_LIST, _TEXT)]
        if name in types and all(first_row(connection, f"SELECT 1 {rows} AND {test} LIMIT 1") for test in both):
            tests += both
    return tests


def _parted(name: str) -> str:
    said = "m->>'$.content'"
    is_text = "json_type(m, '$.content') = 'VARCHAR'"
    part = f"json_merge_patch(m, json_object('content', [json_object('type', 'text', 'text', {said})]))"
    return (
        f"to_json(list_transform(CAST({identifier(name)} AS JSON[]), lambda m: "
        f"CASE WHEN {is_text} AND regexp_matches({said}, {quote(READ_AS_JSON)}) THEN {part} ELSE m END))"
    )
