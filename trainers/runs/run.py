"""A run from its configuration to its folder: `train_sft` and its like are recipes for it.

The first process writes; the others of the same run compute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from ...shards.exports.versions import find
from ...shards.store.store import Store
from .loop.checkpoints import Checkpoint, Checkpoints
from .loop.identity import identity_of
from .loop.rates import schedule_of
from .loop.stop_signals import Stopped, StopRequest, stop_signals
from .observers import Observers
from .preflight.audio_gap import AudioGap, gap_of
from .preflight.settings import number_format_of
from .prepare import Data, Prepared, Recipe, computing_of, open_data, prepare, towers_of
from .processes.ranks import ranks_here
from .records.facts import RunFacts
from .records.record import RunRecord
from .records.run_line import Lines
from .result import RunResult, components_of, result_of
from .run_folder import CHECKPOINTS, alone_in, where_to_begin

if TYPE_CHECKING:
    from .config.sections import RunConfig
    from .loop.objective import Objective
    from .loop.progress import Observer
    from .loop.trainer import RunTrainer
    from .preflight.findings import Finding
    from .scores.evaluations import Evaluations

Progress = Callable[[int, int], None]


def train(
    config: RunConfig, recipe: Recipe, *, store: Store, resume: bool = False, progress: Progress | None = None,
    lines: Lines | None = None,
) -> RunResult:  # fmt: skip
    """Train a model.

    Args:
        resume: Go on from the last checkpoint of the run in the configuration's folder.
        progress: Called with the number of steps that are over, and their number.
        lines: Called with what the log says of its start, of steps and of scores.

    Raises:
        UsageError: Something that was asked for is not here or cannot be done; rows are trained on and measured on; or
            a run stands in the folder, or another one than is to go on.
        ProblemsFound: Rows cannot be trained on.
        Diverged: The loss is no longer a number.
        Stopped: SIGTERM or SIGINT ended the run; it can go on.
        DamagedError: A checkpoint or a file of the model cannot be read or written; sound is not heard.
    """
    folder = config.folder
    if resume and not folder.is_dir():
        raise UsageError(f"--resume: there is no run in {folder}.", hint="leave --resume out to begin one")
    state = ranks_here()
    with alone_in(folder) if state.is_main_process else nullcontext():
        checkpoints = Checkpoints(folder / CHECKPOINTS, config.logging.keep)
        begin = where_to_begin(folder, checkpoints, resume=resume)
        with state.main_process_first():  # the others find what it has downloaded and measured
            prepared = prepare(
                config, recipe, store=store, folder=folder, rank=state.process_index, ranks=state.num_processes,
                device=str(state.device),
            )  # fmt: skip
        try:
            return _trained(config, prepared, checkpoints, begin, store=store, progress=progress, lines=lines)
        finally:
            prepared.data.loader.close()


@dataclass(frozen=True, slots=True)
class _Hearing:
    """Measures the audio gap for the record; not of a model that is spread over devices."""

    prepared: Prepared
    trainer: RunTrainer
    record: RunRecord

    def measure(self, when: str) -> AudioGap | None:
        from .processes.parts import is_in_parts

        if is_in_parts(self.trainer.accelerator):
            return None
        gap = gap_of(self.prepared)
        if gap is not None and self.trainer.accelerator.is_main_process:
            self.record.measured_gap(when, asdict(gap))
        return gap


def _trained(
    config: RunConfig, prepared: Prepared, checkpoints: Checkpoints, begin: Checkpoint | None, *, store: Store,
    progress: Progress | None, lines: Lines | None,
) -> RunResult:  # fmt: skip
    """Train what was prepared, from a checkpoint on."""
    folder = config.folder
    with stop_signals() as stop:
        objective, about = _begun(prepared, prepared.data, folder, towers_of(prepared))
        facts = facts_of(config, prepared, store, about=about)
        record = RunRecord(folder, facts, from_step=0 if begin is None else begin.step, lines=lines)
        observer = Observers(record=record, progress=progress)
        trainer = trainer_of(prepared, config, checkpoints, stop, objective=objective, store=store, observer=observer)
        if begin is not None:
            trainer.restore(begin)
        with record if ranks_here().is_main_process else nullcontext():
            hears = _Hearing(prepared, trainer, record)
            if begin is None:
                hears.measure("base")
            trainer.run()
            is_over = trainer.state.global_step == len(prepared.steps) and not trainer.progress.awaits_scores
            if trainer.stopped_by is not None and not is_over:
                raise Stopped(
                    trainer.stopped_by, trainer.state.global_step,
                    command=f"triptych train {prepared.recipe.name} --output-dir {folder} --resume",
                )  # fmt: skip
            gap = hears.measure("last")
    return result_of(config, prepared, trainer, gap)


def trainer_of(
    prepared: Prepared, config: RunConfig, checkpoints: Checkpoints, stop: StopRequest, *, objective: Objective,
    store: Store, observer: Observer,
) -> RunTrainer:  # fmt: skip
    """Put the loop of a run together."""
    from ..models.towers import SoundCheck
    from .loop.arguments import arguments_of
    from .loop.trained_weights import StageHooks, TrainedWeights
    from .loop.trainer import RunTrainer

    folder, data, trained = config.folder, prepared.data, prepared.trained
    ranks = data.plan.ranks
    steps = len(prepared.steps)
    schedule = schedule_of(config, steps)
    weights = TrainedWeights(trained)
    check = SoundCheck(prepared.model, prepared.family) if data.modalities else None
    trainer = RunTrainer(
        prepared.model, arguments_of(config, folder, steps=steps, mixed=prepared.loaded.dtype), objective=objective,
        steps=prepared.steps,
        groups=lambda model: trained.optimizer_groups(model, weight_decay=config.training.weight_decay),
        schedule=lambda optimizer: schedule.of_groups(optimizer, trained.share), checkpoints=checkpoints,
        weights=weights, observer=observer, stop=stop,
        identity=identity_of(
            config, export=data.rows.reader.content_sha256, model=prepared.files.revision, ranks=ranks
        ),
        hooks=StageHooks(prepared.model, trained, check, is_wrapped=ranks > 1),
    )  # fmt: skip
    weights.is_main = trainer.accelerator.is_main_process
    trainer.evaluations = _evaluations(prepared, config, trainer, store=store)
    return trainer


def _begun(prepared: Prepared, data: Data, folder: Path, towers: Any) -> tuple[Objective, dict[str, Any]]:
    """The objective for some rows, with what it needs to know of them; and what the record keeps of that."""
    recipe = prepared.recipe
    objective = recipe.objective(towers if data.plan.ranks > 1 else None)
    return objective, {} if recipe.begin is None else recipe.begin(objective, prepared, data, folder)


def facts_of(config: RunConfig, prepared: Prepared, store: Store, *, about: dict[str, Any]) -> RunFacts:
    """What the record of a run has from its start.

    Args:
        about: What the recipe tells of its rows.
    """
    data = prepared.data
    others = {"validation": config.data.validation, "evaluation": config.evaluation and config.evaluation.export}
    exports = {name: find(store, reference) for name, reference in others.items() if reference}
    return RunFacts(
        trainer=prepared.recipe.name, config=config, exports={"train": data.rows.reader.version, **exports},
        revision=prepared.files.revision, family=prepared.family.name, tokenizer=prepared.loaded.tokenizer,
        model_folder=prepared.files.folder, steps=len(prepared.steps), rows=data.plan.rows,
        device=str(next(prepared.model.parameters()).device), ranks=data.plan.ranks,
        components=[asdict(each) for each in components_of(prepared)], rates=prepared.trained.rates,
        left_out=[row.record() for row in data.lengths.left_out], store=store, about=about,
        warnings=[finding.text for finding in _warnings(config, prepared)],
    )  # fmt: skip


def _warnings(config: RunConfig, prepared: Prepared) -> Iterator[Finding]:
    """What preflight tells too, and a run without one should: rows that are measured and trained on where that is
    allowed, and formats of numbers."""
    yield from prepared.overlap
    yield from number_format_of(prepared, asked=config.model.dtype)


def _evaluations(prepared: Prepared, config: RunConfig, trainer: RunTrainer, *, store: Store) -> Evaluations | None:
    """What is measured meanwhile: the loss on the export of validation, answers to that of evaluation."""
    from .processes.parts import is_in_parts
    from .processes.ranks import gathered
    from .scores.evaluations import Evaluations
    from .scores.validation_loss import ValidationLoss

    section, plan = config.evaluation, prepared.data.plan
    rank, computing = trainer.accelerator.process_index, computing_of(prepared)
    in_parts = is_in_parts(trainer.accelerator)
    measures: list[Any] = []
    if prepared.validation is not None:
        data = open_data(
            prepared.validation, prepared.encoder, config, folder=config.folder, rank=rank, ranks=plan.ranks,
            is_validation=True,
        )  # fmt: skip
        make = prepared.recipe.validation
        measures.append(ValidationLoss(
            data.loader, _begun(prepared, data, config.folder, None)[0], selects=section is None and make is None,
            gathered=gathered, computing=computing, in_parts=in_parts,
        ))  # fmt: skip
        if make is not None:
            measures.append(make(prepared, data, gathered=gathered, part=None if in_parts else (rank, plan.ranks)))
    if section is not None:
        from .scores.answers import AnswerScores

        measures.append(AnswerScores.open(
            section, loaded=prepared.loaded, store=store, out=config.folder / "evaluations",
            step=lambda: trainer.state.global_step, gathered=gathered, computing=computing,
            part=(0, 1) if in_parts else (rank, plan.ranks), is_main=trainer.accelerator.is_main_process,
        ))  # fmt: skip
    if not measures:
        return None
    return Evaluations(
        measures=measures, steps=config.evaluation_steps, base=section is None or section.base,
        patience=None if section is None else section.patience,
    )  # fmt: skip
