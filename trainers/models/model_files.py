"""Where a model's files lie: a folder of the user, or the cache of the hub's client; downloads only where asked for.

A model that is not here is an error that says where it was looked for, how large its download would be, and how to name
a folder. Its revision is the commit on the hub, or for a folder the SHA-256 of its settings and weights.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import GateError, NetworkError, UsageError

if TYPE_CHECKING:
    from huggingface_hub.hf_api import ModelInfo

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_WEIGHTS = (".safetensors", ".bin")
_UNUSED = re.compile(
    r".*\.(h5|msgpack|onnx|onnx_data|ot|gguf|pt|pth|tflite|mlmodel|md|png|jpg|jpeg|gif|wav|mp3|flac|pdf|zip)"
    r"|\.git.*|original/.*|(training_args|optimizer|scheduler|rng_state).*"
)
"""Files of a repository that `from_pretrained` does not read."""

_SETTINGS = re.compile(
    r"(config|generation_config|preprocessor_config|processor_config|added_tokens|special_tokens_map|tokenizer.*|vocab)"
    r"\.json|merges\.txt|tokenizer\.model|chat_template\..*"
)
"""What an answer depends on beside the weights."""

_HASHED_WHOLE = 2 * 1000**3
_BLOCK, _BLOCKS = 1024 * 1024, 64
LARGEST_SAMPLE = _BLOCK * _BLOCKS
"""Bytes of a file that stand for one that is larger."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model that is here."""

    folder: Path
    revision: str


def locate(name: str, *, revision: str | None = None, download: bool = False) -> ModelFiles:
    """Find a model's files.

    Raises:
        UsageError: It is not here, or the folder holds no model.
        GateError, NetworkError: It cannot be downloaded.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        if revision is not None:
            raise UsageError(f"--revision is for models on the hub; {name} is a folder.", hint="remove --revision")
        _check_folder(folder)
        return ModelFiles(folder, fingerprint(folder))
    if folder.exists() or not _HUB_NAME.fullmatch(name):
        raise UsageError(f"--model {name}: there is no such folder.", hint="name a folder with config.json and weights")
    found = _cached(name, revision)
    if found is None:
        info = _asked(name, revision, folder, download=download)
        found = _download(name, revision, info)
    return ModelFiles(found, found.name)


def _check_folder(folder: Path) -> None:
    if (folder / "config.json").is_file() and _weights(folder):
        return
    if (folder / "adapter_config.json").is_file():
        raise UsageError(
            f"{folder} holds an adapter, not a model.",
            hint="of a run: triptych train export RUN --merge --out MODEL; others: peft's merge_and_unload",
        )
    inside = sorted(path.parent.name for path in folder.glob("*/config.json"))
    raise UsageError(
        f"{folder} holds no model: config.json and weights (*.safetensors) are expected.",
        hint=f"name one of its folders: {', '.join(inside[:5])}" if inside else None,
    )


def _weights(folder: Path) -> list[Path]:
    found = [path for path in sorted(folder.iterdir()) if path.suffix in _WEIGHTS and not _UNUSED.fullmatch(path.name)]
    safe = [path for path in found if path.suffix == ".safetensors"]
    return safe or found


def fingerprint(folder: Path) -> str:
    """`sha256:` of settings, tokenizer and weights; of more than 2 GB `sampled-sha256:`, of 64 MB of each file."""
    weights = _weights(folder)
    whole = sum(path.stat().st_size for path in weights) <= _HASHED_WHOLE
    digest = _settings_digest(folder)
    for path in weights:
        size = path.stat().st_size
        digest.update(f"{path.name}\0{size}\0".encode())
        for block in blocks_of(path, size, whole=whole):
            digest.update(block)
    return f"{'' if whole else 'sampled-'}sha256:{digest.hexdigest()}"


def settings_fingerprint(folder: Path) -> str:
    """`sha256:` of settings and tokenizer: what the inputs of a model depend on, which its weights are no part of."""
    return f"sha256:{_settings_digest(folder).hexdigest()}"


def _settings_digest(folder: Path) -> hashlib._Hash:
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if _SETTINGS.fullmatch(path.name):
            digest.update(f"{path.name}\0".encode() + path.read_bytes())
    return digest


def blocks_of(path: Path, size: int, *, whole: bool) -> Iterator[bytes]:
    """Yield a file in blocks, or 64 blocks spread over it from its first byte to its last."""
    with path.open("rb") as file:
        if whole:
            while block := file.read(_BLOCK):
                yield block
            return
        for number in range(_BLOCKS):
            file.seek(max(0, size - _BLOCK) * number // (_BLOCKS - 1))
            yield file.read(_BLOCK)


# ---- the hub


def _cached(name: str, revision: str | None) -> Path | None:
    """The snapshot in the cache, if it is complete enough to be loaded."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        # One file is asked for: the client calls a snapshot incomplete that lacks files which are not downloaded.
        folder = Path(snapshot_download(name, revision=revision, local_files_only=True, allow_patterns=["config.json"]))
    except (LocalEntryNotFoundError, ValueError, OSError):
        return None
    return folder if (folder / "config.json").is_file() and _is_complete(folder) else None


def _is_complete(folder: Path) -> bool:
    """Whether all files of weights that an index names are there."""
    import json

    for index in folder.glob("*.index.json"):
        named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        return all((folder / each).is_file() for each in named)
    return bool(_weights(folder))


def _endpoint() -> str:
    """The hub's URL. The client reads `HF_ENDPOINT` once, when it is loaded; a notebook may set it later."""
    from huggingface_hub import constants

    return (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")


def _asked(name: str, revision: str | None, folder: Path, *, download: bool) -> ModelInfo:
    """What the hub says of a model that is to be downloaded.

    Raises:
        UsageError: `download` is not set; the message says what it would cost, as far as the hub can be asked.
    """
    from huggingface_hub import constants

    missing = (
        f"--model {name}: this model is not here.\n"
        f"  no folder:    {folder.absolute()}\n"
        f"  not in cache: {constants.HF_HUB_CACHE}\n"
    )
    own = "or name a folder that has it: --model /path/to/model"
    try:
        info = _info(name, revision)
    except NetworkError as error:
        if download:
            raise
        step = error.hint if isinstance(error, GateError) else "add --download"
        raise UsageError(f"{missing}  its download: {error.message}", hint=f"{step}, {own}") from error
    if download:
        return info
    size = sum(file.size or 0 for file in info.siblings or () if file.rfilename in set(_wanted(info)))
    commit = f" at {info.sha[:8]}" if info.sha else ""
    raise UsageError(f"{missing}  its download: {size / 1e9:.2f} GB{commit}", hint=f"add --download, {own}")


def _info(name: str, revision: str | None) -> ModelInfo:
    import httpx2
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    page = f"https://huggingface.co/{name}"
    try:
        return HfApi(endpoint=_endpoint()).model_info(name, revision=revision, files_metadata=True)
    except GatedRepoError as error:
        raise GateError(f"{name} is gated.", hint=f"accept its terms at {page}, then: hf auth login") from error
    except RevisionNotFoundError as error:
        raise UsageError(f"{name} has no revision {revision}.", hint=f"see {page}/commits/main") from error
    except RepositoryNotFoundError as error:
        raise GateError(
            f"the hub has no model {name}, or this login cannot see it.", hint=f"check {page}, then: hf auth login"
        ) from error
    except (HfHubHTTPError, httpx2.HTTPError, OSError) as error:
        raise NetworkError(
            f"the hub cannot be reached for {name}: {_reason(error)}",
            hint="check the connection, HF_ENDPOINT and HF_HUB_OFFLINE, or name a folder",
        ) from error


def _reason(error: Exception) -> str:
    """What an error says, in one line and without the number that the system has for it."""
    said = (str(error).splitlines() or [type(error).__name__])[0]
    return _NUMBER.sub("", said) or said


_NUMBER = re.compile(r"^\[Errno -?\d+\] ")


def _wanted(info: ModelInfo) -> Iterable[str]:
    names = [file.rfilename for file in info.siblings or () if not _UNUSED.fullmatch(file.rfilename)]
    is_safe = any(name.endswith(".safetensors") for name in names)
    return [name for name in names if not (is_safe and name.endswith((".bin", ".bin.index.json")))]


def _download(name: str, revision: str | None, info: ModelInfo) -> Path:
    import httpx2
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError

    try:
        return Path(
            # By the name that was asked for, not by its commit: the cache then finds it by that name again.
            snapshot_download(name, revision=revision, allow_patterns=list(_wanted(info)), endpoint=_endpoint())
        )
    except GatedRepoError as error:
        raise GateError(
            f"{name} is gated.", hint=f"accept its terms at https://huggingface.co/{name}, then: hf auth login"
        ) from error
    except (HfHubHTTPError, httpx2.HTTPError, OSError) as error:
        raise NetworkError(
            f"the download of {name} was interrupted: {_reason(error)}",
            hint="run the same command again; what arrived is kept",
        ) from error
