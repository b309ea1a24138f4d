"""What a checkpoint changes in a base model: weights that were trained themselves, and what adapters add to others."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import DamagedError
from ..models.adapters import LoraSettings, add_adapters
from ..models.families import is_adapter, plain_name
from ..models.weights import weight_files
from .layouts import Layout


@dataclass(frozen=True, slots=True)
class Adapter:
    """The two matrices that are added to a weight.

    Attributes:
        first, second: Their names in the checkpoint; the first is applied first.
        scale: What their product is multiplied by.
        experts: How many experts the weight holds; 1: it is one matrix.
    """

    first: str
    second: str
    scale: float
    experts: int


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """What a checkpoint changes, by the names of weights in the trained model.

    Attributes:
        whole: New weights: their names in the checkpoint.
        adapted: Weights that adapters add to.
        files: Where each tensor of the checkpoint is.
    """

    whole: Mapping[str, str]
    adapted: Mapping[str, Adapter]
    files: Mapping[str, Path]

    @classmethod
    def read(cls, checkpoint: Path, layout: Layout, lora: LoraSettings | None) -> Changes:
        """Read what a checkpoint of a run changes.

        Args:
            layout: Of the base model.
            lora: As the run was configured; None: weights were trained themselves.

        Raises:
            DamagedError: The checkpoint is not one of such a run of this model.
        """
        files = weight_files(checkpoint)
        adapted = {} if lora is None else _adapters(layout, lora)
        whole = {plain_name(name): name for name in files if not is_adapter(name)}
        known = {name for name, _ in layout.trained.named_parameters()}
        used = {name for each in adapted.values() for name in (each.first, each.second)}.union(whole.values())
        unknown = sorted(set(files) ^ used) or sorted(set(whole) - known)
        if unknown:
            raise DamagedError(
                f"{checkpoint}: it is no checkpoint of this run and model: {unknown[0]} and {len(unknown) - 1} more"
                " weights are in one and not in the other.",
                hint="name the base model that the run was trained on",
            )
        return cls(whole, adapted, files)

    @property
    def names(self) -> tuple[str, ...]:
        """Weights that are changed."""
        return (*self.whole, *self.adapted)

    def tensor(self, name: str) -> Any:
        """A new weight, or what is added to one, in 32 bits."""
        if name in self.whole:
            return self._read(self.whole[name])
        import torch

        adapter = self.adapted[name]
        first, second = self._read(adapter.first), self._read(adapter.second)
        if adapter.experts == 1:
            return adapter.scale * (second @ first)
        first = first.reshape(adapter.experts, -1, first.shape[-1])
        second = second.reshape(second.shape[0], -1, adapter.experts)
        return adapter.scale * torch.einsum("ore,eri->eoi", second, first)

    def _read(self, name: str) -> Any:
        from safetensors import safe_open

        with safe_open(self.files[name], "pt") as file:
            return file.get_tensor(name).float()


def _adapters(layout: Layout, lora: LoraSettings) -> dict[str, Adapter]:
    """Where adapters are, by adding them to a copy of the model without numbers."""
    from peft.tuners.lora.layer import LoraLayer, ParamWrapper

    model = add_adapters(deepcopy(layout.trained), layout.family, lora)
    found = {}
    for path, module in model.named_modules():
        if isinstance(module, LoraLayer):
            is_tensor = isinstance(module, ParamWrapper)
            found[f"{plain_name(path)}.{module.parameter_name if is_tensor else 'weight'}"] = Adapter(
                first=f"{path}.lora_A.default.weight", second=f"{path}.lora_B.default.weight",
                scale=module.scaling["default"], experts=module.num_experts if is_tensor else 1,
            )  # fmt: skip
    return found
