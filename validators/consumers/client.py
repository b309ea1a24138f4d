"""Where a consumer is installed, and what its driver says of a file.

A consumer lies in an environment of its own, as its versions of packages are not ours: below our own environment
(`make clients`, `make peers`), or any Python that the user names. Its driver (`drivers/`) runs there as a process.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import TriptychError, UsageError
from .drivers.answers import read_ids

DRIVERS = Path(__file__).parent / "drivers"

# The folder becomes a package under a name of its own: beside a script, its files would hide the consumer's modules.
_START = """
import importlib, importlib.util, sys
spec = importlib.util.spec_from_file_location("drivers", sys.argv[1] + "/__init__.py")
sys.modules["drivers"] = importlib.util.module_from_spec(spec)
importlib.import_module("drivers." + sys.argv[2]).main()
"""


@dataclass(frozen=True, slots=True)
class Consumer:
    """A program that reads exports.

    Attributes:
        name: Of the program, as the header of a view names it, and of its environment.
        driver: The module of `drivers/`.
        models: The models whose templates a file can be loaded with: the first for sounds alone, the last for all.
        tasks: The tasks that the driver knows; None: any.
        here: Whether it is installed beside Triptych.
        environment: Where its environment is, below our own; default: `clients/NAME`.
    """

    name: str
    driver: str
    models: tuple[str, ...] = ()
    tasks: tuple[str, ...] | None = None
    here: bool = False
    environment: str | None = None

    @property
    def make(self) -> str:
        """The command that makes its environment."""
        return f"make {(self.environment or f'clients/{self.name}').replace('clients/', 'client-')}"

    @property
    def install(self) -> str:
        """How to get it, within the repository or not."""
        folder = self.environment or f"clients/{self.name}"
        file = f"{folder}.txt"
        return (
            f"--client-python PATH names the Python of an environment that has {self.name} (pip install -r {file}, "
            f"which lies in Triptych's repository); in the repository, `{self.make}` makes one"
        )

    def model_for(self, columns: Mapping[str, Any] | list[str]) -> str | None:
        """The model that can take rows with these columns."""
        seen = any(name.startswith(("video", "image")) for name in columns)
        return None if not self.models else self.models[-1] if seen else self.models[0]

    def python(self, named: Path | None = None) -> Path | None:
        """The interpreter that has the consumer, or None.

        Raises:
            UsageError: `named` is no program.
        """
        if named is not None:
            if not os.access(named, os.X_OK) or named.is_dir():
                raise UsageError(f"--client-python {named}: not a Python interpreter.")
            return named
        if self.here:
            return Path(sys.executable)
        python = Path(sys.prefix) / (self.environment or f"clients/{self.name}") / "bin" / "python"
        return python if python.is_file() else None


@dataclass(slots=True)
class Answers:
    """What a consumer made of a file.

    Attributes:
        version: Of the consumer.
        rows: Of every row that was encoded or lost, by id; see `drivers/answers.py`.
        total: Rows in the file.
        loaded: Rows in the consumer's data set.
    """

    version: str
    rows: dict[str, dict[str, Any]]
    total: int = 0
    loaded: int = 0


def ask(consumer: Consumer, python: Path, request: Mapping[str, Any]) -> Answers:
    """Have a consumer load a file.

    A row that is loaded alone and ends the consumer's process (`alone`) has crashed it; the rows after it are asked for
    in another process.

    Args:
        request: As in `drivers/answers.py`, without `work`.

    Raises:
        TriptychError: The consumer cannot be run there; the message has the end of what it printed.
    """
    found = Answers("", {})
    ids = read_ids(Path(request["file"])) if request.get("alone") else []
    while (why := _read(consumer, python, request, found)) is not None:
        if len(found.rows) >= len(ids):
            raise TriptychError(f"{consumer.name} with {python}: {why}")
        row = ids[len(found.rows)]
        found.rows[row] = {"id": row, "outcome": "crashed", "stage": "S0", "why": why}
        found.total += 1
        if len(found.rows) == len(ids):
            break
        request = {**request, "skip": len(found.rows)}
    return found


def _read(consumer: Consumer, python: Path, request: Mapping[str, Any], found: Answers) -> str | None:
    """Add what a driver says; returns by what signal its process was ended, or None."""
    with tempfile.TemporaryDirectory(prefix="triptych-client-") as work, _driver(consumer, python, work) as process:
        assert process.stdin is not None and process.stdout is not None
        with suppress(BrokenPipeError):  # it ended already; why is told below
            process.stdin.write(json.dumps({**request, "work": work}))
            process.stdin.close()
        ended = False
        for line in process.stdout:
            each = json.loads(line)
            if "version" in each:
                found.version = each["version"]
            elif "loaded" in each:
                found.total, found.loaded = found.total + each["rows"], found.loaded + each["loaded"]
                ended = True
            else:
                found.rows[each["id"]] = each
        if (code := process.wait()) < 0:
            return f"its process was ended by {signal.strsignal(-code) or -code}"
        if code or not ended:
            raise TriptychError(
                f"{consumer.name} could not be run with {python}: {_last_words(Path(work, 'log'))}",
                hint=f"{consumer.make} makes an environment for it; --client-python names another",
            )
    return None


@contextmanager
def _driver(consumer: Consumer, python: Path, work: str) -> Iterator[subprocess.Popen[str]]:
    """The driver's process; it ends with the block."""
    command = [str(python), "-c", _START, str(DRIVERS), consumer.driver]
    settings = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    with (
        Path(work, "log").open("w", encoding="utf-8") as log,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=work, encoding="utf-8",
            env=settings | {"PYTHONUTF8": "1"},
        ) as process,
    ):  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def _last_words(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it printed nothing"
