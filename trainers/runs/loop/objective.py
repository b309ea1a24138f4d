"""What a run minimises: losses by name, each a sum over the items of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import torch

Inputs = Mapping[str, Any]


class Objective(Protocol):
    """The losses of a batch.

    The loss of a step is the sum of all losses over all batches of the step on all ranks, divided by the number of
    items in them: a step does not depend on how its rows are parted into batches.
    """

    @property
    def measures(self) -> Mapping[str, tuple[Any, int]]:
        """What else was seen of the last batch, by name: a sum, and what it is over; told as means."""

    def items(self, inputs: Inputs) -> int:
        """How many items a batch has: for SFT the tokens that are trained."""

    def losses(self, model: Any, inputs: Inputs) -> dict[str, torch.Tensor]:
        """The sum of each loss over the items of a batch, by name; what is minimised is the sum of all."""
