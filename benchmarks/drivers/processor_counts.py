"""How many tokens the models' real processors give for files: run by a Python that has transformers, not by ours.

    python processor_counts.py FILES COUNTS

FILES is JSON, a list of `{"kind": "audio" or "video", "path": ...}`; COUNTS is the list with `audio_tokens`,
`video_frames` and `video_tokens` by model, and null where the model's code refuses the file. Audio is loaded as
ms-swift does (librosa, 16 kHz mono, for Qwen3-Omni without an incomplete frame); videos are sampled and resized by
qwen-omni-utils and given to the processor as they are.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

SIDES = {"qwen2_5_omni": 14, "qwen3_omni": 16}
"""The patch sizes of the published checkpoints, whose extractors take 300 s (Qwen2-Audio's: 30 s)."""


def _import_torchvision() -> None:
    """Import torchvision beside a torch without its compiled operators: its transforms are written in Python."""
    import torch

    registered = torch.library.register_fake

    def register_fake(op: Any, *arguments: Any, **settings: Any) -> Any:
        if isinstance(op, str) and op.startswith("torchvision::"):
            return lambda function: function
        return registered(op, *arguments, **settings)

    torch.library.register_fake = register_fake
    import torchvision  # noqa: F401


def _tokenizer(**named: str) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bare = Tokenizer(models.BPE({symbol: number for number, symbol in enumerate(alphabet)}, []))
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=bare, pad_token="<|endoftext|>", eos_token="<|im_end|>", extra_special_tokens=named
    )
    return fast


def processors() -> dict[str, Any]:
    from transformers import (
        Qwen2_5OmniProcessor,
        Qwen2AudioProcessor,
        Qwen2VLImageProcessor,
        Qwen3OmniMoeProcessor,
        WhisperFeatureExtractor,
    )
    from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor

    def extractor(seconds: int) -> Any:
        return WhisperFeatureExtractor(feature_size=128, chunk_length=seconds, return_attention_mask=True)

    def omni(kind: type, patch: int, names: dict[str, str]) -> Any:
        pictures = {"patch_size": patch, "temporal_patch_size": 2, "merge_size": 2}
        return kind(
            Qwen2VLImageProcessor(**pictures), Qwen2VLVideoProcessor(**pictures), extractor(300), _tokenizer(**names)
        )

    old = {"audio_token": "<|AUDIO|>", "audio_bos_token": "<|audio_bos|>", "audio_eos_token": "<|audio_eos|>"}
    pictures = {"image_token": "<|IMAGE|>", "video_token": "<|VIDEO|>", "vision_bos_token": "<|vision_bos|>",
                "vision_eos_token": "<|vision_eos|>"}  # fmt: skip
    new = {"image_token": "<|image_pad|>", "audio_token": "<|audio_pad|>", "video_token": "<|video_pad|>",
           "vision_bos_token": "<|vision_start|>", "vision_eos_token": "<|vision_end|>",
           "audio_bos_token": "<|audio_start|>", "audio_eos_token": "<|audio_end|>"}  # fmt: skip
    return {
        "qwen2_audio": Qwen2AudioProcessor(extractor(30), _tokenizer(**old)),
        "qwen2_5_omni": omni(Qwen2_5OmniProcessor, SIDES["qwen2_5_omni"], old | pictures),
        "qwen3_omni": omni(Qwen3OmniMoeProcessor, SIDES["qwen3_omni"], new),
    }


def _load(path: str) -> Any:
    """16 kHz mono, as librosa gives it; a file that soundfile cannot read is decoded by PyAV instead of ffmpeg."""
    import av
    import librosa
    import numpy as np
    import soundfile

    try:
        soundfile.info(path)
    except soundfile.LibsndfileError:
        with av.open(path) as container:
            rate = container.streams.audio[0].rate
            resampler = av.AudioResampler(format="fltp", layout="mono", rate=rate)
            frames = [made for frame in container.decode(audio=0) for made in resampler.resample(frame)]
        samples = np.concatenate([frame.to_ndarray()[0] for frame in frames])
        return librosa.resample(samples, orig_sr=rate, target_sr=16_000)
    return librosa.load(path, sr=16_000, mono=True)[0]


def audio_counts(path: str, models: dict[str, Any]) -> dict[str, Any]:
    samples = _load(path)
    counts: dict[str, int | None] = {}
    for name, processor in models.items():
        whole = len(samples) // 160 * 160
        heard = samples[:whole] if name == "qwen3_omni" and whole else samples
        try:
            made = processor(text=processor.audio_token, audio=[heard], sampling_rate=16_000, return_tensors="np")
        except RuntimeError:  # too short for the reflection at its edges
            counts[name] = None
            continue
        counts[name] = _count(made, processor, processor.audio_token)
    return {"samples": len(samples), "audio_tokens": counts}


def _count(made: Any, processor: Any, token: str) -> int:
    """How often a token stands in what a processor made; releases of transformers name its number differently."""
    return int((made["input_ids"] == processor.tokenizer.convert_tokens_to_ids(token)).sum())


def _read_frames(ele: dict[str, Any]) -> tuple[Any, dict[str, Any], float]:
    """Frames by PyAV, for a file over which decord fails."""
    import av
    import torch
    from qwen_omni_utils.v2_5.vision_process import smart_nframes

    with av.open(ele["video"]) as container:
        stream = container.streams.best("video")
        frames = [torch.from_numpy(frame.to_ndarray(format="rgb24")) for frame in container.decode(stream)]
        fps = float(stream.average_rate)
    count = smart_nframes(ele, total_frames=len(frames), video_fps=fps)
    places = torch.linspace(0, len(frames) - 1, count).round().long().tolist()
    return torch.stack([frames[place] for place in places]).permute(0, 3, 1, 2), {}, count / len(frames) * fps


def video_counts(path: str, models: dict[str, Any]) -> dict[str, Any]:
    from qwen_omni_utils.v2_5.vision_process import VIDEO_READER_BACKENDS, fetch_video

    VIDEO_READER_BACKENDS["torchvision"] = _read_frames  # what it falls back to; torchvision's own reader is gone
    frames: dict[str, int | None] = {}
    tokens: dict[str, int | None] = {}
    for name, side in SIDES.items():
        processor = models[name]
        try:
            seen = fetch_video({"video": path}, image_patch_size=side)
        except ValueError:  # too few frames
            frames[name] = tokens[name] = None
            continue
        made = processor(text=processor.video_token, videos=[seen.byte()], do_resize=False, return_tensors="pt")
        frames[name] = len(seen)
        tokens[name] = _count(made, processor, processor.video_token)
    return {"video_frames": frames, "video_tokens": tokens}


def main() -> None:
    files, target = map(Path, sys.argv[1:3])
    _import_torchvision()
    models = processors()
    counted = []
    for file in json.loads(files.read_text()):
        count = audio_counts if file["kind"] == "audio" else video_counts
        counted.append(file | count(file["path"], models))
    target.write_text(json.dumps(counted))


if __name__ == "__main__":
    main()
