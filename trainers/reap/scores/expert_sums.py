"""Sums over the tokens that each expert was given, by the stratum of the row that the token is of.

Sums are kept in 64 bits; means are taken at the end. So the sums of parts, measured by several processes, add up to
those of one.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ....errors import DamagedError

if TYPE_CHECKING:
    import numpy as np

    Floats = np.ndarray[Any, np.dtype[np.float64]]


TEXT, AUDIO, VIDEO, MIXED = "text", "audio", "video", "mixed"
MODALITIES = (TEXT, AUDIO, VIDEO, MIXED)
PANELS = {AUDIO: "S1", VIDEO: "S2", MIXED: "S3"}
"""What is calibrated on, and the panel that REAP-OMNI calls it."""


class Stratum(NamedTuple):
    """The kind of a row: what it is made of, and what it is about."""

    modality: str
    dataset: str
    language: str
    task: str


@dataclass(slots=True, eq=False)
class ExpertSums:
    """What the experts of all layers did.

    Attributes:
        layers: Which layers of the model, from 0.
        experts, top_k: Of a layer: how many there are, and how many a token is given to.
        of: By stratum: shape (layers, experts, 4), as `capture` numbers them.
        largest: The largest value of each expert's outputs, 0 or more; shape (layers, experts).
        tokens, rows: By stratum.
    """

    layers: tuple[int, ...]
    experts: int
    top_k: int
    of: dict[Stratum, Floats] = field(default_factory=dict)
    largest: Any = None
    tokens: dict[Stratum, int] = field(default_factory=dict)
    rows: dict[Stratum, int] = field(default_factory=dict)

    def add(self, stratum: Stratum, sums: Floats, *, tokens: int, rows: int) -> None:
        """Add what was seen of some rows of a stratum."""
        if stratum in self.of:
            self.of[stratum] += sums
        else:
            self.of[stratum] = sums.copy()
        self.tokens[stratum] = self.tokens.get(stratum, 0) + tokens
        self.rows[stratum] = self.rows.get(stratum, 0) + rows

    def add_largest(self, largest: Floats) -> None:
        import numpy as np

        self.largest = largest if self.largest is None else np.maximum(self.largest, largest)

    def merge(self, other: ExpertSums) -> None:
        """Add the sums of another part.

        Raises:
            DamagedError: They are of another model.
        """
        if (self.layers, self.experts, self.top_k) != (other.layers, other.experts, other.top_k):
            raise DamagedError("the scores are of models with other experts; measure both parts with one model.")
        for stratum, sums in other.of.items():
            self.add(stratum, sums, tokens=other.tokens[stratum], rows=other.rows[stratum])
        if other.largest is not None:
            self.add_largest(other.largest)

    def total(self, wanted: Callable[[Stratum], bool] = lambda _: True) -> Floats:
        """The sums over the strata that are wanted; zeros where there is none."""
        import numpy as np

        found = np.zeros((len(self.layers), self.experts, 4))
        for stratum in sorted(self.of):
            if wanted(stratum):
                found += self.of[stratum]
        return found

    def by_modality(self) -> dict[str, Floats]:
        """The sums of each modality that there is."""
        return self.by("modality")

    def by(self, column: str) -> dict[str, Floats]:
        """The sums by the values of a column of the strata."""
        names = _in_order({getattr(stratum, column) for stratum in self.of})
        return {
            name: self.total(lambda stratum, name=name: getattr(stratum, column) == name)  # type: ignore[misc]
            for name in names
        }

    def tokens_by(self, column: str) -> dict[str, int]:
        return _added(self.tokens, column)

    def rows_by(self, column: str) -> dict[str, int]:
        return _added(self.rows, column)

    @property
    def sha256(self) -> str:
        """Of all sums, whatever order they came in."""
        digest = hashlib.sha256()
        for stratum in sorted(self.of):
            digest.update(json.dumps([*stratum, self.tokens[stratum], self.rows[stratum]]).encode())
            digest.update(self.of[stratum].tobytes())
        if self.largest is not None:
            digest.update(self.largest.tobytes())
        return digest.hexdigest()


def _added(counts: Mapping[Stratum, int], column: str) -> dict[str, int]:
    names = _in_order({getattr(stratum, column) for stratum in counts})
    return {name: sum(each for stratum, each in counts.items() if getattr(stratum, column) == name) for name in names}


def _in_order(names: Iterable[str]) -> list[str]:
    """Modalities in their order, other names by the alphabet."""
    return sorted(names, key=lambda name: (MODALITIES.index(name) if name in MODALITIES else -1, name))


@dataclass(slots=True, eq=False)
class State:
    """How far a measurement is.

    Attributes:
        identity: What is measured, on what and how: a measurement goes on only where this is equal.
        sums: So far.
        source, row: The first source and row that are not in `sums`.
        is_complete: Whether every row is in it.
        left_out: Rows that were left out: modality, id, reason, detail.
    """

    identity: dict[str, Any]
    sums: ExpertSums
    source: int = 0
    row: int = 0
    is_complete: bool = False
    left_out: list[list[str]] = field(default_factory=list)

    def differs_in(self, identity: Mapping[str, Any]) -> list[str]:
        """What is not as in another identity. An export or a file is known by its content, wherever it lies."""
        return [name for name in identity if _known(self.identity.get(name)) != _known(identity[name])]

    def save(self, path: Path) -> None:
        """Write it beside its place and rename it: it is there whole, or as it was before."""
        import numpy as np

        sums = self.sums
        strata = sorted(sums.of)
        about = {
            "identity": self.identity, "source": self.source, "row": self.row, "is_complete": self.is_complete,
            "left_out": self.left_out, "layers": sums.layers, "experts": sums.experts, "top_k": sums.top_k,
            "strata": [[*each, sums.tokens[each], sums.rows[each]] for each in strata],
            "has_largest": sums.largest is not None,
        }  # fmt: skip
        values = np.stack([sums.of[each] for each in strata]) if strata else np.zeros(0)
        largest = sums.largest if sums.largest is not None else np.zeros(0)
        beside = path.with_name(f".{path.name}.{os.getpid()}")
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with beside.open("wb") as file:
                np.savez(file, about=json.dumps(about), sums=values, largest=largest)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> State:
        """Read what `save` wrote.

        Raises:
            DamagedError: It cannot be read.
        """
        import numpy as np

        try:
            with np.load(path, allow_pickle=False) as held:
                about = json.loads(str(held["about"]))
                values, largest = held["sums"], held["largest"]
            sums = ExpertSums(tuple(about["layers"]), about["experts"], about["top_k"])
            if len(about["strata"]) and values.shape != (len(about["strata"]), len(sums.layers), sums.experts, 4):
                raise ValueError(f"sums of the shape {values.shape}")
            for place, (*names, tokens, rows) in enumerate(about["strata"]):
                sums.add(Stratum(*names), values[place], tokens=tokens, rows=rows)
            sums.largest = largest if about["has_largest"] else None
        except (OSError, ValueError, LookupError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise DamagedError(
                f"{path}: the scores cannot be read: {error}.", hint="remove it, and they are measured again"
            ) from error
        return cls(about["identity"], sums, about["source"], about["row"], about["is_complete"], about["left_out"])


def _known(value: Any) -> Any:
    is_sources = isinstance(value, list) and all(isinstance(each, list) and len(each) == 3 for each in value)
    return [[modality, sha256] for modality, _, sha256 in value] if is_sources else value


def put_together(states: Iterable[State]) -> State:
    """The measurement that these are the parts of, in the order given."""
    first, *others = states
    sums = ExpertSums(first.sums.layers, first.sums.experts, first.sums.top_k)
    for each in (first, *others):
        sums.merge(each.sums)
    left_out = [row for each in (first, *others) for row in each.left_out]
    return State({**first.identity, "part": [0, 1]}, sums, is_complete=True, left_out=left_out)
