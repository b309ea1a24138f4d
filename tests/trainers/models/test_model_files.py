"""Where models lie: in folders, in the hub's cache, and on the hub, from which nothing is downloaded unasked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from huggingface_hub import constants
from support.hub import COMMIT, Hub, hub
from triptych.errors import GateError, NetworkError, UsageError
from triptych.trainers.models.model_files import fingerprint, locate

NAME = "Qwen/Tiny-Audio"


def model(folder: Path, *, weights: bytes = b"weights", shards: tuple[str, ...] = ("model.safetensors",)) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "whisper"}')
    for shard in shards:
        (folder / shard).write_bytes(weights)
    if len(shards) > 1:
        index = {"weight_map": {str(number): shard for number, shard in enumerate(shards)}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "cache"


def test_a_folder_is_taken_as_it_is_and_known_by_what_is_in_it(tmp_path: Path) -> None:
    one, same, other = (model(tmp_path / name, weights=name[:1].encode()) for name in ("a", "a2", "b"))
    found = locate(str(one))
    assert found.folder == one and found.revision == fingerprint(same) and found.revision.startswith("sha256:")
    assert fingerprint(other) != found.revision
    (same / "generation_config.json").write_text('{"repetition_penalty": 1.1}')
    assert fingerprint(same) != found.revision
    (one / "README.md").write_text("about")
    assert fingerprint(one) == found.revision


def test_of_large_weights_a_part_of_each_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triptych.trainers.models.model_files._HASHED_WHOLE", 5)
    folder = model(tmp_path / "large")
    before = fingerprint(folder)
    (folder / "model.safetensors").write_bytes(b"weighty")
    assert before.startswith("sampled-sha256:") and fingerprint(folder) != before


def test_a_folder_without_a_model_is_told_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter/adapter_config.json").write_text("{}")
    with pytest.raises(UsageError, match="holds an adapter, not a model"):
        locate(str(tmp_path / "adapter"))
    model(tmp_path / "run/checkpoint-10")
    with pytest.raises(UsageError, match="holds no model") as caught:
        locate(str(tmp_path / "run"))
    assert caught.value.hint == "name one of its folders: checkpoint-10"
    with pytest.raises(UsageError, match="there is no such folder"):
        locate(str(tmp_path / "nothing/here"))
    with pytest.raises(UsageError, match="--revision is for models on the hub"):
        locate(str(tmp_path / "run/checkpoint-10"), revision="main")


@pytest.fixture
def repository(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """A hub with one model, in two shards and in an older form as well."""
    folder = model(
        tmp_path / "hub" / NAME, weights=b"w" * 5_000_000, shards=("model-1.safetensors", "model-2.safetensors")
    )
    (folder / "pytorch_model.bin").write_bytes(b"x" * 9_000_000)
    (folder / "README.md").write_text("about")
    with hub(tmp_path / "hub") as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url())
        yield running  # type: ignore[misc]


def test_a_missing_model_says_where_it_was_looked_for_and_what_it_would_cost(
    repository: Hub, tmp_path: Path, cache: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        locate(NAME)
    said = caught.value.message
    assert said.splitlines() == [
        f"--model {NAME}: this model is not here.", f"  no folder:    {tmp_path / NAME}", f"  not in cache: {cache}",
        f"  its download: 0.01 GB at {COMMIT[:8]}",
    ]  # fmt: skip
    assert caught.value.hint == "add --download, or name a folder that has it: --model /path/to/model"
    assert not cache.exists() and not [one for one in repository.requests if "resolve" in one.path]


def test_a_download_takes_what_is_loaded_and_is_found_again(repository: Hub, cache: Path) -> None:
    found = locate(NAME, download=True)
    assert found.revision == COMMIT and found.folder.is_relative_to(cache)
    names = {path.name for path in found.folder.iterdir()}
    assert names == {"config.json", "model.safetensors.index.json", "model-1.safetensors", "model-2.safetensors"}
    repository.clear()
    assert locate(NAME) == found and repository.requests == []
    (found.folder / "model-2.safetensors").unlink()
    with pytest.raises(UsageError, match="this model is not here"):
        locate(NAME)


def test_a_hub_that_cannot_help_says_why(repository: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="the hub has no model Qwen/Other, or this login cannot see it"):
        locate("Qwen/Other")
    with pytest.raises(GateError, match="the hub has no model Qwen/Other"):
        locate("Qwen/Other", download=True)
    with pytest.raises(UsageError, match="has no revision v9"):
        locate(NAME, revision="v9")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UsageError, match="its download: the hub cannot be reached") as caught:
        locate(NAME)
    assert "Errno" not in caught.value.message and "refused" in caught.value.message
    with pytest.raises(NetworkError, match="the hub cannot be reached"):
        locate(NAME, download=True)
