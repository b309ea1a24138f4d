"""What of a retrieval model is trained: projections, and of encoders the top layers' own weights, or adapters.

Projections take `training.lr`, all that is trained of encoders `training.lr_pretrained`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ....errors import DamagedError, UsageError
from ...models.adapters import Lora, add_into
from ...models.families import PROJECTOR, Family
from ...models.stages import ENCODER_TOP, TrainingPlan, plan_adapters, plan_stages

if TYPE_CHECKING:
    from pathlib import Path

    from ..config import ContrastiveConfig

SPEECH_ENCODER, TEXT_ENCODER = "speech_encoder", "text_encoder"
ENCODERS = (SPEECH_ENCODER, TEXT_ENCODER)

FAMILY = Family(
    name="retrieval",
    model_types=frozenset(),
    components=(
        (SPEECH_ENCODER, r"speech_encoder(?:\.|$)"),
        (TEXT_ENCODER, r"text_encoder(?:\.|$)"),
        (PROJECTOR, r"(?:speech|text)(?:\.|$)"),
    ),
    adapted=("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj", "query", "key", "value",
             "q_lin", "k_lin", "v_lin"),
    fixed=r"speech_encoder\.embed_positions\.",
    layers=("speech_encoder.layers", r"speech_encoder\.layer_norm\."),
)  # fmt: skip
"""The parts of a retrieval model. Layers that LoRA adapts: in encoders of speech queries, keys and values."""


@dataclass(frozen=True, slots=True)
class _Rates:
    lr: float
    lr_projector: float
    lr_pretrained: float


@dataclass(frozen=True, slots=True)
class _Stage:
    train: Sequence[str]
    lr: float | None = None


def trained_encoders(config: ContrastiveConfig) -> tuple[str, ...]:
    """The encoders of which something is trained."""
    found: set[str] = set(config.lora.components) if config.lora is not None else set()
    if config.retrieval.unfreeze_layers:
        found.add(SPEECH_ENCODER)
    return tuple(each for each in ENCODERS if each in found)


def prepare_training(model: Any, config: ContrastiveConfig) -> TrainingPlan:
    """Add adapters to a model, freeze what is not trained, and say what is.

    The first weights of adapters are drawn from torch's generator: seed it before.

    Raises:
        UsageError: A layer that the encoders do not have is to be trained.
    """
    training, layers = config.training, config.retrieval.unfreeze_layers
    rates = _Rates(training.lr_pretrained, training.lr, training.lr_pretrained)
    if config.lora is not None:
        section = config.lora
        lora = Lora(r=section.r, alpha=section.alpha, dropout=section.dropout, targets=section.targets,
                    components=section.components, whole=(PROJECTOR,))  # fmt: skip
        add_into(model, FAMILY, lora)
        plan = plan_adapters(model, FAMILY, rates)
    else:
        if layers:
            have = len(model.speech_encoder.layers)
            if layers > have:
                raise UsageError(
                    f"retrieval.unfreeze_layers: {layers}: the speech encoder has {have} layers.", hint=f"0 to {have}"
                )
        top = [f"{ENCODER_TOP}:{layers}"] if layers else []
        plan = plan_stages(model, FAMILY, rates, stages=[_Stage([PROJECTOR, *top])])
    plan.prepare(model)
    return plan


def merge(model: Any) -> None:
    """Put adapters into the weights that they adapt; the model then computes with these alone."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, module in list(model.named_modules()):
        if isinstance(module, BaseTunerLayer):
            module.merge(safe_merge=True)
            parent, _, last = name.rpartition(".")
            setattr(model.get_submodule(parent), last, module.get_base_layer())


def save_encoders(model: Any, names: Sequence[str], path: Path) -> None:
    """Write weights of encoders, merged: those of the layers in which any parameter of these names was trained."""
    from safetensors.torch import save_file

    save_file({name: model.get_parameter(name).detach().contiguous().cpu() for name in names}, path)


def changed_weights(plan: TrainingPlan) -> list[str]:
    """The encoders' own weights that training changes, an adapter standing for the weight that it adapts."""
    from ...models.adapters import adapted_name
    from ...models.families import is_adapter

    names = {f"{adapted_name(name)}.weight" if is_adapter(name) else name for name in plan.names}
    return sorted(name for name in names if FAMILY.component_of(name) in ENCODERS)


def load_encoder(encoder: Any, part: str, path: Path) -> None:
    """Put the trained weights of one part into an encoder.

    Raises:
        DamagedError: The file cannot be read, or has none of this encoder, or others than it has.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        held = load_file(path)
        own = {name.partition(".")[2]: value for name, value in held.items() if name.partition(".")[0] == part}
        if not own:
            raise KeyError(f"it has no weights of the {part}")
        with torch.no_grad():
            for name, value in own.items():
                parameter = encoder.get_parameter(name)
                if parameter.shape != value.shape:
                    raise ValueError(f"{name} has the shape {tuple(value.shape)}, not {tuple(parameter.shape)}")
                parameter.copy_(value)
    except (OSError, KeyError, ValueError, AttributeError, SafetensorError) as error:
        raise DamagedError(f"{path}: {str(error).splitlines()[0]}.", hint="train it again") from error
