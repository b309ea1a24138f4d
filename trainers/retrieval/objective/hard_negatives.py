"""The near terms of a batch: found in an index of the whole glossary, which is made again as training goes.

The index says which terms to look at; how near they are, the weights of the step say, with gradients. Between two
indexes it stays as it was: a checkpoint keeps the weights of texts that it was made with, so that a run that goes on
looks at the same terms. Terms that only tests name are not in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...models.families import PROJECTOR
from ...runs.loop.steps import Hooks
from ..model.model_inputs import NEAR, TEXT, Given, named, projected
from ..model.trained_parts import FAMILY, TEXT_ENCODER
from ..search.glossary_index import GlossaryIndex

if TYPE_CHECKING:
    from ...models.stages import TrainingPlan

SAVED = "near_terms.safetensors"


@dataclass(slots=True, eq=False)
class NearTerms:
    """Near terms of clips.

    Attributes:
        terms: Of the glossary, as the model takes them.
        candidates: Rows of the glossary among which near terms are looked for.
        names: Parameters that are trained.
        count: Near terms that each clip is held against.
        every: Steps from one index to the next.
    """

    terms: Given
    candidates: Sequence[int]
    names: Sequence[str]
    count: int
    every: int
    index: GlossaryIndex | None = None
    made_with: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls, terms: Given, candidates: Sequence[int], plan: TrainingPlan, *, count: int, every: int
    ) -> NearTerms:  # fmt: skip
        """Near terms of a run; only weights of texts make the index."""
        own = [name for name in plan.names if FAMILY.component_of(name) == TEXT_ENCODER
               or (FAMILY.component_of(name) == PROJECTOR and name.startswith(f"{TEXT}."))]  # fmt: skip
        return cls(terms, candidates, own, count, every)

    def refresh(self, model: Any) -> None:
        """Make the index with the weights of now."""
        parameters = dict(model.named_parameters())
        self.made_with = {name: parameters[name].detach().to("cpu", copy=True) for name in self.names}
        self._build(model)

    def _build(self, model: Any) -> None:
        from ...runs.scores.evaluations import leaving_no_trace

        with leaving_no_trace(model):
            found = projected(model, _Some(self.terms, self.candidates), TEXT)
        self.index = GlossaryIndex.of([str(number) for number in self.candidates], found)

    def inputs(self, model: Any, audio: Any, own: Any) -> dict[str, Any]:
        """The terms near to any clip of a batch as the model takes them, without those that the batch names itself.

        Args:
            audio: The clips' vectors.
            own: The rows in the glossary of each clip's own terms, filled up with -1.
        """
        if self.index is None:
            self.refresh(model)
        assert self.index is not None
        places, _ = self.index.nearest(audio.detach().float().cpu().numpy(), self.count + own.shape[1])
        there = {self.candidates[place] for row in places.tolist() for place in row if place >= 0}
        numbers = sorted(there.difference(own.flatten().tolist()))
        if not numbers:
            return {}
        return {key: value.to(own.device) for key, value in named(NEAR, self.terms.of(numbers)).items()}

    # ---- checkpoints

    def save(self, folder: Path) -> None:
        from safetensors.torch import save_file

        if self.made_with:
            save_file(self.made_with, folder / SAVED)

    def load(self, model: Any, folder: Path) -> None:
        """Make the index that a checkpoint's run was looking into."""
        from safetensors.torch import load_file

        self.index = None
        if (folder / SAVED).is_file():
            self.made_with = load_file(folder / SAVED)
            with _weights(model, self.made_with):
                self._build(model)


class NearTermHooks(Hooks):
    """Makes the index again when it is time."""

    def __init__(self, model: Any, near: NearTerms) -> None:
        self.model, self.near = model, near

    def before_step(self, number: int) -> None:
        if (number - 1) % self.near.every == 0:
            self.near.refresh(self.model)


@dataclass(frozen=True, slots=True, eq=False)
class _Some:
    """Some of what is given, as if it were all."""

    whole: Given
    numbers: Sequence[int]

    def __len__(self) -> int:
        return len(self.numbers)

    def of(self, numbers: Sequence[int]) -> dict[str, Any]:
        return self.whole.of([self.numbers[number] for number in numbers])

    def parts(self) -> Sequence[Sequence[int]]:
        places = {number: place for place, number in enumerate(self.numbers)}
        found = [[places[number] for number in part if number in places] for part in self.whole.parts()]
        return [part for part in found if part]


@contextmanager
def _weights(model: Any, held: dict[str, Any]) -> Iterator[None]:
    """The model with other weights, which then get their values back."""
    import torch

    parameters = dict(model.named_parameters())
    before = {name: parameters[name].detach().clone() for name in held}
    try:
        with torch.no_grad():
            for name, value in held.items():
                parameters[name].copy_(value)
        yield
    finally:
        with torch.no_grad():
            for name, value in before.items():
                parameters[name].copy_(value)
