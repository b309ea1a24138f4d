"""Whole processes, timed from outside: wall clock, processor time and peak memory of a process and all it waited for.

Contestants run in turn, several rounds (A B C, A B C, ...), so that a machine that becomes slower or busier affects all
of them alike. Inputs are made before a run and outputs removed after it, outside the measured time. A process that
fails ends the benchmark: its time would mean nothing.

Peak memory is that of the largest single process (`ru_maxrss`), not the sum. It starts from the memory of the parent
process, so the process that starts the contestants stays small: separate processes make stores and corpora.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PYTHON = sys.executable
TRIPTYCH = str(Path(sys.executable).with_name("triptych"))
DRIVERS = Path(__file__).parent / "drivers"
LIMIT, PEER, OURS, PART = "limit", "peer", "ours", "part of ours"


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of one process.

    Attributes:
        wall, cpu: Seconds; `cpu` is user and system time of the process and of all children it waited for.
        peak_mb: Largest resident set of any one of these processes, in 10^6 bytes.
        output: The JSON object on the last line of its standard output, if there is one.
    """

    wall: float
    cpu: float
    peak_mb: float
    output: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contestant:
    """A command to measure.

    Attributes:
        name: The name in the report.
        role: `LIMIT`, `PEER`, `OURS` or `PART`.
        command: The program and its arguments.
        env: Variables on top of this process's own.
        before, after: Run around every measured run, outside its time.
        clock: The key of `output` that holds the seconds to report instead of the whole process's.
        rounds: At most this many rounds; all of them if None.
        status: The exit status of success.
    """

    name: str
    role: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None
    clock: str | None = None
    rounds: int | None = None
    status: int = 0


@dataclass(frozen=True, slots=True)
class Figures:
    """All runs of one contestant."""

    contestant: Contestant
    runs: Sequence[Measured]

    @property
    def seconds(self) -> list[float]:
        key = self.contestant.clock
        return [run.wall if key is None else float(run.output[key]) for run in self.runs]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def cpu(self) -> float:
        return statistics.median(run.cpu for run in self.runs)

    @property
    def peak_mb(self) -> float:
        return max(run.peak_mb for run in self.runs)

    def output(self, key: str) -> Any:
        """The value of `key` in the output of the last run."""
        return self.runs[-1].output[key]


class Failed(Exception):
    """A measured process ended with an unexpected status."""


def run(command: Sequence[str], *, env: Mapping[str, str] | None = None, status: int = 0) -> Measured:
    """Run a command to its end and measure it.

    Raises:
        Failed: Its exit status was not `status`; the message ends with its output.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=err, env={**os.environ, **(env or {})})
        _, wait_status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(wait_status)
        if process.returncode != status:
            text = f"{_text(out)[-2000:]}{_text(err)[-4000:]}"
            raise Failed(f"{' '.join(command)} ended with {process.returncode}:\n{text}")
        output = _last_json(_text(out))
    # Linux counts ru_maxrss in KiB.
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6, output)


def compete(contestants: Sequence[Contestant], *, rounds: int) -> dict[str, Figures]:
    """Run all contestants in turn, `rounds` times, with progress on standard error."""
    runs: dict[str, list[Measured]] = {each.name: [] for each in contestants}
    for number in range(1, rounds + 1):
        for each in contestants:
            if each.rounds is not None and number > each.rounds:
                continue
            each.before()
            measured = run(each.command, env=each.env, status=each.status)
            each.after()
            runs[each.name].append(measured)
            tell(f"round {number}/{rounds}  {each.name}: {Figures(each, [measured]).median:.2f} s")
    return {each.name: Figures(each, runs[each.name]) for each in contestants}


def tell(line: str) -> None:
    """Print progress on standard error."""
    print(line, file=sys.stderr, flush=True)


def driver(name: str, *arguments: object, python: str = PYTHON) -> list[str]:
    """The command that runs `drivers/<name>.py`."""
    return [python, str(DRIVERS / f"{name}.py"), *map(str, arguments)]


def module(name: str, *arguments: object) -> list[str]:
    """The command that runs a module of this package."""
    return [PYTHON, "-m", f"benchmarks.{name}", *map(str, arguments)]


def prepare(commands: Iterable[Sequence[str]]) -> None:
    """Run commands without measuring them."""
    for command in commands:
        run(command)


def _text(file: Any) -> str:
    file.seek(0)
    return str(file.read().decode(errors="replace"))


def _last_json(text: str) -> dict[str, Any]:
    lines = text.strip().splitlines()
    for candidate in (lines[-1] if lines else "", text):
        try:
            output = json.loads(candidate)
        except ValueError:
            continue
        if isinstance(output, dict):
            return output
    return {}
