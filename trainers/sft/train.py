"""Supervised fine-tuning as a recipe of a run: the encoder of conversations, and the loss over answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..runs.prepare import Recipe, model_with
from .conversation_encoder import ConversationEncoder, EncoderSettings
from .cross_entropy import CrossEntropy, Towers
from .encoders import encoder_of

if TYPE_CHECKING:
    from ..models.families import Family
    from ..runs.config.sections import RunConfig


def answers_of(family: Family, folder: Path, config: RunConfig) -> ConversationEncoder:
    """The encoder of conversations, as a configuration says."""
    data = config.data
    settings = EncoderSettings(
        max_tokens=data.max_tokens, max_audio_seconds=data.max_audio_seconds, long=data.long,
        audio_padding=config.model.audio_padding,
    )  # fmt: skip
    return encoder_of(family.name, folder, settings)


def _objective(towers: Towers | None) -> CrossEntropy:
    return CrossEntropy(towers=towers)


SFT = Recipe(name="sft", base=model_with(answers_of), objective=_objective)
