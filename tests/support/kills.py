"""Commands as processes that cost a fork, and that can be killed at any one of their writes.

    with Forks() as forks:
        calm = forks.run("validate", "--store", store, watch=store)           # .writes: every write below `store`
        killed = forks.run("validate", "--store", store, watch=store, at=7)   # SIGKILL just before the seventh

A process that has loaded the program and done nothing yet is forked for each command, so a command starts in a few
milliseconds and inherits no thread, lock or open table. A write is a file that is opened for writing, renamed,
removed, linked or cut below the watched folder, and each side of a commit, which a library in Rust makes unseen by
Python. Only the command's own process is killed, never its workers.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Self

EVENTS = frozenset(
    ("open", "os.rename", "os.remove", "os.mkdir", "os.link", "os.symlink", "os.rmdir", "os.truncate", "shutil.rmtree")
)
COMMITS = ("append", "replace_dataset", "upsert", "delete", "delete_where", "update", "compact", "vacuum", "trim_log")
LOADED = (
    "deltalake", "duckdb", "numpy", "pandas", "pyarrow.parquet", "pyarrow.dataset", "rich.table", "soundfile", "yaml",
    "triptych.api", "triptych.cli", "triptych.exports", "triptych.catalog.files.open", "triptych.catalog.pull.pull",
    "triptych.catalog.sources.download.http", "triptych.converters.export.export", "triptych.converters.convert",
    "triptych.converters.imports.import_data", "triptych.shards.care.removal", "triptych.shards.care.verify",
    "triptych.validators.validate",
)  # fmt: skip
"""What a command would load: none of these starts a thread."""

BATCH_ROWS = 3
"""Rows of a batch, so that even a small import commits several times."""


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code (negative: the signal), what it printed, and its writes."""

    words: tuple[str, ...]
    code: int
    output: str
    writes: list[str]


class Forks:
    """A process to fork commands from; one command at a time."""

    def __enter__(self) -> Self:
        command = [sys.executable, "-c", "from support.kills import serve; serve()"]
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
        self._server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env, start_new_session=True
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._server.communicate()

    def run(self, *words: str | Path, watch: Path | None = None, at: int | None = None) -> Ended:
        """Run `triptych ...`; `at` kills it just before its write of that number below `watch` (the first is 1)."""
        assert self._server.stdin and self._server.stdout
        with tempfile.NamedTemporaryFile() as output, tempfile.NamedTemporaryFile() as log:
            asked = {"words": [*map(str, words)], "output": output.name, "log": log.name, "watch": watch and str(watch)}
            self._server.stdin.write(json.dumps({**asked, "at": at}) + "\n")
            self._server.stdin.flush()
            code = int(self._server.stdout.readline())
            writes = Path(log.name).read_text().splitlines()
            return Ended(tuple(map(str, words)), code, Path(output.name).read_text(errors="replace"), writes)


# ---- in the process that is forked, and its children


def serve() -> None:
    """Fork a child for each request on stdin, and answer with its exit code."""
    from triptych.converters.ingest import ingest

    for name in LOADED:
        import_module(name)
    ingest.BATCH_ROWS = BATCH_ROWS
    for line in sys.stdin:
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            _command(asked)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _command(asked: dict[str, Any]) -> None:
    """Be the command: never returns."""
    from triptych.cli import main

    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    target = os.open(asked["output"], os.O_WRONLY | os.O_APPEND)
    os.dup2(target, 1)
    os.dup2(target, 2)
    sys.argv = ["triptych", *asked["words"]]
    if asked["watch"]:
        _count_writes(asked["watch"], asked["at"], os.open(asked["log"], os.O_WRONLY | os.O_APPEND))
    main()  # exits
    sys.exit(0)


def _count_writes(root: str, at: int | None, log: int) -> None:
    me, count, busy = os.getpid(), 0, False

    def write(what: str) -> None:
        nonlocal count
        if os.getpid() != me:
            return
        count += 1
        os.write(log, f"{what}\n".encode(errors="replace"))
        if count == at:
            os.kill(me, signal.SIGKILL)

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal busy
        if event not in EVENTS or busy:
            return
        busy = True
        try:
            for path in arguments[: 2 if event in ("os.rename", "os.link") else 1]:
                if isinstance(path, (str, bytes, os.PathLike)) and os.fsdecode(path).startswith(root):
                    if event == "open" and not (arguments[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                        return
                    write(f"{event} {os.fsdecode(path)[len(root) :]}")
                    return
        finally:
            busy = False

    sys.addaudithook(audit)
    from triptych.shards.store.store import Store

    for name in COMMITS:
        setattr(Store, name, _with_both_sides(name, getattr(Store, name), write))


def _with_both_sides(name: str, commit: Callable[..., Any], write: Callable[[str], None]) -> Callable[..., Any]:
    def both_sides(store: Any, of_table: str, /, *given: Any, **options: Any) -> Any:
        write(f"before {name} {of_table}")
        done = commit(store, of_table, *given, **options)
        write(f"after {name} {of_table}")
        return done

    return both_sides
