"""LoRA by full names, and what each stage of full training trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from support.loaded_models import Rates, Stage, batch, load
from triptych.errors import DamagedError, UsageError
from triptych.trainers.models import adapters
from triptych.trainers.models.adapters import Lora, add_adapters, place, trainable_by_component
from triptych.trainers.models.stages import TrainingPlan, plan_adapters, plan_stages

EXPERTS = Lora(
    r=2, dropout=0, components=("language_model", "experts"), targets=("q_proj", "gate_proj", "up_proj", "down_proj")
)


def step(model: Any, plan: TrainingPlan, inputs: dict[str, Any]) -> set[str]:
    """Names of the groups that one step of training moves."""
    before = {name: each.detach().clone() for name, each in model.named_parameters()}
    optimizer = torch.optim.AdamW(plan.optimizer_groups(model, weight_decay=0.01))
    for _ in range(2):  # the second matrix of an adapter begins with zeros, so that the first moves in the second step
        model(**inputs).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    parameters = dict(model.named_parameters())
    moved = {name for name, each in parameters.items() if not torch.equal(each, before[name])}
    assert moved <= set(plan.names)
    return {group.name for group in plan.groups if moved.issuperset(group.parameters)}


def test_adapters_are_in_the_language_model_and_the_projector_is_trained_whole(
    qwen2_audio: Path, omni_thinker: Path
) -> None:
    layers = {"qwen2-audio": 14, "qwen3-omni": 8}  # seven and four in each of two layers
    for folder in (qwen2_audio, omni_thinker):
        loaded = load(folder)
        model = add_adapters(loaded.model, loaded.family, Lora(r=2))
        shares = {each.component: each for each in trainable_by_component(model, loaded.family)}
        assert {name for name, each in shares.items() if each.trainable} == {"projector"}
        assert {name: each.adapters for name, each in shares.items() if each.adapters} == {
            "language_model": layers[loaded.family.name]
        }
        assert shares["projector"].trainable == shares["projector"].parameters
        plan = plan_adapters(model, loaded.family, Rates())
        plan.prepare(model)
        assert {group.name: group.rates for group in plan.groups} == {
            "projector": (5e-2,), "projector no decay": (5e-2,), "language_model adapters": (2e-2,),
        }  # fmt: skip
        assert step(model, plan, batch(loaded)) == {group.name for group in plan.groups}


def test_adapters_of_fused_experts_learn_and_merge(omni_thinker: Path) -> None:
    loaded = load(omni_thinker)
    torch.manual_seed(0)
    model = add_adapters(loaded.model, loaded.family, EXPERTS)
    shares = {each.component: each for each in trainable_by_component(model, loaded.family)}
    assert shares["experts"].adapters == 4 and shares["language_model"].adapters == 2
    plan = plan_adapters(model, loaded.family, Rates())
    plan.prepare(model)
    inputs = batch(loaded)
    assert step(model, plan, inputs) == {group.name for group in plan.groups}
    with torch.no_grad():
        expected = model(**inputs).logits
        merged = model.merge_and_unload()
        assert torch.allclose(merged(**inputs).logits, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("settings", "message", "hint"),
    [
        (Lora(targets=("q_proj", "gate_proj")), "gate_proj: no such layer in language_model", "they are in experts"),
        (Lora(targets=("wq",)), "wq: no such layer", "layers there: k_proj, o_proj, q_proj, v_proj"),
        (Lora(components=("tower",)), "qwen3-omni has no 'tower'", "audio_tower"),
        (Lora(whole=("bridge",)), "no model has 'bridge'", "projector"),
        (Lora(components=("experts",), targets=("gate_proj",), dropout=0), "as one tensor", "name both, or neither"),
        (Lora(components=("experts",), targets=("down_proj",)), "take no dropout", "lora.dropout: 0"),
    ],
)
def test_layers_that_cannot_be_adapted_are_told_where_they_are(
    settings: Lora, message: str, hint: str, omni_thinker: Path, omni: Any
) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        place(omni.model, omni.family, settings)
    assert hint in str(caught.value.hint)


@pytest.fixture(scope="module")
def omni(omni_thinker: Path) -> Any:
    return load(omni_thinker)


def test_adapters_that_land_elsewhere_are_an_error(omni_thinker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a pattern: peft makes last parts of names of it, which the audio tower has too."""
    import peft

    get = peft.get_peft_model

    def by_last_part(model: Any, config: Any) -> Any:
        config.target_modules = {"q_proj", "k_proj", "v_proj", "o_proj"}
        return get(model, config)

    monkeypatch.setattr(peft, "get_peft_model", by_last_part)
    loaded = load(omni_thinker)
    with pytest.raises(DamagedError, match=r"audio_tower.*would be trained, which is in audio_tower"):
        adapters.add_adapters(loaded.model, loaded.family, Lora(r=2))


def test_what_a_family_lacks_is_passed_over_when_it_is_trained_whole(tmp_path: Path, one_thread: None) -> None:
    from support import tiny_models

    loaded = load(tiny_models.text_model(tmp_path / "text"))
    model = add_adapters(loaded.model, loaded.family, Lora(r=2))
    assert {each.component for each in trainable_by_component(model, loaded.family) if each.adapters} == {
        "language_model"
    }


# ---- full training


def test_all_parts_that_the_data_reaches_are_trained(qwen2_audio: Path, omni_thinker: Path) -> None:
    for folder in (qwen2_audio, omni_thinker):
        loaded = load(folder)
        plan = plan_stages(loaded.model, loaded.family, Rates())
        plan.prepare(loaded.model)
        assert set(plan.idle) == {"visual", "visual_projector"}.intersection(loaded.family.component_names)
        moved = step(loaded.model, plan, batch(loaded))
        # keys have a bias in Qwen2: it shifts all scores alike, so that its gradient is zero
        assert moved >= {group.name for group in plan.groups if group.decays}
        rates = {group.component: group.rates for group in plan.groups}
        assert rates["projector"] == (5e-2,) and rates["language_model"] == rates["audio_tower"] == (1e-2,)


def test_stages_train_the_projector_then_the_top_of_the_encoder_then_all(qwen2_audio: Path) -> None:
    loaded = load(qwen2_audio)
    stages = [Stage(["projector"]), Stage(["projector", "encoder_top:1"], lr=3e-2), Stage(["all"])]
    plan = plan_stages(loaded.model, loaded.family, Rates(), stages=stages, ends=(2, 5))
    assert [plan.stage_at(each) for each in range(7)] == [0, 0, 1, 1, 1, 2, 2]
    plan.prepare(loaded.model)
    rates = {group.name: group.rates for group in plan.groups}
    assert rates["projector"] == (5e-2, 3e-2, 5e-2)
    assert rates["audio_tower"] == (0, 0, 1e-2)  # the convolutions
    assert rates["audio_tower #2"] == (0, 3e-2, 1e-2)  # the last layer
    assert rates["language_model"] == rates["lm_head"] == (0, 0, 1e-2)
    [projector] = [number for number, group in enumerate(plan.groups) if group.name == "projector"]
    assert [plan.share(projector, each) for each in (0, 2, 5)] == [1.0, 0.6, 1.0]

    inputs = batch(loaded)
    assert step(loaded.model, plan, inputs) == {"projector", "projector no decay"}
    plan.enter(loaded.model, 1)
    moved = step(loaded.model, plan, inputs)
    assert "audio_tower #2" in moved and "audio_tower" not in moved and "language_model" not in moved
    plan.enter(loaded.model, 2)
    assert {"audio_tower", "language_model", "lm_head"} <= step(loaded.model, plan, inputs)


def test_dropped_gradients_are_what_frozen_parts_never_had(qwen2_audio: Path) -> None:
    loaded = load(qwen2_audio)
    plan = plan_stages(loaded.model, loaded.family, Rates(), stages=[Stage(["projector"]), Stage(["all"])], ends=(1,))
    plan.prepare(loaded.model)
    loaded.model(**batch(loaded)).loss.backward()
    alone = {name for name, each in loaded.model.named_parameters() if each.grad is not None}
    plan.enter(loaded.model, 1)
    loaded.model(**batch(loaded)).loss.backward()
    plan.drop_gradients(loaded.model, 0)
    assert {name for name, each in loaded.model.named_parameters() if each.grad is not None} == alone


def test_stages_of_what_is_not_there_are_refused(qwen2_audio: Path) -> None:
    loaded = load(qwen2_audio)
    for train, message in (
        (["visual"], "qwen2-audio has no 'visual'"),
        (["encoder_top:9"], "the audio tower has 1 layers"),
    ):
        with pytest.raises(UsageError, match=message):
            plan_stages(loaded.model, loaded.family, Rates(), stages=[Stage(train)])
    with pytest.raises(UsageError, match="projector would not be trained: no row has audio"):
        plan_stages(loaded.model, loaded.family, Rates(), stages=[Stage(["projector"])], modalities=())


def test_what_is_trained_is_kept_in_32_bits(qwen2_audio: Path) -> None:
    loaded = load(qwen2_audio, dtype="bf16")
    model = add_adapters(loaded.model, loaded.family, Lora(r=2))
    plan = plan_adapters(model, loaded.family, Rates())
    plan.prepare(model)
    formats = {name: each.dtype for name, each in model.named_parameters()}
    assert {formats[name] for name in plan.names} == {torch.float32}
    assert {each for name, each in formats.items() if name not in plan.names} == {torch.bfloat16}
    inputs = batch(loaded)
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(**inputs).loss
    loss.backward()
    assert torch.isfinite(loss)
