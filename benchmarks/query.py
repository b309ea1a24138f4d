"""SQL over ten million rows written by pulls: `triptych query`, compared with DuckDB on plain Parquet.

python -m benchmarks.query [--work DIR] [--rounds N] [--rows 10000000]
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from .report import Requirement, Section, at_most, parser, publish, workplace
from .timing import LIMIT, OURS, PART, TRIPTYCH, Contestant, Figures, compete, driver, module, run, tell

DATASETS = 4
MEDIA = 4096
BATCH_ROWS = 10_000
QUERIES = {
    "totals": "select dataset, language, count(*) as samples, sum(audio.duration) as seconds from samples group by all "
    "order by all",
    "search": "select count(*) as found, min(id) as first_id from samples "
    "where language = 'de' and text like '%harbour light%'",
}
SETTING = (
    "{rows:,} rows of speech with six-word texts, {datasets} datasets, five languages. The store was written as pulls"
    " write it: {batch:,} rows per commit, each dataset compacted at its end, {files} live files. The same rows exist"
    " as plain Parquet, written by DuckDB. Both are in the page cache. `totals` groups and sums a field of the audio "
    "struct; `search` filters by language and by two words in the text. Whole processes, from start to end: Python "
    "with DuckDB on the plain files, and `triptych query`. The rows `inside` exclude the start of Python and its "
    "imports; they still are the first query of a fresh process and include opening the store, its views and the "
    "sandbox."
)


def main() -> int:
    made = parser("SQL over many rows.")
    made.add_argument("--rows", type=int, default=10_000_000)
    options = made.parse_args()
    with workplace(options.work) as work:
        store, plain = get_store(work, options.rows)
        files = len(_warm(work, store, plain))
        figures = compete(list(_contestants(store, plain)), rounds=options.rounds)
        _check(figures)
        section = Section(
            "query",
            "SQL over rows written by pulls",
            SETTING.format(rows=options.rows, datasets=DATASETS, batch=BATCH_ROWS, files=files),
            [*figures.values()],
            list(_requirements(figures)),
            notes=list(_notes(figures)),
        )
    return publish(section)


def get_store(work: Path, rows: int) -> tuple[Path, Path]:
    """Return the store and the plain files, made if they do not exist."""
    store, plain = work / f"store-query-{rows}", work / f"plain-query-{rows}"
    if not store.is_dir():
        tell(f"making a store of {rows:,} rows ...")
        scratch = work / f"{store.name}.tmp"
        for folder in (scratch, plain):
            shutil.rmtree(folder, ignore_errors=True)
        sizes = ["--datasets", DATASETS, "--media", MEDIA, "--batch", BATCH_ROWS]
        run(module("rows", scratch, "--rows", rows, *sizes, "--plain", plain))
        scratch.rename(store)
    return store, plain / "rows"


def _warm(work: Path, store: Path, plain: Path) -> list[str]:
    """Read all files once; returns the live ones of the store."""
    listing = work / "query-files.txt"
    run(driver("list_files", store, listing))
    files = listing.read_text(encoding="utf-8").splitlines()
    for file in [*map(Path, files), *plain.glob("*.parquet")]:
        with file.open("rb") as stream:
            while stream.read(1 << 22):
                pass
    return files


def _plain(name: str) -> str:
    return f"{name}: DuckDB on plain Parquet"


def _ours(name: str) -> str:
    return f"{name}: triptych query"


def _inside(name: str) -> str:
    return f"{name}, inside"


def _contestants(store: Path, plain: Path) -> Iterator[Contestant]:
    for name, sql in QUERIES.items():
        yield Contestant(_plain(name), LIMIT, driver("plain_query", plain, sql))
        yield Contestant(_ours(name), OURS, [TRIPTYCH, "query", sql, "--store", str(store), "--format", "csv"])
        yield Contestant(_inside(_plain(name)), PART, driver("plain_query", plain, sql), clock="seconds")
        yield Contestant(_inside(_ours(name)), PART, driver("our_query", store, sql), clock="seconds")


def _requirements(figures: dict[str, Figures]) -> Iterator[Requirement]:
    for name in QUERIES:
        ratio = figures[_inside(_ours(name))].median / figures[_inside(_plain(name))].median
        yield at_most(f"{name}, inside, as a multiple of DuckDB on plain Parquet", ratio, 1.2)


def _notes(figures: dict[str, Figures]) -> Iterator[str]:
    yield from (f"`{name}`: `{sql}`" for name, sql in QUERIES.items())
    for name in QUERIES:
        whole = figures[_ours(name)].median - figures[_plain(name)].median
        yield f"{name}: as a whole process `triptych query` takes {whole:.2f} s more than Python with DuckDB."


def _check(figures: dict[str, Figures]) -> None:
    """Exit unless both found the same."""
    for name in QUERIES:
        ours, plain = figures[_inside(_ours(name))], figures[_inside(_plain(name))]
        for key in ("rows", "first"):
            if ours.output(key) != plain.output(key):
                raise SystemExit(f"{name}: {ours.output(key)} here, {plain.output(key)} there.")


if __name__ == "__main__":
    sys.exit(main())
