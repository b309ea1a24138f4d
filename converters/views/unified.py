"""Unified rows: `id, text, audio, video, modality`, one JSON object a line.

`text` is the transcript or the description: the text, else the first caption, the answer, the labels, the translation.
All five keys stand in every row; a medium that a sample does not have is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .base import Skip, ViewOptions, text_of, text_sql


class Unified:
    """The view `unified`."""

    name = "unified"
    revision = "1"
    order = "id"
    text = "raw"
    tasks: tuple[str, ...] = ()
    format = "unified"
    media_columns: tuple[str, ...] = ("audio", "video")
    keeps_empty_columns = True

    def skip_sql(self, options: ViewOptions) -> str:
        return (
            "CASE WHEN len(audio_paths) > 1 OR len(video_paths) > 1 THEN 'more_than_one_medium' "
            "WHEN image_paths IS NOT NULL THEN 'image_unsupported' "
            "WHEN modality <> 'text' AND audio_paths IS NULL AND video_paths IS NULL THEN 'no_media' END"
        )

    def select_sql(self, options: ViewOptions) -> str:
        text = (
            "coalesce(text, captions[1], answer, nullif(array_to_string(labels, ', '), ''), translation, "
            "messages[len(messages)].content)"
        )
        return f"id, {text_sql(text, options)} AS text, audio_paths[1] AS audio, video_paths[1] AS video, modality"

    def leak_sql(self, options: ViewOptions) -> str | None:
        return None

    def row(self, sample: Mapping[str, Any], options: ViewOptions) -> dict[str, Any] | Skip:
        audios, videos = sample.get("audio_paths") or [], sample.get("video_paths") or []
        if len(audios) > 1 or len(videos) > 1:
            return Skip("more_than_one_medium")
        if sample.get("image_paths"):
            return Skip("image_unsupported")
        if sample.get("modality") != "text" and not audios and not videos:
            return Skip("no_media")
        return {
            "id": sample["id"],
            "text": text_of(_text(sample), sample, options),
            "audio": audios[0] if audios else None,
            "video": videos[0] if videos else None,
            "modality": sample.get("modality"),
        }

    def train_command(self, data: Path, options: ViewOptions) -> str | None:
        return None


def _text(sample: Mapping[str, Any]) -> str | None:
    captions, labels, messages = sample.get("captions"), sample.get("labels"), sample.get("messages")
    candidates = (
        sample.get("text"),
        captions[0] if captions else None,
        sample.get("answer"),
        ", ".join(labels) if labels else None,
        sample.get("translation"),
        messages[-1]["content"] if messages else None,
    )
    return next((value for value in candidates if value is not None), None)
