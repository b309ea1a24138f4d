"""The formats that `triptych import` reads: one entry each; nothing else needs registering.

An entry names the reader (a key of `readers.READERS`), the kind of path, the files passed to the reader, and the
options that apply to it. An option that does not apply to a format is refused, never ignored.
"""

from __future__ import annotations

from dataclasses import dataclass

SAMPLE_OPTIONS = frozenset({"values", "link", "update"})
TABLE_OPTIONS = SAMPLE_OPTIONS | {"columns", "id_column", "media_dir"}
LINE_OPTIONS = TABLE_OPTIONS | {"max_line_mb"}
ALIGNMENT_OPTIONS = frozenset({"word_tier", "phone_tier", "producer"})
PREDICTION_OPTIONS = frozenset({"meant_as", "min_wer", "producer"})


@dataclass(frozen=True, slots=True)
class ImportFormat:
    """How one format is read.

    Attributes:
        reader: Key of `readers.READERS`, or of `alignments.READERS`.
        reads: The kind of path: `file`, `folder`, `either`, or `shards` (either, or a pattern such as
            `{000..146}.tar`).
        files: The files passed to the reader: `beside` (the file with its checksum; for a folder, the files directly
            in it), `shards` (the same without checksums) or `tree` (every file under the folder, without checksums).
            For a folder, only files that the reader accepts.
        options: The format-specific options that apply to it.
        holds: The noun for what it contains, for people: "contains no rows".
        together: Whether the files of a folder belong together, so that nothing is read if one of them can't be.
        named_splits: Whether only the names of its files say which split they are.
        aligns: Whether it annotates stored samples (`alignments.py`, `predictions.py`) instead of creating samples.
    """

    reader: str
    reads: str = "file"
    files: str = "beside"
    options: frozenset[str] = TABLE_OPTIONS
    holds: str = "rows"
    together: bool = False
    named_splits: bool = False
    aligns: bool = False


FORMATS: dict[str, ImportFormat] = {
    "csv": ImportFormat("table"),
    "json": ImportFormat("table", options=TABLE_OPTIONS | {"records"}),
    "jsonl": ImportFormat("table", options=LINE_OPTIONS),
    "parquet": ImportFormat("table"),
    "folder": ImportFormat("folder", reads="folder", files="tree", options=SAMPLE_OPTIONS, holds="media"),
    **{
        name: ImportFormat(name, options=LINE_OPTIONS)
        for name in ("unified", "msswift", "conversation", "alpaca", "qa", "termchunks")
    },
    "lhotse": ImportFormat("lhotse", reads="either", holds="cuts, supervisions or recordings", together=True),
    "kaldi": ImportFormat("kaldi", reads="folder", holds="utterances", together=True),
    "nemo": ImportFormat("nemo", reads="either", options=LINE_OPTIONS, named_splits=True),
    "webdataset": ImportFormat(
        "webdataset",
        reads="shards",
        files="shards",
        options=TABLE_OPTIONS - {"link"} | {"classes"},
        holds="samples",
        named_splits=True,
    ),
    "hf": ImportFormat("hf", reads="folder", files="tree", together=True),
    "textgrid": ImportFormat(
        "textgrid", reads="either", files="tree", options=ALIGNMENT_OPTIONS, holds="TextGrids", aligns=True
    ),
    "ctm": ImportFormat(
        "ctm", reads="either", files="tree", options=ALIGNMENT_OPTIONS, holds="aligned words", aligns=True
    ),
    "aligner-json": ImportFormat(
        "aligner-json", reads="either", files="tree", options=ALIGNMENT_OPTIONS, holds="aligned words", aligns=True
    ),
    "librispeech-alignments": ImportFormat(
        "librispeech-alignments",
        reads="either",
        files="tree",
        options=frozenset({"producer"}),
        holds="aligned words",
        aligns=True,
    ),
    "predictions": ImportFormat("predictions", options=PREDICTION_OPTIONS, holds="predictions", aligns=True),
}
"""Name on the command line -> how it is read."""
