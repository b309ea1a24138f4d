"""The steps of contrastive training: a new order of the clips for each epoch, known from its number alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..data.batch_loader import Batch
from ..runs.loop.steps import Step

if TYPE_CHECKING:
    from .metrics import Vectors
    from .term_rows import TermRow


@dataclass(frozen=True, slots=True, eq=False)
class Clips:
    """Clips with the vectors of their sound, their words, and all terms that they name.

    Attributes:
        terms: Row numbers in `term_vectors` by term.
        candidates: Rows of `term_vectors` among which near terms are looked for.
    """

    rows: Sequence[TermRow]
    audio: Vectors
    texts: Vectors
    terms: dict[str, int]
    term_vectors: Vectors
    candidates: Sequence[int] = ()

    def batch(self, numbers: Sequence[int], drawn: Sequence[int]) -> Batch:
        """The inputs of some clips."""
        import torch

        rows = [self.rows[number] for number in numbers]
        said = [{self.terms[term] for term in (*row.terms, *row.other_terms)} for row in rows]
        columns = sorted(set().union(*said))
        words = [row.text.lower() for row in rows]
        inputs: dict[str, Any] = {
            "audio": torch.from_numpy(self.audio[numbers]), "text": torch.from_numpy(self.texts[numbers]),
            "has_text": torch.tensor([bool(text) for text in words]),
            "same_text": torch.tensor([[one == other for other in words] for one in words]),
            "terms": torch.from_numpy(self.term_vectors[columns]),
            "names": torch.tensor([[term in own for term in columns] for own in said], dtype=torch.bool),
            "attention_mask": torch.ones(len(rows), 1, dtype=torch.long),
        }  # fmt: skip
        if len(drawn):
            named = torch.zeros(len(rows), len(self.term_vectors), dtype=torch.bool)
            for place, own in enumerate(said):
                named[place, list(own)] = True
            inputs |= {"near": torch.from_numpy(self.term_vectors[drawn]), "names_near": named[:, drawn]}
        return Batch(tuple(row.id for row in rows), inputs)


@dataclass(frozen=True, slots=True, eq=False)
class ClipSteps:
    """The steps of a run, from any step on.

    Attributes:
        drawn: How many candidates each batch looks for near terms among; 0: none.
    """

    clips: Clips
    batch_size: int
    accumulation: int
    epochs: int
    seed: int
    most: int | None = None
    drawn: int = 0

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
            draw = np.random.default_rng([self.seed, number, 1])
            batches = tuple(self.clips.batch(part.tolist(), self._drawn(draw)) for part in parts)
            yield Step(number + 1, epoch + (place + 1) / self.of_epoch, batches)

    def _drawn(self, draw: Any) -> Sequence[int]:
        import numpy as np

        candidates = self.clips.candidates
        if not self.drawn or len(candidates) <= self.drawn:
            return candidates if self.drawn else ()
        drawn: list[int] = np.sort(draw.choice(np.asarray(candidates, np.int64), self.drawn, replace=False)).tolist()
        return drawn
