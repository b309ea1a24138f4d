"""DPO as a recipe of a run: the encoder of pairs, their loss, and the reference."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runs.prepare import Recipe, model_with
from ..sft.cross_entropy import CrossEntropy, Towers
from ..sft.train import answers_of
from .pair_encoder import PairEncoder
from .preferences import Preferences
from .reference import by_id, facts_of, reference_of
from .shared_towers import SharedTowers

if TYPE_CHECKING:
    from ..models.families import Family
    from ..runs.config.sections import RunConfig
    from ..runs.loop.objective import Objective
    from ..runs.prepare import Data, Prepared
    from .config import DpoConfig


def dpo(config: DpoConfig) -> Recipe:
    """The recipe of a run of DPO."""
    section = config.dpo

    def objective(towers: Towers | None) -> Preferences:
        return Preferences(
            section.beta, label_smoothing=section.label_smoothing, sft_weight=section.sft_weight, towers=towers
        )

    return Recipe(name="dpo", base=model_with(_encoder), objective=objective, begin=_begin, answers=_answers)


def _encoder(family: Family, folder: Path, config: RunConfig) -> PairEncoder:
    return PairEncoder(answers_of(family, folder, config))


def _begin(objective: Any, prepared: Prepared, data: Data, folder: Path) -> dict[str, Any]:
    """Give an objective the reference of the rows that it will be asked about."""
    objective.shared = SharedTowers(prepared.model, prepared.family)
    reference = reference_of(prepared, data, folder, shared=objective.shared)
    objective.reference = by_id(reference)
    return facts_of(reference)


def _answers(encoder: Any) -> tuple[Any, Objective]:
    """Chosen answers alone: at its start the loss of DPO is log 2 with any sound."""
    return encoder.answers, CrossEntropy()
