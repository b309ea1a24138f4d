"""What is minimised: the cross-entropy of phones, by name `phones`, and with a head over the frames CTC, by name `ctc`.

Both are sums over the tokens that are trained: -log p of each token, and of CTC -log p of a row's phones, over all ways
in which they lie along the frames (Graves et al. 2006), times its weight. `accuracy` is the share of tokens that are
the likeliest when all before them are right.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..sft.cross_entropy import Towers
from ..sft.labels import IGNORED

if TYPE_CHECKING:
    import torch

PHONES, CTC = "phones", "ctc"
CLASSES, COUNTS = "ctc_classes", "ctc_counts"
"""In a batch, for CTC: the phones of all rows one after the other, from 1 on, and how many each row has."""

_OWN = ("labels", CLASSES, COUNTS)
"""What in a batch is not the model's."""


class PhoneLoss:
    """The objective of phone recognition.

    Args:
        ctc_weight: Of the loss of CTC; 0: there is no such head.
        towers: As for `CrossEntropy`; every row has sound, so that there is nothing to do.
    """

    def __init__(self, *, ctc_weight: float = 0.0, towers: Towers | None = None) -> None:
        self.ctc_weight, self.towers = ctc_weight, towers
        self.measures: Mapping[str, tuple[Any, int]] = {}

    def items(self, inputs: Mapping[str, Any]) -> int:
        """The tokens that are trained."""
        return int((inputs["labels"][:, 1:] != IGNORED).sum())

    def losses(self, model: Any, inputs: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        from torch.nn.functional import cross_entropy, ctc_loss, pad

        labels = inputs["labels"]
        is_trained = labels[:, 1:] != IGNORED
        targets = labels[:, 1:][is_trained]
        given = {name: value for name, value in inputs.items() if name not in _OWN}
        out = model(**given, at=pad(is_trained, (0, 1)))
        logits = out.logits.float()
        losses = {PHONES: cross_entropy(logits, targets, reduction="sum")}
        if self.ctc_weight:
            log_probs = out.ctc_logits.float().log_softmax(-1).transpose(0, 1)
            ways = ctc_loss(log_probs, inputs[CLASSES], out.frames, inputs[COUNTS], blank=0, reduction="sum")
            losses[CTC] = self.ctc_weight * ways
        if self.towers is not None and (unused := self.towers(model, inputs)) is not None:
            losses[PHONES] = losses[PHONES] + unused
        right = (logits.detach().argmax(-1) == targets).sum()
        self.measures = {"accuracy": (right, len(targets))}
        return losses
