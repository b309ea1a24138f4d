"""Qwen3-Omni's encoder on clips shorter than 1 s, whose features upstream makes depend on the clips beside them.

The encoder parts clips into chunks of 1 s and pads all chunks of a batch to the longest. Behind a chunk its
convolutions then see not the end of the clip, but what their own bias makes of zeros: the last features of a clip under
1 s are others beside a longer clip than alone. (A longer clip has a whole chunk itself, so that nothing changes for
it.) Here such clips are encoded apart from longer ones and from those of other lengths, as when a model is asked about
one.
"""

from __future__ import annotations

from typing import Any

from .families import AUDIO_TOWER, QWEN3_OMNI, Family


def hear_short_clips_alone(model: Any, family: Family) -> None:
    """Let the audio tower of a Qwen3-Omni give each clip the features that it has alone; other models stay."""
    if family is not QWEN3_OMNI:
        return
    import torch
    from transformers.modeling_outputs import BaseModelOutputWithPooling

    tower = family.module(model, AUDIO_TOWER)
    chunk = 2 * int(tower.n_window)

    class ShortClipsAlone(type(tower)):  # type: ignore[misc]
        """The encoder, called once for clips of at least a chunk and once for each length below."""

        def forward(self, input_features: Any = None, feature_lens: Any = None, **kwargs: Any) -> Any:
            lengths = feature_lens.tolist()
            groups: dict[int, list[int]] = {}
            for place, length in enumerate(lengths):
                groups.setdefault(min(length, chunk), []).append(place)
            if len(groups) == 1:
                return super().forward(input_features, feature_lens=feature_lens, **kwargs)
            clips = input_features.split(lengths, dim=1)
            found: list[Any] = [None] * len(lengths)
            for places in groups.values():
                made = (
                    super()
                    .forward(
                        torch.cat([clips[place] for place in places], dim=1),
                        feature_lens=feature_lens[places],
                        **kwargs,
                    )
                    .last_hidden_state
                )
                sizes = [_tokens(lengths[place], chunk) for place in places]
                for place, one in zip(places, made.split(sizes), strict=True):
                    found[place] = one
            hidden = torch.cat(found)
            return BaseModelOutputWithPooling(last_hidden_state=hidden, pooler_output=hidden)

    tower.__class__ = ShortClipsAlone


def _tokens(frames: int, chunk: int) -> int:
    """The features of a clip: three convolutions of stride 2 over each chunk."""
    whole, rest = divmod(frames, chunk)
    return whole * _halved(chunk) + _halved(rest)


def _halved(frames: int) -> int:
    return (frames + 7) // 8
