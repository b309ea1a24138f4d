"""Models whose weights are parted among processes, by FSDP.

Each pass through a part gathers its weights from all processes, which wait for one another. So only layers that every
batch runs exactly once may be parts of their own: those of the language model. The towers stay with the outermost
part, which is gathered once for each pass: one batch runs them not at all, another one several times.
"""

from __future__ import annotations

from typing import Any

from ....errors import UsageError
from ...models.families import base_model
from .ranks import is_asked

_BY_LAYER = "transformer_auto_wrap_policy"
_YAML = "triptych train config accelerate.yaml"


def is_in_parts(accelerator: Any) -> bool:
    """Whether each process holds a part of the model."""
    return str(accelerator.distributed_type).endswith("FSDP")


def part_by_layer(accelerator: Any, model: Any) -> None:
    """Let FSDP part a model by the layers of its language model, where it is to part it.

    Raises:
        UsageError: The processes were told to part the model in a way in which they would wait for ever or compute
            something else, or in which nothing would part it.
    """
    if not is_in_parts(accelerator):
        if is_asked("FSDP"):
            raise UsageError(
                f"FSDP: accelerate parts no model on {accelerator.device}, and would train the whole one.",
                hint="triptych train config accelerate_ddp.yaml",
            )
        return
    plugin = accelerator.state.fsdp_plugin
    policy = getattr(plugin.auto_wrap_policy, "func", plugin.auto_wrap_policy)
    if plugin.fsdp_version != 2:
        raise UsageError(f"fsdp_version: {plugin.fsdp_version}: the model is parted by FSDP 2 only.", hint=_YAML)
    if getattr(policy, "__name__", None) != _BY_LAYER:
        raise UsageError("fsdp_auto_wrap_policy: the model is parted by its layers only.", hint=_YAML)
    if plugin.cpu_ram_efficient_loading:
        raise UsageError(
            "fsdp_cpu_ram_efficient_loading: each process loads the weights of a checkpoint itself.", hint=_YAML
        )
    inner = base_model(model)
    plugin.transformer_cls_names_to_wrap = sorted({type(layer).__name__ for layer in inner.get_decoder().layers})
    # A part whose input has no gradient reduces its own at the end of the pass, and one whose input has (the trained
    # projector's sound) at its place in it: ranks that read and ranks that hear would mix them up.
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
