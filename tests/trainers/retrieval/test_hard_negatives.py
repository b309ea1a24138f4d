"""Near terms: found in an index of the glossary, by the weights it was made with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("faiss")

from triptych.trainers.retrieval.model.model_inputs import HeldVectors  # noqa: E402
from triptych.trainers.retrieval.model.retrieval_model import RetrievalModel  # noqa: E402
from triptych.trainers.retrieval.objective.hard_negatives import NearTermHooks, NearTerms  # noqa: E402


@pytest.fixture
def near(one_thread: None) -> tuple[NearTerms, Any]:
    """Near terms among rows 0, 2 ... of 20 terms, two for each clip, and a model."""
    torch.manual_seed(3)
    terms = np.random.default_rng(3).standard_normal((20, 8)).astype(np.float32)
    model = RetrievalModel(6, 8, 4)
    return NearTerms(HeldVectors(terms), range(0, 20, 2), ["text.linear.weight", "text.linear.bias"], 2, 4), model


def test_near_terms_are_those_nearest_to_any_clip_that_the_batch_does_not_name(near: tuple[NearTerms, Any]) -> None:
    terms, model = near
    audio = torch.nn.functional.normalize(torch.randn(3, 4), dim=-1)
    own = torch.tensor([[2, -1], [4, 6], [-1, -1]])
    found = terms.inputs(model, audio, own)

    vectors = model({"text.vectors": torch.from_numpy(terms.terms.vectors)})["text"].detach()  # type: ignore[attr-defined]
    order = (audio @ vectors[::2].T).argsort(1, descending=True)[:, : 2 + own.shape[1]]
    expected = sorted({2 * int(place) for place in order.flatten()} - {2, 4, 6})
    assert found["near.vectors"].tolist() == terms.terms.of(expected)["vectors"].tolist()
    assert terms.inputs(model, audio, torch.arange(0, 20, 2)[None].repeat(3, 1)) == {}


def test_the_index_is_made_again_when_it_is_time_and_kept_in_checkpoints(
    near: tuple[NearTerms, Any], tmp_path: Path
) -> None:
    terms, model = near
    hooks = NearTermHooks(model, terms)
    audio, own = torch.eye(4), torch.full((4, 1), -1)
    seen = []
    for step in range(1, 6):
        hooks.before_step(step)
        seen.append(terms.inputs(model, audio, own)["near.vectors"].tolist())
        if step == 2:
            terms.save(tmp_path)
        with torch.no_grad():
            model.text.linear.weight.copy_(torch.randn_like(model.text.linear.weight))
    assert seen[0] == seen[1] == seen[2] == seen[3] != seen[4]  # made at steps 1 and 5

    before = model.text.linear.weight.clone()
    terms.load(model, tmp_path)
    assert terms.inputs(model, audio, own)["near.vectors"].tolist() == seen[0]
    assert torch.equal(model.text.linear.weight, before)
