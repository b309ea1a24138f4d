"""What a run takes as seen, and terms whose texts are the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import triptych

pytest.importorskip("torch")

from triptych.errors import UsageError
from triptych.trainers.retrieval.search.glossary_file import read_glossary


@pytest.fixture(scope="module")
def rows(chunks: Path) -> Any:
    from triptych.shards.store.store import Store
    from triptych.trainers.retrieval.term_rows import TermRows

    return TermRows.open("chunks", store=Store.open(chunks))


def prepared(rows: Any, **retrieval: Any) -> Any:
    from triptych.trainers.retrieval.config import ContrastiveConfig
    from triptych.trainers.retrieval.preflight import _stand_ins
    from triptych.trainers.retrieval.prepare import prepared_of

    config = ContrastiveConfig.model_validate({
        "model": {"base_model": "any"}, "data": {"train": "chunks"}, "training": {"batch_size": 32},
        "retrieval": {"dimension": 4, "enable_hard_neg": True, "enable_full_eval": True, **retrieval},
    })  # fmt: skip
    encoder = SimpleNamespace(width=3, model=None, revision="", tokens=lambda texts: [text.lower() for text in texts])
    encoders: Any = SimpleNamespace(speech=encoder, text=encoder)
    return prepared_of(config, rows, encoders, _stand_ins(rows, encoders))


def test_a_term_that_a_training_clip_names_beside_its_own_is_seen(rows: Any) -> None:
    assert prepared(rows).seen == {"paris", "oslo"}
    beside = [replace(row, other_terms=("geneva",)) if "paris" in row.terms else row for row in rows.rows]
    assert prepared(replace(rows, rows=beside)).seen == {"paris", "oslo", "geneva"}


def test_terms_with_the_same_description_are_one_to_learn_and_to_measure(rows: Any) -> None:
    told = {"bern": "A city", "geneva": "a city", "oslo": "a capital", "paris": "a CITY"}
    alike = replace(rows, entries={term: {"short_description": text} for term, text in told.items()})
    made = prepared(alike, text_field="short_description")

    [step] = list(made.steps.after(len(made.steps) - 1))
    assert step.batches[0].inputs["terms.vectors"].shape[0] == 2  # paris as bern, and oslo
    assert made.seen == {"bern", "geneva", "oslo", "paris"}
    assert made.near.candidates == [0, 2]
    [test] = made.measures
    assert test.terms == ["bern", "oslo"] and sorted(test.named) == [[], [], ["bern"], ["oslo"]]


@pytest.mark.parametrize(
    ("name", "text", "terms"),
    [
        ("a.json", '{"un": {"term": "United  Nations"}, "WHO": {}, "who": {}}', ["united nations", "who"]),
        ("a.json", '[{"term": "Lima", "short_description": "a city"}, "quito"]', ["lima", "quito"]),
        ("a.txt", "\ufeffLima\n\n東京\nlima \n", ["lima", "東京"]),
    ],
)
def test_a_glossary_names_the_terms_that_an_export_of_it_has(
    name: str, text: str, terms: list[str], tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert list(read_glossary(tmp_path / name)) == terms


@pytest.mark.parametrize(
    ("text", "why"),
    [("[" * 100_000, "nested too deeply"), ('["lima", 1]', "entry 2 is no term: 1"), ("[]", "names no term"),
     ('"lima"', "an object of phrases or a list"), ('{"lima": {"term": 1}}', "the entry 'lima' is no term")],
)  # fmt: skip
def test_a_file_that_is_no_glossary_is_refused(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=why):
        read_glossary(tmp_path / "a.json")


@pytest.mark.parametrize("window", [0.0, 0.00001, float("nan")])
def test_a_window_that_holds_no_sound_is_refused(window: float, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a window has 0\.1 s or more"):
        triptych.retrieve(tmp_path, tmp_path / "a.wav", window=window)
