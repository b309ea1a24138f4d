"""A Kaldi data directory: one UTF-8 line per utterance, every file in the byte order of its first field."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from ....errors import ProblemsFound
from ..base import ViewOptions
from .rows import selected

_FILES = {
    "wav.scp": "utterance || ' ' || audio",
    "text": "utterance || ' ' || text",
    "utt2spk": "utterance || ' ' || speaker",
    "utt2dur": "utterance || ' ' || duration",
    "utt2lang": "utterance || ' ' || language",
    "utt2id": "utterance || ' ' || id",
}
"""File -> SQL of its lines; a line that is null is left out, and so is a file without lines."""


def write_files(rows: Path, folder: Path, options: ViewOptions) -> None:
    """Write the directory into the version's folder.

    Raises:
        ProblemsFound: Two samples would have one utterance id: their ids differ only in characters that Kaldi does not
            allow.
    """
    _refuse_equal(rows)
    for name, line in _FILES.items():
        lines = selected(rows, f"SELECT {line} FROM rows WHERE {line} IS NOT NULL ORDER BY encode(utterance)")
        _write(folder / name, (str(text) for (text,) in lines))
    pairs = selected(rows, "SELECT speaker, utterance FROM rows ORDER BY encode(speaker), encode(utterance)")
    speakers = groupby(pairs, key=lambda pair: pair[0])
    _write(folder / "spk2utt", (" ".join([speaker, *(each for _, each in of)]) for speaker, of in speakers))


def _write(path: Path, lines: object) -> None:
    written = False
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for line in lines:  # type: ignore[attr-defined]
            file.write(f"{line}\n")
            written = True
    if not written:
        path.unlink()


def _refuse_equal(rows: Path) -> None:
    repeated = "SELECT utterance, list_sort(list(id)) FROM rows GROUP BY ALL HAVING count(*) > 1 ORDER BY 1 LIMIT 1"
    for utterance, ids in selected(rows, repeated):
        raise ProblemsFound(
            f"Two samples have the utterance id {utterance!r}: {ids[0]} and {ids[1]}. They differ only in characters "
            "that Kaldi does not allow in an id.",
            hint="export them apart, with --where",
        )
