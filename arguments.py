"""The options of each function of the API, for static checkers.

Written by `python -m triptych.commands.reference`; a change here is lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Required, TypedDict


class PullArguments(TypedDict, total=False):
    """The options of `pull`."""

    samples: int | None
    split: str | Sequence[str]
    config: str | Sequence[str]
    ids: str | Path | None
    labels: str | Sequence[str]
    where: str | None
    part: str | None
    by: str
    balance: str | Sequence[str]
    speakers: int | None
    seed: int
    hours: float | None
    max_tries: int | None
    evaluation: str | None
    list_file: str | Path | None
    source: str | None
    from_path: str | Path | None
    as_config: str | None
    mirror: str | Path | None
    cards: str | Path | Sequence[str | Path]
    link: bool
    keep_raw: bool
    jobs: int
    per_minute: float | None
    cookies: str | Path | None
    proxy: str | None
    retry: str | Sequence[str]
    private_hosts: bool


class ImportArguments(TypedDict, total=False):
    """The options of `import`."""

    name: Required[str]
    columns: Mapping[str, str]
    values: Mapping[str, str]
    id_column: str | None
    on_conflict: str
    media_dir: str | Path | None
    link: bool
    classes: str | Path | None
    word_tier: str | None
    phone_tier: str | None
    producer: str | None


class ConvertArguments(TypedDict, total=False):
    """The options of `convert`."""

    to: str | None
    task: str | None
    text: str
    name: str | None
    max_samples: int | None
    seed: int | None
    force: bool
    system: str | None
    user_template: str | None
    allow_answer_in_prompt: bool
    id_column: str | None
    text_column: str | None
    audio_column: str | None
    video_column: str | None
    image_column: str | None
    question_column: str | None
    answer_column: str | None
    columns: Mapping[str, str]
    values: Mapping[str, str]
    modality: str | None
    media_dir: str | Path | None
    files: bool


class ExportArguments(TypedDict, total=False):
    """The options of `export`."""

    task: str | None
    dataset: str | Sequence[str]
    split: str | Sequence[str]
    where: str | None
    include_rejected: bool
    order: str | None
    seed: int
    text: str | None
    system: str | None
    user_template: str | None
    allow_answer_in_prompt: bool
    name: str | None
    note: str | None
    media_root: str | Path | None


class ListArguments(TypedDict, total=False):
    """The options of `list`."""

    panel: str | None
    modality: str | None
    task: str | None
    language: str | None
    license: str | None
    gated: bool | None
    cards: str | Path | Sequence[str | Path]
