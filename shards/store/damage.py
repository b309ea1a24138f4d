"""What libraries raise over damaged tables, full disks and read-only folders, as errors that name the file.

DuckDB, Arrow and the Delta library each have errors of their own for a file that is missing, truncated or cannot be
written; `damage_errors` is the one place that turns them into `DamagedError` and `StoreReadOnly`.
"""

from __future__ import annotations

import contextlib
import errno
import re
from collections.abc import Iterator
from pathlib import Path

from ...errors import DamagedError, StoreReadOnly, TriptychError
from ..store_format import TABLE_NAMES
from .store import Store

_LIBRARIES = ("duckdb", "_duckdb", "pyarrow", "deltalake", "_internal", "builtins", "pyo3_runtime")
_FULL = (errno.ENOSPC, errno.EDQUOT)
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
_FULL_WORDS = re.compile(r"no space left|disk quota exceeded|os error 28\b", re.IGNORECASE)
_DENIED_WORDS = re.compile(r"permission denied|read-only file system|os error (13|30)\b", re.IGNORECASE)
_DAMAGE_WORDS = re.compile(
    r"no files found|cannot open file|could not open|no such file|not found|too small to be a parquet|magic bytes|"
    r"corrupt|invalid parquet|parquet|thrift|snappy|zstd|decompress|invalid table version|_delta_log|"
    r"could not read|failed to read|unexpected end|end of file|invalid json|eof while",
    re.IGNORECASE,
)
_FREE = "free space on that disk (triptych store gc), then run the same command again"
_VERIFY = "triptych store verify names everything that is missing or damaged"


@contextlib.contextmanager
def damage_errors(store: Store) -> Iterator[None]:
    """Raise what a library reports of the store's files as an error that names the file and its exit code."""
    try:
        yield
    except (TriptychError, KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        found = explain(store, error)
        if found is None:
            raise
        raise found from error


def explain(store: Store, error: BaseException) -> TriptychError | None:
    """The error to show instead, or None if this is not about a file of the store or a full disk."""
    if isinstance(error, OSError) and error.errno is not None:
        return _explain_os_error(store, error)
    if type(error).__module__.partition(".")[0] not in _LIBRARIES or isinstance(error, MemoryError):
        return None
    text = str(error).strip()
    is_panic = type(error).__name__ == "PanicException"
    if type(error).__module__ == "builtins" and not isinstance(error, OSError):
        return None
    if _FULL_WORDS.search(text):
        return DamagedError(f"{store.root}: the disk is full: {_line(text)}", hint=_FREE)
    if _DENIED_WORDS.search(text):
        return StoreReadOnly(store.root)
    if is_panic or _DAMAGE_WORDS.search(text):
        problems = table_problems(store)
        if problems or is_panic or str(store.root) in text:
            return DamagedError(problems[0] if problems else f"{store.root}: {_line(text)}", hint=_VERIFY)
    return None


def _explain_os_error(store: Store, error: OSError) -> TriptychError | None:
    named = str(error.filename) if error.filename else ""
    inside = named.startswith(str(store.root))
    if error.errno in _FULL:
        return DamagedError(f"{named or store.root}: {error.strerror}.", hint=_FREE)
    if (error.errno in _DENIED and inside) or (error.errno == errno.EROFS and not named):
        return StoreReadOnly(store.root)
    if inside and error.errno in (errno.ENOENT, errno.EIO, errno.ENOTDIR, errno.EISDIR):
        return DamagedError(f"{named}: {error.strerror}.", hint=_VERIFY)
    return None


def _line(text: str) -> str:
    return text.splitlines()[0][:300] if text else "unknown error"


def check_tables(store: Store, names: tuple[str, ...] = TABLE_NAMES) -> None:
    """Raise DamagedError if a log is unreadable, or names a file that is missing or has another size."""
    problems = table_problems(store, names)
    if problems:
        more = f" (and {len(problems) - 1:,} more)" if len(problems) > 1 else ""
        raise DamagedError(problems[0] + more, hint=_VERIFY)


def table_problems(store: Store, names: tuple[str, ...] = TABLE_NAMES, *, footers: bool = True) -> list[str]:
    """List what is wrong with the tables: unreadable logs, files that are missing, cut off or not Parquet."""
    problems: list[str] = []
    for name in names:
        try:
            problems += _problems_of(store, name, footers=footers)
        except DamagedError as error:
            problems.append(error.message)
        except OSError as error:
            problems.append(f"{store.root / name}: {error}")
    return problems


def _problems_of(store: Store, name: str, *, footers: bool) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from .views import live_files

    table = store.open_table(name)
    sizes = table.get_add_actions(flatten=True).select(["path", "size_bytes"]).to_struct_array().to_pylist()
    expected = {row["path"]: row["size_bytes"] for row in sizes}
    for file in live_files(table):
        size = next((expected[key] for key in _spellings(file, store.root / name) if key in expected), None)
        try:
            found = file.stat().st_size
        except FileNotFoundError:
            yield f"{file}: missing, but the log of {name} names it."
            continue
        if size is not None and found != size:
            yield f"{file}: damaged: {found:,} bytes, but the log of {name} says {size:,}."
        elif footers:
            try:
                pq.read_metadata(file)
            except (pa.ArrowException, OSError) as error:
                yield f"{file}: damaged: {_line(str(error))}"


def _spellings(file: Path, folder: Path) -> tuple[str, str]:
    """How the log may write a path: as it is, or with `%20` for a space."""
    from urllib.parse import quote

    path = file.relative_to(folder).as_posix()
    return path, quote(path, safe="/=-_.~")
