"""`audio.jsonl`, `video.jsonl`, `mixed.jsonl`: the rows of each modality, in their order; and what they promise."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....errors import ProblemsFound
from ....shards.exports.jsonl import jsonl_blocks
from ....shards.store.sql import first_row, quote
from ....validators.formats.calibration import STRATUM
from ...composition.balanced_order import tokens_before
from ..base import ViewOptions

if TYPE_CHECKING:
    import duckdb

FILES = {"audio": "audio.jsonl", "video": "video.jsonl", "mixed": "mixed.jsonl"}
"""Modality -> its file: what REAP calls S1, S2 and S3."""

_MEMORY = "128MB"
_BY = ", ".join(STRATUM)
_PLACED = f"""
    SELECT *, {tokens_before("place")} AS before
    FROM (SELECT {_BY}, tokens, file_row_number AS place FROM rows)"""


def write_files(rows: Path, folder: Path, options: ViewOptions) -> None:
    """Write a file for each modality that has rows."""
    with _opened(rows) as connection:
        for (modality,) in connection.execute("SELECT DISTINCT modality FROM rows ORDER BY 1").fetchall():
            with (folder / FILES[modality]).open("wb") as file:
                file.writelines(jsonl_blocks(connection, rows, where=f"modality = {quote(modality)}"))


@contextmanager
def _opened(rows: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB of its own with the view `rows`, since its memory is limited: that of the export is still taken."""
    import duckdb

    with (
        tempfile.TemporaryDirectory(prefix="triptych-") as spill,
        duckdb.connect(
            ":memory:", config={"memory_limit": _MEMORY, "threads": 1, "temp_directory": spill}
        ) as connection,
    ):
        source = f"read_parquet({quote(str(rows))}, file_row_number = true)"
        connection.execute(f"CREATE VIEW rows AS SELECT * FROM {source}")
        yield connection


def certify(rows: Path, options: ViewOptions) -> dict[str, Any]:
    """The strata of each file, and up to which row it is balanced over all of them.

    Raises:
        ProblemsFound: Rows are not in the balanced order.
    """
    with _opened(rows) as connection:
        steps = f"SELECT place, before, lag(before) OVER (ORDER BY place) AS last FROM ({_PLACED})"
        wrong = first_row(connection, f"SELECT min(place) FROM ({steps}) WHERE before < last")
        if wrong is not None and wrong[0] is not None:
            raise ProblemsFound(
                f"{rows}: before row {wrong[0] + 1} another stratum had fewer tokens than the one that had its turn."
            )
        return {"files": dict(_files(connection))}


def _files(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, dict[str, Any]]]:
    sums = f"SELECT {_BY}, count(*), sum(tokens)::BIGINT, max(tokens) FROM rows GROUP BY ALL ORDER BY ALL"
    found = connection.execute(sums).fetchall()
    for modality, name in FILES.items():
        own = [row for row in found if row[0] == modality]
        if not own:
            continue
        # A row is fair as long as no stratum without further rows had fewer tokens than its own.
        least = min(tokens for *_, tokens, _ in own)
        fair = f"SELECT count(*) FROM ({_PLACED}) WHERE modality = {quote(modality)} AND before <= {least}"
        yield name, {
            "rows": sum(count for *_, count, _, _ in own),
            "tokens": sum(tokens for *_, tokens, _ in own),
            "largest_row": max(largest for *_, largest in own),
            "balanced_rows": int((first_row(connection, fair) or (0,))[0]),
            "strata": [{"dataset": dataset, "language": language, "task": task, "rows": count, "tokens": tokens}
                       for _, dataset, language, task, count, tokens, _ in own],
        }  # fmt: skip


def told(manifest: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[str]:
    """Lines for a person: where a file runs out of a stratum."""
    for name, file in manifest["certificate"]["files"].items():
        if file["balanced_rows"] < file["rows"]:
            least = min(file["strata"], key=lambda each: each["tokens"])
            stratum = " ".join(least[part] for part in STRATUM[1:])
            yield (
                f"{name} has {file['rows']:,} rows, of which the first {file['balanced_rows']:,} are balanced over all "
                f"{len(file['strata'])} strata: then its {least['rows']:,} of {stratum} are used up; "
                f"--per-file {file['balanced_rows']} stops there"
            )
