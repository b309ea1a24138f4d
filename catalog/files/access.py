"""How a pull reaches its sources: the client, the folder for downloads, the mirror, and what the user must be told."""

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
"""Whether the reader has use for a file of that name."""


def accept_all(name: str) -> bool:
    return True


@dataclass(slots=True)
class Access:
    """How a pull reaches its sources.

    Attributes:
        client: The HTTP layer.
        partial: The store's folder for downloads.
        mirror: Answers for the hosts, where given.
        whole: Everything is wanted, so archives are verified before they are read.
        asked: Splits were named; else those that a mirror of a subset lacks are passed over.
        revisions: Commits that earlier pulls resolved, by repository: kept, so that a draw can grow.
        progress: Told the bytes read so far of a file and its size.
        notices: What the user must be told (fallbacks, restarted downloads).
    """

    client: HttpClient
    partial: Path
    mirror: Mirror | None = None
    whole: bool = True
    asked: bool = False
    revisions: dict[str, str] = field(default_factory=dict)
    progress: Callable[[int, int | None], None] | None = None
    notices: list[str] = field(default_factory=list)

    def notice(self, text: str) -> None:
        if text not in self.notices:
            self.notices.append(text)
            log.warning(text)

    @property
    def spool(self) -> Path:
        return self.partial / "tmp"


def password_of(source: SourceCard) -> str | None:
    """The password of a source's archives, from the environment variable that its card names.

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
