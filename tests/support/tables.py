"""Tables of a user's own beside their sounds, imported as `mine`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import triptych
from support.stores import check_accounts, select
from triptych.converters.imports.import_data import ImportResult

Tone = Callable[..., bytes]

TWO = [{"id": "mine/all/a", "text": "one"}, {"id": "mine/all/b", "text": "two"}]
"""The rows of `RECORDS` in a store."""

RECORDS = [{"id": "a", "audio": "wav/0.flac", "text": "one"}, {"id": "b", "audio": "wav/1.flac", "text": "two"}]


def beside_sounds(folder: Path, tone: Tone) -> Path:
    """A folder with `wav/0.flac` to `wav/4.flac`, and room for tables beside it."""
    (folder / "data" / "wav").mkdir(parents=True)
    for n in range(5):
        (folder / "data" / "wav" / f"{n}.flac").write_bytes(tone(300 + n))
    return folder / "data"


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def load(format: str, path: Path, **options: Any) -> ImportResult:
    """Import as `mine` into a store beside the data."""
    return triptych.import_data(format, path, name="mine", store=path.parent / "store", **options)


def rows(folder: Path, columns: str = "id, text") -> list[dict[str, Any]]:
    return select(folder / "store", f"select {columns} from samples order by id")


def reasons(folder: Path) -> dict[str, str]:
    """Candidate -> reason of everything that was not kept."""
    check_accounts(folder / "store")
    events = select(folder / "store", "select candidate, reason from events")
    return {row["candidate"].rsplit("/", 1)[-1]: row["reason"] for row in events}
