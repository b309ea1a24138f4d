"""Batches decoded ahead: the same on any number of workers, from any step; bad rows are named, never replaced."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from triptych.errors import TriptychError
from triptych.trainers.data.bad_rows import LEAVE_OUT, BadRows, LeftOut
from triptych.trainers.data.batch_loader import Batch, BatchLoader
from triptych.trainers.data.batch_plan import BatchPlan
from triptych.trainers.data.row_lengths import check_rows
from triptych.trainers.data.training_rows import TrainingRows

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def load(rows: TrainingRows, letters: Any) -> Iterator[Any]:
    """Makes loaders of two rows a batch, of one modality each, and ends their workers."""
    made = []

    def of(encoder: Any = None, *, ranks: int = 1, **options: Any) -> BatchLoader:
        lengths = check_rows(rows, letters())
        plan = BatchPlan(lengths.tokens, batch_size=2, modalities=lengths.modalities, seed=3, ranks=ranks)
        made.append(BatchLoader(rows, encoder or letters(), plan, **options))
        return made[-1]

    yield of
    for loader in made:
        loader.close()


def same(one: list[Batch], other: list[Batch]) -> bool:
    return [each.ids for each in one] == [each.ids for each in other] and all(
        a.inputs.keys() == b.inputs.keys() and all(torch.equal(a.inputs[name], b.inputs[name]) for name in a.inputs)
        for a, b in zip(one, other, strict=True)
        if a.inputs is not None and b.inputs is not None
    )


def test_batches_are_the_same_on_any_number_of_workers_and_from_any_step(load: Any, rows: TrainingRows) -> None:
    here, there = load(workers=0), load(workers=2)
    state = torch.get_rng_state()
    for epoch in (0, 1):
        expected = list(here.epoch(epoch))
        assert len(expected) == len(here) and sorted(id for batch in expected for id in batch.ids) == [
            row.id for row in rows
        ]
        assert same(list(there.epoch(epoch)), expected) and same(list(there.epoch(epoch, start=4)), expected[4:])
    assert torch.equal(torch.get_rng_state(), state)
    assert {batch.inputs.keys() >= {"features"} for batch in expected} == {True, False}
    for batch in expected:
        assert (batch.inputs["input_ids"][:, 0] != 0).all()  # padded on the right


def test_an_epoch_that_is_left_in_the_middle_leaves_nothing_to_the_next(load: Any) -> None:
    loader = load(workers=1)
    ahead = loader.epoch(0)
    next(ahead)
    del ahead
    assert same(list(loader.epoch(1, start=2)), list(load(workers=0).epoch(1, start=2)))


def test_ranks_have_all_rows_together_and_as_many_steps_each(load: Any, rows: TrainingRows) -> None:
    ranks = [list(load(workers=0, ranks=4, rank=rank).epoch(0)) for rank in range(4)]
    assert {len(each) for each in ranks} == {2}
    assert sorted(id for each in ranks for batch in each for id in batch.ids) == [row.id for row in rows]
    assert [batch.inputs for batch in (ranks[2][1], ranks[3][1])] == [None, None]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_bad_row_stops_the_run_or_is_left_out_by_name(load: Any, letters: Any, workers: int) -> None:
    bad = LeftOut("texts/train/03", "too_long", "20 s; 10 s are heard")
    with pytest.raises(BadRows, match="row texts/train/03: too_long: 20 s") as caught:
        list(load(letters(bad="is xxx?"), workers=workers).epoch(0))
    assert caught.value.rows == (bad,) and caught.value.hint is not None and "bad_rows=leave_out" in caught.value.hint
    whole = list(load(workers=0).epoch(0))
    for batch, full in zip(
        load(letters(bad="is xxx?"), workers=workers, bad_rows=LEAVE_OUT).epoch(0), whole, strict=True
    ):
        assert batch.ids == tuple(each for each in full.ids if each != bad.id)
        assert batch.left_out == ((bad,) if bad.id in full.ids else ())


def test_a_batch_of_bad_rows_alone_is_a_step_without_inputs(load: Any, letters: Any) -> None:
    found = list(load(letters(bad="Who is"), workers=0, bad_rows=LEAVE_OUT).epoch(0))
    assert all((batch.ids, batch.inputs, len(batch.left_out)) == ((), None, 2) for batch in found) and len(found) == 6


def test_a_file_that_is_gone_by_now_is_a_bad_row(
    load: Any, rows: TrainingRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = TrainingRows.values

    def moved(self: TrainingRows, number: int) -> dict[str, Any]:
        found = values(self, number)
        return found | ({"audios": ["/gone.flac"]} if "audios" in found else {})

    monkeypatch.setattr(TrainingRows, "values", moved)
    found = [each for batch in load(workers=0, bad_rows=LEAVE_OUT).epoch(0) for each in batch.left_out]
    assert len(found) == 6 and {each.reason for each in found} == {"missing_media"}


@pytest.mark.parametrize("model", [None, "qwen2-audio"])
def test_media_that_changed_after_rows_were_measured_make_a_bad_row(
    model: str | None, load: Any, letters: Any, rows: TrainingRows
) -> None:
    """Of a length that an export has counted, seconds tell: its text may take other tokens than the encoder's."""
    lengths = check_rows(rows, letters())
    longer, counted_otherwise = np.flatnonzero(lengths.seconds > 0)[:2]
    lengths.tokens[longer] += 25
    lengths.seconds[longer] += 1
    lengths.tokens[counted_otherwise] += 0 if model is None else 9
    made = load(letters(budget_model=model), workers=0, bad_rows=LEAVE_OUT, lengths=lengths)
    (bad,) = (each for batch in made.epoch(0) for each in batch.left_out)
    assert (bad.id, bad.reason) == (rows.id_of(int(longer)), "changed_media")
    assert "1.05 s when rows were measured" in bad.detail and "0.05 s now" in bad.detail


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_of_a_worker_is_raised_as_it_is_and_names_the_row(load: Any, letters: Any, workers: int) -> None:
    with pytest.raises(TriptychError, match="The extractor is not installed") as caught:
        list(load(letters(refused="is xxx?"), workers=workers).epoch(0))
    assert caught.value.hint == "pip install it"
    with pytest.raises(ZeroDivisionError) as raised:
        list(load(letters(broken="is xxx?"), workers=workers).epoch(0))
    assert "texts/train/03" in f"{raised.value} {getattr(raised.value, '__notes__', '')}"


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch looks after its workers each tenth of a second that it waits, not each five seconds."""
    from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter as Waiting

    monkeypatch.setattr(Waiting._try_get_data, "__defaults__", (0.1,))


@pytest.mark.usefixtures("_soon")
def test_a_worker_that_is_killed_ends_the_run_with_what_it_read(load: Any, letters: Any) -> None:
    loader = load(letters(fatal="is xxx?"), workers=1)
    with pytest.raises(
        TriptychError, match=r"DataLoader worker \(pid \d+\) ended: SIGKILL; it read one of t"
    ) as caught:
        list(loader.epoch(0))
    assert caught.value.hint is not None and "data.workers=0" in caught.value.hint
    assert loader._loader is None


@pytest.mark.usefixtures("_soon")
def test_a_worker_that_is_killed_meanwhile_disturbs_nothing_but_the_next_batch(load: Any) -> None:
    """The handler of SIGCHLD that torch installs raises wherever the main thread is."""
    loader = load(workers=1)
    batches = loader.epoch(0)
    next(batches)
    (worker,) = loader._processes
    handler = signal.getsignal(signal.SIGCHLD)
    os.kill(worker.pid, signal.SIGKILL)
    worker.join()
    assert callable(handler)
    handler(signal.SIGCHLD, None)
    with pytest.raises(TriptychError, match="SIGKILL"):
        list(batches)
    assert same(list(loader.epoch(0)), list(load(workers=0).epoch(0)))  # by new workers


def test_signals_to_all_processes_of_a_terminal_do_not_end_workers(load: Any) -> None:
    loader = load(workers=1)
    batches = loader.epoch(0)
    first = next(batches)
    (worker,) = loader._loader._iterator._workers
    for each in (signal.SIGINT, signal.SIGTERM):
        os.kill(worker.pid, each)
    assert same([first, *batches], list(load(workers=0).epoch(0))) and worker.is_alive()
    loader.close()
    assert not worker.is_alive() and not Path(f"/proc/{worker.pid}").exists()


@pytest.mark.thorough
def test_workers_end_with_a_main_process_that_is_killed(published: Path, tmp_path: Path) -> None:
    import subprocess
    import sys

    script = f"""
import sys, time
sys.path[:0] = [{str(Path(__file__).parent)!r}, {str(Path(__file__).parents[2])!r}]
from conftest import Letters
from triptych.trainers.data.training_rows import TrainingRows
from triptych.trainers.data.batch_plan import BatchPlan
from triptych.trainers.data.batch_loader import BatchLoader
import numpy as np
rows = TrainingRows.open("msswift-sft", store={str(published)!r}, allow_held_out=True)
loader = BatchLoader(rows, Letters(), BatchPlan(np.ones(len(rows)), batch_size=1), workers=2)
next(loader.epoch(0))
print(*[each.pid for each in loader._loader._iterator._workers], flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as main:
        assert main.stdout is not None
        workers = [int(each) for each in main.stdout.readline().split()]
        main.kill()
    end = time.monotonic() + 15
    while any(Path(f"/proc/{each}").exists() for each in workers) and time.monotonic() < end:
        time.sleep(0.1)
    assert len(workers) == 2 and not any(Path(f"/proc/{each}").exists() for each in workers)
