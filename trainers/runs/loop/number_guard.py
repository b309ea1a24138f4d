"""The end of a run whose loss or gradients are no longer numbers, before they reach the weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ....errors import TriptychError

if TYPE_CHECKING:
    from .checkpoints import Checkpoints
    from .steps import Step

_SKIPPED = 20


class Diverged(TriptychError):
    """The loss or its gradients are no longer numbers."""


class NumberGuard:
    """Looks at each step before the weights change.

    Args:
        checkpoints: Those of the run, for the message.
        is_scaled: Whether gradients are scaled (fp16): then a step whose gradients overflow is skipped and the scale
            halved; only many in a row end the run.
    """

    def __init__(self, checkpoints: Checkpoints, *, is_scaled: bool) -> None:
        self.checkpoints = checkpoints
        self.is_scaled = is_scaled
        self._skipped = 0

    def check(self, step: Step, losses: Sequence[float], norm: float, *, rate: float) -> None:
        """Check the mean loss of each batch that has rows, and the norm of the gradients.

        Raises:
            Diverged: With the rows whose loss is no number, and what to change.
        """
        self._skipped = 0 if math.isfinite(norm) else self._skipped + 1
        bad = [number for number, loss in enumerate(losses) if not math.isfinite(loss)]
        if not bad and (not self._skipped or (self.is_scaled and self._skipped <= _SKIPPED)):
            return
        batches = [batch for batch in step.batches if batch.inputs is not None]
        rows = "; ".join(f"{', '.join(batches[number].ids)} ({losses[number]:g})" for number in bad)
        what = (
            f"the loss of these rows is not finite: {rows}"
            if bad
            else f"the norm of the gradients is {norm:g}; the rows of the step: {', '.join(step.ids)}"
        )
        last = self.checkpoints.latest
        kept = f"checkpoint {last.name} is as it was" if last else "there is no checkpoint before it"
        change = "model.dtype=bf16 or fp32 (fp16 ends at 65,504), " if self.is_scaled else ""
        raise Diverged(
            f"step {step.number:,}: {what}. Nothing was saved after it; {kept}.",
            hint=f"try {change}a lower training.lr (now {rate:g}), more training.warmup_steps, or a lower "
            "training.max_grad_norm; then look at those rows",
        )
