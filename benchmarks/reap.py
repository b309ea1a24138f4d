"""Scores of experts: what they cost beside a plain forward pass, whether memory is constant, and whether a kill shows.

python -m benchmarks.reap [--work DIR] [--rounds N] [--rows 10000] [--kills 6]
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import soundfile

from .report import Requirement, Section, at_least, at_most, parser, publish, workplace
from .timing import OURS, Contestant, compete, driver, run, tell

SMALL = 1000
ADDED, FASTER, GROWTH = 1.15, 3.0, 1.1
EVERY = "512 wide, 64 experts"
SETTING = (
    "Above: whole processes that score the experts of a tiny Qwen3-Omni thinker on {small:,} and {rows:,} rows of one "
    "clip of half a second; `peak MB` is the main figure. Below: processor time of forward passes in one thread, plain "
    "(grouped matrix products of transformers) and with the capture, in turn, and the median of the ratios of each "
    "turn; 256 tokens, eight experts for each, random weights, 32 bits. The hidden states are the same to the last "
    "bit. `every expert` runs all 64 on every token, as other observers do. Killed: the process with SIGKILL at random "
    "moments, begun again until it is done; the sums must be those of one that was not."
)


def main() -> int:
    made = parser("Scores of experts: cost, memory, kills.", rounds=9)
    made.add_argument("--rows", type=int, default=10_000, help="calibration rows, for memory")
    made.add_argument("--kills", type=int, default=6)
    options = made.parse_args()
    with workplace(options.work) as work:
        for folder in work.glob("reap-scores-*"):
            shutil.rmtree(folder)  # of an earlier run: a measurement would be gone on with
        model = work / "reap-thinker"
        if not model.exists():
            run(driver("our_scores", "model", model))
        soundfile.write(work / "reap.wav", np.random.default_rng(0).normal(0, 0.1, 8000), 16_000)
        contestants = [_contestant(work, model, rows) for rows in (SMALL, options.rows)]
        figures = compete(contestants, rounds=1)
        small, large = (figures[each.name] for each in contestants)
        tell("paired passes")
        cost = run(driver("our_scores", "cost", options.rounds)).output
        times: dict[str, dict[str, list[float]]] = dict(cost)
        requirements = [
            at_most(f"captured pass over a plain one, {name}", _ratio(each["captured"], each["plain"]), ADDED)
            for name, each in times.items()
        ]
        every = times[EVERY]
        faster = _ratio(every["every expert"], every["captured"])
        requirements += [
            at_least("every-expert pass over a captured one, 64 experts, 8 for each token", faster, FASTER),
            at_most(f"peak memory of {options.rows:,} rows over {SMALL:,}", large.peak_mb / small.peak_mb, GROWTH),
            _kills(work, model, options.kills),
        ]
        section = Section(
            "reap",
            "scores of experts",
            SETTING.format(small=SMALL, rows=options.rows),
            list(figures.values()),
            requirements,
            notes=[
                f"{name}: plain {statistics.median(each['plain']):.3f} s; ratios "
                f"{min(_ratios(each['captured'], each['plain'])):.2f} to "
                f"{max(_ratios(each['captured'], each['plain'])):.2f}"
                for name, each in times.items()
            ]
            + ["A tokenizer keeps the last 10,000 words that it has seen: the answers here are a hundred, each often."],
        )
    return publish(section)


def _ratios(one: list[float], other: list[float]) -> list[float]:
    return [a / b for a, b in zip(one, other, strict=True)]


def _ratio(one: list[float], other: list[float]) -> float:
    return statistics.median(_ratios(one, other))


def _rows(work: Path, count: int) -> Path:
    path = work / f"reap-{count}.jsonl"
    clip = {"type": "audio", "audio": str(work / "reap.wav")}
    with path.open("w", encoding="utf-8") as out:
        for number in range(count):
            asked = {"role": "user", "content": [clip, {"type": "text", "text": "What is said?"}]}
            answer = {"role": "assistant", "content": [{"type": "text", "text": f"Number {number % 100}."}]}
            out.write(json.dumps({"id": f"r{number}", "messages": [asked, answer]}) + "\n")
    return path


def _contestant(work: Path, model: Path, rows: int) -> Contestant:
    folder = work / f"reap-scores-{rows}"
    command = driver("our_scores", "measure", model, _rows(work, rows), folder, 60.0)
    return Contestant(f"{rows:,} rows", OURS, command)


def _kills(work: Path, model: Path, kills: int) -> Requirement:
    """End the process at random moments, and compare."""
    rows, draw = _rows(work, 300), random.Random(0)
    whole = run(driver("our_scores", "measure", model, rows, work / "reap-scores-whole", 60.0)).output
    folder = work / "reap-scores-killed"
    command = list(map(str, driver("our_scores", "measure", model, rows, folder, 0.0)))
    killed = 0
    while killed < kills:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        while (line := process.stderr.readline()) and "begun" not in line:
            pass
        time.sleep(draw.uniform(0.05, 1.0))
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        killed += 1
    found = run(command).output
    same = found == whole
    return Requirement(f"sums after {killed} kills: those of a process that was not killed", "the same bits" if same
                       else "others", same and killed > 0)  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
