"""Processes that start at once: forks of one that has loaded the program already.

    process = fork("from triptych.cli import main; main()", "triptych", "catalog", "list")
    said, errors = process.communicate(timeout=60)

A fresh interpreter spends half a second of a processor on loading Triptych, a second on yt-dlp too. A fork is a process
like any other: it leads a session, has its own environment and streams, and can be killed. It is not for tests of the
start itself: of what is imported, of settings that a library reads when it is loaded.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, ClassVar

PACKAGES = ("triptych.catalog", "triptych.commands", "triptych.converters", "triptych.shards")
LIBRARIES = (
    "av", "deltalake.writer", "duckdb", "httpx2", "isal.igzip", "numpy", "pyarrow.parquet", "soundfile", "truststore",
    "typer.core", "yaml", "yt_dlp",
)  # fmt: skip
"""What the first process loads, where it is installed. None of it may start a thread, which a fork would lose, but for
those of jemalloc, which are started anew in a fork."""

_LARGEST = 2**20


class Fork:
    """A running fork, as `subprocess.Popen` would show it; what it prints goes to files that `communicate` reads."""

    def __init__(self, pid: int, news: socket.socket, stdout: IO[bytes], stderr: IO[bytes]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdin: IO[bytes] | None = None
        self.stdout, self.stderr = stdout, stderr
        self._news = news

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for its end; what it printed."""
        self.wait(timeout)
        with self.stdout, self.stderr:
            said = [stream.seek(0) or stream.read().decode() for stream in (self.stdout, self.stderr)]
        return said[0], said[1]

    def poll(self) -> int | None:
        return self._wait(0.0)

    def wait(self, timeout: float | None = None) -> int:
        code = self._wait(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"fork {self.pid}", timeout or 0.0)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _wait(self, timeout: float | None) -> int | None:
        if self.returncode is None:
            self._news.settimeout(timeout)
            try:
                self.returncode = int(self._news.recv(32))
            except (BlockingIOError, TimeoutError):
                return None
            self._news.close()
        return self.returncode


def fork(code: str, *argv: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Fork:
    """Run Python code with this `sys.argv`, environment and working directory."""
    with Path(os.devnull).open("rb") as nothing:
        return _fork(code, argv, env, nothing, tempfile.TemporaryFile(), tempfile.TemporaryFile(), cwd=cwd)


def fork_on_terminal(code: str, *argv: str, env: Mapping[str, str], terminal: int) -> Fork:
    """The same with a terminal as `stdout` and `stderr`, whose descriptor is closed here."""
    with Path(os.devnull).open("rb") as nothing, os.fdopen(terminal, "wb", buffering=0) as stream:
        return _fork(code, argv, env, nothing, stream, stream)


def fork_with_pipes(code: str, *argv: str, env: Mapping[str, str], stderr: IO[bytes]) -> Fork:
    """The same with pipes to its `stdin` and from its `stdout`."""
    (reads, stdin), (stdout, writes) = os.pipe(), os.pipe()
    with os.fdopen(reads, "rb") as reading, os.fdopen(writes, "wb") as writing:
        begun = _fork(code, argv, env, reading, writing, stderr)
    begun.stdin, begun.stdout = os.fdopen(stdin, "wb", buffering=0), os.fdopen(stdout, "rb", buffering=0)
    return begun


def _fork(
    code: str, argv: Sequence[str], env: Mapping[str, str] | None,
    stdin: IO[bytes], stdout: IO[bytes], stderr: IO[bytes], *, cwd: Path | None = None,
) -> Fork:  # fmt: skip
    asked = {"code": code, "argv": argv, "env": dict(os.environ if env is None else env), "cwd": str(cwd or Path.cwd())}
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        given = [each.fileno() for each in (stdin, stdout, stderr, theirs)]
        socket.send_fds(_server().line, [json.dumps(asked).encode()], given)
    pid = ours.recv(32)
    if not pid:
        raise RuntimeError("the process that forks has ended; its message is above")
    return Fork(int(pid), ours, stdout, stderr)


class _Server:
    """The process that forks: started when it is first needed, ended with this process."""

    running: ClassVar[_Server | None] = None
    starting = threading.Lock()

    def __init__(self) -> None:
        self.line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LARGEST)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())], pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL, start_new_session=True, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            )  # fmt: skip
        atexit.register(self.end)

    def end(self) -> None:
        self.line.close()
        self.process.wait(timeout=10)


def _server() -> _Server:
    with _Server.starting:
        if _Server.running is None:
            _Server.running = _Server()
        return _Server.running


def server_pid() -> int | None:
    """The process that forks, if it was needed."""
    return _Server.running.process.pid if _Server.running else None


# ---- the process that forks


def serve(line: socket.socket) -> dict[str, Any] | None:
    """Fork whenever asked. Returns in each fork with what it is to do, and here with None when nobody asks any more."""
    running: dict[int, socket.socket] = {}
    woken, wake = socket.socketpair()
    for end in (woken, wake):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno())
    with selectors.DefaultSelector() as ready:
        ready.register(line, selectors.EVENT_READ)
        ready.register(woken, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                if key.fileobj is woken:
                    woken.recv(4096)
                    _report(running)
                    continue
                message, given, _, _ = socket.recv_fds(line, _LARGEST, 4)
                if not message:
                    return None
                pid = os.fork()
                if pid == 0:
                    return _become(json.loads(message), given)
                for number in given[:3]:
                    os.close(number)
                running[pid] = socket.socket(fileno=given[3])


def _report(running: dict[int, socket.socket]) -> None:
    """Tell how each fork ended that has ended."""
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with running.pop(pid) as news:
            try:
                news.send(str(os.waitstatus_to_exitcode(status)).encode())
            except BrokenPipeError:
                continue  # nobody waits for it


def _become(asked: dict[str, Any], given: list[int]) -> dict[str, Any]:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    with socket.socket(fileno=given[3]) as news:
        for number, stream in enumerate(given[:3]):
            os.dup2(stream, number)
        news.send(str(os.getpid()).encode())
    os.closerange(3, 1024)
    sys.stdin = sys.__stdin__ = open(0, closefd=False)  # type: ignore[misc]  # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(1, "w", closefd=False)  # type: ignore[misc]  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", buffering=1, errors="backslashreplace", closefd=False)  # type: ignore[misc]  # noqa: SIM115
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    sys.path[:0] = [folder for folder in asked["env"].get("PYTHONPATH", "").split(os.pathsep) if folder]
    sys.argv = list(asked["argv"])
    return asked


def _load() -> None:
    from importlib import import_module
    from importlib.util import find_spec
    from pkgutil import walk_packages

    sys.path[:] = [folder for folder in sys.path if Path(folder) != Path(__file__).parent]
    for name in LIBRARIES:
        if find_spec(name.partition(".")[0]) is not None:
            import_module(name)
    for name in PACKAGES:
        for found in walk_packages(import_module(name).__path__, f"{name}."):
            import_module(found.name)
    import_module("triptych.cli")
    threads = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
    if sum(name != "jemalloc_bg_thd" for name in threads) > 1:
        sys.exit(f"one of {', '.join((*PACKAGES, *LIBRARIES))} has started threads: {', '.join(threads)}")


def main() -> None:
    line = socket.socket(fileno=int(sys.argv[1]))
    _load()
    gc.collect()
    gc.freeze()  # a collection in a fork would copy the memory that all forks share
    asked = serve(line)
    if asked is None:
        os._exit(0)
    _run(asked["code"])


def _run(code: str) -> None:
    """Run the code of a fork, and end it as an interpreter would, but for freeing what ends with it anyway."""
    ended: Any = None
    try:
        exec(code, {"__name__": "__main__"})
    except SystemExit as error:
        ended = error.code
    except KeyboardInterrupt:
        traceback.print_exc()
        sys.stderr.flush()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    except BaseException:  # noqa: BLE001 (as an interpreter would)
        traceback.print_exc()
        ended = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    if isinstance(ended, str):
        print(ended, file=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(ended if isinstance(ended, int) else int(ended is not None))


if __name__ == "__main__":
    main()
