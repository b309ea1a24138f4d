"""Lists of equal length side by side, as HowTo100M's captions: `{"start": [...], "end": [...], "text": [...]}`.

The values at one place are one row, with that place as `index`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ....errors import UsageError
from ..values import BadValue


def compile_layout(argument: Any) -> Callable[[dict[str, Any]], Iterator[dict[str, Any]]]:
    if not isinstance(argument, list) or not argument:
        raise UsageError(f"rows: `parallel` takes the names of the lists, not {argument!r}.")
    names = [str(name) for name in argument]

    def expand(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
        lists = [record.get(name) or [] for name in names]
        if not all(isinstance(values, list) for values in lists) or len({len(values) for values in lists}) != 1:
            raise BadValue(" and ".join(names), [len(values) for values in lists], "lists of one length")
        around = {name: value for name, value in record.items() if name not in names}
        for index, values in enumerate(zip(*lists, strict=True)):
            yield {"index": index, **around, **dict(zip(names, values, strict=True))}

    return expand
