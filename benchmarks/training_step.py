"""A step of training beside a bare loop over the same batches: what does the loop cost?

python -m benchmarks.training_step [--rounds 7] [--work DIR]
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path
from typing import Any

from tests.support import loops

from .report import Section, at_most, parser, publish, workplace

SIZES = {"hidden_size": 256, "intermediate_size": 768, "num_hidden_layers": 4, "num_attention_heads": 4,
         "num_key_value_heads": 4, "head_dim": 64, "attention_dropout": 0.0}  # fmt: skip
STEPS = 12
RATIO = 1.05
SETTING = (
    "A Qwen3 of text with 4 layers of 256, {steps} steps of two batches of 4 rows of up to 160 tokens, fp32, one "
    "thread. The bare loop runs forward pass, cross-entropy, backward pass, clipping and AdamW over the same batches, "
    "which are made before; ours is RunTrainer, with learning rates, metrics and its checks, and without a checkpoint. "
    "Processor time, in pairs, one after the other; medians over {rounds} pairs."
)


def main() -> int:
    options = parser("A step of training, compared with a bare loop.", rounds=7).parse_args()
    import torch

    torch.set_num_threads(1)
    batches = {n: [loops.batch(10 * n + k, [160, 151, 149, 158]) for k in range(2)] for n in range(1, STEPS + 1)}
    with workplace(options.work) as work:
        _ours(work / "step-0", batches)  # what is loaded and allocated once
        pairs = [(_bare(batches), _ours(work / f"step-{round + 1}", batches)) for round in range(options.rounds)]
    bare, ours = (statistics.median(each) / STEPS for each in zip(*pairs, strict=True))
    ratio = statistics.median(own / other for other, own in pairs)
    section = Section(
        "training_step", "a step of training beside a bare loop",
        SETTING.format(steps=STEPS, rounds=options.rounds), [],
        [at_most("processor time of a step, as a multiple of the bare loop's", ratio, RATIO)],
        notes=[f"{ours * 1000:.1f} ms a step, {bare * 1000:.1f} ms in the bare loop"],
    )  # fmt: skip
    return publish(section)


def _ours(folder: Path, batches: dict[int, Any]) -> float:
    made = loops.loop(folder, STEPS, make=batches.__getitem__, model=loops.tiny_text_model(**SIZES), save_steps=10**6)
    made.trainer._save_checkpoint = lambda *_: None
    started = time.process_time()
    made.trainer.run()
    return time.process_time() - started


def _bare(batches: dict[int, Any]) -> float:
    import torch
    from torch.nn.functional import cross_entropy

    model = loops.tiny_text_model(**SIZES)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.01)
    started = time.process_time()
    model.train()
    for number in range(1, STEPS + 1):
        total = sum(int((batch.inputs["labels"][:, 1:] != -100).sum()) for batch in batches[number])
        for batch in batches[number]:
            labels = batch.inputs["labels"][:, 1:]
            logits = model(input_ids=batch.inputs["input_ids"], attention_mask=batch.inputs["attention_mask"],
                           use_cache=False).logits[:, :-1]  # fmt: skip
            kept = labels != -100
            (cross_entropy(logits[kept].float(), labels[kept], reduction="sum") / total).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return time.process_time() - started


if __name__ == "__main__":
    sys.exit(main())
