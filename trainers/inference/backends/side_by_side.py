"""Work that waits for a server, several pieces at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

Piece = TypeVar("Piece")
Found = TypeVar("Found")


def side_by_side(do: Callable[[Piece], Found], pieces: Sequence[Piece], *, width: int) -> Iterator[Found]:
    """Yield what comes of each piece, with several at once in the order in which they are done.

    An error of one is raised here, and no further piece is begun.
    """
    width = min(width, len(pieces))
    if width <= 1:
        yield from map(do, pieces)
        return
    todo: SimpleQueue[tuple[Piece] | None] = SimpleQueue()
    done: SimpleQueue[tuple[Found] | BaseException] = SimpleQueue()

    def work() -> None:
        while (piece := todo.get()) is not None:
            try:
                done.put((do(piece[0]),))
            except BaseException as error:  # noqa: BLE001  raised again where the results are awaited
                done.put(error)

    # Not an executor, which waits at the end of the process for every answer that a server still owes.
    for _ in range(width):
        Thread(target=work, name="infer", daemon=True).start()
    rest = iter(pieces)
    try:
        for piece in islice(rest, width):
            todo.put((piece,))
        for _ in pieces:
            found = done.get()
            if isinstance(found, BaseException):
                raise found
            for piece in islice(rest, 1):
                todo.put((piece,))
            yield found[0]
    finally:
        for _ in range(width):
            todo.put(None)
