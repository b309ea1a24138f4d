"""Tiny models with random weights, of the real classes and with their real processors, in folders.

Their tokens are bytes, so that any text is one that they can read and say.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from triptych.trainers.models.demo_model import byte_tokenizer

QWEN2_AUDIO_SOUND = ["<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"]
OMNI_SOUND = {
    "audio_token": "<|audio_pad|>", "audio_bos_token": "<|audio_start|>", "audio_eos_token": "<|audio_end|>",
    "image_token": "<|image_pad|>", "video_token": "<|video_pad|>", "vision_bos_token": "<|vision_start|>",
    "vision_eos_token": "<|vision_end|>",
}  # fmt: skip

OMNI_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'audio' %}<|audio_start|><|audio_pad|><|audio_end|>"
    "{% elif part['type'] in ('image', 'video') %}<|vision_start|><|{{ part['type'] }}_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Where Qwen3-Omni's own template places media and texts."""


def qwen2_audio(folder: Path, *, seconds: int = 30) -> Path:
    """A Qwen2-Audio, whose files have a chat template, as those of the instruct model; it hears so many seconds."""
    import torch
    from transformers import (
        Qwen2AudioConfig,
        Qwen2AudioForConditionalGeneration,
        Qwen2AudioProcessor,
        WhisperFeatureExtractor,
    )

    tokenizer = byte_tokenizer(QWEN2_AUDIO_SOUND)
    torch.manual_seed(1)
    config = Qwen2AudioConfig(
        audio_config={"d_model": 32, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 64,
                      "num_mel_bins": 128, "max_source_positions": 50 * seconds},
        text_config={"model_type": "qwen2", "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 64,
                     "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 2},
        audio_token_index=tokenizer.convert_tokens_to_ids("<|AUDIO|>"),
    )  # fmt: skip
    _spread(Qwen2AudioForConditionalGeneration(config)).save_pretrained(folder)
    extractor = WhisperFeatureExtractor(feature_size=128, chunk_length=seconds)
    Qwen2AudioProcessor(extractor, tokenizer).save_pretrained(folder)
    return folder


def qwen3_omni_thinker(folder: Path, *, experts: int = 4) -> Path:
    """The thinker of a Qwen3-Omni."""
    import torch
    from transformers import Qwen3OmniMoeThinkerConfig, Qwen3OmniMoeThinkerForConditionalGeneration

    tokenizer = byte_tokenizer(list(OMNI_SOUND.values()), extra_special_tokens=OMNI_SOUND)
    torch.manual_seed(2)
    config = Qwen3OmniMoeThinkerConfig(**_thinker(tokenizer, experts))
    _spread(Qwen3OmniMoeThinkerForConditionalGeneration(config)).save_pretrained(folder)
    return _with_omni_processor(folder, tokenizer)


def qwen3_omni(folder: Path, *, experts: int = 4) -> Path:
    """A whole Qwen3-Omni, with the parts that speak."""
    import torch
    from transformers import Qwen3OmniMoeConfig, Qwen3OmniMoeForConditionalGeneration

    tokenizer = byte_tokenizer(list(OMNI_SOUND.values()), extra_special_tokens=OMNI_SOUND)
    torch.manual_seed(4)
    small = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
             "num_key_value_heads": 2, "head_dim": 16}  # fmt: skip
    config = Qwen3OmniMoeConfig(
        thinker_config=_thinker(tokenizer, experts),
        talker_config={
            "text_config": {**small, "vocab_size": 64, "moe_intermediate_size": 16, "num_experts": 2,
                            "num_local_experts": 2, "num_experts_per_tok": 1, "shared_expert_intermediate_size": 16,
                            "rope_scaling": {"rope_type": "default", "mrope_section": [2, 3, 3]}},
            "code_predictor_config": {**small, "vocab_size": 64, "num_code_groups": 2,
                                      "layer_types": ["full_attention"]},
            "num_code_groups": 2, "thinker_hidden_size": 64, "accept_hidden_layer": 1, "speaker_id": {"ethan": 1},
            "vision_start_token_id": 1, "spatial_merge_size": 2,
        },
        code2wav_config={"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
                         "num_key_value_heads": 2, "codebook_size": 64, "num_quantizers": 2, "decoder_dim": 32,
                         "upsample_rates": [2, 2], "upsampling_ratios": [2]},
    )  # fmt: skip
    _spread(Qwen3OmniMoeForConditionalGeneration(config)).save_pretrained(folder, max_shard_size="500KB")
    return _with_omni_processor(folder, tokenizer)


def _thinker(tokenizer: Any, experts: int) -> dict[str, Any]:
    number = tokenizer.convert_tokens_to_ids
    return {
        "text_config": {
            "vocab_size": len(tokenizer), "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2,
            "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "num_experts": experts,
            "num_experts_per_tok": 2, "moe_intermediate_size": 32, "decoder_sparse_step": 1,
            "mlp_only_layers": [], "max_position_embeddings": 4096,
            "rope_scaling": {"rope_type": "default", "mrope_section": [2, 3, 3]},
        },
        "audio_config": {
            "d_model": 32, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 64,
            "num_mel_bins": 128, "output_dim": 64, "downsample_hidden_size": 16, "n_window": 50,
            "n_window_infer": 800, "conv_chunksize": 500,
        },
        "vision_config": {
            "depth": 1, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 64,
            "deepstack_visual_indexes": [0],
        },
        "audio_token_id": number("<|audio_pad|>"), "image_token_id": number("<|image_pad|>"),
        "position_id_per_seconds": 13,
        "video_token_id": number("<|video_pad|>"), "audio_start_token_id": number("<|audio_start|>"),
        "audio_end_token_id": number("<|audio_end|>"), "vision_start_token_id": number("<|vision_start|>"),
        "vision_end_token_id": number("<|vision_end|>"), "pad_token_id": number("<|endoftext|>"),
    }  # fmt: skip


def _with_omni_processor(folder: Path, tokenizer: Any) -> Path:
    from transformers import WhisperFeatureExtractor

    WhisperFeatureExtractor(feature_size=128).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(OMNI_TEMPLATE, encoding="utf-8")
    return folder


def qwen3_moe(folder: Path, *, experts: int = 8) -> Path:
    """A Qwen3-MoE of text alone, whose files are two."""
    import torch
    from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

    tokenizer = byte_tokenizer([])
    torch.manual_seed(5)
    config = Qwen3MoeConfig(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=32, num_hidden_layers=3,
                            num_attention_heads=2, num_key_value_heads=2, head_dim=16, num_experts=experts,
                            num_experts_per_tok=2, moe_intermediate_size=16, norm_topk_prob=True,
                            mlp_only_layers=[1])  # fmt: skip
    _spread(Qwen3MoeForCausalLM(config)).save_pretrained(folder, max_shard_size="60KB")
    tokenizer.chat_template = OMNI_TEMPLATE
    tokenizer.save_pretrained(folder)
    return folder


def qwen3(folder: Path, *, tied: bool) -> Path:
    """A Qwen3 of text alone, whose matrices have rows that its tokenizer has no tokens for, as the real one's."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    tokenizer = byte_tokenizer([])
    torch.manual_seed(6)
    config = Qwen3Config(vocab_size=len(tokenizer) + 4, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
                         num_attention_heads=2, num_key_value_heads=2, head_dim=16, tie_word_embeddings=tied,
                         eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id)  # fmt: skip
    _spread(Qwen3ForCausalLM(config)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def whisper(folder: Path) -> Path:
    """A Whisper."""
    import torch
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    torch.manual_seed(7)
    config = WhisperConfig(vocab_size=100, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
                           decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, num_mel_bins=80,
                           pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=3)  # fmt: skip
    _spread(WhisperForConditionalGeneration(config)).save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=80).save_pretrained(folder)
    byte_tokenizer([]).save_pretrained(folder)
    return folder


def text_model(folder: Path) -> Path:
    """A model of text alone, whose answers are a few bytes long."""
    import torch
    from transformers import PhiConfig, PhiForCausalLM

    tokenizer = byte_tokenizer([])
    torch.manual_seed(3)
    model = PhiForCausalLM(PhiConfig(vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64,
                                     num_hidden_layers=1, num_attention_heads=2))  # fmt: skip
    with torch.no_grad():
        model.lm_head.bias[tokenizer.eos_token_id] = 1.0  # at a low temperature the end is likely
    model.save_pretrained(folder)
    tokenizer.chat_template = OMNI_TEMPLATE
    tokenizer.save_pretrained(folder)
    return folder


def _spread(model: Any) -> Any:
    """Larger random weights: with those of an untrained model every token is about as likely as the next."""
    import torch

    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.25)
    return model.eval()
