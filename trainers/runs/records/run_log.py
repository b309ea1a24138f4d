"""The lines that a run writes while it goes on: `metrics.jsonl`, `rows_left_out.jsonl`, `log.txt`.

A run that goes on from a checkpoint first takes back what was written after that checkpoint, so that no step is there
twice. A last line that a killed process left half written goes too.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ....errors import DamagedError

METRICS, LEFT_OUT, LOG = "metrics.jsonl", "rows_left_out.jsonl", "log.txt"


class StepLines:
    """A file of JSON objects, one a line, each with its `step`; 0 is before the first one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def take_back(self, step: int, *, without: Callable[[dict[str, Any]], bool] = lambda line: False) -> None:
        """Remove what was written after a step, and other lines that are to go."""
        if not self.path.is_file():
            return
        scratch = self.path.with_name(f".{self.path.name}")
        with scratch.open("w", encoding="utf-8") as out:
            for line in read_lines(self.path):
                if line["step"] <= step and not without(line):
                    out.write(_text(line))
        scratch.replace(self.path)

    def add(self, line: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as out:
            out.write(_text(line))


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of such a file; one that was not written to its end is left out.

    Raises:
        DamagedError: A line is not one that a run writes.
    """
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith("\n"):
                return
            try:
                found = json.loads(line)
                int(found["step"])
            except (ValueError, KeyError, TypeError) as error:
                raise DamagedError(
                    f"{path}:{number}: this is no line of a run: {line.strip()[:60]!r}.",
                    hint="remove the line, and go on: triptych train ... --resume",
                ) from error
            yield found


def _text(line: dict[str, Any]) -> str:
    return json.dumps(_finite(line), ensure_ascii=False, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    """Numbers that JSON does not have become their text: `nan`."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return str(value) if isinstance(value, float) and not -float("inf") < value < float("inf") else value


class LogFile(logging.Handler):
    """`log.txt`: what is told of a run, and the warnings of all libraries meanwhile, with their times (UTC)."""

    def __init__(self, path: Path) -> None:
        super().__init__(logging.INFO)
        self.path = path
        self._before = logging.WARNING
        self._loggers: list[logging.Logger] = []
        self._shown: list[tuple[logging.Handler, int]] = []

    def begin(self) -> None:
        """Take what is logged, by this package from `info` on and by others from `warning` on."""
        own = logging.getLogger("triptych")
        self._before = own.level
        # What the terminal is shown stays as it was: only the file takes more.
        self._shown = [(each, each.level) for each in own.handlers]
        for handler, level in self._shown:
            handler.setLevel(max(level, own.getEffectiveLevel()))
        own.setLevel(min(logging.INFO, own.level or logging.INFO))
        # Some libraries (transformers) hand nothing on to the root.
        apart = [each for each in logging.root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
        self._loggers = [logging.getLogger(), *(each for each in apart if not each.propagate)]
        for logger in self._loggers:
            logger.addHandler(self)

    def end(self) -> None:
        for logger in self._loggers:
            logger.removeHandler(self)
        for handler, level in self._shown:
            handler.setLevel(level)
        logging.getLogger("triptych").setLevel(self._before)

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING or record.name.partition(".")[0] == "triptych":
            self.say(record.getMessage(), level=record.levelname.lower())
            if record.exc_info:
                self.say(logging.Formatter().formatException(record.exc_info), level=record.levelname.lower())

    def say(self, text: str, *, level: str = "info") -> None:
        """Write a line."""
        with self.path.open("a", encoding="utf-8") as out:
            out.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {level}: {text}\n")
