"""Unified rows: `id, text, audio, video, modality`, one JSON object a line.

`text` is the transcript or the description: the text, else the first caption, the answer, the labels, the translation,
the last turn of a conversation; the first of these that is not blank.
All five keys stand in every row; a medium that a sample does not have is null.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from .base import Skip, ViewOptions, ViewSql, first_text_of, first_text_sql, joined, text_sql


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

    def sql(self, options: ViewOptions, *, conversations: bool) -> ViewSql:
        candidates = ["text", "captions[1]", "answer", "array_to_string(labels, ', ')", "translation"]
        if conversations:
            candidates.append("messages[len(messages)].content")
        skip = (
            "CASE WHEN len(audio_paths) > 1 OR len(video_paths) > 1 THEN 'more_than_one_medium' "
            "WHEN image_paths IS NOT NULL THEN 'image_unsupported' "
            "WHEN modality IS DISTINCT FROM 'text' AND audio_paths IS NULL AND video_paths IS NULL THEN 'no_media' "
            "WHEN modality = 'text' AND description IS NULL THEN 'no_text' END"
        )
        select = "id, description AS text, audio_paths[1] AS audio, video_paths[1] AS video, modality"
        layers = [
            {"written": first_text_sql(candidates)},
            {"description": f"not_blank({text_sql('written', options)})"},
        ]
        return ViewSql(layers, skip, select)

    def row(self, sample: Mapping[str, Any], options: ViewOptions) -> dict[str, Any] | Skip:
        audios, videos = sample.get("audio_paths") or [], sample.get("video_paths") or []
        if len(audios) > 1 or len(videos) > 1:
            return Skip("more_than_one_medium")
        if sample.get("image_paths"):
            return Skip("image_unsupported")
        if sample.get("modality") != "text" and not audios and not videos:
            return Skip("no_media")
        text = first_text_of(_candidates(sample), sample, options)
        if sample.get("modality") == "text" and text is None:
            return Skip("no_text")
        return {
            "id": sample["id"],
            "text": text,
            "audio": audios[0] if audios else None,
            "video": videos[0] if videos else None,
            "modality": sample.get("modality"),
        }

    def train_command(self, data: Path, options: ViewOptions, columns: Collection[str]) -> str | None:
        return None


def _candidates(sample: Mapping[str, Any]) -> Iterator[str | None]:
    captions, messages = sample.get("captions"), sample.get("messages")
    yield sample.get("text")
    yield captions[0] if captions else None
    yield sample.get("answer")
    yield joined(sample.get("labels"))
    yield sample.get("translation")
    yield messages[-1]["content"] if messages else None
