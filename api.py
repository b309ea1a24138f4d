"""The functions behind the commands, with the same options: what scripts and notebooks call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .shards.store import Store

if TYPE_CHECKING:
    import pyarrow as pa

    from .catalog.pull.pull import PullResult
    from .converters.candidate import RawFile, Rejection
    from .converters.convert.result import ConvertResult
    from .converters.export.export import ExportResult
    from .converters.imports.import_data import ImportResult
    from .trainers.exports import ExportReader
    from .validators.formats.findings import Summary
    from .validators.validate import DatasetResult

PathLike = str | Path


def pull(
    name: str,
    *,
    store: PathLike | None = None,
    samples: int | None = None,
    split: str | Sequence[str] = (),
    config: str | Sequence[str] = (),
    source: str | None = None,
    from_path: PathLike | None = None,
    as_config: str | None = None,
    mirror: str | None = None,
    link: bool = False,
    keep_raw: bool = False,
    ids: PathLike | None = None,
    labels: str | Sequence[str] = (),
    where: str | None = None,
    part: str | None = None,
    by: str | None = None,
    balance: str | Sequence[str] = (),
    speakers: int | None = None,
    hours: float | None = None,
    max_tries: int | None = None,
    seed: int = 0,
    retry: str | Sequence[str] = (),
    jobs: int = 4,
    cookies: PathLike | None = None,
    proxy: str | None = None,
    per_minute: float | None = None,
    private_hosts: bool = False,
    evaluation: str | None = None,
    list_file: PathLike | None = None,
    cards: Sequence[Path] = (),
    on_samples: Callable[[int, int], None] | None = None,
    on_bytes: Callable[[int, int | None], None] | None = None,
) -> PullResult:
    """Pull a dataset of the catalog into the store, which is made where it is missing.

    Args:
        samples: Stop once the store holds this many samples of the selection; None takes all.
        split: Names or roles (`train`, `validation`, `test`) of splits; all by default, in the card's order.
        config: Names of configurations (a language, a subset); the card's default ones without.
        source: A kind (`hub`, `archive` ...), or `kind:place` where the card has several; by default the card's first
            that can be reached.
        from_path: Files that are here already: the archive, or the unpacked tree in the corpus's own layout.
        as_config: Name of the release that `from_path` holds; without, the archive's own top folder names it.
        mirror: Folder or base URL that answers for the original hosts (`<mirror>/<host>/<path>`).
        link: Name local media where it lies instead of copying it.
        keep_raw: Keep downloads that were read to their end.
        ids, labels, where, part: Only some candidates; `catalog.subset.Subset` says which.
        by, balance, speakers, seed: A draw from all candidates instead of the first ones.
        hours, max_tries: Stop at so many stored hours, or after so many candidates.
        retry: Reasons (`dead`, `private` ...) for which clips are asked for again although they ended the matter.
        jobs, cookies, proxy, per_minute, private_hosts: How clips of `urls` and `youtube` are fetched; see
            `catalog.sources.clips.ClipOptions`.
        evaluation: Name of a published list on the card: its samples only, annotated with its references.
        list_file: That list as a file.

    Raises:
        UsageError, GateError, NetworkError, DamagedError
    """
    from .catalog.pull.pull import PullOptions, check_request
    from .catalog.pull.pull import pull as pull_dataset
    from .catalog.sources.clips.options import ClipOptions
    from .catalog.subset import Subset
    from .shards.care import compact

    remote = ClipOptions(
        jobs=jobs, cookies=Path(cookies).expanduser() if cookies else None, proxy=proxy,
        retry=frozenset(_tuple(retry)), per_minute=per_minute, private_hosts=private_hosts,
    )  # fmt: skip
    remote.check()

    selection = Subset.parse(
        samples=samples, ids=ids, labels=labels, where=where, part=part, by=by, balance=balance, speakers=speakers,
        hours=hours, max_tries=max_tries, seed=seed,
    )  # fmt: skip
    options = PullOptions(
        samples=samples,
        splits=_tuple(split),
        configs=_tuple(config),
        source=source,
        from_path=Path(from_path) if from_path else None,
        as_config=as_config,
        mirror=mirror,
        link=link,
        keep_raw=keep_raw,
        cards=tuple(cards),
        selection=selection,
        remote=remote,
        on_samples=on_samples,
        on_bytes=on_bytes,
    )
    check_request(name, options)
    if evaluation is None and list_file is None:
        place = Store.create(store)
        result = pull_dataset(name, store=place, options=options)
    else:
        from .catalog.pull.evaluation_list import pull_list, read_lists

        rows, configs = read_lists(name, evaluation, options=options, file=Path(list_file) if list_file else None)
        place = Store.create(store)
        result = pull_list(name, rows, configs, store=place, options=options)
    if result.account.kept:
        compact(place, name)
    return result


def import_data(
    format: str,
    path: PathLike,
    *,
    name: str,
    store: PathLike | None = None,
    columns: Mapping[str, str] | None = None,
    values: Mapping[str, str] | None = None,
    id_column: str | None = None,
    media_dir: PathLike | None = None,
    link: bool = False,
    on_conflict: str = "reject",
    classes: PathLike | None = None,
    word_tier: str | None = None,
    phone_tier: str | None = None,
    producer: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ImportResult:
    """Import your own table, folder or corpus as the dataset `name`; see `converters.imports.import_data`."""
    from .converters.imports.formats import FORMATS
    from .converters.imports.import_data import check_request
    from .converters.imports.import_data import import_data as import_into
    from .shards.care import compact

    check_request(format, path, name=name, on_conflict=on_conflict)
    place = Store.open(store) if FORMATS[format].aligns else Store.create(store)
    result = import_into(
        format,
        path,
        name=name,
        store=place,
        columns=columns,
        values=values,
        id_column=id_column,
        media_dir=media_dir,
        link=link,
        on_conflict=on_conflict,
        classes=classes,
        word_tier=word_tier,
        phone_tier=phone_tier,
        producer=producer,
        open_archive=_open_archive,
        progress=progress,
    )
    compact(place, name)
    return result


def _open_archive(file: RawFile, spool: Path) -> Iterator[RawFile | Rejection]:
    """The members of a local archive as a stream; archives inside it are members like others."""
    from .catalog.sources.archives.reader import members

    with file.open() as stream:
        yield from members(stream, name=file.name, uri=file.uri, revision=file.revision, spool=spool, nested=())


def convert(
    format: str,
    paths: PathLike | Sequence[PathLike],
    out: PathLike,
    *,
    to: str | None = None,
    task: str | None = None,
    columns: Mapping[str, str] | None = None,
    id_column: str | None = None,
    values: Mapping[str, str] | None = None,
    modality: str | None = None,
    name: str | None = None,
    media_dir: PathLike | None = None,
    max_samples: int | None = None,
    seed: int | None = None,
    files: bool = True,
    force: bool = False,
    **view_options: Any,
) -> ConvertResult:
    """Convert files without a store; `merge` and `split` as formats leave the rows as they are.

    Args:
        format: What the input is: a format of `import_data`, or `merge`, or `split`.
        out: The file to write; of `split`, the folder.
        to, task: The view and its task: `unified`, or `msswift` with `sft` or `grpo`.
        columns: Column -> field of the sample, for columns that are called otherwise.
        view_options: `system`, `user_template`, `text`, `allow_answer_in_prompt`.

    Raises:
        UsageError: A wrong option; an output that is an input, or is there already without `force`.
        ProblemsFound: The user template shows the answer.
    """
    from .converters.convert import convert as run
    from .converters.convert import inputs as samples
    from .converters.convert import merge_split as plain
    from .converters.views import ViewOptions

    ins = [Path(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    if format == "merge":
        return plain.merge(ins, Path(out), max_samples=max_samples, seed=seed, force=force)
    if format == "split":
        return plain.split(ins, Path(out), force=force)
    inputs = samples.Inputs(
        format, ins, columns or {}, id_column, values or {}, modality, name, Path(media_dir) if media_dir else None
    )
    view, view_task = run.target_format(format, to, task)
    options = ViewOptions(task=view_task, **{"text": "raw", **view_options})
    target = run.Target(Path(out), view, options, max_samples, seed, files, force)
    return run.convert(inputs, target)


def validate(
    *datasets: str,
    store: PathLike | None = None,
    rules: PathLike | None = None,
    workers: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[DatasetResult]:
    """Measure what was not measured yet and decide over everything; see `validators.validate.validate`."""
    from .validators.validate import validate as validate_store

    rules_file = Path(rules) if rules else None
    return validate_store(Store.open(store), datasets, rules_file=rules_file, workers=workers, progress=progress)


def validate_file(format: str, path: PathLike, *, task: str | None = None) -> Summary:
    """Validate an export or a hand-made file (`unified`, `msswift`) by its consumer's rules."""
    from .validators.formats import summarise_file

    return summarise_file(Path(path), format, task=task)


def export(
    view: str, *, store: PathLike | None = None, dataset: str | Sequence[str] = (), split: str | Sequence[str] = (),
    **options: Any,
) -> ExportResult:  # fmt: skip
    """Publish one version of a view, or return the one that the same request made before.

    `options` are those of `converters.export.export.export`: task, where, order, text, name, note, media_root, system,
    user_template, allow_answer_in_prompt, include_rejected, seed.
    """
    from .converters.export.export import export as export_view

    return export_view(view, store=Store.open(store), datasets=_tuple(dataset), splits=_tuple(split), **options)


def query(sql: str, *, store: PathLike | None = None, at: str | None = None) -> pa.Table:
    """One SELECT over the store, as an Arrow table; `at` is a run id or a UTC time."""
    from .shards.query import query as query_store

    return query_store(Store.open(store), sql, at=at)


def annotate(id: str, key: str, value: str, *, store: PathLike | None = None, producer: str | None = None) -> None:
    """Lay one later fact over a sample: a corrected text, an assigned split, a review."""
    from .shards.annotate import Annotation
    from .shards.annotate import annotate as annotate_store

    annotate_store(Store.open(store), [Annotation(id, key, value)], producer=producer)


def explain(id: str, *, store: PathLike | None = None) -> dict[str, Any]:
    """Where one sample came from and what became of it."""
    from .shards.explain import explain as explain_sample

    return explain_sample(Store.open(store), id)


def open_export(reference: str, *, store: PathLike | None = None) -> ExportReader:
    """A published version for a trainer: `NAME` or `NAME@vN`."""
    from .trainers.exports import ExportReader

    return ExportReader.open(reference, store=Store.open(store))


def _tuple(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
