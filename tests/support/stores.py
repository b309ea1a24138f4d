"""What tests ask of a store: its rows, its files, its balance; and the command line, here and as a process."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import triptych
from support.command_line import run as run_here
from support.forks import Fork, fork
from triptych.converters.candidate import Blob, Candidate, Rejection
from triptych.converters.ingest.ingest import Ingest
from triptych.converters.ingest.options import IngestOptions
from triptych.shards.events import Run
from triptych.shards.query import connect
from triptych.shards.store.store import Store

READ_ONCE = {"HF_HUB_OFFLINE", "PYTHONPATH", "PYTHONUTF8", "LC_ALL"}
"""Settings that Python and the hub's client read when they are loaded."""

UNBALANCED = """
select 'run' what, concat_ws(' ', run_id, stage, candidates, kept, dropped) found from runs
where candidates is distinct from kept + coalesce(list_sum(map_values(dropped)), 0)
union all select 'id', id from samples group by id having count(*) > 1
union all select 'event', concat_ws(' ', dataset, candidate, stage, reason) from events
group by dataset, candidate, stage, reason having count(*) > 1
"""

MAIN = "import sys; from triptych.cli import main; sys.argv[0] = 'triptych'; main()"


def ingest(store: Store, dataset: str, candidates: Iterable[Candidate | Rejection], **options: Any) -> Run:
    """Take candidates as a pull does."""
    run = Run("pull", dataset, "test", {})
    Ingest(store, run, IngestOptions(**options)).take(iter(candidates))
    run.finish(store)
    return run


def clip(name: str, data: bytes, **fields: Any) -> Candidate:
    """A candidate with these bytes as its audio."""
    return Candidate(name, "train", dict(fields), [("audio", Blob(name, data=data))], uri=f"test:{name}")


def select(store: Store | Path, sql: str) -> list[dict[str, Any]]:
    """Rows of a query as dictionaries.

    The process's own DuckDB answers, whose views lack the `*_file` columns; for those, and for what a user's query may
    not do, `triptych.query` opens one for each query.
    """
    root = store.root if isinstance(store, Store) else store
    if "_file" in sql:
        table = triptych.query(sql, store=root)
    else:
        with connect(Store.open(root), named_in=sql) as connection:
            table = connection.sql(sql).to_arrow_table()
    rows: list[dict[str, Any]] = table.to_pylist(maps_as_pydicts="lossy")
    return rows


def one(store: Store | Path, sql: str) -> Any:
    """The only value of a query."""
    [row] = select(store, sql)
    [value] = row.values()
    return value


def check_accounts(store: Store | Path) -> None:
    """Every run balances; ids are unique; an event stands once for a candidate, stage and reason."""
    assert select(store, UNBALANCED) == []


def media_files(root: Path) -> dict[str, str]:
    """Store-relative path -> SHA-256 of its bytes."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((root / "media").rglob("*"))
        if path.is_file()
    }


def check_media(store: Store | Path) -> None:
    """Every file has the bytes that its name says, and every path that a row names is there."""
    root = store.root if isinstance(store, Store) else store
    files = media_files(root)
    assert all(Path(path).stem == digest for path, digest in files.items())
    kinds = ("audio", "video", "image")
    sql = " union all ".join(f"select {k}.path p, {k}.sha256 s from samples where {k} is not null" for k in kinds)
    for row in select(root, sql):
        assert (root / row["p"]).is_file() or Path(row["p"]).is_file()
        assert Path(row["p"]).is_absolute() or files[row["p"]] == row["s"]


def leftovers(root: Path) -> list[str]:
    """Temporary files, of media and of tables."""
    scratch = [path for path in (root / "partial" / "tmp").rglob("*") if path.is_file()]
    return [str(path) for path in (*scratch, *root.glob(".store.duckdb.*"))]


def places_of(root: Path, words: Iterable[str]) -> list[str]:
    """Every file of a store whose bytes, decoded where it is Parquet, or name hold one of the words."""
    import pyarrow.parquet as pq

    found = []
    for path in sorted(root.rglob("*")):
        content = str(path).encode() + (str(path.readlink()).encode() if path.is_symlink() else b"")
        if path.is_file():
            content += path.read_bytes()
            if path.suffix == ".parquet":
                content += json.dumps(pq.ParquetFile(path).read().to_pylist(), default=str, ensure_ascii=False).encode()
        found += [f"{path.relative_to(root)}: {word}" for word in words if word.encode() in content]
    return found


def command(*arguments: str | Path) -> list[str]:
    """Arguments of `subprocess` for a `triptych` command."""
    return [sys.executable, "-c", MAIN, *map(str, arguments)]


def cli(
    *arguments: str | Path, env: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `triptych` in this process: arguments, environment and folder are those of the command while it runs.

    A process of its own takes a second to load what is loaded here already. It gets one where it must read the
    environment of a library anew, and beside other threads, whose folder and output are this process's too.
    """
    settings = {**os.environ, **(env or {})}
    if threading.current_thread() is not threading.main_thread() or not settings.keys().isdisjoint(READ_ONCE):
        return process(*arguments, env=env, cwd=cwd)
    done = run_here("triptych", *arguments, cwd=cwd, env=settings)
    return subprocess.CompletedProcess(list(map(str, arguments)), done.code, done.stdout, done.stderr)


def process(
    *arguments: str | Path, env: dict[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `triptych` as a process of its own, with an interpreter of its own where that may matter."""
    if cwd is None and READ_ONCE.isdisjoint(env or {}):
        running = begin(*arguments, env=env)
        stdout, stderr = running.communicate(timeout=120)
        return subprocess.CompletedProcess(list(map(str, arguments)), running.wait(), stdout, stderr)
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, timeout=120, cwd=cwd, env={**os.environ, **(env or {})}
    )


def begin(*arguments: str | Path, env: dict[str, str] | None = None) -> Fork:
    """Begin a `triptych` command as a process of its own, to be waited for, interrupted or killed."""
    return fork(MAIN, "triptych", *map(str, arguments), env={**os.environ, **(env or {})})


def cli_json(*arguments: str | Path, env: dict[str, str] | None = None) -> Any:
    """The document that a `triptych ... --json` prints; it must exit 0."""
    done = cli(*arguments, "--json", env=env)
    assert done.returncode == 0, done.stderr + done.stdout
    return json.loads(done.stdout)
