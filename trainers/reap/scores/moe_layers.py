"""The layers of a model that have experts: routers that choose some of them for each token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ....errors import UsageError

OMNI = ("qwen3_omni_moe", "qwen3_omni_moe_thinker")
TEXT = ("qwen3_moe",)
MODEL_TYPES = (*OMNI, *TEXT)
"""Models whose routers are known here: a softmax over all experts, of which the most likely are chosen."""

THINKER, TALKER = "thinker", "talker"


@dataclass(frozen=True, slots=True, eq=False)
class MoeLayer:
    """A layer with experts.

    Attributes:
        index: Which layer of the language model, from 0.
        router, experts: Its modules.
        count: How many experts it has.
        top_k: How many of them a token is given to.
    """

    index: int
    router: Any
    experts: Any
    count: int
    top_k: int


def check_component(component: str) -> None:
    """Raise UsageError if the experts are those of the part that speaks."""
    if component == TALKER:
        raise UsageError(
            "--component talker: its experts are reached by the thinker's hidden states and by the codes of the speech"
            " that it is making, and there are no calibration rows of those: their scores would be those of noise.",
            hint="remove --component; the talker stays as it is",
        )


def check_model(config: Any) -> None:
    """Raise UsageError if a model has no experts, or its routers are not known here."""
    kind = str(config.model_type)
    if kind == "qwen3_omni_moe_talker":
        check_component(TALKER)
    if kind not in MODEL_TYPES:
        raise UsageError(
            f"experts of models of the type {kind!r} cannot be scored here.", hint=f"types: {', '.join(MODEL_TYPES)}"
        )


def moe_layers(model: Any) -> tuple[MoeLayer, ...]:
    """Find the layers with experts; of an Omni, give its thinker.

    Raises:
        UsageError: There is none.
    """
    check_model(model.config)
    language = model.model
    stack: Sequence[Any] = (language.language_model if hasattr(language, "language_model") else language).layers
    found = tuple(
        MoeLayer(index, layer.mlp.gate, layer.mlp.experts, int(layer.mlp.gate.num_experts), int(layer.mlp.gate.top_k))
        for index, layer in enumerate(stack)
        if hasattr(layer.mlp, "experts")
    )
    if not found:
        raise UsageError(f"the model ({model.config.model_type}) has no layer with experts.")
    return found
