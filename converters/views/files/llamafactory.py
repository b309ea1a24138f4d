"""LLaMA-Factory's `dataset_info.json`, and its training command.

An entry of `dataset_info.json` that names any column or tag loses the defaults of all the others: they are null. So an
entry lists every column that the file has, and every tag.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ..base import TrainCommand, ViewOptions, WriteFiles
from ..msswift import trained_model

NAME = "triptych"
"""The dataset's name in `dataset_info.json`, which `--dataset` takes."""

FILE = "dataset_info.json"
_COLUMNS = {
    "instruction": "prompt", "input": "query", "output": "response", "history": "history",
    "conversations": "messages", "chosen": "chosen", "rejected": "rejected", "kto_tag": "kto_tag",
    "system": "system", "tools": "tools", "images": "images", "videos": "videos", "audios": "audios",
}  # fmt: skip
"""Column of the file -> its name in LLaMA-Factory."""
_TAGS = {
    "role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt",
    "observation_tag": "observation", "function_tag": "function_call", "system_tag": "system",
}  # fmt: skip
_MODELS = {
    "qwen2-audio": ("Qwen/Qwen2-Audio-7B-Instruct", "qwen2_audio"),
    "qwen2.5-omni": ("Qwen/Qwen2.5-Omni-7B", "qwen2_omni"),
    "qwen3-omni": ("Qwen/Qwen3-Omni-30B-A3B-Instruct", "qwen3_omni"),
}
"""By the names of `shards.budgets.MODELS`: a checkpoint, and the name of its template in LLaMA-Factory."""
_TEXT_MODEL = ("Qwen/Qwen3-8B", "qwen3")
"""For rows without media: its template has no place for sound."""


def writer(style: str) -> WriteFiles:
    """Writes `dataset_info.json` for rows of a style."""

    def write_files(rows: Path, folder: Path, options: ViewOptions) -> None:
        import pyarrow.parquet as pq

        entry = {NAME: _entry(style, pq.read_schema(rows).names)}
        (folder / FILE).write_text(json.dumps(entry, indent=2) + "\n", encoding="utf-8")

    return write_files


def _entry(style: str, columns: Collection[str]) -> dict[str, Any]:
    """The entry of a file with these columns."""
    return {
        "file_name": "data.jsonl",
        "formatting": "alpaca" if style == "alpaca" else "sharegpt",
        **({"ranking": True} if style == "ranking" else {}),
        "columns": {theirs: ours for ours, theirs in _COLUMNS.items() if ours in columns},
        **({} if style == "alpaca" else {"tags": _TAGS}),
    }


def train_command(style: str) -> TrainCommand:
    """Makes the command that trains on a version of a style."""

    def command(
        data: Path,
        options: ViewOptions,
        columns: Collection[str],
        settings: Mapping[str, str],
        *,
        model: str | None = None,
    ) -> str:
        has_media = any(name in columns for name in ("images", "videos", "audios"))
        checkpoint, template = _MODELS[model or trained_model(columns)] if model or has_media else _TEXT_MODEL
        stage = {"ranking": "dpo", "kto": "kto"}.get(style, "sft")
        folder = shlex.quote(str(data.parent))
        return (
            f"llamafactory-cli train --stage {stage} --do_train true --model_name_or_path {checkpoint} "
            f"--template {template} --dataset_dir {folder} --media_dir {folder} --dataset {NAME} "
            "--finetuning_type lora --output_dir output"
        )

    return command
