"""The same archive with Hugging Face datasets.

    with_datasets.py ARCHIVE CACHE

Builds an Arrow data set with the audio bytes inside, as its LibriSpeech loader did: the members of the archive in
order, a chapter's utterances once its transcript has been read.
"""

from __future__ import annotations

import json
import os
import sys
import tarfile
from collections.abc import Iterator
from typing import Any

ARCHIVE, CACHE = sys.argv[1:3]
os.environ.update(HF_HOME=CACHE, HF_HUB_OFFLINE="1", HF_DATASETS_DISABLE_PROGRESS_BARS="1")


def utterances(archive: str) -> Iterator[dict[str, Any]]:
    """Rows of the archive with their FLAC bytes, not decoded."""
    waiting: dict[str, tuple[str, bytes]] = {}
    with tarfile.open(archive) as members:
        for member in members:
            file = members.extractfile(member)
            if file is None:
                continue
            if member.name.endswith(".flac"):
                waiting[member.name.rsplit("/", 1)[-1].removesuffix(".flac")] = (member.name, file.read())
                continue
            for line in file.read().decode().splitlines():
                identity, _, text = line.partition(" ")
                path, data = waiting.pop(identity)
                speaker, chapter, _ = identity.split("-")
                yield {
                    "id": identity,
                    "audio": {"path": path, "bytes": data},
                    "text": text,
                    "speaker_id": int(speaker),
                    "chapter_id": int(chapter),
                }


def main() -> None:
    from datasets import Dataset, Features, Value

    features = Features(
        {
            "id": Value("string"),
            "audio": {"path": Value("string"), "bytes": Value("binary")},
            "text": Value("string"),
            "speaker_id": Value("int64"),
            "chapter_id": Value("int64"),
        }
    )
    made = Dataset.from_generator(utterances, features=features, gen_kwargs={"archive": ARCHIVE})
    print(json.dumps({"utterances": len(made)}))


if __name__ == "__main__":
    main()
