"""Objects under keys of one name and a number, as WorldSense's `task0`, `task1`, ... beside what the video is.

Every object is a row, with the other columns of the record and its key as `key`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from ....errors import UsageError
from ..values import BadValue


def compile_layout(argument: Any) -> Callable[[dict[str, Any]], Iterator[dict[str, Any]]]:
    if not isinstance(argument, str) or not argument:
        raise UsageError(f"rows: `siblings` takes the name before the number, not {argument!r}.")
    pattern = re.compile(rf"{re.escape(argument)}\d+")

    def expand(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
        around = {name: value for name, value in record.items() if not pattern.fullmatch(name)}
        for name, value in record.items():
            if name in around:
                continue
            if not isinstance(value, dict):
                raise BadValue(name, value, "an object")
            yield {**around, **value, "key": name}

    return expand
