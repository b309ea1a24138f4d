"""The vectors of all clips and texts of a run by the encoders of their models, made once: they are the same each time.

They are kept in the run's folder, for the same rows and encoders: a run that goes on reads what it began with.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ....shards.media.streams import MediaError
from ...data.bad_rows import LeftOut
from ...data.sound import read_sound
from ..term_rows import TermRow, TermRows
from .encoders import SpeechEncoder, TextEncoder

if TYPE_CHECKING:
    from ..scores.metrics import Vectors

VECTORS = "vectors.npz"
_FORMAT = 2


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
    rows: TermRows, speech: SpeechEncoder, text: TextEncoder, *, field: str, cache: Path,
    progress: Callable[[int, int], None] | None = None,
) -> RowVectors:  # fmt: skip
    """Encode every clip, its words, and the glossary; or read what was encoded before."""
    import numpy as np

    formats = [str(next(encoder.model.parameters()).dtype) for encoder in (speech, text)]
    told = json.dumps(
        [_FORMAT, formats, rows.reader.content_sha256, speech.revision, text.revision, field, rows.glossary]
    )
    key = hashlib.sha256(told.encode()).hexdigest()
    if (held := _read(cache, key)) is not None:
        audio, texts, terms, left_out = held
    else:
        terms = text.vectors(rows.texts_of(rows.glossary, field))
        texts = text.vectors([row.text for row in rows.rows])
        audio, left_out = np.zeros((len(rows.rows), speech.width), np.float32), []
        for number, row in enumerate(rows.rows):
            try:
                audio[number] = heard(row, speech)
            except MediaError as bad:
                left_out.append(LeftOut(row.id, bad.reason, bad.detail))
            if progress is not None:
                progress(number + 1, len(rows.rows))
        _write(cache, key, audio=audio, texts=texts, terms=terms, left_out=left_out)
    unheard = {each.id for each in left_out}
    kept = [number for number, row in enumerate(rows.rows) if row.id not in unheard]
    return RowVectors([rows.rows[number] for number in kept], audio[kept], texts[kept], terms, tuple(left_out))


def heard(row: TermRow, speech: SpeechEncoder) -> Vectors:
    """The vector of a clip.

    Raises:
        MediaError: It cannot be heard, or is longer than the encoder hears.
    """
    samples = read_sound(row.audio, speech.rate)
    if len(samples) > round(speech.heard_s * speech.rate):
        raise MediaError("too_long", f"{len(samples) / speech.rate:.1f} s; {speech.heard_s:g} s are heard")
    return speech.vector(samples)


def _read(path: Path, key: str) -> tuple[Vectors, Vectors, Vectors, list[LeftOut]] | None:
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as held:
            if str(held["key"]) != key:
                return None
            left_out = [LeftOut(*each) for each in json.loads(str(held["left_out"]))]
            return held["audio"], held["texts"], held["terms"], left_out
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None  # not there, cut short, or of another format: made again


def _write(path: Path, key: str, *, left_out: Sequence[LeftOut], **arrays: Vectors) -> None:
    import numpy as np

    beside = path.with_name(f".{path.name}.{os.getpid()}")
    told = json.dumps([[each.id, each.reason, each.detail] for each in left_out])
    with beside.open("wb") as file:
        np.savez(file, key=np.array(key), left_out=np.array(told), **arrays)  # type: ignore[arg-type]
    beside.replace(path)
