"""The request that a driver reads and the answers that it writes.

A request has:

    file      the file to load: JSON Lines, a JSON array, or Parquet; every row has an `id` of its own
    task      the task it is loaded for: sft, grpo, dpo, kto, pretrain
    model     qwen2-audio, qwen2.5-omni or qwen3-omni: whose template and processor are used
    processor a folder with that model's own processor; default: a small one is made
    rows      how many rows are encoded, from the first; all are loaded
    alone     whether each row is loaded from a file of its own, after the first `skip`
    work      an empty folder for caches
    settings  environment variables of the consumer

The first answer names the consumer, the last one has the number of `rows` in the file and of those `loaded`. Between
them is one answer for each row that was encoded or lost:

    id        of the row
    outcome   kept; deleted: not in the loaded data set; replaced: a random other row takes its place in training;
              crashed: loading or training stops
    stage     S0 loading, S1 preprocessing, S2 encoding, S3 the batch; null if kept
    why       the consumer's own words
    heard     the media whose features are in the row's batch: {"audio": 1, "video": 0, "image": 0}
    tags      places of media in the row's tokens
    literal   tags that stayed text
    rejected  the same of the rejected side of a pair
    seconds   of sound that the features hold
    media_tokens, tokens, learned    the numbers of tokens: of media, of the row, of those with a loss
    answer    the text of the tokens with a loss
    label     of a row for KTO
    solution  that reward functions get
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

MEDIA = ("image", "audio", "video")


def begin() -> tuple[dict[str, Any], IO[str]]:
    """Read the request; returns it, and where answers go. Whatever else is printed goes to standard error."""
    # Far from the low numbers: a row whose medium is the number 3 has a consumer open, and close, file descriptor 3.
    answers = os.fdopen(os.dup2(1, 500, inheritable=False), "w", encoding="utf-8")
    os.dup2(2, 1)
    request = json.load(sys.stdin)
    # Set before any library is loaded: they read the environment once.
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    os.environ |= {"HF_HOME": f"{request['work']}/hf", "TOKENIZERS_PARALLELISM": "false"}
    os.environ |= {name: str(value) for name, value in (request.get("settings") or {}).items()}
    return request, answers


def answer(answers: IO[str], document: dict[str, Any]) -> None:
    """Write one answer."""
    answers.write(json.dumps(document, ensure_ascii=False) + "\n")
    answers.flush()


def parts(request: dict[str, Any]) -> Iterator[Path]:
    """The files to load: the one that is asked for, or one for each of its rows."""
    file, folder = Path(request["file"]), Path(request["work"]) / "alone"
    if not request.get("alone"):
        yield file
        return
    folder.mkdir(exist_ok=True)
    for number, line in enumerate(file.read_bytes().splitlines()):
        if number >= request.get("skip", 0):
            path = folder / f"{number}.jsonl"
            path.write_bytes(line + b"\n")
            yield path


def read_ids(path: Path) -> list[str]:
    """The id of every row, in order.

    Raises:
        ValueError: A row has none, or one that an earlier row has.
    """
    ids = [row.get("id") for row in _rows(path)]
    if not all(isinstance(each, str) for each in ids) or len(set(ids)) < len(ids):
        raise ValueError(f"{path}: rows need ids of their own to be told apart")
    return [str(each) for each in ids]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=["id"]):
                yield from batch.to_pylist()
        return
    with path.open(encoding="utf-8") as file:
        if path.suffix == ".json":
            yield from json.load(file)
        else:
            yield from (json.loads(line) for line in file if line.strip())


def words(error: BaseException) -> str:
    """An error as one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


def literal_tags(text: str) -> int:
    """Tags of media that stayed text."""
    return sum(text.count(f"<{kind}>") for kind in MEDIA)
