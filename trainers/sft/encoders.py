"""The encoder of a family of models."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import UsageError

if TYPE_CHECKING:
    from .conversation_encoder import ConversationEncoder, EncoderSettings

ENCODERS = {
    "qwen2-audio": ("qwen2_audio", "Qwen2AudioEncoder"),
    "qwen3-omni": ("qwen3_omni", "Qwen3OmniEncoder"),
    "text": ("text", "TextEncoder"),
}
"""By the family's name: the file of its encoder, and the class."""


def encoder_of(family: str, folder: Path, settings: EncoderSettings | None = None) -> ConversationEncoder:
    """The encoder of a family, for the model in a folder.

    Raises:
        UsageError: There is no encoder of this family.
    """
    if family not in ENCODERS:
        raise UsageError(f"models of the family {family} cannot be trained; families: {', '.join(ENCODERS)}.")
    file, name = ENCODERS[family]
    made: ConversationEncoder = getattr(import_module(f".{file}", __package__), name)(folder, settings)
    return made
