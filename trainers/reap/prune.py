"""Pruning a model: rows, sums, report, choice, cost, files.

What is known is written before the next step begins: the sums in `scores.npz`, the report in `report.json` and
`report.html`, and the pruned model under a temporary name until it was held against the base with its routers masked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import StoreReadOnly, UsageError
from ...shards.store.store import Store
from ..data.exports import require_exports
from ..models.families import QWEN3_OMNI
from ..models.model_files import ModelFiles, locate
from ..models.model_loading import read_config, require_torch
from ..models.training_model import Loading, TrainingModel, load_for_training
from ..runs.run_folder import alone_in
from ..serving.layouts import Layout
from . import criteria
from .criteria import FREQUENCY, GLOBAL, NO_PROTECTION, RANDOM, REAP, Kept
from .files.model_folder import expected_of, write_model
from .files.slices import check_files
from .manifest import manifest_of
from .options import PruneOptions
from .refusals import SCORES, check_counts, check_folders, check_sources, count_of, states_of
from .report.cost import BEFORE, Cost, evaluated, open_evaluations, perplexities, shared_rows
from .report.coverage import Coverage, coverage
from .report.page import write_report
from .scores.calibration import Source
from .scores.calibration_rows import Calibrated
from .scores.expert_sums import ExpertSums, State, put_together
from .scores.measure import PassSettings, Progress, measure
from .scores.moe_layers import MoeLayer, check_component, check_model, moe_layers

if TYPE_CHECKING:
    from ..runs.scores.answers import AnswerScores

PathLike = str | Path


@dataclass(frozen=True, slots=True)
class PruneResult:
    """What came of it.

    Attributes:
        model, revision: The base.
        output: The pruned model; None: nothing was pruned.
        report: The folder with `scores.npz`, `report.json`, `experts.parquet` and `report.html`.
        kept: The experts that are kept, by layer; empty for a part.
        rows, tokens: That were calibrated on, by modality.
        left_out: Rows that were left out, by reason.
        difference: Of the largest logit, between the pruned model and the base with its routers masked.
    """

    model: str
    revision: str
    output: Path | None
    report: Path
    criterion: str
    layers: int
    experts: int
    kept_experts: int
    kept: Kept
    rows: Mapping[str, int]
    tokens: Mapping[str, int]
    left_out: Mapping[str, int]
    coverage: Coverage | None
    cost: Cost | None
    difference: float | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        return self.coverage.warnings if self.coverage is not None else ()


def prune(
    options: PruneOptions,
    store: PathLike | None = None,
    *,
    progress: Progress | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> PruneResult:
    """Score the experts of a model, report, and write the model without those that score least.

    Args:
        store: Of the exports.
        tell: Called with what is worth knowing before it goes on: warnings first.
    """
    check_component(options.component)
    files = locate(options.model, revision=options.revision, download=options.download)
    sources = _sources(options, store)
    if options.eval:
        require_exports(Store.open(store), *options.eval)
    require_torch("train")
    config = read_config(files.folder)
    check_model(config)
    check_counts(options, config)
    check_folders(options, files.folder)
    layout = None
    if options.output is not None:
        layout = Layout.read(files.folder)
        layout.check_for(options.layout)
    with alone_in(options.report_folder, purpose="prune", instead="name another --report"):
        return _prune(options, files, sources, store, progress, tell)


def _prune(
    options: PruneOptions, files: ModelFiles, sources: Sequence[Source], store: PathLike | None,
    progress: Progress | None, tell: Callable[[str], None],
) -> PruneResult:  # fmt: skip
    loaded = load_for_training(
        files.folder, Loading(dtype=options.dtype), revision=files.revision, device=options.device
    )
    layers = moe_layers(loaded.model)
    if options.output is not None:
        check_files(files.folder, options.output, [layer.index for layer in layers], layers[0].count,
                    count_of(options, layers[0].count))  # fmt: skip
    evaluations = _evaluations(options, loaded, store)
    states = _states(options, loaded, layers, sources, progress)
    if options.part is not None:
        return _result(options, loaded, states[0].sums, states, ())
    sums = put_together(states).sums
    samples = states[0].identity["samples"]
    calibrated = Calibrated.of(sources, samples) if sources else None
    kept = choose(options, sums)
    report = coverage(
        sums, kept, count=count_of(options, sums.experts), least=options.least_tokens,
        is_omni=loaded.family is QWEN3_OMNI, calibrated=calibrated,
    )  # fmt: skip
    for each in report.warnings:
        tell(f"warning: {each}")
    if options.scope == GLOBAL:
        tell("note: --scope global is for the report alone: no loader takes layers with different numbers of experts")
    _warn_of_evaluations(evaluations, calibrated, tell)
    manifest = manifest_of(options, loaded, sums, states, kept)
    write_report(options.report_folder, manifest, report, None, sums)
    cost = _cost(options, loaded, layers, sources, evaluations, sums, kept, calibrated, samples, tell)
    write_report(options.report_folder, manifest, report, cost, sums)
    result = _result(options, loaded, sums, states, kept, report, cost)
    if options.output is None:
        return result
    expected = expected_of(loaded, layers, kept)
    told = {**manifest, "layout": options.layout}
    # The base makes room for the pruned model; nothing is asked of it any more.
    loaded.model, layers = None, ()
    difference = write_model(files.folder, options.output, sums, kept, told, expected)
    _register(options.output, store, sources, result, tell)
    return replace(result, difference=difference)


def _register(
    folder: Path, store: PathLike | None, sources: Sequence[Source], result: PruneResult, tell: Callable[[str], None]
) -> None:
    """Tell the store, so that whoever withdraws samples learns of this model."""
    versions = {source.version.reference: source.version for source in sources if source.version is not None}
    if not versions:
        return
    from ...shards.care.trainings import register_training
    from ...shards.store.store import Store

    try:
        register_training(
            Store.open(store), trainer="prune", folder=folder, exports=sorted(versions),
            datasets={name for version in versions.values() for name in version.manifest["datasets"]},
            rows=sum(result.rows.values()), left_out=result.left_out,
        )  # fmt: skip
    except StoreReadOnly as error:
        tell(f"note: the store does not know of this model, and `store remove` cannot name it: {error.message}")


def _sources(options: PruneOptions, store: PathLike | None) -> list[Source]:
    return [
        Source.open(modality, str(named), store=store, allow_held_out=options.allow_held_out)
        for modality, named in options.sources.items()
        if named is not None
    ]


def _encoder(options: PruneOptions, loaded: TrainingModel) -> Any:
    from ..sft.conversation_encoder import EncoderSettings
    from ..sft.encoders import encoder_of

    return encoder_of(loaded.family.name, loaded.folder, EncoderSettings(max_tokens=options.max_tokens))


def _states(
    options: PruneOptions, loaded: TrainingModel, layers: Sequence[MoeLayer], sources: Sequence[Source],
    progress: Progress | None,
) -> list[State]:  # fmt: skip
    """Measure the rows, or read what was measured. Parts are put together in the folder of the report.

    Returns:
        One measurement, or its parts.
    """
    path = options.report_folder / SCORES
    if options.scores:
        states = states_of(options.scores, loaded)
        check_sources(sources, states[0])
        _save(put_together(states), path)
        return states
    settings = PassSettings(
        samples=options.samples, batch_tokens=options.batch_tokens, bad_rows=options.bad_rows, part=options.part_of,
        workers=options.workers, wants_largest=options.protect != NO_PROTECTION,
    )  # fmt: skip
    state = measure(loaded, layers, _encoder(options, loaded), sources, settings, path, progress)
    if not state.sums.of:
        raise UsageError("no row was left to calibrate on.", hint="see what is wrong with them: --bad-rows refuse")
    return [state]


def _save(state: State, path: Path) -> None:
    """Keep scores that were put together where the report is.

    Raises:
        UsageError: Others are there.
    """
    if path.exists() and State.load(path).sums.sha256 != state.sums.sha256:
        raise UsageError(f"{path} holds other scores.", hint="name another folder: --report DIR, or remove this one")
    if not path.exists():
        state.save(path)


def choose(options: PruneOptions, sums: ExpertSums, criterion: str | None = None) -> Kept:
    """The experts that are kept by a criterion; default: that of the options."""
    named = criterion or options.criterion
    if named == RANDOM:
        values = criteria.random_scores(len(sums.layers), sums.experts, options.seed)
    else:
        values = criteria.scores(named, sums, weight=options.joint_lambda, beta=options.joint_beta)
    protect = None
    if options.protect != NO_PROTECTION and named != RANDOM:
        if sums.largest is None:
            raise UsageError(f"--protect {options.protect}: these scores were measured without the largest outputs.",
                             hint="measure them again with --protect")  # fmt: skip
        protect = criteria.protected(sums.largest, options.protect)
    count = count_of(options, sums.experts)
    criteria.check_count(count, experts=sums.experts, top_k=sums.top_k)
    if options.scope == GLOBAL:
        return criteria.keep_globally(values, count, top_k=sums.top_k, protect=protect)
    return criteria.keep(values, count, protect=protect)


def _evaluations(
    options: PruneOptions, loaded: TrainingModel, store: PathLike | None
) -> dict[str, AnswerScores]:  # fmt: skip
    if not options.eval:
        return {}
    return open_evaluations(
        loaded, options.eval, store=Store.open(store), metric=options.metric, rows=options.eval_rows,
        max_new_tokens=options.max_new_tokens, out=options.report_folder / "answers",
    )  # fmt: skip


def _warn_of_evaluations(
    evaluations: Mapping[str, AnswerScores], calibrated: Calibrated | None, tell: Callable[[str], None]
) -> None:
    """Say what of the rows that are asked was calibrated on: pruning costs least on those."""
    for reference, scorer in evaluations.items():
        if calibrated is None:
            tell(f"note: whether rows of {reference} were calibrated on is not known: name the sources of --scores too")
        elif shared := shared_rows(scorer, calibrated):
            tell(f"warning: {shared:,} of the {len(scorer.asked.questions):,} rows of {reference} have media that were "
                 "calibrated on: the score says less than one on other rows")  # fmt: skip


def _cost(
    options: PruneOptions, loaded: TrainingModel, layers: Sequence[MoeLayer], sources: Sequence[Source],
    evaluations: Mapping[str, AnswerScores], sums: ExpertSums, kept: Kept, calibrated: Calibrated | None,
    samples: int | None, tell: Callable[[str], None],
) -> Cost | None:  # fmt: skip
    if not evaluations and not (options.cost_samples and sources):
        return None
    choices: dict[str, Kept | None] = {BEFORE: None, options.criterion: kept}
    if options.beside:
        for name in (REAP, FREQUENCY, RANDOM):
            if name not in choices and (name != REAP or options.criterion == criteria.JOINT):
                choices[name] = choose(options, sums, name)
    rows, unmeasured = (), ()  # type: tuple[Any, ...], tuple[str, ...]
    if options.cost_samples and calibrated is not None:
        tell("perplexity before and after")
        rows, unmeasured = perplexities(
            loaded, layers, _encoder(options, loaded), sources, choices, calibrated=calibrated, after=samples,
            rows=options.cost_samples,
        )  # fmt: skip
        for each in rows:
            if each.left_out:
                tell(f"note: {each.left_out:,} {each.modality} rows could not be read and are not in its perplexity")
            if each.shared:
                tell(f"note: {each.shared:,} of the {each.rows:,} {each.modality} rows of the perplexity have media"
                     " that were calibrated on, under another question")  # fmt: skip
        for name in unmeasured:
            tell(f"note: no {name} row is left that was not calibrated on: its perplexity is not measured")
    return Cost(tuple(choices), rows, unmeasured, evaluated(loaded, layers, evaluations, choices, calibrated, tell))


def _result(
    options: PruneOptions, loaded: TrainingModel, sums: ExpertSums, states: Sequence[State], kept: Kept,
    report: Coverage | None = None, cost: Cost | None = None,
) -> PruneResult:  # fmt: skip
    left_out: dict[str, int] = {}
    for state in states:
        for _, _, reason, _ in state.left_out:
            left_out[reason] = left_out.get(reason, 0) + 1
    return PruneResult(
        model=options.model, revision=loaded.revision, output=options.output, report=options.report_folder,
        criterion=options.criterion, layers=len(sums.layers), experts=sums.experts,
        kept_experts=sum(map(len, kept)), kept=kept, rows=sums.rows_by("modality"), tokens=sums.tokens_by("modality"),
        left_out=left_out, coverage=report, cost=cost,
    )  # fmt: skip
