"""Qwen3-Omni's thinker: clips of any length, images, videos, and videos whose sound is heard with them.

A clip is encoded alone, as when one row is asked: L = samples // 160 frames of 10 ms, and (L % 100 + 7) // 8 + 13 *
(L // 100) tokens. (In a batch upstream's extractor gives one clip in eight a frame more.) A clip needs more than half a
window, 200 samples. That the features of a clip under 1 s do not depend on the clips beside it is the model's part:
models/short_clips.py.

Rows with images or videos bring their positions, made by the model's own `get_rope_index` row by row: it takes one
answer to whether videos are heard for a whole batch, and rows differ. Within a row it must be one answer, too.
The tokens of a video that is heard stand in the order of time: each step of the grid at its start, 13 tokens of sound a
second; a step lasts as long as the frames that were sampled, as in MS-SWIFT.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from ...shards.budgets.text import TEMPLATES
from ...shards.media.streams import MediaError
from ..data.encoder import BadRow
from ..data.turns import Medium, Picture, Video
from ..models.model_loading import RAW, template_of
from .conversation_encoder import Encoded, Expanse, HearingEncoder
from .conversation_text import ChatForm, Form, opening_of
from .labels import Tokens
from .pictures import PictureReader, Seen

if TYPE_CHECKING:
    import torch

_SOUND, _IMAGE, _VIDEO = "<|audio_pad|>", "<|image_pad|>", "<|video_pad|>"

_A_SECOND = 13
"""Positions, and tokens of sound, of a second."""


@dataclass(frozen=True, slots=True)
class _Medium:
    """What is heard and seen of one medium."""

    spectrum: Any = None
    image: Seen | None = None
    video: Seen | None = None


class Qwen3OmniEncoder(HearingEncoder):
    """Makes the inputs of `Qwen3OmniMoeThinkerForConditionalGeneration`."""

    family = "qwen3-omni"

    @cached_property
    def form(self) -> Form:
        if template_of(self.folder, self.settings.template) == RAW:
            raise UsageError(f"{self.folder}: Qwen3-Omni has no raw form.", hint="add the model's chat template")
        form = ChatForm(TEMPLATES["qwen3-omni"])
        return ChatForm(form.template, opening_of(form, self._written), forgets_chains=True)

    def _written(self, messages: Any, **options: Any) -> Any:
        from ..models.model_loading import chat_template

        # The template lies beside the processor, which has parts that need further packages; the tokenizer writes it.
        return self.tokenizer.apply_chat_template(messages, chat_template=chat_template(self.folder), **options)

    @cached_property
    def config(self) -> Any:
        """The thinker's."""
        from ..models.model_loading import read_config

        config = read_config(self.folder)
        return getattr(config, "thinker_config", config)

    @cached_property
    def pictures(self) -> PictureReader:
        return PictureReader(self.folder, self.config.vision_config)

    @cached_property
    def placeholders(self) -> frozenset[int]:
        return frozenset({self.config.audio_token_id, self.config.image_token_id, self.config.video_token_id})

    @cached_property
    def _ids(self) -> dict[str, int]:
        """The tokens of media, which the tokenizer and the model must have the same numbers for."""
        config = self.config
        told = {_SOUND: config.audio_token_id, _IMAGE: config.image_token_id, _VIDEO: config.video_token_id}
        for token, number in told.items():
            if self.tokenizer.convert_tokens_to_ids(token) != number:
                raise UsageError(f"{self.folder}: {token} is not token {number} of the tokenizer, as the model says.")
        return told

    @property
    def longest_s(self) -> None:
        return None

    # ---- media

    def expanse(self, medium: Medium) -> Expanse:
        if isinstance(medium, Picture):
            return Expanse(self.pictures.tokens(self.pictures.image_grid(Path(medium.path))))
        seen = 0
        if isinstance(medium, Video):
            seen = self.pictures.tokens(self.pictures.video_grid(Path(medium.path)))
            if not medium.with_sound:
                return Expanse(seen)
        samples, left_out = self.sound_length(medium)
        self._check_samples(samples)
        return Expanse(seen + _tokens(samples // self.log_mel.hop), samples / self.rate, left_out)

    def features(self, medium: Medium) -> tuple[Any, Sequence[int], float]:
        ids = self._ids
        if isinstance(medium, Picture):
            image = self.pictures.image(Path(medium.path))
            return _Medium(image=image), [ids[_IMAGE]] * self.pictures.tokens(image.grid), 0.0
        video = self.pictures.video(Path(medium.path)) if isinstance(medium, Video) else None
        if video is not None and not (isinstance(medium, Video) and medium.with_sound):
            return _Medium(video=video), [ids[_VIDEO]] * self.pictures.tokens(video.grid), 0.0
        samples, left_out = self.sound(medium)
        self._check_samples(len(samples))
        spectrum = self.log_mel.alone(samples)
        heard = _tokens(spectrum.heard)
        if video is None:
            return _Medium(spectrum), [ids[_SOUND]] * heard, left_out
        return _Medium(spectrum, video=video), self._in_time(video, heard), left_out

    def _check_samples(self, samples: int) -> None:
        least = self.log_mel.n_fft // 2 + 1
        if samples < least:
            raise MediaError("too_short", f"{samples} samples; the extractor needs {least}")

    def _in_time(self, video: Seen, heard: int) -> list[int]:
        """The tokens of a video and of its sound in the order of time, a step of the video before sound at its time."""
        import torch

        assert video.seconds is not None
        if self.config.position_id_per_seconds != _A_SECOND:
            raise UsageError(
                f"{self.folder}: position_id_per_seconds is {self.config.position_id_per_seconds} for the model, and "
                f"{_A_SECOND} for the processor: videos cannot be heard in step.",
                hint="use the config.json of the published model",
            )
        steps, high, wide = video.grid
        each = high * wide // self.pictures.merge**2
        times = torch.arange(steps) * torch.tensor(video.seconds) * _A_SECOND
        found: list[int] = []
        sounds = 0
        for time in times.tolist():
            while sounds < heard and sounds < time:
                found.append(self._ids[_SOUND])
                sounds += 1
            found += [self._ids[_VIDEO]] * each
        return found + [self._ids[_SOUND]] * (heard - sounds)

    # ---- rows and batches

    def row_media(self, features: Sequence[Any], tokens: Tokens) -> dict[str, Any]:
        media: dict[str, Any] = {
            "spectra": tuple(each.spectrum for each in features if each.spectrum is not None),
            "images": tuple(each.image for each in features if each.image is not None),
            "videos": tuple(each.video for each in features if each.video is not None),
        }
        if media["images"] or media["videos"]:
            heard = {each.spectrum is not None for each in features if each.video is not None}
            if len(heard) > 1:
                raise BadRow("mixed_videos", "a video whose sound is heard with it, and one that is only seen")
            media["positions"] = self._positions(media, tokens, are_heard=True in heard)
        return {name: value for name, value in media.items() if len(value)}

    def _positions(self, media: dict[str, Any], tokens: Tokens, *, are_heard: bool) -> torch.Tensor:
        """The positions in time, height and width of each token; shape (3, tokens)."""
        import torch
        from transformers.models.qwen3_omni_moe.modeling_qwen3_omni_moe import Qwen3OmniMoeThinkerModel as Thinker

        model = SimpleNamespace(
            config=self.config,
            spatial_merge_size=self.pictures.merge,
            get_llm_pos_ids_for_vision=lambda *args: Thinker.get_llm_pos_ids_for_vision(None, *args),
        )
        ids = torch.tensor(tokens.ids)[None]
        found, _ = Thinker.get_rope_index(
            model,
            ids,
            _grids(media["images"]),
            _grids(media["videos"]),
            torch.ones_like(ids),
            are_heard,
            torch.tensor([each.heard for each in media["spectra"]]),
            _seconds(media["videos"]),
        )
        positions: torch.Tensor = found[:, 0]
        return positions

    def join_media(self, rows: Sequence[Encoded], width: int) -> dict[str, Any]:
        import torch
        from torch.nn.functional import pad

        spectra = [each for row in rows for each in row.media.get("spectra", ())]
        images = [each for row in rows for each in row.media.get("images", ())]
        videos = [each for row in rows for each in row.media.get("videos", ())]
        found: dict[str, Any] = {}
        if spectra:
            frames = max(each.heard for each in spectra)
            heard = torch.tensor([each.heard for each in spectra])
            found["input_features"] = torch.stack([pad(each.frames, (0, frames - each.heard)) for each in spectra])
            found["feature_attention_mask"] = (torch.arange(frames) < heard[:, None]).long()
        if images:
            found["pixel_values"] = torch.cat([each.pixels for each in images])
            found["image_grid_thw"] = _grids(images)
        if videos:
            found["pixel_values_videos"] = torch.cat([each.pixels for each in videos])
            found["video_grid_thw"] = _grids(videos)
            found["video_second_per_grid"] = _seconds(videos)
        if images or videos:
            positions = [row.media.get("positions", torch.arange(len(row)).expand(3, -1)) for row in rows]
            padded = [pad(each.float(), (0, width - each.shape[1]), value=1.0) for each in positions]
            found["position_ids"] = torch.stack(padded, dim=1)
        return found


def _tokens(frames: int) -> int:
    return (frames % 100 + 7) // 8 + 13 * (frames // 100)


def _grids(seen: Sequence[Seen]) -> torch.Tensor | None:
    import torch

    return torch.tensor([each.grid for each in seen]) if seen else None


def _seconds(videos: Sequence[Seen]) -> torch.Tensor | None:
    import torch

    return torch.tensor([each.seconds for each in videos]) if videos else None
