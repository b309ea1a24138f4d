"""The functions behind the commands, with the same options, for scripts and notebooks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, overload

from .catalog.pull.options import PullOptions
from .catalog.sources.archives.user_archive import open_archive as _open_archive
from .converters.convert.options import ConvertOptions
from .converters.export.options import ExportOptions
from .converters.imports.options import ImportOptions
from .options import described_by, from_python
from .shards.store.store import Store
from .shards.store.use import using

if TYPE_CHECKING:
    import pyarrow as pa

    from .catalog.fetch import FetchResult
    from .catalog.pull.batch import PulledSet
    from .catalog.pull.plan import PullPlan
    from .catalog.pull.pull import PullResult
    from .converters.convert.result import ConvertResult
    from .converters.export.result import ExportResult
    from .converters.imports.import_data import ImportResult
    from .options.arguments import ConvertArguments, ExportArguments, ImportArguments, PullArguments
    from .trainers.data.exports import ExportReader
    from .validators.formats.findings import Summary
    from .validators.validate import DatasetResult

PathLike = str | Path
OnSamples = Callable[[int, int], None] | None
OnBytes = Callable[[int, int | None], None] | None


@overload
def pull(name: str, *, store: PathLike | None = ..., on_samples: OnSamples = ..., on_bytes: OnBytes = ...,
         **options: Unpack[PullArguments]) -> PullResult: ...  # fmt: skip


@overload
def pull(name: list[str] | tuple[str, ...], *, store: PathLike | None = ..., on_samples: OnSamples = ...,
         on_bytes: OnBytes = ..., **options: Unpack[PullArguments]) -> list[PullResult]: ...  # fmt: skip


@described_by(PullOptions)
def pull(
    name: str | list[str] | tuple[str, ...],
    *,
    store: PathLike | None = None,
    on_samples: OnSamples = None,
    on_bytes: OnBytes = None,
    **options: Unpack[PullArguments],
) -> PullResult | list[PullResult]:
    """Pull datasets of the catalog into the store, which is created if it does not exist.

    Args:
        name: The name of a card, or a list of names, which returns a list of results.
        store: The store; default: `TRIPTYCH_STORE`, else `./store`.
        on_samples: Called with the number of samples stored and the number of candidates tried.
        on_bytes: Called with the number of bytes read of a file, and its size or None if that is unknown.
        {options}

    Raises:
        UsageError: No such card or option; of a list, no dataset was pulled.
        GateError: The data is behind a form or a login.
        NetworkError: No source could be reached, or the connection was lost; what arrived before is stored.
        DamagedError: A checksum does not match.
    """
    given = PullOptions.of(**options).changed(on_samples=on_samples, on_bytes=on_bytes)
    if isinstance(name, str):
        return pull_with(name, store, given)
    from .catalog.pull.pull import check_request

    names = list(name)
    for each in names:
        check_request(each, given)
    return [pull_with(each, store, given) for each in names]


@described_by(PullOptions)
def plan(name: str, *, store: PathLike | None = None, **options: Unpack[PullArguments]) -> PullPlan:
    """Return what a pull would read, without storing anything: `catalog pull --dry-run`.

    Args:
        name: The name of a card.
        store: The store; default: `TRIPTYCH_STORE`, else `./store`. It need not exist.
        {options}

    Raises:
        UsageError, GateError, NetworkError: As for `pull`.
    """
    from .catalog.pull.plan import plan as plan_pull

    return plan_pull(name, store_path=store, options=PullOptions.of(**options))


@from_python
def fetch(
    name: str,
    to: PathLike,
    *,
    split: str | Sequence[str] = (),
    config: str | Sequence[str] = (),
    source: str | None = None,
    cards: PathLike | Sequence[PathLike] = (),
    progress: Callable[[int, int | None], None] | None = None,
) -> FetchResult:
    """Fetch the files of a dataset into the mirror `to`, for machines without internet: `pull(name, mirror=to)`.

    Raises:
        UsageError, GateError, NetworkError, DamagedError: As for `pull`.
    """
    from .catalog.fetch import fetch as fetch_files

    options = PullOptions.of(split=split, config=config, source=source, cards=cards)
    return fetch_files(name, to=Path(to), options=options, progress=progress)


@described_by(PullOptions)
def pull_set(
    *,
    panel: str | None = None,
    modality: str | None = None,
    preset: str | None = None,
    store: PathLike | None = None,
    **options: Unpack[PullArguments],
) -> PulledSet:
    """Pull every dataset of a panel or modality that is available now, or the datasets of a preset.

    A failure does not stop the others: the result lists the datasets that were pulled, failed and skipped.

    Args:
        panel: `S1`, `S2` or `S3`.
        modality: `audio`, `video` or `mixed`.
        preset: A named set: `calibration`; `samples` then applies to each panel.
        store: The store; default: `TRIPTYCH_STORE`, else `./store`.
        {options}
    """
    from .catalog.pull.batch import choose_items, pull_items

    given = PullOptions.of(**options)
    items, skipped = choose_items((), given, panel=panel, modality=modality, preset=preset)
    return pull_items(items, skipped, lambda item: pull_with(item.name, store, item.options(given)))


def pull_with(name: str, store: PathLike | None, options: PullOptions) -> PullResult:
    """`pull` with options that are already parsed."""
    from .catalog.pull.pull import check_request
    from .catalog.pull.pull import pull as pull_dataset
    from .catalog.refetch import fetch_lost
    from .shards.care.recovery import writing

    request = check_request(name, options)
    pull_into = pull_dataset
    if options.evaluation is not None or options.list_file is not None:
        from .catalog.pull.evaluation_list import pull_list, read_lists

        rows, configs = read_lists(request, options.evaluation, file=options.list_file)
        pull_into = partial(pull_list, rows=rows, configs=configs)
    with writing(Store.create(store), f"pull {name}", checked=False) as place:
        result = pull_into(request, store=place)
        result.notices += fetch_lost(place, name, options)
        if result.account.kept:
            from .shards.care.care import compact

            compact(place, name)
    return result


@described_by(ImportOptions)
def import_data(
    format: str,
    path: PathLike,
    *,
    store: PathLike | None = None,
    progress: Callable[[int, int], None] | None = None,
    **options: Unpack[ImportArguments],
) -> ImportResult:
    """Import your own table, folder or corpus as a dataset, without a card.

    Args:
        format: `csv`, `jsonl`, `folder`, `lhotse` ...; see `triptych import --help`.
        path: The file or folder to read.
        store: The store; default: `TRIPTYCH_STORE`, else `./store`.
        progress: Called with the number of rows stored and the number of rows read.
        {options}

    Raises:
        UsageError: No such file, format, column or field.
    """
    return import_with(format, path, store, ImportOptions.of(**options), progress)


def import_with(
    format: str,
    path: PathLike,
    store: PathLike | None,
    options: ImportOptions,
    progress: Callable[[int, int], None] | None,
) -> ImportResult:
    """`import_data` with options that are already parsed."""
    from .catalog.registry import refuse_name_of_card
    from .converters.imports.formats import FORMATS
    from .converters.imports.import_data import check_request
    from .converters.imports.import_data import import_data as import_into
    from .shards.care.care import compact
    from .shards.care.recovery import writing

    check_request(format, path, options=options)
    if not FORMATS[format].aligns:
        refuse_name_of_card(options.name)
    opened = Store.open(store) if FORMATS[format].aligns else Store.create(store)
    with writing(opened, f"import {options.name}") as place:
        result = import_into(format, path, store=place, options=options, open_archive=_open_archive, progress=progress)
        compact(place, options.name)
    return result


@described_by(ConvertOptions)
def convert(
    format: str, paths: PathLike | Sequence[PathLike], out: PathLike, **options: Unpack[ConvertArguments]
) -> ConvertResult:
    """Convert files without a store; the formats `merge` and `split` leave the rows unchanged.

    Args:
        format: The format of the input: a format of `import_data`, `merge` or `split`.
        paths: One or more files or folders.
        out: The file to write; for `split`, the folder.
        {options}

    Raises:
        UsageError: An invalid option; an output that is also an input, or that exists while `force` is not set.
        ProblemsFound: The user template reveals the answer.
    """
    return convert_with(format, paths, out, ConvertOptions.of(**options))


def convert_with(
    format: str, paths: PathLike | Sequence[PathLike], out: PathLike, options: ConvertOptions
) -> ConvertResult:
    """`convert` with options that are already parsed."""
    from .converters.convert.convert import convert as convert_files

    ins = [Path(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    return convert_files(format, ins, Path(out), options=options)


@from_python
def validate(
    *datasets: str | Sequence[str],
    store: PathLike | None = None,
    rules: PathLike | None = None,
    workers: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[DatasetResult]:
    """Measure the samples that have no measurements yet, then apply the rules to all samples.

    Args:
        datasets: Names of datasets; default: all.
        store: The store; default: `TRIPTYCH_STORE`, else `./store`.
        rules: A YAML file with your own levels and thresholds, or `default` for the package's. Default: the rules that
            decided on the dataset last.
        workers: Processes; default: the number of cores.
        progress: Called with the dataset, the number of samples measured and the number of samples to measure.
    """
    from .shards.care.recovery import writing
    from .validators.validate import validate as validate_store

    rules_file = Path(rules) if rules else None
    names = [name for each in datasets for name in ([each] if isinstance(each, str) else each)]
    with writing(Store.open(store), "validate") as opened:
        return validate_store(opened, names, rules_file=rules_file, workers=workers, progress=progress)


@from_python
def validate_file(format: str, path: PathLike, *, task: str | None = None, fix: PathLike | None = None) -> Summary:
    """Validate an export or a hand-made file (`msswift`, `llamafactory-sharegpt`) against its consumer's rules.

    Args:
        fix: Write a mended copy to this file; the summary is that of the copy, and lists the rows that changed.
    """
    from .validators.formats.mend import check_file

    return check_file(Path(path), format, task=task, fix=Path(fix) if fix is not None else None)


@described_by(ExportOptions)
def export(
    view: PathLike | None = None, *, store: PathLike | None = None, **options: Unpack[ExportArguments]
) -> ExportResult:
    """Publish a version of a view, or return the version that the same request published before.

    Args:
        view: `unified`, `msswift`, or the path of a view of your own: `./my_view.sql`; a recipe names it.
        store: The store; default: `TRIPTYCH_STORE`, else `./store`.
        {options}

    Raises:
        UsageError: An invalid option.
        ProblemsFound: No sample yields a row, or a user template contains the answer.
    """
    return export_with(view, store, ExportOptions.of(**options))


def export_with(
    view: PathLike | None,
    store: PathLike | None,
    options: ExportOptions,
    progress: Callable[[int, int | None], None] | None = None,
) -> ExportResult:
    """`export` with options that are already parsed.

    Args:
        progress: Called with the number of clips that were made or encoded, and of how many.
    """
    from .converters.export.export import export as export_view
    from .shards.care.recovery import writing

    with writing(Store.open(store), "export") as opened:
        return export_view(view, store=opened, options=options, progress=progress)


@from_python
def query(sql: str, *, store: PathLike | None = None, at: str | None = None) -> pa.Table:
    """Run one SELECT over the store and return an Arrow table; `at` is a run id or a UTC time."""
    from .shards.query import query as query_store

    with using(Store.open(store), "query") as opened:
        return query_store(opened, sql, at=at)


@from_python
def report(
    directory: PathLike, *, store: PathLike | None = None, rules: PathLike | None = None, data_docs: bool = False
) -> Path:
    """Write an HTML report of what `validate` found; returns the path of the page.

    Args:
        directory: The folder to write it into.
        rules: The rules that must have decided; default: those that did.
        data_docs: Also write the Data Docs of Great Expectations into `directory/data_docs`; takes seconds more.
    """
    from .validators.report import report_store

    with using(Store.open(store), "report") as opened:
        rules_file = Path(rules) if rules else None
        return report_store(opened, Path(directory), rules_file=rules_file, data_docs=data_docs).page


@from_python
def explain(id: str, *, store: PathLike | None = None) -> dict[str, Any]:
    """Return where a sample came from and what happened to it."""
    from .shards.explain import explain as explain_sample

    with using(Store.open(store), "explain") as opened:
        return explain_sample(opened, id)


@from_python
def open_export(reference: str, *, store: PathLike | None = None) -> ExportReader:
    """Open a published version for a trainer: `NAME` or `NAME@vN`."""
    from .trainers.data.exports import ExportReader

    with using(Store.open(store), "open an export") as opened:
        return ExportReader.open(reference, store=opened)
