"""The models whose budgets are known, and the SQL that counts a sample from its columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

FORMULAS = resources.files(__package__).joinpath("formulas.sql").read_text(encoding="utf-8")
"""Statements that create the macros; they belong to one database."""

COUNTS = ("audio_tokens", "image_tokens", "video_frames", "video_tokens")


@dataclass(frozen=True, slots=True)
class Model:
    """A model.

    Attributes:
        name: The value of `--model`.
        column: Its name in SQL.
        heard_s: Seconds of a clip that its extractor takes; it cuts the rest off. None: any number.
        side: The side in pixels of the square of an image that becomes one token; None: it takes no images.
    """

    name: str
    column: str
    heard_s: int | None
    side: int | None

    def audio_sql(self, length: str) -> str:
        """SQL: the tokens of a clip, from its number of samples at 16 kHz."""
        return f"audio_tokens_{self.column}({length})"

    def image_sql(self, width: str, height: str) -> str:
        """SQL: the tokens of an image."""
        return "NULL::BIGINT" if self.side is None else f"image_tokens_of({width}, {height}, {self.side})"

    def video_sql(self, seen: str, width: str, height: str) -> str:
        """SQL: the tokens of a video without its sound, from the number of frames that are seen."""
        return "NULL::BIGINT" if self.side is None else f"video_tokens_of({seen}, {width}, {height}, {self.side})"

    def frames_sql(self, seen: str) -> str:
        """SQL: the frames that it sees of a video."""
        return "NULL::BIGINT" if self.side is None else seen


MODELS = {
    model.name: model
    for model in (
        Model("qwen2-audio", "qwen2_audio", heard_s=30, side=None),
        Model("qwen2.5-omni", "qwen2_5_omni", heard_s=300, side=28),
        Model("qwen3-omni", "qwen3_omni", heard_s=None, side=32),
    )
}


def sample_budget_sql() -> str:
    """SQL over the columns of a sample: a struct of structs, `budget.qwen2_audio.audio_tokens`.

    The counts are those of all its media. A count is 0 without such media, and null if a header does not say enough:
    the sound inside a video, a video or image of `more_media`, a file of unknown length.
    """
    models = ", ".join(f"'{model.column}': {{{', '.join(_counts(model))}}}" for model in MODELS.values())
    # The lambda binds what the counts share once; a macro would write it out wherever it is used.
    return f"""list_transform([{{
        'length': {_LENGTH}, 'seen': sampled_frames({_FRAMES}, video.fps), 'seconds': {_SECONDS},
        'more': [length_of_seconds(m.duration) FOR m IN more_media IF m.kind = 'audio'],
        'more_videos': len([1 FOR m IN more_media IF m.kind = 'video']) > 0,
        'more_images': len([1 FOR m IN more_media IF m.kind = 'image']) > 0,
        'unheard': modality = 'mixed' AND audio IS NULL AND video.has_audio
        }}], lambda x: {{'seconds': x.seconds, {models}}})[1]"""


_SPAN = "start_s IS NOT NULL OR end_s IS NOT NULL"
_WHOLE = "coalesce(resampled_length(audio.frames, audio.sample_rate), length_of_seconds(audio.duration))"
_LENGTH = f"CASE WHEN video IS NULL AND ({_SPAN}) THEN length_of_span({_WHOLE}, start_s, end_s) ELSE {_WHOLE} END"
_FRAMES = f"CASE WHEN {_SPAN} THEN frames_of_span(video.frames, video.fps, start_s, end_s) ELSE video.frames END"
_SECONDS = f"""CASE
    WHEN more_media IS NULL AND ({_SPAN})
      THEN least(end_s, coalesce(audio.duration, video.duration)) - coalesce(start_s, 0)
    ELSE coalesce(greatest(audio.duration, video.duration), 0)
      + coalesce(list_sum([m.duration FOR m IN more_media IF m.kind <> 'image']), 0) END"""


def _counts(model: Model) -> Iterator[str]:
    more = f"[{model.audio_sql('n')} FOR n IN x.more]"
    yield f"""'audio_tokens': CASE
        WHEN x.unheard OR list_count({more}) < len(x.more) THEN NULL
        ELSE CASE WHEN audio IS NULL THEN 0 ELSE {model.audio_sql("x.length")} END
             + coalesce(list_sum({more}), 0)::BIGINT END"""
    image = model.image_sql("image.width", "image.height")
    yield f"'image_tokens': CASE WHEN x.more_images THEN NULL WHEN image IS NULL THEN 0 ELSE {image} END"
    seen = {"video_frames": model.frames_sql("x.seen"),
            "video_tokens": model.video_sql("x.seen", "video.width", "video.height")}  # fmt: skip
    for name, sql in seen.items():
        yield f"'{name}': CASE WHEN x.more_videos THEN NULL WHEN video IS NULL THEN 0 ELSE {sql} END"
