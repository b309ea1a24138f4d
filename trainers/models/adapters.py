"""LoRA, placed by full names of layers and held against what was asked for.

peft resolves patterns in ways that differ by model: for those with experts it turns a pattern into the last parts of
names, so that a pattern for the language model adapts the audio tower too. Here each layer is named in full, and
afterwards every parameter that would be trained must be in a component that was asked for.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ...errors import DamagedError, UsageError
from .families import EXPERTS, LANGUAGE_MODEL, PROJECTOR, Family, check_known, is_adapter, plain_name

_FUSED = {"gate_up_proj": ("gate_proj", "up_proj"), "down_proj": ("down_proj",)}
"""Tensors of all experts of a layer, and the layers of one expert that each holds."""


class LoraSettings(Protocol):
    """LoRA, as the section `lora` of a configuration says.

    Attributes:
        r: The rank.
        alpha: What its product is scaled by is `alpha / r`.
        dropout: Of what reaches an adapter while it is trained; experts take none.
        targets: Layers by the last part of their names; None: those of the family.
        components: Where they are adapted.
        whole: Components whose weights are trained themselves; one that a model does not have is skipped.
    """

    @property
    def r(self) -> int: ...
    @property
    def alpha(self) -> float: ...
    @property
    def dropout(self) -> float: ...
    @property
    def targets(self) -> Sequence[str] | None: ...
    @property
    def components(self) -> Sequence[str]: ...
    @property
    def whole(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora:
    """Settings with their defaults; see `LoraSettings`."""

    r: int = 16
    alpha: float = 32
    dropout: float = 0.05
    targets: Sequence[str] | None = None
    components: Sequence[str] = (LANGUAGE_MODEL,)
    whole: Sequence[str] = (PROJECTOR,)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where adapters go, by full names.

    Attributes:
        layers: Linear layers.
        tensors: Tensors of fused experts.
        whole: Modules that are trained themselves.
    """

    layers: tuple[str, ...]
    tensors: tuple[str, ...]
    whole: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ComponentShare:
    """What of a component is trained.

    Attributes:
        parameters: Numbers in its weights, adapters left out.
        trainable: Of them.
        adapters: Layers and tensors that are adapted.
        adapter_parameters: Numbers in their adapters.
    """

    component: str
    parameters: int
    trainable: int
    adapters: int
    adapter_parameters: int


def place(model: Any, family: Family, settings: LoraSettings) -> Placement:
    """Find the layers that are adapted.

    Raises:
        UsageError: A component or layer that this model does not have.
    """
    from torch import nn

    family.check_components(settings.components, option="lora.components")
    check_known(settings.whole, option="lora.whole")
    asked = tuple(settings.targets) if settings.targets is not None else family.adapted
    components = frozenset(settings.components)
    layers = [
        name for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and _last(name) in asked and family.component_of(name) in components
    ]  # fmt: skip
    tensors = [
        name for name, parameter in model.named_parameters()
        if parameter.dim() == 3 and EXPERTS in components and family.component_of(name) == EXPERTS
        and set(asked).intersection(_FUSED.get(_last(name), ()))
    ]  # fmt: skip
    found = {_last(name) for name in layers}.union(*(_FUSED[_last(name)] for name in tensors))
    missing = [each for each in asked if each not in found]
    if missing and (settings.targets is not None or not found):
        raise UsageError(
            f"lora.targets: {', '.join(missing)}: no such layer in {' or '.join(settings.components)}"
            f" of {family.name}.",
            hint=_elsewhere(model, family, missing) or f"layers there: {', '.join(_linear(model, family, components))}",
        )
    if tensors and not set(found).issubset(asked):
        raise UsageError(
            f"lora.targets: the experts of {family.name} hold gate_proj and up_proj as one tensor.",
            hint="name both, or neither",
        )
    if tensors and settings.dropout:
        raise UsageError(
            f"lora.dropout: {settings.dropout:g}: adapters of experts take no dropout (peft cannot apply it to them).",
            hint="lora.dropout: 0, or leave experts out of lora.components",
        )
    return Placement(tuple(layers), tuple(tensors), tuple(_roots(model, family, settings.whole)))


def add_adapters(model: Any, family: Family, settings: LoraSettings) -> Any:
    """Freeze a model and add adapters to it: what comes back is a `PeftModel`.

    The first weights of adapters are drawn from torch's generator: seed it before.

    Raises:
        UsageError: A component or layer that this model does not have, or peft is not installed.
        DamagedError: Adapters landed elsewhere than they were put.
    """
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError as error:
        raise UsageError("peft is not installed.", hint="pip install 'triptych[train]'") from error
    placement = place(model, family, settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers by a name that is to go
        adapted = get_peft_model(
            model,
            LoraConfig(
                r=settings.r, lora_alpha=settings.alpha, lora_dropout=settings.dropout,
                target_modules=list(placement.layers), target_parameters=list(placement.tensors) or None,
                modules_to_save=list(placement.whole) or None,
            ),
        )  # fmt: skip
    check_placement(adapted, family, settings, placement)
    return adapted


def add_into(model: Any, family: Family, settings: LoraSettings) -> None:
    """Freeze a module of any class and put adapters into it; what is trained whole stays where it is.

    Raises:
        UsageError: A component or layer that this model does not have, or peft is not installed.
        DamagedError: Adapters landed elsewhere than they were put.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise UsageError("peft is not installed.", hint="pip install 'triptych[train]'") from error
    placement = place(model, family, settings)
    model.requires_grad_(False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        inject_adapter_in_model(
            LoraConfig(r=settings.r, lora_alpha=settings.alpha, lora_dropout=settings.dropout,
                       target_modules=list(placement.layers)),
            model,
        )  # fmt: skip
    for name, parameter in model.named_parameters():
        is_whole = not is_adapter(name) and family.component_of(name) in settings.whole
        parameter.requires_grad_(is_adapter(name) or is_whole)
    check_placement(model, family, settings, placement)


def check_placement(model: Any, family: Family, settings: LoraSettings, placement: Placement) -> None:
    """Hold the parameters that would be trained against where adapters were put.

    Raises:
        DamagedError: One is elsewhere, or one that was asked for is not there.
    """
    adapted = set()
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        component = family.component_of(name)
        wanted = settings.components if is_adapter(name) else settings.whole
        if component not in wanted:
            raise DamagedError(
                f"{name} would be trained, which is in {component}; asked for were {', '.join(wanted) or 'none'}.",
                hint="this version of peft places adapters differently; install one that constraints.txt names",
            )
        if is_adapter(name):
            adapted.add(adapted_name(name))
    expected = {*placement.layers, *(name.rpartition(".")[0] for name in placement.tensors)}
    if adapted != expected:
        missing = sorted(expected ^ adapted)
        raise DamagedError(
            f"{len(missing)} layers are not adapted as they were to be, the first is {missing[0]}.",
            hint="this version of peft places adapters differently; install one that constraints.txt names",
        )


def trainable_by_component(model: Any, family: Family) -> tuple[ComponentShare, ...]:
    """What is trained of each component, in the order of the family."""
    counts = {name: [0, 0, 0, 0] for name in family.component_names}
    adapted: set[str] = set()
    for name, parameter in model.named_parameters():
        count = counts[family.component_of(name)]
        if is_adapter(name):
            count[3] += parameter.numel()
            if name.partition(".lora_")[0] not in adapted:
                adapted.add(name.partition(".lora_")[0])
                count[2] += 1
        elif ".original_module." not in name:  # the copy that is not trained stands aside
            held = getattr(parameter, "quant_state", None)  # 4-bit weights are packed
            count[0] += parameter.numel() if held is None else held.shape.numel()
            count[1] += parameter.numel() if parameter.requires_grad else 0
    return tuple(ComponentShare(name, *count) for name, count in counts.items() if any(count))


def adapted_name(name: str) -> str:
    """The layer, or the module of the tensor, that the parameter of an adapter adapts."""
    return plain_name(name.partition(".lora_")[0])


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _linear(model: Any, family: Family, components: Iterable[str]) -> list[str]:
    from torch import nn

    found = (name for name, module in model.named_modules() if isinstance(module, nn.Linear))
    return sorted({_last(name) for name in found if family.component_of(name) in components})


def _elsewhere(model: Any, family: Family, layers: Sequence[str]) -> str | None:
    """Where layers of these names are."""
    names = [name for name, _ in (*model.named_modules(), *model.named_parameters())]
    fused = {last for last, parts in _FUSED.items() if set(parts).intersection(layers)}
    wanted = fused.union(layers)
    found = sorted({family.component_of(name) for name in names if _last(name) in wanted})
    return f"they are in {' and '.join(found)}: see lora.components" if found else None


def _roots(model: Any, family: Family, components: Sequence[str]) -> list[str]:
    """The largest modules that hold these components and nothing else; lists are no modules that are called."""
    from torch import nn

    def is_whole(name: str, module: Any) -> bool:
        names = [f"{name}.{each}" for each, _ in module.named_parameters()]
        return bool(names) and all(
            family.component_of(each) in components and not family.is_fixed(each) for each in names
        )

    found: list[str] = []
    for name, module in model.named_modules():
        if not name or isinstance(module, nn.ModuleList) or any(name.startswith(f"{root}.") for root in found):
            continue
        if is_whole(name, module):
            found.append(name)
    return found
