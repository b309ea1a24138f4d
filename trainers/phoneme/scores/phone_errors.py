"""The phone error rate on an export that is not trained on, while a run goes on.

Phones are heard as `phoneme infer` hears them, with a bound: a model that does not know yet how to end would say a
phone for every frame. A clip ends after twice the phones of its reference; its error rate is then 100 % or more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....errors import UsageError
from ....shards.media.integrity import check_as_stored
from ....shards.media.streams import MediaError
from ....validators.metrics.error_rates import FIELDS, error_rate, phone_error_rate
from ....validators.metrics.metric import Pair
from ...data.bad_rows import BadRow
from ...data.training_row import TrainingRow
from ...data.turns import Clip
from ...runs.prepare import Data, Prepared, computing_of
from ...runs.scores.evaluations import Measurement
from ..base import inner
from ..config import PER, PhonemeConfig
from ..decoder import PhoneDecoder
from ..phone_rows import PhoneEncoder


@dataclass(frozen=True, slots=True, eq=False)
class PhoneErrors:
    """Measures a model by what it hears of some rows.

    Attributes:
        rows: Those that are heard here: of several processes each hears its own.
        gathered: What all ranks have found, of what this one has.
    """

    rows: Sequence[TrainingRow]
    encoder: PhoneEncoder
    computing: Callable[[], AbstractContextManager[Any]]
    gathered: Callable[[Any], list[Any]]

    @classmethod
    def of(
        cls, config: PhonemeConfig, prepared: Prepared, data: Data, *, gathered: Callable[[Any], list[Any]],
        part: tuple[int, int] | None,
    ) -> PhoneErrors:  # fmt: skip
        """Take the first rows of an export that can be read.

        Args:
            part: Those that this rank hears, as start and stride; None: ranks hold parts of the model.

        Raises:
            UsageError: The model is in parts.
        """
        import numpy as np

        if part is None:
            raise UsageError(
                "phoneme.best_metric: per: phones are not heard by a model whose parts lie on several devices.",
                hint="phoneme.best_metric: loss, or configs/accelerate_ddp.yaml",
            )
        kept = np.flatnonzero(data.lengths.tokens > 0)[: config.phoneme.per_rows]
        rows = [data.rows[int(number)] for number in kept[part[0] :: part[1]]]
        encoder: Any = prepared.encoder
        return cls(rows, encoder, computing_of(prepared), gathered)

    def __call__(self, model: Any) -> list[Measurement]:
        decoder, metric = PhoneDecoder(inner(model), self.encoder, self.computing), phone_error_rate()
        counts, unheard = [0.0] * len(FIELDS), 0
        for row in self.rows:
            reference = row.turns[-1].text
            said = self._heard(decoder, row, most=2 * len(reference.split()))
            unheard += said is None
            pair = Pair(where=row.id, reference=reference, hypothesis=said)
            counts = [one + other for one, other in zip(counts, metric.count(pair).counts, strict=True)]
        parts = self.gathered((counts, len(self.rows), unheard))
        sums = [sum(each) for each in zip(*(part[0] for part in parts), strict=True)]
        rate = error_rate(sums)
        if rate is None:
            return []
        told = {**dict(zip(FIELDS, map(int, sums), strict=True)), "rows": sum(part[1] for part in parts),
                "unheard": sum(part[2] for part in parts)}  # fmt: skip
        return [Measurement(PER, rate, selects=True, counts=told)]

    def _heard(self, decoder: PhoneDecoder, row: TrainingRow, *, most: int) -> str | None:
        """The phones of a row; None: its clip cannot be heard any more."""
        (clip,) = (each for each in row.media if isinstance(each, Clip))
        prompt = self.encoder.prompt or row.turns[-2].text.strip()
        try:
            check_as_stored(Path(clip.path), clip.sha256)
            return decoder.hear(Path(clip.path), prompt=prompt, most=most).text
        except (MediaError, BadRow):
            return None
