"""The pool of download processes: all segments of a video go to one process, and rate limits of hosts are kept."""

from __future__ import annotations

import math
import os
import shutil
import socket
import time
from collections import deque
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ....errors import UsageError
from .failures import REFUSALS, UNREACHED
from .options import ClipOptions
from .process import RECYCLED_AFTER, Process, Task
from .rate_limit import YOUTUBE, RateLimiter

_ATTEMPTS = 3
"""Attempts for one clip if the host refuses it."""


class WorkerPool:
    """Up to `jobs` processes; a single thread submits and dispatches tasks and waits for them.

    `folder` holds one folder per process; folders of dead processes are removed.
    """

    def __init__(self, options: ClipOptions, folder: Path, rate_limiter: RateLimiter) -> None:
        self._options = options
        self._folder = folder
        self._rate_limiter = rate_limiter
        self._waiting: deque[Task] = deque()
        self._processes: list[Process] = []
        _sweep(folder)

    def submit(self, task: Task) -> None:
        """Queue a task."""
        self._waiting.append(task)

    def dispatch(self) -> None:
        """Start the tasks that can start now; tasks for a closed host fail at once."""
        left: deque[Task] = deque()
        for task in self._waiting:
            if not self._place(task):
                left.append(task)
        self._waiting = left

    def wait(self) -> None:
        """Wait until a process replies or times out, or a host accepts requests again; a signal interrupts it."""
        from multiprocessing.connection import wait

        busy = [process for process in self._processes if process.tasks]
        moments = [process.deadline for process in busy]
        moments += [self._rate_limiter.due(_host(task)) for task in self._waiting] if self._has_free() else []
        until = min(moments, default=math.inf)
        now = time.monotonic()
        allowed = None if until == math.inf else max(0.0, until - now)
        answering = set(wait([process.output for process in busy], timeout=allowed))
        for process in busy:
            if process.output in answering:
                self._receive(process)
            elif process.deadline <= time.monotonic():
                self._give_up(process)

    def close(self) -> None:
        """Kill all processes."""
        for process in self._processes:
            process.kill()
        self._processes = []
        if self._folder.is_dir() and not any(self._folder.iterdir()):
            self._folder.rmdir()

    def _has_free(self) -> bool:
        return len(self._processes) < self._options.jobs or any(not process.tasks for process in self._processes)

    def _place(self, task: Task) -> bool:
        host = _host(task)
        closed = self._rate_limiter.closed(host)
        if closed:
            task.not_requested = True
            task.fail(closed, f"not requested: {host} refused the requests before it")
            return True
        for process in self._processes:
            if process.key == task.key:
                process.take(task)
                return True
        if not self._has_free() or self._rate_limiter.due(host) > time.monotonic():
            return False
        self._rate_limiter.requested(host)
        self._free().take(task)
        return True

    def _free(self) -> Process:
        for process in self._processes:
            if not process.tasks:
                if process.fetched >= RECYCLED_AFTER:
                    process.kill()
                return process
        process = Process(self._options, self._folder / "next")
        self._processes.append(process)
        return process

    def _receive(self, process: Process) -> None:
        answer = process.receive()
        if answer is None:
            return
        if "fatal" in answer:
            raise UsageError(answer["fatal"], hint="free some space and run the same command again; it continues")
        task = process.tasks.popleft()
        task.attempts += 1
        host = _host(task)
        if answer.get("reason") in REFUSALS:
            self._rate_limiter.refused(host, answer["reason"], sent_at=task.sent_at)
            self._retry_or_fail(process, task, answer)
        else:
            self._note(task, answer)
            task.answer = answer
            if answer.get("ended"):
                task.discard()
                self._fail_others(process, task, answer)
        if process.tasks:
            process.send()

    def _note(self, task: Task, answer: dict[str, Any]) -> None:
        """Tell the rate limiter whether the host of a clip answered."""
        reason = answer.get("reason")
        if reason in UNREACHED:
            self._rate_limiter.missed(_host(task), reason, sent_at=task.sent_at)
        else:
            self._rate_limiter.answered(_host(task))

    def _retry_or_fail(self, process: Process, task: Task, answer: dict[str, Any]) -> None:
        """Queue the task, and those for the same download, for another attempt; after the last one they fail."""
        again = [task, *(other for other in process.tasks if other.key == task.key)]
        process.tasks = deque(other for other in process.tasks if other.key != task.key)
        if not process.tasks:
            process.key = None
        if task.attempts < _ATTEMPTS and not self._rate_limiter.closed(_host(task)):
            self._waiting.extendleft(reversed(again))
            return
        for each in again:
            each.fail(answer["reason"], answer["detail"])

    def _give_up(self, process: Process) -> None:
        task = process.tasks.popleft()
        process.kill()
        task.fail("timeout", f"no result after {self._options.timeout_s:g} s")
        self._rate_limiter.missed(_host(task), "timeout", sent_at=task.sent_at)
        task.discard()
        self._fail_others(process, task, task.answer or {})
        if process.tasks:
            process.send()

    def _fail_others(self, process: Process, task: Task, answer: dict[str, Any]) -> None:
        """Fail the other tasks for the same download in the same way."""
        for other in process.tasks:
            if other.key == task.key:
                other.answer = answer
        process.tasks = deque(other for other in process.tasks if other.key != task.key)


def _host(task: Task) -> str:
    return YOUTUBE if task.remote.site == "youtube" else urlsplit(task.remote.url).netloc


def _sweep(folder: Path) -> None:
    """Remove the folders left by dead processes of this host."""
    for path in folder.iterdir() if folder.is_dir() else ():
        host, _, number = path.name.rpartition("-")[0].rpartition("-")
        if host == socket.gethostname() and number.isdigit() and not _is_alive(int(number)):
            shutil.rmtree(path, ignore_errors=True)


def _is_alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
