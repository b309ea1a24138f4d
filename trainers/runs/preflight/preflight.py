"""A preflight: a run is loaded whole, and looked at from all sides before it begins."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....errors import UsageError
from ....shards.store.store import Store
from ...models.model_loading import template_of
from ...models.towers import SoundCheck, SoundUnheard
from ..loop.rates import schedule_of
from ..prepare import Prepared, Recipe, computing_of, prepare
from ..result import plan_of
from . import samples, settings, texts
from .audio_gap import AudioGap, gap_of
from .findings import ERROR, Finding, ordered
from .memory import FULL, Memory, memory_of
from .report import Preflight, Score
from .rows import ShownBatch, ShownRow, shown_batch, shown_row
from .step_time import Tried, try_steps
from .text import text_of

if TYPE_CHECKING:
    from ..config.sections import RunConfig

DOCUMENT, TEXT = "preflight.json", "preflight.txt"
"""The files of a report, in the run's folder."""

LOOKED_AT = 16
"""Rows that are decoded besides the first batch, from all over the export."""

TEXTS = 256
"""Rows whose answers are tokenized."""

ASKED = 16
"""Rows of the export of `evaluation` that the base model is asked, at most."""


def preflight(
    config: RunConfig, recipe: Recipe, *, store: Store, notes: Callable[[str], None] | None = None
) -> Preflight:
    """Load a run, and find out what it would be. With `output_dir` the report is written there, and nothing else is
    but the lengths of rows.

    Args:
        notes: Called with what is under way.

    Raises:
        UsageError, ProblemsFound, DamagedError: As for the run, before its first step.
    """
    from torch import OutOfMemoryError

    tell = notes or (lambda text: None)
    tell(f"loading {config.model.base_model} and {config.data.train}")
    try:
        prepared = prepare(config, recipe, store=store, folder=config.output_dir, refuses_overlap=False)
    except OutOfMemoryError as error:
        raise UsageError(f"{config.model.base_model}: {_first_line(error)}", hint=settings.MEMORY_ADVICE) from error
    try:
        found = _Looking(config, prepared, store, tell).report()
    finally:
        prepared.data.loader.close()
    if config.output_dir is not None:
        config.output_dir.mkdir(parents=True, exist_ok=True)
        document = json.dumps(asdict(found), ensure_ascii=False, indent=2)
        (config.output_dir / DOCUMENT).write_text(document + "\n", encoding="utf-8")
        (config.output_dir / TEXT).write_text(text_of(found), encoding="utf-8")
    return found


@dataclass(slots=True, eq=False)
class _Looking:
    """One preflight, under way."""

    config: RunConfig
    prepared: Prepared
    store: Store
    tell: Callable[[str], None]
    findings: list[Finding] = field(default_factory=list)

    def report(self) -> Preflight:
        config, prepared = self.config, self.prepared
        plan = plan_of(config, prepared)
        batch, looked_at = self._rows()
        self.findings += self._of_settings()
        self.findings += self._of_rows(looked_at)
        tried = self._tried()
        memory = self._memory(tried)
        gap = None if tried is None else self._gap()
        device = next(prepared.model.parameters()).device
        return Preflight(
            plan=plan, device=str(device), dtype=prepared.loaded.dtype,
            epochs=len(prepared.steps) / prepared.data.plan.optimizer_steps, batch=batch, memory=memory,
            step_time=None if tried is None else tried.time, audio_gap=gap, scores=self._scores(),
            findings=ordered(self.findings),
        )  # fmt: skip

    # ---- rows

    def _answers(self) -> tuple[Any, Any]:
        """The encoder of plain answers, and the loss over them."""
        return self.prepared.recipe.answers_of(self.prepared.encoder)

    def _shown(self, numbers: list[int]) -> Iterator[ShownRow]:
        encoder, _ = self._answers()
        rows = self.prepared.data.rows
        for number in numbers:
            row = rows[number]
            yield shown_row(row, encoder.encode(row), encoder)

    def _rows(self) -> tuple[ShownBatch | None, list[ShownRow]]:
        """The first batch, and rows from all over the export."""
        from ...data.bad_rows import BadRow

        self.tell("encoding rows")
        first = self.prepared.data.plan.epoch(0).batch(0)
        batch = list(self._shown(first))
        more: list[ShownRow] = []
        for number in self._spread(LOOKED_AT):
            try:
                more += self._shown([number])
            except BadRow:  # its media cannot be decoded: the run itself names it, or leaves it out
                continue
        return shown_batch(batch), [*batch, *more]

    def _spread(self, count: int) -> list[int]:
        """So many rows that are trained on, evenly over the export."""
        import numpy as np

        kept = np.flatnonzero(self.prepared.data.lengths.tokens > 0)
        places = np.unique(np.linspace(0, len(kept) - 1, min(count, len(kept))).astype(int))
        return [int(each) for each in kept[places]]

    # ---- findings

    def _of_settings(self) -> Iterator[Finding]:
        config, prepared = self.config, self.prepared
        steps = len(prepared.steps)
        yield from settings.learning_rates(config)
        yield from settings.warm_up(steps, schedule_of(config, steps).warmup, prepared.data.plan.rows)
        yield from settings.adapters_elsewhere(config)
        yield from settings.number_format_of(prepared, asked=config.model.dtype)
        form = template_of(prepared.files.folder, None)
        yield from settings.chat_template(config.model.base_model, form=form)
        yield from prepared.overlap

    def _of_rows(self, looked_at: list[ShownRow]) -> Iterator[Finding]:
        config, prepared = self.config, self.prepared
        data = prepared.data
        plan = plan_of(config, prepared)
        options = data.rows.reader.version.manifest.get("options") or {}
        yield from samples.left_out(plan.left_out, plan.rows, config.data.max_tokens)
        yield from samples.padding(plan.padding, by_tokens=config.data.batch_tokens is not None)
        unique = list({row.id: row for row in looked_at}.values())
        yield from samples.trained_tokens(unique, is_pretraining=options.get("task") == "pretrain")
        yield from samples.no_sound(prepared.family, data.modalities)
        answers = texts.answers_of([data.rows[number] for number in self._spread(TEXTS)])
        yield from texts.split_texts(answers, prepared.loaded.tokenizer)

    # ---- the model

    def _tried(self) -> Tried | None:
        """The first steps; None: they cannot be computed, and a finding says why."""
        import torch

        config, prepared = self.config, self.prepared
        self.tell("making steps, and taking them back")
        check = SoundCheck(prepared.model, prepared.family) if prepared.data.modalities else None
        try:
            tried = try_steps(
                prepared, prepared.recipe.objective(None), weight_decay=config.training.weight_decay,
                betas=config.optimizer.betas, max_grad_norm=config.training.max_grad_norm,
                computing=computing_of(prepared),
                after_forward=check.check if check is not None else lambda inputs: None,
            )  # fmt: skip
        except SoundUnheard as error:
            self.findings.append(Finding(ERROR, "sound_unheard", error.message, error.hint or ""))
            return None
        except torch.OutOfMemoryError as error:
            self.findings.append(
                Finding(ERROR, "memory", f"the first step: {_first_line(error)}", settings.MEMORY_ADVICE)
            )
            return None
        finally:
            if check is not None:
                check.remove()
        if not math.isfinite(tried.loss):
            self.findings.append(Finding(
                ERROR, "loss", f"the loss of the first step is not finite ({tried.loss}).",
                "--set model.dtype=bf16 (or fp32); if it is so there too, the base model's weights are damaged",
            ))  # fmt: skip
        return tried

    def _memory(self, tried: Tried | None) -> Memory | None:
        if tried is None:
            return None
        prepared = self.prepared
        rows = prepared.data.rows
        inputs = prepared.encoder.join([prepared.encoder.encode(rows[number]) for number in
                                        prepared.data.plan.epoch(0).batch(0)])  # fmt: skip
        found = memory_of(
            prepared, inputs, is_checkpointed=self.config.model.gradient_checkpointing, measured=tried.activations,
            peak=tried.peak,
        )  # fmt: skip
        on_gpu = next(prepared.model.parameters()).device.type == "cuda"
        most = max(found.estimate, found.peak or 0)
        self.findings += settings.memory_room(most, found.device, is_full=FULL, on_gpu=on_gpu)
        return found

    def _gap(self) -> AudioGap | None:
        prepared = self.prepared
        if "audio" not in prepared.data.modalities:
            return None
        self.tell("measuring the audio gap")
        gap = gap_of(prepared)
        self.findings += samples.unheard(gap)
        return gap

    def _scores(self) -> tuple[Score, ...]:
        """The base model's, on a part of the export of evaluation."""
        section = self.config.evaluation
        if section is None or any(each.level == ERROR for each in self.findings):
            return ()
        from ..scores.answers import AnswerScores
        from ..scores.evaluations import Evaluations

        rows = min(ASKED, section.rows)
        self.tell(f"asking the base model {rows} questions of {section.export}")
        with tempfile.TemporaryDirectory() as out:
            measure = AnswerScores.open(
                section.model_copy(update={"rows": rows}), loaded=self.prepared.loaded, store=self.store, out=Path(out),
                step=lambda: 0, gathered=lambda value: [value], computing=computing_of(self.prepared),
            )  # fmt: skip
            found = Evaluations(measures=[measure], steps=1).of(self.prepared.model)
        counts = [each.counts or {} for each in found]
        return tuple(
            Score(name=each.name, value=each.value, low=count.get("low"), high=count.get("high"), rows=count["rows"])
            for each, count in zip(found, counts, strict=True)
        )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
