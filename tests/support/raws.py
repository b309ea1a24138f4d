"""Raw files made in a test, as a source would hand them over."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from triptych.converters.candidate import Candidate, RawFile, ReadContext, Rejection
from triptych.converters.readers import get_reader

BASIC: dict[str, Any] = {
    "tables": [{"file": "rows.csv"}],
    "media": {"audio": "clips/{path}"},
    "id": "{path|stem}",
    "columns": {"text": "sentence"},
}
"""Options of the annotated reader: a table of paths and sentences beside its clips."""


class Stream:
    """Files by name in their order, as members of an archive; notes which were opened."""

    def __init__(
        self, files: Mapping[str, bytes | str], *, split: str | None = None, spool: Path | None = None
    ) -> None:
        self.files = {name: data.encode() if isinstance(data, str) else data for name, data in files.items()}
        self.opened: list[str] = []
        self.split = split
        self.spool = spool

    def __iter__(self) -> Iterator[RawFile]:
        for name, data in self.files.items():
            yield RawFile(
                name, f"raw:{name}", "r1", len(data), lambda name=name: self._open(name), split=self.split,
                spool=self.spool,
            )  # fmt: skip

    def _open(self, name: str) -> io.BytesIO:
        self.opened.append(name)
        return io.BytesIO(self.files[name])


def read(
    reader: str, files: Any, options: Mapping[str, Any] | None = None, **context: Any
) -> tuple[list[Candidate], list[Rejection]]:
    """What a reader makes of files: candidates and rejections, each in order."""
    items = list(get_reader(reader).read(files, ReadContext("corpus", options or {}, **context)))
    candidates = [item for item in items if isinstance(item, Candidate)]
    return candidates, [item for item in items if isinstance(item, Rejection)]


def table_rows(table: bytes | str, entry: dict[str, Any], columns: dict[str, Any], name: str = "rows.csv") -> Any:
    """The candidates of one table whose column `path` names a media file."""
    names = [f"clips/{n}.wav" for n in range(9)]
    options = {**BASIC, "tables": [{"file": name, **entry}], "columns": columns}
    return read(
        "annotated", Stream({name: table, **dict.fromkeys(names, b"sound")}), {**options, "extra_media": "ignore"}
    )


def reasons(rejections: list[Rejection]) -> list[tuple[str, str]]:
    return [(item.candidate, item.reason) for item in rejections]


def tree(root: Path) -> list[RawFile]:
    """Every file of a folder, sorted by path."""
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    return [
        RawFile(path.relative_to(root).as_posix(), path.as_uri(), "local", path.stat().st_size,
                lambda path=path: path.open("rb"), path=path)
        for path in paths
    ]  # fmt: skip
