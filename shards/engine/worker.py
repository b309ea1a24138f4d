"""The code of a worker process of `engine.py`: it receives parts and sends back results over a connection.

    python -P -c "from triptych.shards.engine.worker import main; main()" FD

The first message is (sys.path, a pickled function, modules to load), every later one (number, part); a part that is
None only asks whether the worker has started. The replies are (number, result, None) or (number, None, error). A worker
ends when the other side closes, for whatever reason.
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
    """Process parts until there are no more."""
    # Ctrl-C reaches all processes of a terminal; the parent handles it and closes the connection.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = Connection(int(sys.argv[1]))
    parts: SimpleQueue[Any] = SimpleQueue()
    # Parts are received in a thread: otherwise both sides could block on a full pipe, waiting for the other to read.
    Thread(target=_receive, args=(connection, parts), daemon=True).start()
    first = parts.get()
    if first is None:
        return
    sys.path[:] = first[0]
    function = pickle.loads(first[1])
    for name in first[2]:
        import_module(name)
    while (message := parts.get()) is not None:
        number, part = message
        reply: tuple[int, Any, Exception | None]
        try:
            reply = (number, [] if part is None else function(part), None)
        except Exception as error:  # noqa: BLE001 (raised again in the parent)
            reply = (number, None, _picklable(error))
        try:
            connection.send(reply)
        except OSError:
            return


def _receive(connection: Connection, parts: SimpleQueue[Any]) -> None:
    try:
        while True:
            parts.put(connection.recv())
    except (EOFError, OSError):
        parts.put(None)


def _picklable(error: Exception) -> Exception:
    """Return the error with the worker's traceback as a note; one that cannot be pickled is replaced by its text."""
    import traceback

    error.add_note(f"in a worker process:\n{''.join(traceback.format_exception(error)).rstrip()}")
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 (whatever its pickling raises)
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
