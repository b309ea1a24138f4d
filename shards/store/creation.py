"""Creating a store: its folders, its tables, its format; and telling a store that is being made from a damaged one."""

from __future__ import annotations

import os
from pathlib import Path

from ...errors import DamagedError, StoreReadOnly, UsageError
from ..store_format import FORMAT_FILE, TABLE_NAMES, read_format, write_format
from .lock import locked
from .table_cache import keep_written

FIRST_COMMIT = f"{0:020}.json"

STATISTICS = {"delta.dataSkippingNumIndexedCols": "0"}
"""No smallest and largest values in the logs: they would keep texts and speakers that were withdrawn."""


def create_tables(root: Path) -> None:
    """Create whatever is missing from a store at `root`."""
    from deltalake import DeltaTable

    from .tables import TABLES

    read_format(root)
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreReadOnly(root) from error
    with locked(root / ".lock", purpose="create the store"):
        _test_file_system(root)
        if not (root / FORMAT_FILE).exists() and not any((root / name).exists() for name in TABLE_NAMES):
            write_format(root)
        for name, schema in TABLES.items():
            table = DeltaTable.create(
                str(root / name), schema, partition_by=["dataset"], mode="ignore", configuration=STATISTICS
            )
            keep_written(root / name, table)


def refuse_lost_logs(root: Path) -> None:
    """Raise DamagedError if the log of a table is gone; only a store that was never written to may lack one."""
    lost = [name for name in TABLE_NAMES if not has_table(root, name)]
    logs = [root / name / "_delta_log" for name in TABLE_NAMES if name not in lost]
    was_used = any((log / FIRST_COMMIT).exists() is False or len(os.listdir(log)) > 1 for log in logs) or any(  # noqa: PTH208
        next((root / name).glob("dataset=*/*.parquet"), None) is not None for name in lost
    )
    if lost and was_used:
        raise DamagedError(
            f"{root / lost[0] / '_delta_log'}: the log of the table {lost[0]} is gone; nothing was written.",
            hint="restore it from a backup of the store",
        )


def has_table(root: Path, name: str) -> bool:
    """Whether a table has a first commit; a process killed while creating the store may have left an empty folder."""
    try:
        with os.scandir(root / name / "_delta_log") as entries:
            return any(entry.name.endswith(".json") for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _test_file_system(root: Path) -> None:
    """Check that hard links and renames work; raise an error that explains it if not (object-store mounts)."""
    # One process at a time creates a store, so the names are fixed: those that a killed one left go with the next.
    first, second = root / ".probe", root / ".probe-link"
    try:
        second.unlink(missing_ok=True)
        first.write_bytes(b"x")
        os.link(first, second)
        second.rename(first)
    except OSError as error:
        raise UsageError(
            f"{root} is on a file system without hard links or renames ({error.strerror}).",
            hint="put the store on a local disk, NFSv4 or Lustre; object stores are for mirrors and pushes",
        ) from error
    finally:
        for path in (first, second):
            path.unlink(missing_ok=True)
