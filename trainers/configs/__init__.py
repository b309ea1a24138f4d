"""Configurations to begin with: of runs, of `accelerate`, and scripts for Slurm.

    finetune_cot.yaml      chains of thought with LoRA
    qwen2_audio_lora.yaml  Qwen2-Audio with LoRA
    qwen3_omni_lora.yaml   Qwen3-Omni's thinker with LoRA
    dpo.yaml               pairs of answers with LoRA, for `train dpo`
    phoneme_lora.yaml      phones out of speech, for `train phoneme`
    contrastive_*.yaml     retrieval of terms, for `train contrastive`: quick, standard, high_performance, rejection
    full.yaml              all weights, in stages
    accelerate.yaml        several GPUs with FSDP; accelerate_ddp.yaml: with the whole model on each
    slurm/                 one_node.sh, many_nodes.sh

`triptych train config` lists, prints and writes them.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from ...errors import UsageError, did_you_mean

_ENDINGS = (".yaml", ".sh")


def names() -> dict[str, str]:
    """The files by name, each with what it is for: its first line of comment."""
    root = files(__name__)
    found = [(each.name, each) for each in root.iterdir()]
    found += [(f"slurm/{each.name}", each) for each in root.joinpath("slurm").iterdir()]
    return {name: _purpose(file.read_text(encoding="utf-8"))
            for name, file in sorted(found) if name.endswith(_ENDINGS)}  # fmt: skip


def text_of(name: str) -> str:
    """The text of one file; `full` is `full.yaml`.

    Raises:
        UsageError: There is no such file.
    """
    known = names()
    full = next((each for each in (name, *(name + ending for ending in _ENDINGS)) if each in known), None)
    if full is None:
        raise UsageError(f"There is no configuration {name!r}.",
                         hint=did_you_mean(name, known) or f"there are {', '.join(known)}")  # fmt: skip
    return files(__name__).joinpath(full).read_text(encoding="utf-8")


def write(name: str, out: Path, *, force: bool = False) -> None:
    """Write one file.

    Raises:
        UsageError: There is no such configuration; or another file of that name, and `force` is not set.
    """
    text = text_of(name)
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise UsageError(f"{out}: it is a folder, or lies in a folder that does not exist.")
    if out.exists() and not force and out.read_text(encoding="utf-8", errors="replace") != text:
        raise UsageError(f"{out} exists and is another file.", hint="name another file, or remove it")
    out.write_text(text, encoding="utf-8")
    if text.startswith("#!"):
        out.chmod(out.stat().st_mode | 0o111)


def _purpose(text: str) -> str:
    line = next(line for line in text.splitlines() if line.startswith("#") and not line.startswith("#!"))
    return line.lstrip("# ").partition(":  ")[0].rstrip(":.")
