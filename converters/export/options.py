"""`ExportOptions`: all options of `export`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Annotated, Any

from ...errors import UsageError
from ...options import Option, Options, parameters
from ...shards.budgets import MODELS
from ..composition.options import Composition
from ..features.options import FeatureOptions
from ..pairs.quota import SHARES, read_quota
from ..row_options import (
    BROKEN_SPLITS,
    CAPTIONS,
    CONVERSATIONS,
    LONG,
    MODES,
    NO_SPLIT,
    ONE_VIEW,
    ORDERS,
    SHOWN,
    SOUNDS,
    TEXTS,
    PhoneOptions,
    PromptLanguage,
    Prompts,
    Reasoning,
    System,
    TermOptions,
)  # fmt: skip
from .media.options import SoundOptions

ROWS = "Which samples"
TEXT = "What rows look like"
BUDGET = "How long rows may be"
VERSION = "The version"


@dataclass(frozen=True, kw_only=True)
class ExportOptions(Options):
    """Options of an export."""

    task: Annotated[
        str | None,
        Option("sft, grpo, dpo, kto or pretrain, for msswift; sft, completion, grpo, dpo or kto, for messages --style "
               "trl.", TEXT),
    ] = None  # fmt: skip
    style: Annotated[str | None, Option("The form of the rows, for views that have several.", TEXT)] = None
    datasets: Annotated[tuple[str, ...], Option("Datasets; default: all.", ROWS, name="dataset")] = ()
    splits: Annotated[
        tuple[str, ...],
        Option("Names, roles (train, validation, test) or globs; an assigned split overrides the corpus's.", ROWS,
               name="split"),
    ] = ()  # fmt: skip
    no_split: Annotated[
        str | None,
        Option("What --split does with samples that have no split; default: keep, or drop if it asks only for "
               "validation or test splits.", ROWS, choices=NO_SPLIT),
    ] = None  # fmt: skip
    where: Annotated[str | None, Option("One SQL expression over the columns of samples.", ROWS, metavar="SQL")] = None
    include_rejected: Annotated[bool, Option("Take rejected samples too.", ROWS)] = False
    composition: Composition = field(default_factory=Composition)
    broken_splits: Annotated[
        str,
        Option("Samples whose group `triptych split` kept together and that is in two splits by now: refuse, drop or "
               "keep.", ROWS, choices=BROKEN_SPLITS),
    ] = "refuse"  # fmt: skip
    order: Annotated[
        str | None,
        Option("hash (stable when rows are added) or id; default: hash for training views, id for unified.", TEXT,
               choices=ORDERS),
    ] = None  # fmt: skip
    seed: Annotated[int, Option("Seed of the hash order, and of varied prompts.", TEXT)] = 0
    text: Annotated[
        str | None,
        Option("raw, clean (lower case if the corpus is upper case, no spaces between Chinese characters, "
               "punctuation for tags) or lower (clean, always in lower case); default: clean for training views, raw "
               "for unified.", TEXT, choices=TEXTS),
    ] = None  # fmt: skip
    system: System = None
    user_template: Annotated[
        str | None,
        Option("The user turn, from {modality_tag}, {prompt} and fields such as {question}; refused if it contains "
               "the answer.", CONVERSATIONS),
    ] = None  # fmt: skip
    allow_answer_in_prompt: Annotated[
        bool, Option("Publish even if the user turn contains the answer.", CONVERSATIONS)
    ] = False
    reasoning: Reasoning = None
    prompts: Prompts = None
    prompt_language: PromptLanguage = None
    prompts_per_sample: Annotated[
        int,
        Option("So many rows of each sample, each asked in other words, whose ids end in #prompt2 and so on; a task "
               "with fewer phrasings has fewer rows. It implies --prompts varied.", CONVERSATIONS, min=1),
    ] = 1  # fmt: skip
    modality: Annotated[
        str,
        Option("Of a video with sound: own (what --av says), audio (its sound alone), video (the video alone, silent) "
               "or av (both; samples that lack one have no row).", TEXT, choices=SHOWN),
    ] = "own"  # fmt: skip
    mode: Annotated[
        str | None,
        Option("analysis (sound, and a text that says what to do) or voice-chat (the sound says it: user turns have no "
               "text; samples that are asked in words, such as those with a transcript, have no row); default: as the "
               "samples are.", CONVERSATIONS, choices=MODES),
    ] = None  # fmt: skip
    av: Annotated[
        str,
        Option("Of a video with sound: separate (the video and its sound), in-video (the video alone, whose sound the "
               "trainer reads itself) or sound-only.", TEXT, choices=SOUNDS),
    ] = "separate"  # fmt: skip
    structure: Annotated[
        bool,
        Option("Only chains of thought that have their four sections: planning, caption, reasoning, summary.",
               ONE_VIEW),
    ] = False  # fmt: skip
    captions: Annotated[
        str,
        Option("Of several descriptions of a sample: first (one row), or all (a row for each, whose id ends in "
               "#caption2 and so on).", TEXT, choices=CAPTIONS),
    ] = "first"  # fmt: skip
    model: Annotated[
        str | None,
        Option("Count what rows are in this model: tokens of text, sound, images and video, frames and seconds, in "
               "budget.parquet.", BUDGET, choices=tuple(MODELS)),
    ] = None  # fmt: skip
    max_tokens: Annotated[
        int | None, Option("Leave out rows of more tokens in the model, with their media.", BUDGET, min=1)
    ] = None
    max_seconds: Annotated[
        float | None, Option("Leave out rows with more seconds of sound or video.", BUDGET, above=0)
    ] = None
    long: Annotated[
        str | None,
        Option("Clips that the model's extractor would cut (Qwen2-Audio: after 30 s; Qwen2.5-Omni: after 300 s): keep, "
               "reject, or window: several rows with their own words, by word times; default: keep, with a warning.",
               BUDGET, choices=LONG),
    ] = None  # fmt: skip
    tokenizer: Annotated[
        str | None,
        Option("A tokenizer.json of the model, or its folder; default: the vocabulary of the extra budgets.", BUDGET,
               takes=str | Path, metavar="PATH"),
    ] = None  # fmt: skip
    shard_mb: Annotated[int, Option("Size of a shard, in MB.", ONE_VIEW, min=1)] = 500
    sound: SoundOptions = field(default_factory=SoundOptions)
    dimension: Annotated[
        str | None,
        Option("preference: what the chosen answers of pairs that say nothing are better at.", ONE_VIEW,
               choices=tuple(SHARES)),
    ] = None  # fmt: skip
    pairs: Annotated[
        int | None, Option("preference: so many pairs, divided by --quota; default: all.", ONE_VIEW, min=1)
    ] = None
    quota: Annotated[
        str | None,
        Option("preference: shares of the dimensions; default: factuality=40,instruction=30,safety=20,helpfulness=10.",
               ONE_VIEW, metavar="NAME=SHARE,..."),
    ] = None  # fmt: skip
    per_file: Annotated[
        int | None,
        Option("calibration: the first N rows of each of its files, which are balanced by tokens; default: all.",
               ONE_VIEW, min=1, metavar="N"),
    ] = None  # fmt: skip
    per_stratum: Annotated[
        int | None,
        Option("calibration: at most N rows of each stratum (modality, dataset, language, task); default: all.",
               ONE_VIEW, min=1, metavar="N"),
    ] = None  # fmt: skip
    recipe: Annotated[
        Path | None,
        Option("A YAML file with the view and options; those of the command line are added.", VERSION, metavar="FILE"),
    ] = None  # fmt: skip
    feature: FeatureOptions = field(default_factory=FeatureOptions)
    terms: TermOptions = field(default_factory=TermOptions)
    phone: PhoneOptions = field(default_factory=PhoneOptions)
    name: Annotated[str | None, Option("The export's name; default: the view's name, style and task.", VERSION)] = None
    note: Annotated[str | None, Option("A remark, stored in the manifest.", VERSION)] = None
    media_root: Annotated[
        str | None,
        Option("Absolute path that media paths start with; default: the store's own.", VERSION, takes=str | Path,
               metavar="PATH"),
    ] = None  # fmt: skip

    verify: Annotated[
        bool,
        Option("Have `datasets` and the view's consumer load the version; what they lose or change is told, and is an "
               "error.", VERSION),
    ] = False  # fmt: skip
    client_python: Annotated[
        str | None,
        Option("For --verify: the Python that has the consumer installed; default: the one that `make clients` made.",
               VERSION, takes=str | Path, metavar="PATH"),
    ] = None  # fmt: skip

    def of_view(self, view: str, options: Collection[str]) -> dict[str, Any]:
        """The values of the options that only some views have, of those that this view has.

        Raises:
            UsageError: One was given that the view does not have.
        """
        found = {}
        for parameter in parameters(type(self)):
            if parameter.option.group != ONE_VIEW:
                continue
            name, value = parameter.path[-1], reduce(getattr, parameter.path, self)
            if name in options:
                found[name] = value
            elif value != parameter.default:
                raise UsageError(f"the view {view!r} has no option {parameter.flag}: remove it.")
        return {name: found[name] for name in options}

    def check(self) -> None:
        if self.mode == "voice-chat" and self.user_template is not None:
            raise UsageError("--mode voice-chat: user turns have no text.", hint="remove --user-template")
        if self.no_split is not None and not self.splits and self.recipe is None:
            raise UsageError("--no-split applies to a selection by split.", hint="add --split train")
        if self.where is not None:
            from ...shards.query import check_where

            check_where(self.where)
        if self.client_python is not None and not self.verify:
            raise UsageError("--client-python is for --verify.", hint="add --verify")
        if self.quota is not None:
            read_quota(self.quota)
            if self.pairs is None:
                raise UsageError("--quota divides a number of pairs.", hint="add --pairs 1000")
        if self.media_root and not self.media_root.startswith("/"):
            raise UsageError(f"--media-root {self.media_root!r} must be an absolute path.")
