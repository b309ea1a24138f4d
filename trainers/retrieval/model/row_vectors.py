"""The vectors of all clips and texts of a run by the encoders of their models, made once: they are the same each time.

They are kept in the run's folder, for the same rows and encoders: a run that goes on reads what it began with. While
clips are encoded, what is done is kept every few minutes, and another start goes on behind it.
"""

from __future__ import annotations

import hashlib
import json
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ....shards.media.integrity import check_as_stored
from ....shards.media.streams import MediaError
from ...data.bad_rows import LeftOut
from ...data.sound import read_sound
from ..term_rows import TermRow, TermRows
from .encoders import SpeechEncoder, TextEncoder

if TYPE_CHECKING:
    from ..scores.metrics import Vectors

VECTORS = "vectors.npz"
_FORMAT = 3
_KEPT_S = 300.0
"""Seconds of encoding that an end of the process may cost."""


@dataclass(frozen=True, slots=True, eq=False)
class RowVectors:
    """Vectors before they are projected.

    Attributes:
        rows: Those whose sound was heard, in order.
        audio, texts: Of each row: its sound, its words.
        terms: Of each term of the glossary.
        left_out: Rows whose sound cannot be heard.
    """

    rows: Sequence[TermRow]
    audio: Vectors
    texts: Vectors
    terms: Vectors
    left_out: tuple[LeftOut, ...]


def row_vectors(
    rows: TermRows, speech: SpeechEncoder, text: TextEncoder, *, field: str, cache: Path, again: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> RowVectors:  # fmt: skip
    """Encode every clip, its words, and the glossary; or read what was encoded before.

    Args:
        again: Whether clips that could not be heard then are tried again; a run that goes on has the rows that it had.
    """
    import numpy as np

    formats = [str(next(encoder.model.parameters()).dtype) for encoder in (speech, text)]
    told = json.dumps(
        [_FORMAT, formats, rows.reader.content_sha256, speech.revision, text.revision, field, rows.glossary]
    )
    key = hashlib.sha256(told.encode()).hexdigest()
    held = _read(cache, key) or _Held(
        np.zeros((len(rows.rows), speech.width), np.float32), text.vectors([row.text for row in rows.rows]),
        text.vectors(rows.texts_of(rows.glossary, field)), 0, {},
    )  # fmt: skip
    unheard = [number for number, row in enumerate(rows.rows[: held.done]) if row.id in held.left_out]
    waiting = [*(unheard if again else ()), *range(held.done, len(rows.rows))]
    kept_at = time.monotonic()
    for number in waiting:
        row = rows.rows[number]
        held.left_out.pop(row.id, None)
        try:
            held.audio[number] = heard(row, speech)
        except MediaError as bad:
            held.left_out[row.id] = LeftOut(row.id, bad.reason, bad.detail)
        held.done = max(held.done, number + 1)
        if time.monotonic() - kept_at > _KEPT_S:
            _write(cache, key, held)
            kept_at = time.monotonic()
        if progress is not None:
            progress(held.done, len(rows.rows))
    if waiting:
        _write(cache, key, held)
    kept = [number for number, row in enumerate(rows.rows) if row.id not in held.left_out]
    left_out = tuple(held.left_out[row.id] for row in rows.rows if row.id in held.left_out)
    return RowVectors([rows.rows[number] for number in kept], held.audio[kept], held.texts[kept], held.terms, left_out)


def heard(row: TermRow, speech: SpeechEncoder) -> Vectors:
    """The vector of a clip.

    Raises:
        MediaError: It cannot be heard, is longer than the encoder hears, or is another than was published.
    """
    import numpy as np

    check_as_stored(row.audio, row.sha256)
    samples = read_sound(row.audio, speech.rate)
    if len(samples) > round(speech.heard_s * speech.rate):
        raise MediaError("too_long", f"{len(samples) / speech.rate:.1f} s; {speech.heard_s:g} s are heard")
    found = speech.vector(samples)
    if not np.isfinite(found).all():
        raise MediaError("not_finite", "the encoder makes no numbers of it: --set model.dtype=fp32")
    return found


@dataclass(slots=True, eq=False)
class _Held:
    """What is kept: vectors of the first `done` clips, of all words and of all terms, and clips that were not heard."""

    audio: Vectors
    texts: Vectors
    terms: Vectors
    done: int
    left_out: dict[str, LeftOut]


def _read(path: Path, key: str) -> _Held | None:
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as held:
            if str(held["key"]) != key:
                return None
            left_out = {each[0]: LeftOut(*each) for each in json.loads(str(held["left_out"]))}
            return _Held(held["audio"], held["texts"], held["terms"], int(held["done"]), left_out)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None  # not there, cut short, or of another format: made again


def _write(path: Path, key: str, held: _Held) -> None:
    import numpy as np

    beside = path.with_name(f".{path.name}")  # one process holds the folder
    told = json.dumps([[each.id, each.reason, each.detail] for each in held.left_out.values()])
    with beside.open("wb") as file:
        np.savez(file, key=np.array(key), left_out=np.array(told), done=np.array(held.done), audio=held.audio,
                 texts=held.texts, terms=held.terms)  # fmt: skip
    beside.replace(path)
