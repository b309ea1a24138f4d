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
from ..models.families import QWEN3_OMNI
from ..models.model_files import locate
from ..models.model_loading import read_config, require_torch
from ..models.training_model import Loading, TrainingModel, load_for_training
from ..serving.layouts import Layout
from . import criteria
from .criteria import FREQUENCY, GLOBAL, NO_PROTECTION, RANDOM, REAP, Kept
from .files.model_folder import expected_of, write_model
from .files.slices import check_room
from .manifest import manifest_of
from .options import PruneOptions
from .report.cost import BEFORE, Cost, evaluated, perplexities
from .report.coverage import Coverage, coverage
from .report.page import write_report
from .scores.calibration import Source
from .scores.expert_sums import ExpertSums, State, put_together
from .scores.measure import PassSettings, Progress, measure
from .scores.moe_layers import MoeLayer, check_component, check_model, moe_layers

if TYPE_CHECKING:
    pass

SCORES = "scores.npz"
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
    require_torch("train")
    files = locate(options.model, revision=options.revision, download=options.download)
    config = read_config(files.folder)
    check_model(config)
    sources = _sources(options, store)
    _check_counts(options, config)
    layout = None
    if options.output is not None:
        layout = Layout.read(files.folder)
        layout.check_for(options.layout)
        check_room(files.folder, options.output, {})
    loaded = load_for_training(
        files.folder, Loading(dtype=options.dtype), revision=files.revision, device=options.device
    )
    layers = moe_layers(loaded.model)
    sums, state = _sums(options, loaded, layers, sources, progress)
    if options.part is not None:
        assert state is not None
        return _result(options, loaded, sums, [state], ())
    states = [state] if state is not None else [State.load(each / SCORES) for each in options.scores]
    kept = choose(options, sums)
    report = coverage(
        sums, kept, count=_count(options, sums.experts), least=options.least_tokens,
        is_omni=loaded.family is QWEN3_OMNI,
    )  # fmt: skip
    for each in report.warnings:
        tell(f"warning: {each}")
    manifest = manifest_of(options, loaded, sums, states, kept)
    options.report_folder.mkdir(parents=True, exist_ok=True)
    write_report(options.report_folder, manifest, report, None, sums)
    cost = _cost(options, loaded, layers, sources, sums, kept, store, tell)
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


def _check_counts(options: PruneOptions, config: Any) -> None:
    """Refuse before anything is measured."""
    text = getattr(config, "thinker_config", config).get_text_config()
    experts = int(text.num_experts)
    criteria.check_count(_count(options, experts), experts=experts, top_k=int(text.num_experts_per_tok))


def _count(options: PruneOptions, experts: int) -> int:
    return criteria.keep_count(experts, retention=options.retention, compression=options.compression_ratio)


def _encoder(options: PruneOptions, loaded: TrainingModel) -> Any:
    from ..sft.conversation_encoder import EncoderSettings
    from ..sft.encoders import encoder_of

    return encoder_of(loaded.family.name, loaded.folder, EncoderSettings(max_tokens=options.max_tokens))


def _sums(
    options: PruneOptions, loaded: TrainingModel, layers: Sequence[MoeLayer], sources: Sequence[Source],
    progress: Progress | None,
) -> tuple[ExpertSums, State | None]:  # fmt: skip
    """Measure the rows, or read what was measured."""
    if options.scores:
        states = [State.load(each / SCORES) for each in options.scores]
        _check_parts(states, options.scores, loaded)
        whole = put_together(states)
        _save(whole, options.report_folder / SCORES)
        return whole.sums, None
    settings = PassSettings(
        samples=options.samples, batch_tokens=options.batch_tokens, bad_rows=options.bad_rows, part=options.part_of,
        workers=options.workers, wants_largest=options.protect != NO_PROTECTION,
    )  # fmt: skip
    path = options.report_folder / SCORES
    state = measure(loaded, layers, _encoder(options, loaded), sources, settings, path, progress)
    if not state.sums.of:
        raise UsageError("no row was left to calibrate on.", hint="see what is wrong with them: --bad-rows refuse")
    return state.sums, state


def _save(state: State, path: Path) -> None:
    """Keep scores that were put together where the report is.

    Raises:
        UsageError: Others are there.
    """
    if path.exists() and State.load(path).sums.sha256 != state.sums.sha256:
        raise UsageError(f"{path} holds other scores.", hint="name another folder: --report DIR, or remove this one")
    if not path.exists():
        state.save(path)


def _check_parts(states: Sequence[State], folders: Sequence[Path], loaded: TrainingModel) -> None:
    """Refuse scores of another model, and parts that do not make up a whole."""
    first = states[0]
    for state, folder in zip(states, folders, strict=True):
        if state.identity["model"] != loaded.revision:
            raise UsageError(f"--scores {folder}: they are of another model ({state.identity['model']}).")
        if not state.is_complete:
            raise UsageError(f"--scores {folder}: its measurement was not finished.",
                             hint="run the command that began it again: it goes on where it was")  # fmt: skip
        if set(state.differs_in(first.identity)) - {"part"} or state.identity["part"][1] != len(states):
            raise UsageError(f"--scores {folder}: it is not one of {len(states)} parts of one measurement.",
                             hint="name the folder of each part once")  # fmt: skip
    if sorted(state.identity["part"][0] for state in states) != list(range(len(states))):
        raise UsageError("--scores: a part is there twice, and another is missing.")


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
    count = _count(options, sums.experts)
    criteria.check_count(count, experts=sums.experts, top_k=sums.top_k)
    if options.scope == GLOBAL:
        return criteria.keep_globally(values, count, top_k=sums.top_k, protect=protect)
    return criteria.keep(values, count, protect=protect)


def _cost(
    options: PruneOptions, loaded: TrainingModel, layers: Sequence[MoeLayer], sources: Sequence[Source],
    sums: ExpertSums, kept: Kept, store: PathLike | None, tell: Callable[[str], None],
) -> Cost | None:  # fmt: skip
    if not options.eval and not (options.cost_samples and sources):
        return None
    choices: dict[str, Kept | None] = {BEFORE: None, options.criterion: kept}
    if options.beside:
        for name in (REAP, FREQUENCY, RANDOM):
            if name not in choices and (name != REAP or options.criterion == criteria.JOINT):
                choices[name] = choose(options, sums, name)
    rows, unmeasured = (), ()  # type: tuple[Any, ...], tuple[str, ...]
    if options.cost_samples and sources:
        tell("perplexity before and after")
        rows, unmeasured = perplexities(
            loaded, layers, _encoder(options, loaded), sources, choices, after=options.samples,
            rows=options.cost_samples,
        )  # fmt: skip
        for each in rows:
            if each.left_out:
                tell(f"note: {each.left_out:,} {each.modality} rows could not be read and are not in its perplexity")
        for name in unmeasured:
            tell(f"note: no {name} row is left that was not calibrated on: its perplexity is not measured")
    exports = ()  # type: tuple[Any, ...]
    if options.eval:
        from ...shards.store.store import Store

        exports = evaluated(
            loaded, layers, options.eval, choices, store=Store.open(store), metric=options.metric,
            rows=options.eval_rows, max_new_tokens=options.max_new_tokens, out=options.report_folder / "answers",
            tell=tell,
        )  # fmt: skip
    return Cost(tuple(choices), rows, unmeasured, exports)


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
