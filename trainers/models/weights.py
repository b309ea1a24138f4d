"""Trained weights in a checkpoint: safetensors, in the layout of memory, read back exactly.

`save_pretrained` writes weights in the layout of the hub, and transformers.Trainer finds none of them again in a model
whose layout in memory differs (huggingface/transformers#48805): training would go on from the first weights, with a
warning. Here names and shapes are those of `named_parameters`, and a name that is missing or left over is an error.

A checkpoint holds `weights.safetensors`, or `weights-00001-of-00003.safetensors` ... with `weights.index.json`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ...errors import DamagedError

SINGLE, INDEX = "weights.safetensors", "weights.index.json"
SHARD_BYTES = 5 * 1000**3


def trained_parameters(model: Any, names: Iterable[str] | None = None) -> dict[str, Any]:
    """The parameters that training changes.

    Args:
        names: Theirs, as `TrainingPlan.names` has them; default: those that have a gradient now.
    """
    parameters = dict(model.named_parameters())
    if names is None:
        return {name: each for name, each in parameters.items() if each.requires_grad}
    return {name: parameters[name] for name in names}


def save_weights(
    tensors: Mapping[str, Any],
    folder: Path,
    *,
    shard_bytes: int = SHARD_BYTES,
    metadata: Mapping[str, str] | None = None,
) -> tuple[Path, ...]:
    """Write weights into a folder, in as many files as `shard_bytes` needs; one of them is in memory at a time.

    Args:
        tensors: By name; `trained_parameters(model)`, or what several ranks have gathered.
    """
    from safetensors.torch import save_file

    shards = list(_shards(tensors, shard_bytes))
    names = [SINGLE] if len(shards) == 1 else [
        f"weights-{number:05d}-of-{len(shards):05d}.safetensors" for number in range(1, len(shards) + 1)
    ]  # fmt: skip
    about = {"format": "pt", **(metadata or {})}
    for name, shard in zip(names, shards, strict=True):
        save_file({each: tensors[each].detach().contiguous().cpu() for each in shard}, folder / name, metadata=about)
        (folder / name).chmod(folder.stat().st_mode & 0o666)  # safetensors makes files that their owner alone reads
    written = [folder / name for name in names]
    if len(shards) > 1:
        places = {each: name for name, shard in zip(names, shards, strict=True) for each in shard}
        (folder / INDEX).write_text(json.dumps({"weight_map": places}, indent=1), encoding="utf-8")
        written.append(folder / INDEX)
    return tuple(written)


def _shards(tensors: Mapping[str, Any], shard_bytes: int) -> Iterator[list[str]]:
    shard: list[str] = []
    size = 0
    for name in sorted(tensors):
        own = tensors[name].numel() * tensors[name].element_size()
        if shard and size + own > shard_bytes:
            yield shard
            shard, size = [], 0
        shard.append(name)
        size += own
    yield shard


def is_weight_file(name: str) -> bool:
    """Whether a file of a checkpoint holds weights or their index."""
    return name.startswith("weights") and name.endswith((".safetensors", ".json"))


def weight_files(folder: Path) -> dict[str, Path]:
    """The file of each weight of a checkpoint.

    Raises:
        DamagedError: A file is missing or broken.
    """
    from safetensors import SafetensorError, safe_open

    index = folder / INDEX
    try:
        names = (
            {SINGLE}
            if not index.is_file()
            else set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        )
        found = {}
        for name in sorted(names):
            with safe_open(folder / name, "pt") as file:
                found.update(dict.fromkeys(file.keys(), folder / name))
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise DamagedError(f"{folder}: the checkpoint's weights cannot be read: {error}.") from error
    return found


def read_tensors(folder: Path, *, device: str = "cpu") -> Iterator[tuple[str, Any]]:
    """Yield the weights of a checkpoint one by one, sorted by name."""
    from safetensors import safe_open

    files = weight_files(folder)
    for path in sorted(set(files.values())):
        with safe_open(path, "pt", device=device) as file:
            for name in sorted(file.keys()):
                yield name, file.get_tensor(name)


def load_weights(model: Any, folder: Path, names: Iterable[str] | None = None) -> None:
    """Put the weights of a checkpoint into a model that was prepared as the one that they were saved from.

    Args:
        names: The parameters that must be in it; see `trained_parameters`.

    Raises:
        DamagedError: One is missing, left over, or of another shape or number format; the model is unchanged.
    """
    import torch

    parameters = trained_parameters(model, names)
    files = weight_files(folder)
    differing = sorted(set(files) ^ set(parameters))
    if differing:
        lacking = [name for name in differing if name in parameters]
        raise DamagedError(
            f"{folder}: {len(differing)} weights differ from those that are trained; the first,"
            f" {(lacking or differing)[0]}, is not in the {'checkpoint' if lacking else 'model'}.",
            hint="resume with the configuration that the run began with",
        )
    for name, tensor in _headers(folder, files):
        if tensor != (tuple(parameters[name].shape), parameters[name].dtype):
            own = (tuple(parameters[name].shape), parameters[name].dtype)
            raise DamagedError(
                f"{folder}: {name} is {tensor} there, and {own} in the model.",
                hint="resume with the configuration that the run began with",
            )
    with torch.no_grad():
        for name, tensor in read_tensors(folder):
            parameters[name].copy_(tensor)


def _headers(folder: Path, files: Mapping[str, Path]) -> Iterator[tuple[str, tuple[tuple[int, ...], Any]]]:
    """Shape and number format of each weight, without reading it."""
    import torch
    from safetensors import safe_open

    formats = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    for path in sorted(set(files.values())):
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118
                part = file.get_slice(name)
                yield name, (tuple(part.get_shape()), formats.get(part.get_dtype()))


def weights_sha256(model: Any) -> str:
    """The SHA-256 of all weights and saved tables of a model, trained or not, by name."""
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        if not isinstance(tensor, torch.Tensor) or ".original_module." in name:
            continue
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        flat = tensor.detach().contiguous().cpu().reshape(-1)
        for start in range(0, flat.numel(), _HASHED):
            digest.update(flat[start : start + _HASHED].view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


_HASHED = 16 * 1024 * 1024
