"""The steps of contrastive training: a new order of the clips for each epoch, known from its number alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...data.batch_loader import Batch
from ...runs.loop.steps import Step
from ..model.model_inputs import AUDIO, TERMS, TEXT, named

if TYPE_CHECKING:
    from ..model.model_inputs import Given
    from ..term_rows import TermRow


@dataclass(frozen=True, slots=True, eq=False)
class Clips:
    """Clips with what the model takes of their sound, their words, and all terms that they name.

    Attributes:
        places: The row of each term in `terms`, the glossary.
    """

    rows: Sequence[TermRow]
    audio: Given
    texts: Given
    terms: Given
    places: dict[str, int]

    def batch(self, numbers: Sequence[int]) -> Batch:
        """The inputs of some clips."""
        import torch

        rows = [self.rows[number] for number in numbers]
        said = [sorted({self.places[term] for term in (*row.terms, *row.other_terms)}) for row in rows]
        columns = sorted(set().union(*said))
        words = [row.text.lower() for row in rows]
        most = max(1, *map(len, said))
        inputs: dict[str, Any] = {
            **named(AUDIO, self.audio.of(numbers)), **named(TEXT, self.texts.of(numbers)),
            **(named(TERMS, self.terms.of(columns)) if columns else {}),
            "has_text": torch.tensor([bool(text) for text in words]),
            "same_text": torch.tensor([[one == other for other in words] for one in words]),
            "names": torch.tensor([[term in own for term in columns] for own in said], dtype=torch.bool),
            "own": torch.tensor([[*own, *[-1] * (most - len(own))] for own in said]),
            "attention_mask": torch.ones(len(rows), 1, dtype=torch.long),
        }  # fmt: skip
        return Batch(tuple(row.id for row in rows), inputs)


@dataclass(frozen=True, slots=True, eq=False)
class ClipSteps:
    """The steps of a run, from any step on."""

    clips: Clips
    batch_size: int
    accumulation: int
    epochs: int
    seed: int
    most: int | None = None

    @property
    def of_epoch(self) -> int:
        return -(-len(self.clips.rows) // (self.batch_size * self.accumulation))

    def __len__(self) -> int:
        steps = self.epochs * self.of_epoch
        return steps if self.most is None else min(steps, self.most)

    def after(self, step: int) -> Iterator[Step]:
        import numpy as np

        for number in range(step, len(self)):
            epoch, place = divmod(number, self.of_epoch)
            order = np.random.default_rng([self.seed, epoch]).permutation(len(self.clips.rows))
            own = order[place * self.batch_size * self.accumulation :][: self.batch_size * self.accumulation]
            parts = [own[start : start + self.batch_size] for start in range(0, len(own), self.batch_size)]
            batches = tuple(self.clips.batch(part.tolist()) for part in parts)
            yield Step(number + 1, epoch + (place + 1) / self.of_epoch, batches)
