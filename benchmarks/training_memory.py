"""Memory of a run of training over thousands of rows: does it grow from the first steps to the last?

python -m benchmarks.training_memory [--work DIR] [--rows 3000]
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from tests.support import tiny_models, training_runs

from .report import Section, at_most, parser, publish, workplace

GROWTH = 1.05
BATCH = 8
SETTING = (
    "A tiny Qwen2-Audio of the real class, one epoch over {rows:,} clips of up to 0.5 s in batches of {batch}, all "
    "weights, a line of metrics every 10 steps and a checkpoint every 100, decoding in this process, one thread. "
    "Resident memory of the process after the first step, a tenth of the steps, half of them, and the last."
)


def main() -> int:
    made = parser("Memory of a run of training over thousands of rows.", rounds=1)
    made.add_argument("--rows", type=int, default=3000, help="rows of the export")
    options = made.parse_args()
    import torch
    from triptych.shards.store.store import Store
    from triptych.trainers.runs.run import train

    torch.set_num_threads(1)
    with workplace(options.work) as work:
        store = training_runs.conversations(work / "training-memory", rows=options.rows, seconds=0.5)
        config = training_runs.config_of(
            tiny_models.qwen2_audio(work / "training-memory-model"), work / "training-memory-run",
            data={"bad_rows": "leave_out"},  # the shortest clips are too short for the model
            training={"epochs": 1, "batch_size": BATCH, "gradient_accumulation_steps": 1, "lr": 1e-3},
            logging={"logging_steps": 10, "save_steps": 100},
        )  # fmt: skip
        config = config.model_copy(update={"model": config.model.model_copy(update={"audio_padding": "batch"})})
        seen: dict[int, float] = {}
        before = resident_mb()
        result = train(
            config, training_runs.recipe_of(config), store=Store.open(store),
            progress=lambda step, of: seen.update({step: resident_mb()}),
        )  # fmt: skip
        for name in ("training-memory", "training-memory-run"):
            shutil.rmtree(work / name, ignore_errors=True)
    tenth, half = result.steps // 10, result.steps // 2
    told = ", ".join(f"{seen[step]:,.0f} MB after step {step:,}" for step in (1, tenth, half, result.steps))
    section = Section(
        "training_memory", "memory of a run of training", SETTING.format(rows=result.rows, batch=BATCH), [],
        [at_most("memory after the last step, as a multiple of that after a tenth of them",
                 seen[result.steps] / seen[tenth], GROWTH)],
        notes=[f"{before:,.0f} MB before the run; {told}; the highest {max(seen.values()):,.0f} MB"],
    )  # fmt: skip
    return publish(section)


def resident_mb() -> float:
    """The memory that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    sys.exit(main())
