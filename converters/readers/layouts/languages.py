"""Captions in several languages in one record, as VATEX's `enCap` and `chCap`: a row a language.

A row has the columns `language` and `captions` and the other columns of the record; a language without captions has
no row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ....errors import UsageError


def compile_layout(argument: Any) -> Callable[[dict[str, Any]], Iterator[dict[str, Any]]]:
    if not isinstance(argument, Mapping) or not argument:
        raise UsageError(f"rows: `languages` takes an object of language and column, not {argument!r}.")
    columns = {str(language): str(column) for language, column in argument.items()}

    def expand(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
        around = {name: value for name, value in record.items() if name not in columns.values()}
        for language, column in columns.items():
            if record.get(column):
                yield {**around, "language": language, "captions": record[column]}

    return expand
