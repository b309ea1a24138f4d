"""A run's weights in the base's folder: every other byte is the base's, and the model says what it said in training."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from support.loaded_models import Rates, load
from triptych import train_export
from triptych.errors import DamagedError, UsageError
from triptych.trainers.models.adapters import Lora, add_adapters
from triptych.trainers.models.model_files import fingerprint
from triptych.trainers.models.stages import plan_adapters, plan_stages
from triptych.trainers.models.weights import save_weights, trained_parameters
from triptych.trainers.serving.layouts import Layout, stored_tensors, weight_names
from triptych.trainers.serving.merge import find_checkpoint, merge, merge_run

EXPERTS = Lora(
    r=2, dropout=0, components=("language_model", "experts"), targets=("q_proj", "gate_proj", "up_proj", "down_proj")
)
LORA = Lora(r=2)


@pytest.fixture(scope="session")
def whole_omni(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    from support import tiny_models

    return tiny_models.qwen3_omni(tmp_path_factory.mktemp("models") / "qwen3-omni")


def trained(base: Path, folder: Path, lora: Lora | None) -> Path:
    """A checkpoint of a base model, whose trained weights have moved a little."""
    loaded = load(base)
    torch.manual_seed(5)
    model = loaded.model
    if lora is not None:
        model = add_adapters(model, loaded.family, lora)
        plan = plan_adapters(model, loaded.family, Rates())
    else:
        plan = plan_stages(model, loaded.family, Rates())
    plan.prepare(model)
    parameters = trained_parameters(model, plan.names)
    with torch.no_grad():
        for parameter in parameters.values():
            parameter.add_(torch.randn_like(parameter), alpha=0.05)
    folder.mkdir(parents=True)
    save_weights(parameters, folder)
    return folder


def differing(base: Path, merged: Path) -> set[str]:
    """The first parts of the names of tensors that differ; all other bytes of the files must be equal."""
    found = set()
    for key, stored in stored_tensors(base).items():
        one, other = (folder / stored.file.name for folder in (base, merged))
        if one.read_bytes()[stored.start : stored.end] != other.read_bytes()[stored.start : stored.end]:
            found.add(key)
    for path in base.iterdir():
        copy = bytearray((merged / path.name).read_bytes())
        for key in found:
            stored = stored_tensors(base)[key]
            if stored.file.name == path.name:
                copy[stored.start : stored.end] = path.read_bytes()[stored.start : stored.end]
        assert bytes(copy) == path.read_bytes(), path.name
    return {".".join(key.split(".")[:2]) for key in found}


@pytest.mark.parametrize(
    ("base", "lora", "changed"),
    [
        ("qwen2_audio", LORA, {"multi_modal_projector.linear", "language_model.model"}),
        ("omni_thinker", EXPERTS, {"audio_tower.proj1", "audio_tower.proj2", "model.layers"}),
        ("whole_omni", EXPERTS, {"thinker.audio_tower", "thinker.model"}),
        pytest.param("whole_omni", None, {"thinker.audio_tower", "thinker.model", "thinker.lm_head"},
                     marks=pytest.mark.thorough),
    ],
)  # fmt: skip
def test_changed_weights_are_in_the_base_files_and_nothing_else_is_touched(
    base: str, lora: Lora | None, changed: set[str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(base)
    checkpoint = trained(folder, tmp_path / "step-000005", lora)
    layout = "transformers" if base == "omni_thinker" else "vllm"
    merged = merge(folder, checkpoint, tmp_path / "merged", lora=lora, layout=layout)
    assert differing(folder, merged.folder) == changed  # of an Omni: not the talker, not code2wav
    assert max(merged.equality.difference, merged.equality.rounding) <= 1e-5 == merged.equality.tolerance
    assert merged.equality.weights == merged.changed and merged.format == "F32"


def test_a_base_in_16_bits_stays_in_16_bits(qwen2_audio: Path, tmp_path: Path) -> None:
    from transformers import Qwen2AudioForConditionalGeneration

    base = tmp_path / "base"
    shutil.copytree(qwen2_audio, base)
    Qwen2AudioForConditionalGeneration.from_pretrained(base, dtype=torch.bfloat16).save_pretrained(base)
    checkpoint = trained(base, tmp_path / "step-000005", LORA)
    merged = merge(base, checkpoint, tmp_path / "merged", lora=LORA)
    assert merged.format == "BF16" and merged.equality.difference <= merged.equality.tolerance == 1e-3
    assert 1e-4 < merged.equality.rounding < 0.05  # what 8 bits cost is said
    assert {each.format for each in stored_tensors(merged.folder).values()} == {"BF16"}


def test_a_tied_model_of_text_stays_tied(tmp_path: Path, one_thread: None) -> None:
    from support.tiny_models import byte_tokenizer
    from transformers import Qwen3Config, Qwen3ForCausalLM

    tokenizer = byte_tokenizer([])
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
        num_key_value_heads=2, head_dim=16, tie_word_embeddings=True,
    )  # fmt: skip
    base = tmp_path / "base"
    Qwen3ForCausalLM(config).save_pretrained(base)
    tokenizer.save_pretrained(base)
    (base / "pytorch_model.bin").write_bytes(b"the base's weights again")
    checkpoint = trained(base, tmp_path / "step-000005", None)
    merged = merge(base, checkpoint, tmp_path / "merged", lora=None, layout="vllm")
    assert "lm_head.weight" not in stored_tensors(merged.folder)
    assert merged.left_out == ("pytorch_model.bin",) and not (merged.folder / "pytorch_model.bin").exists()


@pytest.mark.thorough
def test_a_real_model_is_merged_to_the_same_logits(tmp_path: Path, one_thread: None) -> None:
    """SmolLM2 of 30 layers: in 32 bits to 1e-5, in 16 bits with what that costs."""
    from support.models import SMOLLM, require
    from transformers import AutoModelForCausalLM

    small = require(SMOLLM)
    wide = tmp_path / "fp32"
    shutil.copytree(small, wide)
    AutoModelForCausalLM.from_pretrained(small, dtype=torch.float32).save_pretrained(wide)
    for base in (wide, small):
        checkpoint = trained(base, tmp_path / f"{base.name}-checkpoint", LORA)
        merged = merge(base, checkpoint, tmp_path / f"{base.name}-merged", lora=LORA, layout="vllm")
        assert merged.equality.difference <= merged.equality.tolerance
        assert merged.equality.rounding < (1e-5 if base is wide else 1e-2)


# ---- what vLLM finds


def vllm_names(folder: Path, prefixes: dict[str, str], passed_over: tuple[str, ...]) -> set[str]:
    """Names of weights as vLLM's loader maps them: prefixes one after the other, some names passed over."""
    found = set()
    for name in stored_tensors(folder):
        if name.startswith(passed_over):
            continue
        for before, after in prefixes.items():
            if name.startswith(before):
                name = after + name.removeprefix(before)
        found.add(name)
    return found


def test_vllm_finds_every_weight_of_a_thinker_and_no_other(whole_omni: Path, omni_thinker: Path) -> None:
    """By the mapper of vLLM's Qwen3OmniMoeThinkerForConditionalGeneration."""
    found = vllm_names(
        whole_omni,
        {"thinker.lm_head.": "language_model.lm_head.", "thinker.model.": "language_model.model.", "thinker.": ""},
        ("talker.", "code2wav."),
    )
    of_a_thinker = {
        f"language_model.{name}" if name.startswith(("model.", "lm_head.")) else name
        for name in stored_tensors(omni_thinker)
    }
    assert found == of_a_thinker
    assert {name.split(".")[0] for name in found} == {"audio_tower", "visual", "language_model"}
    assert json.loads((whole_omni / "config.json").read_text())["architectures"] == [
        "Qwen3OmniMoeForConditionalGeneration"
    ]


def test_vllm_finds_every_weight_of_a_qwen2_audio(qwen2_audio: Path) -> None:
    """vLLM's class has the parts of the files by their names, with a Qwen2ForCausalLM as `language_model`."""
    from transformers import AutoConfig, Qwen2ForCausalLM

    found = vllm_names(qwen2_audio, {}, ())
    with torch.device("meta"):
        text = Qwen2ForCausalLM(AutoConfig.from_pretrained(qwen2_audio).text_config)
    assert {name.removeprefix("language_model.") for name in found if name.startswith("language_model.")} == set(
        text.state_dict()
    )
    assert {name.split(".")[0] for name in found} == {"audio_tower", "multi_modal_projector", "language_model"}


def test_a_thinker_alone_is_refused_for_vllm(omni_thinker: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a thinker alone, and vLLM knows only the whole Qwen3Omni"):
        merge(omni_thinker, tmp_path, tmp_path / "out", lora=None, layout="vllm")
    assert not (tmp_path / "out").exists()


# ---- what is refused


@pytest.fixture(scope="module")
def checkpoint(qwen2_audio: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(qwen2_audio, tmp_path_factory.mktemp("run") / "step-000005", LORA)


def test_a_folder_that_is_taken_and_another_base_are_refused(
    qwen2_audio: Path, omni_thinker: Path, checkpoint: Path, tmp_path: Path
) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="is there and not empty"):
        merge(qwen2_audio, checkpoint, tmp_path / "taken", lora=LORA)
    for lora in (LORA, None, Lora(r=2, targets=("q_proj",))):
        with pytest.raises(DamagedError, match="no checkpoint of this run and model"):
            merge(omni_thinker if lora is LORA else qwen2_audio, checkpoint, tmp_path / "out", lora=lora)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["taken"]


def test_weights_that_are_not_safetensors_and_other_layouts_are_refused(
    qwen2_audio: Path, checkpoint: Path, tmp_path: Path
) -> None:
    from safetensors.torch import load_file, save_file

    base = tmp_path / "base"
    shutil.copytree(qwen2_audio, base)
    weights = load_file(base / "model.safetensors")
    save_file({f"model.{name}": each for name, each in weights.items()}, base / "model.safetensors")
    with pytest.raises(UsageError, match="the files are in a layout that"):
        merge(base, checkpoint, tmp_path / "out", lora=LORA)
    (base / "model.safetensors").rename(base / "pytorch_model.bin")
    with pytest.raises(UsageError, match="its weights are not safetensors"):
        merge(base, checkpoint, tmp_path / "out", lora=LORA)


def test_a_merge_that_went_wrong_leaves_nothing(
    qwen2_audio: Path, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A weight left out, and one wrong in its last bits."""
    write = merge.__globals__["_write_changes"]

    def left_out(layout: Layout, changes: Any, places: dict[str, str], partial: Path) -> None:
        write(layout, changes, dict(list(places.items())[1:]), partial)

    def shifted(layout: Layout, changes: Any, places: dict[str, str], partial: Path) -> None:
        write(layout, changes, places, partial)
        stored = layout.stored[next(iter(places))]
        stored.write(partial / stored.file.name, stored.read(partial / stored.file.name) * (1 + 2**-18))

    for wrong in (left_out, shifted):
        monkeypatch.setattr("triptych.trainers.serving.merge._write_changes", wrong)
        with pytest.raises(DamagedError, match=r"differs from the base with its checkpoint in .*Nothing was written"):
            merge(qwen2_audio, checkpoint, tmp_path / "out", lora=LORA)
        assert not list(tmp_path.iterdir())


# ---- runs


@pytest.fixture
def run(qwen2_audio: Path, checkpoint: Path, tmp_path: Path) -> Callable[..., Path]:
    """A run's folder with checkpoints at these steps."""
    from triptych.trainers.runs.config.sections import RunConfig
    from triptych.trainers.runs.loop.identity import identity_of
    from triptych.trainers.runs.loop.progress import Progress, write_state

    def make(steps: tuple[int, ...], *, best: int | None, base: str = str(qwen2_audio)) -> Path:
        config = RunConfig.model_validate_json(
            json.dumps({"model": {"base_model": base}, "data": {"train": "talk@v1"}, "lora": {"r": 2}})
        )
        identity = identity_of(config, export="", model=fingerprint(qwen2_audio), ranks=1)
        for step in steps:
            folder = tmp_path / "run/checkpoints" / f"step-{step:06d}"
            shutil.copytree(checkpoint, folder)
            write_state(folder, Progress(best_step=best), identity, step=step)
        (tmp_path / "run/README.md").write_text("# The card of the run\n")
        return tmp_path / "run"

    return make


def test_a_run_is_merged_by_its_best_checkpoint_with_its_card(run: Callable[..., Path], tmp_path: Path) -> None:
    folder = run((5, 10), best=5)
    merged = merge_run(folder, tmp_path / "merged")
    assert merged.checkpoint == "step-000005"
    assert (merged.folder / "README.md").read_text() == "# The card of the run\n"
    assert find_checkpoint(folder, "final").name == "step-000010"
    with pytest.raises(UsageError, match="has no checkpoint step-000007") as caught:
        merge_run(folder, tmp_path / "other", checkpoint="step-000007")
    assert caught.value.hint == "it has step-000005, step-000010, best and final"
    with pytest.raises(UsageError, match="is no run of phones"):
        train_export(folder, out=tmp_path / "other", encoder=folder)
    with pytest.raises(UsageError, match="holds no checkpoint of a run"):
        merge_run(tmp_path / "merged", tmp_path / "other")


def test_a_model_is_not_made_among_checkpoints_or_in_its_base(
    run: Callable[..., Path], qwen2_audio: Path, checkpoint: Path, tmp_path: Path
) -> None:
    folder = run((5,), best=None)
    with pytest.raises(UsageError, match=r"lies in .*checkpoints, which it would change"):
        merge_run(folder, folder / "checkpoints/step-000009")
    with pytest.raises(UsageError, match=r"lies in .*, which it would change"):
        merge(qwen2_audio, checkpoint, qwen2_audio / "merged", lora=LORA)


def test_a_checkpoint_whose_weights_have_changed_is_not_merged(run: Callable[..., Path], tmp_path: Path) -> None:
    folder = run((5,), best=None)
    [path] = (folder / "checkpoints/step-000005").glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(DamagedError, match="changed since it was written"):
        merge_run(folder, tmp_path / "merged")


def test_a_base_that_has_changed_since_is_refused(run: Callable[..., Path], omni_thinker: Path, tmp_path: Path) -> None:
    folder = run((5,), best=None)
    with pytest.raises(DamagedError, match="is not the base that the run was trained on"):
        merge_run(folder, tmp_path / "merged", base=omni_thinker)


def test_a_base_that_is_not_found_from_here_is_asked_for(run: Callable[..., Path], tmp_path: Path) -> None:
    folder = run((5,), best=None, base="models/elsewhere/base")
    with pytest.raises(UsageError, match="the base of the run, models/elsewhere/base, is not here") as caught:
        merge_run(folder, tmp_path / "merged")
    assert "--base PATH" in str(caught.value.hint)


def test_files_of_weights_are_those_that_are_loaded_and_lie_in_the_folder(tmp_path: Path) -> None:
    index = tmp_path / "model.safetensors.index.json"
    for named, why in (("../other.safetensors", "is no file of this folder"), (["a"], "unhashable")):
        index.write_text(json.dumps({"weight_map": {"a": named}}), encoding="utf-8")
        with pytest.raises(DamagedError, match=why):
            weight_names(tmp_path)
    index.write_text('{"weight_map": {"a": "b.safetensors"}}', encoding="utf-8")
    assert weight_names(tmp_path) == ("b.safetensors",)
    (tmp_path / "model.safetensors").touch()  # transformers reads it, whatever an index beside it says
    assert weight_names(tmp_path) == ("model.safetensors",)


def test_experts_of_a_layer_in_one_tensor_are_not_for_vllm(omni_thinker: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    layout = Layout.read(omni_thinker)
    layout.check_for("transformers")
    name = "thinker.model.layers.0.mlp.experts.gate_up_proj"
    fused = replace(layout, prefix="thinker.", stored={name: next(iter(layout.stored.values()))})
    with pytest.raises(UsageError, match="holds all experts of a layer"):
        fused.check_for("vllm")
