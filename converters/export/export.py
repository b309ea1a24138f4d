"""Publish one version of a view: `triptych export VIEW`.

request -> identity already published? -> select -> expand -> compose -> media -> render -> account -> validate by the
format's own rules -> further files -> manifest -> publish. An export whose identity was published before returns that
version immediately; one that renders the same bytes as the last version returns the last version. A published version
never changes.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ProblemsFound, UsageError
from ...shards.budgets import MODELS
from ...shards.events import Run
from ...shards.exports import keys
from ...shards.exports import versions as exports
from ...shards.exports.jsonl import WrittenRows
from ...shards.exports.scratch import scratch_folder
from ...shards.pace import Progress
from ...shards.query import close_sandbox, limit_memory
from ...shards.store.sql import first_row, quote
from ...shards.store.store import Store
from ...shards.store.tables import ALL_DATASETS
from ...validators.rule_choice import RecordedChoices
from ...validators.rules import RuleSet, load_rules
from ..annotations.split.conflicts import find_conflicts
from ..budget.rows import BudgetTotals, Relation, count_rows, read_cut, read_totals, write_budget
from ..budget.windows import expand_into_windows
from ..composition.fill import fill
from ..composition.recipe import recipe_of, resolve
from ..pairs.report import read_pairs
from ..views.prepare import EXPANDING, SELECTING, create_macros
from .account import ExportAccount, read_account, refuse_leaks, without_rows
from .content import read_content
from .expand import Expansion, copies_of, expand, expansions_of, repeats_of
from .identity import StoreSnapshot, check_datasets, identity_of
from .manifest import account_of, make_manifest, write_notice
from .media.missing_media import MissingMedia, finding_missing
from .media.noise import noise_source
from .media.plan import MediaRequest, changed_rows, derive_media, noise_samples
from .options import ExportOptions
from .publish import adopt_run, is_accounted, publish, publishing, write_events
from .render import Rows, choose_rows, extract_rows, make_rows, render
from .repeated_rows import read_repeats
from .request import Request, make_request
from .result import ExportResult, result_of
from .select import CorpusFacts, choose, leave_out, place_media, read_splits, unusable_sql

if TYPE_CHECKING:
    import duckdb


log = logging.getLogger("triptych")

_AHEAD = "8MB"
"""So much of a result is made while what came before it is written."""
MEMORY_LIMIT = "512MB"
"""What DuckDB holds, whatever the number of rows. A row with a text of 30 MB needs most of it."""


def export(
    view: str | os.PathLike[str] | None,
    *,
    store: Store,
    options: ExportOptions | None = None,
    progress: Progress | None = None,
) -> ExportResult:
    """Publish one version of a view, or return the version that an equal request published before.

    Args:
        progress: Called with the number of clips that were made or encoded, and of how many.

    Raises:
        UsageError: An option is not valid for the view.
        ProblemsFound: No sample has a row, or the user template reveals the answer.
    """
    view, options = resolve(view, options or ExportOptions())
    request = make_request(view, store=store, options=options)
    with StoreSnapshot.of(store) as snapshot:
        facts = CorpusFacts.read(snapshot.connection, request.selection.datasets)
        check_datasets(snapshot, request)
        key = identity_of(snapshot, request, facts)
        made = keys.remembered(store, request.name, key)
        if made is None or not is_accounted(snapshot.connection, made[0]):
            log.info("export %s: not published before (identity %s)", request.name, key[:12])
            result = _publish(snapshot, request, facts, key, options, progress)
        else:
            version, account = made
            log.info("export %s: an equal request published %s", request.name, version.reference)
            result = result_of(version, account, request, reused=True)
    if result.reused and options.note not in (None, result.version.manifest.get("note")):
        result.warnings.append(f"{result.version.reference} was published before and stays as it is, without this note")
    if options.verify:
        _verify(store, result, options)
    return result


def _verify(store: Store, result: ExportResult, options: ExportOptions) -> None:
    """Ask the consumers of the version; what they do not take as it is becomes a warning."""
    from ...validators.consumers.version_check import missing_client, verify_version

    python = Path(options.client_python) if options.client_python is not None else None
    result.verified = verify_version(store, result.version, client_python=python)
    missing = missing_client(result.version, python)
    result.warnings += [missing] if missing is not None else []
    for each in result.verified:
        if not each.passed:
            result.warnings.append(f"{each.consumer} does not take every row as it is: {each.told()}")


@dataclass(slots=True)
class Made:
    """The rows of a version, in a folder, and what was found on the way.

    Attributes:
        sql: The statements that made them, in order.
        rules: The rules behind the verdicts, by dataset.
        written: The sums of data.jsonl.
    """

    rows: Rows
    account: ExportAccount
    sql: list[str]
    rules: dict[str, Any]
    budget: BudgetTotals | None
    written: WrittenRows


def make_version(
    snapshot: StoreSnapshot,
    request: Request,
    facts: CorpusFacts,
    *,
    scratch: Path,
    finished: Path,
    run: Run | None,
    progress: Progress | None = None,
) -> Made:
    """Make the files of a version in `finished`, all but its manifest; a `run` records what became of the samples.

    Raises:
        ProblemsFound: No sample has a row, or the user template reveals the answer.
    """
    store, connection = snapshot.store, snapshot.connection
    _restrict(store, connection)

    # select
    macros = create_macros(connection, request.options, *SELECTING, request.selection.where or "")
    log.info("export %s: select samples", request.name)
    few = snapshot.has_few_samples(request.selection.datasets)
    sql = [*macros, choose(connection, request.selection, facts=facts, few=few)]
    certificates = find_conflicts(connection, store, request.selection.datasets, action=request.selection.broken_splits)
    choose_again = partial(leave_out, connection, "broken_groups")
    sql.append(choose_again())
    expansions = [*expansions_of(request.view, request.options), *_windows(request)]
    if request.sound is not None and request.sound.copies:
        expansions.append(copies_of(request.sound.copies))
    if expansions or request.composition.is_set:
        sql += create_macros(connection, request.options, *EXPANDING)
    sql.append(expand(connection, [*expansions, *repeats_of(connection, request.composition)]))

    # media, rows
    expanded = bool(expansions) or request.composition.oversample
    with finding_missing(store, connection, few=few) as missing:
        make = partial(
            _make_rows, store, connection, request, facts, missing=missing, expanded=expanded, progress=progress
        )
        if request.composition.is_set:
            missing.wait()
            rows, composed = fill(
                connection,
                request.composition,
                seed=request.seed,
                unusable=unusable_sql(connection, request.selection),
                choose=choose_again,
                make=make,
                folder=scratch,
                expanded=expanded,
            )
            sql += composed.sql
        else:
            rows, composed = make(scratch), None
            if not missing.known:
                missing.wait()
                rows = make(scratch) if missing.some else rows
    choose_rows(connection, request)
    finished.mkdir()
    rows = extract_rows(connection, request, rows, finished, progress)

    # account, validate
    account = read_account(connection, rows.counted, expanded=rows.expanded)
    account.certificates = certificates
    account.composed = composed.document() if composed is not None else None
    account.splits = read_splits(connection, request.selection)
    choices = RecordedChoices(connection)
    rules_of = {name: _rules(choices, name) for name in account.licences}
    account.repeats = read_repeats(connection, rules_of, expanded=rows.expanded)
    log.info("export %s: %s", request.name, account.summary())
    if run is not None:
        _record(run, account)
    if not account.written:
        if run is not None:
            run.finish(store, status="empty")
        raise without_rows(connection, account, request.view.format)
    refuse_leaks(account)
    ordered, written = render(connection, request, rows, account.used(rows.counted), finished)
    if request.view.write_files is not None:
        request.view.write_files(finished / "data.parquet", finished, request.options)
    write_notice(finished / "NOTICE", request, account)
    if not request.view.built_in:
        (finished / request.view.file_name).write_text(request.view.sql, encoding="utf-8")
    budget = _budget(connection, request, rows, account, finished)
    return Made(rows, account, [*sql, *rows.sql, ordered], choices.decided(), budget, written)


def _make_rows(
    store: Store,
    connection: duckdb.DuckDBPyConnection,
    request: Request,
    facts: CorpusFacts,
    folder: Path,
    *,
    missing: MissingMedia,
    expanded: bool,
    progress: Progress | None,
) -> Rows:
    """Cut the media of the chosen samples and create `rows`."""
    log.info("export %s: cut media", request.name)
    derive_media(store, connection, _media_request(store, connection, request), missing, progress)
    root, changed = request.media_root, request.sound is not None
    keeps = request.view.keeps_message_keys
    placed = place_media(connection, request.selection, facts=facts, media_root=root, changed=changed, keeps_loss=keeps)
    log.info("export %s: make rows with the view %s", request.name, request.view.name)
    rows = make_rows(connection, request, folder, placed=placed, expanded=expanded)
    if request.limits is not None:
        log.info("export %s: count what rows are in a model", request.name)
        heard = "_audio_paths" if request.view.extract is not None else None
        relation = Relation(rows.types, rows.media_columns, rows.relation, heard)
        counts = request.view.counts
        count_rows(connection, store, request.limits, relation, request.media_root, counts=counts)
        rows = replace(rows, types={**rows.types, **dict.fromkeys(counts, "BIGINT")})
    return rows


def _publish(
    snapshot: StoreSnapshot,
    request: Request,
    facts: CorpusFacts,
    key: str,
    options: ExportOptions,
    progress: Progress | None,
) -> ExportResult:
    store, connection = snapshot.store, snapshot.connection
    run = Run("export", _dataset(request), f"export {request.view.name}", options.asked() | request.describe())
    with scratch_folder(store.root / "exports" / request.name, key) as scratch, memory_errors(connection):
        finished = scratch / "version"
        made = make_version(snapshot, request, facts, scratch=scratch, finished=finished, run=run, progress=progress)
        content = read_content(connection)
        manifest = make_manifest(
            request, run, made.account, content, budget=made.budget, tables=snapshot.versions, sql=made.sql,
            note=options.note, rules=made.rules, key=key,
            recipe=recipe_of(request.view, options),
        )  # fmt: skip
        if request.sound is not None:
            manifest["changed_sound"] = changed_rows(connection)
            if noise := noise_samples(connection):
                manifest[exports.NOISE_SAMPLES] = noise
        if "dimension" in request.options.own:
            manifest["pairs"] = read_pairs(connection)
        if request.view.certify is not None:
            manifest["certificate"] = request.view.certify(finished / "data.parquet", request.options)
        manifest["files"] = exports.data_files(finished, made.written)
        manifest["content_sha256"] = made.written.content_sha256
        with publishing(store, connection, request.name):
            version = publish(store, request, finished, manifest, key)
            if not is_accounted(connection, version):
                adopt_run(run, version)
            reused = version.manifest["run_id"] != run.run_id
            log.info("export %s: published as %s", request.name, version.reference)
            run.details = {"export": version.reference, "reused": reused}
            write_events(store, connection, run, expanded=made.rows.expanded)
            run.finish(store)
    return result_of(version, account_of(manifest), request, reused=reused)


def _media_request(store: Store, connection: duckdb.DuckDBPyConnection, request: Request) -> MediaRequest:
    change = request.sound
    named = change.noise if change is not None else None
    return MediaRequest(
        request.selection.include_rejected,
        request.options.av != "in-video" and request.options.modality != "video",
        request.options.av == "sound-only",
        change,
        noise_source(store, connection, named, seed=request.seed) if named is not None else None,
        request.seed,
    )


def _windows(request: Request) -> Iterator[Expansion]:
    """The division of long recordings, if the request asks for it and the model would cut them. The rows of a view that
    cuts parts of its own are no longer than what a model hears."""
    limits = request.limits
    if limits is None or limits.long != "window" or request.view.expand is not None:
        return
    if limits.counted is not None and limits.counted.heard_s:
        yield partial(expand_into_windows, longest_s=limits.counted.heard_s, takes_pairs=request.options.takes_pairs)


def _budget(
    connection: duckdb.DuckDBPyConnection, request: Request, rows: Rows, account: ExportAccount, folder: Path
) -> BudgetTotals | None:
    """Write what rows are in the model of the request; else find what the extractor of the trained model cuts."""
    if request.limits is not None and (model := request.limits.counted) is not None:
        write_budget(connection, folder)
        return read_totals(connection, model)
    if request.view.trained_model is None:
        return None
    return read_cut(connection, MODELS[request.view.trained_model(account.used(rows.media_columns))])


def _rules(choices: RecordedChoices, dataset: str) -> RuleSet:
    """The rules of a dataset; the package's where an older version recorded some that are no longer there."""
    try:
        return choices.of(dataset).rules
    except UsageError:
        return load_rules()


@contextmanager
def memory_errors(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Raise a lack of memory as ProblemsFound that names the row with the longest text: it is the only known cause."""
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException as error:
        longest = "SELECT id, strlen(text) FROM samples WHERE text IS NOT NULL ORDER BY 2 DESC LIMIT 1"
        row = first_row(connection, longest) or ("", 0)
        raise ProblemsFound(
            f"The rows need more than {MEMORY_LIMIT} of memory; the longest text, of {row[0]}, has {row[1]:,} bytes.",
            hint='leave such rows out: --where "strlen(text) < 1000000"',
        ) from error


def _restrict(store: Store, connection: duckdb.DuckDBPyConnection) -> None:
    """Limit memory, and keep a user's expression from reading anything outside the store."""
    limit_memory(connection, store.root, limit=MEMORY_LIMIT)
    connection.execute(f"SET streaming_buffer_size = {quote(_AHEAD)}")
    close_sandbox(connection, store.root)


def _record(run: Run, account: ExportAccount) -> None:
    for outcome, count in sorted(account.outcomes.items()):
        if outcome == "written":
            run.account.keep(count)
        else:
            run.account.drop(outcome, count)


def _dataset(request: Request) -> str:
    return request.selection.datasets[0] if len(request.selection.datasets) == 1 else ALL_DATASETS
