"""Runs of SFT on tiny models of the real classes: from an export to checkpoints, and on from these."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import triptych
from support import models, stores, training_runs
from support.places import DATA

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from triptych.errors import ProblemsFound, UsageError
from triptych.shards.store.store import Store
from triptych.trainers.models.towers import SoundUnheard
from triptych.trainers.runs.loop.stop_signals import Stopped
from triptych.trainers.runs.run import train
from triptych.trainers.sft.cross_entropy import CrossEntropy
from triptych.trainers.sft.train import SFT

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exports `talk` (tones and what is said of them) and `mixed` (with conversations of text alone)."""
    return training_runs.mixed(tmp_path_factory.mktemp("runs"))


def short(model: Path, out: Path, **sections: Any) -> Any:
    """A run of three steps, with a checkpoint after each."""
    training = {"epochs": 1, "gradient_accumulation_steps": 1, "warmup_steps": 0, **sections.pop("training", {})}
    return training_runs.config_of(model, out, training=training, logging={"save_steps": 1}, **sections)


def test_the_command_trains_tells_and_scores(qwen2_audio: Path, store: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    keys = {"training.epochs": 1, "training.batch_size": 2, "training.gradient_accumulation_steps": 2,
            "data.workers": 0, "data.validation": "talk", "data.allow_overlap": "true", "lora": "{r: 4}",
            "logging.save_steps": 1,
            "evaluation": "{export: talk, metric: wer, rows: 2, max_new_tokens: 3}"}  # fmt: skip
    command = ["train", "sft", "mixed", "--model", qwen2_audio, "--store", store, "--output-dir", out, "--json"]
    command += [word for key, value in keys.items() for word in ("--set", f"{key}={value}")]
    done = stores.cli(*command)
    assert done.returncode == 0, done.stderr
    assert "train sft begins: mixed@v1, " in done.stderr
    assert "step 3 of 3: loss " in done.stderr
    told = json.loads(done.stdout)
    assert (told["steps"], told["epochs"], told["rows"], told["left_out"]) == (3, 1.0, 12, {})
    assert told["scores"].keys() == told["base_scores"].keys() == {"validation_loss", "wer"}
    assert (told["audio_gap"]["rows"], told["audio_gap"]["is_heard"]) == (6, True)
    record = json.loads((out / "run.json").read_text())
    learnt = [text.split(":")[0] for text in record["warnings"] if "talk@v1 has 6 samples of mixed@v1" in text]
    assert learnt == ["data.validation", "evaluation.export"]
    assert record["configuration"]["data"]["allow_overlap"] is True
    assert all(f"warning: {text}" in done.stderr for text in record["warnings"])
    card = (out / "README.md").read_text()
    assert "has 6 samples of mixed@v1" in card
    gaps = record["audio_gap"]
    assert record["exports"]["train"]["languages"] == ["en"]  # its rows name none, its samples do
    assert gaps["last"] == told["audio_gap"] != gaps["base"]
    assert "| learning rate | projector 0.0001; language model adapters 2e-05; cosine |" in card
    assert f"base model {gaps['base']['gap']:+.4f}" in card
    assert told["best_checkpoint"] in {path.name for path in (out / "checkpoints").iterdir()}
    trained = {each["component"]: (each["trainable"], each["adapters"]) for each in told["components"]}
    assert trained == {"audio_tower": (0, 0), "projector": (1056, 0), "language_model": (0, 14), "lm_head": (0, 0)}
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "scores" in line] == [0, 1, 2, 3]
    again = stores.cli(*command)
    assert again.returncode == 2
    assert "a run stands in" in again.stdout + again.stderr


@pytest.mark.thorough
def test_a_signal_ends_a_run_after_its_step_and_it_goes_on_to_the_same_weights(
    qwen2_audio: Path, store: Path, tmp_path: Path
) -> None:
    lora = {"r": 4, "dropout": 0.1}
    whole = short(qwen2_audio, tmp_path / "whole", lora=lora)
    training_runs.train(whole, store)
    parts = short(qwen2_audio, tmp_path / "parts", lora=lora)

    def stop(step: int, of: int) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stopped, match="SIGTERM: the run ended after step 2") as ended:
        train(parts, SFT, store=Store.open(store), progress=stop)
    assert ended.value.exit_code == 143
    assert str(ended.value.hint).endswith("--resume")
    made = training_runs.train(parts, store, resume=True)
    assert (made.steps, made.rows) == (3, 6)
    one, two = weights_file(whole), weights_file(parts)
    assert one.keys() == two.keys()
    assert all(one[name].equal(two[name]) for name in one)


@pytest.mark.parametrize(
    "values", [{"data.train": "nosuch"}, {"data.validation": "nosuch"}, {"evaluation": "{export: nosuch}"}], ids=str
)
@pytest.mark.parametrize("dry_run", [False, True], ids=["run", "dry"])
def test_an_export_that_is_not_there_is_told_before_a_model_is_looked_for(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: dict[str, str], *, dry_run: bool
) -> None:
    without_libraries_of_models(monkeypatch)
    with pytest.raises(UsageError, match="has no export 'nosuch'"):
        triptych.train_sft(model="Some/Model", download=True, values={"data.train": "talk", **values}, store=store,
                           output_dir=tmp_path / "run", dry_run=dry_run)  # fmt: skip
    assert not (tmp_path / "run").exists()


def without_libraries_of_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever loads one, which takes seconds, fails."""
    for name in ("torch", "transformers", "accelerate"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.parametrize(
    "command",
    ["train dpo nosuch --model m --output-dir o", "train phoneme nosuch --model m --output-dir o --dry-run",
     "train contrastive nosuch --model m --output-dir o", "train contrastive nosuch --model m --dry-run",
     "prune --model m --audio nosuch --report o", "prune --model m --audio talk --eval nosuch --report o",
     "infer nosuch --model m --out o", "evaluate nosuch --pred p", "phoneme infer m --export nosuch",
     "phoneme build-vocabulary nosuch --model m --out o"],
)  # fmt: skip
def test_an_export_that_is_not_there_is_told_before_libraries_of_models_are_loaded(
    store: Path, qwen2_audio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    without_libraries_of_models(monkeypatch)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m").symlink_to(qwen2_audio)
    (tmp_path / "p").write_text('{"id": "1", "prediction": "x"}\n')
    done = stores.cli(*command.split(), "--store", store)
    assert done.returncode == 2 and "has no export 'nosuch'" in done.stderr, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m", "p"]


@pytest.mark.parametrize(
    ("train", "values"),
    [(triptych.train_sft, {"evaluation": "{export: talk}"}),
     *((train, {"data.validation": "talk"}) for train in (triptych.train_dpo, triptych.train_phoneme))],
)  # fmt: skip
def test_rows_that_are_measured_on_are_refused_before_a_model_is_looked_for(
    store: Path, tmp_path: Path, train: Any, values: dict[str, str]
) -> None:
    with pytest.raises(UsageError, match=r"talk@v1 has 6 samples of mixed@v1: talk/all/000, ") as refused:
        train(model="Some/Model", values={"data.train": "mixed", **values}, store=store, output_dir=tmp_path / "run")
    assert "data.allow_overlap=true" in str(refused.value.hint)


def test_another_run_does_not_go_on_from_a_checkpoint(qwen2_audio: Path, store: Path, tmp_path: Path) -> None:
    training_runs.train(short(qwen2_audio, tmp_path, training={"max_steps": 1}), store)
    other = short(qwen2_audio, tmp_path, training={"max_steps": 1, "lr": 1e-3, "seed": 7}, train="mixed")
    with pytest.raises(UsageError) as refused:
        training_runs.train(other, store, resume=True)
    for told in ("training.lr: 0.01 then, 0.001 now", "training.seed: 42 then, 7 now", "the rows of data.train"):
        assert told in refused.value.message
    free = short(qwen2_audio, tmp_path, training={"max_steps": 1}, data={"workers": 1})
    training_runs.train(free, store, resume=True)


class Deaf(CrossEntropy):
    """A trainer that hands the model its placeholders and not the sound, as some do."""

    def losses(self, model: Any, inputs: Any) -> Any:
        import torch

        deaf = {name: value for name, value in inputs.items() if "feature" not in name}
        deaf["input_ids"] = torch.zeros_like(inputs["input_ids"])
        return super().losses(model, deaf)


def test_a_run_that_hears_nothing_fails(qwen2_audio: Path, store: Path, tmp_path: Path) -> None:
    deaf = replace(SFT, objective=lambda towers: Deaf())
    with pytest.raises(SoundUnheard, match="the audio_tower was not called: nothing of it is heard"):
        train(short(qwen2_audio, tmp_path), deaf, store=Store.open(store))


def test_bad_rows_stop_a_run_or_are_named(qwen2_audio: Path, store: Path, tmp_path: Path) -> None:
    long = {"max_audio_seconds": 0.6}
    with pytest.raises(ProblemsFound, match=r"too_long.*3 more rows"):
        training_runs.train(short(qwen2_audio, tmp_path / "refused", data=long), store)
    with pytest.raises(ProblemsFound, match="no row of 6 can be taken") as none:
        training_runs.train(short(qwen2_audio, tmp_path / "none", data={"max_audio_seconds": 0.1}), store)
    assert "leave_out" not in str(none.value.hint)
    out = tmp_path / "run"
    made = training_runs.train(short(qwen2_audio, out, data={**long, "bad_rows": "leave_out"}), store)
    assert made.left_out == {"too_long": 4}
    assert made.rows == 2
    lines = [json.loads(line) for line in (out / "rows_left_out.jsonl").read_text().splitlines()]
    assert [line["reason"] for line in lines] == ["too_long"] * 4
    cut = training_runs.train(short(qwen2_audio, tmp_path / "cut", data={**long, "long": "cut"}), store)
    assert (cut.rows, cut.left_out) == (6, {})
    assert cut.cut_seconds > 0


def weights_file(config: Any) -> dict[str, Any]:
    from safetensors.torch import load_file

    [*_, last] = sorted((config.folder / "checkpoints").iterdir())
    return dict(load_file(last / "weights.safetensors"))


EXACT: dict[str, dict[str, Any]] = {
    "lora": {"lora": {"r": 4, "dropout": 0.0}},
    "staged": {"stages": [{"train": "projector", "steps": 1}, {"train": "all"}]},
    "full": {},
}
"""Modes without dropout, which each process draws for itself."""


def together(
    model: Path, store: Path, folder: Path, settings: Mapping[str, str] | None = None, **sections: Any
) -> float:
    """The largest difference between the weights of one process and of two with the same steps."""
    shared = {"train": "mixed", "optimizer": {"eps": 1e-3}, **sections}
    alone = short(model, folder / "alone", **shared, training={"gradient_accumulation_steps": 2})
    both = short(model, folder / "both", **shared, training={"gradient_accumulation_steps": 1})
    training_runs.train(alone, store)
    training_runs.train_together(both, store, **(settings or {}))
    one, two = weights_file(alone), weights_file(both)
    assert one.keys() == two.keys()
    return max(float((one[name] - two[name]).abs().max()) for name in one)


@pytest.mark.thorough
@pytest.mark.parametrize("mode", training_runs.MODES)
@pytest.mark.parametrize("model", ["qwen2_audio", "omni_thinker"])
def test_two_processes_train_as_one_does_though_one_hears_and_the_other_reads(
    model: str, mode: str, store: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    assert together(request.getfixturevalue(model), store, tmp_path, **EXACT[mode]) <= 1e-5


@pytest.mark.thorough
@pytest.mark.parametrize("mode", training_runs.MODES)
@pytest.mark.parametrize("model", ["qwen2_audio", "omni_thinker"])
def test_a_model_in_parts_is_trained_as_a_whole_one(
    model: str, mode: str, store: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(model)
    assert together(folder, store, tmp_path, training_runs.FSDP, **EXACT[mode]) <= 1e-5
    assert any((tmp_path / "both" / "checkpoints").glob("*/optimizer.bin")), "FSDP did not part it"


@pytest.mark.thorough
@pytest.mark.parametrize("mode", training_runs.MODES)
@pytest.mark.parametrize("model", ["qwen2_audio", "omni_thinker"])
def test_a_model_in_parts_is_scored_stopped_and_goes_on_to_the_same_weights(
    model: str, mode: str, store: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    sections = {**training_runs.MODES[mode], "stages": EXACT[mode].get("stages", [])}
    scored = {
        "data": {"validation": "talk", "allow_overlap": True},
        "evaluation": {"export": "talk", "rows": 3, "max_new_tokens": 3},
    }
    folder = request.getfixturevalue(model)
    whole = short(folder, tmp_path / "whole", train="mixed", **sections)
    training_runs.train_together(whole, store, **training_runs.FSDP)
    parts = short(folder, tmp_path / "parts", train="mixed", **sections, **scored)
    training_runs.train_together(parts, store, **training_runs.FSDP)
    shutil.rmtree(parts.folder / "checkpoints" / "step-000003")
    training_runs.train_together(parts, store, resume=True, **training_runs.FSDP)
    one, two = weights_file(whole), weights_file(parts)
    assert one.keys() == two.keys()
    assert all(one[name].equal(two[name]) for name in one)
    lines = [json.loads(line) for line in (parts.folder / "metrics.jsonl").read_text().splitlines()]
    assert {"validation_loss", "wer"} == [line["scores"] for line in lines if "scores" in line][-1].keys()


@pytest.mark.thorough
@pytest.mark.parametrize("mode", ["lora", "full"])
@pytest.mark.parametrize("in_parts", [False, True])
def test_a_run_in_bf16_goes_on_to_the_same_weights(
    mode: str, in_parts: bool, qwen2_audio: Path, store: Path, tmp_path: Path
) -> None:
    def run(config: Any, *, resume: bool = False) -> None:
        if in_parts:
            training_runs.train_together(config, store, resume=resume, **training_runs.FSDP)
        else:
            training_runs.train(config, store, resume=resume)

    made = short(qwen2_audio, tmp_path / "run", train="mixed", **training_runs.MODES[mode])
    made = made.model_copy(update={"model": made.model.model_copy(update={"dtype": "bf16"})})
    run(made)
    whole = weights_file(made)
    assert {str(value.dtype) for value in whole.values()} == {"torch.float32"}
    shutil.rmtree(max((made.folder / "checkpoints").iterdir()))
    run(made, resume=True)
    again = weights_file(made)
    assert all(whole[name].equal(again[name]) for name in whole)


@pytest.mark.thorough
@pytest.mark.parametrize("mode", training_runs.MODES)
@pytest.mark.parametrize("model", ["qwen2_audio", "omni_thinker"])
def test_a_run_that_is_killed_again_and_again_ends_with_the_same_weights(
    model: str, mode: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(model)
    store = training_runs.conversations(tmp_path / "data")
    whole = training_runs.config_of(folder, tmp_path / "whole", **training_runs.MODES[mode])
    training_runs.train(whole, store)
    parts = training_runs.config_of(folder, tmp_path / "parts", **training_runs.MODES[mode])
    kills = training_runs.killed(parts, store, kills=10, seed=1)
    assert sum(kills.values()) == 10
    assert training_runs.weights_of(parts, store) == training_runs.weights_of(whole, store)


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.heard(tmp_path_factory.mktemp("models") / "heard")


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with an export `libri`: 12 short clips of LibriSpeech and their transcripts."""
    import soundfile
    import triptych

    folder = tmp_path_factory.mktemp("speech")
    root = DATA / "media" / "librispeech"
    if not root.is_dir():
        pytest.skip("needs the real media")
    lines = [line.split(" ", 1) for path in root.rglob("*.trans.txt") for line in path.read_text().splitlines()]
    texts = {name: text.lower() for name, text in lines}
    clips = sorted((each for each in root.rglob("*.flac") if each.stem in texts),
                   key=lambda each: soundfile.info(each).frames)[:12]  # fmt: skip
    rows = [{"id": clip.stem, "audio": str(clip), "text": texts[clip.stem], "language": "en", "task": "asr"}
            for clip in clips]  # fmt: skip
    table = folder / "rows.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    triptych.import_data("jsonl", table, name="libri", store=folder / "store")
    triptych.export("conversation", store=folder / "store", name="libri")
    return folder / "store"


@pytest.mark.thorough
@pytest.mark.timeout(3600)
def test_a_real_encoder_and_a_real_language_model_learn_to_transcribe_what_they_hear(
    heard: Path, speech: Path, tmp_path: Path
) -> None:
    """48 steps on 12 clips: their transcripts come out, and with the sound of another clip they are far less likely."""
    out = tmp_path / "run"
    keys = {"model.audio_padding": "batch", "data.workers": 0, "training.lr": 2e-3, "training.lr_projector": 2e-3,
            "training.epochs": 16, "training.batch_size": 4, "training.gradient_accumulation_steps": 1,
            "training.warmup_steps": 3, "training.schedule": "constant", "logging.save_steps": 48,
            "lora": "{r: 8, alpha: 16, dropout: 0, targets: [q_proj, v_proj]}"}  # fmt: skip
    sets = [word for key, value in keys.items() for word in ("--set", f"{key}={value}")]
    done = stores.cli("train", "sft", "libri", "--model", heard, "--store", speech, "--output-dir", out, *sets)
    assert done.returncode == 0, done.stderr
    right, other = training_runs.audio_gap(out, speech)
    assert right <= 0.05
    assert other - right >= 1.5
    merged = stores.cli("train", "export", out, "--merge", "--for", "transformers", "--out", tmp_path / "model")
    assert merged.returncode == 0, merged.stderr
    answers = tmp_path / "answers.jsonl"
    asked = stores.cli("infer", "libri", "--model", tmp_path / "model", "--store", speech, "--out", answers,
                       "--max-new-tokens", "40")  # fmt: skip
    assert asked.returncode == 0, asked.stderr
    scored = stores.cli("evaluate", "libri", "--pred", answers, "--store", speech, "--metrics", "wer", "--json")
    [wer, *_] = json.loads(scored.stdout)["scores"]
    assert wer["value"] <= 0.02
