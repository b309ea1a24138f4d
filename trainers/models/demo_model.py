"""A Qwen2-Audio small enough to be trained on a processor in a minute: what `triptych demo --train` begins with.

    python -c "from triptych.trainers.models.demo_model import make_demo_model; make_demo_model('small-model')"

It is of the real class, with the real processor and Qwen's form of conversations; its weights are random and its tokens
are bytes. It knows nothing, and is good for nothing but to show that training works.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .model_loading import quiet_transformers

SOUND_TOKENS = ("<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>")
SEED = 1


def byte_tokenizer(extra: list[str], **options: Any) -> Any:
    """A tokenizer whose tokens are bytes and these, with the turns of Qwen's conversations."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={each: place for place, each in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>",
        additional_special_tokens=["<|im_start|>", *extra], **options,
    )  # fmt: skip


def make_demo_model(folder: Path | str) -> Path:
    """Write the model into a folder: 0.6 million random weights, the same each time."""
    import torch
    from transformers import (
        Qwen2AudioConfig,
        Qwen2AudioForConditionalGeneration,
        Qwen2AudioProcessor,
        WhisperFeatureExtractor,
    )

    tokenizer = byte_tokenizer(list(SOUND_TOKENS))
    width, heads = 96, 4
    config = Qwen2AudioConfig(
        audio_config={"d_model": width, "encoder_layers": 2, "encoder_attention_heads": heads,
                      "encoder_ffn_dim": 2 * width, "num_mel_bins": 128, "max_source_positions": 1500},
        text_config={"model_type": "qwen2", "vocab_size": len(tokenizer), "hidden_size": width,
                     "intermediate_size": 2 * width, "num_hidden_layers": 2, "num_attention_heads": heads,
                     "num_key_value_heads": heads, "eos_token_id": tokenizer.eos_token_id,
                     "pad_token_id": tokenizer.pad_token_id},
        audio_token_index=tokenizer.convert_tokens_to_ids("<|AUDIO|>"),
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = Qwen2AudioForConditionalGeneration(config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    with quiet_transformers():
        model.save_pretrained(folder)
    Qwen2AudioProcessor(WhisperFeatureExtractor(feature_size=128), tokenizer).save_pretrained(folder)
    return Path(folder)
