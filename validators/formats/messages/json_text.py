"""Texts that `datasets` takes for JSON, where contents of one file are texts and lists of parts."""

from __future__ import annotations

import re
from array import array
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ..findings import Finding, Problem, finding

READ_AS_JSON = (
    r"^[ \t\r\n]*([0-9]+\.?[0-9]*([eE][-+]?[0-9]*)?|-[0-9]*\.?[0-9]*([eE][-+]?[0-9]*)?|true|false|null|NaN|-?Infinity"
    r'|\[[\s\S]*\]|\{[\s\S]*\}|"[\s\S]*")[ \t\r\n]*$'
)
"""Texts that it reads as a number, a truth, nothing, or what stands in them, in the syntax of both regular expression
engines: `7`, `007`, `-`, `null`, `"Yes."`, `[1]`. All in brackets count, valid or not."""

PROBLEMS = {
    "json_text": Problem(
        "load", "warning", "a text that is JSON, in a file whose contents are texts and lists",
        "`datasets` reads it as a number, as nothing, or without its quotes", "kept",
        'write it as a part: [{"type": "text", "text": ...}]',
    ),
}  # fmt: skip


class JsonTexts:
    """Finds such texts of one file, row by row, in each column of messages for itself.

    Rows before the first that has a list are remembered, and found once there is one. Messages that stand as one JSON
    text, as in Parquet, are read as they are.
    """

    def __init__(self) -> None:
        self.has_list: set[str] = set()
        self.earlier: dict[str, array[int]] = {}

    def check(self, number: int, row: Mapping[str, Any], columns: Collection[str]) -> Iterator[Finding]:
        """Yield the findings of a row, and of earlier rows if this is the first that has a list."""
        for column in columns:
            messages = row.get(column)
            listed = messages if isinstance(messages, list) else []
            contents = [each.get("content") for each in listed if isinstance(each, Mapping)]
            texts = [each for each in contents if isinstance(each, str) and re.search(READ_AS_JSON, each)]
            if any(isinstance(each, list) for each in contents):
                self.has_list.add(column)
                for earlier in self.earlier.pop(column, ()):
                    yield finding(PROBLEMS, "json_text", earlier, column=column)
            if column in self.has_list:
                yield from (finding(PROBLEMS, "json_text", number, column=column, value=each) for each in texts)
            elif texts:
                self.earlier.setdefault(column, array("q")).append(number)
