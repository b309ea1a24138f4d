"""What is seen between two lines of metrics, on one rank and on all."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from ...data.batch_loader import Batch
    from .steps import Step

COUNTS = ("rows", "tokens", "positions", "items")


@dataclass(slots=True)
class Interval:
    """Sums since the last line, on this rank.

    Attributes:
        losses: The sum of each loss over items; it stays on the device until a line is told.
        measures: What else was seen of the rows: sums, and what they are over.
        tokens, positions: Tokens of the rows, and positions of their batches, padding included.
        left_out: Rows that could not be trained on, each with its step.
    """

    losses: dict[str, torch.Tensor] = field(default_factory=dict)
    measures: dict[str, tuple[Any, int]] = field(default_factory=dict)
    rows: int = 0
    tokens: int = 0
    positions: int = 0
    items: int = 0
    left_out: list[tuple[int, Any]] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def add(self, batch: Batch, items: int, losses: Mapping[str, torch.Tensor]) -> None:
        """Add a batch and the sums of its losses."""
        for name, value in losses.items():
            told = value.detach().float()
            self.losses[name] = self.losses[name] + told if name in self.losses else told
        if batch.inputs is not None:
            mask = batch.inputs["attention_mask"]
            self.rows += len(batch.ids)
            self.tokens += int(mask.sum())
            self.positions += mask.numel()
            self.items += items

    def measure(self, measures: Mapping[str, tuple[Any, int]]) -> None:
        """Add what was seen of a batch beside its losses."""
        add_measures(self.measures, measures)

    def end(self, step: Step) -> None:
        """The step is over."""
        self.left_out += [(step.number, row) for row in step.left_out]

    def document(self) -> dict[str, Any]:
        """What other ranks are told."""
        return {
            "losses": {name: float(value) for name, value in self.losses.items()}, "left_out": self.left_out,
            "measures": {name: (float(total), count) for name, (total, count) in self.measures.items()},
            **{name: getattr(self, name) for name in COUNTS},
        }  # fmt: skip


def add_measures(to: dict[str, tuple[Any, int]], measures: Mapping[str, tuple[Any, int]]) -> None:
    """Add sums, and what they are over."""
    for name, (total, count) in measures.items():
        before, counted = to.get(name, (0.0, 0))
        to[name] = (before + total, counted + count)


def means_of(measures: Mapping[str, tuple[Any, int]]) -> dict[str, float]:
    """Means by name, in its order."""
    return {name: float(total) / max(1, count) for name, (total, count) in sorted(measures.items())}


@dataclass(frozen=True, slots=True)
class Seen:
    """The sums of an interval over all ranks."""

    losses: dict[str, float]
    measures: dict[str, float]
    counts: dict[str, int]
    left_out: list[tuple[int, Any]]
    seconds: float

    @classmethod
    def of(cls, parts: Sequence[Mapping[str, Any]], seconds: float) -> Seen:
        """Add up what the ranks saw; losses become means over their items."""
        counts = {name: sum(part[name] for part in parts) for name in COUNTS}
        sums: dict[str, float] = {}
        for part in parts:
            for name, value in part["losses"].items():
                sums[name] = sums.get(name, 0.0) + value
        losses = {name: value / max(1, counts["items"]) for name, value in sums.items()}
        measures: dict[str, tuple[Any, int]] = {}
        for part in parts:
            add_measures(measures, part["measures"])
        return cls(losses, means_of(measures), counts, [each for part in parts for each in part["left_out"]], seconds)

    def document(self) -> dict[str, Any]:
        """The fields of a line."""
        tokens, positions = self.counts["tokens"], self.counts["positions"]
        return {
            "loss": sum(self.losses.values()), "losses": self.losses,
            **({"measures": self.measures} if self.measures else {}),
            **{name: self.counts[name] for name in ("rows", "tokens", "items")},
            "padding": round(1 - tokens / positions, 6) if positions else 0.0, "seconds": round(self.seconds, 3),
            "tokens_per_second": round(tokens / max(self.seconds, 1e-9), 1),
        }  # fmt: skip
