"""One download process, seen from its parent: started on demand, killed when it hangs, ended with its parent.

It leads its own session, so that Ctrl-C reaches only the parent and a kill also reaches what yt-dlp has started.
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
"""Downloads after which a process is replaced, so that memory stays flat."""

_MODULE = "triptych.catalog.sources.clips.worker"

Key = tuple[str, str, str]


@dataclass(slots=True, eq=False)
class Task:
    """One clip to fetch: its source, its target file, and the result."""

    remote: Remote
    kind: str
    target: Path
    sound_required: bool = False
    sent_at: float = 0.0
    attempts: int = 0
    not_requested: bool = False
    answer: dict[str, Any] | None = None

    @property
    def key(self) -> Key:
        """Tasks with the same key share one download."""
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
        """Remove the file, if there is one."""
        self.target.unlink(missing_ok=True)


def launch(environment: dict[str, str], errors: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the program of a download process, in its own session."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", _MODULE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        bufsize=0,
        start_new_session=True,
        env=environment,
    )


@dataclass(slots=True, eq=False)
class Process:
    """A process and its queue of tasks; only the first one has been sent to it."""

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
        """File descriptor of its replies."""
        assert self._child is not None and self._child.stdout is not None
        return self._child.stdout.fileno()

    @property
    def deadline(self) -> float:
        """When the current task times out."""
        return self.tasks[0].sent_at + self.options.timeout_s

    def take(self, task: Task) -> None:
        """Add a task to the queue."""
        if self.key != task.key:
            self.fetched += 1
        self.key = task.key
        self.tasks.append(task)
        if len(self.tasks) == 1:
            self.send()

    def send(self) -> None:
        """Send the next task to the process."""
        if self._child is None:
            self._start()
        self.tasks[0].sent_at = time.monotonic()
        self._write(self.tasks[0].request())

    def receive(self) -> dict[str, Any] | None:
        """Return the reply to the first task, None if incomplete; for a process that has ended, a failure."""
        piece = os.read(self.output, 65536)
        if not piece:
            words = self._last_error_line()
            self.kill()
            return {"reason": "extractor_failed", "detail": f"the download process ended: {words}", "ended": True}
        self._rest += piece
        line, newline, rest = self._rest.partition(b"\n")
        if not newline:
            return None
        self._rest = rest
        answer: dict[str, Any] = json.loads(line)
        return answer

    def kill(self) -> None:
        """Kill the process and its children, and remove its files."""
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
        self._child = launch(environment, self._errors)
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
        with contextlib.suppress(BrokenPipeError):  # it has ended: `receive` notices
            self._child.stdin.write(json.dumps(message).encode() + b"\n")

    def _last_error_line(self) -> str:
        if self._errors is None:
            return ""
        self._errors.seek(0)
        lines = self._errors.read()[-2000:].decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else "no error output"
