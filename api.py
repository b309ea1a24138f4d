"""The functions behind the commands, with the same options: what scripts and notebooks call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack, overload

from .catalog.pull.options import PullOptions
from .converters.convert.options import ConvertOptions
from .converters.export.options import ExportOptions
from .converters.imports.options import ImportOptions
from .errors import UsageError
from .options import described_by
from .shards.store.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

    from .arguments import ConvertArguments, ExportArguments, ImportArguments, PullArguments
    from .catalog.fetch import FetchResult
    from .catalog.pull.batch import PulledSet
    from .catalog.pull.plan import PullPlan
    from .catalog.pull.pull import PullResult
    from .converters.candidate import RawFile, Rejection
    from .converters.convert.result import ConvertResult
    from .converters.export.export import ExportResult
    from .converters.imports.import_data import ImportResult
    from .trainers.data.exports import ExportReader
    from .validators.formats.findings import Summary
    from .validators.validate import DatasetResult

PathLike = str | Path
Fact = Sequence[Any] | Mapping[str, Any]
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
    """Pull datasets of the catalog into the store, which is made where it is missing.

    Args:
        name: The name of a card, or a list of names: then the results are a list too.
        store: The store; default: `TRIPTYCH_STORE`, else `./store`.
        on_samples: Told how many samples are stored and how many candidates were tried.
        on_bytes: Told how many bytes of a file were read, and how many it has where that is known.
        {options}

    Raises:
        UsageError: No such card or option; of several datasets none was pulled.
        GateError: The data is behind a form or a login.
        NetworkError: No source could be reached, or one was lost midway; what came is stored.
        DamagedError: A checksum does not agree.
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
    """What a pull would read, without storing anything: `catalog pull --dry-run`.

    Args:
        name: The name of a card.
        store: The store; default: `TRIPTYCH_STORE`, else `./store`. It need not be there.
        {options}

    Raises:
        UsageError, GateError, NetworkError: As `pull` does.
    """
    from .catalog.pull.plan import plan as plan_pull

    return plan_pull(name, store_path=store, options=PullOptions.of(**options))


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
    """The files of a dataset into the mirror `to`, for machines without internet; there: `pull(name, mirror=to)`.

    Raises:
        UsageError, GateError, NetworkError, DamagedError: As `pull` does.
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
    """Pull every dataset of a panel or modality that can be had now, or those of a preset.

    One that fails does not keep the others from being pulled: the result says which were pulled, failed and skipped.

    Args:
        panel: `S1`, `S2` or `S3`.
        modality: `audio`, `video` or `mixed`.
        preset: A named set: `calibration`; `samples` is for each panel then.
        store: The store; default: `TRIPTYCH_STORE`, else `./store`.
        {options}
    """
    from .catalog.pull.batch import choose_items, pull_items

    given = PullOptions.of(**options)
    items, skipped = choose_items((), given, panel=panel, modality=modality, preset=preset)
    return pull_items(items, skipped, lambda item: pull_with(item.name, store, item.options(given)))


def pull_with(name: str, store: PathLike | None, options: PullOptions) -> PullResult:
    """`pull` by options that are read already."""
    from .catalog.pull.pull import check_request
    from .catalog.pull.pull import pull as pull_dataset

    request = check_request(name, options)
    if options.evaluation is None and options.list_file is None:
        place = Store.create(store)
        result = pull_dataset(request, store=place)
    else:
        from .catalog.pull.evaluation_list import pull_list, read_lists

        rows, configs = read_lists(request, options.evaluation, file=options.list_file)
        place = Store.create(store)
        result = pull_list(request, rows, configs, store=place)
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
        progress: Told how many rows are stored and how many were read.
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
    """`import_data` by options that are read already."""
    from .converters.imports.formats import FORMATS
    from .converters.imports.import_data import check_request
    from .converters.imports.import_data import import_data as import_into
    from .shards.care.care import compact

    check_request(format, path, options=options)
    place = Store.open(store) if FORMATS[format].aligns else Store.create(store)
    result = import_into(format, path, store=place, options=options, open_archive=_open_archive, progress=progress)
    compact(place, options.name)
    return result


def _open_archive(file: RawFile, spool: Path) -> Iterator[RawFile | Rejection]:
    """The members of a local archive as a stream; archives inside it are members like others."""
    from .catalog.sources.archives.reader import members

    with file.open() as stream:
        yield from members(stream, name=file.name, uri=file.uri, revision=file.revision, spool=spool, nested=())


@described_by(ConvertOptions)
def convert(
    format: str, paths: PathLike | Sequence[PathLike], out: PathLike, **options: Unpack[ConvertArguments]
) -> ConvertResult:
    """Convert files without a store; `merge` and `split` as formats leave the rows as they are.

    Args:
        format: What the input is: a format of `import_data`, or `merge`, or `split`.
        paths: A file or folder, or several.
        out: The file to write; of `split`, the folder.
        {options}

    Raises:
        UsageError: A wrong option; an output that is an input, or is there already without `force`.
        ProblemsFound: The user template shows the answer.
    """
    return convert_with(format, paths, out, ConvertOptions.of(**options))


def convert_with(
    format: str, paths: PathLike | Sequence[PathLike], out: PathLike, options: ConvertOptions
) -> ConvertResult:
    """`convert` by options that are read already."""
    from .converters.convert.convert import convert as convert_files

    ins = [Path(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    return convert_files(format, ins, Path(out), options=options)


def validate(
    *datasets: str,
    store: PathLike | None = None,
    rules: PathLike | None = None,
    workers: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[DatasetResult]:
    """Measure what was not measured yet and decide over everything.

    Args:
        datasets: Names of datasets; default: all.
        store: The store; default: `TRIPTYCH_STORE`, else `./store`.
        rules: A YAML file of levels and thresholds of your own.
        workers: Processes; default: the number of cores.
        progress: Told of a dataset, how many of its samples are measured, and how many there are to measure.
    """
    from .validators.validate import validate as validate_store

    rules_file = Path(rules) if rules else None
    return validate_store(Store.open(store), datasets, rules_file=rules_file, workers=workers, progress=progress)


def validate_file(format: str, path: PathLike, *, task: str | None = None) -> Summary:
    """Validate an export or a hand-made file (`unified`, `msswift`) by its consumer's rules."""
    from .validators.formats import summarise_file

    return summarise_file(Path(path), format, task=task)


@described_by(ExportOptions)
def export(view: str, *, store: PathLike | None = None, **options: Unpack[ExportArguments]) -> ExportResult:
    """Publish one version of a view, or return the one that the same request made before.

    Args:
        view: `unified`, `msswift`, or the path of a view of your own: `./my_view.sql`.
        store: The store; default: `TRIPTYCH_STORE`, else `./store`.
        {options}

    Raises:
        UsageError: An option does not fit.
        ProblemsFound: No sample has a row, or a user template holds the answer.
    """
    return export_with(view, store, ExportOptions.of(**options))


def export_with(view: str, store: PathLike | None, options: ExportOptions) -> ExportResult:
    """`export` by options that are read already."""
    from .converters.export.export import export as export_view

    return export_view(view, store=Store.open(store), options=options)


def query(sql: str, *, store: PathLike | None = None, at: str | None = None) -> pa.Table:
    """One SELECT over the store, as an Arrow table; `at` is a run id or a UTC time."""
    from .shards.query import query as query_store

    return query_store(Store.open(store), sql, at=at)


def annotate(
    id: str | PathLike | Iterable[Fact],
    key: str | None = None,
    value: Any = None,
    *,
    store: PathLike | None = None,
    producer: str | None = None,
) -> int:
    """Lay later facts over samples: a corrected text, an assigned split, a review. What the corpus said stays.

        triptych.annotate(id, "text", "the corrected text")
        triptych.annotate([(id, "labels", ["Dog", "Bark"]), (other, "start_s", 0.5)])
        triptych.annotate("corrections.csv")

    Args:
        id: The sample's id; or many facts, each (id, key, value); or a CSV file with the columns id, key, value.
        key: `text`, `assigned_split`, `words` ..., or a key of your own.
        value: Text, a number, or a list; lists and alignments become JSON.
        store: The store; default: `TRIPTYCH_STORE`, else `./store`.
        producer: Who says so; you by default.

    Returns:
        How many annotations were written.

    Raises:
        UsageError: No such sample, or a value that does not fit its key; nothing was written.
    """
    from .shards.annotate import annotate as annotate_store
    from .shards.annotate import annotation_of, read_annotations

    if key is not None:
        if not isinstance(id, str) or value is None:
            raise UsageError("annotate takes ID KEY VALUE.", hint='triptych annotate ID text "the corrected text"')
        rows = [annotation_of((id, key, value), where="annotate")]
    elif isinstance(id, str | Path):
        rows = read_annotations(Path(id))
    else:
        rows = [annotation_of(fact, where=f"annotation {number}") for number, fact in enumerate(id, start=1)]
    return annotate_store(Store.open(store), rows, producer=producer)


def report(directory: PathLike, *, store: PathLike | None = None, rules: PathLike | None = None) -> Path:
    """Write a page about what `validate` found, and the Data Docs beside it; returns the page."""
    from .validators.report import report_store

    return report_store(Store.open(store), Path(directory), rules_file=Path(rules) if rules else None)


def explain(id: str, *, store: PathLike | None = None) -> dict[str, Any]:
    """Where one sample came from and what became of it."""
    from .shards.explain import explain as explain_sample

    return explain_sample(Store.open(store), id)


def open_export(reference: str, *, store: PathLike | None = None) -> ExportReader:
    """A published version for a trainer: `NAME` or `NAME@vN`."""
    from .trainers.data.exports import ExportReader

    return ExportReader.open(reference, store=Store.open(store))
