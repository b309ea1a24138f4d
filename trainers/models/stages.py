"""What is trained, when, and at which learning rate.

Three rates: adapters take `lr`; of parts whose own weights are trained the projectors, and what begins with random
weights, take `lr_projector` and all others `lr_pretrained`; a stage may name one for all that it trains. The groups of
an optimizer are the same from the first step to the last, each with a rate for each stage, so that its state resumes as
it was.

A parameter that a stage does not train has no gradient in it: the optimizer passes it over, without decay and without
moments.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ...errors import UsageError
from .families import (
    AUDIO_TOWER,
    CTC_HEAD,
    NEW_TOKENS,
    PROJECTOR,
    REACHED_BY,
    VISUAL_PROJECTOR,
    Family,
    base_model,
    is_adapter,
    plain_name,
)

ALL, ENCODER_TOP = "all", "encoder_top"

_UNTRAINED = (PROJECTOR, VISUAL_PROJECTOR, NEW_TOKENS, CTC_HEAD)
"""Parts that connect others, or that begin with random weights: they take `lr_projector`."""

_TOP = re.compile(rf"{ENCODER_TOP}:(\d+)")


class Rates(Protocol):
    """Learning rates, as the section `training` of a configuration says."""

    @property
    def lr(self) -> float: ...
    @property
    def lr_projector(self) -> float: ...
    @property
    def lr_pretrained(self) -> float: ...


class StageSettings(Protocol):
    """A stage: components, `all`, or `encoder_top:N`, the last N layers of the audio tower and the norm behind them."""

    @property
    def train(self) -> Sequence[str]: ...
    @property
    def lr(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Group:
    """Parameters that have the same rates.

    Attributes:
        name: The component, with `adapters` or `no decay` behind it where that holds.
        parameters: Their names in the model.
        rates: The learning rate in each stage; 0: not trained in it.
        decays: Whether weight decay applies: not to biases and norms.
    """

    name: str
    component: str
    parameters: tuple[str, ...]
    rates: tuple[float, ...]
    decays: bool

    @property
    def highest_rate(self) -> float:
        return max(self.rates)


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What is trained in each stage.

    Attributes:
        ends: The step at which each stage but the last ends.
        idle: Components that `all` leaves frozen, since nothing in the data reaches them.
    """

    groups: tuple[Group, ...]
    ends: tuple[int, ...]
    idle: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all parameters that any stage trains, sorted."""
        return tuple(sorted(name for group in self.groups for name in group.parameters))

    @property
    def rates(self) -> dict[str, tuple[float, ...]]:
        """The highest learning rate of each part in each stage, its biases and norms with the rest."""
        return {group.name.replace(" no decay", ""): group.rates for group in self.groups}

    def stage_at(self, step: int) -> int:
        """The stage that a step is in; steps count from 0."""
        return sum(end <= step for end in self.ends)

    def prepare(self, model: Any) -> None:
        """Freeze what no stage trains, keep the rest in 32 bits, and begin the first stage."""
        import torch

        trained = set(self.names)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(name in trained)
            if name in trained and parameter.dtype in (torch.bfloat16, torch.float16):
                parameter.data = parameter.data.float()
        self.enter(model, 0)

    def optimizer_groups(self, model: Any, *, weight_decay: float) -> list[dict[str, Any]]:
        """Groups for an optimizer of torch: `lr` is the highest rate of a group, see `share`."""
        parameters = _parameters(model)
        return [
            {
                "params": [parameters[name] for name in group.parameters],
                "lr": group.highest_rate,
                "weight_decay": weight_decay if group.decays else 0.0,
                "name": group.name,
            }
            for group in self.groups
        ]

    def share(self, group: int, step: int) -> float:
        """What a group's highest rate is multiplied by at a step, beside the schedule: 0 where it is not trained."""
        found = self.groups[group]
        return found.rates[self.stage_at(step)] / found.highest_rate

    def enter(self, model: Any, stage: int) -> None:
        """Compute gradients of what a stage trains, and of nothing else: for models that no wrapper has looked at."""
        parameters = _parameters(model)
        for group in self.groups:
            for name in group.parameters:
                parameters[name].requires_grad_(group.rates[stage] > 0)
                if not group.rates[stage]:
                    parameters[name].grad = None

    def drop_gradients(self, model: Any, stage: int) -> None:
        """Drop the gradients of what a stage does not train: for DDP, which must see the same parameters throughout."""
        parameters = _parameters(model)
        for group in self.groups:
            if not group.rates[stage]:
                for name in group.parameters:
                    parameters[name].grad = None


def plan_adapters(model: Any, family: Family, rates: Rates) -> TrainingPlan:
    """The plan of a model that has adapters: what `add_adapters` left trainable, in one stage."""
    found = {
        name: (_rate(family, name, rates),) for name, parameter in model.named_parameters() if parameter.requires_grad
    }
    return TrainingPlan(_groups(model, family, found), ())


def plan_stages(
    model: Any,
    family: Family,
    rates: Rates,
    *,
    stages: Sequence[StageSettings] = (),
    ends: Sequence[int] = (),
    modalities: Collection[str] = ("audio",),
) -> TrainingPlan:
    """The plan of a model whose own weights are trained: all of them, or stage by stage.

    Args:
        ends: The step at which each stage but the last ends.
        modalities: What the data has: `audio`, `image`, `video`; parts that nothing reaches stay frozen.

    Raises:
        UsageError: A stage trains what the model does not have, or what nothing in the data reaches.
    """
    if any(hasattr(module, "quant_state") or _is_quantized(module) for module in model.modules()):
        raise UsageError(
            "model.quantization: quantized weights cannot be trained themselves.", hint="add the section lora"
        )
    if len(ends) != max(0, len(stages) - 1) or list(ends) != sorted(set(ends)):
        raise ValueError(f"{len(stages)} stages, whose ends are {list(ends)}")
    reached = frozenset(modalities)
    idle = [each for each in family.component_names if each in REACHED_BY and not REACHED_BY[each] & reached]
    names = [name for name, _ in model.named_parameters() if not family.is_fixed(name)]
    stages = stages or (_Everything(),)
    found = {name: [0.0] * len(stages) for name in names}
    for number, stage in enumerate(stages):
        for name in _trained(names, model, family, stage.train, idle):
            found[name][number] = stage.lr if stage.lr is not None else _rate(family, name, rates)
    trained = {name: tuple(each) for name, each in found.items() if any(each)}
    return TrainingPlan(_groups(model, family, trained), tuple(ends), tuple(idle))


@dataclass(frozen=True, slots=True)
class _Everything:
    train: tuple[str, ...] = (ALL,)
    lr: float | None = None


def _rate(family: Family, name: str, rates: Rates) -> float:
    if is_adapter(name):
        return rates.lr
    return rates.lr_projector if family.component_of(name) in _UNTRAINED else rates.lr_pretrained


def _trained(
    names: Sequence[str], model: Any, family: Family, asked: Sequence[str], idle: Collection[str]
) -> list[str]:
    """The parameters that a stage trains."""
    components: set[str] = set()
    top = 0
    for each in asked:
        match = _TOP.fullmatch(each)
        if match:
            top = _layers(model, family, int(match[1]))
        elif each == ALL:
            components.update(set(family.component_names).difference(idle))
        else:
            family.check_components([each], option="stages")
            components.add(each)
        if each in idle or (match and AUDIO_TOWER in idle):
            lacking = " or ".join(sorted(REACHED_BY[AUDIO_TOWER if match else each]))
            raise UsageError(
                f"stages: {each} would not be trained: no row has {lacking}.",
                hint="leave it out, or train on an export that has",
            )
    found = [name for name in names if family.component_of(name) in components]
    if top and AUDIO_TOWER not in components:
        found += [name for name in names if _is_in_top(name, model, family, top)]
    if not found:
        raise UsageError(f"stages: {', '.join(asked)}: this model has no weights there.")
    return found


def _layers(model: Any, family: Family, count: int) -> int:
    if family.layers is None:
        raise UsageError(f"stages: {ENCODER_TOP}: {family.name} has no audio tower.")
    have = len(base_model(model).get_submodule(family.layers[0]))
    if not 1 <= count <= have:
        raise UsageError(f"stages: {ENCODER_TOP}: {count}: the audio tower has {have} layers.", hint=f"1 to {have}")
    return count


def _is_in_top(name: str, model: Any, family: Family, count: int) -> bool:
    assert family.layers is not None
    path, behind = family.layers
    plain = plain_name(name)
    match = re.match(rf"{re.escape(path)}\.(\d+)\.", plain)
    first = len(base_model(model).get_submodule(path)) - count
    return (match is not None and int(match[1]) >= first) or re.match(behind, plain) is not None


def _groups(model: Any, family: Family, rates: Mapping[str, tuple[float, ...]]) -> tuple[Group, ...]:
    """Parameters by component, rates and decay, in the order of the model."""
    found: dict[tuple[str, bool, tuple[float, ...], bool], list[str]] = {}
    for name, parameter in model.named_parameters():
        if name in rates:
            key = (family.component_of(name), is_adapter(name), rates[name], parameter.dim() > 1)
            found.setdefault(key, []).append(name)
    groups: list[Group] = []
    for (component, adapters, each, decays), names in found.items():
        label = " ".join([component, *(["adapters"] if adapters else []), *([] if decays else ["no decay"])])
        count = sum(group.name == label or group.name.startswith(f"{label} #") for group in groups)
        groups.append(Group(f"{label} #{count + 1}" if count else label, component, tuple(names), each, decays))
    return tuple(groups)


def _is_quantized(module: Any) -> bool:
    return type(module).__module__.startswith("bitsandbytes.")


def _parameters(model: Any) -> dict[str, Any]:
    """Parameters by the names they had before a wrapper for several devices."""
    unwrapped = model.module if hasattr(model, "module") and not hasattr(model, "config") else model
    return dict(unwrapped.named_parameters())
