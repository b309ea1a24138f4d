"""`exports rebuild`: the rows of a published version once more, from its manifest and the tables of its time.

A manifest says what was asked for and which version of every table was read. From these the same rows are made; what
equals the published files is put where a file is missing, damaged or was collected. Nothing else of a version changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...errors import DamagedError, UsageError
from ...shards.exports import versions as exports
from ...shards.exports.collection import put_back, unmark_collected
from ...shards.exports.scratch import scratch_folder
from ...shards.store.lock import locked
from ...shards.store.sql import first_row
from ...shards.store.store import Store
from ..budget.limits import Limits
from ..composition.options import Composition
from ..export.export import make_version, memory_errors
from ..export.identity import StoreSnapshot
from ..export.media.change import SoundChange
from ..export.request import Request
from ..export.select import CorpusFacts, ExportFilter
from ..views import View, get_view

if TYPE_CHECKING:
    import duckdb


REMOVED = "{:,} of its rows are of samples that were removed since, the first is {}"
"""Why a version is not made again: a rebuild must not undo a withdrawal."""


@dataclass(slots=True)
class Rebuilt:
    """What became of the files of a version.

    Attributes:
        same: Files made again with the same bytes.
        restored: Those of them that were missing, damaged or collected, and are there again.
        differs: Files that came out otherwise; those of the version stay as they are.
    """

    version: exports.Version
    same: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    differs: list[str] = field(default_factory=list)


def obstacle(store: Store, version: exports.Version) -> str | None:
    """Why a version cannot be made again from this store by this version of the package; None if it can be tried."""
    manifest = version.manifest
    if manifest.get("withdrawn"):
        return f"it was withdrawn at {manifest['withdrawn']}"
    if "relocated_from" in manifest:
        return f"it is a copy: rebuild {manifest['relocated_from']} and relocate that"
    try:
        view = _view_of(version)
    except UsageError as error:
        return error.message
    if view.revision != manifest["view_revision"]:
        return f"the view {view.name!r} has the revision {view.revision}, and it had {manifest['view_revision']}"
    for table, number in manifest["tables"].items():
        try:
            gone = [path for path in store.live_files(table, version=number) if not path.is_file()]
        except DamagedError:
            return f"version {number} of the table {table} is no longer there"
        if gone:
            return f"{len(gone)} files of version {number} of the table {table} are no longer there: they were purged"
    return None


def rebuild(store: Store, version: exports.Version) -> Rebuilt:
    """Make the rows of a version again and put back the files that it lacks.

    Raises:
        UsageError: The version cannot be made again: its view has changed, tables of its time were purged, it was
            withdrawn, or it contains samples that were removed since.
    """
    if (reason := obstacle(store, version)) is not None:
        raise UsageError(f"{version.reference} cannot be made again: {reason}.")
    manifest = version.manifest
    request = _request(version)
    result = Rebuilt(version)
    folder = version.path.parent
    with (
        StoreSnapshot.of(store, versions=manifest["tables"], until=_started(store, manifest)) as snapshot,
        scratch_folder(folder, "rebuild") as scratch,
        memory_errors(snapshot.connection),
    ):
        facts = CorpusFacts.read(snapshot.connection, request.selection.datasets)
        finished = scratch / "version"
        made = make_version(snapshot, request, facts, scratch=scratch, finished=finished, run=None)
        _refuse_removed(store, snapshot.connection, version, expanded=made.rows.expanded)
        found = exports.data_files(finished, made.written)
        with locked(folder / ".lock", purpose=f"rebuild {version.reference}"):
            for name, expected in manifest["files"].items():
                if found.get(name, {}).get("sha256") != expected["sha256"]:
                    result.differs.append(name)
                    continue
                result.same.append(name)
                if put_back(version, name, finished / name):
                    result.restored.append(name)
            if not result.differs:
                unmark_collected(version)
    return result


def _view_of(version: exports.Version) -> View:
    manifest = version.manifest
    if "view_file" in manifest:
        return get_view(version.path / manifest["view_file"])
    return get_view(manifest["view"], manifest.get("style"))


def _request(version: exports.Version) -> Request:
    """The request that made a version, from its manifest."""
    manifest = version.manifest
    chosen = dict(manifest["selection"])
    no_split = chosen.pop("no_split", "keep") == "keep"
    chosen |= {"datasets": tuple(chosen["datasets"]), "splits": tuple(chosen["splits"]), "no_split": no_split}
    view = _view_of(version)
    return Request(
        view,
        version.name,
        ExportFilter(**chosen),
        view.options_of(manifest, version.path),
        manifest["order"],
        manifest["seed"],
        manifest["media_root"],
        Composition.of(**manifest.get("composition", {})),
        SoundChange.of_manifest(manifest.get("sound")),
        Limits.recorded(manifest["limits"]) if "limits" in manifest else None,
    )


def _started(store: Store, manifest: Mapping[str, Any]) -> str:
    """When the export read the tables: runs that finished later are not part of what it saw."""
    from ...shards.query import connect

    with connect(store, named_in="runs") as connection:
        row = first_row(
            connection, "SELECT started_at::VARCHAR FROM runs WHERE run_id = $1 LIMIT 1", [manifest["run_id"]]
        )
    return str(row[0]) if row else str(manifest["created_at"])


def _refuse_removed(
    store: Store, connection: duckdb.DuckDBPyConnection, version: exports.Version, *, expanded: bool
) -> None:
    """Refuse to bring back rows of samples that were removed since: a rebuild must not undo a withdrawal."""
    from ...shards.query import scan

    sample = "_sample" if expanded else "id"
    row = first_row(
        connection,
        f"SELECT count(*), min({sample}) FROM rows r ANTI JOIN ({scan(store, 'samples')}) s ON s.id = r.{sample} "
        "WHERE _outcome IS NULL",
    )
    if row and row[0]:
        raise UsageError(
            f"{version.reference} cannot be made again: {REMOVED.format(*row)}.",
            hint="export again, without them; or bring them back: triptych store restore",
        )
