"""What each expert did in a forward pass, seen while the pass runs.

For each token and each expert that it is given to: the weight of the router g, and the norm of the expert's output f
before it is weighed. The pass itself stays as it is: an expert runs once, on the tokens that it is given, and the
output of the layer is the same to the last bit. Each token is handed to the experts k times, once for each of its k,
with a weight of 1; so the outputs come back one by one, whatever computes them (grouped, batched or in a loop).

g is the weight that the model itself uses: of the k largest, divided by their sum where the model does so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from .moe_layers import MoeLayer

if TYPE_CHECKING:
    import torch

TOKENS, WEIGHT, NORM, WEIGHED_NORM = range(4)
"""What is summed over the tokens that an expert was given: 1, g, |f| and g |f|."""
SUMMED = 4


class Capture:
    """Sums over the tokens of each pass, while it is entered: `begin`, a forward pass, `take`.

    Attributes:
        layers: The layers that are seen.
        wants_largest: Whether the largest value of each expert's output is kept.
    """

    def __init__(self, layers: Sequence[MoeLayer], *, wants_largest: bool = False) -> None:
        self.layers, self.wants_largest = tuple(layers), wants_largest
        self._groups: torch.Tensor | None = None
        self._sums: list[Any] = [None] * len(layers)
        self._largest: list[Any] = [None] * len(layers)

    def __enter__(self) -> Self:
        for place, layer in enumerate(self.layers):
            layer.experts.forward = partial(self._seen, place, layer.experts.forward)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for layer in self.layers:
            del layer.experts.forward

    def begin(self, groups: torch.Tensor) -> None:
        """Say to which group each token of the next pass counts.

        Args:
            groups: Shape (rows, tokens): 0, 1 ...; -1 for padding, which counts to none.
        """
        import torch

        flat = groups.reshape(-1, 1)
        self._groups = (flat == torch.arange(int(groups.max()) + 1, device=groups.device)).double().T.contiguous()
        self._sums = [None] * len(self.layers)

    def take(self) -> tuple[Any, Any]:
        """The sums of the pass, shape (groups, layers, experts, 4), and the largest values, (layers, experts)."""
        import numpy as np

        missing = [layer.index for layer, each in zip(self.layers, self._sums, strict=True) if each is None]
        if missing:
            raise RuntimeError(f"no token reached the experts of layer {missing[0]}")
        sums = np.stack([each.cpu().numpy() for each in self._sums], axis=1)
        if not self.wants_largest:
            return sums, np.zeros(sums.shape[1:3])
        return sums, np.stack([each.cpu().double().numpy() for each in self._largest])

    def _seen(self, place: int, forward: Callable[..., Any], hidden: Any, chosen: Any, weights: Any) -> Any:
        """The forward pass of a layer's experts."""
        import torch

        assert self._groups is not None
        tokens, k = chosen.shape
        one_each = torch.ones((tokens * k, 1), dtype=weights.dtype, device=weights.device)
        outputs = forward(hidden.repeat_interleave(k, dim=0), chosen.reshape(-1, 1), one_each)
        outputs = outputs.view(tokens, k, -1)
        norms = torch.linalg.vector_norm(outputs, dim=-1, dtype=torch.float32).double()
        g = weights.double()
        count = self.layers[place].count
        seen = torch.zeros((tokens, SUMMED, count), dtype=torch.float64, device=hidden.device)
        for what, values in ((TOKENS, torch.ones_like(g)), (WEIGHT, g), (NORM, norms), (WEIGHED_NORM, g * norms)):
            seen[:, what].scatter_(1, chosen, values)
        # A product of matrices adds in the same order every time; adding with an index does not on a GPU.
        self._sums[place] = (self._groups @ seen.view(tokens, -1)).view(-1, SUMMED, count).transpose(1, 2)
        if self.wants_largest:
            largest = torch.zeros((tokens, count), device=hidden.device)
            largest.scatter_(1, chosen, outputs.amax(-1).float())
            self._largest[place] = (largest * self._groups.sum(0)[:, None]).amax(0).clamp(min=0)
        return (outputs * weights[..., None]).sum(1).to(hidden.dtype)
