"""Whether sound and pictures reach the parts that hear and see, in every step.

A model of sound can be trained for hours on placeholders alone: nothing fails, the loss falls, and no sound was heard
(trl's trainers do so with audio models). And ranks that train together wait for one another's gradients for ever if
the batch of one has sound and that of another has none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ...errors import DamagedError
from .families import AUDIO_TOWER, PROJECTOR, QWEN2_AUDIO, QWEN3_OMNI, VISUAL, Family, base_model
from .real_lengths import FRAMES

_INPUTS = {AUDIO_TOWER: ("input_features",), VISUAL: ("pixel_values", "pixel_values_videos")}
"""What in a batch is for a tower."""


class SoundUnheard(DamagedError):
    """A batch had sound or pictures, and the part of the model that takes them was not called.

    Attributes:
        component: The part.
    """

    def __init__(self, component: str, inputs: Collection[str]) -> None:
        self.component = component
        heard = "heard" if component == AUDIO_TOWER else "seen"
        super().__init__(
            f"the batch has {' and '.join(inputs)}, and the {component} was not called: nothing of it is {heard}.",
            hint="training would learn the texts alone; check what the model's forward is given",
        )


class SoundCheck:
    """Counts the calls of a model's towers: `check` after each forward pass.

    It costs a hook on each tower.
    """

    def __init__(self, model: Any, family: Family) -> None:
        self.calls = dict.fromkeys(_INPUTS, 0)
        self._hooks = []
        for component in _INPUTS:
            tower = family.module(model, component)
            if tower is not None:
                self._hooks.append(tower.register_forward_hook(self._counter(component)))

    def _counter(self, component: str) -> Any:
        def count(*_: Any) -> None:
            self.calls[component] += 1

        return count

    def check(self, inputs: Mapping[str, Any]) -> None:
        """Hold the calls since the last check against the batch that the model was given.

        Raises:
            SoundUnheard: It had sound or pictures, and their tower was not called.
        """
        calls = self.calls
        self.calls = dict.fromkeys(_INPUTS, 0)
        for component, names in _INPUTS.items():
            given = [name for name in names if inputs.get(name) is not None and len(inputs[name])]
            if given and not calls[component]:
                raise SoundUnheard(component, given)

    def remove(self) -> None:
        """Take the hooks off."""
        for hook in self._hooks:
            hook.remove()


def touch_towers(model: Any, family: Family, modalities: Collection[str] = ("audio",)) -> Any:
    """Run towers on silence or a blank picture and return 0, so that they are in the graph of this rank too.

    To be added to the loss of a batch that lacks what other ranks have, within the same step: each parameter of a tower
    then has a gradient of zeros, and no rank waits for it.

    Args:
        modalities: `audio`, `image`, `video`: those that the batch lacks and the data has.
    """
    import torch

    inner = base_model(model)
    total = torch.zeros((), device=next(inner.parameters()).device)
    if "audio" in modalities and family in (QWEN2_AUDIO, QWEN3_OMNI):
        total = total + _heard(inner, family)
    if {"image", "video"}.intersection(modalities) and family is QWEN3_OMNI:
        total = total + _seen(inner, family)
    return total


def _heard(model: Any, family: Family) -> Any:
    import torch

    tower = family.module(model, AUDIO_TOWER)
    weight = next(tower.parameters())
    options = {"dtype": weight.dtype, "device": weight.device}
    mels = tower.config.num_mel_bins
    if family is QWEN2_AUDIO:
        features = torch.zeros((1, mels, FRAMES), **options)
        hidden = family.module(model, PROJECTOR)(tower(features).last_hidden_state)
    else:
        frames = torch.tensor([2 * tower.n_window], device=weight.device)
        hidden = tower(torch.zeros((mels, int(frames)), **options), feature_lens=frames).last_hidden_state
    return 0.0 * hidden.float().sum()


def _seen(model: Any, family: Family) -> Any:
    import torch

    tower = family.module(model, VISUAL)
    config = tower.config
    weight = next(tower.parameters())
    merged = config.spatial_merge_size
    patch = config.in_channels * config.temporal_patch_size * config.patch_size**2
    blank = torch.zeros((merged**2, patch), dtype=weight.dtype, device=weight.device)
    found = tower(blank, grid_thw=torch.tensor([[1, merged, merged]], device=weight.device))
    return 0.0 * sum(each.float().sum() for each in (found.pooler_output, *found.deepstack_features))
