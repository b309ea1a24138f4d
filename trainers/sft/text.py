"""Models of text alone: conversations as the model's own template writes them, or raw without one."""

from __future__ import annotations

from functools import cached_property

from ...errors import UsageError
from ..models.model_loading import RAW, template_of
from .conversation_encoder import ConversationEncoder
from .conversation_text import Form, RawForm, TemplateForm


class TextEncoder(ConversationEncoder):
    """Makes the inputs of a causal language model."""

    family = "text"

    @cached_property
    def form(self) -> Form:
        if template_of(self.folder, self.settings.template) != RAW:
            return TemplateForm(self.tokenizer)
        if self.tokenizer.eos_token is None:
            raise UsageError(f"{self.folder}: the tokenizer has no token that ends a text.")
        return RawForm(str(self.tokenizer.eos_token))
