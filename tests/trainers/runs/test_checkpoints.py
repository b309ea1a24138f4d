"""Checkpoints are complete or are not there."""

from __future__ import annotations

from pathlib import Path

from triptych.trainers.runs.loop.checkpoints import Checkpoints


def write(checkpoints: Checkpoints, step: int, **options: str) -> None:
    (checkpoints.begin(step) / "weights").write_text(str(step))
    checkpoints.complete(step, **options)


def names(checkpoints: Checkpoints) -> list[str]:
    return [each.name for each in checkpoints.all()]


def test_older_ones_go_once_a_new_one_stands_and_the_best_stays(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "checkpoints", keep=2)
    for step in (5, 10, 15, 20):
        write(checkpoints, step, best="step-000005")
    assert names(checkpoints) == ["step-000005", "step-000015", "step-000020"]
    assert checkpoints.latest == checkpoints.at(20)


def test_what_a_killed_save_or_removal_left_is_no_checkpoint(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    write(checkpoints, 5)
    (checkpoints.begin(10) / "weights").write_text("half of")
    (tmp_path / "step-000001.removed").mkdir()
    assert names(checkpoints) == ["step-000005"]
    write(checkpoints, 10)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000005", "step-000010"]
    assert (checkpoints.at(10).path / "weights").read_text() == "10"


def test_steps_are_ordered_by_number_beyond_six_digits(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    for step in (999_999, 1_000_000):
        write(checkpoints, step)
    assert checkpoints.latest == checkpoints.at(1_000_000)
