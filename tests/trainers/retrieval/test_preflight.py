"""What a dry run tells of a contrastive run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
import triptych
from support.stores import cli

pytest.importorskip("torch")
pytest.importorskip("faiss")

SETTINGS = ("--set", "training.batch_size=4", "--set", "training.epochs=30", "--set", "retrieval.unfreeze_layers=1")


def test_a_dry_run_tells_what_is_trained_and_what_it_takes(short: Path, chunks: Path) -> None:
    told = cli("train", "contrastive", "chunks", "--store", str(chunks), "--model", str(short), "--dry-run",
               *SETTINGS)  # fmt: skip

    assert told.returncode == 0, told.stderr
    for each in ("speech_encoder", "projector", "for all steps", "a step takes", "1 of 4 terms", "no clip is of a"):
        assert each in told.stdout, told.stdout


@pytest.fixture(scope="module")
def rows(chunks: Path) -> Any:
    from triptych.shards.store.store import Store
    from triptych.trainers.retrieval.term_rows import TermRows

    return TermRows.open("chunks", store=Store.open(chunks))


def names_of(
    rows: Any, *, alike: Any = MappingProxyType({}), allow_overlap: bool = False, **retrieval: Any
) -> dict[str, str]:
    """Findings and their levels."""
    from triptych.trainers.retrieval.config import ContrastiveConfig
    from triptych.trainers.retrieval.preflight import row_findings

    config = ContrastiveConfig.model_validate({
        "model": {"base_model": "any"}, "data": {"train": "chunks", "allow_overlap": allow_overlap},
        "retrieval": retrieval,
    })  # fmt: skip
    trained = rows.of("train")
    prepared: Any = SimpleNamespace(
        seen=frozenset(term for row in trained for term in row.terms),
        alike={term: term for term in rows.glossary} | alike,
        steps=SimpleNamespace(clips=SimpleNamespace(rows=trained)),
    )
    return {each.name: each.level for each in row_findings(config, rows, prepared)}


def test_rows_that_training_and_tests_share_are_an_error(rows: Any) -> None:
    test = next(row for row in rows.rows if row.role == "test")
    assert names_of(rows) == {"terms_without_sound": "warning", "no_validation": "warning"}
    for shared in (replace(test, id="again", role="train", source="other"),
                   replace(test, id="again", role="train", audio=Path("other.wav"))):  # fmt: skip
        both = replace(rows, rows=[*rows.rows, shared])
        assert names_of(both)["overlap"] == "error"
        assert names_of(both, allow_overlap=True)["overlap"] == "warning"


def test_a_run_on_rows_that_it_is_measured_on_does_not_begin(
    rows: Any, short: Path, chunks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from triptych.errors import UsageError
    from triptych.trainers.retrieval.term_rows import TermRows

    shared = replace(rows, rows=[*rows.rows, replace(rows.rows[-1], id="again", role="train"),
                                 replace(rows.rows[-1], id="tested", role="test")])  # fmt: skip
    monkeypatch.setattr(TermRows, "open", lambda *_, **__: shared)
    with pytest.raises(UsageError, match="1 clip is trained on and measured on"):
        triptych.train_contrastive("chunks", store=chunks, model=str(short), output_dir=tmp_path / "run")
    with pytest.raises(UsageError, match="nothing is told apart"):
        triptych.train_contrastive(
            "chunks",
            store=chunks,
            model=str(short),
            output_dir=tmp_path / "run",
            values={f"retrieval.audio_{name}_loss_ratio": 0 for name in ("text", "term")},
        )


def test_what_training_or_tests_lack_is_told(rows: Any) -> None:
    named = [row for row in rows.rows if row.terms]
    assert {"no_rejection", "rejection_unmeasured"} <= set(names_of(replace(rows, rows=named)))
    assert "no_rejection" not in names_of(replace(rows, rows=named), enable_no_term=False)
    assert names_of(rows, alike={"paris": "oslo"})["terms_alike"] == "warning"
    seen = [row for row in rows.rows if "geneva" not in row.terms]
    assert "no_unseen_terms" in names_of(replace(rows, rows=seen))
    assert "unmeasured" in names_of(replace(rows, rows=[row for row in rows.rows if row.role == "train"]))


@pytest.mark.parametrize(
    ("key", "meant"),
    [("unfreeze_layers=1", "retrieval.unfreeze_layers"), ("retrieval.gpu_ids=0,1", "CUDA_VISIBLE_DEVICES"),
     ("retrieval.test_samples_path=test.json", "the name of the export"), ("model_name=any", "model.base_model")],
)  # fmt: skip
def test_a_key_of_the_launcher_is_known_or_refused_with_what_to_use(key: str, meant: str, tmp_path: Path) -> None:
    name, value = key.split("=")
    with pytest.raises(triptych.errors.UsageError, match=meant):
        triptych.train_contrastive("chunks", model="any", output_dir=tmp_path, values={name: f"'{value}'"})
