"""The folder of a run: one process writes it, nothing of another kind is written over, and a run goes on from its last
checkpoint or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...errors import TriptychError, UsageError
from ...shards.store.lock import claim, holder, read_holder
from .loop.checkpoints import Checkpoint, Checkpoints
from .options import CONFIG_FILE
from .records.card import CARD
from .records.curves import CURVES
from .records.requirements import REQUIREMENTS
from .records.run_json import RECORD, read_record
from .records.run_log import LEFT_OUT, LOG, METRICS

CHECKPOINTS = "checkpoints"
LOCK = ".lock"
LENGTHS = "row_lengths"
"""The lengths of rows, in a run's folder."""

_OTHER = "name another --output-dir"

_WRITTEN = (CONFIG_FILE, METRICS, LEFT_OUT, LOG, REQUIREMENTS, CURVES, CARD)


@contextmanager
def alone_in(folder: Path, *, purpose: str = "train", instead: str = _OTHER) -> Iterator[None]:
    """Make the folder of a run if it is not there, and hold it: another process that wants it is refused.

    A run that is refused before its record begins leaves no folder where there was none, but for vectors of clips,
    which may have taken hours.

    Args:
        purpose: What for, as others are told.
        instead: What to do where it is refused.

    Raises:
        UsageError: Another process holds it, or it cannot be written.
    """
    is_new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise UsageError(f"{folder}: no run can be written there: {error.strerror}.", hint=instead) from error
    try:
        if not claim(handle):
            raise UsageError(
                f"{folder}: another run is writing there: {read_holder(folder / LOCK)}.",
                hint=f"wait for it, or end it; or {instead}",
            )
        if not (folder / LOCK).exists():  # it was removed before it was claimed
            raise UsageError(f"{folder}: another run there was refused just now.", hint="type the command again")
        os.ftruncate(handle, 0)
        os.pwrite(handle, holder(purpose).encode(), 0)
        try:
            yield
        except TriptychError:
            if is_new:
                _remove_unless_begun(folder)
            raise
        finally:
            os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def _remove_unless_begun(folder: Path) -> None:
    """Remove a folder that holds nothing but the lengths of rows."""
    found = list(folder.iterdir())
    if all(path.name == LOCK or path.match(f"{LENGTHS}-*.npz") for path in found):
        for path in found:
            path.unlink()
        folder.rmdir()


def where_to_begin(folder: Path, checkpoints: Checkpoints, *, resume: bool) -> Checkpoint | None:
    """The checkpoint that a run goes on from; None: it begins.

    Raises:
        UsageError: There is nothing to go on from; or a run stands there that is not to go on, or files that a run
            would write over.
    """
    latest = checkpoints.latest
    known = read_record(folder) if (folder / RECORD).is_file() and latest is None else {}
    if latest is None and known.get("last"):
        raise UsageError(
            f"{folder}: the run there had the checkpoint {known['last']}, which is gone.",
            hint=f"put its checkpoints back; or {_OTHER}",
        )
    if resume:
        return latest
    if latest is not None:
        raise UsageError(
            f"a run stands in {folder}; its last checkpoint is {latest.name}.",
            hint="--resume goes on with it; another --output-dir begins one",
        )
    if not known and (others := [name for name in _WRITTEN if (folder / name).exists()]):
        raise UsageError(
            f"{folder}: a run would write over {', '.join(others)} there, which no run has written.", hint=_OTHER
        )
    return None
