"""The list of readers; a reader turns the files of one layout into candidates.

    mapping/      the mapping of a card: fields, operations, templates, row rules, class labels
    tables/       rows of CSV, TSV, JSON, JSON Lines and Parquet, and the reader for a user's table
    annotated/    annotation tables next to media files; most cards use this reader
    corpora/      layouts of specific corpora: transcript trees, LRS, TIMIT, sidecars, folders, Parquet with media
    manifests/    interchange formats: Kaldi, Lhotse, NeMo, WebDataset, datasets saved to disk
    training/     training files: MS-SWIFT, ShareGPT, Alpaca, QA and similar
    alignments/   alignments (TextGrid, CTM, JSON) of samples that are already stored

Cards name readers by the keys of `READERS`. Another package can add a reader through an entry point in the group
`triptych.readers`, whose name is the key and whose object is a subclass of `converters.candidate.Reader`:

    [project.entry-points."triptych.readers"]
    my_corpus = "my_package.readers:MyCorpusReader"
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ...errors import UsageError
from ..candidate import Reader

GROUP = "triptych.readers"

READERS: dict[str, str] = {
    "annotated": "annotated.reader:AnnotatedReader",
    "columns": "corpora.parquet:ParquetReader",
    "folder": "corpora.folder:FolderReader",
    "lipreading": "corpora.lrs:LipreadingReader",
    "sidecar": "corpora.sidecar:SidecarReader",
    "table": "tables.user_table:TableReader",
    "timit": "corpora.timit:TimitReader",
    "transcripts": "corpora.transcripts:TranscriptsReader",
    "unified": "training.unified:UnifiedReader",
    "msswift": "training.msswift:MsSwiftReader",
    "conversation": "training.conversation:ConversationReader",
    "alpaca": "training.alpaca:AlpacaReader",
    "qa": "training.qa:QaReader",
    "termchunks": "training.termchunks:TermChunksReader",
    "kaldi": "manifests.kaldi:KaldiReader",
    "lhotse": "manifests.lhotse:LhotseReader",
    "nemo": "manifests.nemo:NemoReader",
    "hf": "manifests.hf_disk:SavedDatasetReader",
    "webdataset": "manifests.webdataset:WebDatasetReader",
}
"""Name on the card -> module in this package and its class."""


def reader_names() -> list[str]:
    """The names of all readers; those from other packages come last."""
    return [*READERS, *sorted({entry.name for entry in entry_points(group=GROUP)} - set(READERS))]


def has_reader(name: str) -> bool:
    """Whether there is a reader of that name, without importing it."""
    return name in READERS or bool(entry_points(group=GROUP, name=name))


def get_reader(name: str) -> Reader:
    """Return a new reader of that name; its module is imported on first use.

    Raises:
        UsageError: There is no such reader, several packages provide it, or the provided object is not a reader.
    """
    if name in READERS:
        module, _, attribute = READERS[name].partition(":")
        reader = getattr(import_module(f".{module}", __name__), attribute)()
        assert isinstance(reader, Reader)
        return reader
    found = list(entry_points(group=GROUP, name=name))
    if not found:
        raise UsageError(f"There is no reader {name!r}. Readers: {', '.join(reader_names())}.")
    if len({entry.value for entry in found}) > 1:
        raise UsageError(f"Several packages provide a reader {name!r}: {', '.join(map(_origin, found))}.")
    return _load_plugin(found[0])


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Raise UsageError if a card's reader options are wrong, as far as that can be checked without data."""
    get_reader(name).check(options)


def _load_plugin(entry: EntryPoint) -> Reader:
    try:
        reader = entry.load()()
    except (ImportError, AttributeError, TypeError) as error:
        raise UsageError(f"The reader {entry.name!r} of {_origin(entry)} cannot be loaded: {error}.") from error
    if not isinstance(reader, Reader):
        raise UsageError(
            f"The reader {entry.name!r} of {_origin(entry)} is a {type(reader).__name__}.",
            hint="a reader is a subclass of triptych.converters.candidate.Reader",
        )
    return reader


def _origin(entry: EntryPoint) -> str:
    return f"{entry.dist.name if entry.dist else 'an unknown package'} ({entry.value})"
