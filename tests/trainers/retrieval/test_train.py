"""Contrastive runs: what is trained and measured, going on exactly, and what is found with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import triptych
from support.stores import cli
from triptych.errors import ProblemsFound, UsageError
from triptych.shards import pace

pytest.importorskip("torch")
pytest.importorskip("faiss")

VALUES = {"training.batch_size": "4", "training.epochs": "3", "retrieval.dimension": "16",
          "retrieval.enable_hard_neg": "true", "retrieval.enable_full_eval": "true"}  # fmt: skip


def train(model: Path, store: Path, out: Path, *, lines: Any = None, **values: Any) -> Any:
    given = VALUES | {name.replace("__", "."): value for name, value in values.items()}
    return triptych.train_contrastive("chunks", store=store, model=str(model), output_dir=out, values=given,
                                      lines=lines)  # fmt: skip


@pytest.fixture(scope="module")
def told() -> list[str]:
    """The lines that the run told."""
    return []


@pytest.fixture(scope="module")
def run(short: Path, chunks: Path, told: list[str], tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pace, "EVERY_S", 0.0)
        return train(
            short, chunks, tmp_path_factory.mktemp("runs") / "whole", lines=lambda line: told.append(str(line))
        )


def test_a_run_tells_how_far_it_is_while_clips_are_encoded(run: Any, told: list[str]) -> None:
    assert told[0] == "encoding: 1 of 10 clips" and told[8].startswith("encoding: 9 of 10 clips; ")
    assert told[9].startswith("train contrastive begins")


def test_a_run_is_measured_on_held_out_clips_and_unseen_terms(run: Any) -> None:
    assert run.steps == 6 and run.measured == {"test": 4} and run.unseen == 1
    assert run.clips == 6 and run.clips_without_term == 3
    scores = run.scores["test"]
    assert scores.glossary == 4 and (scores.seen.terms, scores.unseen.terms) == (1, 1)
    assert scores.at.rejected is not None
    record = json.loads((run.folder / "run.json").read_text(encoding="utf-8"))
    assert record["status"] == "finished" and record["rows"] == 6
    lines = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    losses = next(line["losses"] for line in lines if "losses" in line)
    assert set(losses) == {"audio_text", "audio_term", "no_term", "hard_negative"}
    card = (run.folder / "README.md").read_text(encoding="utf-8")
    assert "on 6 rows of the export" in card and "splits were trained on" not in card


def test_a_run_that_was_cut_short_goes_on_to_the_same_weights(
    run: Any, short: Path, chunks: Path, tmp_path: Path
) -> None:
    import shutil

    shutil.copytree(run.folder, tmp_path / "cut")
    last = tmp_path / "cut" / "checkpoints" / "step-000006"
    shutil.rmtree(last)
    shutil.rmtree(tmp_path / "cut" / "retriever")
    again = triptych.train_contrastive(store=chunks, output_dir=tmp_path / "cut", resume=True)

    for name in ("checkpoints/step-000006/weights.safetensors", "retriever/projections.safetensors"):
        assert (again.folder / name).read_bytes() == (run.folder / name).read_bytes()


def test_a_text_model_may_be_moved_and_not_be_another(run: Any) -> None:
    from triptych.trainers.runs.loop.identity import check_same

    state = json.loads((run.folder / "checkpoints" / "step-000006" / "run_state.json").read_text(encoding="utf-8"))
    then = state["identity"]
    moved = {**then["config"], "retrieval": {**then["config"]["retrieval"], "text_model": "elsewhere"}}
    check_same(then, {**then, "config": moved})
    with pytest.raises(UsageError, match="not the run"):
        check_same(then, {**then, "model": "another text encoder"})


def test_terms_are_found_in_a_recording(run: Any, chunks: Path, tmp_path: Path) -> None:
    from support.imported import noise, sound

    long = sound(tmp_path / "long.wav", noise(9, seed=2))
    found = triptych.retrieve(run.folder, long, top=1, threshold=-1.0, window=4)

    [clip] = found.clips
    assert found.glossary == 4 and clip.error is None
    assert clip.terms[0].start_s == 0 and max(term.end_s for term in clip.terms) == 9
    (tmp_path / "terms.txt").write_text("Lima\nquito\n", encoding="utf-8")
    told = cli("retrieve", str(run.folder), str(long), "--glossary", str(tmp_path / "terms.txt"), "--threshold", "-1",
               "--json")  # fmt: skip
    assert {term["term"] for clip in json.loads(told.stdout)["clips"] for term in clip["terms"]} <= {"lima", "quito"}


def test_an_encoder_that_changed_is_refused(run: Any, tmp_path: Path) -> None:
    import shutil

    from triptych.errors import DamagedError
    from triptych.trainers.retrieval.search.retriever import Retriever

    shutil.copytree(run.retriever, tmp_path / "retriever")
    path = tmp_path / "retriever" / "retriever.json"
    told = json.loads(path.read_text(encoding="utf-8")) | {"speech_revision": "another"}
    path.write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(DamagedError, match="not the one"):
        Retriever.open(tmp_path)


def test_files_of_another_retriever_are_refused(run: Any, tmp_path: Path) -> None:
    import shutil

    from triptych.errors import DamagedError
    from triptych.trainers.retrieval.search.retriever import Retriever

    for name in ("glossary_terms.json", "glossary.faiss", "projections.safetensors"):
        folder = Path(shutil.copytree(run.retriever, tmp_path / name))
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(data)
        with pytest.raises(DamagedError, match=f"{name}: changed since it was written"):
            Retriever.open(folder)


def test_another_glossary_is_read_as_the_terms_of_training_were(run: Any, tmp_path: Path) -> None:
    import shutil

    from triptych.trainers.retrieval.search.retriever import Retriever

    shutil.copytree(run.retriever, tmp_path / "retriever")
    path = tmp_path / "retriever" / "retriever.json"
    told = json.loads(path.read_text(encoding="utf-8")) | {"text_field": "short_description"}
    path.write_text(json.dumps(told), encoding="utf-8")
    by_term = Retriever.open(run.folder, glossary={"a city": {}}).index.index.reconstruct(0)
    by_text = Retriever.open(tmp_path, glossary={"lima": {"short_description": "A city"}}).index.index.reconstruct(0)
    assert by_term.tolist() == by_text.tolist()
    with pytest.raises(UsageError, match="1 term has no short_description: 'quito'"):
        Retriever.open(tmp_path, glossary={"lima": {"short_description": "a city"}, "quito": {}})


def test_a_term_without_a_description_is_refused(short: Path, chunks: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'bern'"):
        train(short, chunks, tmp_path / "run", retrieval__text_field="short_description")


def test_a_dry_run_writes_nothing_and_sections_of_other_trainers_are_refused(
    short: Path, chunks: Path, tmp_path: Path
) -> None:
    planned = triptych.train_contrastive(
        "chunks", store=chunks, model=str(short), output_dir=tmp_path / "run", dry_run=True, values=VALUES
    )
    assert (planned.clips, planned.steps, planned.retriever) == (6, 6, None) and not (tmp_path / "run").exists()
    with pytest.raises((UsageError, ProblemsFound), match="stages: it is for models that answer"):
        train(short, chunks, tmp_path / "run", stages="[{train: projector}]")
    with pytest.raises((UsageError, ProblemsFound), match=r"data\.workers: it changes nothing"):
        train(short, chunks, tmp_path / "run", data__workers="4")
    with pytest.raises((UsageError, ProblemsFound), match=r"lr_projector: it changes nothing"):
        train(short, chunks, tmp_path / "run", training__lr_projector="1e-4")


def test_terms_that_only_tests_name_are_no_near_terms_of_training(chunks: Path) -> None:
    from triptych.shards.store.store import Store
    from triptych.trainers.retrieval.prepare import candidates_of
    from triptych.trainers.retrieval.term_rows import TermRows

    rows = TermRows.open("chunks", store=Store.open(chunks))
    assert [
        rows.glossary[number]
        for number in candidates_of(rows, rows.of("train"), {term: term for term in rows.glossary})
    ] == [
        "bern",
        "oslo",
        "paris",
    ]
