"""SIGTERM and SIGINT end a run after the step that is under way, with a checkpoint.

A second SIGINT ends it at once, as usual.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from ....errors import TriptychError

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """Whether a signal asked for the end, and which.

    Attributes:
        signal: Its number; None: no signal came.
    """

    signal: int | None = None

    def ask(self, number: int, frame: FrameType | None = None) -> None:
        """Take the signal; of a second SIGINT raise KeyboardInterrupt."""
        if self.signal == number == signal.SIGINT:
            raise KeyboardInterrupt
        self.signal = number


class Stopped(TriptychError):
    """A signal ended the run; its checkpoint is written.

    Attributes:
        exit_code: 128 and the number of the signal, as shells have it.
    """

    def __init__(self, number: int, step: int, *, command: str) -> None:
        name = signal.Signals(number).name
        super().__init__(f"{name}: the run ended after step {step:,}; its checkpoint is complete.", hint=command)
        self.exit_code = 128 + number


@contextmanager
def stop_signals() -> Iterator[StopRequest]:
    """Take the signals meanwhile; in a thread that is not the main one none are taken."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, request.ask) for number in _SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
