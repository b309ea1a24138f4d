"""Processors of Qwen2-Audio, Qwen2.5-Omni and Qwen3-Omni, made offline.

Their feature extractors, video processors, special tokens and formulas are the real ones: what is heard and seen, and
how many tokens it takes, is exact. Their vocabulary is the 256 bytes: the number of text tokens is not the model's.
"""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

MODELS = {"qwen2-audio": "qwen2_audio", "qwen2.5-omni": "qwen2_5_omni", "qwen3-omni": "qwen3_omni_moe"}
"""Our name of a model -> its name in transformers and in MS-SWIFT."""

_TURNS = ["<|im_start|>", "<|im_end|>", "<|endoftext|>"]
_OMNI = {
    "qwen2.5-omni": {
        "image_token": "<|IMAGE|>", "audio_token": "<|AUDIO|>", "video_token": "<|VIDEO|>",
        "vision_bos_token": "<|vision_bos|>", "vision_eos_token": "<|vision_eos|>",
        "audio_bos_token": "<|audio_bos|>", "audio_eos_token": "<|audio_eos|>",
    },
    "qwen3-omni": {
        "image_token": "<|image_pad|>", "audio_token": "<|audio_pad|>", "video_token": "<|video_pad|>",
        "vision_bos_token": "<|vision_start|>", "vision_eos_token": "<|vision_end|>",
        "audio_bos_token": "<|audio_start|>", "audio_eos_token": "<|audio_end|>",
    },
}  # fmt: skip
_PATCH = {"qwen2.5-omni": 14, "qwen3-omni": 16}


def replace_what_does_not_load() -> None:
    """Make torchvision and torchaudio importable beside a torch that their compiled parts were not built for.

    On machines without a GPU they are often beside the CPU build of torch, and their compiled parts do not load. Of
    torchvision the Python part is enough; it only asks that two operators have names. Of torchaudio only `load` and
    `resample` are used: soundfile and soxr take their place, which give arrays of the same lengths.
    """
    import torch

    try:
        import torchvision  # noqa: F401
    except (RuntimeError, OSError):
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "FRAGMENT")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _KEPT.append(library)  # its operators go with it
    except ImportError:
        pass
    try:
        import torchaudio  # noqa: F401
    except (ImportError, OSError, RuntimeError):
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchaudio"]:
            del sys.modules[name]
        sys.modules |= _torchaudio()


_KEPT: list[Any] = []


def _torchaudio() -> dict[str, types.ModuleType]:
    from importlib.machinery import ModuleSpec

    package, functional = types.ModuleType("torchaudio"), types.ModuleType("torchaudio.functional")
    package.__spec__, functional.__spec__ = ModuleSpec("torchaudio", None), ModuleSpec("torchaudio.functional", None)

    def load(path: str) -> tuple[Any, int]:
        import soundfile
        import torch

        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        return torch.from_numpy(samples.T.copy()), rate

    def resample(waveform: Any, orig_freq: int, new_freq: int) -> Any:
        import math

        import soxr
        import torch

        wanted = math.ceil(waveform.shape[-1] * new_freq / orig_freq)
        made = torch.from_numpy(soxr.resample(waveform.numpy().T, orig_freq, new_freq).T.copy())[..., :wanted]
        return torch.nn.functional.pad(made, (0, wanted - made.shape[-1]))

    package.load, functional.resample = load, resample  # type: ignore[attr-defined]
    package.functional = functional  # type: ignore[attr-defined]
    return {"torchaudio": package, "torchaudio.functional": functional}


def make_processor(model: str, folder: Path) -> Path:
    """Write the processor and the configuration of a model to a folder, as its release has them; returns the folder."""
    import transformers
    from transformers import WhisperFeatureExtractor

    folder.mkdir(exist_ok=True)
    hearing = WhisperFeatureExtractor(feature_size=128)
    if model == "qwen2-audio":
        tokens = {"audio": "<|AUDIO|>", "bos": "<|audio_bos|>", "eos": "<|audio_eos|>"}
        tokenizer = _tokenizer([*tokens.values()])
        processor: Any = transformers.Qwen2AudioProcessor(hearing, tokenizer)
        config: Any = transformers.Qwen2AudioConfig(architectures=["Qwen2AudioForConditionalGeneration"])
        config.audio_token_index = tokenizer.convert_tokens_to_ids(tokens["audio"])
    else:
        special = _OMNI[model]
        tokenizer = _tokenizer([*special.values()], extra_special_tokens=special)
        sizes = {"patch_size": _PATCH[model], "temporal_patch_size": 2, "merge_size": 2}
        name = "Qwen3OmniMoe" if model == "qwen3-omni" else "Qwen2_5Omni"
        processor = getattr(transformers, f"{name}Processor")(
            image_processor=transformers.Qwen2VLImageProcessor(**sizes),
            video_processor=transformers.Qwen2VLVideoProcessor(**sizes),
            feature_extractor=hearing,
            tokenizer=tokenizer,
            chat_template=_CHAT,
        )
        config = getattr(transformers, f"{name}Config")(architectures=[f"{name}ForConditionalGeneration"])
        config.enable_audio_output = False
        for kind in ("image", "audio", "video"):
            number = tokenizer.convert_tokens_to_ids(special[f"{kind}_token"])
            setattr(
                config.thinker_config, f"{kind}_token_id" if model == "qwen3-omni" else f"{kind}_token_index", number
            )
        for kind, ours in (("vision_start", "vision_bos"), ("vision_end", "vision_eos"), ("audio_start", "audio_bos")):
            number = tokenizer.convert_tokens_to_ids(special[f"{ours}_token"])
            setattr(config.thinker_config, f"{kind}_token_id", number)
    if model == "qwen2.5-omni":
        import torch

        torch.save({}, folder / "spk_dict.pt")  # its voices, which are loaded with the model
    processor.save_pretrained(folder)
    config.save_pretrained(folder)
    return folder


# Qwen2-Audio's chat template is in its processor's code; those of the omni models come with their weights.
_CHAT = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"


def _tokenizer(special: list[str], **settings: Any) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE(vocab={byte: number for number, byte in enumerate(alphabet)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    ends = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, **ends, **settings)
    tokenizer.add_tokens([*_TURNS, *special], special_tokens=True)
    return tokenizer
