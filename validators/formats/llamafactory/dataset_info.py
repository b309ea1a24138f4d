"""The entry of a file in LLaMA-Factory's `dataset_info.json`: its form, and the names of its columns and tags.

An entry that names any column has null for every column that it does not name, and so for tags: the defaults are lost,
not completed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..findings import Finding, finding
from .problems import PROBLEMS

FILE = "dataset_info.json"
COLUMNS: Mapping[str, str] = {
    "prompt": "instruction", "query": "input", "response": "output", "messages": "conversations",
}  # fmt: skip
"""Column in LLaMA-Factory's terms -> its name in a file whose entry names no column."""
TAGS: Mapping[str, str] = {
    "role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt",
    "observation_tag": "observation", "function_tag": "function_call", "system_tag": "system",
}  # fmt: skip
_NEEDED_TAGS = ("role_tag", "content_tag", "user_tag", "assistant_tag")
_MEDIA = ("tools", "images", "videos", "audios")
_READ = {"sharegpt": ("messages", *_MEDIA), "alpaca": ("prompt", "query", "response", "history", "system", *_MEDIA)}
"""Form -> the columns that are read of every row, if the entry names them."""
_SAME_NAME = ("history", "chosen", "rejected", "kto_tag", "system", "tools", "images", "videos", "audios")


@dataclass(frozen=True, slots=True)
class Entry:
    """How a file is read.

    Attributes:
        columns: Column in LLaMA-Factory's terms -> its name in the file.
        tags: Name of a tag -> its value; `role_tag` and `content_tag` are the keys of a turn.
    """

    formatting: str = "sharegpt"
    ranking: bool = False
    columns: Mapping[str, str] = field(default_factory=lambda: {**COLUMNS, **{name: name for name in _SAME_NAME}})
    tags: Mapping[str, str] = field(default_factory=lambda: dict(TAGS))

    def value(self, row: Mapping[str, Any], column: str) -> Any:
        """The value of a row's column, by its name in LLaMA-Factory's terms."""
        return row.get(self.columns[column]) if column in self.columns else None

    def read_of(self, row: Mapping[str, Any]) -> list[str]:
        """The columns that the converter reads of a row, by their names in the file; a row without one has null."""
        read = [*_READ.get(self.formatting, ()), "kto_tag"]
        read += ("chosen", "rejected") if self.ranking else ()
        turns = row.get(self.columns.get("messages", ""))
        first = turns[0] if isinstance(turns, list) and turns and isinstance(turns[0], Mapping) else {}
        if first.get(self.tags.get("role_tag", "")) != self.tags.get("system_tag", ""):
            read.append("system")
        return [self.columns[column] for column in dict.fromkeys(read) if column in self.columns]


def read_entry(path: Path, own: Entry) -> tuple[Entry, list[Finding]]:
    """The entry of a file in the `dataset_info.json` beside it, and what is wrong with it; `own` if there is none."""
    info = path.parent / FILE
    if not info.is_file():
        return own, []
    try:
        document = json.loads(info.read_text(encoding="utf-8"))
    except ValueError as error:
        return own, [finding(PROBLEMS, "bad_dataset_info", 0, detail=str(error), column=FILE)]
    entries = document.values() if isinstance(document, dict) else ()
    found = next((entry for entry in entries if isinstance(entry, dict) and entry.get("file_name") == path.name), None)
    if found is None:
        return own, [finding(PROBLEMS, "not_in_dataset_info", 0, column=FILE, value=path.name)]
    return entry_of(found), list(_problems(found, own))


def entry_of(found: Mapping[str, Any]) -> Entry:
    """An entry of `dataset_info.json`."""
    columns, tags = found.get("columns"), found.get("tags")
    return Entry(
        found.get("formatting", "alpaca"),
        bool(found.get("ranking")),
        {key: str(name) for key, name in columns.items() if name} if isinstance(columns, dict) else COLUMNS,
        {key: str(name) for key, name in tags.items() if name} if isinstance(tags, dict) else TAGS,
    )


def _problems(found: Mapping[str, Any], own: Entry) -> Iterator[Finding]:
    entry = entry_of(found)
    if (entry.formatting, entry.ranking) != (own.formatting, own.ranking):
        detail = f"formatting {entry.formatting}, ranking {str(entry.ranking).lower()}"
        yield finding(PROBLEMS, "other_formatting", 0, detail=detail, column=FILE)
    needed = "prompt" if entry.formatting == "alpaca" else "messages"
    if needed not in entry.columns:
        code = "columns_without_prompt" if needed == "prompt" else "columns_without_messages"
        yield finding(PROBLEMS, code, 0, detail=", ".join(entry.columns), column=FILE)
    missing = [tag for tag in _NEEDED_TAGS if tag not in entry.tags]
    if missing and entry.formatting != "alpaca":
        yield finding(PROBLEMS, "tags_incomplete", 0, detail=f"no {', '.join(missing)}", column=FILE)
