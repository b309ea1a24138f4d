"""A contrastive run, with checkpoints from which it goes on exactly, and the control beside it.

The loop, its record and its checkpoints are those of every run (`runs/`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from ...shards.pace import PaceLines
from ...shards.store.store import Store
from ..models.adapters import trainable_by_component
from ..models.model_loading import require_torch
from ..models.training_model import FP32, dtype_on
from ..runs.loop.checkpoints import Checkpoints
from ..runs.loop.progress import check_files, read_state
from ..runs.loop.stop_signals import Stopped, stop_signals
from ..runs.loop.trained_weights import TrainedWeights
from ..runs.observers import Observers
from ..runs.preflight.findings import refuse
from ..runs.records.record import RunRecord
from ..runs.records.run_line import RunLine
from ..runs.run_folder import CHECKPOINTS, alone_in, where_to_begin
from .config import ContrastiveConfig
from .model.encoders import device_here
from .model.model_inputs import TEXT, projected
from .model.row_vectors import VECTORS
from .model.trained_parts import FAMILY, changed_weights, merge, trained_encoders
from .objective.hard_negatives import NearTermHooks
from .preflight import row_findings
from .prepare import Prepared, prepare, shared_sound, text_model, text_tag
from .result import NAME, ContrastiveResult, result_of
from .scores.measure import CONTROL, write_scores
from .scores.page import write_scores_page
from .search.glossary_index import GlossaryIndex, require_faiss
from .search.retriever import FOLDER, RetrieverSettings, save

if TYPE_CHECKING:
    from ..runs.loop.trainer import RunTrainer
    from ..runs.records.run_line import Lines
    from .objective.hard_negatives import NearTerms

Progress = Callable[[int, int], None]


def train(
    config: ContrastiveConfig, *, store: Store, resume: bool = False, progress: Progress | None = None,
    lines: Lines | None = None,
) -> ContrastiveResult:  # fmt: skip
    """Train a retriever, and with `retrieval.random_control` another one by random weights.

    Raises:
        UsageError: Something that was asked for is not here or cannot be done; or a run stands in the folder, or
            another one than is to go on.
        ProblemsFound: Clips cannot be heard; or the loss is no longer a number.
        Stopped: SIGTERM or SIGINT ended the run; it can go on.
        DamagedError: A file of an encoder, the export or the run is damaged.
    """
    require_torch("retrieval")
    require_faiss()
    folder = config.folder
    if resume and not folder.is_dir():
        raise UsageError(f"--resume: there is no run in {folder}.", hint="leave --resume out to begin one")
    with alone_in(folder):
        found = _run(config, store=store, resume=resume, progress=progress, lines=lines)
        if config.retrieval.random_control:
            control = control_of(config)
            is_begun = Checkpoints(control.folder / CHECKPOINTS).latest is not None
            with alone_in(control.folder):
                beside = _run(
                    control, store=store, resume=resume and is_begun, progress=progress, lines=lines, of=folder
                )
            found = replace(found, control=beside.scores)
        write_scores(folder / FOLDER, found.scores or {}, found.control)
        write_scores_page(folder, found)
    return found


def control_of(config: ContrastiveConfig) -> ContrastiveConfig:
    """The run of the control: the same with random weights in the speech encoder."""
    section = config.retrieval.model_copy(update={"random_speech": True, "random_control": False})
    return config.model_copy(update={"retrieval": section, "output_dir": config.folder / CONTROL})


def _resume(folder: Path) -> str:
    return f"triptych train {NAME} --output-dir {folder} --resume"


def _run(
    config: ContrastiveConfig, *, store: Store, resume: bool, progress: Progress | None, lines: Lines | None,
    of: Path | None = None,
) -> ContrastiveResult:  # fmt: skip
    """A run in its folder, which this process holds.

    Args:
        of: The folder of the run that it is the control of; the store does not hear of it.
    """
    folder = config.folder
    checkpoints = Checkpoints(folder / CHECKPOINTS, config.logging.keep)
    begin = where_to_begin(folder, checkpoints, resume=resume)
    prepared = prepare(config, store, cache=folder / VECTORS, again=begin is None, progress=_encoding(lines))
    refuse(row_findings(config, prepared.rows, prepared))
    config = _with_epochs(config, prepared.steps.of_epoch)
    with stop_signals() as stop:
        facts = _facts(config, prepared, store if of is None else None)
        record = RunRecord(folder, facts, from_step=0 if begin is None else begin.step, lines=lines)
        trainer = _trainer(config, prepared, checkpoints, stop, Observers(record=record, progress=progress))
        if begin is not None:
            trainer.restore(begin)
        with record:
            trainer.run()
            if trainer.stopped_by is not None and trainer.state.global_step < len(prepared.steps):
                raise Stopped(trainer.stopped_by, trainer.state.global_step, command=_resume(of or folder))
            return _handed_on(config, prepared, trainer, checkpoints)


def _encoding(lines: Lines | None) -> Callable[[int, int], None] | None:
    """What tells how far the clips are encoded before the first step, which takes hours."""
    if lines is None:
        return None
    return PaceLines(lambda what, left_s: lines(RunLine("encoding", what, left_s)), "clips")


def _with_epochs(config: ContrastiveConfig, of_epoch: int) -> ContrastiveConfig:
    """A checkpoint an epoch, unless another number of steps is given."""
    if "save_steps" in config.logging.model_fields_set:
        return config
    return config.model_copy(update={"logging": config.logging.model_copy(update={"save_steps": of_epoch})})


@dataclass(frozen=True, slots=True)
class _Weights:
    """What a checkpoint holds: trained weights, and what the index of near terms was made with. Means and spreads come
    of the same vectors again."""

    own: TrainedWeights
    near: NearTerms | None

    def save(self, model: Any, folder: Path) -> None:
        self.own.save(model, folder)
        if self.near is not None:
            self.near.save(folder)

    def load(self, model: Any, folder: Path) -> None:
        self.own.load(model, folder)
        if self.near is not None:
            self.near.load(model, folder)


def _trainer(
    config: ContrastiveConfig, prepared: Prepared, checkpoints: Checkpoints, stop: Any, observer: Any
) -> RunTrainer:  # fmt: skip
    from ..runs.loop.arguments import arguments_of
    from ..runs.loop.identity import identity_of
    from ..runs.loop.rates import schedule_of
    from ..runs.loop.trainer import RunTrainer
    from ..runs.processes.ranks import ranks_here
    from ..runs.scores.evaluations import Evaluations

    if ranks_here().num_processes > 1:
        raise UsageError(
            "contrastive training takes one process: the clips of a batch are told from one another.",
            hint="start it alone, on one GPU: CUDA_VISIBLE_DEVICES=0 triptych train contrastive ...",
        )
    section, training, steps = config.retrieval, config.training, prepared.steps
    schedule = schedule_of(config, len(steps))
    trained, near = prepared.trained, prepared.near
    mixed = dtype_on(config.model.dtype, device_here()) if trained_encoders(config) else FP32
    trainer = RunTrainer(
        prepared.model, arguments_of(config, config.folder, steps=len(steps), mixed=mixed),
        objective=prepared.objective, steps=steps,
        groups=lambda model: trained.optimizer_groups(model, weight_decay=training.weight_decay),
        schedule=lambda optimizer: schedule.of_groups(optimizer, trained.share), checkpoints=checkpoints,
        weights=_Weights(TrainedWeights(trained), near), observer=observer, stop=stop,
        hooks=None if near is None else NearTermHooks(prepared.model, near),
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


def _facts(config: ContrastiveConfig, prepared: Prepared, store: Store | None) -> Any:
    from ..runs.records.facts import RunFacts

    return RunFacts(
        trainer=NAME, config=config, exports={"train": prepared.rows.reader.version},
        revision=prepared.speech.revision, family="retrieval", tokenizer=prepared.text.tokenizer,
        model_folder=prepared.speech.folder, steps=len(prepared.steps), rows=len(prepared.steps.clips.rows),
        device=device_here(), left_out=[row.record() for row in prepared.vectors.left_out], store=store,
        components=[asdict(each) for each in trainable_by_component(prepared.model, FAMILY)],
        rates=prepared.trained.rates,
        warnings=[finding.text for finding in shared_sound(config, prepared.rows)],
    )  # fmt: skip


def _handed_on(
    config: ContrastiveConfig, prepared: Prepared, trainer: RunTrainer, checkpoints: Checkpoints
) -> ContrastiveResult:
    """Write the retriever of the best checkpoint, or of the last, with its index; score it."""
    section, best, model = config.retrieval, trainer.progress.best_step, prepared.model
    chosen = checkpoints.latest if best is None else checkpoints.at(best)
    if chosen is not None:
        check_files(chosen, read_state(chosen)["files"])
        TrainedWeights(prepared.trained).load(model, chosen.path)
    merge(model)
    model.eval()
    folder = config.folder / FOLDER
    settings = RetrieverSettings(
        speech=config.model.base_model, speech_revision=prepared.speech.revision, speech_tag=config.model.revision,
        text=text_model(config), text_revision=prepared.text.revision, text_tag=text_tag(config),
        dimension=section.dimension, text_field=section.text_field, threshold=section.threshold,
        random_seed=config.training.seed if section.random_speech else None, trained=trained_encoders(config),
        dtype=config.model.dtype,
    )  # fmt: skip
    index = GlossaryIndex.of(prepared.rows.glossary, projected(model, prepared.glossary, TEXT))
    save(folder, settings, model, index, changed_weights(prepared.trained))
    return result_of(
        prepared, config.folder, best_checkpoint=None if best is None else checkpoints.at(best).name,
        scores={measure.role: measure.scores(model) for measure in prepared.measures}, retriever=folder,
    )  # fmt: skip
