"""Options that `export` and `convert` share, and the values that views take."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from ..errors import UsageError
from ..options import Option, Options
from ..shards.phones import OWN, SETS

ORDERS = ("hash", "id")
NO_SPLIT = ("keep", "drop")
BROKEN_SPLITS = ("refuse", "drop", "keep")
TEXTS = ("raw", "clean", "lower")
REASONING = ("think", "drop", "column")
LONG = ("keep", "reject", "window")
SOUNDS = ("separate", "in-video", "sound-only")
SHOWN = ("own", "audio", "video", "av")
CAPTIONS = ("first", "all")
PROMPTS = ("one", "varied")
PROMPT_LANGUAGES = ("en", "zh", "de", "fr", "es", "ja")
"""The languages that every prompt has."""
MODES = ("analysis", "voice-chat")

CONVERSATIONS = "Conversations"
"""The heading of the options of conversations."""
ONE_VIEW = "Of some views"
"""The heading of the options that only some views have: those whose header lists them."""

System = Annotated[str | None, Option("A system message before every conversation.", CONVERSATIONS)]
Reasoning = Annotated[
    str | None,
    Option("Where the reasoning of an answer goes: think (in front of it, in <think>), drop, or column (a column "
           "of its own); default: think, and column for grpo, whose solution never holds it.", CONVERSATIONS,
           choices=REASONING),
]  # fmt: skip
Prompts = Annotated[
    str | None,
    Option("How a task is asked: one (the same words for all samples) or varied (one of several phrasings, chosen by "
           "hash of the seed and the id); default: one.", CONVERSATIONS, choices=PROMPTS),
]  # fmt: skip
PromptLanguage = Annotated[
    str | None,
    Option("The language in which tasks are asked; default: the sample's, and English for a language without prompts.",
           CONVERSATIONS, choices=PROMPT_LANGUAGES),
]  # fmt: skip


def shown_av(modality: str, av: str) -> str:
    """The `--av` of a request with this `--modality`: the sound alone is one thing with two names.

    Raises:
        UsageError: The two contradict each other.
    """
    allowed = {"own": SOUNDS, "audio": ("separate", "sound-only"), "video": ("separate",), "av": SOUNDS[:2]}[modality]
    if av not in allowed:
        raise UsageError(f"--modality {modality} and --av {av} contradict each other.", hint="remove one of them")
    return "sound-only" if modality == "audio" else av


def prompts_for(asked: str | None, rows: int, user_template: str | None) -> str:
    """The `--prompts` of a request for so many rows of each sample.

    Raises:
        UsageError: The rows of a sample would all be asked alike.
    """
    if rows > 1 and asked == "one":
        raise UsageError("--prompts one and --prompts-per-sample contradict each other.", hint="remove one of them")
    if rows > 1 and user_template is not None and "{prompt}" not in user_template:
        raise UsageError(
            "--prompts-per-sample: the user template has no {prompt}, so all rows of a sample would be the same.",
            hint="add {prompt} to --user-template",
        )
    return asked or ("varied" if rows > 1 else "one")


@dataclass(frozen=True, kw_only=True)
class PhoneOptions(Options):
    """Options of the view `phoneme`."""

    phones: Annotated[
        str,
        Option("The phone set of phoneme: 39, 48 or 61 (TIMIT's, folded; ARPABET without stress), or own (the labels "
               "of the corpus).", ONE_VIEW, choices=(*SETS, OWN)),
    ] = "39"  # fmt: skip
    word_boundaries: Annotated[bool, Option("Put | between the phones of two words.", ONE_VIEW)] = False
    drop_silence: Annotated[bool, Option("Leave out pauses and the closures that fold to silence.", ONE_VIEW)] = False
    phone_prompt: Annotated[str | None, Option("What a row of phoneme asks; default: in Chinese.", ONE_VIEW)] = None

    def check(self) -> None:
        if self.phone_prompt is not None and (not self.phone_prompt.strip() or re.search("[<>]", self.phone_prompt)):
            raise UsageError("--phone-prompt must be a text without < and >: the sound is put before it.")


OCCURRENCES = ("all", "first")
TERM_FIELDS = ("term", "short_description")


@dataclass(frozen=True, kw_only=True)
class TermOptions(Options):
    """Options of chunks that are cut around the terms of a glossary."""

    glossary: Annotated[
        Path | None,
        Option("The terms, for term-chunks: a JSON object of phrase and entry (term, short_description), a JSON list, "
               "or a text file with a term in each line.", ONE_VIEW, takes=str | Path, metavar="FILE"),
    ] = None  # fmt: skip
    aliases: Annotated[
        Path | None,
        Option("Other phrases for terms, for term-chunks: a JSON object of alternative and phrase of the glossary.",
               ONE_VIEW, takes=str | Path, metavar="FILE"),
    ] = None  # fmt: skip
    term_field: Annotated[
        str, Option("What a term is trained as: the entry's term or short_description.", ONE_VIEW, choices=TERM_FIELDS)
    ] = "term"
    occurrences: Annotated[
        str, Option("Of a term that an utterance names several times: all, or first.", ONE_VIEW, choices=OCCURRENCES)
    ] = "all"
    context: Annotated[float, Option("Seconds of sound before and after a term.", ONE_VIEW)] = 1.0
    no_term_share: Annotated[
        float, Option("Chunks that name no term, for each chunk of an utterance that names one.", ONE_VIEW)
    ] = 0.1
    test_terms: Annotated[
        int | None,
        Option("Test this many terms with one chunk each, of those in validation and test splits; default: all their "
               "chunks.", ONE_VIEW, min=1),
    ] = None  # fmt: skip
    unseen_terms: Annotated[
        float | None,
        Option("The share of the tested terms that no training chunk names: training chunks that do are left out.",
               ONE_VIEW),
    ] = None  # fmt: skip

    def check(self) -> None:
        for flag, value, most in (
            ("--context", self.context, 15.0),
            ("--no-term-share", self.no_term_share, 1.0),
            ("--unseen-terms", self.unseen_terms, 1.0),
        ):
            if value is not None and not (math.isfinite(value) and 0 <= value <= most):
                raise UsageError(f"{flag} {value}: must be between 0 and {most:g}.")
