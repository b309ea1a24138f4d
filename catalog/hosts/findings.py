"""What the hosts say of a card, fact by fact."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ..schema.card import Card

Status = Literal["equal", "differs", "not asked"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact of a source, as its host has it.

    Attributes:
        source: The number of the source on the card, from 0.
        fact: `files`, `columns`, `checksums`, `scale`, `license`, `gate` or `revision`.
        status: `not asked` where the host gave no answer: it cannot be reached, or access is gated.
        said: What the host has; of a difference, what the card says too.
        file: The file that it is about, if it is about one.
    """

    source: int
    fact: str
    status: Status
    said: str
    file: str | None = None


@dataclass(frozen=True, slots=True)
class CheckedCard:
    """A card and what its hosts say.

    Attributes:
        path: The card's file.
        findings: In the order of the sources; a source that has no host (`manual`, `synthetic`) has none.
        unnamed: Files of hub repositories that no split of the card names, by source; digits are replaced by `*`.
    """

    card: Card
    path: str
    findings: tuple[Finding, ...]
    unnamed: dict[int, tuple[str, ...]] = field(default_factory=dict)

    @property
    def differences(self) -> list[Finding]:
        return [each for each in self.findings if each.status == "differs"]

    @property
    def unanswered(self) -> list[Finding]:
        return [each for each in self.findings if each.status == "not asked"]

    @property
    def is_equal(self) -> bool:
        """Whether the hosts answered all that was asked, and have what the card says."""
        return not self.differences and not self.unanswered

    def __repr__(self) -> str:
        return f"<check of {self.card.name}: {len(self.findings)} facts, {len(self.differences)} differ>"

    def document(self) -> dict[str, Any]:
        """Return the fields as a JSON-compatible dict."""
        sources = [
            {
                "source": number, "kind": source.kind, "place": source.place,
                "findings": [
                    {"fact": each.fact, "status": each.status, "said": each.said, "file": each.file}
                    for each in self.findings if each.source == number
                ],
                "unnamed": list(self.unnamed.get(number, ())),
            }
            for number, source in enumerate(self.card.sources)
        ]  # fmt: skip
        counts = {"differences": len(self.differences), "unanswered": len(self.unanswered)}
        return {"name": self.card.name, "card": self.path, "equal": self.is_equal, **counts, "sources": sources}
