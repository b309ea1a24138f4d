"""Many rows: an import whose media is missing, the same again, and many tiny clips; is memory use constant?

python -m benchmarks.scale [--work DIR] [--rounds N] [--rows 1000000] [--clips 100000]
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

from .plenty import NAME
from .report import Requirement, Section, at_least, at_most, parser, publish, workplace
from .timing import LIMIT, OURS, PEER, TRIPTYCH, Contestant, Figures, compete, driver, module, run, tell

LIMIT_NAME = "csv, stat and one line per row"
FULL, QUARTER, AGAIN = "import csv, all missing", "import csv, a quarter of it", "import csv again"
JSONL, SOME = "import jsonl, all missing", "import csv, 1% present"
CLIPS, FEW_CLIPS = "catalog pull, tiny clips", "catalog pull, a quarter of them"
PRESENT_EVERY = 100
BYTES_A_ROW = 100
BYTES_A_CLIP = 1000
SETTING = (
    "A table of {rows:,} rows (a path, a text, a speaker) whose media is missing: every row must end in the event log "
    "with its reason. Again: the same table into the same store, which must not write anything. 1% present: every "
    "hundredth row has a clip of 25 ms. The limit reads the table, looks for every file and writes a line for each "
    "missing one; datasets loads the table into Arrow and filters it, and keeps no record of dropped rows. The clips "
    "are {clips:,} WAVs of 25 ms in one tar.gz, with all transcripts after all clips, so that every clip has to wait. "
    "Whole processes; `peak MB` is the main figure."
)


def main() -> int:
    made = parser("Many rows, many clips: time and memory.", rounds=2)
    made.add_argument("--rows", type=int, default=1_000_000, help="rows of the table")
    made.add_argument("--clips", type=int, default=100_000, help="clips of the archive")
    options = made.parse_args()
    with workplace(options.work) as work:
        _prepare(work, options.rows, options.clips)
        figures = compete(_contestants(work, options.rows, options.clips, not options.no_peers), rounds=options.rounds)
        _check_work(figures, options.rows, options.clips)
        section = Section(
            "scale",
            "many rows, many clips, flat memory",
            SETTING.format(rows=options.rows, clips=options.clips),
            list(figures.values()),
            [*_requirements(figures, options.rows, options.clips), *_check_events(work, options.rows)],
            notes=[f"{FULL}: {figures[FULL].median / figures[LIMIT_NAME].median:.1f} times the limit."],
            peers={} if options.no_peers else {"datasets (peer)": version("datasets")},
        )
        for name in ("full", "quarter", "jsonl", "some", "clips", "few-clips"):
            shutil.rmtree(work / f"scale-{name}", ignore_errors=True)
    return publish(section)


def _prepare(work: Path, rows: int, clips: int) -> None:
    wanted = [
        (_table(work, rows), ("table", work / f"plenty-{rows}", "--rows", rows)),
        (_table(work, rows // 4), ("table", work / f"plenty-{rows // 4}", "--rows", rows // 4)),
        (_some(work, rows), ("table", work / f"some-{rows}", "--rows", rows, "--every", PRESENT_EVERY)),
        (_archive(work, clips), ("archive", work / f"clips-{clips}", "--clips", clips)),
        (_archive(work, clips // 4), ("archive", work / f"clips-{clips // 4}", "--clips", clips // 4)),
    ]
    for path, arguments in wanted:
        if not path.is_file():
            tell(f"making {path.name} ...")
            run(module("plenty", *arguments))


def _table(work: Path, rows: int) -> Path:
    return work / f"plenty-{rows}.csv"


def _some(work: Path, rows: int) -> Path:
    return work / f"some-{rows}.csv"


def _archive(work: Path, clips: int) -> Path:
    return work / f"clips-{clips}" / "train.tar.gz"


def _contestants(work: Path, rows: int, clips: int, peers: bool) -> Sequence[Contestant]:
    table = _table(work, rows)
    found = [
        Contestant(LIMIT_NAME, LIMIT, driver("csv_loop", table, work / "loop.csv")),
        _import(QUARTER, "csv", _table(work, rows // 4), work / "scale-quarter"),
        _import(FULL, "csv", table, work / "scale-full"),
        _import(AGAIN, "csv", table, work / "scale-full", fresh=False),
        _import(JSONL, "jsonl", table.with_suffix(".jsonl"), work / "scale-jsonl"),
        _import(SOME, "csv", _some(work, rows), work / "scale-some"),
        _pull(FEW_CLIPS, _archive(work, clips // 4), work / "scale-few-clips"),
        _pull(CLIPS, _archive(work, clips), work / "scale-clips"),
    ]
    if peers:
        cache = work / "datasets-scale"
        command = driver("csv_with_datasets", table, cache)
        found.insert(1, Contestant("datasets: load and filter", PEER, command, {}, _without(cache)))
    return found


def _import(name: str, format: str, table: Path, store: Path, *, fresh: bool = True) -> Contestant:
    command = [TRIPTYCH, "import", format, str(table), "--name", "rows", "--store", str(store), "--json"]
    # 1 is the status of an import that rejected rows.
    return Contestant(name, OURS, command, {}, _without(store) if fresh else (lambda: None), status=1)


def _pull(name: str, archive: Path, store: Path) -> Contestant:
    cards = archive.parent / "cards"
    command = [TRIPTYCH, "catalog", "pull", NAME, "--cards", str(cards), "--from", str(archive)]
    return Contestant(name, OURS, [*command, "--store", str(store), "--json"], {}, _without(store))


def _without(folder: Path) -> Callable[[], None]:
    return lambda: shutil.rmtree(folder, ignore_errors=True)


def _check_work(figures: dict[str, Figures], rows: int, clips: int) -> None:
    """Exit if a contestant did not account for every row."""
    wanted = {FULL: (rows, rows), AGAIN: (rows, rows), JSONL: (rows, rows), QUARTER: (rows // 4, rows // 4)}
    wanted[SOME] = (rows, rows - len(range(0, rows, PRESENT_EVERY)))
    for name, (candidates, missing) in wanted.items():
        account = figures[name].output("account")
        if (account["candidates"], account["dropped"].get("missing_media")) != (candidates, missing):
            raise SystemExit(f"{name}: {account}")
    for name, count in ((CLIPS, clips), (FEW_CLIPS, clips // 4)):
        if figures[name].output("stored") != count:
            raise SystemExit(f"{name}: {figures[name].runs[-1].output}")


def _requirements(figures: dict[str, Figures], rows: int, clips: int) -> list[Requirement]:
    grown = (figures[FULL].peak_mb - figures[QUARTER].peak_mb) * 1e6 / (rows - rows // 4)
    waited = (figures[CLIPS].peak_mb - figures[FEW_CLIPS].peak_mb) * 1e6 / (clips - clips // 4)
    return [
        at_most(f"{FULL}: peak", figures[FULL].peak_mb, 400, " MB"),
        at_most(f"{AGAIN}: peak", figures[AGAIN].peak_mb, 400, " MB"),
        at_most(f"{SOME}: peak", figures[SOME].peak_mb, 400, " MB"),
        at_most("memory that grows with the table", max(grown, 0), BYTES_A_ROW, " bytes per row"),
        at_most("memory that grows with the clips that wait", max(waited, 0), BYTES_A_CLIP, " bytes per clip"),
        at_least(FULL, rows / figures[FULL].median, 40_000, " rows/s"),
    ]


def _check_events(work: Path, rows: int) -> list[Requirement]:
    """After two imports of one table, the event log must contain every row once."""
    sql = "select count(*) as events, count(distinct candidate) as candidates from events"
    command = [TRIPTYCH, "query", sql, "--store", str(work / "scale-full"), "--json"]
    [counts] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    found = f"{counts['events']:,} events of {counts['candidates']:,} candidates"
    met = counts["events"] == counts["candidates"] == rows
    return [Requirement(f"events after two imports: {rows:,}, each candidate once", found, met)]


if __name__ == "__main__":
    sys.exit(main())
