"""The lengths of all rows, and which rows cannot be trained on: known before anything is decoded.

Every row is read, so that what is wrong with its turns is found. Its length is what the version's `budget.parquet`
says, where that counts for the encoder's model and is within what the encoder takes; else the encoder counts, from
headers. Lengths are kept in a file beside the run, for the same rows and encoder; not those of bad rows.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...shards.engine.engine import map_parts
from ...shards.exports.versions import BUDGET
from ...shards.media.streams import MediaError
from .bad_rows import BadRow, LeftOut
from .encoder import Encoder, RowLength
from .training_rows import TrainingRows

if TYPE_CHECKING:
    import numpy as np

    Integers = np.ndarray[Any, np.dtype[np.int64]]
    Floats = np.ndarray[Any, np.dtype[np.float32]]

MODALITIES = ("audio", "image", "video")
_PART = 512
_FORMAT = 1


@dataclass(frozen=True, slots=True, eq=False)
class RowLengths:
    """What each row takes in a batch.

    Attributes:
        tokens: Of each row; 0: it is left out.
        seconds, cut_seconds: Of sound; and what is left out of it, where clips that are too long are cut.
        modalities: The modality set of each row, a bit for each of `MODALITIES`.
        left_out: The rows that cannot be trained on, in order.
    """

    tokens: Integers
    seconds: Floats
    modalities: np.ndarray[Any, np.dtype[np.uint8]]
    cut_seconds: Floats
    left_out: tuple[LeftOut, ...] = ()

    def of(self, number: int) -> RowLength | None:
        """The length of a row; None: it is left out."""
        if not self.tokens[number]:
            return None
        bits = int(self.modalities[number])
        kinds = tuple(name for place, name in enumerate(MODALITIES) if bits >> place & 1)
        return RowLength(int(self.tokens[number]), float(self.seconds[number]), kinds)


def check_rows(
    rows: TrainingRows, encoder: Encoder, *, cache: Path | None = None, workers: int | None = None
) -> RowLengths:
    """Measure every row, from headers.

    Args:
        cache: The file of lengths that were measured before; written where there is none for these rows and encoder.
            Rows that were left out are looked at again: what was wrong with a file may have been mended.
        workers: Processes; default: the number of cores. Few rows are measured in this one.
    """
    import numpy as np

    key = _key(rows, encoder)
    known = None if cache is None else _read(cache, key)
    numbers = list(range(len(rows))) if known is None else np.flatnonzero(known.tokens == 0).tolist()
    if known is not None and not numbers:
        return known
    counted = _counted(rows, encoder)
    parts = (
        [
            {"number": number, "counted": None if counted is None else counted.of(number)}
            for number in numbers[start : start + _PART]
        ]
        for start in range(0, len(numbers), _PART)
    )
    measure = functools.partial(_measured, rows, encoder)
    lost = functools.partial(_lost, rows)
    measured = map_parts(measure, parts, workers=workers, lost=lost)
    found = _collected(measured, numbers, _unknown(len(rows)) if known is None else known)
    if cache is not None:
        _write(cache, key, found)
    return found


def _measured(rows: TrainingRows, encoder: Encoder, part: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [_of_row(rows, encoder, each["number"], each["counted"]) for each in part]


def _of_row(rows: TrainingRows, encoder: Encoder, number: int, counted: RowLength | None) -> dict[str, Any]:
    try:
        row = rows[number]
        length = encoder.length(row) if counted is None else counted
    except (BadRow, MediaError) as bad:
        return {"bad": [rows.id_of(number), bad.reason, bad.detail]}
    bits = sum(1 << place for place, name in enumerate(MODALITIES) if name in length.modalities)
    return {"tokens": length.tokens, "seconds": length.seconds, "modalities": bits, "cut_seconds": length.cut_seconds}


def _lost(rows: TrainingRows, row: Mapping[str, Any], how: str) -> dict[str, Any]:
    """Of a row whose media end the process that looks at them."""
    return {"bad": [rows.id_of(row["number"]), "unreadable_media", f"its media end the process: {how}"]}


def _unknown(rows: int) -> RowLengths:
    import numpy as np

    return RowLengths(
        np.zeros(rows, np.int64), np.zeros(rows, np.float32), np.zeros(rows, np.uint8), np.zeros(rows, np.float32)
    )


def _collected(parts: Iterator[list[dict[str, Any]]], numbers: Sequence[int], known: RowLengths) -> RowLengths:
    """Lengths with what was measured of these rows, which none was known of."""
    left_out = []
    for number, row in zip(numbers, itertools.chain.from_iterable(parts), strict=True):
        if "bad" in row:
            left_out.append(LeftOut(*row["bad"]))
            continue
        for name, value in row.items():
            getattr(known, name)[number] = value
    return replace(known, left_out=tuple(left_out))


# ---- what the export counted


def _counted(rows: TrainingRows, encoder: Encoder) -> RowLengths | None:
    """The lengths that the version's budget tells; 0 tokens: the row is the encoder's to count."""
    path = rows.reader.version.path / BUDGET
    if encoder.budget_model is None or not path.is_file():
        return None
    import numpy as np
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    if table.column("model").unique().to_pylist() != [encoder.budget_model]:
        return None
    names = ("tokens", "seconds", "cut_s", "audio_tokens", "image_tokens", "video_tokens")
    tokens, seconds, cut, *media = (table.column(name).to_numpy().astype(np.float64) for name in names)
    # A row near a limit, or one that is cut, is the encoder's to decide. What is unknown is NaN and compares false.
    is_told = (tokens + MARGIN <= encoder.max_tokens) & (cut == 0) & ~np.isnan(np.stack(media)).any(axis=0)
    is_told &= seconds <= (np.inf if encoder.max_audio_seconds is None else encoder.max_audio_seconds)
    bits = sum(((counts > 0).astype(np.uint8) << place for place, counts in enumerate(media)), np.zeros(1, np.uint8))
    told = np.where(is_told, tokens, 0).astype(np.int64)
    return RowLengths(told, seconds.astype(np.float32), bits, np.zeros(len(told), np.float32))


MARGIN = 2
"""Tokens by which the export's count may differ from the encoder's."""

# ---- lengths that were measured before


def _key(rows: TrainingRows, encoder: Encoder) -> str:
    told = json.dumps([_FORMAT, rows.where, rows.reader.content_sha256, len(rows), encoder.signature])
    return hashlib.sha256(told.encode()).hexdigest()


def _read(path: Path, key: str) -> RowLengths | None:
    import numpy as np

    if not path.is_file():
        return None
    try:
        with np.load(path, allow_pickle=False) as held:
            if str(held["key"]) != key:
                return None
            left_out = tuple(LeftOut(*each) for each in json.loads(str(held["left_out"])))
            return RowLengths(
                held["tokens"], held["seconds"], held["modalities"], held["cut_seconds"], left_out=left_out
            )
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None  # cut short or of another format: measured again


def _write(path: Path, key: str, found: RowLengths) -> None:
    import numpy as np

    beside = path.with_name(f".{path.name}.{os.getpid()}")
    left_out = json.dumps([[each.id, each.reason, each.detail] for each in found.left_out])
    path.parent.mkdir(parents=True, exist_ok=True)
    with beside.open("wb") as file:
        np.savez(file, key=key, left_out=left_out, **{name: getattr(found, name) for name in _ARRAYS})
    beside.replace(path)


_ARRAYS = ("tokens", "seconds", "modalities", "cut_seconds")
