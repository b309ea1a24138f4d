"""One fetching process, from the side that asks: started when needed, killed when it hangs, gone when we are.

It leads a session of its own, so that Ctrl-C reaches only us and a kill reaches whatever yt-dlp has started.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ....converters.candidate import Remote
from ....shards.media.media import scratch_path
from .options import ClipOptions

RECYCLED_AFTER = 100
"""Downloads after which a process makes room for a fresh one, so that memory stays flat."""

_MODULE = "triptych.catalog.sources.clips.worker"

Key = tuple[str, str, str]


@dataclass(slots=True, eq=False)
class Task:
    """One clip that is wanted: of what, whereto, and what came of it."""

    remote: Remote
    kind: str
    target: Path
    sound_required: bool = False
    sent_at: float = 0.0
    attempts: int = 0
    unasked: bool = False
    answer: dict[str, Any] | None = None

    @property
    def key(self) -> Key:
        """What one download serves."""
        return self.remote.site, self.remote.url, self.kind

    def request(self) -> dict[str, Any]:
        remote = self.remote
        return {
            "site": remote.site, "url": remote.url, "start_s": remote.start_s, "end_s": remote.end_s,
            "kind": self.kind, "sound_required": self.sound_required, "target": str(self.target),
        }  # fmt: skip

    def fail(self, reason: str, detail: str) -> None:
        self.answer = {"reason": reason, "detail": detail}

    def discard(self) -> None:
        """Remove the file, where there is one."""
        self.target.unlink(missing_ok=True)


@dataclass(slots=True, eq=False)
class Process:
    """A process and the tasks that it is to do one by one; only the first is known to it."""

    options: ClipOptions
    folder: Path
    tasks: deque[Task] = field(default_factory=deque)
    key: Key | None = None
    fetched: int = 0
    _child: subprocess.Popen[bytes] | None = None
    _errors: IO[bytes] | None = None
    _rest: bytes = b""

    @property
    def output(self) -> int:
        """The descriptor where answers come."""
        assert self._child is not None and self._child.stdout is not None
        return self._child.stdout.fileno()

    @property
    def deadline(self) -> float:
        """When the task on its way is given up."""
        return self.tasks[0].sent_at + self.options.timeout_s

    def take(self, task: Task) -> None:
        """Do this task after the others."""
        if self.key != task.key:
            self.fetched += 1
        self.key = task.key
        self.tasks.append(task)
        if len(self.tasks) == 1:
            self.send()

    def send(self) -> None:
        """Tell the process of its next task."""
        if self._child is None:
            self._start()
        self.tasks[0].sent_at = time.monotonic()
        self._write(self.tasks[0].request())

    def receive(self) -> dict[str, Any] | None:
        """The answer to the first task, None where it is not whole yet; a process that ended answers so."""
        piece = os.read(self.output, 65536)
        if not piece:
            words = self._last_words()
            self.kill()
            return {"reason": "extractor_failed", "detail": f"the fetching process ended: {words}", "ended": True}
        self._rest += piece
        line, newline, rest = self._rest.partition(b"\n")
        if not newline:
            return None
        self._rest = rest
        answer: dict[str, Any] = json.loads(line)
        return answer

    def kill(self) -> None:
        """End the process, what it started and what it was writing."""
        child, self._child = self._child, None
        if child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            for pipe in (child.stdin, child.stdout):
                with contextlib.suppress(BrokenPipeError):
                    if pipe is not None:
                        pipe.close()
        if self._errors is not None:
            self._errors.close()
            self._errors = None
        self.key, self.fetched, self._rest = None, 0, b""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self) -> None:
        self.folder = scratch_path(self.folder.parent)
        self.folder.mkdir()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        environment = dict(os.environ)
        if self.options.proxy:
            environment |= {"HTTP_PROXY": self.options.proxy, "HTTPS_PROXY": self.options.proxy}
            environment |= {"http_proxy": self.options.proxy, "https_proxy": self.options.proxy}
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", _MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            start_new_session=True,
            env=environment,
        )
        options = self.options
        self._write(
            {
                "cookies": str(options.cookies.resolve()) if options.cookies else None,
                "proxy": options.proxy,
                "max_bytes": options.max_bytes,
                "timeout_s": options.timeout_s,
                "trusted_hosts": sorted(options.trusted_hosts),
                "private_hosts": options.private_hosts,
                "plugin_dirs": [str(folder.resolve()) for folder in options.plugin_dirs],
                "folder": str(self.folder.resolve()),
            }
        )

    def _write(self, message: dict[str, Any]) -> None:
        assert self._child is not None and self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it ended: `receive` finds out
            self._child.stdin.write(json.dumps(message).encode() + b"\n")

    def _last_words(self) -> str:
        if self._errors is None:
            return ""
        self._errors.seek(0)
        lines = self._errors.read()[-2000:].decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else "without a word"
