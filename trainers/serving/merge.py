"""A base model's folder with what a run learned in its weights.

The files of the base are copied, and in the copies the bytes of changed weights are written over: every other byte is
the base's, the parts of an Omni that speak included. What is added is added in 32 bits, and the sum is rounded to the
number format of the base's file. One weight is in memory at a time.

The folder is written beside its place, held against the base with the checkpoint (equality.py), and renamed.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import DamagedError, UsageError
from ..models.adapters import LoraSettings
from ..models.model_files import ModelFiles, locate
from ..models.model_loading import require_torch
from ..models.weights import is_weight_file
from ..runs.loop.checkpoints import Checkpoint, Checkpoints
from ..runs.loop.progress import check_files, read_state
from ..runs.records.card import merged_card, put_card
from .changes import Changes
from .equality import Equality, check_equal
from .layouts import FORMATS, INDEX, TRANSFORMERS, Layout, weight_names
from .options import BEST, FINAL

if TYPE_CHECKING:
    from ..runs.config.sections import ModelSection

CHECKPOINTS = "checkpoints"

_OTHER_WEIGHTS = re.compile(
    r".*\.(bin|safetensors|h5|msgpack|onnx|onnx_data|ot|gguf|pt|pth|tflite|mlmodel)|.*\.index\.json"
)


@dataclass(frozen=True, slots=True)
class Merged:
    """A folder that was made.

    Attributes:
        checkpoint: The name of the checkpoint that is in it.
        changed: How many weights of its files differ from the base's.
        format: The number format of its weights: that of the base.
        left_out: Files of the base that are not in it: the base's weights in further formats.
        equality: How near it is to the base with the checkpoint.
    """

    folder: Path
    checkpoint: str
    layout: str
    changed: int
    format: str
    left_out: tuple[str, ...]
    equality: Equality


def merge_run(
    run: Path, out: Path, *, layout: str = TRANSFORMERS, checkpoint: str = BEST, base: Path | None = None
) -> Merged:
    """Make a model folder of a run.

    Args:
        run: The folder of the run.
        out: The folder to make: absent, or empty.
        layout: For whom: `transformers` or `vllm`.
        checkpoint: `best`, `final` (the last one) or the name of one: `step-000500`.
        base: Where the base model is now; default: where the configuration says.

    Raises:
        UsageError: There is no such checkpoint or base, the server has no such layout, or `out` is taken.
        DamagedError: The checkpoint is not of this base, or the result does not say what base and checkpoint say.
    """
    from ..runs.config.sections import LoraSection, ModelSection

    chosen = find_checkpoint(run, checkpoint)
    _check_apart(out, run / CHECKPOINTS)
    state = read_state(chosen)
    check_files(chosen, {name: each for name, each in state["files"].items() if is_weight_file(name)})
    identity = state["identity"]
    # The two sections that every trainer's configuration has.
    model, adapters = (json.dumps(identity["config"][name]) for name in ("model", "lora"))
    lora = None if adapters == "null" else LoraSection.model_validate_json(adapters)
    files = _base(ModelSection.model_validate_json(model), str(identity["model"]), base)
    return merge(files.folder, chosen.path, out, lora=lora, layout=layout, card=merged_card(run, chosen.name))


def find_checkpoint(run: Path, name: str) -> Checkpoint:
    """Find a checkpoint of a run by its name, `best` or `final`.

    Raises:
        UsageError: There is none of this name.
    """
    found = {each.name: each for each in Checkpoints(run / CHECKPOINTS).all()}
    if not found:
        raise UsageError(f"{run} holds no checkpoint of a run.", hint="name the folder that the run was written to")
    last = max(found.values())
    if name == FINAL:
        return last
    if name == BEST:
        step = read_state(last)["progress"].best_step
        if step is None:
            return last
        name = Checkpoints(run / CHECKPOINTS).at(step).name
    if name not in found:
        raise UsageError(f"{run} has no checkpoint {name}.", hint=f"it has {', '.join(sorted(found))}, best and final")
    return found[name]


def merge(
    base: Path, checkpoint: Path, out: Path, *, lora: LoraSettings | None, layout: str = TRANSFORMERS,
    card: str | None = None,
) -> Merged:  # fmt: skip
    """Make a model folder of a base model and a checkpoint; see `merge_run`.

    Args:
        lora: How adapters were placed; None: weights were trained themselves.
        card: The text of the result's model card; None: it has none. The base's is kept as `README.base.md`.
    """
    require_torch("train")
    check_out(out, base)
    files = Layout.read(base)
    files.check_for(layout)
    changes = Changes.read(checkpoint, files, lora)
    places = {key: name for name in changes.names for key in files.places(name)}
    formats = {files.stored[key].format for key in places}
    if unknown := formats.difference(FORMATS):
        raise UsageError(
            f"{base}: its weights are quantized ({', '.join(sorted(unknown))}): nothing can be added to them.",
            hint="name the base model before it was quantized",
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        left_out = _copy_files(base, partial, card)
        _write_changes(files, changes, places, partial)
        equality = check_equal(base, checkpoint, partial, lora=lora, changes=changes, layout=files)
        partial.chmod(0o755)  # a temporary folder is its owner's alone
        if out.is_dir():
            out.rmdir()
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return Merged(out, checkpoint.name, layout, len(places), "+".join(sorted(formats)), left_out, equality)


def _base(section: ModelSection, revision: str, moved: Path | None) -> ModelFiles:
    """The base model of a run, which must be what it was."""
    if moved is not None:
        files = locate(str(moved))
    else:
        try:
            files = locate(section.base_model, revision=section.revision)
        except UsageError as error:
            raise UsageError(
                f"the base of the run, {section.base_model}, is not here (a path is looked for in {Path.cwd()}).",
                hint="run it where the run was made, or name the base: --base PATH",
            ) from error
    if files.revision != revision and not (moved is not None and not revision.startswith(("sha256:", "sampled-"))):
        raise DamagedError(
            f"{files.folder} is not the base that the run was trained on: {files.revision} now, {revision} then.",
            hint="name the folder that has it: --base PATH",
        )
    return files


def _check_apart(out: Path, folder: Path) -> None:
    """Refuse a place inside a folder whose content has a meaning: checkpoints, or the files of the base."""
    if folder.resolve() in (out.resolve(), *out.resolve().parents):
        raise UsageError(f"{out} lies in {folder}, which it would change.", hint="name another folder")


def check_out(out: Path, base: Path) -> None:
    """Raise UsageError if a model folder cannot be made there of a base."""
    _check_apart(out, base)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is there and not empty.", hint="name another folder, or remove it")
    needed = sum((base / name).stat().st_size for name in weight_names(base))
    place = next(each for each in (out.absolute(), *out.absolute().parents) if each.exists())
    free = shutil.disk_usage(place).free
    if free < needed:
        raise UsageError(
            f"{out}: {needed / 1e9:.1f} GB are needed, and {free / 1e9:.1f} GB are free.", hint="name another disk"
        )


def _copy_files(base: Path, partial: Path, card: str | None) -> tuple[str, ...]:
    """Copy a base's files, but for copies of its weights in further formats, which would stay as they were."""
    kept = {INDEX, *weight_names(base)}
    left_out = []
    for path in sorted(base.rglob("*")):
        name = path.relative_to(base)
        if not path.is_file() or any(part.startswith(".") for part in name.parts):
            continue
        if str(name) not in kept and _OTHER_WEIGHTS.fullmatch(path.name):
            left_out.append(str(name))
            continue
        target = partial / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    put_card(partial, card)
    return tuple(left_out)


def _write_changes(layout: Layout, changes: Changes, places: dict[str, str], partial: Path) -> None:
    """Write the changed weights over those in copies of the base's files."""
    made: tuple[str, dict[str, Any]] = ("", {})
    for key, name in _in_order(layout, places):
        if made[0] != name:
            made = (name, layout.in_files(name, changes.tensor(name)))
        stored = layout.stored[key]
        # what is tied to a weight is that weight under another name
        tensor = made[1][key] if key in made[1] else next(iter(made[1].values()))
        value = tensor if name in changes.whole else stored.read().float() + tensor
        stored.write(partial / stored.file.name, value)


def _in_order(layout: Layout, places: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Changed tensors, file by file; those that are made of one weight follow one another."""
    yield from sorted(places.items(), key=lambda each: (layout.stored[each[0]].file.name, each[1], each[0]))
