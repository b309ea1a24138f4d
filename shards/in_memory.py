"""Sound files in memory, and the wait of Ctrl-C while a C library calls back.

soundfile reads and writes an object in memory by callbacks from C. An exception that is raised in one of them is only
printed: the interruption would be lost, the work would go on, and the file that was being read could pass for a broken
one.
"""

from __future__ import annotations

import io
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


def encoded(
    samples: np.ndarray, rate: int, *, form: str = "FLAC", subtype: str = "PCM_16", comment: str | None = None
) -> bytes:
    """A sound file.

    Args:
        samples: Shape (samples,) or (samples, channels).
        rate: Samples a second.
        form: A format of libsndfile, as is `subtype`.
        comment: Text to be kept in the file's tags.
    """
    import soundfile

    held = io.BytesIO()
    channels = 1 if samples.ndim == 1 else samples.shape[1]
    with ctrl_c_waits(), soundfile.SoundFile(held, "w", rate, channels, subtype=subtype, format=form) as file:
        if comment is not None:
            file.comment = comment
        file.write(samples)
    return held.getvalue()


@contextmanager
def opened(file: bytes) -> Iterator[Any]:
    """A sound file as a `soundfile.SoundFile`; Ctrl-C waits until it is closed.

    Raises:
        soundfile.LibsndfileError: It is of no format of libsndfile.
    """
    import soundfile

    with ctrl_c_waits(), soundfile.SoundFile(io.BytesIO(file)) as sound:
        yield sound


@contextmanager
def ctrl_c_waits() -> Iterator[None]:
    """Delay Ctrl-C until the C library has returned."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)
        if pressed and callable(before):
            before(signal.SIGINT, None)
