"""The training command of the view `msswift`."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from pathlib import Path

from .base import ViewOptions

_AUDIO_MODEL = "Qwen/Qwen2-Audio-7B-Instruct"
_OMNI_MODEL = "Qwen/Qwen3-Omni-30B-A3B-Instruct"


def train_command(data: Path, options: ViewOptions, columns: Collection[str]) -> str:
    """The command for a data file with these columns: Qwen2-Audio refuses rows with images or videos."""
    model = _OMNI_MODEL if "videos" in columns or "images" in columns else _AUDIO_MODEL
    common = f"--model {model} --dataset {shlex.quote(str(data))} --tuner_type lora"
    if options.task == "sft":
        return f"swift sft {common} --strict true"
    return f"swift rlhf --rlhf_type grpo {common} --external_plugins REWARD.py --reward_funcs REWARD"
