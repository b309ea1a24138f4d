"""A second identical pull and a second identical export, which should do nothing and report so.

    python -m benchmarks.again [--work DIR] [--rounds N]

Both are observed from outside: the mirror is an HTTP server on loopback that records every request and counts the bytes
of every body. Access times show that no media file was read: before a run all of them are set back by two days, so that
any read updates them (`relatime`); a control file, read on purpose, shows whether this file system records them at all.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from .counting_server import Log, serve
from .mirrors import add_options, get_corpus, pull_command
from .report import Requirement, Section, at_most, parser, publish, workplace
from .timing import OURS, PART, TRIPTYCH, Contestant, compete, run, tell

PULL_NAME = "second identical pull"
EXPORT_NAME = "second identical export"
DAYS_BACK = 2 * 86_400
SETTING = (
    "A store with {utterances:,} LibriSpeech-layout utterances, pulled once from an HTTP mirror on loopback and "
    "exported once. Then the same two commands again, whole processes from start to end."
)


class Watch:
    """Detects whether any file of a folder was read since `start`."""

    def __init__(self, folder: Path, control: Path) -> None:
        self.files = [path for path in folder.rglob("*") if path.is_file()]
        self.control = control
        self.read = 0
        self.works = True

    def start(self) -> None:
        then = time.time() - DAYS_BACK
        self.control.write_bytes(b"read on purpose")
        for path in (*self.files, self.control):
            os.utime(path, (then, path.stat().st_mtime))

    def stop(self) -> None:
        before = self.control.stat().st_atime
        self.control.read_bytes()
        self.works &= self.control.stat().st_atime > before
        limit = time.time() - DAYS_BACK / 2
        self.read += sum(path.stat().st_atime > limit for path in self.files)

    def __str__(self) -> str:
        return f"{self.read}" if self.works else "unknown: no access times on this file system"


def main() -> int:
    made = parser("Second identical pull and export.")
    add_options(made)
    options = made.parse_args()
    with workplace(options.work) as work:
        corpus = get_corpus(work, utterances=options.utterances, hours=options.hours)
        store = work / "again-store"
        shutil.rmtree(store, ignore_errors=True)
        with serve(corpus.mirror) as log:
            section = _measure(store, log, work, options.rounds, options.utterances)
        shutil.rmtree(store)
    return publish(section)


def _measure(store: Path, log: Log, work: Path, rounds: int, utterances: int) -> Section:
    pull = pull_command(store, log.url)
    export = [TRIPTYCH, "export", "msswift", "--task", "sft", "--store", str(store), "--json"]
    tell("the first pull and the first export ...")
    first_pull, first_bytes = run(pull), log.bytes
    first_export = run(export)
    log.clear()
    watch = Watch(store / "media", work / "again-control")
    figures = compete(
        [
            Contestant(PULL_NAME, OURS, pull, {}, watch.start, watch.stop),
            Contestant(EXPORT_NAME, OURS, export, {}, watch.start, watch.stop),
            Contestant("triptych --help", PART, [TRIPTYCH, "--help"]),
        ],
        rounds=rounds,
    )
    if figures[EXPORT_NAME].output("reused") is not True or figures[PULL_NAME].output("stored") != utterances:
        raise SystemExit(f"the second run was not a repetition: {figures[EXPORT_NAME].runs[-1].output}")
    requirements = [
        at_most(PULL_NAME, figures[PULL_NAME].median, 1, " s"),
        at_most(EXPORT_NAME, figures[EXPORT_NAME].median, 1, " s"),
        Requirement("fetched beyond the listing of the mirror: nothing", _requests(log), _only_listing(log.lines)),
        Requirement("media files opened: 0", str(watch), watch.works and watch.read == 0),
    ]
    note = (
        f"The first pull took {first_pull.wall:.2f} s and fetched {first_bytes:,} bytes, the first export took "
        f"{first_export.wall:.2f} s."
    )
    setting = SETTING.format(utterances=utterances)
    return Section("again", "a second identical run", setting, list(figures.values()), requirements, notes=[note])


def _requests(log: Log) -> str:
    """All requests of all rounds, and the bytes of their bodies."""
    requests = ", ".join(f"{log.lines.count(line)} x `{line}`" for line in dict.fromkeys(log.lines))
    return f"{requests}: {log.bytes:,} bytes" if requests else "no request in any round"


def _only_listing(lines: Sequence[str]) -> bool:
    """Whether only the mirror's listing was requested, a few hundred bytes; anything else is data."""
    return all(line.endswith("/mirror.yaml") for line in lines)


if __name__ == "__main__":
    sys.exit(main())
