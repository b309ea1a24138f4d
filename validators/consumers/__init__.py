"""Consumers: the programs that read exports, each asked itself what it makes of a file.

    client.py           `Consumer`, where one is installed, and its driver's answers
    verify.py           a file beside what a consumer made of it
    said.py             what a row teaches: its answers and its label
    version_check.py    the same for a published version, with its record
    drivers/            the programs that load a file as one consumer does, run by that consumer's Python

A view names its consumer in its header (`-- consumer: ms-swift`).
"""

from __future__ import annotations

from ...errors import UsageError, did_you_mean
from .client import Consumer

_OMNI = ("qwen2-audio", "qwen2.5-omni", "qwen3-omni")

CONSUMERS: dict[str, Consumer] = {
    each.name: each
    for each in (
        Consumer("datasets", "hf_datasets", here=True),
        Consumer("ms-swift", "ms_swift", _OMNI, ("sft", "grpo", "dpo", "kto", "pretrain")),
        Consumer("trl", "trl_trainer", ("qwen2-audio",), ("sft", "dpo", "kto", "grpo")),
        Consumer("llamafactory", "llama_factory", _OMNI, ("sft", "dpo", "kto", "pretrain")),
        Consumer("lhotse", "lhotse_cuts", environment="peers"),
        Consumer("webdataset", "web_dataset", environment="clients/formats"),
        Consumer("mlcroissant", "croissant", environment="clients/formats"),
    )
}


def get_consumer(name: str) -> Consumer:
    """The consumer of that name.

    Raises:
        UsageError: There is none.
    """
    if name not in CONSUMERS:
        raise UsageError(
            f"There is no consumer {name!r}. Consumers: {', '.join(CONSUMERS)}.", hint=did_you_mean(name, CONSUMERS)
        )
    return CONSUMERS[name]


__all__ = ["CONSUMERS", "Consumer", "get_consumer"]
