"""Qwen2-Audio's encoder on the length of the clips, where upstream takes 30 seconds only.

The weights are the same. The table of positions is cut, and the attention mask that the model makes keeps out what is
behind each clip. A valid position depends on features up to two frames behind its clip (two convolutions of three), so
with `frames_of` frames of what the extractor makes of the silence behind the clip, each is what it is at 30 seconds but
for the order of additions.
"""

from __future__ import annotations

from typing import Any

from .families import AUDIO_TOWER, QWEN2_AUDIO, Family

FRAMES = 3000
"""Of 10 ms: what the extractor makes, at most."""

BEHIND = 2
"""Frames behind a clip that its last valid position hears."""


def frames_of(longest: int) -> int:
    """Frames that a batch needs whose longest clip has so many: an even number, since two are one position."""
    return min(FRAMES, (longest + BEHIND + 1) // 2 * 2)


def hear_real_lengths(model: Any, family: Family) -> None:
    """Let the encoder of a Qwen2-Audio take any even number of frames up to 3,000.

    Other families are left as they are: Qwen3-Omni's encoder takes real lengths.
    """
    if family is not QWEN2_AUDIO:
        return
    import torch
    from torch.nn.functional import dropout, gelu
    from transformers.modeling_outputs import BaseModelOutput

    tower = family.module(model, AUDIO_TOWER)

    class RealLengths(type(tower)):  # type: ignore[misc]
        """The encoder, with as many positions as there are frames for."""

        def forward(self, input_features: Any, attention_mask: Any = None, **kwargs: Any) -> Any:
            frames = input_features.shape[-1]
            if frames % 2 or not 4 <= frames <= 2 * self.max_source_positions:
                raise ValueError(f"{frames} frames: an even number from 4 to {2 * self.max_source_positions} is taken")
            features = input_features.to(dtype=self.conv1.weight.dtype, device=self.conv1.weight.device)
            hidden = gelu(self.conv2(gelu(self.conv1(features)))).permute(0, 2, 1)
            hidden = dropout(
                hidden + self.embed_positions.weight[: hidden.shape[1]], p=self.dropout, training=self.training
            )
            for layer in self.layers:
                if self.training and self.layerdrop > 0.0 and torch.rand([]) < self.layerdrop:
                    continue
                hidden = layer(hidden, attention_mask, **kwargs)
            hidden = self.avg_pooler(hidden.permute(0, 2, 1)).permute(0, 2, 1)
            return BaseModelOutput(last_hidden_state=self.layer_norm(hidden))

    tower.__class__ = RealLengths
