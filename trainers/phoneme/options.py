"""`BuildVocabularyOptions` and `PhonemeInferOptions`: the options of `triptych phoneme`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from ...errors import UsageError
from ...options import Option, Options
from ...shards.phones import OWN, SETS
from ..data.sound import CUT, REFUSE

VOCABULARY, ASKED, SCORED, MODEL, OUTPUT = "The vocabulary", "What is asked", "Scores", "The model", "Output"


@dataclass(frozen=True, kw_only=True)
class BuildVocabularyOptions(Options):
    """Options of `phoneme build-vocabulary`."""

    model: Annotated[
        str,
        Option("The language model whose tokenizer is extended: a folder, or a name on the hub.", VOCABULARY,
               takes=str | Path, metavar="MODEL"),
    ]  # fmt: skip
    out: Annotated[Path, Option("The folder to write: the tokenizer, and phones.json.", OUTPUT, metavar="DIR")]
    revision: Annotated[
        str | None, Option("Branch, tag or commit of the model on the hub.", VOCABULARY, metavar="REVISION")
    ] = None
    download: Annotated[bool, Option("Download a model that is not here.", VOCABULARY)] = False
    min_freq: Annotated[int, Option("How often the rows must have a phone.", VOCABULARY, metavar="N")] = 1
    allow_held_out: Annotated[
        bool, Option("Count the phones of validation and test splits too.", VOCABULARY)
    ] = False  # fmt: skip

    def check(self) -> None:
        if self.min_freq < 1:
            raise UsageError(f"--min-freq {self.min_freq}: 1 or more.")


@dataclass(frozen=True, kw_only=True)
class PhonemeInferOptions(Options):
    """Options of `phoneme infer`."""

    export: Annotated[
        str | None,
        Option("Hear the clips of an export of phones, and score them against its phones.", ASKED, metavar="NAME[@vN]"),
    ] = None  # fmt: skip
    prompt: Annotated[
        str | None, Option("What is asked; default: what the model was trained with.", ASKED, metavar="TEXT")
    ] = None
    canonical: Annotated[
        str | None,
        Option("The phones that the clip should say, separated by blanks: it is aligned to them and scored.", SCORED,
               metavar="PHONES"),
    ] = None  # fmt: skip
    pronunciation: Annotated[
        bool, Option("Of an export: take its phones as those that should be said, and score each clip.", SCORED)
    ] = False
    phones: Annotated[
        str, Option("The set that phones are folded to for the error rate; own compares the labels as they are.",
                    SCORED, choices=(OWN, *SETS))
    ] = OWN  # fmt: skip
    ignore_sil: Annotated[bool, Option("Leave silence out of the error rate.", SCORED)] = False
    limit: Annotated[int | None, Option("The first rows of the export only.", ASKED, metavar="N")] = None
    long: Annotated[
        str, Option("What becomes of a clip of more than 30 s: it is refused, or cut.", ASKED, choices=(REFUSE, CUT))
    ] = REFUSE  # fmt: skip
    checkpoint: Annotated[
        str, Option("Of a run: best, final (the last one), or the name of one.", MODEL, metavar="NAME")
    ] = "best"
    base: Annotated[
        Path | None, Option("Where the language model of a run is now, if it was moved.", MODEL, metavar="DIR")
    ] = None
    encoder: Annotated[
        Path | None, Option("Where the speech encoder of a run is now, if it was moved.", MODEL, metavar="DIR")
    ] = None
    device: Annotated[
        str | None, Option("cpu, cuda, cuda:1; default: a GPU if there is one.", MODEL, metavar="DEVICE")
    ] = None
    out: Annotated[
        Path | None,
        Option("Write predictions as JSON Lines, which `triptych evaluate` reads.", OUTPUT, metavar="FILE"),
    ] = None  # fmt: skip

    def check(self) -> None:
        if self.export is None and (self.pronunciation or self.limit is not None):
            raise UsageError("--pronunciation and --limit are for the rows of --export.")
        if self.export is not None and self.canonical is not None:
            raise UsageError(
                "--canonical is for one clip; the rows of an export have their phones.", hint="--pronunciation"
            )
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"--limit {self.limit}: 1 or more.")
