"""Encoders that are trained: which weights change, going on exactly, and a retriever that searches with them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import triptych
from support import training_runs
from support.imported import noise, sound
from triptych.errors import UsageError
from triptych.trainers.retrieval.config import ContrastiveConfig
from triptych.trainers.runs.options import TrainOptions, configuration

torch = pytest.importorskip("torch")
pytest.importorskip("faiss")

VALUES = {"training.batch_size": "4", "training.epochs": "2", "retrieval.dimension": "16", "training.lr": "1e-2",
          "retrieval.enable_hard_neg": "true", "retrieval.hard_neg_refresh_steps": "3"}  # fmt: skip
LORA = {"lora": "{r: 2, dropout: 0.1, components: [speech_encoder, text_encoder]}"}
LAYERS = {"retrieval.unfreeze_layers": "1"}


def train(model: Path, store: Path, out: Path, *more: dict[str, str], **options: Any) -> Any:
    values = {name: value for each in (VALUES, *more) for name, value in each.items()}
    return triptych.train_contrastive("chunks", store=store, model=str(model), output_dir=out, values=values, **options)


def weights(run: Any, step: int) -> dict[str, Any]:
    from safetensors.torch import load_file

    found: dict[str, Any] = load_file(run.folder / "checkpoints" / f"step-{step:06d}" / "weights.safetensors")
    return found


@pytest.fixture(scope="module")
def adapted(short: Path, chunks: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run with adapters in both encoders."""
    return train(short, chunks, tmp_path_factory.mktemp("runs") / "lora", LORA)


def test_adapters_of_both_encoders_are_trained_and_go_on_exactly(adapted: Any, chunks: Path, tmp_path: Path) -> None:
    shutil.copytree(adapted.folder, tmp_path / "cut")
    shutil.rmtree(tmp_path / "cut" / "checkpoints" / "step-000004")
    shutil.rmtree(tmp_path / "cut" / "retriever")
    # Step 2, from which it goes on, lies between two indexes of near terms.
    again = triptych.train_contrastive(store=chunks, output_dir=tmp_path / "cut", resume=True)

    trained = weights(adapted, 4)
    parts = {name.partition(".")[0] for name in trained}
    assert parts == {"speech", "text", "speech_encoder", "text_encoder"}
    assert all(bool(value.any()) for name, value in trained.items() if ".lora_B." in name)
    for name in ("projections.safetensors", "encoders.safetensors", "glossary.faiss"):
        assert (again.folder / "retriever" / name).read_bytes() == (adapted.folder / "retriever" / name).read_bytes()
    assert all(torch.equal(value, trained[name]) for name, value in weights(again, 4).items())


def test_a_retriever_hears_and_reads_with_what_was_trained(
    adapted: Any, short: Path, tmp_path: Path
) -> None:  # fmt: skip
    from triptych.trainers.retrieval.model.encoders import speech_encoder
    from triptych.trainers.retrieval.search.retriever import Retriever

    terms = ["bern", "geneva", "oslo", "paris"]
    read_again = Retriever.open(adapted.folder, glossary={term: {} for term in terms})
    kept = Retriever.open(adapted.folder)
    clip = noise(2, seed=5)

    assert kept.index.terms == tuple(terms)
    vectors = [np.stack([each.index.index.reconstruct(place) for place in range(4)]) for each in (kept, read_again)]
    assert vectors[0] == pytest.approx(vectors[1], abs=1e-5)
    own, base = kept.speech.vector(clip), speech_encoder(str(short)).vector(clip)
    assert np.abs(own - base).max() > 1e-4
    path = sound(tmp_path / "talk.wav", clip)
    [found] = triptych.retrieve(adapted.folder, path, top=4, threshold=-1.0).clips
    assert {each.term for each in found.terms} == set(terms)

    shutil.copytree(adapted.retriever, tmp_path / "retriever")
    (tmp_path / "retriever" / "encoders.safetensors").unlink()
    with pytest.raises(triptych.errors.DamagedError, match=r"encoders\.safetensors"):
        Retriever.open(tmp_path)


def test_the_last_layers_are_trained_at_a_rate_of_their_own(
    short: Path, chunks: Path, tmp_path: Path
) -> None:  # fmt: skip
    run = train(short, chunks, tmp_path / "run", LAYERS, {"training.epochs": "1"})

    own = {name for name in weights(run, 2) if name.startswith("speech_encoder.")}
    assert own and all(name.startswith(("speech_encoder.layers.0.", "speech_encoder.layer_norm.")) for name in own)
    lines = (run.folder / "metrics.jsonl").read_text(encoding="utf-8")
    assert '"speech_encoder": 0.001' in lines and '"projector": 0.01' in lines
    with pytest.raises(UsageError, match="has 1 layers"):
        train(short, chunks, tmp_path / "other", {"retrieval.unfreeze_layers": "2"})
    with pytest.raises(UsageError, match="give one of them"):
        train(short, chunks, tmp_path / "other", LAYERS, {"lora": "{}"})


def test_a_control_by_random_weights_stands_beside_the_scores(
    short: Path, chunks: Path, tmp_path: Path
) -> None:  # fmt: skip
    import json

    run = train(short, chunks, tmp_path / "run", {"retrieval.random_control": "true", "training.epochs": "1"})

    told = json.loads((run.folder / "retriever" / "scores.json").read_text(encoding="utf-8"))
    assert told["random_control"]["test"]["all"] == json.loads(json.dumps(
        {"clips": 2, "terms": 2, "by_clip": run.control["test"].all.by_clip, "by_term": run.control["test"].all.by_term}
    ))  # fmt: skip
    settings = run.folder / "random_control" / "retriever" / "retriever.json"
    assert json.loads(settings.read_text(encoding="utf-8"))["random_seed"] == 42
    page = (run.folder / "scores.html").read_text(encoding="utf-8")
    assert "random encoder: all" in page and "nothing said, of clips without terms" in page


@pytest.mark.thorough
@pytest.mark.parametrize("mode", [{}, LORA, LAYERS], ids=["frozen", "adapters", "layers"])
def test_a_run_that_is_killed_again_and_again_ends_with_the_same_files(
    mode: dict[str, str], short: Path, chunks: Path, tmp_path: Path
) -> None:
    values = VALUES | mode | {"training.epochs": "8", "logging.save_steps": "2"}
    configs = []
    for name in ("whole", "parts"):
        options = TrainOptions.of(model=str(short), output_dir=tmp_path / name, values=values)
        configs.append(configuration(ContrastiveConfig, options, "chunks").config)
    training_runs.train(configs[0], chunks)
    counts = training_runs.killed(configs[1], chunks, kills=10, seed=1)

    assert sum(counts.values()) == 10
    names = ["checkpoints/step-000016/weights.safetensors", "retriever/projections.safetensors",
             "retriever/glossary.faiss", "retriever/scores.json"]  # fmt: skip
    names += ["retriever/encoders.safetensors"] if mode else []
    for name in names:
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
