"""The command line without a process for each line: `run` for one command, `Shell` for lines as they are typed.

`run` gives what a process would give (exit code, stdout, stderr, also what C libraries print) with its own working
directory, environment and `sys.argv`. In a `Shell` the words `triptych` and `catalog` are small programs that hand
their command to this process and print what comes back; pipes, redirections, variables and `|| echo` stay bash's own.
Pass `forked=True` for a line whose commands are to be processes of their own, and `real=True` for one whose commands
are those that are installed, each with an interpreter to start. Commands run here never read stdin.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from support.forks import fork

Left = tuple[int, bytes, bytes]
"""Exit code, and the bytes of stdout and stderr."""

PROGRAM = """#!{python} -IS
import base64, json, os, socket, sys
with socket.socket(socket.AF_UNIX) as line:
    line.connect({address!r})
    asked = dict(words=sys.argv, cwd=os.getcwd(), env=dict(os.environ))
    line.sendall(json.dumps(asked).encode() + b"\\n")
    answer = json.loads(line.makefile("rb").read())
for stream, name in ((sys.stderr, "stderr"), (sys.stdout, "stdout")):
    try:
        stream.buffer.write(base64.b64decode(answer[name]))
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
sys.exit(answer["code"])
"""


@dataclass(frozen=True)
class Done:
    """What a command leaves: its exit code and all that it printed."""

    code: int
    stdout: str
    stderr: str


def run(program: str, *words: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Done:
    """Run `triptych ...` or `catalog ...` in this process; `env` is the whole environment, by default this one's.

    Bytes that are not UTF-8 (a Parquet file) come as surrogates.
    """
    code, stdout, stderr = _run(
        [program, *map(str, words)], cwd or Path.cwd(), dict(os.environ if env is None else env)
    )
    return Done(code, stdout.decode(errors="surrogateescape"), stderr.decode(errors="surrogateescape"))


def _fork(argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> Left:
    main = {"triptych": "main", "catalog": "catalog_main"}[Path(argv[0]).name]
    process = fork(f"from triptych.cli import {main}; {main}()", Path(argv[0]).name, *argv[1:], env=env, cwd=cwd)
    stdout, stderr = process.communicate(timeout=120)
    return process.wait(), stdout.encode(), stderr.encode()


def _run(argv: Sequence[str], cwd: Path, env: Mapping[str, str]) -> Left:
    from triptych.cli import catalog_main, main

    entry = {"triptych": main, "catalog": catalog_main}[Path(argv[0]).name]
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        with _surroundings([Path(argv[0]).name, *argv[1:]], cwd, env), _printing_to(stdout, stderr):
            code = _exit_code(entry)
        stdout.seek(0)
        stderr.seek(0)
        return code, stdout.read(), stderr.read()


def _exit_code(entry: Any) -> int:
    try:
        entry()
    except SystemExit as done:
        if done.code is None or isinstance(done.code, int):
            return done.code or 0
        print(done.code, file=sys.stderr)
        return 1
    except Exception:  # noqa: BLE001  # it would end the process with a traceback; so it does here
        traceback.print_exc()
        return 1
    return 0


@contextlib.contextmanager
def _surroundings(argv: list[str], cwd: Path, env: Mapping[str, str]) -> Iterator[None]:
    before = sys.argv, Path.cwd(), dict(os.environ)
    try:
        sys.argv = argv
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(env)
        yield
    finally:
        sys.argv = before[0]
        os.chdir(before[1])
        os.environ.clear()
        os.environ.update(before[2])


@contextlib.contextmanager
def _printing_to(stdout: IO[bytes], stderr: IO[bytes]) -> Iterator[None]:
    """File descriptors too, not just `sys.stdout`: libraries written in C print to those."""
    sys.stdout.flush()
    sys.stderr.flush()
    streams, saved = (sys.stdout, sys.stderr), (os.dup(1), os.dup(2))
    os.dup2(stdout.fileno(), 1)
    os.dup2(stderr.fileno(), 2)
    sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), encoding="utf-8", write_through=True)
    sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), encoding="utf-8", write_through=True)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = streams
        for number, descriptor in enumerate(saved, start=1):
            os.dup2(descriptor, number)
            os.close(descriptor)


class Shell:
    """bash in one folder, line after line; the variables named in `keep` live on from one to the next."""

    def __init__(self, folder: Path, *, env: Mapping[str, str], keep: Sequence[str] = ()) -> None:
        self._folder, self._keep = folder, keep
        # Not under pytest's folder: the address of a socket has at most 107 bytes.
        self._scratch = Path(tempfile.mkdtemp(prefix="shell-"))
        self._state = self._scratch / "state"
        self._state.touch()
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(self._scratch / "address"))
        self._server.listen()
        self._server.settimeout(0.01)
        programs = self._scratch / "bin"
        programs.mkdir()
        for name in ("triptych", "catalog"):
            (programs / name).write_text(
                PROGRAM.format(python=sys.executable, address=str(self._scratch / "address")), encoding="utf-8"
            )
            (programs / name).chmod(0o755)
        self._env = {**env, "PATH": f"{Path(sys.executable).parent}:{env['PATH']}"}
        self._env_here = {**self._env, "PATH": f"{programs}:{self._env['PATH']}"}

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()
        shutil.rmtree(self._scratch)

    def run(self, line: str, *, forked: bool = False, real: bool = False, timeout: float = 120) -> Done:
        """Run one line (or several that belong together); its commands run in this process unless told otherwise."""
        kept = " ".join(self._keep)
        script = f"source {self._state}\n{line}\nstatus=$?\n"
        script += f"declare -p {kept} > {self._state} 2>/dev/null\nexit $status" if kept else "exit $status"
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            process = subprocess.Popen(
                ["bash", "-c", script], cwd=self._folder, env=self._env if real else self._env_here,
                stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, start_new_session=True,
            )  # fmt: skip
            try:
                self._answer_until_done(process, _fork if forked else _run, deadline=time.monotonic() + timeout)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            stdout.seek(0)
            stderr.seek(0)
            return Done(process.returncode, stdout.read().decode(), stderr.read().decode())

    def _answer_until_done(
        self, process: subprocess.Popen[bytes], run: Callable[[Sequence[str], Path, Mapping[str, str]], Left], *,
        deadline: float,
    ) -> None:  # fmt: skip
        """Run what the small programs ask for, in this thread: signal handlers work in no other."""
        while process.poll() is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"still running: {process.args}")
            try:
                line, _ = self._server.accept()
            except TimeoutError:
                continue
            with line:
                line.setblocking(True)
                asked = json.loads(line.makefile("rb").readline())
                code, stdout, stderr = run(asked["words"], Path(asked["cwd"]), asked["env"])
                answer = {"code": code, "stdout": _text(stdout), "stderr": _text(stderr)}
                line.sendall(json.dumps(answer).encode())


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
