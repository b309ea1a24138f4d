"""The loss of SFT: cross-entropy over the tokens of answers, by name `answer`; of a mixture of experts `router` too.

The models' own losses are not used: that of Qwen2-Audio is a mean over each batch, whatever the batches of a step are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .labels import IGNORED

if TYPE_CHECKING:
    import torch

ANSWER, ROUTER = "answer", "router"


Towers = Callable[[Any, Mapping[str, Any]], Any]
"""Called with the model and the inputs of a batch."""


class CrossEntropy:
    """The objective of SFT.

    Args:
        towers: Called with the model and the inputs of a batch: 0 times the output of each tower that the batch does
            not use, so that every rank computes with the same parameters; None on one device.
    """

    def __init__(self, *, towers: Towers | None = None) -> None:
        self.towers = towers
        self.measures: Mapping[str, tuple[Any, int]] = {}

    def items(self, inputs: Mapping[str, Any]) -> int:
        """The tokens that are trained; the first of a row has nothing before it to be told from."""
        return int((inputs["labels"][:, 1:] != IGNORED).sum())

    def losses(self, model: Any, inputs: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        from torch.nn.functional import cross_entropy

        labels = inputs["labels"][:, 1:]
        outputs = model(**{name: value for name, value in inputs.items() if name != "labels"}, use_cache=False)
        is_trained = labels != IGNORED
        # Only the trained positions are made fp32: the logits of all are the largest tensor of a step.
        logits = outputs.logits[:, :-1][is_trained].float()
        losses = {ANSWER: cross_entropy(logits, labels[is_trained], reduction="sum")}
        if (balance := getattr(outputs, "aux_loss", None)) is not None:
            losses[ROUTER] = router_weight(model) * balance.float() * is_trained.sum()
        if self.towers is not None and (unused := self.towers(model, inputs)) is not None:
            losses[ANSWER] = losses[ANSWER] + unused
        return losses


def router_weight(model: Any) -> float:
    """What the loss that spreads tokens over experts is multiplied by."""
    config = getattr(model, "config", None) or model.module.config
    return float(config.get_text_config().router_aux_loss_coef)
