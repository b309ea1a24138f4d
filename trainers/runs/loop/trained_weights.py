"""The weights of a checkpoint, and what happens to weights from stage to stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...models.weights import load_weights, save_weights, trained_parameters
from ..processes.parts import whole
from .steps import Hooks

if TYPE_CHECKING:
    from ...models.stages import TrainingPlan
    from ...models.towers import SoundCheck


@dataclass(slots=True, eq=False)
class TrainedWeights:
    """Writes and reads what any stage of a plan trains.

    Attributes:
        is_main: Whether this process writes; the others help to put weights together that are in parts.
    """

    trained: TrainingPlan
    is_main: bool = True

    def save(self, model: Any, folder: Path) -> None:
        found = {}
        for name, parameter in trained_parameters(model, self.trained.names).items():
            value = whole(parameter.detach())
            if self.is_main:  # each goes to the processor's memory: the device may not hold all of them whole
                found[name] = value.cpu()
        if self.is_main:
            save_weights(found, folder)

    def load(self, model: Any, folder: Path) -> None:
        load_weights(model, folder, self.trained.names)


class StageHooks(Hooks):
    """Trains what the stage of a step trains, and looks whether sound is heard.

    Args:
        is_wrapped: Whether a wrapper for several devices has looked at the model: then gradients are dropped instead.
    """

    def __init__(self, model: Any, trained: TrainingPlan, check: SoundCheck | None, *, is_wrapped: bool) -> None:
        self.model, self.trained, self.check, self.is_wrapped = model, trained, check, is_wrapped
        self._stage: int | None = None

    def before_step(self, number: int) -> None:
        stage = self.trained.stage_at(number - 1)
        if stage != self._stage and not self.is_wrapped:
            self.trained.enter(self.model, stage)
        self._stage = stage

    def after_forward(self, inputs: Mapping[str, Any]) -> None:
        if self.check is not None:
            self.check.check(inputs)

    def after_backward(self, model: Any, number: int) -> None:
        if self.is_wrapped and self.trained.ends:
            self.trained.drop_gradients(model, self.trained.stage_at(number - 1))
