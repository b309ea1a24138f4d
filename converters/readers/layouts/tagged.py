"""A list of objects inside a record, each once for every tag of a list: subsets that lie in one another.

GigaSpeech and WenetSpeech write `{"segments": [{"sid": ..., "subsets": ["{S}", "{XS}"]}]}`; the card says
`rows: {tagged: {each: segments, tags: subsets, as: subset}}`. Every object is a row for each of its tags, in lower case
and without braces, as the column `subset`; an object without tags has no row. The columns of the record around it and
`index` are as with `each`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ....errors import UsageError
from ..values import BadValue
from . import each


def compile_layout(argument: Any) -> Callable[[dict[str, Any]], Iterator[dict[str, Any]]]:
    if not isinstance(argument, Mapping) or set(argument) != {"each", "tags", "as"}:
        raise UsageError(f"rows: `tagged` takes each, tags and as, not {argument!r}.")
    objects = each.compile_layout(argument["each"])
    tags, column = str(argument["tags"]), str(argument["as"])

    def expand(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for row in objects(record):
            found = row.get(tags) or []
            if not isinstance(found, list):
                raise BadValue(tags, found, "a list of tags")
            for tag in dict.fromkeys(str(item).strip("{} ").lower() for item in found):
                yield {**row, column: tag}

    return expand
