"""`EvaluateOptions`: all options of `evaluate`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from ...errors import UsageError
from ...options import Option, Options, split_commas
from ...shards.phones import OWN, SETS
from ...validators.metrics.metric import JUDGED, NAMES
from ..benchmarks.options import JudgeOptions

FILES, SCORED, SURE, OUTPUT = "What is compared", "How it is scored", "How sure it is", "Output"
TABLES = ("qwen2-audio",)
JUDGEMENTS = "judgements.jsonl"
"""The judgements of an evaluation, in its folder."""


def _metrics(given: tuple[str, ...]) -> tuple[str, ...]:
    names = split_commas(given)
    for name in names:
        if name not in NAMES:
            raise UsageError(f"--metrics {name!r}: there is no such metric.", hint=f"metrics: {', '.join(NAMES)}")
    return tuple(dict.fromkeys(names))


@dataclass(frozen=True, kw_only=True)
class EvaluateOptions(Options):
    """Options of an evaluation."""

    pred: Annotated[
        Path | None,
        Option("The predictions: JSON Lines, a JSON array, or a .txt file of one prediction a line.", FILES,
               metavar="FILE"),
    ] = None  # fmt: skip
    model: Annotated[
        str | None,
        Option("Ask this model now, with the defaults of infer, in place of --pred; its answers are kept in --out.",
               FILES, metavar="MODEL"),
    ] = None  # fmt: skip
    server: Annotated[
        str | None, Option("The server of --model, which speaks OpenAI's protocol.", FILES, metavar="URL")
    ] = None
    gold: Annotated[
        Path | None,
        Option("What is right, in place of an export: JSON Lines, a JSON array, or a .txt file of one text a line.",
               FILES, metavar="FILE"),
    ] = None  # fmt: skip
    against: Annotated[
        Path | None,
        Option("Other predictions for the same rows: the difference of each score, by paired bootstrap.", FILES,
               metavar="FILE"),
    ] = None  # fmt: skip
    allow_missing: Annotated[
        bool, Option("Rows without a prediction are no problem: exit 0. They count as wrong all the same.", FILES)
    ] = False
    metrics: Annotated[
        tuple[str, ...],
        Option(f"{', '.join(NAMES)}; default: by the task of each row.", SCORED, read=_metrics, takes=tuple[str, ...]),
    ] = ()  # fmt: skip
    by: Annotated[
        tuple[str, ...],
        Option("Scores for each value of these columns, of the row or its sample: language, speaker, extra.NAME; "
               "default: source, and what a known benchmark is reported by.", SCORED, metavar="COLUMN"),
    ] = ()  # fmt: skip
    task: Annotated[str | None, Option("The task of rows that do not say it.", SCORED)] = None
    language: Annotated[str | None, Option("The language of rows that do not say it.", SCORED)] = None
    target_language: Annotated[
        str | None, Option("The language of the translations of rows that do not say it.", SCORED)
    ] = None
    phones: Annotated[
        str,
        Option("The set that phones are folded to for per; own compares the labels as they are.", SCORED,
               choices=(OWN, *SETS)),
    ] = OWN  # fmt: skip
    ignore_sil: Annotated[bool, Option("Leave silence out of per and position_accuracy.", SCORED)] = False
    bert_model: Annotated[
        str | None, Option("The model of bertscore: its folder, or its name on the hub.", SCORED, metavar="MODEL")
    ] = None
    bert_layer: Annotated[int | None, Option("The layer whose embeddings bertscore compares.", SCORED, min=0)] = None
    bert_baseline: Annotated[
        float | None, Option("The bertscore of unrelated texts, to rescale by: it becomes 0.", SCORED)
    ] = None
    judging: JudgeOptions = field(default_factory=JudgeOptions)

    resamples: Annotated[int, Option("How many resamples an interval is made of; 0: no intervals.", SURE, min=0)] = 1000
    confidence: Annotated[float, Option("Percent of the resamples that lie in an interval.", SURE, above=0)] = 95.0
    group: Annotated[
        str | None,
        Option("Draw all rows of one value of this column together: speaker; default: each row by itself.", SURE,
               metavar="COLUMN"),
    ] = None  # fmt: skip
    seed: Annotated[int, Option("Seed of the draws.", SURE, min=0)] = 0
    table: Annotated[
        str | None,
        Option("Show the scores beside published ones: qwen2-audio has those of eight data sets.", OUTPUT,
               choices=TABLES),
    ] = None  # fmt: skip
    transformers: Annotated[
        Path | None, Option("Predictions by transformers, for --table.", OUTPUT, metavar="FILE")
    ] = None
    vllm: Annotated[Path | None, Option("Predictions by vLLM, for --table.", OUTPUT, metavar="FILE")] = None
    out: Annotated[
        Path | None,
        Option("Write scores.json and rows.jsonl, with every row's texts and counts, to this folder.", OUTPUT,
               metavar="DIR"),
    ] = None  # fmt: skip
    submission: Annotated[
        Path | None,
        Option("Write the predictions as the Audio Reasoning Challenge takes them: id, thinking_prediction, "
               "answer_prediction.", OUTPUT, metavar="FILE"),
    ] = None  # fmt: skip
    page: Annotated[
        Path | None,
        Option("Write one self-contained HTML page: scores, plots, the worst rows with players and differences.",
               OUTPUT, metavar="FILE"),
    ] = None  # fmt: skip
    worst: Annotated[int, Option("With --page: how many rows of each metric it shows.", OUTPUT, min=0)] = 20
    embed: Annotated[
        bool, Option("Put clips into the page; --no-embed copies them into a folder beside it.", OUTPUT)
    ] = True
    force: Annotated[
        bool,
        Option(
            "Replace an evaluation that stands in --out, and another page or submission of that name; judgements stay.",
            OUTPUT,
        ),
    ] = False

    def check(self) -> None:
        if self.confidence >= 100:
            raise UsageError(f"--confidence {self.confidence:g}: less than 100 is expected.")
        self._check_words()
        if self.server is not None and self.model is None:
            raise UsageError("--server needs the name of its model.", hint="add --model NAME")
        if self.table is None and (self.transformers or self.vllm):
            raise UsageError("--transformers and --vllm are columns of a table.", hint="add --table qwen2-audio")

        self._check_judge()

    def _check_judge(self) -> None:
        if self.judging.is_asked:
            if self.judgements_file is None:
                raise UsageError("--judge keeps every judgement in a file.", hint="add --out DIR, or --judgements FILE")
        elif names := JUDGED & {*self.metrics}:
            raise UsageError(
                f"--metrics {', '.join(sorted(names))}: a judge gives it.", hint="add --judge URL --judge-model NAME"
            )

    @property
    def judgements_file(self) -> Path | None:
        """The file in which judgements are kept."""
        if self.judging.judgements is not None or self.out is None:
            return self.judging.judgements
        return self.out / JUDGEMENTS

    def _check_words(self) -> None:
        """Raise UsageError for a task or language that does not exist; the tables of languages are read only here."""
        if self.task is None and self.language is None and self.target_language is None:
            return
        from ...shards.vocabulary import UnknownWordError, as_language, as_task

        for flag, value, read in (
            ("--task", self.task, as_task),
            ("--language", self.language, as_language),
            ("--target-language", self.target_language, as_language),
        ):
            try:
                if value is not None:
                    read(value)
            except UnknownWordError as error:
                raise UsageError(f"{flag}: {error}.", hint=error.hint) from error

    def check_asked(self, export: str | None) -> None:
        """Raise UsageError unless there are predictions, and either an export or a file that they are compared with."""
        if self.model is not None and (self.pred is not None or self.out is None):
            raise UsageError(
                "--model makes predictions in --out: name that folder, and no --pred.",
                hint="triptych evaluate EXPORT --model MODEL --out DIR",
            )
        if (self.pred, self.model, self.transformers, self.vllm) == (None,) * 4:
            raise UsageError("There are no predictions to evaluate.", hint="--pred FILE, or --model MODEL --out DIR")
        if (export is None) == (self.gold is None):
            raise UsageError(
                "Name the export that was asked, or a file of what is right, and not both.",
                hint="triptych evaluate EXPORT --pred FILE, or triptych evaluate --pred FILE --gold FILE",
            )
