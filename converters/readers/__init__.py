"""Readers turn the files of one layout into candidates; this is the list of them.

    mapping/      what a card says of columns: fields, operations, templates, rules for rows, class labels
    tables/       rows of CSV, TSV, JSON, JSON Lines and Parquet, and the reader of a user's table
    annotated/    tables of annotations beside media files, the reader of most cards
    corpora/      layouts of single corpora: transcript trees, LRS, TIMIT, sidecars, folders, Parquet with media inside
    manifests/    interchange: Kaldi, Lhotse, NeMo, WebDataset, datasets saved to disk
    training/     training files: MS-SWIFT, ShareGPT, Alpaca, QA and their kin
    alignments/   TextGrid and CTM, laid over samples that are stored already

Cards name readers by the keys of `READERS`. Another package adds one by an entry point of the group `triptych.readers`,
whose name is the key and whose object is a subclass of `converters.candidate.Reader`:

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
"""Name on the card -> module of this package, and its class."""


def reader_names() -> list[str]:
    """The names of all readers, those of other packages last."""
    return [*READERS, *sorted({entry.name for entry in entry_points(group=GROUP)} - set(READERS))]


def has_reader(name: str) -> bool:
    """Whether there is a reader of that name; nothing of it is imported."""
    return name in READERS or bool(entry_points(group=GROUP, name=name))


def get_reader(name: str) -> Reader:
    """A new reader of that name; its module is imported only now.

    Raises:
        UsageError: There is no such reader, several packages bring it, or what a package brings is none.
    """
    if name in READERS:
        module, _, attribute = READERS[name].partition(":")
        made = getattr(import_module(f".{module}", __name__), attribute)()
        assert isinstance(made, Reader)
        return made
    found = list(entry_points(group=GROUP, name=name))
    if not found:
        raise UsageError(f"There is no reader {name!r}. Readers: {', '.join(reader_names())}.")
    if len({entry.value for entry in found}) > 1:
        raise UsageError(f"Several packages bring a reader {name!r}: {', '.join(map(_origin, found))}.")
    return _plugged_in(found[0])


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Raises UsageError where a card's options of a reader are wrong, as far as that can be told without data."""
    get_reader(name).check(options)


def _plugged_in(entry: EntryPoint) -> Reader:
    try:
        made = entry.load()()
    except (ImportError, AttributeError, TypeError) as error:
        raise UsageError(f"The reader {entry.name!r} of {_origin(entry)} cannot be loaded: {error}.") from error
    if not isinstance(made, Reader):
        raise UsageError(
            f"The reader {entry.name!r} of {_origin(entry)} is a {type(made).__name__}.",
            hint="a reader is a subclass of triptych.converters.candidate.Reader",
        )
    return made


def _origin(entry: EntryPoint) -> str:
    return f"{entry.dist.name if entry.dist else 'an unknown package'} ({entry.value})"
