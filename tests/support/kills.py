"""Commands that can be killed at any one of their writes.

    calm = run("validate", "--store", store, watch=store)           # .writes: every write below `store`
    killed = run("validate", "--store", store, watch=store, at=7)   # SIGKILL just before the seventh

A write is a file that is opened for writing, renamed, removed, linked or cut below the watched folder, and each side of
a commit, which a library in Rust makes unseen by Python. Only the command's own process is killed, never its workers.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.forks import fork

EVENTS = frozenset(
    ("open", "os.rename", "os.remove", "os.mkdir", "os.link", "os.symlink", "os.rmdir", "os.truncate", "shutil.rmtree")
)
COMMITS = ("append", "replace_dataset", "upsert", "delete", "delete_where", "update", "compact", "vacuum", "trim_log")
BATCH_ROWS = 3
"""Rows of a batch, so that even a small import commits several times."""


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code (negative: the signal), what it printed, and its writes."""

    words: tuple[str, ...]
    code: int
    output: str
    writes: list[str]


def run(
    *words: str | Path, watch: Path | None = None, at: int | None = None, env: Mapping[str, str] | None = None
) -> Ended:
    """Run `triptych ...`; `at` kills it just before its write of that number below `watch` (the first is 1)."""
    given = tuple(map(str, words))
    with tempfile.NamedTemporaryFile() as log:
        asked = {"words": given, "log": log.name, "watch": watch and str(watch), "at": at}
        whole = {**os.environ, **(env or {}), "PYTHONPATH": str(Path(__file__).parents[1])}
        process = fork("from support.kills import command; command()", json.dumps(asked), env=whole)
        said, errors = process.communicate()
        writes = Path(log.name).read_text(encoding="utf-8").splitlines()
    return Ended(given, process.returncode or 0, said + errors, writes)


# ---- in the process of the command


def command() -> None:
    """Be the command that `run` was asked for."""
    from triptych.cli import main
    from triptych.converters.ingest import ingest

    asked = json.loads(sys.argv[0])
    ingest.BATCH_ROWS = BATCH_ROWS
    if "HF_ENDPOINT" in os.environ:  # the process that this one was forked from may have read it before
        import huggingface_hub.constants

        huggingface_hub.constants.ENDPOINT = os.environ["HF_ENDPOINT"]
    sys.argv = ["triptych", *asked["words"]]
    if asked["watch"]:
        _count_writes(asked["watch"], asked["at"], os.open(asked["log"], os.O_WRONLY | os.O_APPEND))
    main()


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
