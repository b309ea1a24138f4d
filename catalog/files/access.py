"""How a pull reaches its sources: the client, the download folder, the mirror, and notices for the user."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import UsageError
from ..schema.source import SourceCard
from ..sources.download.http import HttpClient
from .mirror import Mirror

log = logging.getLogger("triptych")

Accepts = Callable[[str], bool]
"""Whether the reader reads a file of this name."""


def accept_all(name: str) -> bool:
    return True


@dataclass(slots=True)
class Access:
    """How a pull reaches its sources.

    Attributes:
        client: The HTTP client.
        partial: The store's download folder.
        mirror: Stands in for the original hosts, if given.
        whole: Everything is read, so archives are verified before they are read.
        asked: Splits were named explicitly; if not, splits that a subset mirror lacks are skipped.
        revisions: Commits resolved by earlier pulls, by repository; kept, so that a draw can grow.
        progress: Called with the number of bytes read so far and the size of the file.
        allow_outside: Folders that the links in a user's own folder may lead to.
        notices: Notices for the user (fallbacks, restarted downloads).
        other_configs: Configurations that were not requested and of which files or rows were seen.
    """

    client: HttpClient
    partial: Path
    mirror: Mirror | None = None
    whole: bool = True
    asked: bool = False
    revisions: dict[str, str] = field(default_factory=dict)
    progress: Callable[[int, int | None], None] | None = None
    allow_outside: tuple[Path, ...] = ()
    notices: list[str] = field(default_factory=list)
    other_configs: set[str] = field(default_factory=set)

    def notice(self, text: str) -> None:
        if text not in self.notices:
            self.notices.append(text)
            log.warning(text)

    @property
    def spool(self) -> Path:
        return self.partial / "tmp"


def password_of(source: SourceCard) -> str | None:
    """Return the password of a source's archives, from the environment variable named on its card.

    Raises:
        UsageError: The variable is not set.
    """
    if source.password is None:
        return None
    value = os.environ.get(source.password)
    if not value:
        raise UsageError(
            f"{source.place}: its archives are encrypted, and {source.password} is not set.",
            hint=f"{source.password}='the password you were sent' triptych catalog pull ...",
        )
    return value
