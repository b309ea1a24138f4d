"""The numbers of docs/explanation/qwen2-audio.md, computed from the classes with the released configuration."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support.places import ROOT
from triptych.trainers.models.families import QWEN2_AUDIO
from triptych.trainers.models.real_lengths import hear_real_lengths

PAGE = (ROOT / "docs/explanation/qwen2-audio.md").read_text(encoding="utf-8")

RELEASED = {
    "audio_config": {
        "num_mel_bins": 128, "encoder_layers": 32, "encoder_attention_heads": 20, "encoder_ffn_dim": 5120,
        "d_model": 1280, "max_source_positions": 1500,
    },
    "text_config": {
        "model_type": "qwen2", "intermediate_size": 11008, "max_position_embeddings": 8192, "rope_theta": 10000,
        "rms_norm_eps": 1e-5, "sliding_window": 32768, "vocab_size": 156032,
    },
    "audio_token_index": 151646,
}  # fmt: skip
"""The keys of Qwen/Qwen2-Audio-7B's config.json that shapes depend on."""


@pytest.fixture(scope="module")
def released(one_thread: None) -> Any:
    """The model of the released configuration, without numbers."""
    from transformers import Qwen2AudioConfig, Qwen2AudioForConditionalGeneration

    with torch.device("meta"):
        return Qwen2AudioForConditionalGeneration(Qwen2AudioConfig(**RELEASED))


def table(heading: str) -> list[list[str]]:
    """Rows of the first table behind a line of the page."""
    lines = PAGE.partition(heading)[2].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("| ---"))
    rows = []
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            return rows
        rows.append([cell.strip(" `") for cell in line.replace(r"\|", "¦").strip("|").split("|")])
    return rows


def test_parameters_of_each_part(released: Any) -> None:
    counts = dict.fromkeys(("audio_tower", "multi_modal_projector", "language_model", "lm_head"), 0)
    for name, parameter in released.named_parameters():
        counts[name.removeprefix("model.").split(".")[0]] += parameter.numel()
    counts["all"] = sum(counts.values())
    assert {row[0]: int(row[2].replace(",", "")) for row in table("# Qwen2-Audio from sound")} == counts


def test_shapes_at_each_place(released: Any) -> None:
    rows = table("## Shapes")
    model = released.model
    tower = model.audio_tower
    seen: list[tuple[int, ...]] = [(128, 3000)]
    hooks = [
        module.register_forward_hook(lambda _, __, out: seen.append(tuple(out.shape[1:])))
        for module in (tower.conv1, tower.conv2, tower.layers[31], tower.layer_norm, model.multi_modal_projector)
    ]
    features = torch.empty((1, 128, 3000), device="meta")
    model.multi_modal_projector(tower(features).last_hidden_state)
    for hook in hooks:
        hook.remove()
    assert [row[2] for row in rows[:6]] == [f"({first}, {second})" for first, second in seen]
    assert rows[7][2] == f"(n, {released.lm_head.out_features})"

    for column, frames in ((3, 3000), (4, 300)):
        positions, tokens = (int(each) for each in tower._get_feat_extract_output_lengths(torch.tensor(frames)))
        assert [int(row[column]) for row in rows[:7]] == [frames, frames, positions, positions, tokens, tokens, tokens]
        assert tokens == ((frames - 1) // 2 + 1 - 2) // 2 + 1


def test_what_is_told_differently_elsewhere(released: Any) -> None:
    text = released.config.text_config
    assert text.num_attention_heads == text.num_key_value_heads == 32 and not text.use_sliding_window
    assert (text.hidden_size, text.num_hidden_layers) == (4096, 32)
    linear = released.model.multi_modal_projector.linear
    assert linear.bias is not None and list(released.model.multi_modal_projector.children()) == [linear]
    assert released.lm_head.weight is not released.model.language_model.embed_tokens.weight
    assert released.config.audio_token_id == 151646


def test_the_encoder_takes_the_length_of_a_short_clip(released: Any) -> None:
    hear_real_lengths(released, QWEN2_AUDIO)
    assert released.model.audio_tower(torch.empty((1, 128, 302), device="meta")).last_hidden_state.shape == (
        1,
        75,
        1280,
    )
