"""`ImportOptions`: every option of `import`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from ...errors import UsageError
from ...options import Option, Options, parameters
from ...shards.json_lines import LARGEST_LINE_MB
from ..files.inside import check_allowed
from .formats import FORMATS

ROWS = "Rows and columns"
MEDIA = "Media"
ALIGNMENTS = "Alignments (textgrid, ctm, aligner-json, librispeech-alignments)"
PREDICTIONS = "Predictions"


@dataclass(frozen=True, kw_only=True)
class ImportOptions(Options):
    """Options of an import."""

    name: Annotated[str, Option("The dataset's name in the store.", ROWS)]
    columns: Annotated[
        Mapping[str, str],
        Option("Map a column to a field of the sample; common column names need no mapping.", ROWS, flags=("--map",),
               metavar="COLUMN=FIELD"),
    ] = field(default_factory=dict)  # fmt: skip
    values: Annotated[
        Mapping[str, str],
        Option("The same value for every row: --set task=asr --set language=zh.", ROWS, flags=("--set",),
               metavar="FIELD=VALUE"),
    ] = field(default_factory=dict)  # fmt: skip
    id_column: Annotated[str | None, Option("The column that identifies a row; default: the media's path.", ROWS)] = (
        None
    )
    records: Annotated[
        str | None, Option("json: the key path of the list of records in the document: data.items.", ROWS,
                           metavar="KEY.KEY")
    ] = None  # fmt: skip
    on_conflict: Annotated[
        str, Option("What to do with rows that changed since the last import.", ROWS, choices=("reject", "update"))
    ] = "reject"
    sync: Annotated[
        bool,
        Option("Make the store's rows of this input equal to it: update changed rows, take out those no longer in it.",
               ROWS),
    ] = False  # fmt: skip
    media_dir: Annotated[
        Path | None,
        Option("The folder of relative media paths; default: the folder of the table.", MEDIA, metavar="DIR"),
    ] = None
    allow_outside: Annotated[
        tuple[Path, ...],
        Option("A folder outside the input that its links and relative paths may lead to.", MEDIA, metavar="PATH"),
    ] = ()
    link: Annotated[bool, Option("Refer to media in place; copy nothing.", MEDIA)] = False
    classes: Annotated[
        Path | None,
        Option("webdataset: the class names, one per line, for the numbers in .cls.", ROWS, metavar="FILE"),
    ] = None
    max_line_mb: Annotated[
        int, Option("Reject longer lines of JSON Lines, in MB; a line takes several times its size in memory.", ROWS,
                    min=1)
    ] = LARGEST_LINE_MB  # fmt: skip
    word_tier: Annotated[str | None, Option("Name of the word tier; default: words.", ALIGNMENTS)] = None
    phone_tier: Annotated[str | None, Option("Name of the phone tier; default: phones.", ALIGNMENTS)] = None
    producer: Annotated[
        str | None, Option("Producer of alignments or predictions, such as a model; stored with them.", ALIGNMENTS)
    ] = None
    meant_as: Annotated[
        str | None,
        Option("What the predictions are: rejected answers of pairs.", PREDICTIONS, flags=("--as",),
               choices=("rejected",)),
    ] = None  # fmt: skip
    min_wer: Annotated[
        float | None,
        Option("Of transcripts, take only those with at least this error rate (of words; of characters in languages "
               "without spaces), such as 0.2; default: all that differ.", PREDICTIONS, min=0),
    ] = None  # fmt: skip

    @property
    def updates(self) -> bool:
        """Whether changed rows replace the stored ones."""
        return self.sync or self.on_conflict == "update"

    def check(self) -> None:
        if self.media_dir is not None and not self.media_dir.is_dir():
            raise UsageError(f"--media-dir {self.media_dir}: there is no such folder.")
        check_allowed(self.allow_outside)

    def check_format(self, format: str) -> None:
        """Raise UsageError if an option was given that does not apply to the format, or is missing that it needs."""
        given = self.asked()
        for parameter in parameters(type(self)):
            field_name = {"on_conflict": "update", "sync": "update"}.get(parameter.name, parameter.name)
            if parameter.name in given and field_name in _FORMAT_OPTIONS - FORMATS[format].options:
                takers = ", ".join(name for name, spec in FORMATS.items() if field_name in spec.options)
                typed = "--on-conflict update" if parameter.name == "on_conflict" else parameter.flag
                raise UsageError(f"import {format} does not take {typed}, which applies to {takers}.")
        if "meant_as" in FORMATS[format].options and self.meant_as is None:
            raise UsageError(
                f"import {format} must be told what they are.", hint=f"triptych import {format} FILE --as rejected"
            )


_FORMAT_OPTIONS = frozenset().union(*(spec.options for spec in FORMATS.values()))
"""Options that only some formats take."""
