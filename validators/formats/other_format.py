"""A file that is of another format: told once, with the formats that have its columns, and not for each row."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import UsageError
from .llamafactory.dataset_info import FILE

_MAIN: Mapping[str, Sequence[str]] = {
    "conversation-sharegpt": ("conversations",),
    "conversation-qwen2-audio": ("conversations",),
    "conversation-inline": ("conversations",),
    "llamafactory-sharegpt": ("conversations",),
    "llamafactory-ranking": ("conversations",),
    "llamafactory-kto": ("conversations",),
    "llamafactory-alpaca": ("instruction",),
    "messages-openai": ("messages",),
    "messages-hf": ("messages",),
    "messages-trl": ("messages", "prompt", "chosen"),
    "cot-messages": ("messages",),
}
"""Format -> the columns of which one holds the turns of a row; a row with none of them is nothing to its reader."""
_OF_COLUMN = {
    "messages": ("msswift", "messages-openai", "messages-hf", "messages-trl"),
    "conversations": ("conversation-sharegpt", "conversation-qwen2-audio", "llamafactory-sharegpt", "msswift"),
    "instruction": ("llamafactory-alpaca", "msswift"),
}
"""Column -> the formats that have it, the likeliest first."""


def refuse_other_format(path: Path, format: str, rows: Collection[Mapping[str, Any]]) -> None:
    """Raise UsageError if none of the first rows has the columns of the format, but they have those of another one.

    Columns may have any name where LLaMA-Factory's `dataset_info.json` lies beside the file.
    """
    needed = _MAIN.get(format, ())
    have = list(dict.fromkeys(name for row in rows for name, value in row.items() if value is not None))
    others = [name for column in _OF_COLUMN if column in have for name in _OF_COLUMN[column]]
    if not needed or not others or not set(needed).isdisjoint(have) or (path.parent / FILE).is_file():
        return
    columns = " or ".join(f"`{name}`" for name in needed)
    listed = ", ".join(have)
    raise UsageError(
        f"{path}: its rows have no {columns}, which {format} reads. They have {listed}: columns of "
        f"{', '.join(dict.fromkeys(others))}.",
        hint=f"triptych validate-file {others[0]} {path}",
    )
