"""With what a run was made: versions of packages, the commit of this one, the device; and `requirements.txt` of it."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from ....version import __version__

REQUIREMENTS = "requirements.txt"

_PACKAGES = {
    "torch": "torch", "transformers": "transformers", "accelerate": "accelerate", "peft": "peft",
    "safetensors": "safetensors", "tokenizers": "tokenizers", "huggingface_hub": "huggingface-hub",
    "bitsandbytes": "bitsandbytes", "deepspeed": "deepspeed", "flash_attn": "flash-attn", "trl": "trl",
    "numpy": "numpy", "pyarrow": "pyarrow", "datasets": "datasets", "duckdb": "duckdb", "deltalake": "deltalake",
    "av": "av", "soundfile": "soundfile", "soxr": "soxr", "PIL": "pillow", "pydantic": "pydantic",
    "yaml": "PyYAML", "jinja2": "Jinja2", "wandb": "wandb", "tensorboard": "tensorboard", "swanlab": "swanlab",
    "mlflow": "mlflow",
}  # fmt: skip
"""What decides how a run goes: the name of the import, and of the package."""

_ROOT = Path(__file__).resolve().parents[3]
_TORCH_WHEELS = "https://download.pytorch.org/whl"


def packages() -> dict[str, str]:
    """The versions of those packages that this process has imported."""
    found = {}
    for module, name in _PACKAGES.items():
        if module in sys.modules:
            try:
                found[name] = metadata.version(name)
            except metadata.PackageNotFoundError:
                found[name] = str(getattr(sys.modules[module], "__version__", "unknown"))
    return found


def own_source() -> dict[str, Any]:
    """The version of this package and, as far as it is known, its commit and whether files differ from it."""
    return {"version": __version__, **(_installed_from() or _checkout() or {})}


def _installed_from() -> dict[str, Any] | None:
    """The commit that pip installed."""
    try:
        text = metadata.distribution("triptych").read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return None
    found = json.loads(text) if text else {}
    commit = found.get("vcs_info", {}).get("commit_id")
    return None if commit is None else {"commit": commit, "url": found["url"]}


def _checkout() -> dict[str, Any] | None:
    """The commit of the checkout that this file is in; a repository that merely holds an environment is none."""
    if not (_ROOT / ".git").exists():
        return None
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return None
    return {"commit": commit, "changed": bool(_git("status", "--porcelain", "--untracked-files=no"))}


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(_ROOT), *arguments], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def device_of(kind: str, ranks: int) -> dict[str, Any]:
    """What computes, without the name of the machine."""
    found: dict[str, Any] = {"kind": kind.partition(":")[0], "processes": ranks}
    torch = sys.modules.get("torch")
    if found["kind"] == "cuda" and torch is not None:
        properties = torch.cuda.get_device_properties(0)
        found |= {"name": properties.name, "memory_bytes": properties.total_memory, "cuda": torch.version.cuda}
    elif found["kind"] == "cpu":
        found["name"] = platform.machine()
        found["threads"] = torch.get_num_threads() if torch is not None else None
    return found


def requirements_text(software: dict[str, Any]) -> str:
    """A requirements file for pip of the `software` that a record has."""
    own = software["triptych"]
    lines = [f"# python {software['python']}"]
    if "url" in own:
        lines.append(f"triptych @ git+{own['url']}@{own['commit']}")
    else:
        if "commit" in own:
            changed = ", with files that differ from it" if own.get("changed") else ""
            lines.append(f"# triptych was a checkout of commit {own['commit']}{changed}")
        lines.append(f"triptych=={own['version']}")
    for name, version in software["packages"].items():
        local = version.partition("+")[2]
        if name == "torch" and local:
            lines.append(f"--extra-index-url {_TORCH_WHEELS}/{local}")
        lines.append(f"{name}=={version}" if version != "unknown" else f"# {name}: its version is unknown")
    return "\n".join(lines) + "\n"
