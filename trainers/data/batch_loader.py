"""The batches of a run, decoded ahead in worker processes, in the order of the plan.

* It starts at any step of any epoch without touching what comes before.
* A row that cannot be trained on is named and counted. By default it stops the run; with `leave_out` its batch goes on
  without it. Nothing takes its place, so the batches of a run are the same on any number of workers.
* A batch without rows (the last step of an epoch on some ranks, or all its rows were left out) is a step like any
  other: it has no inputs, and the rank takes part with a loss of zero.
* Random numbers of the process are not touched. Signals are the main process's: Ctrl-C and SIGTERM, which reach every
  process of a terminal or a Slurm step, do not end workers; they end with the main process, however that ends.
* A worker that ends is told where the next batch is waited for, and nowhere else: torch's own watch raises from the
  handler of SIGCHLD, in the middle of whatever the main process does.
"""

from __future__ import annotations

import signal
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any

from ...errors import TriptychError
from ...shards.media.streams import MediaError
from .bad_rows import LEAVE_OUT, REFUSE, BadRow, BadRows, LeftOut
from .batch_plan import BatchPlan
from .encoder import Encoder
from .row_lengths import MARGIN, RowLengths
from .training_row import TrainingRow
from .training_rows import TrainingRows

if TYPE_CHECKING:
    import torch

AHEAD = 2
"""Batches that each worker makes ahead."""

_SECONDS = 0.1
"""By which sound may differ from what an export has counted."""


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch.

    Attributes:
        ids: Of the rows in `inputs`, in order.
        inputs: What the model takes; None: the batch has no rows.
        left_out: The rows of it that are left out.
    """

    ids: tuple[str, ...]
    inputs: dict[str, torch.Tensor] | None
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes batches of row numbers; travels to workers."""

    rows: TrainingRows
    encoder: Encoder
    lengths: RowLengths | None

    def __getitem__(self, numbers: Sequence[int]) -> Batch | TriptychError:
        encoded, ids, left_out = [], [], []
        for number in numbers:
            try:
                row = self.rows[number]
                made = self.encoder.encode(row)
                self._check_media(number, row, len(made))
            except (BadRow, MediaError) as bad:
                left_out.append(LeftOut(self.rows.id_of(number), bad.reason, bad.detail))
            except TriptychError as error:
                return error  # raised again in the main process, as it is
            except Exception as error:
                error.add_note(f"while row {self.rows.id_of(number)} of {self.rows.where} was made an input")
                raise
            else:
                encoded.append(made)
                ids.append(row.id)
        return Batch(tuple(ids), self.encoder.join(encoded) if encoded else None, tuple(left_out))

    def _check_media(self, number: int, row: TrainingRow, tokens: int) -> None:
        """Hold a row against what it was when rows were measured: its media may have been replaced since.

        Where an export has counted the tokens, its text may take others than the encoder's: there seconds tell.
        """
        then = None if self.lengths is None else self.lengths.of(number)
        if then is None or not row.media or abs(tokens - then.tokens) <= MARGIN:
            return
        now = self.encoder.length(row)
        counted = self.encoder.budget_model is not None
        if abs(now.seconds - then.seconds) > _SECONDS if counted else now.tokens != then.tokens:
            paths = ", ".join(str(each.path) for each in row.media)
            raise BadRow(
                "changed_media",
                f"{paths}: {then.tokens} tokens and {then.seconds:.2f} s when "
                f"rows were measured, {now.tokens} and {now.seconds:.2f} s now; put the media back",
            )


class _Order:
    """The batches that a loader is about to make; torch asks for them when an epoch begins."""

    def __init__(self) -> None:
        self.batches: Sequence[list[int]] = ()

    def __iter__(self) -> Iterator[list[int]]:
        return iter(self.batches)

    def __len__(self) -> int:
        return len(self.batches)


class BatchLoader:
    """The batches of one rank.

    Attributes:
        plan: Which rows are in which batch.
        rank: Of this process, from 0.
    """

    def __init__(
        self,
        rows: TrainingRows,
        encoder: Encoder,
        plan: BatchPlan,
        *,
        rank: int = 0,
        workers: int = 2,
        bad_rows: str = REFUSE,
        lengths: RowLengths | None = None,
    ) -> None:
        """Nothing is read until the first batch is asked for.

        Args:
            lengths: What rows were when they were measured: one whose media have changed since is bad.
            workers: Processes that decode ahead; 0: this one, when a batch is asked for.
            bad_rows: `refuse` or `leave_out`.
        """
        self.plan, self.rank = plan, rank
        self._rows, self._maker = rows, _Maker(rows, encoder, lengths)
        self._workers, self._refuses = workers, bad_rows != LEAVE_OUT
        self._order = _Order()
        self._loader: Any = None

    def __len__(self) -> int:
        """Steps of an epoch."""
        return self.plan.steps

    def epoch(self, number: int, *, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from a step on.

        Raises:
            BadRows: A row cannot be trained on, and `bad_rows` is `refuse`.
            TriptychError: A worker process ended.
        """
        batches = list(self.plan.epoch(number).of_rank(self.rank, start=start))
        for made in self._made(batches):
            if isinstance(made, TriptychError):
                raise made
            if made.left_out and self._refuses:
                raise BadRows(self._rows.where, made.left_out)
            yield made

    def _made(self, batches: list[list[int]]) -> Iterator[Batch | TriptychError]:
        if not self._workers:
            yield from map(self._maker.__getitem__, batches)
            return
        self._order.batches = batches
        done = 0
        try:
            for made in self._workers_of():
                yield made
                done += 1
        except (RuntimeError, OSError, EOFError) as error:
            ended = self._ended()
            if not ended:
                raise
            self.close()
            waiting = batches[done : done + AHEAD * self._workers]
            numbers = [number for batch in waiting for number in batch]
            raise _lost(ended, self._rows, numbers) from error

    def _workers_of(self) -> Any:
        """The worker processes, which stay from epoch to epoch, about to make what `_order` has."""
        import torch
        from torch.utils.data import DataLoader

        if self._loader is None:
            self._loader = DataLoader(
                self._maker,  # type: ignore[arg-type]
                batch_size=None,
                sampler=self._order,
                num_workers=self._workers,
                prefetch_factor=AHEAD,
                persistent_workers=True,
                worker_init_fn=_leave_signals,
                # Its own generator: otherwise each epoch draws a number from the one that training uses.
                generator=torch.Generator(),
            )
            weakref.finalize(self, _end, self._loader)
        iterator = iter(self._loader)
        _leave_watch(iterator)
        return iterator

    @property
    def _processes(self) -> list[Any]:
        iterator = None if self._loader is None else self._loader._iterator
        return [] if iterator is None else list(iterator._workers)

    def _ended(self) -> list[Any]:
        """The workers that have ended, after an error: its pipes break a moment before a process is over."""
        ending = wait([worker.sentinel for worker in self._processes], timeout=1)
        ended = [worker for worker in self._processes if worker.sentinel in ending]
        for worker in ended:
            worker.join()
        return ended

    def close(self) -> None:
        """End the worker processes; another epoch starts them again."""
        if self._loader is not None:
            _end(self._loader)
            self._loader = None


def _leave_signals(_worker: int) -> None:
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)


def _leave_watch(iterator: Any) -> None:
    """Take workers out of torch's watch; its iterator looks after them itself, every few seconds that it waits."""
    from torch._C import _remove_worker_pids

    if iterator._worker_pids_set:
        _remove_worker_pids(id(iterator))
        iterator._worker_pids_set = False


def _end(loader: Any) -> None:
    """End the workers of a loader, those that are stuck in a file too."""
    iterator = loader._iterator
    if iterator is None:
        return
    processes = iterator._workers
    loader._iterator = None
    iterator._shutdown_workers()
    for process in processes:
        if process.is_alive():
            process.kill()
        process.join()


def _lost(ended: Sequence[Any], rows: TrainingRows, numbers: Sequence[int]) -> TriptychError:
    """What is told of a worker that ended."""
    how = ", ".join(f"DataLoader worker (pid {each.pid}) ended: {_end_of(each.exitcode)}" for each in ended)
    among = f"; it read one of {rows.id_of(numbers[0])} ... {rows.id_of(numbers[-1])}" if numbers else ""
    cause = (
        "shared memory is full (/dev/shm): in a container, start it with a larger --shm-size"
        if any(each.exitcode == -signal.SIGBUS for each in ended)
        else "where memory ran out: fewer workers, or smaller batches; a file that ends its decoder: "
        "triptych validate finds it"
    )
    return TriptychError(f"{rows.where}: {how}{among}.", hint=f"{cause}; --set data.workers=0 reads in one process")


def _end_of(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
