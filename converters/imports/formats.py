"""The formats that `triptych import` reads: one entry each, and nothing else to register.

An entry names the reader (a key of `readers.READERS`), what the path may be, which files the reader is handed, and the
options that mean something to it. An option that means nothing to a format is refused, never ignored.
"""

from __future__ import annotations

from dataclasses import dataclass

SAMPLE_OPTIONS = frozenset({"values", "link", "update"})
TABLE_OPTIONS = SAMPLE_OPTIONS | {"columns", "id_column", "media_dir"}
ALIGNMENT_OPTIONS = frozenset({"word_tier", "phone_tier", "producer"})


@dataclass(frozen=True, slots=True)
class ImportFormat:
    """How one format is read.

    Attributes:
        reader: Key of `readers.READERS`, or of `alignments.READERS`.
        reads: What the path may be: `file`, `folder`, `either`, or `shards` (either, or a pattern such as
            `{000..146}.tar`).
        files: What the reader is handed: `beside` (the file with its checksum; of a folder the files that lie directly
            in it), `shards` (the same without checksums) or `tree` (every file under the folder, without checksums).
            Of a folder only files that the reader accepts.
        options: Which of the options that only some formats take mean something to it.
        holds: What it counts, for people: "holds no rows".
        aligns: Whether it lays annotations over stored samples (`alignments.py`) instead of making samples.
    """

    reader: str
    reads: str = "file"
    files: str = "beside"
    options: frozenset[str] = TABLE_OPTIONS
    holds: str = "rows"
    aligns: bool = False


FORMATS: dict[str, ImportFormat] = {
    "csv": ImportFormat("table"),
    "json": ImportFormat("table"),
    "jsonl": ImportFormat("table"),
    "parquet": ImportFormat("table"),
    "folder": ImportFormat("folder", reads="folder", files="tree", options=SAMPLE_OPTIONS, holds="media"),
    **{name: ImportFormat(name) for name in ("unified", "msswift", "conversation", "alpaca", "qa", "termchunks")},
    "lhotse": ImportFormat("lhotse", reads="either", holds="cuts, supervisions or recordings"),
    "kaldi": ImportFormat("kaldi", reads="folder", holds="utterances"),
    "nemo": ImportFormat("nemo", reads="either"),
    "webdataset": ImportFormat(
        "webdataset", reads="shards", files="shards", options=TABLE_OPTIONS - {"link"} | {"classes"}, holds="samples"
    ),
    "hf": ImportFormat("hf", reads="folder", files="tree"),
    "textgrid": ImportFormat(
        "textgrid", reads="either", files="tree", options=ALIGNMENT_OPTIONS, holds="TextGrids", aligns=True
    ),
    "ctm": ImportFormat(
        "ctm", reads="either", files="tree", options=ALIGNMENT_OPTIONS, holds="aligned words", aligns=True
    ),
}
"""Name on the command line -> how it is read."""
