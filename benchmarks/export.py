"""A million MS-SWIFT rows: Triptych's rendering compared with two engines and a loop, and the whole publish.

    python -m benchmarks.export [--work DIR] [--rounds N] [--rows 1000000] [--media N] [--views]

`--views` publishes a million rows of further views (`VIEWS`) instead, each by a whole command.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from .report import Requirement, Section, at_least, at_most, parser, publish, workplace
from .timing import LIMIT, OURS, PART, PEER, TRIPTYCH, Contestant, Figures, compete, driver, module, run, tell

PROMPT = "Transcribe the speech."
DUCKDB_NAME = "DuckDB: COPY ... ORDER BY to Parquet, then to JSON"
POLARS_NAME = "Polars: sort, sink_parquet, sink_ndjson"
LOOP_NAME = "loop of json.dumps"
VIEWS = {
    "msswift --task sft": ["msswift", "--task", "sft"],
    "unified": ["unified"],
    "conversation --style qwen2-audio": ["conversation", "--style", "qwen2-audio"],
    "messages --style hf": ["messages", "--style", "hf"],
}
"""The publishes of `--views`: how they are named in the report, and the arguments of `triptych export`."""
PUBLISH_LIMIT, MEMORY_LIMIT = 7, 1000
JSONL_NAME = "triptych, JSON Lines from data.parquet"
RENDER_NAME = "triptych, render and write"
PUBLISH_NAME = "triptych export msswift --task sft"
SETTING = (
    "{rows:,} rows of speech, {size:,.0f} bytes each as JSON, from one store with {media:,} media paths. Engines "
    "read the store's own Parquet files and write the same rows in hash order (Polars in its own hash order), as "
    "Parquet and from there as JSON Lines, as a version contains them; the loop writes JSON Lines in file order. "
    "Their seconds are those of the statements themselves, without starting Python. Ours: `render and write` covers "
    "the exporter's steps from selected samples to data.parquet and data.jsonl, including the format's own rules on "
    "every row, timed inside a publish; `JSON Lines` is its last part. The last row is the whole command from start to "
    "end: selection, a check of every media path, rendering, hashes of all files, manifest, account."
)


def main() -> int:
    made = parser("A million MS-SWIFT rows.")
    made.add_argument("--rows", type=int, default=1_000_000)
    made.add_argument("--media", type=int, help="media paths that the rows reference; default: one per row")
    made.add_argument("--views", action="store_true", help="publish further views, and nothing else")
    options = made.parse_args()
    media = options.media or options.rows
    with workplace(options.work) as work:
        store = get_store(work, options.rows, media)
        if options.views:
            return publish(_views_section(store, options.rows, options.rounds))
        figures = compete(_contestants(work, store), rounds=options.rounds)
        clocked = figures[RENDER_NAME]
        jsonl = Figures(Contestant(JSONL_NAME, PART, clocked.contestant.command, clock="write_jsonl"), clocked.runs)
        rate = options.rows / figures[RENDER_NAME].median
        size = float(figures[DUCKDB_NAME].output("bytes"))
        section = Section(
            "export",
            "JSON Lines of MS-SWIFT rows",
            SETTING.format(rows=options.rows, size=size / options.rows, media=media),
            [*list(figures.values())[:-1], jsonl, figures[PUBLISH_NAME]],
            _requirements(figures, rate, options.rows),
            baseline=DUCKDB_NAME,
            work=(options.rows, "rows"),
            notes=_notes(figures),
        )
    return publish(section)


def _views_section(store: Path, rows: int, rounds: int) -> Section:
    """The whole publish of each of `VIEWS`, with its limits."""

    def unpublished() -> None:
        shutil.rmtree(store / "exports", ignore_errors=True)

    contestants = [
        Contestant(
            name, OURS, [TRIPTYCH, "export", *view, "--store", str(store), "--json"], {}, unpublished, unpublished
        )
        for name, view in VIEWS.items()
    ]
    figures = compete(contestants, rounds=rounds)
    requirements: list[Requirement] = []
    for name, each in figures.items():
        requirements.append(at_most(f"{name}: the whole publish", each.median, PUBLISH_LIMIT, " s"))
        requirements.append(at_most(f"{name}: peak memory", each.peak_mb, MEMORY_LIMIT, " MB"))
    return Section(
        "export-views",
        "a million rows of other views",
        f"{rows:,} rows of speech, published as rows of other views: whole commands from start to end. Processor "
        "seconds are user and system time.",
        list(figures.values()),
        requirements,
        work=(rows, "rows"),
    )


def get_store(work: Path, rows: int, media: int) -> Path:
    """Return a store with this many rows, made if it does not exist."""
    store = work / f"store-rows-{rows}-{media}"
    if not store.is_dir():
        tell(f"making a store of {rows:,} rows ...")
        scratch = work / f"{store.name}.tmp"
        shutil.rmtree(scratch, ignore_errors=True)
        run(module("rows", scratch, "--rows", rows, "--media", media, "--languages", 1))
        scratch.rename(store)
    return store


def _contestants(work: Path, store: Path) -> list[Contestant]:
    listing, out = work / "rows-files.txt", work / "export-out.jsonl"
    run(driver("list_files", store, listing))
    for line in listing.read_text(encoding="utf-8").splitlines():
        Path(line).read_bytes()

    def clean() -> None:
        for path in (out, out.with_name(f"{out.name}.parquet")):
            path.unlink(missing_ok=True)

    def engine(name: str, role: str, which: str) -> Contestant:
        command = driver("with_engine", which, listing, out, store, PROMPT)
        return Contestant(name, role, command, {}, lambda: None, clean, clock="seconds")

    def unpublished() -> None:
        shutil.rmtree(store / "exports", ignore_errors=True)

    clocked = driver("our_publishing", store)
    whole = [TRIPTYCH, "export", "msswift", "--task", "sft", "--store", str(store), "--json"]
    return [
        engine(DUCKDB_NAME, LIMIT, "duckdb"),
        engine(POLARS_NAME, LIMIT, "polars"),
        engine(LOOP_NAME, PEER, "json"),
        Contestant(RENDER_NAME, OURS, clocked, {}, unpublished, unpublished, clock="render"),
        Contestant(PUBLISH_NAME, OURS, whole, {}, unpublished, unpublished),
    ]


def _requirements(figures: dict[str, Figures], rate: float, rows: int) -> list[Requirement]:
    fastest = min((figures[DUCKDB_NAME], figures[POLARS_NAME]), key=lambda each: each.median)
    whole = figures[PUBLISH_NAME]
    return [
        at_least("render and write, as a fraction of the faster engine's rate", rate * fastest.median / rows, 0.8),
        at_least("render and write", rate, 500_000, " rows/s"),
        at_most("peak memory of the publish", whole.peak_mb, MEMORY_LIMIT, " MB"),
        at_most("the whole publish", whole.median, PUBLISH_LIMIT, " s"),
    ]


def _notes(figures: dict[str, Figures]) -> list[str]:
    steps = figures[RENDER_NAME].output("steps")
    longest = sorted(steps.items(), key=lambda each: -each[1][0])
    listed = ", ".join(f"{name} {seconds:.2f} ({processor:.2f})" for name, (seconds, processor) in longest)
    return [
        f"Seconds of the publish by step (processor seconds in brackets), last round: {listed}. `write_jsonl` is in "
        "`render`; media files are looked up during `make_rows`, which has the processor time of both.",
        "Media: 64 real clips; the other paths are hard links to them, so that every one exists.",
    ]


if __name__ == "__main__":
    sys.exit(main())
