"""The folder of a run: who writes there, and where a run begins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from triptych.errors import DamagedError, ProblemsFound, UsageError
from triptych.trainers.runs.loop.checkpoints import Checkpoint, Checkpoints
from triptych.trainers.runs.records.run_log import StepLines, read_lines
from triptych.trainers.runs.run_folder import alone_in, where_to_begin


def begin(folder: Path, *, resume: bool = False) -> Checkpoint | None:
    return where_to_begin(folder, Checkpoints(folder / "checkpoints"), resume=resume)


def test_two_runs_do_not_write_into_one_folder(tmp_path: Path) -> None:
    other = pytest.raises(UsageError, match=r"another run is writing there: .*process \d+.*: train")
    with alone_in(tmp_path / "run"), other, alone_in(tmp_path / "run"):
        pass
    with alone_in(tmp_path / "run"):
        pass


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="no run can be written there"), alone_in(tmp_path / "file"):
        pass


def test_a_run_that_is_refused_leaves_no_folder_behind(tmp_path: Path) -> None:
    def refused(folder: Path, *written: str) -> list[str]:
        with pytest.raises(ProblemsFound), alone_in(folder):
            for name in written:
                (folder / name).write_text("")
            raise ProblemsFound("rows cannot be trained on")
        return sorted(path.name for path in tmp_path.rglob("*") if path.is_file())

    assert refused(tmp_path / "run", "row_lengths-talk@v1.npz") == []
    assert refused(tmp_path / "run", "row_lengths-talk@v1.npz", "vectors.npz") == [
        ".lock", "row_lengths-talk@v1.npz", "vectors.npz",
    ]  # fmt: skip
    assert len(refused(tmp_path / "run")) == 3  # it was there before


def test_files_that_no_run_has_written_are_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "row_lengths-talk@v1.npz").write_text("")
    (tmp_path / "slurm-17.out").write_text("")
    assert begin(tmp_path) is None
    (tmp_path / "README.md").write_text("# Mine\n")
    with pytest.raises(UsageError, match=r"would write over README\.md"):
        begin(tmp_path)


def test_a_run_whose_checkpoints_are_gone_neither_goes_on_nor_begins_again(tmp_path: Path) -> None:
    record = {"format": 1, "sessions": [], "last": None}
    (tmp_path / "README.md").write_text("# Of a run\n")
    (tmp_path / "run.json").write_text(json.dumps(record))
    assert begin(tmp_path) is None  # it had not come to its first one
    (tmp_path / "run.json").write_text(json.dumps({**record, "last": "step-000005"}))
    for resume in (False, True):
        with pytest.raises(UsageError, match="had the checkpoint step-000005, which is gone"):
            begin(tmp_path, resume=resume)
    (tmp_path / "checkpoints/step-000005").mkdir(parents=True)
    assert begin(tmp_path, resume=True) == Checkpoint(5, tmp_path / "checkpoints/step-000005")
    with pytest.raises(UsageError, match="a run stands in"):
        begin(tmp_path)


def test_a_line_of_metrics_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    lines = StepLines(tmp_path / "metrics.jsonl")
    lines.add({"step": 1})
    with lines.path.open("a") as file:
        file.write('\0\0\n{"step": 2')
    with pytest.raises(DamagedError, match=r"metrics\.jsonl:2: this is no line of a run"):
        list(read_lines(lines.path))
