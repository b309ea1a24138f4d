"""What a run is made of before its first step: rows with their lengths, the model, and what of it is trained."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import UsageError
from ...shards.store.store import Store
from ...shards.store.use import using
from ..data.bad_rows import REFUSE, BadRows
from ..data.batch_loader import BatchLoader
from ..data.batch_plan import BatchPlan
from ..data.encoder import Encoder
from ..data.exports import ExportReader
from ..data.row_lengths import MODALITIES, RowLengths, check_rows
from ..data.training_rows import TrainingRows
from ..models.adapters import add_adapters
from ..models.families import Family, family_of
from ..models.model_files import ModelFiles, locate
from ..models.model_loading import read_config, require_torch
from ..models.stages import TrainingPlan, plan_adapters, plan_stages
from ..models.training_model import TrainingModel, load_for_training
from .loop.arguments import check_reports
from .loop.rates import stage_ends
from .loop.steps import PlannedSteps
from .preflight.findings import refuse
from .preflight.overlap import overlaps
from .run_folder import LENGTHS

if TYPE_CHECKING:
    from .config.sections import RunConfig
    from .loop.objective import Objective
    from .preflight.findings import Finding
    from .scores.evaluations import Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What a run begins with, before it is loaded.

    Attributes:
        files: Where its files lie, and which they are.
        load: Loads it onto a device; None: a GPU where there is one.
    """

    files: ModelFiles
    family: Family
    encoder: Encoder
    load: Callable[[str | None], TrainingModel]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What one trainer does differently from the others.

    Attributes:
        name: `sft`, `dpo`: the command and the kind of the run.
        base: Finds what is trained on some rows, and makes their encoder: `model_with(ENCODER)` where that is the model
            of `model.base_model`.
        objective: Makes the loss; `towers` is given where several processes train together.
        begin: Called, before the first step, with an objective, the rows that it will be asked about and the run's
            folder; returns what the record keeps of them. None: there is nothing to prepare.
        validation: Makes what else is measured on the rows of `data.validation`, by which checkpoints are then
            compared: of the run and those rows, with `gathered` and `part` as `AnswerScores` has them; `part` is None
            where ranks hold parts of the model. None: their loss is all.
        answers: Makes of the encoder one of plain answers, and the loss over them: what a preflight shows, and
            measures sound with. None: the recipe's own are that.
    """

    name: str
    base: Callable[[RunConfig, TrainingRows], Base]
    objective: Callable[[Any], Objective]
    begin: Callable[[Objective, Prepared, Data, Path], dict[str, Any]] | None = None
    validation: Callable[..., Measure] | None = None
    answers: Callable[[Any], tuple[Any, Objective]] | None = None

    def answers_of(self, encoder: Any) -> tuple[Any, Objective]:
        """The encoder of plain answers, and the loss over them."""
        return (encoder, self.objective(None)) if self.answers is None else self.answers(encoder)


def model_with(
    encoder: Callable[[Family, Path, RunConfig], Encoder],
) -> Callable[[RunConfig, TrainingRows], Base]:
    """What finds the model of `model.base_model`, with its own tokenizer.

    Args:
        encoder: Makes the encoder of a family of models, of its folder and the configuration.
    """

    def find(config: RunConfig, _: TrainingRows) -> Base:
        section = config.model
        if section.tokenizer is not None:
            raise UsageError(
                f"model.tokenizer: {section.tokenizer}: another tokenizer needs rows in the model for its tokens.",
                hint="save a model that was extended together with its tokenizer, and name that as model.base_model",
            )
        files = locate(section.base_model, revision=section.revision, download=section.download)
        family = family_of(read_config(files.folder))
        return Base(
            files=files, family=family, encoder=encoder(family, files.folder, config),
            load=lambda device: load_for_training(files.folder, section, revision=files.revision, device=device),
        )  # fmt: skip

    return find


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """Rows, what they take, and how they become steps."""

    rows: TrainingRows
    lengths: RowLengths
    plan: BatchPlan
    loader: BatchLoader

    @property
    def modalities(self) -> frozenset[str]:
        """What is heard and seen in any row."""
        import numpy as np

        bits = int(np.bitwise_or.reduce(self.lengths.modalities, initial=0))
        return frozenset(name for place, name in enumerate(MODALITIES) if bits >> place & 1)


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A run before its first step.

    Attributes:
        model: The model with what was added to it.
        trained: What of it is trained, in which stage, at which rates.
        validation: The rows of `data.validation`.
        overlap: What is trained on and measured on.
    """

    recipe: Recipe
    files: ModelFiles
    family: Family
    encoder: Encoder
    data: Data
    steps: PlannedSteps
    loaded: TrainingModel
    model: Any
    trained: TrainingPlan
    validation: TrainingRows | None = None
    overlap: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Exports:
    """The exports that a configuration names, found and verified.

    Attributes:
        overlap: What is trained on and measured on.
    """

    train: TrainingRows
    validation: TrainingRows | None
    overlap: tuple[Finding, ...]

    @classmethod
    def open(cls, config: RunConfig, store: Store) -> _Exports:
        section = config.data
        train = TrainingRows.open(section.train, store=store, allow_held_out=section.allow_held_out)
        validation, measured = None, {}
        if section.validation is not None:
            validation = TrainingRows.open(section.validation, store=store, allow_held_out=True)
            measured["data.validation"] = validation.reader.version
        if config.evaluation is not None:
            with using(store, "train") as opened:
                measured["evaluation.export"] = ExportReader.open(config.evaluation.export, store=opened).version
        return cls(train, validation, tuple(overlaps(config, train.reader.version, measured)))


def open_data(
    rows: TrainingRows, encoder: Encoder, config: RunConfig, *, folder: Path | None, rank: int, ranks: int,
    is_validation: bool = False,
) -> Data:  # fmt: skip
    """Measure the rows of an export, and plan its batches.

    Args:
        folder: Where lengths of rows are kept; None: nowhere.
    """
    section, training = config.data, config.training
    cache = None if folder is None else folder / f"{LENGTHS}-{rows.reader.version.reference}.npz"
    lengths = check_rows(rows, encoder, cache=cache)
    if lengths.left_out and section.bad_rows == REFUSE:
        raise BadRows(rows.where, lengths.left_out, of=len(rows))
    plan = BatchPlan(
        lengths.tokens, modalities=lengths.modalities, batch_tokens=section.batch_tokens,
        batch_size=training.batch_size if section.batch_tokens is None else None, seed=training.seed, ranks=ranks,
        accumulation=1 if is_validation else training.gradient_accumulation_steps,
    )  # fmt: skip
    loader = BatchLoader(
        rows, encoder, plan, rank=rank, workers=section.workers, bad_rows=section.bad_rows, lengths=lengths
    )
    return Data(rows, lengths, plan, loader)


def prepare(
    config: RunConfig, recipe: Recipe, *, store: Store, folder: Path | None, rank: int = 0, ranks: int = 1,
    device: str | None = None, refuses_overlap: bool = True,
) -> Prepared:  # fmt: skip
    """Open the data and the model of a run, and add to the model what is trained.

    Args:
        refuses_overlap: Raise where rows are trained on and measured on, and the configuration does not allow it.

    Raises:
        UsageError: The model or the export is not here, or cannot be trained (on) like this.
        ProblemsFound: Rows cannot be trained on, and are not to be left out.
    """
    from transformers import set_seed

    require_torch("train")
    check_reports(config.logging.report_to)
    exports = _Exports.open(config, store)  # before the model, which may be a long download
    if refuses_overlap:
        refuse(exports.overlap)
    base = recipe.base(config, exports.train)
    files, family, encoder = base.files, base.family, base.encoder
    data = open_data(exports.train, encoder, config, folder=folder, rank=rank, ranks=ranks)
    steps = PlannedSteps(data.plan, data.loader, config.training.epochs, config.training.max_steps)
    loaded = base.load(device)
    set_seed(config.training.seed)  # adapters begin with random numbers
    model = loaded.model
    if config.lora is not None:
        model = add_adapters(model, family, config.lora)
        trained = plan_adapters(model, family, config.training)
    else:
        ends = stage_ends(config.stages, epoch_steps=data.plan.optimizer_steps, steps=len(steps))
        trained = plan_stages(
            model, family, config.training, stages=config.stages, ends=ends, modalities=data.modalities
        )
    trained.prepare(model)
    if ranks > 1:
        for name, parameter in model.named_parameters():  # those of later stages too: a wrapper looks once
            if name in set(trained.names):
                parameter.requires_grad_(True)
    return Prepared(
        recipe, files, family, encoder, data, steps, loaded, model, trained, exports.validation, exports.overlap
    )


def computing_of(prepared: Prepared) -> Callable[[], AbstractContextManager[Any]]:
    """The context of a forward pass outside the loop: it computes in the format of the frozen weights."""
    import torch

    formats = {"bf16": torch.bfloat16, "fp16": torch.float16}
    dtype = formats.get(prepared.loaded.dtype)
    if dtype is None:
        return nullcontext
    kind = next(prepared.model.parameters()).device.type
    return lambda: torch.autocast(kind, dtype=dtype)


def lacking(data: Data, inputs: Any) -> tuple[str, ...]:
    """What other batches of the data hear and see, and this one does not."""
    there = {
        "audio": inputs.get("input_features") is not None,
        "image": inputs.get("pixel_values") is not None,
        "video": inputs.get("pixel_values_videos") is not None,
    }
    return tuple(sorted(kind for kind in data.modalities if not there[kind]))


def towers_of(prepared: Prepared) -> Callable[[Any, Any], Any]:
    """For several processes: 0 times the output of the towers that a batch does not use."""
    from ..models.towers import touch_towers

    return partial(_touched, prepared, touch_towers)


def _touched(prepared: Prepared, touch: Any, model: Any, inputs: Any) -> Any:
    missing = lacking(prepared.data, inputs)
    return touch(model, prepared.family, missing) if missing else None
