"""`AlignOptions`: every option of `align`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ....errors import UsageError
from ....options import Option, Options
from .aligner import ALIGNERS

ALIGNER, SAMPLES = "Aligner", "Samples"


@dataclass(frozen=True, kw_only=True)
class AlignOptions(Options):
    """Options of an alignment."""

    aligner: Annotated[
        str, Option("pocketsphinx (English, offline) or mfa (the program must be installed).", ALIGNER,
                    choices=tuple(ALIGNERS))
    ] = "pocketsphinx"  # fmt: skip
    dictionary: Annotated[
        str | None,
        Option("Pronunciations: for pocketsphinx a file with words to add; for mfa a dictionary or its file.", ALIGNER,
               metavar="FILE"),
    ] = None  # fmt: skip
    acoustic_model: Annotated[
        str | None, Option("mfa: the acoustic model; default: english_us_arpa for English.", ALIGNER, metavar="NAME")
    ] = None
    language: Annotated[str | None, Option("The language of samples that do not say theirs.", SAMPLES)] = None
    samples: Annotated[int | None, Option("At most so many samples in this run.", SAMPLES, metavar="N", min=1)] = None
    again: Annotated[
        bool, Option("Also samples that `align` aligned before; never those whose times came from elsewhere.", SAMPLES)
    ] = False
    workers: Annotated[int | None, Option("Processes; default: the number of cores.", ALIGNER, metavar="N", min=1)] = (
        None
    )

    def check(self) -> None:
        if self.language is not None and not self.language.strip():
            raise UsageError("--language: expected a language, such as en.")
