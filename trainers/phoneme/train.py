"""Phone recognition as a recipe of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runs.prepare import Recipe
from ..runs.processes.ranks import ranks_here
from .base import base_of
from .loss import PhoneLoss

if TYPE_CHECKING:
    from ..runs.prepare import Data, Prepared
    from .config import PhonemeConfig
    from .vocabulary import PhoneVocabulary

NAME = "phoneme"
TOKENIZER = "tokenizer"
"""In a run's folder: the vocabulary of phones with the extended tokenizer."""


def phoneme(config: PhonemeConfig) -> Recipe:
    """The recipe of a run of phones."""

    return Recipe(
        name=NAME, base=lambda _, rows: base_of(config, rows), begin=_begin,
        objective=lambda towers: PhoneLoss(ctc_weight=config.phoneme.ctc_weight, towers=towers),
    )  # fmt: skip


def _begin(objective: Any, prepared: Prepared, data: Data, folder: Path) -> dict[str, Any]:
    """Keep the vocabulary in the run's folder; tell of it."""
    encoder: Any = prepared.encoder
    vocabulary: PhoneVocabulary = encoder.vocabulary
    if ranks_here().is_main_process:
        vocabulary.save(folder / TOKENIZER, encoder.tokenizer)
    return {"phones": len(vocabulary.phones), "phones_that_are_rare": len(vocabulary.rare)}
