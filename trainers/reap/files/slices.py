"""The files of a model without the experts that are pruned, in the layout of the base.

    ...mlp.experts.N.gate_proj.weight      one tensor for each expert: those of kept experts, under new numbers
    ...mlp.experts.gate_up_proj            all experts in one tensor: the rows of kept experts
    ...mlp.gate.weight                     the router: the rows of kept experts
    everything else                        the bytes of the base, the parts of an Omni that speak included

Tensors are copied from file to file as ranges of bytes; nothing is computed and nothing is rounded. Of `config.json`
the number of experts changes, and nothing else.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ....errors import DamagedError, UsageError
from ...serving.layouts import INDEX, SINGLE, StoredTensor, stored_tensors, weight_names
from ..criteria import Kept

_LAYER = re.compile(r"(?P<before>(?:thinker\.)?model\.(?:language_model\.)?layers\.)(?P<layer>\d+)\.mlp\.(?P<what>.*)")
_EXPERT = re.compile(r"experts\.(?P<number>\d+)\.(?P<rest>.+)")
_FUSED = re.compile(r"experts\.\w+")
_ROUTER = re.compile(r"gate\.weight")
_OTHER_WEIGHTS = re.compile(
    r".*\.(bin|safetensors|h5|msgpack|onnx|onnx_data|ot|gguf|pt|pth|tflite|mlmodel)|.*\.index\.json"
)
_COUNTS = ("num_experts", "num_local_experts")
_BLOCK = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Slice:
    """A tensor of the pruned model: ranges of bytes of one of the base.

    Attributes:
        ranges: Of the base's file: from, to.
    """

    stored: StoredTensor
    shape: tuple[int, ...]
    ranges: tuple[tuple[int, int], ...]

    @property
    def size(self) -> int:
        return sum(end - start for start, end in self.ranges)


def slices_of(stored: Mapping[str, StoredTensor], layers: Sequence[int], experts: int, kept: Kept) -> dict[str, Slice]:
    """The tensors of the pruned model, by their names.

    Raises:
        DamagedError: An expert or a router of the base is missing, or has another shape.
    """
    of_layer = dict(zip(layers, kept, strict=True))
    found: dict[str, Slice] = {}
    seen: dict[int, set[str]] = {layer: set() for layer in layers}
    for name, tensor in stored.items():
        match = _LAYER.fullmatch(name)
        if match is None or int(match["layer"]) not in of_layer:
            found[name] = Slice(tensor, tensor.shape, ((tensor.start, tensor.end),))
            continue
        layer, what = int(match["layer"]), match["what"]
        own = of_layer[layer]
        if expert := _EXPERT.fullmatch(what):
            number = int(expert["number"])
            seen[layer].add(str(number))
            if number in own:
                renamed = f"{match['before']}{layer}.mlp.experts.{own.index(number)}.{expert['rest']}"
                found[renamed] = Slice(tensor, tensor.shape, ((tensor.start, tensor.end),))
        elif _FUSED.fullmatch(what) or _ROUTER.fullmatch(what):
            found[name] = _rows(name, tensor, experts, own)
            seen[layer].add("router" if _ROUTER.fullmatch(what) else "experts")
        else:
            found[name] = Slice(tensor, tensor.shape, ((tensor.start, tensor.end),))
    _check_seen(seen, experts)
    return found


def _rows(name: str, tensor: StoredTensor, experts: int, kept: Sequence[int]) -> Slice:
    if not tensor.shape or tensor.shape[0] != experts:
        raise DamagedError(f"{tensor.file}: {name} is {tensor.shape}, and the model has {experts} experts.")
    each = (tensor.end - tensor.start) // experts
    ranges = tuple((tensor.start + each * number, tensor.start + each * (number + 1)) for number in kept)
    return Slice(tensor, (len(kept), *tensor.shape[1:]), ranges)


def _check_seen(seen: Mapping[int, set[str]], experts: int) -> None:
    single = {str(number) for number in range(experts)}
    for layer, names in seen.items():
        missing = ({"router"} - names) or (set() if "experts" in names else single - names)
        if missing:
            what = "its router" if "router" in missing else f"expert {min(missing, key=int)}"
            raise DamagedError(
                f"layer {layer}: {what} is not in the files of the base, or under a name that is not known here.",
                hint="load the base model and save it with save_pretrained, and name that folder",
            )


def write_slices(base: Path, folder: Path, slices: Mapping[str, Slice]) -> None:
    """Write the weights into a folder: each file of the base, without what is pruned, and their index."""
    by_file: dict[str, dict[str, Slice]] = {name: {} for name in weight_names(base)}
    for name, each in slices.items():
        by_file[each.stored.file.name][name] = each
    for file, tensors in by_file.items():
        if tensors or file == SINGLE:
            _write_file(folder / file, base / file, tensors)
    index = base / INDEX
    if index.is_file() and SINGLE not in by_file:
        told = json.loads(index.read_text(encoding="utf-8"))
        told["weight_map"] = {name: each.stored.file.name for name, each in sorted(slices.items())}
        told["metadata"] = {**(told.get("metadata") or {}), "total_size": sum(each.size for each in slices.values())}
        if "total_parameters" in told["metadata"]:
            told["metadata"]["total_parameters"] = sum(_numbers(each.shape) for each in slices.values())
        (folder / INDEX).write_text(json.dumps(told, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _write_file(path: Path, source: Path, tensors: Mapping[str, Slice]) -> None:
    header: dict[str, Any] = {"__metadata__": _metadata(source)}
    place = 0
    for name, each in tensors.items():
        offsets = [place, place + each.size]
        header[name] = {"dtype": each.stored.format, "shape": list(each.shape), "data_offsets": offsets}
        place += each.size
    written = json.dumps(header, separators=(",", ":")).encode()
    written += b" " * (-len(written) % 8)
    with path.open("wb") as target, source.open("rb") as file:
        target.write(len(written).to_bytes(8, "little"))
        target.write(written)
        for each in tensors.values():
            for start, end in each.ranges:
                for block in _blocks(file, start, end):
                    target.write(block)


def _metadata(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return header.get("__metadata__") or {"format": "pt"}


def _blocks(file: Any, start: int, end: int) -> Iterator[bytes]:
    file.seek(start)
    while start < end:
        block = file.read(min(_BLOCK, end - start))
        if not block:
            raise DamagedError(f"{file.name}: it ends before its tensors do.")
        yield block
        start += len(block)


def _numbers(shape: Sequence[int]) -> int:
    from math import prod

    return prod(shape)


# ---- the rest of the folder


def copy_rest(base: Path, folder: Path) -> tuple[str, ...]:
    """Copy a base's files beside its weights; return copies of its weights in further formats, which are left out."""
    kept = {INDEX, *weight_names(base)}
    left_out = []
    for path in sorted(base.rglob("*")):
        name = path.relative_to(base)
        if not path.is_file() or any(part.startswith(".") for part in name.parts) or str(name) in kept:
            continue
        if _OTHER_WEIGHTS.fullmatch(path.name):
            left_out.append(str(name))
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return tuple(left_out)


def write_config(folder: Path, *, experts: int, count: int) -> None:
    """Write the number of experts into the folder's `config.json`.

    Raises:
        DamagedError: It says another number of experts than the model has.
    """
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    section = config.get("thinker_config", config)
    section = section.get("text_config", section)
    named = [name for name in _COUNTS if name in section]
    for name in named:
        if section[name] != experts:
            raise DamagedError(f"{path}: {name} is {section[name]}, and the model has {experts} experts.")
        section[name] = count
    if not named:
        section[_COUNTS[0]] = count
    path.write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def check_files(base: Path, out: Path, layers: Sequence[int], experts: int, count: int) -> None:
    """Raise what writing a model with so many experts in each layer would raise: of the base's files, or of the disk.

    Raises:
        UsageError: The disk is too full.
        DamagedError: The files lack something, or have it in another shape.
    """
    any_kept = (tuple(range(count)),) * len(layers)
    check_room(out, slices_of(stored_tensors(base), layers, experts, any_kept))


def check_room(out: Path, slices: Mapping[str, Slice]) -> None:
    """Raise UsageError if the disk is too full."""
    needed = sum(each.size for each in slices.values())
    place = next(each for each in (out.absolute(), *out.absolute().parents) if each.exists())
    free = shutil.disk_usage(place).free
    if free < needed:
        raise UsageError(
            f"{out}: {needed / 1e9:.1f} GB are needed, and {free / 1e9:.1f} GB are free.", hint="name another disk"
        )
