"""A list of objects inside a record, as GigaSpeech's `audios[].segments[]` and YouCook2's `annotations[]`.

Every object is a row, with the columns of the record around it (the object's own go first) and its place in the list
as `index`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ....errors import UsageError
from ..values import BadValue


def compile_layout(argument: Any) -> Callable[[dict[str, Any]], Iterator[dict[str, Any]]]:
    if not isinstance(argument, str):
        raise UsageError(f"rows: `each` takes the name of the list, not {argument!r}.")

    def expand(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
        items = record.get(argument) or []
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise BadValue(argument, items, "a list of objects")
        around = {name: value for name, value in record.items() if name != argument}
        for index, item in enumerate(items):
            yield {"index": index, **around, **item}

    return expand
