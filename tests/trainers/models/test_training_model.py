"""Models that are loaded to be trained: their components, number formats, and towers that are called."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from support.loaded_models import batch, load, text_batch
from triptych.errors import DamagedError, UsageError
from triptych.trainers.models.families import QWEN2_AUDIO, TEXT, family_of, plain_name
from triptych.trainers.models.real_lengths import frames_of
from triptych.trainers.models.towers import SoundCheck, SoundUnheard, touch_towers
from triptych.trainers.models.training_model import Loading, dtype_on, load_for_training
from triptych.trainers.sft.encoders import encoder_of


def test_every_parameter_of_a_model_is_in_one_component(qwen2_audio: Path, omni_thinker: Path) -> None:
    parts: dict[str, set[str]] = {}
    for folder in (qwen2_audio, omni_thinker):
        loaded = load(folder)
        parts[loaded.family.name] = {loaded.family.component_of(name) for name, _ in loaded.model.named_parameters()}
        assert parts[loaded.family.name] == set(loaded.family.component_names)
    assert parts["qwen3-omni"] - parts["qwen2-audio"] == {"experts", "router", "visual", "visual_projector"}
    with pytest.raises(DamagedError, match="in no component of qwen2-audio"):
        QWEN2_AUDIO.component_of("model.talker.weight")


def test_names_are_those_of_the_model_whatever_it_is_wrapped_in() -> None:
    expected = "model.audio_tower.proj1.weight"
    for name in (
        "base_model.model.model.audio_tower.proj1.modules_to_save.default.weight",
        "module.base_model.model.model.audio_tower.proj1.original_module.weight",
        "module.model.audio_tower.proj1.base_layer.weight",
        "_fsdp_wrapped_module.model.audio_tower._fsdp_wrapped_module.proj1.weight",
    ):
        assert plain_name(name) == expected
    assert plain_name("base_model.model.model.layers.0.q_proj.lora_A.default.weight") == "model.layers.0.q_proj.weight"


def test_models_of_sound_that_are_not_known_are_refused_by_type() -> None:
    from transformers import LlamaConfig, WhisperConfig

    assert family_of(LlamaConfig()) is TEXT
    with pytest.raises(UsageError, match=r"'whisper' cannot be trained here") as caught:
        family_of(WhisperConfig())
    assert "qwen2_audio, qwen3_omni_moe" in str(caught.value.hint)
    assert "phoneme" not in str(caught.value.hint)  # what `train phoneme` makes is no base of the others


def test_the_table_of_positions_stays_as_it_is(qwen2_audio: Path) -> None:
    loaded = load(qwen2_audio)
    frozen = [name for name, each in loaded.model.named_parameters() if not each.requires_grad]
    assert frozen == ["model.audio_tower.embed_positions.weight"]


def test_number_formats_are_those_the_device_computes_in(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    assert dtype_on("auto", "cpu") == "fp32" and dtype_on("bf16", "cpu") == "bf16"
    with pytest.raises(UsageError, match="fp16: needs a GPU; this runs on cpu"):
        dtype_on("fp16", "cpu")
    assert dtype_on("bf16", "cpu:0") == "bf16"  # as one of several processes is told
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: False)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla V100")
    assert dtype_on("auto", "cuda") == "fp16"
    with pytest.raises(UsageError, match="bf16: Tesla V100 does not compute in it") as caught:
        dtype_on("bf16", "cuda:0")
    assert caught.value.hint == "model.dtype: fp16, or fp32"


def test_quantization_is_refused_for_fused_experts_and_without_bitsandbytes(
    qwen2_audio: Path, omni_thinker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *_: None)
    with pytest.raises(UsageError, match=r"the experts of a layer as one tensor.*bitsandbytes#1849"):
        load(omni_thinker, quantization="4bit")
    with pytest.raises(UsageError, match="bitsandbytes is not installed") as caught:
        load(qwen2_audio, quantization="8bit")
    assert str(caught.value.hint).startswith("pip install")


@pytest.mark.thorough
@pytest.mark.parametrize("quantization", ["8bit", "4bit"])
def test_frozen_weights_are_quantized_under_adapters(quantization: str, qwen2_audio: Path) -> None:
    """Those of the language model alone; adapters learn beside them."""
    pytest.importorskip("bitsandbytes")
    import torch
    from support.loaded_models import Rates
    from triptych.trainers.models.adapters import Lora, add_adapters, trainable_by_component
    from triptych.trainers.models.stages import plan_adapters, plan_stages

    whole, loaded = load(qwen2_audio), load(qwen2_audio, quantization=quantization)
    kinds = {name: type(module).__name__ for name, module in loaded.model.named_modules()}
    assert kinds["model.language_model.layers.0.self_attn.q_proj"].startswith("Linear" + quantization[0])
    assert kinds["lm_head"] == kinds["model.multi_modal_projector.linear"] == "Linear"
    assert kinds["model.audio_tower.layers.0.self_attn.q_proj"] == "Linear"
    with pytest.raises(UsageError, match="quantized weights cannot be trained themselves"):
        plan_stages(loaded.model, loaded.family, Rates())
    sizes = {each.component: each.parameters for each in trainable_by_component(whole.model, whole.family)}
    model = add_adapters(loaded.model, loaded.family, Lora(r=2))
    shares = {each.component: each.parameters for each in trainable_by_component(model, loaded.family)}
    assert shares == sizes
    plan = plan_adapters(model, loaded.family, Rates())
    plan.prepare(model)
    inputs = batch(whole)
    optimizer = torch.optim.AdamW(plan.optimizer_groups(model, weight_decay=0.0))
    losses = []
    for _ in range(3):
        loss = model(**inputs).loss
        loss.backward()
        losses.append(float(loss.detach()))
        optimizer.step()
        optimizer.zero_grad()
    assert abs(losses[0] - float(whole.model(**inputs).loss.detach())) < 0.5 and losses[2] < losses[0] - 1


def test_attention_that_is_not_installed_is_named(qwen2_audio: Path) -> None:
    with pytest.raises(UsageError, match=r"model.attention: flash_attention_2: ") as caught:
        load(qwen2_audio, attention="flash_attention_2")
    assert caught.value.hint == "model.attention: sdpa"


def test_gradient_checkpointing_gives_the_same_gradients(qwen2_audio: Path) -> None:
    import torch

    plain, saving = load(qwen2_audio), load(qwen2_audio, gradient_checkpointing=True)
    inputs = batch(plain)
    for each in (plain, saving):
        each.model.train()
        each.model(**inputs).loss.backward()
    pairs = zip(plain.model.named_parameters(), saving.model.named_parameters(), strict=True)
    assert all(one.grad is None or torch.allclose(one.grad, other.grad, atol=1e-6) for (_, one), (_, other) in pairs)


def test_the_encoder_on_real_lengths_hears_what_it_hears_at_30_seconds(qwen2_audio: Path) -> None:
    import torch

    full, real = load(qwen2_audio), load(qwen2_audio, audio_padding="batch")
    inputs = batch(full, seconds=(0.5, 1.205))
    valid = int(inputs["feature_attention_mask"].sum(-1).max())

    def cut(frames: int) -> dict[str, Any]:
        return {
            **inputs,
            "input_features": inputs["input_features"][..., :frames],
            "feature_attention_mask": inputs["feature_attention_mask"][:, :frames],
        }

    with torch.no_grad():
        expected = full.model(**inputs).logits
        assert torch.equal(real.model(**inputs).logits, expected)  # at 30 s it is the same
        frames = frames_of(valid)
        assert (valid, frames) == (121, 124)
        assert torch.allclose(real.model(**cut(frames)).logits, expected, atol=3e-5)
        fewer = real.model(**cut(122)).logits  # one frame behind the clip is not enough
        assert not torch.allclose(fewer, expected, atol=3e-5)
        with pytest.raises(ValueError, match="123 frames: an even number"):
            real.model.model.audio_tower(inputs["input_features"][..., :123])
    assert frames_of(2999) == 3000 == frames_of(3000)


def test_a_batch_whose_sound_is_not_heard_is_an_error(qwen2_audio: Path, omni_thinker: Path) -> None:
    for folder in (qwen2_audio, omni_thinker):
        loaded = load(folder)
        inputs = batch(loaded)
        check = SoundCheck(loaded.model, loaded.family)
        loaded.model(**inputs)
        check.check(inputs)
        texts = text_batch(loaded)
        loaded.model(**texts)
        check.check(texts)  # there was nothing to hear
        loaded.model(input_ids=inputs["input_ids"])  # placeholders alone: nothing fails
        with pytest.raises(SoundUnheard, match=r"has input_features, and the audio_tower was not called") as caught:
            check.check(inputs)
        assert caught.value.component == "audio_tower"
        check.remove()


def test_towers_are_in_the_graph_of_a_batch_without_sound(qwen2_audio: Path, omni_thinker: Path) -> None:
    for folder in (qwen2_audio, omni_thinker):
        loaded = load(folder)
        plain = loaded.model(**text_batch(loaded)).loss
        loss = plain + touch_towers(loaded.model, loaded.family, ("audio", "image"))
        loss.backward()
        assert float(loss) == float(plain)
        without = [name for name, each in loaded.model.named_parameters() if each.requires_grad and each.grad is None]
        assert not without


def test_a_model_of_text_is_loaded_as_one(tmp_path: Path, one_thread: None) -> None:
    from support import tiny_models

    loaded = load_for_training(tiny_models.text_model(tmp_path / "text"), Loading(), revision="sha256:1", device="cpu")
    assert loaded.family is TEXT and loaded.tokenizer is loaded.processor and loaded.revision == "sha256:1"
    assert {TEXT.component_of(name) for name, _ in loaded.model.named_parameters()} == {"language_model", "lm_head"}
    assert float(touch_towers(loaded.model, loaded.family)) == 0.0


def test_a_folder_without_a_tokenizer_or_with_broken_weights_is_damaged(qwen2_audio: Path, tmp_path: Path) -> None:
    """transformers makes an empty tokenizer of nothing: no text would have a token."""
    lacking = shutil.copytree(qwen2_audio, tmp_path / "lacking")
    for path in lacking.glob("tokenizer*"):
        path.unlink()
    for read in (load, lambda folder: encoder_of("qwen2-audio", folder).tokenizer):
        with pytest.raises(DamagedError, match="the files of its tokenizer are missing"):
            read(lacking)
    (lacking / "processor_config.json").unlink()
    with pytest.raises(DamagedError, match="cannot be loaded"):
        _ = encoder_of("qwen2-audio", lacking).log_mel
    (lacking / "model.safetensors").write_bytes(b"12345678" * 9)
    with pytest.raises(DamagedError, match="cannot be loaded"):
        load(lacking)
