"""Recall of terms, seen and unseen, and what is rejected at a threshold."""

from __future__ import annotations

import numpy as np
import pytest
from triptych.errors import UsageError
from triptych.trainers.retrieval.scores.metrics import score

TERMS = ["geneva", "united nations", "thistle"]
GLOSSARY = np.eye(3, dtype=np.float32)


def _clip(cosine: float, place: int) -> np.ndarray:
    vector = np.zeros(3, np.float32)
    vector[place], vector[(place + 1) % 3] = cosine, -np.sqrt(1 - cosine**2)
    return vector


def test_recall_is_told_by_clip_and_by_term_of_seen_and_unseen() -> None:
    clips = np.stack([_clip(0.9, 0), _clip(0.8, 1), _clip(0.7, 2)])
    found = score(
        clips, [["geneva", "thistle"], ["united nations"], ["geneva"]], TERMS, GLOSSARY, seen={"geneva"}, top=(1, 2)
    )

    assert found.all.by_clip[1] == pytest.approx((0.5 + 1 + 0) / 3)
    assert found.all.by_term[1] == pytest.approx(2 / 4)
    assert (found.seen.clips, found.seen.terms, found.seen.by_term[1]) == (2, 2, 0.5)
    assert (found.unseen.clips, found.unseen.by_clip[1], found.unseen.by_term[2]) == (2, 0.5, 1.0)


@pytest.mark.parametrize(("cosine", "is_rejected"), [(0.95, 0.0), (0.92, 1.0)])
def test_a_clip_without_terms_is_rejected_under_the_threshold(cosine: float, is_rejected: float) -> None:
    found = score(_clip(cosine, 1)[None], [[]], TERMS, GLOSSARY, top=(1,), threshold=0.925)

    assert found.at.rejected == is_rejected and found.at.violations == 1 - is_rejected
    assert found.all.clips == 0


def test_the_sweep_trades_rejection_for_answers() -> None:
    found = score(np.stack([_clip(0.9, 0), _clip(0.3, 1)]), [["geneva"], []], TERMS, GLOSSARY, top=(1,))
    at = {each.threshold: each for each in found.sweep}

    assert (at[0.0].rejected, at[0.0].right) == (0.0, 1.0)
    assert (at[0.5].rejected, at[0.5].right) == (1.0, 1.0)
    assert (at[0.95].rejected, at[0.95].answered) == (1.0, 0.0)


def test_a_term_that_the_glossary_lacks_is_an_error() -> None:
    with pytest.raises(UsageError, match="'nowhere'"):
        score(_clip(0.9, 0)[None], [["nowhere"]], TERMS, GLOSSARY)


def test_chance_is_what_the_vectors_of_other_clips_find() -> None:
    clips = np.eye(40, dtype=np.float32)
    terms = [f"term {number}" for number in range(40)]
    found = score(clips, [[term] for term in terms], terms, clips, top=(1,))

    assert found.all.by_term[1] == 1 and found.chance.by_term[1] <= 0.1


@pytest.mark.parametrize(("terms", "named", "telling"), [
    (11, "term 0", "recall@10"), (10, "term 0", "recall@5"), (5, "term 0", "recall@1"), (1, "term 0", "recall@1"),
    (11, None, None),
])  # fmt: skip
def test_the_best_is_chosen_by_what_not_every_model_finds(terms: int, named: str | None, telling: str | None) -> None:
    torch = pytest.importorskip("torch")
    from triptych.trainers.retrieval.model.model_inputs import HeldVectors
    from triptych.trainers.retrieval.model.retrieval_model import RetrievalModel
    from triptych.trainers.retrieval.scores.measure import RetrievalMeasure

    torch.manual_seed(0)
    vectors = np.random.default_rng(0).standard_normal((terms, 4)).astype(np.float32)
    measure = RetrievalMeasure(
        "validation", [[named] if named else []] * 2, HeldVectors(np.ones((2, 3), np.float32)),
        [f"term {number}" for number in range(terms)], HeldVectors(vectors), frozenset(), 0.15, 42, True,
    )  # fmt: skip
    found = measure(RetrievalModel(3, 4, 8))
    assert [each.name for each in found if each.selects] == ([f"validation_{telling}"] if telling else [])
    assert ("validation_recall@1" in {each.name for each in found}) == bool(named)


def test_chance_never_deals_a_clip_its_own_vector() -> None:
    for seed in range(8):
        found = score(GLOSSARY[:2], [[TERMS[0]], [TERMS[1]]], TERMS, GLOSSARY, top=(1,), seed=seed)
        assert (found.all.by_term[1], found.chance.by_term[1]) == (1, 0)
    assert score(GLOSSARY[:1], [[TERMS[0]]], TERMS, GLOSSARY).chance.clips == 0


def test_the_nearest_are_those_of_a_whole_sort_of_equals_the_first() -> None:
    from triptych.trainers.retrieval.scores.metrics import _nearest

    draw = np.random.default_rng(0)
    clips, glossary = (draw.integers(-1, 2, (rows, 3)).astype(np.float32) for rows in (9, 50))
    nearest, cosines = _nearest(clips, glossary, 10)
    similarity = clips @ glossary.T
    assert nearest.tolist() == np.argsort(-similarity, axis=1, kind="stable")[:, :10].tolist()
    assert cosines.tolist() == similarity.max(1).tolist()
