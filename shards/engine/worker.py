"""What a worker process of `engine.py` runs: parts come in through a connection, results go out through it.

    python -P -c "from triptych.shards.engine.worker import main; main()" FD

The first message is (sys.path, a pickled function, modules to load), every later one (number, part); the answers are
(number, result, None) or (number, None, the error). A worker ends when the other side closes, however that ended.
"""

from __future__ import annotations

import pickle
import signal
import sys
from importlib import import_module
from multiprocessing.connection import Connection
from queue import SimpleQueue
from threading import Thread
from typing import Any


def main() -> None:
    """Work off parts until there are no more."""
    # Ctrl-C reaches all processes of a terminal; the one that started this one decides, and closes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = Connection(int(sys.argv[1]))
    parts: SimpleQueue[Any] = SimpleQueue()
    # Parts are taken in beside the work: else both sides could wait, each with a full pipe, for the other to read.
    Thread(target=_take_in, args=(connection, parts), daemon=True).start()
    first = parts.get()
    if first is None:
        return
    sys.path[:] = first[0]
    function = pickle.loads(first[1])
    for name in first[2]:
        import_module(name)
    while (message := parts.get()) is not None:
        number, part = message
        answer: tuple[int, Any, Exception | None]
        try:
            answer = (number, function(part), None)
        except Exception as error:  # noqa: BLE001 (raised again over there)
            answer = (number, None, _portable(error))
        try:
            connection.send(answer)
        except OSError:
            return


def _take_in(connection: Connection, parts: SimpleQueue[Any]) -> None:
    try:
        while True:
            parts.put(connection.recv())
    except (EOFError, OSError):
        parts.put(None)


def _portable(error: Exception) -> Exception:
    """The error with the worker's traceback as a note; one that cannot travel goes as its text."""
    import traceback

    error.add_note(f"in a worker process:\n{''.join(traceback.format_exception(error)).rstrip()}")
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 (whatever its pickling raises)
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
