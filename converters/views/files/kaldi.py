"""A Kaldi data directory: one UTF-8 line per utterance, every file in the byte order of its first field."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....errors import ProblemsFound
from ..base import ViewOptions
from .rows import selected

if TYPE_CHECKING:
    import duckdb

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
            allow. Or utterances have another order than their speakers, which Kaldi refuses.
    """
    _refuse_equal(rows)
    _refuse_order(rows)
    for name, line in _FILES.items():
        lines = selected(rows, f"SELECT {line} FROM rows WHERE {line} IS NOT NULL ORDER BY encode(utterance)")
        _write(folder / name, (str(text) for (text,) in lines))
    pairs = selected(rows, "SELECT speaker, utterance FROM rows ORDER BY encode(speaker), encode(utterance)")
    speakers = groupby(pairs, key=lambda pair: pair[0])
    _write(folder / "spk2utt", (" ".join([speaker, *(each for _, each in of)]) for speaker, of in speakers))


def refuse_merged_speakers(connection: duckdb.DuckDBPyConnection, own: Mapping[str, Any], order: str) -> None:
    """Refuse rows of two speakers under one name, where the speakers of the samples are still known.

    Raises:
        ProblemsFound: There are two such speakers.
    """
    merged = """
        SELECT r.speaker, list_sort(list(DISTINCT coalesce(nullif(s.speaker, ''), s.id) || ' of ' || s.dataset))
        FROM rows r JOIN parts s ON s.id = r.id WHERE r._outcome IS NULL
        GROUP BY ALL HAVING count(DISTINCT [s.dataset, coalesce(nullif(s.speaker, ''), s.id)]) > 1
                            AND bool_or(coalesce(s.speaker, '') <> '')
        ORDER BY 1 LIMIT 1"""
    for speaker, found in connection.execute(merged).fetchall():
        raise ProblemsFound(
            f"Two speakers would be one, {speaker!r}: {found[0]} and {found[1]}. Their names differ only in characters "
            "that Kaldi does not allow.",
            hint="export them apart, with --where or --dataset; or rename one: triptych annotate ID speaker NAME",
        )


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


def _refuse_order(rows: Path) -> None:
    """Kaldi wants utterances in one order, by their ids and by their speakers. The names of two speakers stand against
    it if one begins with the other and goes on with a sign that sorts before a letter: `a` and `a-b`."""
    ordered = """
        SELECT s.first, s.second FROM (
            SELECT speaker AS second, utterance, lag(speaker) OVER w AS first, lag(utterance) OVER w AS before FROM rows
            WINDOW w AS (ORDER BY encode(speaker), encode(utterance))
        ) s WHERE encode(s.before) > encode(s.utterance) LIMIT 1"""
    for first, second in selected(rows, ordered):
        raise ProblemsFound(
            f"The speakers {first!r} and {second!r}: their utterances have another order than they have, which Kaldi "
            "refuses (utils/validate_data_dir.sh), because one name begins as the other.",
            hint="export them apart, with --where; or rename one: triptych annotate ID speaker NAME",
        )
