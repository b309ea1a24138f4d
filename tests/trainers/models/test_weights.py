"""Trained weights come back as they were: in a fresh model, of every family, however it was trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from support.loaded_models import Rates, Stage, load
from triptych.errors import DamagedError
from triptych.trainers.models.adapters import Lora, add_adapters
from triptych.trainers.models.stages import TrainingPlan, plan_adapters, plan_stages
from triptych.trainers.models.weights import load_weights, save_weights, trained_parameters, weights_sha256

HOW = ("lora", "staged", "full")


def prepared(folder: Path, how: str) -> tuple[Any, TrainingPlan]:
    loaded = load(folder)
    model, family = loaded.model, loaded.family
    if how == "lora":
        torch.manual_seed(3)
        model = add_adapters(model, family, Lora(r=2))
        plan = plan_adapters(model, family, Rates())
    else:
        stages = [Stage(["projector"]), Stage(["projector", "encoder_top:1"])] if how == "staged" else []
        plan = plan_stages(model, family, Rates(), stages=stages, ends=(5,) if stages else ())
    plan.prepare(model)
    return model, plan


def change(model: Any, plan: TrainingPlan) -> None:
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name in plan.names:
            parameters[name].add_(torch.randn_like(parameters[name]))


@pytest.mark.parametrize("how", HOW)
def test_a_fresh_model_with_saved_weights_has_the_same_hash(
    how: str, qwen2_audio: Path, omni_thinker: Path, tmp_path: Path
) -> None:
    for folder in (qwen2_audio, omni_thinker):
        model, plan = prepared(folder, how)
        first = weights_sha256(model)
        change(model, plan)
        out = tmp_path / folder.name
        out.mkdir()
        written = save_weights(trained_parameters(model, plan.names), out, shard_bytes=4_000)
        assert len(written) > 1 and written[-1].name == "weights.index.json"
        fresh, plan = prepared(folder, how)
        assert weights_sha256(fresh) == first
        load_weights(fresh, out, plan.names)
        assert weights_sha256(fresh) == weights_sha256(model) != first


def test_weights_of_another_kind_of_training_are_refused_and_change_nothing(qwen2_audio: Path, tmp_path: Path) -> None:
    model, plan = prepared(qwen2_audio, "staged")
    [path] = save_weights(trained_parameters(model, plan.names), tmp_path)
    other, others = prepared(qwen2_audio, "full")
    before = weights_sha256(other)
    with pytest.raises(DamagedError, match=r"weights differ from those that are trained.*is not in the checkpoint"):
        load_weights(other, tmp_path, others.names)
    parameters = trained_parameters(model, plan.names)
    first = sorted(parameters)[0]
    save_weights({**parameters, first: parameters[first].to(torch.bfloat16)}, tmp_path)
    with pytest.raises(DamagedError, match=r"bfloat16\) there, and .*float32\) in the model"):
        load_weights(model, tmp_path, plan.names)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DamagedError, match="cannot be read"):
        load_weights(model, tmp_path, plan.names)
    assert weights_sha256(other) == before
