"""Runs of phones on tiny models: what is trained, going on exactly, what is heard, and what is handed on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import triptych
from support import stores

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("peft")

from triptych.commands.models import train
from triptych.errors import DamagedError, UsageError
from triptych.trainers.models.weights import read_tensors

pytestmark = pytest.mark.usefixtures("one_thread")

VALUES = {
    "model.gradient_checkpointing": False, "training.epochs": 3, "training.batch_size": 4, "training.lr": 1e-2,
    "training.gradient_accumulation_steps": 1, "lora": "{r: 4, dropout: 0.1}", "data.workers": 0,
    "logging.save_steps": 2, "logging.logging_steps": 1, "logging.keep": 5,
}  # fmt: skip


@pytest.fixture(scope="module", params=["untied", pytest.param("tied", marks=pytest.mark.thorough)])
def run(
    request: pytest.FixtureRequest, phone_store: Path, whisper: Path, language_model: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:  # fmt: skip
    """Six steps; of the untied model with a head for CTC, by the command, with what is said about phones meanwhile."""
    out = tmp_path_factory.mktemp("runs") / request.param
    values = {**VALUES, "phoneme.encoder": str(whisper)}
    if request.param == "tied":
        triptych.train_phoneme(
            "phones", store=phone_store, model=language_model("tied"), output_dir=out, values=values
        )  # fmt: skip
        return out
    values |= {"phoneme.ctc_weight": 0.5, "data.validation": "phones-test", "phoneme.keep_states": 0.1,
               "phoneme.best_metric": "per"}  # fmt: skip
    command = ["train", "phoneme", "phones", "--model", language_model("untied"), "--store", phone_store,
               "--output-dir", out, "--json"]  # fmt: skip
    done = stores.cli(*command, *(word for key, value in values.items() for word in ("--set", f"{key}={_yaml(value)}")))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["steps"], told["rows"], told["left_out"]) == (6, 24, {}) and told["audio_gap"]["is_heard"]
    trained = {each["component"]: (each["trainable"], each["adapters"]) for each in told["components"]}
    assert trained == {
        "audio_tower": (0, 0), "projector": (544, 0), "new_tokens": (2 * 10 * 32, 0), "ctc_head": (33 * 8, 0),
        "language_model": (0, 14), "lm_head": (0, 0),
    }  # fmt: skip
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert all(set(line["losses"]) == {"phones", "ctc"} for line in lines if "losses" in line)
    assert {"validation_loss", "validation_accuracy", "per"} <= set(told["scores"])
    measured = [line for line in lines if "scores" in line]
    assert told["best"] == min(line["scores"]["per"] for line in measured[1:])
    assert measured[-1]["counts"]["per"]["rows"] == 2
    record = json.loads((out / "run.json").read_text())
    assert record["trainer"] == "phoneme"
    encoder = {"name": "whisper", "licence": "unknown"}
    assert record["about_rows"] == {"phones": 7, "phones_that_are_rare": 0, "speech_encoder": encoder}
    assert "| speech encoder whisper | unknown |" in (out / "README.md").read_text()
    return out


def _yaml(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_new_tokens_are_trained_in_the_embedding_and_in_a_head_of_its_own(run: Path) -> None:
    first, last = (dict(read_tensors(run / "checkpoints" / name)) for name in ("step-000002", "step-000006"))
    rows = {name.rpartition(".")[2] for name in last if ".new_tokens." in name}
    assert rows == ({"embedding"} if run.name == "tied" else {"embedding", "head"})
    for name in last:
        if ".new_tokens." in name and name.endswith("head" if run.name == "untied" else "embedding"):
            assert bool((first[name] != last[name]).any(1).all())  # each row has moved
    assert not any("embed_tokens" in name or "lm_head" in name or "audio_tower" in name for name in last)


def test_a_run_that_was_cut_short_goes_on_to_the_same_weights(run: Path, phone_store: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / run.name)
    for step in (4, 6):
        shutil.rmtree(tmp_path / run.name / "checkpoints" / f"step-{step:06d}", ignore_errors=True)
    again = triptych.train_phoneme(store=phone_store, output_dir=tmp_path / run.name, resume=True)
    name = "checkpoints/step-000006/weights.safetensors"
    assert (again.folder / name).read_bytes() == (run / name).read_bytes()


def test_the_folder_that_is_handed_on_says_the_same_and_is_a_language_model_like_any_other(
    run: Path, phone_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    made = triptych.train_export(run, out=tmp_path / "model", layout="vllm")
    train._show_merged(made)
    assert f"next: triptych phoneme infer {tmp_path / 'model'} AUDIO" in capsys.readouterr().out
    for name in ("projector.safetensors", "language_model/model.safetensors", "encoder/model.safetensors"):
        path = tmp_path / "model" / name
        written = path.read_bytes()
        path.write_bytes(written[:-1] + bytes([written[-1] ^ 1]))
        with pytest.raises(DamagedError, match="changed since it was written"):
            triptych.phoneme_infer(tmp_path / "model", export="phones-test", store=phone_store)
        path.write_bytes(written)
    assert made.equality.difference == 0.0 and made.equality.rounding < 1e-5
    asked = {"export": "phones-test", "store": phone_store, "pronunciation": True}
    here, there = triptych.phoneme_infer(run, **asked), triptych.phoneme_infer(tmp_path / "model", **asked)
    for one, other in zip(here.clips, there.clips, strict=True):
        assert one.heard is not None and other.heard is not None and one.heard.text == other.heard.text
        assert [each.goodness for each in one.heard.goodness] == pytest.approx(
            [each.goodness for each in other.heard.goodness], abs=1e-4
        )
    # What a server does that is handed embeddings: the projected sound, and those of the question.
    from triptych.trainers.phoneme.recognizer import PhoneRecognizer

    own = PhoneRecognizer.open(tmp_path / "model", device="cpu")
    language, told = AutoModelForCausalLM.from_pretrained(
        tmp_path / "model" / "language_model", output_loading_info=True
    )
    assert not told["missing_keys"] and not told["unexpected_keys"]
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model" / "language_model")
    clip = own.decoder.encoder.features(triptych_clip(here.clips[0].audio))
    with torch.no_grad():
        heard = own.decoder.model.projector(
            own.decoder.model.audio_tower(own.decoder.encoder.join_spectra([clip[0]]), torch.tensor([len(clip[1])]))
        )
        question = tokenizer(f"{own.prompt}\n<PH_START>", return_tensors="pt", add_special_tokens=False)["input_ids"]
        embedded = torch.cat([heard, language.get_input_embeddings()(question)], 1)
        phones = own.vocabulary.ids(tokenizer)[3:]
        likeliest = int(language(inputs_embeds=embedded).logits[0, -1, phones].argmax())
    first = here.clips[0].heard
    assert first is not None and (not first.phones or first.phones[0].phone == own.vocabulary.phones[likeliest])


def triptych_clip(path: str) -> Any:
    from triptych.trainers.data.turns import Clip

    return Clip(path)


def test_clips_are_heard_by_the_command(run: Path, phone_store: Path, tmp_path: Path) -> None:
    out = tmp_path / "predictions.jsonl"
    done = stores.cli("phoneme", "infer", run, "--export", "phones-test", "--store", phone_store, "--out", out,
                      "--phones", 39, "--ignore-sil", "--pronunciation", "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    edits = told["substitutions"] + told["deletions"] + told["insertions"]
    assert told["per"] == edits / told["reference_phones"] and told["silence"] == "left out"
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    for row, clip in zip(rows, told["clips"], strict=True):
        assert row["gt"] == clip["reference"] and len(row["confidences"]) == len(row["prediction"].split())
        assert all(0 < each <= 1 for each in row["confidences"])
    scored = triptych.evaluate("phones-test", pred=out, metrics="per", phones="39", ignore_sil=True, store=phone_store)
    assert scored.scores[0].value == pytest.approx(told["per"])
    clip = rows[0]["audio"]
    done = stores.cli("phoneme", "infer", run, clip, "--canonical", "sh iy", "--json")
    [alone] = json.loads(done.stdout)["clips"]
    assert [each["phone"] for each in alone["heard"]["goodness"]] == ["sh", "iy"]
    assert stores.cli("phoneme", "infer", run, clip, "--canonical", "sh zz").returncode == 1


def test_a_run_is_asked_where_its_models_have_moved(
    run: Path, whisper: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from triptych.trainers.phoneme import recognizer

    def locate(name: str, **options: Any) -> Any:
        if name == str(whisper):
            raise UsageError("there is no such folder")
        return located(name, **options)

    located, moved = recognizer.locate, shutil.copytree(whisper, tmp_path / "moved")
    revision = recognizer.Run.open(run, "best").revision
    monkeypatch.setattr(recognizer, "locate", locate)
    with pytest.raises(UsageError, match="is not here") as caught:
        recognizer.Run.open(run, "best")
    assert "--encoder DIR" in str(caught.value.hint)
    found = recognizer.Run.open(run, "best", encoder=moved)
    assert found.parts.hearing == moved and found.revision == revision
    weights = next(moved.glob("*.safetensors"))
    written = weights.read_bytes()
    weights.write_bytes(written[:-1] + bytes([written[-1] ^ 1]))
    with pytest.raises(DamagedError, match="moved is not the model that the run was trained on"):
        recognizer.Run.open(run, "best", encoder=moved)


def test_what_does_not_belong_together_is_refused(
    run: Path, phone_store: Path, whisper: Path, language_model: Callable[[str], Path], tmp_path: Path
) -> None:
    other = language_model("untied" if run.name == "tied" else "tied")
    with pytest.raises(DamagedError, match="not the model that the run was trained on"):
        triptych.phoneme_infer(run, export="phones-test", store=phone_store, base=other)
    with pytest.raises(UsageError, match="a Whisper is expected"):
        triptych.train_phoneme("phones", store=phone_store, model=other, output_dir=tmp_path / "x",
                               values={"phoneme.encoder": str(other)})  # fmt: skip
    with pytest.raises(UsageError, match="phones are not scored as answers"):
        triptych.train_phoneme("phones", store=phone_store, model=other, output_dir=tmp_path / "x",
                               values={"evaluation": "{export: phones-test}"})  # fmt: skip
