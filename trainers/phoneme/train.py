"""Phone recognition as a recipe of a run."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runs.prepare import Recipe
from ..runs.processes.ranks import ranks_here
from ..runs.records.card import CARD, UNKNOWN, front_matter_of
from .base import base_of
from .config import PER
from .loss import PhoneLoss
from .scores.phone_errors import PhoneErrors

if TYPE_CHECKING:
    from ..runs.prepare import Data, Prepared
    from .config import PhonemeConfig
    from .vocabulary import PhoneVocabulary

NAME = "phoneme"
TOKENIZER = "tokenizer"
"""In a run's folder: the vocabulary of phones with the extended tokenizer."""


def phoneme(config: PhonemeConfig) -> Recipe:
    """The recipe of a run of phones."""

    encoder = Path(config.phoneme.encoder)
    name = encoder.resolve().name if encoder.is_dir() else config.phoneme.encoder
    return Recipe(
        name=NAME, base=lambda _, rows: base_of(config, rows), begin=partial(_begin, name),
        validation=partial(PhoneErrors.of, config) if config.phoneme.best_metric == PER else None,
        objective=lambda towers: PhoneLoss(ctc_weight=config.phoneme.ctc_weight, towers=towers),
    )  # fmt: skip


def _begin(name: str, objective: Any, prepared: Prepared, data: Data, folder: Path) -> dict[str, Any]:
    """Keep the vocabulary in the run's folder; tell of it, and of the encoder of this name."""
    encoder: Any = prepared.encoder
    vocabulary: PhoneVocabulary = encoder.vocabulary
    if ranks_here().is_main_process:
        vocabulary.save(folder / TOKENIZER, encoder.tokenizer)
    card = front_matter_of(encoder.hearing / CARD)
    licence = str(card.get("license_name") or card.get("license") or UNKNOWN)
    return {"phones": len(vocabulary.phones), "phones_that_are_rare": len(vocabulary.rare),
            "speech_encoder": {"name": name, "licence": licence}}  # fmt: skip
