"""Archives on this machine, as streams of their members: what `import` is told to open archives with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ....converters.candidate import RawFile, Rejection


def open_archive(file: RawFile, spool: Path) -> Iterator[RawFile | Rejection]:
    """Stream the members of a local archive; archives inside it are ordinary members."""
    from .reader import members

    with file.open() as stream:
        yield from members(stream, name=file.name, uri=file.uri, revision=file.revision, spool=spool, nested=())
