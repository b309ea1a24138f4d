"""Where each weight of a model lies in the files of its folder.

A model in memory and its files name weights differently, and the experts of a layer, one tensor in memory, are many in
the files. transformers' own conversion says which; what it says is held against the files.

vLLM reads the layout of the hub: Qwen2-Audio's `audio_tower.`, `multi_modal_projector.` and `language_model.`; of
Qwen3-Omni everything under `thinker.`, in a folder whose architecture is the whole model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import DamagedError, UsageError
from ..models.families import QWEN2_AUDIO, QWEN3_OMNI, Family, family_of
from ..models.model_loading import TEXT, kind_of, quiet_transformers, read_config

TRANSFORMERS, VLLM = "transformers", "vllm"
LAYOUTS = (TRANSFORMERS, VLLM)

FORMATS = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
"""Number formats of weights that something can be added to, as files and as torch name them."""

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"

_WHOLE_OMNI = "Qwen3OmniMoeForConditionalGeneration"
_FUSED_EXPERTS = re.compile(r".*\.mlp\.experts\.(gate_up_proj|down_proj)")
_VLLM_PREFIXES = {
    QWEN2_AUDIO.name: ("audio_tower.", "multi_modal_projector.", "language_model."),
    QWEN3_OMNI.name: ("thinker.", "talker.", "code2wav."),
}
"""What vLLM looks for: it passes over the talker and code2wav, and any other name is an error of its loader."""


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor in a file: where its bytes are.

    Attributes:
        format: As the file says: `BF16`, `F32` ...
        start, end: From the first byte of the file.
    """

    file: Path
    format: str
    shape: tuple[int, ...]
    start: int
    end: int

    def read(self, file: Path | None = None) -> Any:
        """Read it, or what is in its place in a copy of its file."""
        import torch

        with (file or self.file).open("rb") as source:
            source.seek(self.start)
            data = bytearray(source.read(self.end - self.start))
        kind = getattr(torch, FORMATS[self.format])
        return torch.frombuffer(data, dtype=kind).reshape(self.shape) if data else torch.zeros(self.shape, dtype=kind)

    def write(self, file: Path, value: Any) -> None:
        """Write a tensor in its place in a copy of its file, rounded to its number format."""
        import torch

        if tuple(value.shape) != self.shape:
            raise DamagedError(
                f"{file}: a weight of {tuple(value.shape)} cannot take the place of one of {self.shape}."
            )
        rounded = value.to(getattr(torch, FORMATS[self.format])).contiguous()
        with file.open("r+b") as target:
            target.seek(self.start)
            target.write(rounded.reshape(-1).view(torch.uint8).numpy().data)


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """The weights in the files of a folder, and the model that they are of.

    Attributes:
        skeleton: The model of the files without numbers; of a whole Omni, with the parts that speak.
        trained: The part of it that is trained; the thinker of an Omni.
        prefix: What its names have before them in the model of the files.
        stored: Tensors by their names in the files.
    """

    folder: Path
    family: Family
    skeleton: Any
    trained: Any
    prefix: str
    stored: Mapping[str, StoredTensor]

    @classmethod
    def read(cls, folder: Path) -> Layout:
        """Read the layout of a folder, from the headers of its files.

        Raises:
            UsageError: Its weights are not safetensors.
            DamagedError: A file is missing or broken.
        """
        import torch
        from transformers import AutoModelForCausalLM, AutoModelForMultimodalLM
        from transformers.conversion_mapping import get_model_conversion_mapping
        from transformers.core_model_loading import PrefixChange

        config = read_config(folder)
        family = family_of(config)
        auto = AutoModelForCausalLM if kind_of(config) == TEXT else AutoModelForMultimodalLM
        with quiet_transformers(), torch.device("meta"):
            skeleton = auto.from_config(config)
        # As `revert_weight_conversion` would find them, for every weight anew.
        found = get_model_conversion_mapping(skeleton, add_legacy=False)
        skeleton._weight_conversions = [each for each in found if not isinstance(each, PrefixChange)] or None
        is_whole = hasattr(skeleton, "thinker")
        return cls(
            folder=folder, family=family, skeleton=skeleton, trained=skeleton.thinker if is_whole else skeleton,
            prefix="thinker." if is_whole else "", stored=stored_tensors(folder),
        )  # fmt: skip

    def in_files(self, name: str, tensor: Any) -> dict[str, Any]:
        """What a weight of the trained part is in the files: one tensor, or one for each expert."""
        from transformers.core_model_loading import revert_weight_conversion

        found: dict[str, Any] = revert_weight_conversion(self.skeleton, {self.prefix + name: tensor})
        return found

    def places(self, name: str) -> tuple[str, ...]:
        """Names in the files of a weight of the trained part, and of what is tied to it.

        Raises:
            UsageError: The files do not have them: they are in another layout.
        """
        import torch

        weight = self.trained.get_parameter(name)
        shapes = {
            key: tuple(each.shape) for key, each in self.in_files(name, torch.empty_like(weight, device="meta")).items()
        }
        for key, shape in shapes.items():
            if key not in self.stored or self.stored[key].shape != shape:
                there = self.stored[key].shape if key in self.stored else "missing"
                raise UsageError(
                    f"{self.folder}: {key} is {there}, and should be {shape}: the files are in a layout that this"
                    " version of transformers does not write.",
                    hint="load the base model and save it with save_pretrained, and name that folder as the base",
                )
        tied = getattr(self.skeleton, "all_tied_weights_keys", None) or {}
        copies = [target for target, source in tied.items() if source == self.prefix + name]
        return (*shapes, *(copy for copy in copies if copy in self.stored and copy not in shapes))

    def check_for(self, layout: str) -> None:
        """Raise UsageError if a server would not find the weights of this folder.

        Args:
            layout: `transformers` or `vllm`.
        """
        if layout != VLLM:
            return
        if self.family is QWEN3_OMNI and not self.prefix:
            raise UsageError(
                f"--for vllm: {self.folder} holds a thinker alone, and vLLM knows only the whole {_WHOLE_OMNI}, whose"
                " thinker it loads (vllm-project/vllm#49014).",
                hint="train on the whole model (its thinker is trained), or --for transformers",
            )
        if fused := next((key for key in self.stored if _FUSED_EXPERTS.fullmatch(key)), None):
            raise UsageError(
                f"--for vllm: {self.folder}: {fused} holds all experts of a layer; vLLM asks for each by its number.",
                hint="load the base model and save it with save_pretrained, and name that folder as the base",
            )
        prefixes = _VLLM_PREFIXES.get(self.family.name)
        others = [key for key in self.stored if prefixes is not None and not key.startswith(prefixes)]
        if others:
            raise UsageError(
                f"--for vllm: {self.folder}: vLLM does not know {others[0]} and {len(others) - 1} more names.",
                hint="load the base model and save it with save_pretrained, and name that folder as the base",
            )


def weight_names(folder: Path) -> tuple[str, ...]:
    """The files that hold the weights of a folder, as `from_pretrained` reads them.

    Raises:
        UsageError: They are not safetensors.
    """
    if (folder / SINGLE).is_file():
        return (SINGLE,)  # what an index beside it says is not asked
    index = folder / INDEX
    if index.is_file():
        try:
            names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DamagedError(f"{index}: {error}.") from error
        for name in names:
            if not isinstance(name, str) or Path(name).name != name:
                raise DamagedError(f"{index}: weight_map names {name!r}, which is no file of this folder.")
        return tuple(names)
    raise UsageError(
        f"{folder}: its weights are not safetensors.",
        hint="load the base model and save it with save_pretrained, and name that folder as the base",
    )


def stored_tensors(folder: Path) -> dict[str, StoredTensor]:
    """The tensors of a folder's weights, from the headers of its files.

    A file of safetensors begins with the length of its header, 8 bytes, little-endian; the header is JSON, and its
    offsets count from behind it.
    """
    found: dict[str, StoredTensor] = {}
    for name in weight_names(folder):
        path = folder / name
        try:
            with path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                header = json.loads(file.read(length))
            for key, about in header.items():
                if key != "__metadata__":
                    start, end = (8 + length + each for each in about["data_offsets"])
                    found[key] = StoredTensor(path, about["dtype"], tuple(about["shape"]), start, end)
        except (OSError, ValueError, KeyError, MemoryError) as error:
            raise DamagedError(f"{path}: the weights cannot be read: {error}.") from error
    return found
