"""A contrastive run: vectors once, then projections, with checkpoints from which it goes on exactly.

The loop, its record and its checkpoints are those of every run (`runs/`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from ...shards.store.store import Store
from ..data.bad_rows import REFUSE, BadRows
from ..models.model_files import locate
from ..models.model_loading import require_torch
from .clip_steps import Clips, ClipSteps
from .config import SLICE, ContrastiveConfig
from .encoders import SpeechEncoder, TextEncoder, speech_encoder, text_encoder
from .glossary_index import GlossaryIndex, require_faiss
from .loss import ContrastiveLoss
from .metrics import RetrievalScores
from .retriever import FOLDER, RetrieverSettings, projected, save
from .row_vectors import VECTORS, RowVectors, row_vectors
from .scores import RetrievalMeasure, write_scores
from .term_rows import TEST, TRAIN, VALIDATION, TermRows

if TYPE_CHECKING:
    from ..runs.loop.checkpoints import Checkpoint, Checkpoints
    from ..runs.loop.trainer import RunTrainer
    from ..runs.records.run_line import Lines
    from .projections import Projections

NAME = "contrastive"
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastiveResult:
    """What came of a run, or of a dry run what it would train on.

    Attributes:
        clips, clips_without_term: Clips that are trained on, and those of them that name no term.
        measured: Clips of validation and of test splits.
        glossary, unseen: Terms that can be found, and those that tests name and training does not.
        left_out: Clips that were not heard, by reason.
        best_checkpoint: The best by validation clips; None: there are none, and the last one is handed on.
        scores: By role; the retriever's, after the last step.
        retriever: The folder that `triptych retrieve` takes; None: a dry run.
    """

    folder: Path | None
    export: str
    clips: int
    clips_without_term: int
    measured: dict[str, int]
    glossary: int
    unseen: int
    left_out: dict[str, int]
    steps: int
    best_checkpoint: str | None = None
    scores: dict[str, RetrievalScores] | None = None
    retriever: Path | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    rows: TermRows
    speech: SpeechEncoder
    text: TextEncoder
    vectors: RowVectors
    steps: ClipSteps
    measures: list[RetrievalMeasure]
    seen: frozenset[str]

    def result(self, folder: Path | None, **more: Any) -> ContrastiveResult:
        clips = self.steps.clips.rows
        named = {term for row in self.vectors.rows if row.role != TRAIN for term in row.terms}
        return ContrastiveResult(
            folder=folder, export=self.rows.reader.version.reference, clips=len(clips),
            clips_without_term=sum(not row.terms for row in clips),
            measured={measure.role: len(measure.rows) for measure in self.measures}, glossary=len(self.rows.glossary),
            unseen=len(named - self.seen), left_out=dict(Counter(each.reason for each in self.vectors.left_out)),
            steps=len(self.steps), **more,
        )  # fmt: skip


def train(
    config: ContrastiveConfig, *, store: Store, resume: bool = False, progress: Progress | None = None,
    lines: Lines | None = None,
) -> ContrastiveResult:  # fmt: skip
    """Train a retriever.

    Raises:
        UsageError: Something that was asked for is not here or cannot be done; or a run stands in the folder, or
            another one than is to go on.
        ProblemsFound: Clips cannot be heard; or the loss is no longer a number.
        Stopped: SIGTERM or SIGINT ended the run; it can go on.
        DamagedError: A file of an encoder, the export or the run is damaged.
    """
    from ..runs.loop.checkpoints import Checkpoints
    from ..runs.run_folder import CHECKPOINTS, alone_in, where_to_begin

    require_torch("retrieval")
    require_faiss()
    folder = config.folder
    if resume and not folder.is_dir():
        raise UsageError(f"--resume: there is no run in {folder}.", hint="leave --resume out to begin one")
    with alone_in(folder):
        checkpoints = Checkpoints(folder / CHECKPOINTS, config.logging.keep)
        begin = where_to_begin(folder, checkpoints, resume=resume)
        prepared = _prepare(config, store, cache=folder / VECTORS)
        return _trained(config, prepared, checkpoints, begin, store=store, progress=progress, lines=lines)


def _trained(
    config: ContrastiveConfig, prepared: _Prepared, checkpoints: Checkpoints, begin: Checkpoint | None, *, store: Store,
    progress: Progress | None, lines: Lines | None,
) -> ContrastiveResult:  # fmt: skip
    """Train what was prepared, from a checkpoint on."""
    from ..runs.loop.stop_signals import Stopped, stop_signals
    from ..runs.observers import Observers
    from ..runs.records.record import RunRecord

    config = _with_epochs(config, prepared.steps.of_epoch)
    model = _projections(config, prepared)
    with stop_signals() as stop:
        facts = _facts(config, prepared, store)
        record = RunRecord(config.folder, facts, from_step=0 if begin is None else begin.step, lines=lines)
        trainer = _trainer(config, prepared, model, checkpoints, stop, Observers(record=record, progress=progress))
        if begin is not None:
            trainer.restore(begin)
        with record:
            trainer.run()
            if trainer.stopped_by is not None and trainer.state.global_step < len(prepared.steps):
                raise Stopped(
                    trainer.stopped_by, trainer.state.global_step,
                    command=f"triptych train {NAME} --output-dir {config.folder} --resume",
                )  # fmt: skip
            return _handed_on(config, prepared, model, trainer, checkpoints)


def plan(config: ContrastiveConfig, *, store: Store) -> ContrastiveResult:
    """Read rows, and say what would be trained on; no clip is heard, and nothing is written."""
    rows = TermRows.open(config.data.train, store=store)
    for name in (config.model.base_model, _text_model(config)):
        locate(name)
    nothing = _nothing(len(rows.rows))
    heard = RowVectors(rows.rows, nothing, nothing, _nothing(len(rows.glossary)), ())
    made = _planned(config, rows, heard)
    measured = {role: len(rows.of(role)) for role in (VALIDATION, TEST) if rows.of(role)}
    clips = made.clips.rows
    seen = {term for row in clips for term in row.terms}
    named = {term for row in rows.rows if row.role != TRAIN for term in row.terms}
    return ContrastiveResult(
        folder=None, export=rows.reader.version.reference, clips=len(clips),
        clips_without_term=sum(not row.terms for row in clips), measured=measured, glossary=len(rows.glossary),
        unseen=len(named - seen), left_out={}, steps=len(made),
    )  # fmt: skip


def _nothing(rows: int) -> Any:
    import numpy as np

    return np.zeros((rows, 0), np.float32)


def _prepare(config: ContrastiveConfig, store: Store, *, cache: Path) -> _Prepared:
    section = config.retrieval
    rows = TermRows.open(config.data.train, store=store)
    if not rows.of(TRAIN):
        raise UsageError(f"{rows.reader.version.reference}: no row is of a training split.")
    model = config.model
    seed = config.training.seed if section.random_speech else None
    speech = speech_encoder(model.base_model, revision=model.revision, download=model.download, random_seed=seed)
    text = text_encoder(_text_model(config), revision=_text_tag(config), download=model.download)
    vectors = row_vectors(rows, speech, text, field=section.text_field, cache=cache)
    if vectors.left_out and config.data.bad_rows == REFUSE:
        raise BadRows(rows.reader.version.reference, vectors.left_out)
    steps = _planned(config, rows, vectors)
    seen = frozenset(term for row in steps.clips.rows for term in row.terms)
    return _Prepared(rows, speech, text, vectors, steps, _measures(config, rows, vectors, seen), seen)


def _text_model(config: ContrastiveConfig) -> str:
    return config.retrieval.text_model or config.model.base_model


def _text_tag(config: ContrastiveConfig) -> str | None:
    section = config.retrieval
    return section.text_revision if section.text_model is not None else config.model.revision


def _planned(config: ContrastiveConfig, rows: TermRows, vectors: RowVectors) -> ClipSteps:
    """The steps over the training clips."""
    section, training = config.retrieval, config.training
    numbers = [
        number for number, row in enumerate(vectors.rows) if row.role == TRAIN and (row.terms or section.enable_no_term)
    ]
    numbers = numbers[:SLICE] if section.single_slice else numbers
    own = [vectors.rows[number] for number in numbers]
    places = {term: number for number, term in enumerate(rows.glossary)}
    trained = {term for row in own for term in (*row.terms, *row.other_terms)}
    tested = {term for row in rows.rows if row.role != TRAIN for term in (*row.terms, *row.other_terms)}
    # A term that only tests name stays out of training, as something that no clip says too.
    candidates = [number for term, number in places.items() if term in trained or term not in tested]
    looks = section.enable_hard_neg and section.hard_neg_source == "glossary"
    clips = Clips(own, vectors.audio[numbers], vectors.texts[numbers], places, vectors.terms, candidates)
    return ClipSteps(
        clips, training.batch_size, training.gradient_accumulation_steps, training.epochs, training.seed,
        training.max_steps, section.hard_neg_drawn if looks else 0,
    )  # fmt: skip


def _measures(
    config: ContrastiveConfig, rows: TermRows, vectors: RowVectors, seen: frozenset[str]
) -> list[RetrievalMeasure]:
    section = config.retrieval
    glossary = range(len(rows.glossary))
    if not section.enable_full_eval:
        named = {term for row in vectors.rows for term in row.terms}
        glossary = [number for number in glossary if rows.glossary[number] in named]  # type: ignore[assignment]
    terms = [rows.glossary[number] for number in glossary]
    found = []
    for role in (VALIDATION, TEST):
        numbers = [number for number, row in enumerate(vectors.rows) if row.role == role]
        if numbers:
            found.append(RetrievalMeasure(
                role, [vectors.rows[number] for number in numbers], vectors.audio[numbers], terms,
                vectors.terms[list(glossary)], seen, section.threshold, config.training.seed, role == VALIDATION,
            ))  # fmt: skip
    return found


def _with_epochs(config: ContrastiveConfig, of_epoch: int) -> ContrastiveConfig:
    """A checkpoint an epoch, unless another number of steps is given."""
    if "save_steps" in config.logging.model_fields_set:
        return config
    return config.model_copy(update={"logging": config.logging.model_copy(update={"save_steps": of_epoch})})


def _projections(config: ContrastiveConfig, prepared: _Prepared) -> Projections:
    import numpy as np
    import torch
    from transformers import set_seed

    from .projections import Projections

    set_seed(config.training.seed)
    clips = prepared.steps.clips
    model = Projections(prepared.speech.width, prepared.text.width, config.retrieval.dimension)
    model.speech.fit(torch.from_numpy(clips.audio))
    trained = sorted({clips.terms[term] for term in prepared.seen})
    model.text.fit(torch.from_numpy(np.concatenate([clips.texts, clips.term_vectors[trained]])))
    return model


@dataclass(frozen=True, slots=True)
class _ProjectionWeights:
    """Checkpoints hold the projections; means and spreads come of the same vectors again."""

    def save(self, model: Any, folder: Path) -> None:
        from ..models.weights import save_weights, trained_parameters

        save_weights(trained_parameters(model), folder)

    def load(self, model: Any, folder: Path) -> None:
        from ..models.weights import load_weights

        load_weights(model, folder)


def _trainer(
    config: ContrastiveConfig, prepared: _Prepared, model: Projections, checkpoints: Checkpoints, stop: Any,
    observer: Any,
) -> RunTrainer:  # fmt: skip
    from ..runs.loop.arguments import arguments_of
    from ..runs.loop.identity import identity_of
    from ..runs.loop.rates import schedule_of
    from ..runs.loop.trainer import RunTrainer
    from ..runs.processes.ranks import ranks_here
    from ..runs.scores.evaluations import Evaluations

    if ranks_here().num_processes > 1:
        raise UsageError("contrastive training takes one process: projections are small.", hint="start it alone")
    section, training, steps = config.retrieval, config.training, prepared.steps
    schedule = schedule_of(config, len(steps))
    trainer = RunTrainer(
        model, arguments_of(config, config.folder, steps=len(steps)),
        objective=ContrastiveLoss(section.losses, section.hard_neg_count if section.enable_hard_neg else None),
        steps=steps, groups=lambda model: _groups(model, training.lr, training.weight_decay),
        schedule=lambda optimizer: schedule.of_groups(optimizer, lambda group, step: 1.0), checkpoints=checkpoints,
        weights=_ProjectionWeights(), observer=observer, stop=stop,
        identity=identity_of(
            config, export=prepared.rows.reader.content_sha256,
            model=f"{prepared.speech.revision} {prepared.text.revision}", ranks=1,
        ),
    )  # fmt: skip
    if prepared.measures:
        trainer.evaluations = Evaluations(
            measures=prepared.measures, steps=section.full_eval_every_n_epochs * steps.of_epoch, base=True,
            patience=section.patience,
        )  # fmt: skip
    return trainer


def _groups(model: Any, rate: float, decay: float) -> list[dict[str, Any]]:
    parameters = list(model.named_parameters())
    return [
        {"name": "projections", "lr": rate, "weight_decay": decay if is_matrix else 0.0,
         "params": [each for name, each in parameters if name.endswith("weight") == is_matrix]}
        for is_matrix in (True, False)
    ]  # fmt: skip


def _facts(config: ContrastiveConfig, prepared: _Prepared, store: Store) -> Any:
    from ..runs.records.facts import RunFacts

    return RunFacts(
        trainer=NAME, config=config, exports={"train": prepared.rows.reader.version},
        revision=prepared.speech.revision, family="retrieval", tokenizer=prepared.text.tokenizer,
        model_folder=locate(config.model.base_model, revision=config.model.revision).folder,
        steps=len(prepared.steps), rows=len(prepared.steps.clips.rows),
        left_out=[row.record() for row in prepared.vectors.left_out], store=store,
        components=[
            {"component": name, "parameters": width * config.retrieval.dimension + config.retrieval.dimension,
             "trainable": width * config.retrieval.dimension + config.retrieval.dimension}
            for name, width in (("projection of speech", prepared.speech.width),
                                ("projection of text", prepared.text.width))
        ],
    )  # fmt: skip


def _handed_on(
    config: ContrastiveConfig, prepared: _Prepared, model: Projections, trainer: RunTrainer, checkpoints: Checkpoints
) -> ContrastiveResult:
    """Write the retriever of the best checkpoint, or of the last, with its index and scores."""
    section, best = config.retrieval, trainer.progress.best_step
    chosen = checkpoints.latest if best is None else checkpoints.at(best)
    if chosen is not None:
        _ProjectionWeights().load(model, chosen.path)
    model.cpu().eval()
    folder = config.folder / FOLDER
    settings = RetrieverSettings(
        speech=config.model.base_model, speech_revision=prepared.speech.revision, speech_tag=config.model.revision,
        text=_text_model(config), text_revision=prepared.text.revision, text_tag=_text_tag(config),
        dimension=section.dimension, text_field=section.text_field, threshold=section.threshold,
        random_seed=config.training.seed if section.random_speech else None,
    )  # fmt: skip
    save(folder, settings, model, GlossaryIndex.of(
        prepared.rows.glossary, projected(model.text, prepared.vectors.terms)
    ))  # fmt: skip
    scores = {measure.role: measure.scores(model) for measure in prepared.measures}
    write_scores(folder, scores)
    return prepared.result(
        config.folder, best_checkpoint=None if best is None else checkpoints.at(best).name, scores=scores,
        retriever=folder,
    )  # fmt: skip
