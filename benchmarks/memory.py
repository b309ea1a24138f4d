"""Memory of the main job over ever more rows: import, validate and export of tables whose rows share one clip.

python -m benchmarks.memory [--work DIR] [--rounds N] [--rows 1000000]
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from .plenty import tiny_clip
from .report import Requirement, Section, at_most, parser, publish, workplace
from .timing import OURS, TRIPTYCH, Contestant, Figures, compete

SMALL = 20_000
GROWTH = 1.25
EXPORT_MB = 780
"""Python, its libraries and the 512 MB that the engine of an export may use before it spills to disk."""
STEPS = ("import", "validate", "export")
SETTING = (
    "Tables of {small:,}, {middle:,} and {rows:,} rows (an id, a path, a text); all rows name one clip of 25 ms, so "
    "memory is what rows cost. Each step is a whole process, `validate` with one worker, `export` of the view "
    "`unified`. `peak MB` is the main figure."
)


def main() -> int:
    made = parser("Memory of import, validate and export over ever more rows.", rounds=1)
    made.add_argument("--rows", type=int, default=1_000_000, help=f"rows of the largest table, over {5 * SMALL:,}")
    options = made.parse_args()
    if options.rows // 5 <= SMALL:
        made.error(f"--rows must be over {5 * SMALL:,}")
    sizes = [SMALL, options.rows // 5, options.rows]
    with workplace(options.work) as work:
        (work / "memory-clip.wav").write_bytes(tiny_clip(0))
        contestants = [each for rows in sizes for each in _contestants(work, rows)]
        figures = compete(contestants, rounds=options.rounds)
        for rows in sizes:
            shutil.rmtree(work / f"memory-{rows}", ignore_errors=True)
        section = Section(
            "memory",
            "flat memory from import to export",
            SETTING.format(small=SMALL, middle=sizes[1], rows=sizes[2]),
            list(figures.values()),
            [
                *(_growth(figures, step, sizes) for step in ("import", "validate")),
                at_most("export: peak", figures[_name("export", sizes[-1])].peak_mb, EXPORT_MB, " MB"),
            ],
        )
    return publish(section)


def _contestants(work: Path, rows: int) -> list[Contestant]:
    table, store = work / f"memory-{rows}.csv", work / f"memory-{rows}"
    with table.open("w", encoding="utf-8") as out:
        out.write("id,audio,text\n")
        out.writelines(f"u{number},memory-clip.wav,{number % 10}\n" for number in range(rows))
    commands = {
        "import": ["import", "csv", str(table), "--name", "rows"],
        "validate": ["validate", "--workers", "1"],
        "export": ["export", "unified", "--include-rejected"],
    }
    # The clip is shorter than any speech, so every row is rejected: validate ends with 1.
    return [
        Contestant(
            _name(step, rows), OURS, [TRIPTYCH, *commands[step], "--store", str(store), "--json"], {},
            _without(store) if step == "import" else (lambda: None), status=int(step == "validate"),
        )
        for step in STEPS
    ]  # fmt: skip


def _without(folder: Path) -> Callable[[], None]:
    return lambda: shutil.rmtree(folder, ignore_errors=True)


def _name(step: str, rows: int) -> str:
    return f"{step} of {rows:,} rows"


def _growth(figures: dict[str, Figures], step: str, sizes: list[int]) -> Requirement:
    few, many = (figures[_name(step, rows)].peak_mb for rows in (sizes[0], sizes[-1]))
    return at_most(f"{step}: the peak at {sizes[-1]:,} rows over that at {sizes[0]:,}", many / few, GROWTH)


if __name__ == "__main__":
    sys.exit(main())
