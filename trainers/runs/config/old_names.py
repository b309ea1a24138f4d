"""Keys of other trainers' configurations, and what is written here in their place.

Three kinds: a key that is read under its new name; a key whose meaning has changed, which is refused with what to do
first; and a name that people know from elsewhere, which an unknown key may have meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

Place = tuple[Any, ...]

MOVED: dict[Place, Place] = {("data", "tokenizer"): ("model", "tokenizer")}
"""Read under the new name."""


def _file_of_rows(new: str) -> Callable[[Any], str]:
    def advice(value: Any) -> str:
        name = re.sub(r"[^a-z0-9._-]+", "-", Path(str(value)).stem.lower()).strip("-._") if value else "mine"
        kind = "json" if str(value).endswith(".json") else "jsonl"
        return (
            "a run reads published exports, not files. "
            f"`triptych import {kind} {value or 'FILE'} --name {name}` brings it into a store; "
            f"`triptych export conversation --dataset {name} --name {name}` (cot for chains of thought) publishes its "
            f"rows; then {new}: {name}"
        )

    return advice


REPLACED: dict[Place, tuple[Place, Callable[[Any], str]]] = {
    ("data", "train_file"): (("data", "train"), _file_of_rows("data.train")),
    ("data", "val_file"): (("data", "validation"), _file_of_rows("data.validation")),
}
"""Refused: the key that replaces each, and what to do with its value."""

ELSEWHERE = {
    "model.base_model": "model_name model_name_or_path model_path model_dir",
    "model.dtype": "torch_dtype mixed_precision",
    "model.dtype: fp16": "fp16",
    "model.dtype: bf16": "bf16",
    "model.quantization": "load_in_8bit load_in_4bit quantization_bit quant_method qlora",
    "model.attention": "attn_implementation flash_attn attn_impl",
    "data.train": "dataset train_dataset train_data",
    "data.validation": "val_dataset eval_dataset val_data",
    "data.max_tokens": "max_length max_seq_length max_seq_len cutoff_len model_max_length",
    "data.workers": "dataloader_num_workers num_workers",
    "training.lr": "learning_rate",
    "training.epochs": "num_train_epochs num_epochs",
    "training.batch_size": "per_device_train_batch_size micro_batch_size train_batch_size",
    "training.gradient_accumulation_steps": "grad_accum accumulate_grad_batches",
    "training.schedule": "lr_scheduler_type lr_scheduler scheduler",
    "training.warmup_steps": "num_warmup_steps",
    "training.max_grad_norm": "clip_grad_norm gradient_clipping",
    "training.seed": "random_seed data_seed",
    "optimizer.name": "optim",
    "optimizer.betas": "adam_beta1 adam_beta2",
    "optimizer.eps": "adam_epsilon",
    "lora.r": "lora_rank rank lora_r",
    "lora.alpha": "lora_alpha",
    "lora.dropout": "lora_dropout",
    "lora.targets": "lora_target target_modules lora_target_modules",
    "lora.whole": "modules_to_save",
    "a section lora, or none for all weights": "finetuning_type train_type tuner_type",
    "stages: [{train: [{encoder_top: N}]}]": "unfreeze_layers",
    "evaluation.metric": "metric_for_best_model",
    "evaluation.patience": "early_stopping_patience",
    "evaluation.steps": "eval_steps",
    "logging.keep": "save_total_limit",
    "output_dir, and the name of the export": "save_path best_model_path train_samples_path test_samples_path",
    "the environment: CUDA_VISIBLE_DEVICES=0 triptych train ...": "gpu_ids gpu_id gpus",
    "retrieval.enable_no_term: false": "disable_no_term",
}
"""Leaves of configurations of transformers, LLaMA-Factory, MS-SWIFT and scripts, by the key for the same here."""

_MEANT = {old: new for new, names in ELSEWHERE.items() for old in names.split()}


def nearest(place: Place, known: Iterable[str]) -> str | None:
    """The key that an unknown one may have meant, as `training.lr`.

    Args:
        place: Where the unknown key stands.
        known: All keys, dotted.
    """
    leaf, dotted = str(place[-1]), ".".join(map(str, place))
    keys = list(known)
    if (same := next((key for key in keys if key.rpartition(".")[2] == leaf), None)) is not None:
        return same
    if (meant := _MEANT.get(leaf.lower())) is not None:
        return meant
    if len(place) == 1 and (near := get_close_matches(leaf, {key.partition(".")[0] for key in keys}, n=1)):
        return near[0]
    section = [key for key in keys if key.rpartition(".")[0] == dotted.rpartition(".")[0]]
    leaves = {key.rpartition(".")[2]: key for key in (*reversed(keys), *section)}
    near = get_close_matches(leaf, leaves, n=1, cutoff=0.6)
    return leaves[near[0]] if near else None


NO_SUCH_MODELS = {
    "ommi": "Qwen/Qwen3-Omni-30B-A3B-Thinking",
    "qwen3-omni-thinking-30b": "Qwen/Qwen3-Omni-30B-A3B-Thinking",
    "qwen2-audio-instruction": "Qwen/Qwen2-Audio-7B-Instruct",
    "qwen3-7b": "Qwen/Qwen3-8B",
}
"""Parts of names that are written about and that no model of the hub has, and the model that is meant."""


def meant_model(name: str) -> str | None:
    """The model that a name of none means, unless there is a folder of this name."""
    if Path(name).expanduser().exists():
        return None
    lower = name.lower().replace("_", "-")
    return next((model for part, model in NO_SUCH_MODELS.items() if part in lower), None)
