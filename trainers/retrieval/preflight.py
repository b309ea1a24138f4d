"""What a contrastive run would be (`--dry-run`): encoders are loaded, steps made and taken back, nothing is written.

Encoders that are not trained encode every clip and text once, before the first step: some are encoded here, and the
time of all is told. Steps then cost the same whatever the vectors are, and are tried on made ones.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import amount
from ...shards.media.streams import MediaError
from ...shards.store.store import Store
from ..data.bad_rows import REFUSE
from ..models.adapters import trainable_by_component
from ..models.model_loading import require_torch
from ..models.training_model import dtype_on
from ..runs.loop.rates import schedule_of
from ..runs.preflight import settings
from ..runs.preflight.findings import ERROR, WARNING, Finding, ordered
from ..runs.preflight.memory import FULL, Memory, memory_measured
from ..runs.preflight.step_time import Tried, try_steps
from .config import ContrastiveConfig
from .model.encoders import device_here
from .model.row_vectors import RowVectors, heard
from .model.trained_parts import FAMILY
from .prepare import Encoders, Prepared, open_rows, prepared_of, shared_sound
from .result import ContrastivePreflight, ContrastiveResult, result_of
from .search.glossary_index import require_faiss
from .term_rows import TEST, VALIDATION, TermRow, TermRows

if TYPE_CHECKING:
    from .scores.metrics import Vectors

CLIPS, TEXTS = 8, 64
"""Clips and texts that are encoded."""


def preflight(config: ContrastiveConfig, *, store: Store) -> ContrastiveResult:
    """Load a run, and find out what it would be.

    Raises:
        UsageError, DamagedError: As for the run, before its first step.
    """
    require_torch("retrieval")
    require_faiss()
    rows = open_rows(config, store)
    encoders = Encoders.open(config)
    sampled = list(_sampled(config, rows, encoders))
    seconds = _encoding_seconds(config, rows, encoders, [spent for spent, _ in sampled])
    prepared = prepared_of(config, rows, encoders, _stand_ins(rows, encoders))
    tried = try_steps(
        prepared, prepared.objective, weight_decay=config.training.weight_decay, betas=config.optimizer.betas,
        max_grad_norm=config.training.max_grad_norm, computing=lambda: _computing(config),
        after_forward=lambda inputs: None,
    )  # fmt: skip
    memory = _memory(config, prepared, tried)
    found = [finding for _, finding in sampled if finding is not None]
    found += [*row_findings(config, rows, prepared), *_run_findings(config, prepared, memory)]
    about = ContrastivePreflight(
        device=device_here(), dtype=dtype_on(config.model.dtype, device_here()),
        components=trainable_by_component(prepared.model, FAMILY), frozen=_frozen(prepared), encoding_seconds=seconds,
        memory=memory, step_time=tried.time, findings=ordered(found),
    )  # fmt: skip
    return result_of(prepared, None, preflight=about)


def _sampled(config: ContrastiveConfig, rows: TermRows, encoders: Encoders) -> Iterator[tuple[float, Finding | None]]:
    """The seconds of encoding some clips from all over the export, and what is wrong with one."""
    step = max(1, len(rows.rows) // CLIPS)
    for row in rows.rows[::step][:CLIPS]:
        start = time.perf_counter()
        finding = None
        try:
            heard(row, encoders.speech)
        except MediaError as bad:
            level = ERROR if config.data.bad_rows == REFUSE else WARNING
            finding = Finding(level, "unheard", f"{row.id}: {bad.reason}: {bad.detail}",
                              "mend the clip and export again, or --set data.bad_rows=leave_out")  # fmt: skip
        yield time.perf_counter() - start, finding


def _encoding_seconds(
    config: ContrastiveConfig, rows: TermRows, encoders: Encoders, spent: Sequence[float]
) -> float:  # fmt: skip
    """What encoding all clips and texts takes, by some of them; the first pass of a model is slow, and is left out."""
    terms = rows.texts_of(rows.glossary, config.retrieval.text_field)
    words = [row.text for row in rows.rows]
    texts = [*terms, *words][:: max(1, (len(terms) + len(words)) // TEXTS)][:TEXTS]
    start = time.perf_counter()
    encoders.text.vectors(texts)
    of_texts = (time.perf_counter() - start) / len(texts) * (len(terms) + len(words))
    timed = spent[1:] or spent
    return sum(timed) / len(timed) * len(rows.rows) + of_texts


def _stand_ins(rows: TermRows, encoders: Encoders) -> RowVectors:
    """Made vectors for all clips and texts."""
    import numpy as np

    def made(count: int, width: int) -> Vectors:
        return np.random.default_rng(0).standard_normal((count, width), np.float32)

    count, speech, text = len(rows.rows), encoders.speech.width, encoders.text.width
    return RowVectors(rows.rows, made(count, speech), made(count, text), made(len(rows.glossary), text), ())


def _computing(config: ContrastiveConfig) -> Any:
    import torch

    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(dtype_on(config.model.dtype, device_here()))
    return torch.autocast(device_here(), dtype=dtype, enabled=dtype is not None)


def _frozen(prepared: Prepared) -> int:
    own = {id(value) for value in prepared.model.parameters()}
    models = (prepared.speech.model, prepared.text.model)
    return sum(value.numel() for model in models for value in model.parameters() if id(value) not in own)


def _memory(config: ContrastiveConfig, prepared: Prepared, tried: Tried) -> Memory:
    modules = [prepared.model, prepared.speech.model, prepared.text.model]
    return memory_measured(
        modules, prepared.trained.names,
        activations=None if config.model.gradient_checkpointing else tried.activations, peak=tried.peak,
    )  # fmt: skip


# ---- findings


def _run_findings(config: ContrastiveConfig, prepared: Prepared, memory: Memory) -> Iterator[Finding]:
    steps = len(prepared.steps)
    yield from settings.warm_up(steps, schedule_of(config, steps).warmup, len(prepared.steps.clips.rows))
    most = max(memory.estimate, memory.peak or 0)
    yield from settings.memory_room(
        most, memory.device, is_full=FULL, on_gpu=device_here() == "cuda", advice="--set training.batch_size=16, or "
        "model.gradient_checkpointing=true where an encoder is trained; --set model.dtype=bf16",
    )  # fmt: skip


def row_findings(config: ContrastiveConfig, rows: TermRows, prepared: Prepared) -> Iterator[Finding]:
    """Yield what is unusual in the chunks of a run."""
    yield from shared_sound(config, rows)
    yield from _unheard_terms(rows, prepared.seen)
    yield from _alike_terms(config, prepared.alike)
    yield from _held_out(rows, prepared.seen)
    yield from _silence(config, rows, prepared.steps.clips.rows)


def _unheard_terms(rows: TermRows, seen: frozenset[str]) -> Iterator[Finding]:
    named = {term for row in rows.rows for term in (*row.terms, *row.other_terms)}
    silent = [term for term in rows.glossary if term not in named]
    if silent:
        yield Finding(
            WARNING, "terms_without_sound",
            f"{len(silent):,} of {amount(len(rows.glossary), 'term', 'are')} in no clip: {silent[0]!r} ...",
            "they can be found by their text alone, and no score says how well; more speech, or a shorter glossary",
        )  # fmt: skip
    if len(seen) < 2:
        yield Finding(
            ERROR, "terms", f"training clips name {amount(len(seen), 'term')}: there is nothing to tell apart.",
            "export from more speech, or with a larger glossary",
        )  # fmt: skip


def _alike_terms(config: ContrastiveConfig, alike: dict[str, str]) -> Iterator[Finding]:
    field = config.retrieval.text_field
    others = [(term, first) for term, first in alike.items() if term != first]
    if others:
        yield Finding(
            WARNING, "terms_alike",
            f"the encoder of texts reads the {field} of {amount(len(others), 'term')} as that of another: "
            f"{others[0][0]!r} as "
            f"{others[0][1]!r} ...",
            "each such group is learned and measured as one term; other descriptions tell them apart, or an encoder "
            "that knows their letters (retrieval.text_model)",
        )  # fmt: skip


def _held_out(rows: TermRows, seen: frozenset[str]) -> Iterator[Finding]:
    measured = [row for role in (VALIDATION, TEST) for row in rows.of(role)]
    if not measured:
        yield Finding(
            WARNING, "unmeasured", "no clip is of a validation or test split: nothing is measured.",
            "triptych split, or triptych export term-chunks --test-terms N",
        )  # fmt: skip
        return
    if not rows.of(VALIDATION):
        yield Finding(
            WARNING, "no_validation", "no clip is of a validation split: the last checkpoint is handed on.",
            "triptych split makes one",
        )  # fmt: skip
    named = {term for row in measured for term in row.terms}
    if named and not named - seen:
        yield Finding(
            WARNING, "no_unseen_terms", f"training has every term that is measured ({len(named):,}): none is unseen.",
            "triptych export term-chunks --test-terms N --unseen-terms 0.2",
        )  # fmt: skip


def _silence(config: ContrastiveConfig, rows: TermRows, trained_on: Sequence[TermRow]) -> Iterator[Finding]:
    advice = "triptych export term-chunks --no-term-share 0.1"
    if config.retrieval.enable_no_term and all(row.terms for row in trained_on):
        yield Finding(
            WARNING, "no_rejection", "retrieval.enable_no_term is set, and every training clip names a term: that "
            "nothing is said is not learned.", f"{advice}; or --set retrieval.enable_no_term=false",
        )  # fmt: skip
    measured = [row for role in (VALIDATION, TEST) for row in rows.of(role)]
    if measured and all(row.terms for row in measured):
        yield Finding(
            WARNING, "rejection_unmeasured", "every measured clip names a term: how many clips without a term are "
            "rejected is not measured.", advice,
        )  # fmt: skip
