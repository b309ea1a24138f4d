"""The training command of the view `msswift`, and the settings of MS-SWIFT that its rows need."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from pathlib import Path

from .base import ViewOptions

_CHECKPOINTS = {
    "qwen2-audio": "Qwen/Qwen2-Audio-7B-Instruct",
    "qwen2.5-omni": "Qwen/Qwen2.5-Omni-7B",
    "qwen3-omni": "Qwen/Qwen3-Omni-30B-A3B-Instruct",
}
"""By the names of `shards.budgets.MODELS`."""
SOUND_SWITCH = "USE_AUDIO_IN_VIDEO"
"""The environment variable that makes MS-SWIFT's omni templates read the sound of every video; its default is off."""

_READS_VIDEOS = {"SWIFT_AUDIO_LOAD_BACKEND": "soundfile_pyav"}


def trainer_settings(sounds: Mapping[str, int]) -> dict[str, str]:
    """The environment that rows need, from their number by where the sound of their videos is.

    With the switch on, the sound of a video is heard a second time where it is a medium of the row as well; with the
    switch off, it is not heard where it is only in the video. The sound of a video is then read with PyAV: MS-SWIFT's
    default needs the program ffmpeg, and loses the rows without a word where there is none.
    """
    if not sounds:
        return {}
    return {SOUND_SWITCH: "true", **_READS_VIDEOS} if sounds.get("in-video") else {SOUND_SWITCH: "false"}


def trained_model(columns: Collection[str]) -> str:
    """The model for a file with these columns: Qwen2-Audio refuses rows with images or videos."""
    return "qwen3-omni" if "videos" in columns or "images" in columns else "qwen2-audio"


def train_command(
    data: Path,
    options: ViewOptions,
    columns: Collection[str],
    settings: Mapping[str, str],
    *,
    model: str | None = None,
) -> str:
    """The command for a data file with these columns.

    Args:
        model: The model that the request names; default: `trained_model`.
    """
    checkpoint = _CHECKPOINTS[model or trained_model(columns)]
    common = f"--model {checkpoint} --dataset {shlex.quote(str(data))} --tuner_type lora"
    environment = "".join(f"{name}={value} " for name, value in settings.items())
    if options.task == "sft":
        return f"{environment}swift sft {common} --strict true"
    return f"{environment}swift rlhf --rlhf_type grpo {common} --external_plugins REWARD.py --reward_funcs REWARD"
