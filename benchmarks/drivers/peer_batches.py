"""An epoch of batches of sound with lhotse or datasets, run with the peers' own interpreter.

    peer_batches.py lhotse TASK CUTS SECONDS WORKERS        DynamicBucketingSampler over a file of cuts
    peer_batches.py datasets TASK LISTING BATCH WORKERS     rows of a Dataset, so many in a batch, shuffled
    peer_batches.py cuts MANIFEST CUTS                      makes the file of cuts

TASK is `audio` (samples, padded) or `features` (Qwen2-Audio's extractor of transformers). datasets decodes with
torchcodec, whose builds want CUDA or FFmpeg's libraries; here its rows are read by soundfile.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

RATE = 16_000


@cache
def extractor() -> Any:
    from transformers import WhisperFeatureExtractor

    return WhisperFeatureExtractor(feature_size=128)


def joined(task: str, sounds: Sequence[Any]) -> tuple[Any, int]:
    """A batch of sounds, and how many there are."""
    if task == "features":
        made = extractor()(
            list(sounds), sampling_rate=RATE, padding="max_length", return_attention_mask=True, return_tensors="pt"
        )
        return made["input_features"], len(sounds)
    padded = torch.zeros(len(sounds), max(map(len, sounds)))
    for place, samples in enumerate(sounds):
        padded[place, : len(samples)] = torch.from_numpy(samples)
    return padded, len(sounds)


class Cuts(torch.utils.data.Dataset):
    """Batches of cuts."""

    def __init__(self, task: str) -> None:
        self.task = task

    def __getitem__(self, cuts: Any) -> tuple[Any, int]:
        return joined(self.task, [cut.load_audio()[0] for cut in cuts])


class Rows(torch.utils.data.Dataset):
    """Rows of a Dataset."""

    def __init__(self, listing: str) -> None:
        from datasets import Audio, Dataset

        with Path(listing).open(encoding="utf-8") as file:
            paths = file.read().splitlines()
        self.rows = Dataset.from_dict({"audio": paths}).cast_column("audio", Audio(RATE, decode=False))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> Any:
        import soundfile

        samples, rate = soundfile.read(self.rows[number]["audio"]["path"], dtype="float32")
        assert rate == RATE
        return samples


def lhotse_batches(task: str, cuts: str, seconds: float, workers: int) -> Any:
    from lhotse import CutSet
    from lhotse.dataset import DynamicBucketingSampler

    found = CutSet.from_jsonl_lazy(cuts)
    sampler = DynamicBucketingSampler(found, max_duration=seconds, shuffle=True, num_buckets=30, drop_last=False)
    return torch.utils.data.DataLoader(Cuts(task), sampler=sampler, batch_size=None, num_workers=workers)


def datasets_batches(task: str, listing: str, batch: int, workers: int) -> Any:
    rows = Rows(listing)
    return torch.utils.data.DataLoader(
        rows, batch_size=batch, shuffle=True, num_workers=workers, collate_fn=lambda sounds: joined(task, sounds)
    )


def main() -> None:
    peer, *rest = sys.argv[1:]
    if peer == "cuts":
        from lhotse import CutSet, load_manifest

        CutSet.from_manifests(recordings=load_manifest(rest[0])).to_file(rest[1])
        print(json.dumps({}))
        return
    task, source, size, workers = rest
    started = time.perf_counter()
    batches = (
        lhotse_batches(task, source, float(size), int(workers)) if peer == "lhotse"
        else datasets_batches(task, source, int(size), int(workers))
    )  # fmt: skip
    count, total = 0, 0.0
    for inputs, samples in batches:
        count += samples
        total += float(inputs.double().sum())
    main_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(json.dumps({"seconds": time.perf_counter() - started, "samples": count, "sum": total, "main_mb": main_mb}))


if __name__ == "__main__":
    np.seterr(all="raise")
    main()
