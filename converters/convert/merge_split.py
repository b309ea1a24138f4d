"""Merge files of rows into one, or split them by modality, without changing the rows.

Input is JSON Lines, JSON arrays or Parquet; output is JSON Lines. Every row is written on a line of its own, an invalid
line is a problem, and an identical row is written once.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...shards.draw import draw_key
from ...shards.sample import MODALITIES
from ...validators.formats.files import read_rows
from ...validators.formats.findings import Finding
from .result import ConvertResult, Problem
from .writer import DuplicateIds, Output, check_outputs, encode, opened

MEDIA_COLUMNS = ("audio", "video", "image", "audios", "videos", "images")
Line = tuple[dict[str, Any], bytes]


def merge(
    paths: Sequence[Path], out: Path, *, max_samples: int | None = None, seed: int | None = None, force: bool = False
) -> ConvertResult:
    """Write the rows of several files into one, in order: the first `max_samples`, or that many drawn by `seed`.

    Raises:
        UsageError: An input does not exist, or an output is an input or already exists.
    """
    _check(paths)
    check_outputs([out], paths, force=force)
    result = ConvertResult("merge", "jsonl")
    drawn = None
    if max_samples is not None and seed is not None:
        drawn = _draw(_lines(paths, ConvertResult("merge", "jsonl")), max_samples, seed)
    with Output(out, columns=MEDIA_COLUMNS) as output:
        for row, line in _lines(paths, result):
            if drawn is not None and draw_key(seed or 0, _identity(row, line)) not in drawn:
                result.reasons["not_drawn"] += 1
                continue
            output.write(row, line)
            if drawn is None and output.rows == max_samples:
                break
        result.written = output.rows
        if output.rows:
            output.publish()
            result.out.append(out)
    return result


def split(paths: Sequence[Path], folder: Path, *, force: bool = False) -> ConvertResult:
    """Write `audio.jsonl`, `video.jsonl`, `mixed.jsonl`, `text.jsonl` to a folder, each only if there are such rows.

    Raises:
        UsageError: An input does not exist, or an output is an input or already exists.
    """
    _check(paths)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file: split writes into a folder.")
    outs = {modality: folder / f"{modality}.jsonl" for modality in MODALITIES}
    check_outputs(list(outs.values()), paths, force=force)
    result = ConvertResult("split", "jsonl")
    with opened(outs, columns=MEDIA_COLUMNS) as outputs:
        for row, line in _lines(paths, result, by_modality=True):
            outputs[modality_of(row) or ""].write(row, line)
        for output in outputs.values():
            if output.rows:
                output.publish()
                result.out.append(output.path)
                result.notes.append(f"{output.path}: {output.rows:,} rows")
                result.written += output.rows
            elif output.path.exists():
                result.notes.append(f"{output.path} is from an earlier run: no row has this modality now")
    return result


def modality_of(row: Mapping[str, Any]) -> str | None:
    """The stated modality, else the one inferred from the media; None if the stated one is invalid."""
    if row.get("modality") is not None:
        return str(row["modality"]) if row["modality"] in MODALITIES else None
    audio, video = (any(row.get(name) for name in (kind, f"{kind}s")) for kind in ("audio", "video"))
    if video:
        return "mixed" if audio else "video"
    return "audio" if audio else "text"


def _check(paths: Sequence[Path]) -> None:
    for path in paths:
        if not path.is_file():
            raise UsageError(f"{path}: there is no such file.")


def _lines(paths: Sequence[Path], result: ConvertResult, *, by_modality: bool = False) -> Iterator[Line]:
    """Rows with their encoded lines; invalid rows and rows unlike the first are counted in the result."""
    ids = DuplicateIds()
    conversations: bool | None = None
    for path in paths:
        for number, row in read_rows(path):
            where = f"{path}:{number}"
            result.read += 1
            if isinstance(row, Finding):
                result.refuse(Problem(where, row.code, row.message))
                continue
            if conversations is None:
                conversations = "messages" in row
            problem, line = _check_row(row, ids, where, conversations=conversations, by_modality=by_modality)
            if problem is not None:
                result.refuse(problem)
            elif line is None:
                result.reasons["duplicate"] += 1
            else:
                yield row, line


def _check_row(
    row: dict[str, Any], ids: DuplicateIds, where: str, *, conversations: bool, by_modality: bool
) -> tuple[Problem | None, bytes | None]:
    """The problem of a row, or its encoded line; neither for a duplicate."""
    if ("messages" in row) != conversations:
        kinds = ("rows with messages", "rows without messages")
        return Problem(where, "other_format", f"the file starts with {kinds[not conversations]}"), None
    if by_modality and modality_of(row) is None:
        return Problem(where, "unknown_modality", f"{row['modality']!r} is not one of {', '.join(MODALITIES)}"), None
    try:
        line = encode(row)
    except UnicodeEncodeError as error:
        return Problem(where, "not_unicode", f"unpaired surrogate: {error.reason}"), None
    repeat = ids.classify(row, line)
    if repeat == "duplicate_id":
        return Problem(where, repeat, f"an earlier row has the id {row['id']!r} and different content"), None
    return None, None if repeat else line


def _identity(row: Mapping[str, Any], line: bytes) -> str:
    return row["id"] if isinstance(row.get("id"), str) else line.decode()


def _draw(lines: Iterator[Line], count: int, seed: int) -> frozenset[int]:
    """The `count` smallest draw keys of all rows."""
    return frozenset(heapq.nsmallest(count, (draw_key(seed, _identity(row, line)) for row, line in lines)))
