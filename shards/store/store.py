"""The store: a directory of Delta tables, media and exports.

    STORE/samples checks verdicts annotations events runs   Delta tables, partitioned by dataset
    STORE/media/ab/<sha256>.<ext>                           content-addressed media (store_format.py)
    STORE/store.json                                        the format version
    STORE/exports/<name>/v<N>/                              published versions
    STORE/partial/                                          unfinished downloads
    STORE/store.duckdb                                      generated views for the plain duckdb client

Delta appends never conflict with each other, so every batch that must be unique carries an application transaction (a
fence): the second writer of the same number fails and must read again. All table writes go through this module.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import DamagedError, StoreReadOnly, UsageError
from ..media.media import MediaStore
from ..store_format import TABLE_NAMES, read_format
from ..text import encodable
from .commits import delta_errors, until_committed
from .creation import FIRST_COMMIT, STATISTICS, create_tables, has_table, refuse_lost_logs
from .lock import locked
from .sql import quote
from .table_cache import keep_written, table_at

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

log = logging.getLogger("triptych")

DEFAULT_STORE = Path("store")
STORE_VARIABLE = "TRIPTYCH_STORE"
_UNUSABLE = frozenset("%?[]^|\\")
"""Characters that the Delta library or DuckDB treats specially in a path."""


class Store:
    """An existing store. `Store.open` never creates one; `Store.create` opens or creates one."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.media = MediaStore(root, format_version=read_format(root))
        self._open_tables: dict[str, DeltaTable] = {}

    @classmethod
    def open(cls, path: Path | str | None = None) -> Store:
        """Open the store at `path`, else `TRIPTYCH_STORE`, else `./store`.

        Raises:
            UsageError: There is no store there, or this version of triptych does not read its format.
        """
        root = resolve(path)
        if not has_table(root, "samples"):
            refuse_lost_logs(root)
            raise UsageError(
                f"There is no store at {root}.",
                hint="choose another with --store PATH or TRIPTYCH_STORE, or create one: triptych catalog pull NAME",
            )
        return cls(root)

    @classmethod
    def create(cls, path: Path | str | None = None) -> Store:
        """Open the store at `path`; create it first if it does not exist."""
        root = resolve(path)
        if all(has_table(root, name) for name in TABLE_NAMES):
            return cls(root)
        refuse_lost_logs(root)
        if root.exists() and not root.is_dir():
            raise UsageError(f"{root} is a file, not a folder.", hint="choose another with --store PATH")
        if root.is_dir() and not (root / ".lock").exists() and any(root.iterdir()):
            raise UsageError(
                f"{root} contains other files and is not a store.",
                hint="choose an empty or new folder with --store PATH",
            )
        if unusable := sorted(set(str(root)) & _UNUSABLE):
            raise UsageError(
                f"{root}: the path of a store cannot contain {' or '.join(unusable)}.",
                hint="choose another with --store PATH",
            )
        create_tables(root)
        return cls(root)

    @contextlib.contextmanager
    def lock(self, purpose: str) -> Iterator[None]:
        """Hold the lock of the whole store, for work that takes milliseconds."""
        with locked(self.root / ".lock", purpose=purpose):
            yield

    @contextlib.contextmanager
    def dataset_lock(self, dataset: str, purpose: str) -> Iterator[None]:
        """Hold the lock of one dataset's tables: one committer, validator or compactor at a time."""
        with locked(self.root / ".locks" / f"{dataset}.lock", purpose=purpose):
            yield

    def table(self, name: str) -> DeltaTable:
        """Return the Delta table `name` as it is now, to read.

        Opening reads the table's log, so the open table is kept until the log has a later commit.
        """
        found = self._open_tables.get(name)
        if found is None or not self._is_latest(name, found.version()):
            found = self._open_tables[name] = table_at(self.root / name, partial(self.open_table, name))
        return found

    def _is_latest(self, name: str, version: int) -> bool:
        """Whether the log ends with this version; a purge deletes the log's older commits."""
        log = self.root / name / "_delta_log"
        return (log / f"{version:020}.json").exists() and not (log / f"{version + 1:020}.json").exists()

    def open_table(self, name: str, *, version: int | None = None) -> DeltaTable:
        """Open the Delta table `name` anew, as of `version` or now: to write, since a write moves the open table on."""
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError, TableNotFoundError

        try:
            return DeltaTable(str(self.root / name), version=version)
        except TableNotFoundError as error:
            raise DamagedError(f"{self.root / name} is no longer a Delta table.") from error
        except DeltaError as error:
            raise DamagedError(f"{self.root / name}: {error}") from error

    def live_files(self, name: str, *, version: int | None = None) -> list[Path]:
        """Return the sorted data files of a table, as of `version` or now."""
        from .views import live_files

        return live_files(self.table(name) if version is None else self.open_table(name, version=version))

    def versions(self) -> dict[str, int]:
        """Return the current version of every table except `runs`, whose rows record these versions."""
        return {name: self.table(name).version() for name in TABLE_NAMES if name != "runs"}

    def append(
        self,
        name: str,
        rows: pa.Table,
        *,
        table: DeltaTable | None = None,
        fence: tuple[str, int] | None = None,
        merge_schema: bool = False,
    ) -> None:
        """Append rows in one commit; `fence` is (application, number) and makes the commit exclusive.

        Columns that a table of an earlier version lacks are added to it; `merge_schema` allows others as well.

        Raises:
            FenceConflict: Another writer has already committed that number.
        """
        from deltalake import write_deltalake

        def write(to: DeltaTable) -> None:
            write_deltalake(
                to,
                rows,
                mode="append",
                schema_mode="merge" if merge_schema or _lacks_columns(name, to) else None,
                commit_properties=_commit_properties(fence),
            )

        self._change(name, write, table=table, fence=fence)
        self._log_commit(name, rows)

    def _change(
        self,
        name: str,
        change: Callable[[DeltaTable], object],
        *,
        table: DeltaTable | None = None,
        fence: tuple[str, int] | None = None,
    ) -> None:
        """Commit a change to a table; one without a fence is made again if another writer was first."""

        def commit() -> None:
            with delta_errors(self.root / name):
                written = table if table is not None else self.open_table(name)  # a path would start an empty table
                change(written)
                if table is None:
                    keep_written(self.root / name, written)

        if fence is None:
            until_committed(commit)
        else:
            commit()

    def replace_dataset(
        self, name: str, dataset: str, rows: pa.Table | pa.RecordBatchReader, *, merge_schema: bool = False
    ) -> None:
        """Replace one dataset's rows of a table in one commit; a reader's rows are written as they come.

        Raises:
            FenceConflict: Another writer changed the dataset's rows, or added a column, after the table was opened.
        """
        from deltalake import write_deltalake

        with delta_errors(self.root / name):
            write_deltalake(
                self.open_table(name),
                rows,
                mode="overwrite",
                predicate=f"dataset = '{dataset}'",
                schema_mode="merge" if merge_schema else None,
            )
        self._log_commit(name, rows)

    def upsert(self, name: str, dataset: str, rows: pa.Table, *, fence: tuple[str, int]) -> None:
        """Replace the rows whose id is in `rows` and add the others, in one commit."""
        with delta_errors(self.root / name):
            table = self.open_table(name)
            (
                table.merge(
                    rows,
                    merge_schema=_lacks_columns(name, table),
                    predicate=f"target.dataset = '{dataset}' AND target.id = source.id",
                    source_alias="source",
                    target_alias="target",
                    commit_properties=_commit_properties(fence),
                )
                .when_matched_update_all()
                .when_not_matched_insert_all()
                .execute()
            )
        self._log_commit(name, rows)

    def _log_commit(self, name: str, rows: pa.Table | pa.RecordBatchReader) -> None:
        """Log one commit; the version is looked up only for a log that is read."""
        if log.isEnabledFor(logging.INFO):
            count = getattr(rows, "num_rows", "new")
            log.info("commit %s: %s rows, version %d", name, count, self.table(name).version())

    def delete(self, name: str, dataset: str, ids: Sequence[str], *, fence: tuple[str, int] | None = None) -> None:
        """Delete one dataset's rows with these ids, in one commit."""
        if ids:
            predicate = f"dataset = '{dataset}' AND id IN ({', '.join(map(quote, ids))})"
            properties = _commit_properties(fence)
            self._change(name, lambda table: table.delete(predicate, commit_properties=properties), fence=fence)

    def delete_where(self, name: str, predicate: str) -> None:
        """Delete the rows that a Delta predicate selects, in one commit."""
        self._change(name, lambda table: table.delete(predicate))

    def update(self, name: str, predicate: str, values: Mapping[str, str]) -> None:
        """Set text columns of the rows that a Delta predicate selects, in one commit."""
        updates = {key: quote(value) for key, value in values.items()}
        self._change(name, lambda table: table.update(predicate=predicate, updates=updates))

    def compact(self, name: str, dataset: str) -> int:
        """Merge one dataset's small files of a table in one commit; return how many were removed."""
        with delta_errors(self.root / name):
            metrics = self.open_table(name).optimize.compact(
                partition_filters=[("dataset", "=", dataset)], writer_properties=_writer_properties()
            )
        return int(metrics["numFilesRemoved"])

    def vacuum(self, name: str) -> int:
        """Delete the files of a table that only its old versions use; return how many."""
        with delta_errors(self.root / name):
            gone = self.open_table(name).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
        return len(gone)

    def trim_log(self, name: str) -> None:
        """Forget the old versions of a table: its log keeps its last commit and a checkpoint of the live files.

        Old commits hold ids in the predicates of deletions and, in stores made before statistics were turned off, the
        smallest and largest texts of every file. Version numbers go on, so that `--at` never reads another version.
        """
        folder = self.root / name / "_delta_log"
        with delta_errors(self.root / name):
            self.open_table(name).alter.set_table_properties(STATISTICS)
            table = self.open_table(name)
            table.create_checkpoint()
        version = table.version()
        keep = {f"{version:020}.json", f"{version:020}.checkpoint.parquet", "_last_checkpoint"}
        for path in folder.iterdir():
            if path.name not in keep and path.is_file():
                path.unlink()

    def fence_number(self, name: str, application: str, *, table: DeltaTable | None = None) -> int:
        """Return the last transaction number of an application in a table; 0 before the first."""
        number = (table if table is not None else self.table(name)).transaction_version(application)
        return int(number) if number is not None else 0

    def datasets(self) -> list[str]:
        """Return the names of the datasets that have samples."""
        return sorted(dataset for dataset, count in self.count_rows("samples").items() if count)

    def count_rows(self, name: str) -> dict[str, int]:
        """Count the rows of each dataset in a table, from its log."""
        files = self.table(name).get_add_actions(flatten=True)
        counts: dict[str, int] = {}
        for file in files.select(["path", "partition.dataset", "num_records"]).to_struct_array().to_pylist():
            if file["num_records"] is None:
                raise DamagedError(f"{self.root / name / file['path']}: the table's log has no row count for it.")
            dataset = str(file["partition.dataset"])
            counts[dataset] = counts.get(dataset, 0) + int(file["num_records"])
        return counts

    def has_rows(self, name: str, *, version: int | None = None) -> bool:
        """Whether a table has any data file, as of `version` or now; a table never written to is not opened."""
        log = self.root / name / "_delta_log"
        if log.is_dir() and os.listdir(log) == [FIRST_COMMIT]:  # noqa: PTH208 (half the time of iterdir)
            return False
        return bool(self.live_files(name, version=version))

    def sweep_views(self) -> None:
        """Delete what a process that was killed while it wrote `store.duckdb` left, and write that file again."""
        if next(self.root.glob(".store.duckdb.*"), None) is not None:
            with contextlib.suppress(StoreReadOnly):
                self.refresh()

    def refresh(self, *, out: Path | None = None, root: Path | None = None) -> Path:
        """Rewrite `store.duckdb` under a temporary name and rename it, holding the store's lock.

        `root` is the path of the store as seen by whoever opens the file.
        """
        from .views import write_views

        target = out or self.root / "store.duckdb"
        with self.lock("refresh store.duckdb"):
            _sweep(target)
            annotated = self.has_rows("annotations")
            return write_views(self.table, target, annotated=annotated, root=self.root, shown_root=root)


def _sweep(target: Path) -> None:
    """Delete what processes killed while they wrote this file left beside it; the caller holds the store's lock."""
    for left in target.parent.glob(f".{target.name}.*"):
        left.unlink(missing_ok=True)


def resolve(path: Path | str | None) -> Path:
    """Return the absolute path of the store that a command uses."""
    chosen = path or os.environ.get(STORE_VARIABLE) or DEFAULT_STORE
    return Path(chosen).expanduser().absolute()


def _writer_properties() -> Any:
    """Settings of compacted files: row groups that all cores can share, a codec that decompresses at memory speed."""
    from deltalake import WriterProperties

    return WriterProperties(compression="LZ4_RAW", max_row_group_size=122_880)


def _commit_properties(fence: tuple[str, int] | None) -> Any:
    from deltalake import CommitProperties, Transaction

    if fence is None:
        return None
    return CommitProperties(app_transactions=[Transaction(fence[0], fence[1])])


def _lacks_columns(name: str, table: DeltaTable) -> bool:
    """Whether an earlier version created this table, with fewer columns than rows have now."""
    from .tables import TABLES

    own = {field.name for field in table.schema().fields}
    return any(field.name not in own for field in TABLES[name])


def run_details(value: Mapping[str, Any]) -> str:
    """Return JSON for the columns `options` and `details` of a run; sorted, so that equal values give equal text."""
    import json

    return encodable(json.dumps(value, sort_keys=True, ensure_ascii=False, default=str))
