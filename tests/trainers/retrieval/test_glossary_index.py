"""Glossaries that are searched: what is found, saved and read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("faiss")

from triptych.errors import DamagedError, UsageError
from triptych.trainers.retrieval.search.glossary_index import INDEX, TERMS, GlossaryIndex

NAMES = [f"term {number}" for number in range(300)]


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    drawn = np.random.default_rng(0).normal(size=(300, 16)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


@pytest.mark.parametrize("kind", ["flat", "ivf"])
def test_a_term_is_found_by_its_own_vector_before_and_after_it_is_saved(
    vectors: np.ndarray, kind: str, tmp_path: Path
) -> None:
    built = GlossaryIndex.of(NAMES, vectors, kind=kind, lists=4)
    built.save(tmp_path)

    for index in (built, GlossaryIndex.load(tmp_path)):
        [found, _] = index.search(vectors[[7, 8]], top=3)
        assert index.kind == kind and found[0].term == "term 7" and found[0].cosine == pytest.approx(1, abs=1e-5)
        assert len(found) == 3 and found[1].cosine >= found[2].cosine


def test_flat_search_finds_what_comparing_with_every_term_finds(vectors: np.ndarray) -> None:
    places, cosines = GlossaryIndex.of(NAMES, vectors).nearest(vectors[:20] * np.float32(-1), 5)
    exact = -vectors[:20] @ vectors.T

    assert places.tolist() == np.argsort(-exact, axis=1)[:, :5].tolist()
    assert np.allclose(cosines, np.take_along_axis(exact, places, 1), atol=1e-6)


def test_terms_under_the_threshold_are_not_said(vectors: np.ndarray) -> None:
    [found] = GlossaryIndex.of(NAMES, vectors).search(vectors[:1], top=300, threshold=0.999)

    assert [each.term for each in found] == ["term 0"]


def test_files_that_do_not_belong_together_are_damage(vectors: np.ndarray, tmp_path: Path) -> None:
    GlossaryIndex.of(NAMES, vectors).save(tmp_path)
    (tmp_path / TERMS).write_text('{"kind": "flat", "terms": ["one"]}', encoding="utf-8")
    with pytest.raises(DamagedError, match="300 rows"):
        GlossaryIndex.load(tmp_path)

    (tmp_path / INDEX).write_bytes(b"IxFI")
    with pytest.raises(DamagedError):
        GlossaryIndex.load(tmp_path)


def test_a_term_twice_is_refused(vectors: np.ndarray) -> None:
    with pytest.raises(UsageError, match="twice"):
        GlossaryIndex.of(["same", "same"], vectors[:2])
