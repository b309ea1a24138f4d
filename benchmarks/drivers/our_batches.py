"""An epoch of batches of sound from a published version, with Triptych's plan and loader.

    our_batches.py TASK STORE EXPORT LENGTHS SECONDS WORKERS

TASK is `audio` (samples, padded), `features` (spectra of Qwen2-Audio, 30 s each), or `lengths` (only measures the rows,
into LENGTHS); SECONDS of sound are in a batch.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from triptych.shards.budgets.measure import measure
from triptych.trainers.data.batch_loader import BatchLoader
from triptych.trainers.data.batch_plan import BatchPlan
from triptych.trainers.data.encoder import RowLength
from triptych.trainers.data.log_mel import LogMel
from triptych.trainers.data.row_lengths import check_rows
from triptych.trainers.data.sound import read_sound
from triptych.trainers.data.training_rows import TrainingRows

RATE, FRAMES = 16_000, 3_000


@dataclass
class Sounds:
    """The sound of each row; its length is counted in hundredths of a second."""

    task: str
    signature = "sounds"
    budget_model = None
    max_tokens = 10**9
    max_audio_seconds = None

    @cached_property
    def log_mel(self) -> LogMel:
        from transformers import WhisperFeatureExtractor

        return LogMel(WhisperFeatureExtractor(feature_size=128))

    def __getstate__(self) -> dict[str, Any]:
        return {"task": self.task}

    def length(self, row: Any) -> RowLength:
        seconds = measure(Path(row.media[0].path), kind="audio").seconds
        assert seconds is not None
        return RowLength(round(100 * seconds), seconds, ("audio",))

    def encode(self, row: Any) -> Any:
        samples = read_sound(Path(row.media[0].path), RATE)
        return samples if self.task == "audio" else self.log_mel.padded(samples)

    def join(self, encoded: Sequence[Any]) -> dict[str, Any]:
        if self.task == "audio":
            joined = torch.zeros(len(encoded), max(map(len, encoded)))
            for place, samples in enumerate(encoded):
                joined[place, : len(samples)] = torch.from_numpy(samples)
            return {"inputs": joined, "lengths": torch.tensor([len(each) for each in encoded])}
        spectra = torch.empty(len(encoded), 128, FRAMES)
        for place, each in enumerate(encoded):
            spectra[place, :, : each.frames.shape[1]] = each.frames
            spectra[place, :, each.frames.shape[1] :] = each.silence
        return {"inputs": spectra, "lengths": torch.tensor([each.heard for each in encoded])}


def main() -> None:
    task, store, export, cache, seconds, workers = sys.argv[1:]
    started = time.perf_counter()
    rows = TrainingRows.open(export, store=store)
    encoder = Sounds(task)
    lengths = check_rows(rows, encoder, cache=Path(cache), workers=1)
    if task == "lengths":
        print(json.dumps({"seconds": float(lengths.seconds.sum()), "samples": len(rows)}))
        return
    plan = BatchPlan(lengths.tokens, batch_tokens=round(100 * float(seconds)))
    loader = BatchLoader(rows, encoder, plan, workers=int(workers))
    count, total = 0, 0.0
    for batch in loader.epoch(0):
        assert batch.inputs is not None
        count += len(batch.ids)
        total += float(batch.inputs["inputs"].double().sum())
    loader.close()
    print(json.dumps({
        "seconds": time.perf_counter() - started, "samples": count, "sum": total,
        "main_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, "padding": plan.padding_share,
    }))  # fmt: skip


if __name__ == "__main__":
    main()
