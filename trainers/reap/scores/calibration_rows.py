"""What was calibrated on, so that what pruning costs is measured on something else, and is told where it is not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ...data.turns import USER, Turn
from .calibration import Source


@dataclass(slots=True, eq=False)
class Repeats:
    """Rows of a modality that are the same as earlier ones.

    Attributes:
        first: The id of the first of them.
    """

    modality: str
    rows: int
    first: str


@dataclass(slots=True, eq=False)
class Calibrated:
    """The rows that experts are scored on.

    Attributes:
        repeats: Of each modality that has some.
    """

    repeats: list[Repeats] = field(default_factory=list)
    _asked: set[bytes] = field(default_factory=set)
    _media: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, sources: Iterable[Source], samples: int | None) -> Calibrated:
        """Read which they are: the first rows of each source; None: all."""
        made = cls()
        for source in sources:
            found, repeats = set[bytes](), Repeats(source.modality, 0, "")
            for each in source.rows(stop=samples):
                if each.row is None:
                    continue
                whole = _digest(each.row.turns)
                if whole in found:
                    repeats.rows, repeats.first = repeats.rows + 1, repeats.first or each.id
                found.add(whole)
                made._asked.add(_digest(_asked(each.row.turns)))
                made._media.update(_paths(each.row.turns))
            if repeats.rows:
                made.repeats.append(repeats)
        return made

    def has(self, turns: Sequence[Turn]) -> bool:
        """Whether the same was asked of the same media, whatever the answer."""
        return _digest(_asked(turns)) in self._asked

    def shares(self, turns: Sequence[Turn]) -> bool:
        """Whether a medium of it was calibrated on; of text alone, whether the same was asked."""
        paths = _paths(turns)
        return not self._media.isdisjoint(paths) if paths else self.has(turns)


def _asked(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    return tuple(turn for turn in turns if turn.role == USER)


def _digest(turns: Sequence[Turn]) -> bytes:
    return hashlib.sha256(repr([(turn.role, turn.parts) for turn in turns]).encode("utf-8", "surrogatepass")).digest()


def _paths(turns: Sequence[Turn]) -> set[str]:
    return {part.path for turn in turns for part in turn.parts if not isinstance(part, str)}
