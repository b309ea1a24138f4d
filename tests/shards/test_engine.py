"""Parts of a table through worker processes: in order, whatever goes wrong is told, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import parts as functions
from triptych.errors import TriptychError, UsageError
from triptych.shards.engine.engine import PARTS_IN_FLIGHT, map_parts

Rows = list[dict[str, Any]]


def numbered(count: int, **more: Any) -> Iterator[Rows]:
    for number in range(count):
        yield [{"number": number, **more}]


def numbers(results: Iterator[Rows]) -> list[int]:
    return [row["number"] for rows in results for row in rows]


@pytest.mark.parametrize("are_many", [False, True])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 40])
def test_results_come_in_the_order_of_the_parts(count: int, are_many: bool) -> None:
    found = list(map_parts(functions.slow_at_even, numbered(count), workers=2, are_many=are_many))
    assert numbers(iter(found)) == list(range(count))
    pids = {row["pid"] for rows in found for row in rows}
    assert os.getpid() not in pids or count <= 2


def test_parts_larger_than_any_pipe_do_not_block() -> None:
    parts = numbered(8, text="x" * 3_000_000)
    assert numbers(map_parts(functions.same, parts, workers=2)) == list(range(8))


def test_only_a_few_parts_are_in_flight() -> None:
    asked = 0

    def counted() -> Iterator[Rows]:
        nonlocal asked
        for part in numbered(50):
            asked += 1
            yield part

    for told, _ in enumerate(map_parts(functions.same, counted(), workers=2)):
        assert asked - told <= PARTS_IN_FLIGHT * 2


def test_an_error_of_the_function_is_raised_here_with_its_origin() -> None:
    with pytest.raises(UsageError, match="number 5") as caught:
        list(map_parts(functions.fail_at_5, numbered(20), workers=2))
    assert "support/parts.py" in "".join(caught.value.__notes__)


def test_an_error_of_the_parts_ends_the_workers(tmp_path: Path) -> None:
    def broken() -> Iterator[Rows]:
        yield from numbered(5, path=str(tmp_path))
        raise ValueError("the table ends here")

    with pytest.raises(ValueError, match="ends here"):
        list(map_parts(functions.note_pid, broken(), workers=2, are_many=True))
    assert_gone(tmp_path)


def test_a_killed_worker_is_told_and_not_waited_for() -> None:
    started = time.monotonic()
    with pytest.raises(TriptychError, match="killed by signal 9") as caught:
        list(map_parts(functions.kill_at_5, numbered(20), workers=2))
    assert "--workers 1" in (caught.value.hint or "")
    assert time.monotonic() - started < 60


def lose(row: dict[str, Any], how: str) -> dict[str, Any]:
    return {**row, "lost": how}


def threes(count: int, **more: Any) -> Iterator[Rows]:
    for first in range(0, count, 3):
        yield [{"number": number, **more} for number in range(first, first + 3)]


def test_a_row_that_ends_its_process_is_lost_alone() -> None:
    found = [row for rows in map_parts(functions.kill_at_5_and_11, threes(21), workers=2, lost=lose) for row in rows]
    assert [row["number"] for row in found] == list(range(21))
    assert {row["number"]: row["lost"] for row in found if "lost" in row} == dict.fromkeys(
        (5, 11), "was killed by signal 11"
    )


def test_no_row_is_lost_where_a_process_is_killed_from_outside(tmp_path: Path) -> None:
    parts = threes(21, path=str(tmp_path))
    found = [row for rows in map_parts(functions.kill_once, parts, workers=2, lost=lose) for row in rows]
    assert [row["number"] for row in found] == list(range(21))
    assert not [row for row in found if "lost" in row]
    assert (tmp_path / "killed").exists()


def test_rows_are_not_blamed_for_a_worker_that_cannot_start() -> None:
    with pytest.raises(TriptychError, match="ended with status 7"):
        list(map_parts(functions.never_starts, threes(21), workers=2, lost=lose, preload=["support.ends"]))


def test_who_stops_early_leaves_no_process(tmp_path: Path) -> None:
    results = map_parts(functions.note_pid, numbered(100, path=str(tmp_path)), workers=2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    assert_gone(tmp_path)


def assert_gone(folder: Path) -> None:
    pids = [int(path.name) for path in folder.iterdir()]
    assert pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, signal.SIG_DFL)
