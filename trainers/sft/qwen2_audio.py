"""Qwen2-Audio: clips of at most 30 s, numbered over the whole conversation.

A clip of L frames of 10 ms becomes ((L - 1) // 2 + 1 - 2) // 2 + 1 tokens, one in 40 ms. Its encoder takes 3,000
frames; the numbers behind a clip are those of silence, which its convolutions see and its attention does not. With
`audio_padding: batch` they are left out but for the frames that the convolutions reach (models/real_lengths.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from ...errors import UsageError
from ...shards.budgets.text import TEMPLATES
from ...shards.media.streams import MediaError
from ..data.turns import Clip, Medium
from ..models.model_loading import RAW, template_of
from ..models.real_lengths import FRAMES, frames_of
from .conversation_encoder import FULL, Encoded, Expanse, HearingEncoder
from .conversation_text import END_OF_TEXT, ChatForm, Form, RawForm, opening_of
from .labels import Tokens

SOUND, START_OF_SOUND, END_OF_SOUND = "<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"


class Qwen2AudioEncoder(HearingEncoder):
    """Makes the inputs of `Qwen2AudioForConditionalGeneration`."""

    family = "qwen2-audio"

    @cached_property
    def form(self) -> Form:
        if template_of(self.folder, self.settings.template) == RAW:
            return RawForm(END_OF_TEXT, f"{START_OF_SOUND}{SOUND}{END_OF_SOUND}", SOUND)
        form = ChatForm(TEMPLATES["qwen2-audio"])
        return ChatForm(form.template, opening_of(form, self._processor.apply_chat_template))

    @cached_property
    def _processor(self) -> Any:
        from transformers import Qwen2AudioProcessor

        from ..models.model_loading import damage_of, quiet_transformers

        with quiet_transformers(), damage_of(self.folder):
            return Qwen2AudioProcessor.from_pretrained(self.folder)

    @cached_property
    def placeholders(self) -> frozenset[int]:
        return frozenset({self._sound_id})

    @cached_property
    def _sound_id(self) -> int:
        found = self.tokenizer.convert_tokens_to_ids(SOUND)
        if found is None or found == self.tokenizer.unk_token_id:
            raise UsageError(
                f"{self.folder}: the tokenizer has no token {SOUND}.", hint="use the model's own tokenizer"
            )
        return int(found)

    @property
    def longest_s(self) -> float:
        return float(self.extractor.chunk_length)

    def expanse(self, medium: Medium) -> Expanse:
        samples, left_out = self.sound_length(medium)
        return Expanse(self._tokens(-(-samples // self.log_mel.hop)), samples / self.rate, left_out)

    def features(self, medium: Medium) -> tuple[Any, Sequence[int], float]:
        assert isinstance(medium, Clip)
        samples, left_out = self.sound(medium)
        spectrum = self.log_mel.padded(samples)
        return spectrum, [self._sound_id] * self._tokens(spectrum.heard), left_out

    def _tokens(self, frames: int) -> int:
        tokens = ((frames - 1) // 2 + 1 - 2) // 2 + 1
        if tokens < 1:
            raise MediaError("too_short", f"{frames * 10} ms; the model hears 40 ms at a time")
        return tokens

    def row_media(self, features: Sequence[Any], tokens: Tokens) -> dict[str, Any]:
        return {"spectra": tuple(features)} if features else {}

    def join_media(self, rows: Sequence[Encoded], width: int) -> dict[str, Any]:
        import torch

        spectra = [spectrum for row in rows for spectrum in row.media.get("spectra", ())]
        if not spectra:
            return {}
        longest = max(spectrum.heard for spectrum in spectra)
        frames = FRAMES if self.settings.audio_padding == FULL else frames_of(longest)
        features = torch.stack([_filled(spectrum, frames) for spectrum in spectra])
        heard = torch.tensor([spectrum.heard for spectrum in spectra])
        return {
            "input_features": features,
            "feature_attention_mask": (torch.arange(frames) < heard[:, None]).long(),
        }


def _filled(spectrum: Any, frames: int) -> Any:
    """A spectrum with silence behind it."""
    from torch.nn.functional import pad

    return pad(spectrum.frames[:, :frames], (0, max(0, frames - spectrum.frames.shape[1])), value=spectrum.silence)
