"""What would be quietly wrong is refused or told, before it takes hours."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import triptych
from triptych.errors import DamagedError, TriptychError, UsageError
from triptych.trainers.data.bad_rows import BadRow
from triptych.trainers.reap.scores.calibration import Source
from triptych.trainers.reap.scores.calibration_rows import Calibrated
from triptych.trainers.reap.scores.measure import PassSettings, measure
from triptych.trainers.reap.scores.moe_layers import moe_layers

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("one_thread")

ROW = {"id": "a", "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]}


def of_file(path: Path, *rows: dict[str, Any], allow_held_out: bool = False) -> Source:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return Source.open("text", str(path), store=None, allow_held_out=allow_held_out)


@pytest.fixture(scope="module")
def scores(moe: Path, text_rows: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a measurement of the first nine of twelve rows."""
    folder = tmp_path_factory.mktemp("scores") / "report"
    triptych.prune(model=moe, text=text_rows(), calibration_samples=9, cost_samples=0, report=folder)
    return folder


# ---- rows


def test_a_modality_that_is_none_is_not_passed_over(tmp_path: Path) -> None:
    source = of_file(tmp_path / "rows.jsonl", ROW, ROW | {"modality": "image"}, ROW | {"modality": "txt"})
    with pytest.raises(DamagedError, match=r"rows.jsonl:3: column modality: .* got 'txt'"):
        list(source.rows())


def test_rows_of_a_file_that_a_model_is_tested_on_are_refused(tmp_path: Path) -> None:
    rows = (ROW | {"split": "train"}, ROW | {"split": "test-clean"})
    train, test = of_file(tmp_path / "rows.jsonl", *rows).rows()
    assert train.row is not None and isinstance(test.bad, BadRow) and test.bad.reason == "held_out"
    (tmp_path / "manifest.json").write_text('{"held_out_rows": 1, "sound_of_videos": []}')
    with pytest.raises(UsageError, match="1 row is of validation or test splits"):
        of_file(tmp_path / "rows.jsonl", *rows)
    assert all(row.row for row in of_file(tmp_path / "rows.jsonl", *rows, allow_held_out=True).rows())


def test_a_row_that_stands_there_twice_is_told_and_is_no_row_that_was_not_calibrated_on(
    moe: Path, text_rows: Callable[..., Path], tmp_path: Path
) -> None:
    lines = text_rows().read_text().splitlines()
    (tmp_path / "rows.jsonl").write_text("\n".join([*lines[:4], lines[1], *lines[2:6]]) + "\n")
    told: list[str] = []
    found = triptych.prune(model=moe, text=tmp_path / "rows.jsonl", calibration_samples=5, cost_samples=9, beside=False,
                           report=tmp_path / "report", tell=told.append)  # fmt: skip
    assert any("1 text rows are the same as earlier ones (the first: text-1)" in each for each in told)
    assert found.cost is not None and [each.rows for each in found.cost.perplexities] == [2]


def test_media_that_were_calibrated_on_are_known_under_another_question(tmp_path: Path, clips: Any) -> None:
    heard, other = (str(clips(seconds)) for seconds in (0.3, 0.4))

    def row(path: str, question: str) -> dict[str, Any]:
        parts = [{"type": "audio", "audio": path}, {"type": "text", "text": question}]
        return {"messages": [{"role": "user", "content": parts}, ROW["messages"][1]]}  # type: ignore[index]

    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in (row(heard, "What?"), row(heard, "Who?"),
                                                                 row(other, "What?"))))  # fmt: skip
    source = Source.open("audio", str(path), store=None, allow_held_out=False)
    known = Calibrated.of([source], 1)
    turns = [each.row.turns for each in source.rows() if each.row is not None]
    assert [known.has(each) for each in turns] == [True, False, False]
    assert [known.shares(each) for each in turns] == [True, True, False]


# ---- scores


def test_rows_beside_scores_are_those_that_were_measured(
    moe: Path, text_rows: Callable[..., Path], scores: Path, tmp_path: Path
) -> None:
    asked: dict[str, Any] = {"model": moe, "scores": [scores], "report": tmp_path / "report", "beside": False}
    with pytest.raises(UsageError, match="were not measured on it"):
        triptych.prune(text=text_rows(11), **asked)
    # Nine were measured, whatever --calibration-samples says now.
    found = triptych.prune(text=text_rows(), calibration_samples=2, **asked)
    assert found.cost is not None and [each.rows for each in found.cost.perplexities] == [3]
    with pytest.raises(UsageError, match=r"there is no scores\.npz"):
        triptych.prune(model=moe, scores=[tmp_path / "none"], report=tmp_path / "report")


def test_numbers_that_are_none_stop_the_pass_and_name_layer_and_row(loaded: Any, moe: Path, tmp_path: Path) -> None:
    from triptych.trainers.sft.encoders import encoder_of

    source = of_file(tmp_path / "rows.jsonl", ROW)
    layers = moe_layers(loaded.model)
    weight = layers[1].experts.down_proj.data
    kept = weight.clone()
    try:
        weight.fill_(float("nan"))
        with pytest.raises(TriptychError, match="layer 2: what its experts make of row a is not finite"):
            measure(loaded, layers, encoder_of("text", moe), [source], PassSettings(), tmp_path / "scores.npz")
    finally:
        weight.copy_(kept)


# ---- folders


def test_a_folder_that_another_process_writes_is_left_to_it(moe: Path, scores: Path, tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    (tmp_path / ".out.partial").mkdir()
    for held, why in ((tmp_path / "report" / ".lock", "another run is writing there"),
                      (tmp_path / ".out.partial", "another process is writing it")):  # fmt: skip
        handle = os.open(held, os.O_RDONLY if held.is_dir() else os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            with pytest.raises(UsageError, match=why):
                triptych.prune(model=moe, scores=[scores], report=tmp_path / "report", output=tmp_path / "out")
        finally:
            os.close(handle)


def test_what_a_killed_process_left_is_removed_and_a_link_leads_to_the_folder(
    moe: Path, scores: Path, tmp_path: Path
) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (tmp_path / "out").symlink_to(there)
    (tmp_path / ".there.partial" / "old").mkdir(parents=True)
    (tmp_path / ".there.partial" / "model.safetensors").write_bytes(b"half")
    first = triptych.prune(model=moe, scores=[scores], report=tmp_path / "report", output=tmp_path / "out",
                           retention_rate=0.75)  # fmt: skip
    assert first.difference == 0 and (tmp_path / "out").is_symlink() and not list(tmp_path.glob(".there*"))
    assert not (there / "model.safetensors").exists() and (there / "config.json").is_file()
    # Of a model that was pruned before, what was pruned then is told too.
    rows = tmp_path / "rows.jsonl"
    of_file(rows, ROW)
    triptych.prune(model=there, text=rows, output=tmp_path / "less", retention_rate=0.5, cost_samples=0)
    told = json.loads((tmp_path / "less" / "pruning.json").read_text())
    assert (told["experts"], told["base_pruning"]["experts"]) == (6, 8)


def test_an_expert_that_the_files_lack_is_named_before_anything_is_measured(
    moe: Path, text_rows: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from triptych.trainers.reap.files import slices

    stored = slices.stored_tensors(moe)
    lacking = {name: each for name, each in stored.items() if ".layers.2.mlp.experts.3." not in name}
    monkeypatch.setattr(slices, "stored_tensors", lambda _: lacking)
    with pytest.raises(DamagedError, match="layer 2: expert 3 is not in the files"):
        triptych.prune(model=moe, text=text_rows(), output=tmp_path / "out")
    assert not (tmp_path / "out.calibration" / "scores.npz").exists()
