"""Runs of DPO on tiny models of the real classes."""

from __future__ import annotations

import json
import math
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from support import pairs, stores, training_runs

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from triptych.shards.store.store import Store
from triptych.trainers.data.bad_rows import BadRow
from triptych.trainers.data.row_turns import form_of, row_of
from triptych.trainers.models.towers import SoundUnheard
from triptych.trainers.preference.config import DpoConfig
from triptych.trainers.preference.pair_encoder import rejected_side
from triptych.trainers.preference.train import dpo
from triptych.trainers.runs.config.read import Setting, read_config
from triptych.trainers.runs.loop.stop_signals import Stopped
from triptych.trainers.runs.run import train

pytestmark = pytest.mark.usefixtures("one_thread")

SECTIONS: dict[str, Any] = {"lora": {"r": 4, "dropout": 0.1}, "dpo": {"sft_weight": 0.1}}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pairs.preferences(tmp_path_factory.mktemp("pairs"))


@pytest.fixture(scope="module")
def whole(qwen2_audio: Path, store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three steps."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    training_runs.train(pairs.config_of(qwen2_audio, out, **SECTIONS), store)
    return out


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def check_that_it_begins_at_its_reference_and_learns(folder: Path) -> None:
    first, *_, last = [line for line in lines(folder) if "losses" in line]
    assert first["losses"]["preference"] == pytest.approx(math.log(2), abs=1e-6)
    assert {value for name, value in first["measures"].items() if not name.startswith("accuracy")} == {0.0}
    assert first["losses"]["answer"] > 0
    assert last["losses"]["preference"] < 0.69
    assert last["measures"]["accuracy"] == 1
    assert last["measures"]["margin"] > 0
    assert any(name.startswith("margin/") for name in last["measures"])


def test_a_run_begins_at_its_reference_and_learns_what_is_preferred(whole: Path) -> None:
    check_that_it_begins_at_its_reference_and_learns(whole)
    record = json.loads((whole / "run.json").read_text())
    assert record["about_rows"] == {
        "pairs": 6, "chosen_is_longer": pytest.approx(4 / 6, abs=1e-3), "chosen_is_shorter": 0.0,
        "dimensions": {"factuality": 2, "helpfulness": 1, "instruction": 2, "safety": 1},
    }  # fmt: skip
    assert "Accuracy" in (whole / "curves.html").read_text()
    assert "chosen is longer" in (whole / "README.md").read_text()


@pytest.mark.thorough
def test_a_run_that_a_signal_ended_goes_on_to_the_same_weights(
    whole: Path, qwen2_audio: Path, store: Path, tmp_path: Path
) -> None:
    config = pairs.config_of(qwen2_audio, tmp_path / "parts", **SECTIONS)

    def stop(step: int, of: int) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stopped, match="SIGTERM: the run ended after step"):
        train(config, dpo(config), store=Store.open(store), progress=stop)
    [reference] = config.folder.glob("reference-*.parquet")
    kept = reference.stat()
    command = ["train", "dpo", "--output-dir", config.folder, "--resume", "--store", store, "--json"]
    done = stores.cli(*command)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["measures"]["accuracy"] == 1
    assert reference.stat().st_mtime_ns == kept.st_mtime_ns
    one, two = (weights(folder) for folder in (whole, config.folder))
    assert one.keys() == two.keys()
    assert all(one[name].equal(two[name]) for name in one)


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    [*_, last] = sorted((folder / "checkpoints").iterdir())
    return dict(load_file(last / "weights.safetensors"))


def test_a_reference_that_hears_nothing_ends_the_run(
    qwen2_audio: Path, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from triptych.trainers.preference import reference

    forward = reference.forward

    def deaf(model: Any, inputs: dict[str, Any]) -> Any:
        heard = {name: value for name, value in inputs.items() if "feature" not in name}
        return forward(model, {**heard, "input_ids": heard["input_ids"] * 0})

    monkeypatch.setattr(reference, "forward", deaf)
    with pytest.raises(SoundUnheard, match="the audio_tower was not called"):
        training_runs.train(pairs.config_of(qwen2_audio, tmp_path), store)


def test_pairs_that_are_none_are_bad_rows() -> None:
    said = {"id": "1", "messages": [{"role": "user", "content": "What?"}, {"role": "assistant", "content": "one two"}]}
    form = form_of(said)
    assert form is not None
    refused = {
        "same_answers": {"rejected_response": " one\n two"},
        "bad_rejected": {"rejected_response": " "},
        "different_media": {"rejected_response": "three", "rejected_audios": ["a.wav"]},
        "no_pair": {},
    }
    for reason, columns in refused.items():
        with pytest.raises(BadRow) as found:
            rejected_side(row_of({**said, **columns}, form, where="x"))
        assert found.value.reason == reason


def test_a_beta_out_of_the_usual_range_is_told() -> None:
    keys = {"model.base_model": "m", "data.train": "pairs", "dpo.beta": 2.0, "training.lr": 1e-4}
    notes = read_config(DpoConfig, None, [Setting("--set", key, value) for key, value in keys.items()]).notes
    assert [note.split(" is ")[0] for note in notes] == ["dpo.beta", "training.lr"]


@pytest.mark.thorough
@pytest.mark.parametrize("mode", ["lora", "full", "staged"])
@pytest.mark.parametrize("model", ["qwen2_audio", "omni_thinker"])
def test_all_ways_of_training_have_the_same_reference(
    model: str, mode: str, store: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    stages = [{"train": "projector", "steps": 1}, {"train": "all"}]
    ways = {"lora": {"lora": {"r": 4}}, "staged": {"stages": stages}, "full": {"training": {"lr": 1e-3}}}
    config = pairs.config_of(
        request.getfixturevalue(model),
        tmp_path,
        data={"validation": "swift", "allow_overlap": True},
        dpo={"sft_weight": 0.1},
        **ways[mode],
    )
    made = training_runs.train(config, store)
    check_that_it_begins_at_its_reference_and_learns(tmp_path)
    assert made.base_scores["validation_margin"] == 0
    assert made.scores["validation_accuracy"] == 1


@pytest.mark.thorough
def test_two_processes_train_as_one_does(qwen2_audio: Path, store: Path, tmp_path: Path) -> None:
    shared = {"lora": {"r": 4, "dropout": 0.0}, "optimizer": {"eps": 1e-3},
              "data": {"validation": "swift", "allow_overlap": True}}  # fmt: skip
    alone = pairs.config_of(qwen2_audio, tmp_path / "a", **shared, training={"gradient_accumulation_steps": 2})
    both = pairs.config_of(qwen2_audio, tmp_path / "b", **shared)
    training_runs.train(alone, store)
    training_runs.train_together(both, store)
    one, two = (weights(config.folder) for config in (alone, both))
    assert max(float((one[name] - two[name]).abs().max()) for name in one) <= 1e-5
    told, again = (
        [line["measures"] for line in lines(config.folder) if "measures" in line] for config in (alone, both)
    )
    assert [line["margin"] for line in told] == pytest.approx([line["margin"] for line in again], abs=1e-4)


@pytest.mark.thorough
@pytest.mark.parametrize("model", ["qwen2_audio", "omni_thinker"])
def test_a_run_that_is_killed_again_and_again_ends_with_the_same_weights(
    model: str, store: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(model)
    sections = {**SECTIONS, "training": {"epochs": 4}}
    whole, parts = (pairs.config_of(folder, tmp_path / name, **sections) for name in ("whole", "parts"))
    training_runs.train(whole, store)
    assert sum(training_runs.killed(parts, store, kills=10, seed=1).values()) == 10
    assert training_runs.weights_of(parts, store) == training_runs.weights_of(whole, store)
