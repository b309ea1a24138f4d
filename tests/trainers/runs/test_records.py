"""What a run leaves behind: its record, metrics that a resumed run takes back, curves, model card, requirements."""

from __future__ import annotations

import json
import logging
import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.training_runs import config_of, conversations
from triptych.errors import TriptychError
from triptych.shards.care.removal import remove
from triptych.shards.exports.versions import find
from triptych.shards.pace import Pace
from triptych.shards.store.store import Store
from triptych.trainers.data.bad_rows import LeftOut
from triptych.trainers.runs.config.read import read_config
from triptych.trainers.runs.config.sections import RunConfig
from triptych.trainers.runs.loop.stop_signals import Stopped
from triptych.trainers.runs.records import requirements
from triptych.trainers.runs.records.card import card_text, front_matter_of, merged_card, metadata
from triptych.trainers.runs.records.curves import Curves
from triptych.trainers.runs.records.facts import RunFacts
from triptych.trainers.runs.records.record import RunRecord
from triptych.trainers.runs.records.run_json import rates_of, read_record
from triptych.trainers.runs.records.run_line import RunLine, score_line, step_line
from triptych.trainers.runs.records.run_log import LogFile, StepLines, read_lines


class Tokenizer:
    """As much of a tokenizer as a record asks for."""

    def get_vocab(self) -> dict[str, int]:
        return {"a": 0, "<|AUDIO|>": 1}

    def get_added_vocab(self) -> dict[str, int]:
        return {"<|AUDIO|>": 1}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store.open(conversations(tmp_path_factory.mktemp("record"), rows=3, seconds=0.3))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "README.md").write_text("---\nlicense: apache-2.0\nbase_model: [some/base]\n---\nText", encoding="utf-8")
    return folder


def facts_of(store: Store, model: Path, folder: Path, *, is_known: bool = True) -> RunFacts:
    return RunFacts(
        trainer="sft", config=config_of(model, folder, lora={}), exports={"train": find(store, "talk")},
        revision="sha256:1", family="qwen2-audio", tokenizer=Tokenizer(), model_folder=model, steps=4, rows=3,
        components=[{"component": "language_model", "parameters": 10, "trainable": 2}],
        rates={"projector": (1e-3, 1e-5), "language_model adapters": (0.0, 2e-5)},
        store=store if is_known else None,
    )  # fmt: skip


def line(step: int, loss: float = 1.0) -> dict[str, Any]:
    return {"step": step, "epoch": step / 2, "loss": loss, "losses": {"answer": loss}, "lr": {"adapters": 1e-4},
            "grad_norm": 1.0, "rows": 2, "tokens": 20, "padding": 0.1, "tokens_per_second": 9.0}  # fmt: skip


def save(record: RunRecord, step: int, *, best: int | None = None) -> None:
    """A checkpoint, as the loop tells of it."""
    path = record.folder / "checkpoints" / f"step-{step:06d}"
    path.mkdir(parents=True)
    progress = SimpleNamespace(best_step=best, best=0.5 if best is not None else None, is_stopped_early=False)
    record.saved(SimpleNamespace(path=path, name=path.name), progress)


def test_a_run_is_recorded_from_its_start_to_its_end(store: Store, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    told: list[RunLine] = []
    with RunRecord(folder, facts_of(store, model, folder), lines=told.append) as record:
        assert read_record(folder)["status"] == "running"
        record.logged({"step": 0, "epoch": 0.0, "scores": {"wer": 1.0}, "counts": {"wer": {"rows": 3}}})
        for step in (1, 2):
            record.stepped(step, 4)
            record.logged(line(step))
        record.logged({"step": 2, "scores": {"wer": 0.5}, "counts": {"wer": {"rows": 3, "low": 0.25, "high": 0.75}}})
        record.left_out([(2, LeftOut("talk/1", "too_long", "31 s"))])
        save(record, 2, best=2)
        assert read_record(folder)["checkpoints"] == ["step-000002"]
        logging.getLogger("some_library").warning("a warning of a library")
    found = read_record(folder)
    assert (found["status"], found["step"], found["rows_read"], found["left_out"]) == ("finished", 2, 4, 1)
    train = found["exports"]["train"]
    assert (train["reference"], train["content_sha256"]) == ("talk@v1", find(store, "talk").manifest["content_sha256"])
    assert re.fullmatch(r"[0-9a-f]{64}", train["manifest_sha256"])
    assert found["tokenizer"]["vocabulary"] == 2
    assert found["tokenizer"]["added"] == ["<|AUDIO|>"]
    assert found["best"] == {"checkpoint": "step-000002", "step": 2, "score": 0.5}
    assert found["model"] == {"name": "model", "is_on_hub": False, "revision": "sha256:1", "family": "qwen2-audio",
                              "license": "apache-2.0", "base_model": ["some/base"]}  # fmt: skip
    rates = "projector 0.001, then 1e-05; language model adapters 0, then 2e-05; cosine"
    assert f"| learning rate | {rates} |" in (folder / "README.md").read_text()
    assert rates in (folder / "curves.html").read_text()
    assert rates_of({**found, "learning_rates": {}}) == "0.01; cosine"  # an older record
    assert found["software"]["triptych"]["version"]
    assert os.uname().nodename not in json.dumps(found)
    assert read_config(RunConfig, folder / "config.yaml").config == record.facts.config
    assert [row["id"] for row in read_lines(folder / "rows_left_out.jsonl")] == ["talk/1"]
    log = (folder / "log.txt").read_text()
    assert "step 2 of 4: loss 1.0000" in log
    assert [each.logged for each in told] == [
        "train sft begins: talk@v1, model, 4 steps", "step 0: wer 1", "step 1 of 4: loss 1.0000, lr 0.0001",
        "step 2 of 4: loss 1.0000, lr 0.0001", "step 2: wer 0.5",
    ]  # fmt: skip
    assert all(each.logged in log for each in told)
    assert str(told[3]) == f"{told[3].logged}; 0 s left"
    assert "a warning of a library" in log
    assert f"triptych=={found['software']['triptych']['version']}" in (folder / "requirements.txt").read_text()
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md", "checkpoints", "config.yaml", "curves.html", "log.txt", "metrics.jsonl", "requirements.txt",
        "rows_left_out.jsonl", "run.json",
    ]  # fmt: skip


def test_the_time_that_is_left_is_that_of_the_steps_after_the_first() -> None:
    times = iter([0.0, 10.0, 20.0])
    pace = Pace(clock=lambda: next(times))
    pace.stepped(7)  # a run that went on after step 6
    assert pace.left_s(7, 1000) is None
    for step in (8, 9):
        pace.stepped(step)
    assert pace.left_s(9, 1000) == 9910
    seen = {**line(9, 0.5), "lr": {"projector": 1e-4, "language_model": 1e-5, "lm_head": 1e-5}}
    assert str(step_line(seen, 1000, 9910.0)) == "step 9 of 1,000: loss 0.5000, lr 1e-05 to 0.0001; 2 h 45 min left"
    assert str(step_line(seen, 1000, 62.0)).endswith("; 1 min 02 s left")
    assert str(step_line(seen, 9, 0.0)) == "step 9 of 9: loss 0.5000, lr 1e-05 to 0.0001"


def test_the_log_has_all_scores_and_who_waits_is_told_the_first() -> None:
    told = score_line({"step": 3, "scores": {f"s{number}": 0.5 for number in range(6)}})
    assert told.logged == "step 3: s0 0.5, s1 0.5, s2 0.5, s3 0.5, s4 0.5, s5 0.5"
    assert str(told) == "step 3: s0 0.5, s1 0.5, s2 0.5, s3 0.5 and 2 more"


def test_a_resumed_run_takes_back_what_came_after_its_checkpoint(store: Store, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    facts = facts_of(store, model, folder, is_known=False)
    with pytest.raises(Stopped), RunRecord(folder, facts) as record:
        for step in (1, 2, 3):
            record.logged(line(step))
        record.left_out([(1, LeftOut("a", "bad", "")), (3, LeftOut("b", "bad", ""))])
        save(record, 2)
        raise Stopped(15, 3, command="again")
    stopped = read_record(folder)
    assert stopped["status"] == "stopped"
    assert "SIGTERM" in stopped["message"]
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "los')  # a killed process
    with pytest.raises(TriptychError), RunRecord(folder, facts, from_step=2) as record:
        assert [each["step"] for each in read_lines(folder / "metrics.jsonl")] == [1, 2]
        for value in (0.5, 0.25):  # told, killed, and told again by the run that goes on
            record.logged({"step": 2, "epoch": 0.5, "scores": {"wer": value}, "counts": {}})
        assert [each.get("scores") for each in read_lines(folder / "metrics.jsonl")] == [None, None, {"wer": 0.25}]
        record.logged(line(3))
        raise TriptychError("no space")
    found = read_record(folder)
    assert [each["step"] for each in read_lines(folder / "metrics.jsonl")] == [1, 2, 2, 3]
    assert (found["rows_read"], found["left_out"], found["last"]) == (6, 1, "step-000002")
    assert (found["status"], found["message"]) == ("failed", "TriptychError: no space")
    assert [(each["from_step"], each["to_step"], each["status"]) for each in found["sessions"]] == [
        (0, 3, "stopped"), (2, 3, "failed"),
    ]  # fmt: skip
    assert "**This run did not finish**" in (folder / "README.md").read_text()


def test_a_store_names_the_runs_that_used_withdrawn_samples(store: Store, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "used"
    for from_step in (0, 2):  # a resumed run is one run
        with RunRecord(folder, facts_of(store, model, folder), from_step=from_step) as record:
            record.logged(line(from_step + 1))
    found = remove(store, dataset="talk", dry_run=True)
    assert found.trainings[str(folder)] == ["talk@v1"]
    assert list(found.exports) == ["talk@v1"]


def test_a_store_that_cannot_be_written_is_no_end_of_a_run(
    store: Store, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from triptych.errors import StoreReadOnly
    from triptych.trainers.runs.records import record as module

    def refuse(*args: Any, **options: Any) -> str:
        raise StoreReadOnly(store.root)

    monkeypatch.setattr(module, "register_training", refuse)
    with RunRecord(tmp_path / "run", facts_of(store, model, tmp_path / "run")):
        pass
    assert "The store does not know of this run" in (tmp_path / "run" / "log.txt").read_text()


def test_numbers_that_json_lacks_are_told_and_not_drawn(tmp_path: Path) -> None:
    lines = StepLines(tmp_path / "metrics.jsonl")
    for step, value in enumerate([1.0, float("inf"), 2.0], start=1):
        lines.add({**line(step), "grad_norm": value})
    [norm] = [chart for chart in Curves.read(lines.path).charts() if chart.title == "Norm of the gradients"]
    assert norm.not_numbers == 1
    assert norm.label == "grad norm: 1 to 2, lowest 1, highest 2"
    assert "inf" not in norm.svg()


def test_many_steps_are_drawn_with_their_spikes_in_few_points() -> None:
    curves = Curves()
    for step in range(1, 20_001):
        curves.add(line(step, loss=9.0 if step == 7_777 else 1.0))
    loss = next(iter(curves.charts()))
    assert loss.label == "training: 1 to 1, lowest 1, highest 9"
    assert len(loss.svg()) < 25_000
    top = min(float(y) for path in re.findall(r'd="([^"]*)"', loss.svg()) for y in re.findall(r" (\d+\.\d)", path))
    assert top < 25


def test_a_card_says_unknown_and_its_metadata_is_that_of_the_hub(store: Store, model: Path, tmp_path: Path) -> None:
    from huggingface_hub import ModelCardData

    folder = tmp_path / "run"
    with RunRecord(folder, facts_of(store, model, folder, is_known=False)) as record:
        record.logged({"step": 2, "scores": {"wer": 0.5}, "counts": {"wer": {"rows": 3, "low": 0.25, "high": 0.75}}})
    found = read_record(folder)
    data = ModelCardData(**front_matter_of(folder / "README.md"))
    assert (data.license, data.license_name, data.datasets) == ("other", "of-base-model-and-data", ["talk"])
    assert (data.library_name, data.pipeline_tag, data.base_model) == ("peft", "audio-text-to-text", None)
    text = card_text(found)
    assert "| dataset talk | unknown |" in text
    assert "| base model model | apache-2.0 |" in text
    assert "0.5 (0.25 to 0.75; 3 rows)" in text
    assert "clinical, legal or other decisions of high risk" in text
    found["exports"]["train"]["datasets"] = {"a|b": {"apache-2.0": 3}}
    found["model"] |= {"name": "Qwen/Qwen2-Audio-7B", "is_on_hub": True}
    assert metadata(found)["license"] == "apache-2.0"
    assert metadata(found)["base_model"] == "Qwen/Qwen2-Audio-7B"
    assert r"| dataset a\|b | apache-2.0 |" in card_text(found)


def test_the_card_of_a_merged_model_tells_of_a_whole_model(store: Store, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with RunRecord(folder, facts_of(store, model, folder, is_known=False)):
        pass
    (tmp_path / "README.md").write_text(str(merged_card(folder, "step-000005")))
    assert front_matter_of(folder / "README.md")["library_name"] == "peft"
    assert front_matter_of(tmp_path / "README.md")["library_name"] == "transformers"
    text = (tmp_path / "README.md").read_text()
    assert "the whole model: LoRA adapters of the checkpoint step-000005 are in its weights" in text
    assert "makes a whole model" not in text
    (folder / "README.md").unlink()  # as of a run that was killed
    assert merged_card(folder, "step-000005") == text
    (folder / "README.md").write_text("# What people wrote\n")
    assert merged_card(folder, "step-000005") == "# What people wrote\n"


def test_requirements_name_where_versions_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    own = {"version": "1.0", "commit": "abc", "changed": True}
    text = requirements.requirements_text({"triptych": own, "python": "3.11", "packages": {"torch": "2.9+cpu"}})
    assert text.splitlines() == [
        "# python 3.11", "# triptych was a checkout of commit abc, with files that differ from it", "triptych==1.0",
        "--extra-index-url https://download.pytorch.org/whl/cpu", "torch==2.9+cpu",
    ]  # fmt: skip
    own = {"version": "1.0", "commit": "abc", "url": "https://host/it.git"}
    text = requirements.requirements_text({"triptych": own, "python": "3.11", "packages": {}})
    assert text.splitlines()[1] == "triptych @ git+https://host/it.git@abc"
    monkeypatch.setattr(requirements, "_ROOT", Path("/usr"))
    assert requirements._checkout() is None


def test_the_log_file_takes_more_than_the_terminal_is_shown(tmp_path: Path) -> None:
    class Terminal(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            shown.append(record.getMessage())

    shown: list[str] = []
    own, terminal, file = logging.getLogger("triptych"), Terminal(), LogFile(tmp_path / "log.txt")
    before = own.level
    own.addHandler(terminal)
    own.setLevel(logging.WARNING)
    try:
        file.begin()
        own.info("a commit")
        own.warning("a warning")
        file.end()
        own.setLevel(logging.INFO)
        own.info("asked for")
    finally:
        own.removeHandler(terminal)
        own.setLevel(before)
    assert shown == ["a warning", "asked for"]
    assert [line.split(" ", 1)[1] for line in file.path.read_text().splitlines()] == [
        "info: a commit",
        "warning: a warning",
    ]
