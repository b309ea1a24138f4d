"""`audio.jsonl`, `video.jsonl`, `mixed.jsonl`: the rows of each modality, in their order; and what they promise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ....errors import ProblemsFound
from ....shards.exports.jsonl import write_jsonl
from ....shards.store.database import session
from ....shards.store.sql import quote
from ....validators.formats.calibration import STRATUM
from ...composition.balanced_order import tokens_before
from ..base import ViewOptions
from .rows import selected

FILES = {"audio": "audio.jsonl", "video": "video.jsonl", "mixed": "mixed.jsonl"}
"""Modality -> its file: what REAP calls S1, S2 and S3."""

_BY = ", ".join(STRATUM)
_PLACED = f"""
    SELECT *, {tokens_before("place")} AS before
    FROM (SELECT {_BY}, tokens, file_row_number AS place FROM rows)"""


def write_files(rows: Path, folder: Path, options: ViewOptions) -> None:
    """Write a file for each modality that has rows."""
    found = [str(modality) for (modality,) in selected(rows, "SELECT DISTINCT modality FROM rows ORDER BY 1")]
    with session() as connection:
        for modality in found:
            write_jsonl(connection, rows, folder / FILES[modality], where=f"modality = {quote(modality)}")


def certify(rows: Path, options: ViewOptions) -> dict[str, Any]:
    """The strata of each file, and up to which row it is balanced over all of them.

    Raises:
        ProblemsFound: Rows are not in the balanced order.
    """
    steps = f"SELECT place, before, lag(before) OVER (ORDER BY place) AS last FROM ({_PLACED})"
    for (place,) in selected(rows, f"SELECT place FROM ({steps}) WHERE before < last ORDER BY 1 LIMIT 1"):
        raise ProblemsFound(
            f"{rows}: before row {place + 1} another stratum had fewer tokens than the one that had its turn."
        )
    files: dict[str, Any] = {}
    found = selected(
        rows, f"SELECT {_BY}, count(*), sum(tokens)::BIGINT, max(tokens) FROM rows GROUP BY ALL ORDER BY ALL"
    )
    for modality, dataset, language, task, count, tokens, largest in found:
        file = files.setdefault(FILES[modality], {"rows": 0, "tokens": 0, "largest_row": 0, "strata": []})
        file["rows"] += count
        file["tokens"] += tokens
        file["largest_row"] = max(file["largest_row"], largest)
        file["strata"].append({"dataset": dataset, "language": language, "task": task, "rows": count, "tokens": tokens})
    for modality, name in FILES.items():
        if (file := files.get(name)) is not None:
            # A row is fair as long as no stratum without further rows had fewer tokens than its own.
            least = min(each["tokens"] for each in file["strata"])
            fair = f"SELECT count(*) FROM ({_PLACED}) WHERE modality = {quote(modality)} AND before <= {least}"
            [(file["balanced_rows"],)] = selected(rows, fair)
    return {"files": files}


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
