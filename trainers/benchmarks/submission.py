"""The file that the Audio Reasoning Challenge takes: JSON Lines of `id`, `thinking_prediction` and `answer_prediction`.

`id` is that of the item in the benchmark's own file. The chain of thought and the answer of a prediction are told apart
by their tags. A row without a prediction is not in the file: it is never answered for the model.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ...errors import UsageError
from ...shards.row_log import json_line
from ...validators.formats.evaluation.challenge import ANSWER, THOUGHT
from ...validators.metrics.completion import chain_and_answer
from ..evaluation.predictions import Prediction


def chain_of(prediction: Prediction) -> tuple[str, str]:
    """The chain of thought of a prediction, empty if it has none, and its answer."""
    said = prediction.prediction or ""
    chain, answer = chain_and_answer(said)
    thought = prediction.fields.get(THOUGHT)
    return (thought if isinstance(thought, str) else chain or "").strip(), answer.strip()


def write_submission(path: Path, rows: Iterable[tuple[str, Prediction | None]], *, force: bool) -> int:
    """Write the rows that have a prediction; returns how many have none.

    Raises:
        UsageError: The file is there and `force` is not set.
    """
    if path.exists() and not force:
        raise UsageError(f"--submission {path}: it is there already.", hint="--force replaces it")
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    missing = 0
    try:
        with scratch.open("wb") as file:
            for id, prediction in rows:
                if prediction is None or prediction.prediction is None:
                    missing += 1
                    continue
                chain, answer = chain_of(prediction)
                file.write(json_line({"id": id, THOUGHT: chain, ANSWER: answer}))
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
    return missing
