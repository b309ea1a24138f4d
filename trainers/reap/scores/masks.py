"""A model as if experts were pruned: its routers choose among those that are kept.

What such a model computes is what the pruned model computes: the same logits of the same experts go through the same
softmax. So what pruning costs is measured without writing a model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from .moe_layers import MoeLayer


@contextmanager
def pruned_to(layers: Sequence[MoeLayer], kept: Sequence[Sequence[int]] | None) -> Iterator[None]:
    """Let the routers of these layers choose among the kept experts meanwhile; None: among all."""
    import torch

    if kept is None:
        yield
        return
    for layer, experts in zip(layers, kept, strict=True):
        places = torch.tensor(list(experts), device=layer.router.weight.device)
        layer.router.forward = partial(_routed, layer.router, places)
    try:
        yield
    finally:
        for layer in layers:
            del layer.router.forward


def _routed(router: Any, kept: Any, hidden: Any) -> tuple[Any, Any, Any]:
    """What the model's own router does, with the rows of the kept experts alone."""
    import torch
    from torch.nn import functional

    logits = functional.linear(hidden.reshape(-1, router.hidden_dim), router.weight[kept])
    values, chosen = torch.topk(torch.softmax(logits, dtype=torch.float, dim=-1), router.top_k, dim=-1)
    if router.norm_topk_prob:
        values = values / values.sum(dim=-1, keepdim=True)
    return logits, values.to(logits.dtype), kept[chosen]
