"""`PruneOptions`: all options of `prune`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from ...errors import UsageError
from ...options import Option, Options
from ..data.bad_rows import BAD_ROWS, REFUSE
from ..models.training_model import AUTO, DTYPES
from ..serving.layouts import LAYOUTS, TRANSFORMERS
from .criteria import (
    CRITERIA,
    GLOBAL,
    JOINT,
    NO_PROTECTION,
    PER_LAYER,
    PROTECTIONS,
    REAP,
    SCOPES,
)
from .scores.expert_sums import MODALITIES
from .scores.moe_layers import TALKER, THINKER

MODEL, ROWS, KEPT, COST, OUTPUT = "The model", "Calibration", "What is kept", "What it costs", "Output"


@dataclass(frozen=True, kw_only=True)
class PruneOptions(Options):
    """Options of `prune`."""

    model: Annotated[
        str,
        Option("A folder with a model, or the name of one on the hub (Qwen/Qwen3-Omni-30B-A3B-Instruct).", MODEL,
               takes=str | Path, metavar="MODEL"),
    ]  # fmt: skip
    revision: Annotated[
        str | None, Option("Branch, tag or commit of a model on the hub; default: main.", MODEL, metavar="REVISION")
    ] = None
    download: Annotated[bool, Option("Download a model that is not here; without it, its size is told.", MODEL)] = False
    component: Annotated[
        str, Option("Whose experts: those of the thinker; the talker's cannot be scored.", MODEL,
                    choices=(THINKER, TALKER))
    ] = THINKER  # fmt: skip
    device: Annotated[str | None, Option("cpu, cuda or cuda:1; default: cuda if there is one, else cpu.", MODEL)] = None
    dtype: Annotated[
        str, Option("What the model computes in; auto: bf16 on a GPU that does, fp32 on a cpu.", MODEL, choices=DTYPES)
    ] = AUTO

    audio: Annotated[
        str | None,
        Option("Rows of sound (S1): an export, NAME or NAME@vN, or a file of rows (JSON Lines).", ROWS,
               takes=str | Path, metavar="EXPORT"),
    ] = None  # fmt: skip
    video: Annotated[
        str | None, Option("Rows of pictures without sound (S2).", ROWS, takes=str | Path, metavar="EXPORT")
    ] = None
    mixed: Annotated[
        str | None, Option("Rows of pictures with sound (S3).", ROWS, takes=str | Path, metavar="EXPORT")
    ] = None
    text: Annotated[str | None, Option("Rows of text alone.", ROWS, takes=str | Path, metavar="EXPORT")] = None
    calibration_samples: Annotated[
        int, Option("The first N rows of each; 0: all of them.", ROWS, metavar="N", min=0)
    ] = 100
    max_tokens: Annotated[int, Option("The longest row.", ROWS, metavar="N", min=1)] = 8192
    batch_tokens: Annotated[int, Option("Tokens that go through the model at once.", ROWS, metavar="N", min=1)] = 8192
    bad_rows: Annotated[
        str, Option("What is done about a row that cannot be read: refuse, or leave_out (and count it).", ROWS,
                    choices=BAD_ROWS)
    ] = REFUSE  # fmt: skip
    allow_held_out: Annotated[
        bool, Option("Take rows of validation and test splits: the model is then chosen by what it is tested on.", ROWS)
    ] = False
    workers: Annotated[int, Option("Threads that decode.", ROWS, metavar="N", min=1)] = 2
    part: Annotated[
        str | None,
        Option("Measure this part of the rows alone, of several machines or processes; --scores puts them together.",
               ROWS, metavar="I/N"),
    ] = None  # fmt: skip
    scores: Annotated[
        tuple[Path, ...],
        Option("Folders of reports with scores that were measured before, in place of rows.", ROWS, metavar="DIR"),
    ] = ()  # fmt: skip

    retention_rate: Annotated[
        float | None, Option("The share of experts that is kept, rounded down; default: 0.5.", KEPT, metavar="SHARE")
    ] = None
    compression_ratio: Annotated[
        float | None, Option("The share that is pruned, rounded down, in place of --retention-rate.", KEPT,
                             metavar="SHARE")
    ] = None  # fmt: skip
    criterion: Annotated[
        str,
        Option("reap (what a router gives an expert times what it makes of it), frequency, ean (the expert's outputs "
               "alone), or joint (of sound, and of both beyond video).", KEPT, choices=CRITERIA),
    ] = REAP  # fmt: skip
    joint_lambda: Annotated[float, Option("Of joint: the weight of what sound and video need together.", KEPT)] = 1.0
    joint_beta: Annotated[float, Option("Of joint: how much of what video needs is taken off it.", KEPT)] = 1.0
    scope: Annotated[
        str,
        Option("layer: as many experts in each layer; global: the best of all layers, for the report alone, since no "
               "model file can say so.", KEPT, choices=SCOPES),
    ] = PER_LAYER  # fmt: skip
    protect: Annotated[
        str,
        Option("Keep experts whose outputs are far larger than all others: super-experts (of the first three quarters "
               "of the layers) or outliers (of all).", KEPT, choices=PROTECTIONS),
    ] = NO_PROTECTION  # fmt: skip
    least_tokens: Annotated[
        int, Option("Name experts that were given fewer tokens than this.", KEPT, metavar="N", min=1)
    ] = 100

    cost_samples: Annotated[
        int, Option("Measure the perplexity of N further rows of each, before and after; 0: of none.", COST,
                    metavar="N", min=0)
    ] = 20  # fmt: skip
    eval: Annotated[
        tuple[str, ...], Option("Score answers to an export, before and after.", COST, metavar="NAME[@vN]")
    ] = ()
    metric: Annotated[str | None, Option("The metric of --eval; default: that of its task.", COST)] = None
    eval_rows: Annotated[int, Option("How many rows of each are asked.", COST, metavar="N", min=1)] = 200
    max_new_tokens: Annotated[int, Option("The longest answer.", COST, metavar="N", min=1)] = 1024
    beside: Annotated[bool, Option("Measure pruning at random and by frequency beside it.", COST)] = True
    seed: Annotated[int, Option("Seed of pruning at random.", COST)] = 0

    output: Annotated[
        Path | None, Option("The folder of the pruned model; without it, nothing is pruned.", OUTPUT, metavar="DIR")
    ] = None
    layout: Annotated[
        str, Option("Who is to load it: transformers, or vllm too.", OUTPUT, flags=("--for",), choices=LAYOUTS)
    ] = TRANSFORMERS  # fmt: skip
    report: Annotated[
        Path | None,
        Option("The folder of scores and report; default: beside --output, with the ending .calibration.", OUTPUT,
               metavar="DIR"),
    ] = None  # fmt: skip

    def check(self) -> None:
        """Raise UsageError if options do not go together."""
        if self.retention_rate is not None and self.compression_ratio is not None:
            raise UsageError("--retention-rate and --compression-ratio say the same: give one.")
        if self.output is None and self.report is None:
            raise UsageError("nothing is to be written.", hint="add --output DIR, or --report DIR for a report alone")
        if not self.scores and not any(self.sources.values()):
            raise UsageError(
                "there are no rows to calibrate on.",
                hint="add --audio NAME, --video NAME, --mixed NAME (triptych export calibration)",
            )
        if self.criterion == JOINT and self.audio is None and not self.scores:
            raise UsageError(
                "--criterion joint begins with what sound needs, and there is no --audio.",
                hint="add --audio NAME, or --criterion reap",
            )
        if self.part is not None and self.output is not None:
            raise UsageError(
                "--part measures some of the rows: nothing can be pruned by them alone.",
                hint="--report DIR for each part, then --scores DIR --scores DIR --output DIR",
            )
        if self.part is not None and self.scores:
            raise UsageError("--part measures rows, and --scores takes what was measured: give one.")
        if self.scope == GLOBAL and self.output is not None:
            raise UsageError(
                "--scope global keeps different numbers of experts in different layers, and the configurations of"
                " transformers and vLLM have one number for all: no model that they load can be written.",
                hint="--report DIR without --output shows what it would keep and cost; --scope layer writes a model",
            )
        for flag, value in (("--joint-lambda", self.joint_lambda), ("--joint-beta", self.joint_beta)):
            if not math.isfinite(value):
                raise UsageError(f"{flag} {value}: expected a finite number.")
        if self.output is not None and self.report_folder.resolve().is_relative_to(self.output.resolve()):
            raise UsageError(
                "--report is in --output, and the pruned model gets a folder of its own.",
                hint="name a folder beside it; without --report, it is OUTPUT.calibration",
            )
        _ = self.part_of

    @property
    def sources(self) -> dict[str, str | None]:
        """What is calibrated on, by modality."""
        return {name: getattr(self, name) for name in MODALITIES}

    @property
    def samples(self) -> int | None:
        return self.calibration_samples or None

    @property
    def report_folder(self) -> Path:
        if self.report is not None:
            return self.report
        assert self.output is not None
        return self.output.with_name(f"{self.output.name}.calibration")

    @property
    def part_of(self) -> tuple[int, int]:
        """The part that is measured: its number from 0, and how many there are."""
        if self.part is None:
            return 0, 1
        number, slash, of = self.part.partition("/")
        if not slash or not (number + of).isdecimal() or not number or not of or not 1 <= int(number) <= int(of):
            raise UsageError(f"--part {self.part}: write it as 1/4: the first of four.")
        return int(number) - 1, int(of)

    @property
    def retention(self) -> float | None:
        return 0.5 if self.retention_rate is None and self.compression_ratio is None else self.retention_rate
