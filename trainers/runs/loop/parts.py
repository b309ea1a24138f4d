"""Models whose weights are parted among processes: FSDP, DeepSpeed's ZeRO.

Each pass through a part gathers its weights from all processes, which wait for one another. So only layers that every
batch runs exactly once may be parts of their own: those of the language model. The towers stay with the outermost
part, which is gathered once for each pass: one batch runs them not at all, another one several times.
"""

from __future__ import annotations

import os
from typing import Any

from ....errors import UsageError
from ...models.families import base_model

_FSDP, _DEEPSPEED = "FSDP", "DEEPSPEED"
_ASKED = {_FSDP: "ACCELERATE_USE_FSDP", _DEEPSPEED: "ACCELERATE_USE_DEEPSPEED"}
"""What `accelerate launch` tells its processes."""
_BY_LAYER = "transformer_auto_wrap_policy"
_YAML = "fsdp_config of accelerate.yaml: fsdp_version: 2, fsdp_auto_wrap_policy: TRANSFORMER_BASED_WRAP"


def is_fsdp(accelerator: Any) -> bool:
    """Whether FSDP parts the model."""
    return _kind(accelerator) == _FSDP


def is_in_parts(accelerator: Any) -> bool:
    """Whether each process holds a part of the model."""
    return _kind(accelerator) in _ASKED


def _kind(accelerator: Any) -> str:
    return str(accelerator.distributed_type).rpartition(".")[2]


def part_by_layer(accelerator: Any, model: Any) -> None:
    """Let FSDP part a model by the layers of its language model.

    Raises:
        UsageError: The processes were told to part the model in a way in which they would wait for ever or compute
            something else, or would not part it.
    """
    kind = _kind(accelerator)
    for name, variable in _ASKED.items():
        if os.environ.get(variable, "").lower() == "true" and kind != name:
            raise UsageError(
                f"{name} was asked for, and accelerate trains with {kind}: it parts no model on {accelerator.device}.",
                hint="accelerate_ddp.yaml; FSDP and DeepSpeed need GPUs",
            )
    if kind == _FSDP:
        plugin = accelerator.state.fsdp_plugin
        policy = getattr(plugin.auto_wrap_policy, "func", plugin.auto_wrap_policy)
        if plugin.fsdp_version != 2:
            raise UsageError(f"FSDP {plugin.fsdp_version}: only FSDP 2 is supported.", hint=_YAML)
        if getattr(policy, "__name__", None) != _BY_LAYER:
            raise UsageError("FSDP: the model is to be parted by something else than its layers.", hint=_YAML)
        if plugin.cpu_ram_efficient_loading:
            raise UsageError(
                "FSDP: fsdp_cpu_ram_efficient_loading keeps weights out of all processes but the first, and a run"
                " puts adapters and the weights of its checkpoint into each.",
                hint="fsdp_cpu_ram_efficient_loading: false",
            )
        inner = base_model(model)
        plugin.transformer_cls_names_to_wrap = sorted({type(layer).__name__ for layer in inner.get_decoder().layers})
        # A part whose input has no gradient reduces its own at the end of the pass, and one whose input has (the
        # trained projector's sound) at its place in it: ranks that read and ranks that hear would mix them up.
        inner.enable_input_require_grads()


def part_again(model: Any) -> None:
    """Part the weights of FSDP again that a pass without gradients has left whole: until then the model has no others,
    and these are in the number format of the pass."""
    from torch.distributed.fsdp import FSDPModule

    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()


def whole(tensor: Any) -> Any:
    """A parameter of FSDP put together from all processes; any other as it is."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
