"""Supervised fine-tuning on the conversations of an export."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...shards.store.store import Store
from ..runs.prepare import Recipe
from ..runs.run import Progress, train
from .cross_entropy import CrossEntropy

if TYPE_CHECKING:
    from ..models.families import Family
    from ..runs.config.sections import RunConfig
    from ..runs.result import RunResult


def train_sft(
    config: RunConfig, *, store: Store, resume: bool = False, progress: Progress | None = None
) -> RunResult:  # fmt: skip
    """Train a model on conversations; see `runs.run.train`."""
    return train(config, SFT, store=store, resume=resume, progress=progress)


def _encoder(family: Family, folder: Path, config: RunConfig) -> Any:
    from .conversation_encoder import EncoderSettings
    from .encoders import encoder_of

    data = config.data
    settings = EncoderSettings(
        max_tokens=data.max_tokens, max_audio_seconds=data.max_audio_seconds, long=data.long,
        audio_padding=config.model.audio_padding,
    )  # fmt: skip
    return encoder_of(family.name, folder, settings)


def _objective(towers: Any) -> CrossEntropy:
    return CrossEntropy(towers=towers)


SFT = Recipe(name="sft", encoder=_encoder, objective=_objective)
