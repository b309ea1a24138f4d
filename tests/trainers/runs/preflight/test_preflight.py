"""Preflights of tiny models: what is told, that nothing is changed, and what is an error."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import stores

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from triptych.shards.store.store import Store
from triptych.trainers.models.weights import weights_sha256
from triptych.trainers.runs.preflight import preflight as module
from triptych.trainers.runs.preflight.step_time import model_kept
from triptych.trainers.runs.preflight.text import text_of

pytestmark = pytest.mark.usefixtures("one_thread")

Look = Callable[..., Any]


def test_a_dry_run_tells_what_a_run_would_be_and_writes_its_report_alone(
    qwen2_audio: Path, talks: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    keys = {"data.workers": 0, "lora": "{r: 4, dropout: 0.1}", "training.epochs": 4, "training.batch_size": 2,
            "training.gradient_accumulation_steps": 1, "training.warmup_steps": 0}  # fmt: skip
    command = ["train", "sft", "talk", "--model", qwen2_audio, "--store", talks, "--output-dir", out, "--dry-run"]
    command += [word for key, value in keys.items() for word in ("--set", f"{key}={value}")]
    done = stores.cli(*command)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in out.iterdir()} == {
        "preflight.json", "preflight.txt", "row_lengths-talk@v1.npz",
    }  # fmt: skip
    told = json.loads((out / "preflight.json").read_text())
    assert not (out / "checkpoints").exists()
    assert (told["plan"]["rows"], told["plan"]["batches"], told["plan"]["steps"], told["epochs"]) == (4, 2, 8, 4.0)
    assert told["findings"] == []
    assert (out / "preflight.txt").read_text() == done.stdout
    text = done.stdout
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 100
    assert re.search(r"<\|audio_bos\|><sound: \d\.\d s, \d+ tokens><\|audio_eos\|>", text)
    assert re.search(r"^  │ \[\[tone \d.*<\|im_end\|>\]\]$", text, re.MULTILINE)
    batch, memory = told["batch"], told["memory"]
    assert batch["rows"] == 2
    assert batch["tokens"] == sum(each["tokens"] for row in batch["shown"] for each in row["stretches"])
    assert 0 < batch["trained"] < batch["tokens"] - batch["media"]
    adapters = sum(each["adapter_parameters"] for each in told["plan"]["components"])
    projector = sum(each["trainable"] for each in told["plan"]["components"])
    assert memory["gradients"] == 4 * (adapters + projector)
    assert memory["optimizer"] == 8 * (adapters + projector)
    assert abs(memory["error"]) < 0.35
    assert told["step_time"]["steps"] == 2
    assert told["step_time"]["run_seconds"] == pytest.approx(8 * told["step_time"]["seconds"])
    assert told["audio_gap"]["is_heard"]
    assert told["audio_gap"]["gap"] == pytest.approx(told["audio_gap"]["other"] - told["audio_gap"]["own"])


def test_steps_are_taken_back_bit_by_bit(qwen2_audio: Path, talks: Path) -> None:
    import torch
    from support import training_runs
    from triptych.trainers.runs.preflight.step_time import try_steps
    from triptych.trainers.runs.prepare import computing_of, prepare
    from triptych.trainers.sft.train import SFT

    config = training_runs.config_of(qwen2_audio, None, training={"lr": 1e-1, "epochs": 4}, lora={"r": 4})
    made = prepare(config, SFT, store=Store.open(talks), folder=None)
    before, random = weights_sha256(made.model), torch.get_rng_state()
    tried = try_steps(
        made, SFT.objective(None), weight_decay=0.1, betas=(0.9, 0.95), max_grad_norm=1.0,
        computing=computing_of(made), after_forward=lambda inputs: None,
    )  # fmt: skip
    assert math.isfinite(tried.loss)
    assert weights_sha256(made.model) == before
    assert torch.equal(torch.get_rng_state(), random)
    assert all(value.grad is None for value in made.model.parameters())
    with model_kept(made.model):  # what is put back had been changed
        for value in made.model.parameters():
            if value.requires_grad:
                value.data.add_(1)
        assert weights_sha256(made.model) != before
    assert weights_sha256(made.model) == before


def test_sound_that_does_not_reach_the_answer_is_an_error(
    qwen2_audio: Path, looked: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = module.prepare

    def deaf(*args: Any, **options: Any) -> Any:
        """A run whose projector gives nothing on."""
        made = prepare(*args, **options)
        projector = made.family.module(made.model, "projector")
        projector.register_forward_hook(lambda module, inputs, output: output * 0)
        return made

    monkeypatch.setattr(module, "prepare", deaf)
    found = looked(qwen2_audio, lora={"r": 4})
    assert [each.name for each in found.errors] == ["sound_unheard"]
    assert not found.audio_gap.is_heard
    assert "Sound is not heard" in text_of(found)


def test_a_tower_that_is_not_called_is_an_error(
    qwen2_audio: Path, looked: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    from triptych.trainers.sft.cross_entropy import CrossEntropy

    losses = CrossEntropy.losses

    def without_sound(self: Any, model: Any, inputs: Any) -> Any:
        kept = {name: value for name, value in inputs.items() if "feature" not in name}
        return losses(self, model, {**kept, "input_ids": kept["input_ids"].clamp(max=200)})

    monkeypatch.setattr(CrossEntropy, "losses", without_sound)
    found = looked(qwen2_audio, lora={"r": 4})
    assert [each.name for each in found.errors] == ["sound_unheard"]
    assert found.step_time is None
    assert "audio_tower was not called" in text_of(found)


def test_rows_that_are_measured_on_must_not_be_trained_on(omni_thinker: Path, looked: Look) -> None:
    found = looked(omni_thinker, data={"train": "mixed", "validation": "talk"}, lora={"r": 4})
    assert [each.name for each in found.errors] == ["overlap"]
    assert "talk@v1 has 4 samples of mixed@v1" in found.errors[0].text
    assert "data.allow_overlap" in found.errors[0].advice
    assert found.audio_gap.is_heard
