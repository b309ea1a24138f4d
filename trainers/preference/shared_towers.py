"""The towers of a model run once for both sides of a batch of pairs.

Both sides hear and see the same media in the same order, chosen sides first. So a tower is given the first half of its
inputs, and what comes of it is handed to both halves; gradients of both flow back through the one pass. What is behind
a tower (Qwen2-Audio's projector) and the language model run on both sides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from ..models.families import AUDIO_TOWER, VISUAL

if TYPE_CHECKING:
    from ..models.families import Family


class SharedTowers:
    """A context in which the towers of a model share their work; outside of it they run as ever.

    with shared:
        outputs = model(**inputs)
    """

    def __init__(self, model: Any, family: Family) -> None:
        self._is_on = False
        for component in (AUDIO_TOWER, VISUAL):
            tower = family.module(model, component)
            if tower is not None:
                tower.register_forward_pre_hook(self._halved, with_kwargs=True)
                tower.register_forward_hook(self._doubled)

    def __enter__(self) -> Self:
        self._is_on = True
        return self

    def __exit__(self, *_: object) -> None:
        self._is_on = False

    def _halved(self, _tower: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not self._is_on:
            return None
        [first, *others] = args
        lengths = kwargs.get("feature_lens")
        if lengths is not None:  # the clips of Qwen3-Omni follow one another, shape (mels, frames)
            half = lengths.chunk(2)[0]
            return (first[:, : int(half.sum())], *others), {**kwargs, "feature_lens": half}
        rows = len(first)
        halves = {
            name: value.chunk(2)[0] if hasattr(value, "chunk") and _is_by_row(name, value, rows) else value
            for name, value in kwargs.items()
        }
        return (first[: rows // 2], *others), halves

    def _doubled(self, _tower: Any, _args: Any, output: Any) -> Any:
        if self._is_on:
            for name, value in output.items():
                output[name] = _twice(value)
        return output


def _is_by_row(name: str, value: Any, rows: int) -> bool:
    """Whether an input has an entry for each clip, or, as the grids do, for each picture."""
    return name == "grid_thw" or len(value) == rows


def _twice(value: Any) -> Any:
    import torch

    if isinstance(value, torch.Tensor):
        return torch.cat([value, value])
    return type(value)(map(_twice, value)) if isinstance(value, list | tuple) else value
