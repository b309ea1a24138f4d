"""SONAR's encoder of speech: a stand-in with the interface that its package documents."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import triptych
from support.imported import noise, sound
from triptych.errors import UsageError

torch = pytest.importorskip("torch")
pytest.importorskip("faiss")

NAME = "sonar_speech_encoder_eng"


class Pipeline:
    """`SpeechToEmbeddingModelPipeline`: sentence vectors of tensors of the shape (channels, samples) at 16 kHz."""

    def __init__(self, encoder: str, device: Any = None) -> None:
        if encoder != NAME:
            raise ValueError(f"asset {encoder} could not be found")
        torch.manual_seed(1)
        self.model = torch.nn.Linear(16, 8)
        self.model.model_dim = 8

    @torch.inference_mode()
    def predict(self, input: list[Any], batch_size: int = 3) -> Any:
        assert all(each.dim() == 2 and each.shape[0] == 1 for each in input)
        return torch.stack([self.model(torch.fft.rfft(each[0]).abs()[:16]) for each in input])


@pytest.fixture
def sonar(monkeypatch: pytest.MonkeyPatch) -> None:
    speech = ModuleType("sonar.inference_pipelines.speech")
    speech.SpeechToEmbeddingModelPipeline = Pipeline  # type: ignore[attr-defined]
    for name in ("sonar", "sonar.inference_pipelines"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, speech.__name__, speech)


def train(store: Path, out: Path, text: Path, *, model: str = NAME, download: bool = True, **more: str) -> Any:
    values = {"training.epochs": "1", "training.batch_size": "4", "retrieval.dimension": "16"}
    values |= {f"retrieval.{name}": value for name, value in {"text_model": str(text), **more}.items()}
    return triptych.train_contrastive(
        "chunks", store=store, model=model, output_dir=out, download=download, values=values
    )


def test_a_retriever_hears_with_sonar(sonar: None, short: Path, chunks: Path, tmp_path: Path) -> None:
    run = train(chunks, tmp_path / "run", short)

    assert run.scores["test"].all.clips == 2
    path = sound(tmp_path / "talk.wav", noise(2, seed=3))
    [found] = triptych.retrieve(run.folder, path, top=2, threshold=-1.0).clips
    assert found.error is None and len(found.terms) == 2
    assert "sonar-space of unknown version, sha256:" in (run.retriever / "retriever.json").read_text(encoding="utf-8")


def test_what_sonar_cannot_do_is_refused(sonar: None, short: Path, chunks: Path, tmp_path: Path) -> None:
    for more, match in (({"unfreeze_layers": "1"}, "is not trained"), ({"random_speech": "true"}, "random weights"),
                        ({"random_control": "true"}, "random weights"), ({"download": False}, "downloads weights"),
                        ({"model": "sonar_speech_encoder_xyz"}, "could not be found")):  # fmt: skip
        with pytest.raises(UsageError, match=match):
            train(chunks, tmp_path / "run", short, **more)  # type: ignore[arg-type]


def test_without_its_package_the_error_names_it(short: Path, chunks: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="sonar-space is not installed") as raised:
        train(chunks, tmp_path / "run", short)
    assert "pip install sonar-space" in str(raised.value.hint)
