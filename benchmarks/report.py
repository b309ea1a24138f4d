"""Print the result of a benchmark and write it to RESULTS.md: one section per benchmark, replaced in place."""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from .timing import OURS, PART, Figures

RESULTS = Path(__file__).parent / "RESULTS.md"
VERSIONS = ("triptych", "duckdb", "polars", "pyarrow", "deltalake", "numpy", "soundfile", "isal")
_HEAD = """# Results

One section per benchmark, written by the command it names. Times are medians in seconds, with the smallest and the
largest in brackets; README.md in this folder explains how to read them.
"""


@dataclass(frozen=True, slots=True)
class Requirement:
    """A limit that a figure must meet.

    Attributes:
        text: The requirement in words.
        found: The figure in words.
        met: Whether it is met.
    """

    text: str
    found: str
    met: bool


@dataclass(frozen=True, slots=True)
class Section:
    """The result of one benchmark.

    Attributes:
        name: The module's name, which is also the section's.
        title: One line.
        setting: Sentences on the data and on what the times include.
        figures: The contestants, in the order of the table.
        baseline: Name of the contestant that ratios are relative to; no ratios if None.
        work: Units of work of one run and their name, for a rate column; no such column if None.
        notes: Sentences below the table.
    """

    name: str
    title: str
    setting: str
    figures: Sequence[Figures]
    requirements: Sequence[Requirement]
    baseline: str | None = None
    work: tuple[float, str] | None = None
    notes: Sequence[str] = field(default_factory=tuple)
    peers: Mapping[str, str] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        return all(requirement.met for requirement in self.requirements)


def at_most(text: str, value: float, limit: float, unit: str = "") -> Requirement:
    """A requirement on a value that must not be larger than `limit`."""
    return Requirement(f"{text}: at most {limit:,g}{unit}", f"{value:,.2f}{unit}", value <= limit)


def at_least(text: str, value: float, limit: float, unit: str = "") -> Requirement:
    """A requirement on a value that must not be smaller than `limit`."""
    shown = f"{value:,.0f}" if limit >= 1000 else f"{value:,.2f}"
    return Requirement(f"{text}: at least {limit:,g}{unit}", f"{shown}{unit}", value >= limit)


def publish(section: Section) -> int:
    """Print a section and write it to RESULTS.md; returns exit status 1 if a requirement is not met."""
    text = render(section)
    print(text)
    whole = RESULTS.read_text(encoding="utf-8") if RESULTS.is_file() else _HEAD
    RESULTS.write_text(replaced(whole, section.name, text), encoding="utf-8")
    return 0 if section.met else 1


def replaced(document: str, name: str, text: str) -> str:
    """The document with the section `name` replaced, or added at its end."""
    pattern = re.compile(rf"^## {re.escape(name)}:.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    if pattern.search(document):
        return pattern.sub(lambda _: text + "\n", document).rstrip() + "\n"
    return f"{document.rstrip()}\n\n{text}"


def render(section: Section) -> str:
    """The section as Markdown."""
    lines = [f"## {section.name}: {section.title}", "", section.setting, ""]
    lines += [*_table(section), ""] if section.figures else []
    lines += ["| required | found | |", "| --- | --- | --- |"]
    lines += [
        f"| {each.text} | {each.found} | {'met' if each.met else '**missed**'} |" for each in section.requirements
    ]
    lines += ["", *(f"* {note}" for note in section.notes), f"* {_machine()}", f"* {_versions(section.peers)}"]
    lines += [f"* {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, `{_command()}`"]
    return "\n".join(lines) + "\n"


def _table(section: Section) -> Iterator[str]:
    rate = section.work is not None
    baseline = next((each for each in section.figures if each.contestant.name == section.baseline), None)
    heads = ["what", "as", "seconds", "processor s", "peak MB"]
    heads += [f"{section.work[1]}/s"] if section.work else []
    heads += ["ratio"] if baseline else []
    yield f"| {' | '.join(heads)} |"
    yield f"| {' | '.join(['---', '---', *['---:'] * (len(heads) - 2)])} |"
    for each in section.figures:
        seconds = each.seconds
        name = f"**{each.contestant.name}**" if each.contestant.role == OURS else each.contestant.name
        cells = [name, each.contestant.role, f"{each.median:.2f} ({min(seconds):.2f} to {max(seconds):.2f})"]
        cells += ["", ""] if each.contestant.clock else [f"{each.cpu:.2f}", f"{each.peak_mb:,.0f}"]
        cells += [f"{section.work[0] / each.median:,.0f}"] if rate and section.work else []
        cells += [f"{each.median / baseline.median:.2f}"] if baseline else []
        yield f"| {' | '.join(cells)} |"


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    return (
        f"{cores} cores ({_processor()}), {memory:.0f} GB of memory, {platform.system()} {platform.machine()}; "
        f"load {load:.1f} at the end"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown processor"


def _versions(peers: Mapping[str, str]) -> str:
    ours = {name: version(name) for name in VERSIONS}
    shown = {"Python": platform.python_version(), **ours, **peers}
    return ", ".join(f"{name} {number}" for name, number in shown.items())


def _command() -> str:
    """The command as it was typed, without its `--work` folder."""
    name = Path(sys.argv[0]).stem
    called = "benchmarks" if name == "__main__" else f"benchmarks.{name}"
    words = iter(sys.argv[1:])
    kept = []
    for word in words:
        if word == "--work":
            next(words, None)
        elif not word.startswith("--work="):
            kept.append(word)
    return " ".join(["python -m", called, *kept])


def parser(description: str, *, rounds: int = 5) -> argparse.ArgumentParser:
    """Return a parser with the options that every benchmark takes."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument(
        "--work", type=Path, help="folder for corpora and stores, which is kept; default: a temporary one"
    )
    made.add_argument("--rounds", type=int, default=rounds, help="runs of every contestant, in turn")
    made.add_argument("--no-peers", action="store_true", help="leave the peers out (`make peers` installs them)")
    return made


@contextmanager
def workplace(work: Path | None) -> Iterator[Path]:
    """The folder to work in: the given one, which is kept, or a temporary one."""
    if work is not None:
        work.mkdir(parents=True, exist_ok=True)
        yield work.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="triptych-benchmarks-") as folder:
        yield Path(folder)


__all__ = ["OURS", "PART", "Requirement", "Section", "at_least", "at_most", "parser", "publish", "workplace"]
