"""The objective of DPO: the loss of pairs by name `preference`, and what is seen of each pair.

    accuracy          the share of pairs whose chosen answer has the higher reward
    margin            by how much: chosen_reward - rejected_reward
    chosen_reward     beta * (log pi - log ref) of the chosen answer; rejected_reward likewise

`accuracy` and `margin` of a dimension are named `accuracy/factuality`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...errors import DamagedError
from ..sft.cross_entropy import ANSWER, ROUTER, Towers, router_weight
from .loss import answer_log_probs, pair_losses, rewards
from .pair_encoder import DIMENSIONS, IDS, NO_DIMENSION

if TYPE_CHECKING:
    import torch

PREFERENCE = "preference"
ACCURACY, MARGIN, CHOSEN, REJECTED = "accuracy", "margin", "chosen_reward", "rejected_reward"

_OWN = ("labels", IDS, DIMENSIONS)
"""What in a batch is not the model's."""


@dataclass(slots=True, eq=False)
class Preferences:
    """The objective of DPO.

    Attributes:
        sft_weight: Of the cross-entropy of chosen answers, a loss of its own.
        towers: As for `CrossEntropy`.
        reference: By the id of a row: log-probabilities of its chosen and its rejected answer. None: the model is its
            own reference, as it is before its first step.
        shared: In which a pass of the model is made, so that its towers run once for both sides.
        measures: What was seen of the pairs of the last batch: sums, and what they are over.
    """

    beta: float
    label_smoothing: float = 0.0
    sft_weight: float = 0.0
    towers: Towers | None = None
    reference: Mapping[str, tuple[float, float]] | None = None
    shared: AbstractContextManager[Any] = field(default_factory=nullcontext)
    measures: dict[str, tuple[Any, int]] = field(default_factory=dict)

    def items(self, inputs: Mapping[str, Any]) -> int:
        """The pairs."""
        return len(inputs[IDS])

    def losses(self, model: Any, inputs: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        with self.shared:
            outputs, policy, tokens = forward(model, inputs)
        pairs = len(inputs[IDS])
        reference = self._reference(inputs[IDS], policy)
        chosen, rejected = rewards(policy, reference, beta=self.beta).split(pairs)
        losses = {PREFERENCE: pair_losses(chosen, rejected, label_smoothing=self.label_smoothing).sum()}
        if self.sft_weight:
            losses[ANSWER] = -self.sft_weight * (policy[:pairs] / tokens[:pairs]).sum()
        if (balance := getattr(outputs, "aux_loss", None)) is not None:
            losses[ROUTER] = router_weight(model) * balance.float() * pairs
        if self.towers is not None and (unused := self.towers(model, inputs)) is not None:
            losses[PREFERENCE] = losses[PREFERENCE] + unused
        self.measures = _measures(chosen.detach(), rejected.detach(), inputs[DIMENSIONS])
        return losses

    def _reference(self, ids: tuple[str, ...], policy: torch.Tensor) -> torch.Tensor:
        if self.reference is None:
            return policy.detach()
        missing = [id for id in ids if id not in self.reference]
        if missing:
            raise DamagedError(
                f"row {missing[0]}: it could not be read when the reference was computed, and now it can.",
                hint="begin another run: --output-dir DIR",
            )
        sides = [self.reference[id][side] for side in (0, 1) for id in ids]
        return policy.new_tensor(sides)


def forward(model: Any, inputs: Mapping[str, Any]) -> tuple[Any, torch.Tensor, torch.Tensor]:
    """What the model returns of a batch, and the log-probability and the tokens of each answer, chosen ones first."""
    outputs = model(**{name: value for name, value in inputs.items() if name not in _OWN}, use_cache=False)
    return outputs, *answer_log_probs(outputs.logits, inputs["labels"])


def _measures(chosen: Any, rejected: Any, dimensions: tuple[str, ...]) -> dict[str, tuple[Any, int]]:
    pairs = len(dimensions)
    margin = chosen - rejected
    is_right = (margin > 0).float()
    found = {ACCURACY: (is_right.sum(), pairs), MARGIN: (margin.sum(), pairs),
             CHOSEN: (chosen.sum(), pairs), REJECTED: (rejected.sum(), pairs)}  # fmt: skip
    for name in sorted(set(dimensions) - {NO_DIMENSION}):
        places = [place for place, each in enumerate(dimensions) if each == name]
        found[f"{ACCURACY}/{name}"] = (is_right[places].sum(), len(places))
        found[f"{MARGIN}/{name}"] = (margin[places].sum(), len(places))
    return found
