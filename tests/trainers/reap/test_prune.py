"""Pruned models: what they hold, what they say, and what is refused before anything is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import triptych
from support.stores import cli
from triptych.errors import DamagedError, UsageError
from triptych.trainers.models.training_model import Loading, load_for_training
from triptych.trainers.reap.card import card_text
from triptych.trainers.reap.files.slices import slices_of
from triptych.trainers.reap.prune import PruneResult
from triptych.trainers.reap.scores.masks import pruned_to
from triptych.trainers.reap.scores.moe_layers import moe_layers
from triptych.trainers.runs.records.card import front_matter_of, put_card
from triptych.trainers.serving.layouts import stored_tensors

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("one_thread")


@dataclass(frozen=True)
class Pruned:
    result: PruneResult
    folder: Path
    told: list[str]

    def manifest(self) -> Any:
        return json.loads((self.folder / "pruning.json").read_text())

    def report(self) -> Any:
        return json.loads((self.result.report / "report.json").read_text())


def pruned(folder: Path, **options: Any) -> Pruned:
    told: list[str] = []
    result = triptych.prune(output=folder, tell=told.append, **options)
    return Pruned(result, folder, told)


@pytest.fixture(scope="module")
def of_text(moe: Path, text_rows: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Pruned:
    return pruned(
        tmp_path_factory.mktemp("pruned") / "half", model=moe, text=text_rows(), calibration_samples=9, cost_samples=3
    )


def logits(model: Any) -> Any:
    ids = torch.randint(0, 200, (2, 25), generator=torch.manual_seed(7))
    with torch.inference_mode():
        return model.eval()(input_ids=ids).logits


def test_the_pruned_model_says_what_its_base_says_with_the_pruned_experts_masked(of_text: Pruned, loaded: Any) -> None:
    from transformers import AutoModelForCausalLM

    model, told = AutoModelForCausalLM.from_pretrained(of_text.folder, output_loading_info=True)
    assert not told["missing_keys"] and not told["unexpected_keys"]
    assert model.config.num_experts == 4
    with pruned_to(moe_layers(loaded.model), of_text.result.kept):
        assert torch.equal(logits(model), logits(loaded.model))
    assert of_text.result.difference == 0
    assert model.generate(torch.tensor([[5, 6, 7]]), max_new_tokens=4, do_sample=False).shape == (1, 7)


def test_weights_are_bytes_of_the_base_and_everything_else_is_as_it_was(of_text: Pruned, moe: Path) -> None:
    base, made = stored_tensors(moe), stored_tensors(of_text.folder)
    kept = dict(zip((0, 2), of_text.result.kept, strict=True))
    for name, tensor in made.items():
        parts = name.split(".")
        if "experts" in parts:
            layer, number = int(parts[2]), int(parts[5])
            parts[5] = str(kept[layer][number])
        value = base[".".join(parts)].read()
        assert torch.equal(tensor.read(), value[list(kept[int(parts[2])])] if parts[-2] == "gate" else value), name
    assert len(base) - len(made) == 2 * 4 * 3
    index = json.loads((of_text.folder / "model.safetensors.index.json").read_text())
    assert set(index["weight_map"]) == set(made)
    assert index["metadata"]["total_size"] == sum(each.end - each.start for each in made.values())
    for path in moe.iterdir():
        if path.suffix != ".safetensors" and path.name not in ("config.json", "model.safetensors.index.json"):
            assert (of_text.folder / path.name).read_bytes() == path.read_bytes()
    config, before = (json.loads((each / "config.json").read_text()) for each in (of_text.folder, moe))
    changed = {name for name, value in before.items() if config[name] != value}
    assert changed == {name for name in ("num_experts", "num_local_experts") if name in before}


def test_the_manifest_says_what_is_kept_and_why_so_that_it_can_be_done_again(
    of_text: Pruned, moe: Path, tmp_path: Path
) -> None:
    manifest = of_text.manifest()
    assert [layer["layer"] for layer in manifest["layers"]] == [0, 2]
    for layer in manifest["layers"]:
        ranked = sorted(range(8), key=lambda each: (-layer["scores"][each], each))
        assert sorted(ranked[:4]) == layer["kept"]
    assert manifest["calibration"]["rows"] == {"text": 9}
    again = pruned(tmp_path / "again", model=moe, scores=[of_text.result.report])
    assert again.result.kept == of_text.result.kept
    for path in of_text.folder.glob("*.safetensors"):
        assert path.read_bytes() == (again.folder / path.name).read_bytes()


def test_parts_that_were_measured_apart_prune_as_one(
    of_text: Pruned, moe: Path, text_rows: Callable[..., Path], tmp_path: Path
) -> None:
    folders = [tmp_path / str(part) for part in (1, 2)]
    for part, folder in enumerate(folders, 1):
        triptych.prune(model=moe, text=text_rows(), calibration_samples=9, part=f"{part}/2", report=folder)
    found = triptych.prune(model=moe, scores=folders, report=tmp_path / "both")
    assert found.kept == of_text.result.kept
    again = triptych.prune(model=moe, scores=[tmp_path / "both"], report=tmp_path / "again")
    assert again.kept == found.kept
    with pytest.raises(UsageError, match="holds other scores"):
        triptych.prune(model=moe, scores=[tmp_path / "both"], report=folders[0])
    with pytest.raises(UsageError, match="not one of 1 parts"):
        triptych.prune(model=moe, scores=folders[:1], report=tmp_path / "one")
    with pytest.raises(UsageError, match="a part is there twice"):
        triptych.prune(model=moe, scores=[folders[0], folders[0]], report=tmp_path / "twice")


def test_what_it_costs_is_measured_on_rows_that_were_not_calibrated_on(of_text: Pruned, moe: Path) -> None:
    cost = of_text.result.cost
    assert cost is not None
    assert cost.kinds == ("before", "reap", "frequency", "random")
    (row,) = cost.perplexities
    assert (row.modality, row.rows) == ("text", 3)
    assert all(value > 1 for value in row.values.values())

    from triptych.trainers.reap.scores.calibration import Source
    from triptych.trainers.sft.encoders import encoder_of

    # The pruned folder itself has the perplexity that was measured with masks.
    model = load_for_training(of_text.folder, Loading(), device="cpu").model.eval()
    encoder, total, tokens = encoder_of("text", moe), 0.0, 0
    path = of_text.manifest()["calibration"]["sources"][0]["source"]
    for each in Source.open("text", path, store=None, allow_held_out=False).rows(start=9):
        batch = encoder.join([encoder.encode(each.row)])
        with torch.inference_mode():
            found = model(**batch)
        count = int((batch["labels"] != -100).sum())
        total, tokens = total + float(found.loss) * count, tokens + count
    assert row.tokens == tokens
    assert row.values["reap"] == pytest.approx(float(torch.tensor(total / tokens).exp()), rel=1e-5)


def test_what_cannot_be_pruned_is_refused_before_anything_is_read(
    moe: Path, text_rows: Callable[..., Path], tmp_path: Path, qwen2_audio: Path
) -> None:
    rows = text_rows()
    asked = {"model": moe, "text": rows, "output": tmp_path / "out"}
    for changed, why in (
        ({"component": "talker"}, "hidden states"),
        ({"model": qwen2_audio}, "cannot be scored here"),
        ({"retention_rate": 0.2}, "1 of 8 experts would be left, and each token is given to 2"),
        ({"retention_rate": 0.5, "compression_ratio": 0.5}, "say the same"),
        ({"scope": "global"}, "different numbers of experts"),
        ({"text": None}, "no rows to calibrate on"),
        ({"criterion": "joint"}, "begins with what sound needs"),
        ({"part": "1/2"}, "nothing can be pruned"),
        ({"part": "3/2", "output": None, "report": tmp_path}, "write it as 1/4"),
        ({"output": None}, "nothing is to be written"),
        ({"output": moe}, "is in the folder of the model"),
        ({"output": moe / "pruned"}, "is in the folder of the model"),
        ({"output": rows.parent}, "not empty"),
        ({"output": rows / "pruned"}, "is a file"),
        ({"report": rows}, "is a file"),
        ({"report": tmp_path / "out" / "report"}, "is in output="),
        ({"part": "²/4", "output": None, "report": tmp_path}, "write it as 1/4"),
        ({"joint_lambda": float("inf")}, "expected a finite number"),
        ({"text": tmp_path / "none.jsonl"}, "no such file"),
        ({"layout": "gguf"}, "takes transformers or vllm"),
    ):
        with pytest.raises(UsageError, match=why):
            triptych.prune(**(asked | changed))
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob("*"))


def test_a_base_that_lacks_an_expert_is_damaged(moe: Path) -> None:
    stored = stored_tensors(moe)
    del stored["model.layers.2.mlp.experts.3.up_proj.weight"]
    whole = {name: each for name, each in stored.items() if ".experts.3." not in name or ".layers.0." in name}
    with pytest.raises(DamagedError, match="layer 2: expert 3 is not in the files"):
        slices_of(whole, (0, 2), 8, ((0, 1), (0, 1)))


def test_experts_of_all_layers_are_ranked_together_for_a_report(of_text: Pruned, moe: Path, tmp_path: Path) -> None:
    told: list[str] = []
    found = triptych.prune(
        model=moe, scores=[of_text.result.report], scope="global", report=tmp_path / "report", tell=told.append
    )
    assert any("for the report alone" in each for each in told)
    assert "on average, for this report alone" in (tmp_path / "report" / "report.html").read_text()
    assert found.output is None
    assert sum(map(len, found.kept)) == 8
    assert all(len(layer) >= 2 for layer in found.kept)


# ---- Qwen3-Omni


@pytest.fixture(scope="module")
def media_rows(
    tmp_path_factory: pytest.TempPathFactory, clips: Callable[[float], Path], video: Callable[..., Path]
) -> dict[str, Path]:
    """Files of rows of sound, of a silent video, of a video with sound."""
    folder = tmp_path_factory.mktemp("rows")
    sound = {"type": "audio", "audio": str(clips(1.5))}
    silent = {"type": "video", "video": str(video(2.0, has_sound=False))}
    parts = {"audio": [sound], "video": [silent], "mixed": [silent, sound]}
    paths = {}
    for name, media in parts.items():
        paths[name] = folder / f"{name}.jsonl"
        lines = [
            {"id": f"{name}-{number}", "modality": name, "dataset": f"{name}-set", "language": "en", "task": "qa",
             "messages": [
                 {"role": "user", "content": [*media, {"type": "text", "text": f"What is this, {number}?"}]},
                 {"role": "assistant", "content": [{"type": "text", "text": f"It is number {number}."}]},
             ]}
            for number in range(3)
        ]  # fmt: skip
        paths[name].write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return paths


@pytest.fixture(scope="module")
def of_omni(omni: Path, media_rows: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Pruned:
    folder = tmp_path_factory.mktemp("pruned") / "omni"
    return pruned(
        folder, model=omni, **media_rows, calibration_samples=2, cost_samples=1, beside=False, layout="vllm",
        criterion="joint", protect="outliers",
    )  # fmt: skip


def test_an_omni_pruned_on_sound_and_video_speaks_as_before_and_answers(of_omni: Pruned, omni: Path) -> None:
    base, made = stored_tensors(omni), stored_tensors(of_omni.folder)
    spoken = [name for name in base if not name.startswith("thinker.")]
    assert spoken and all(torch.equal(base[name].read(), made[name].read()) for name in spoken)
    assert {name.split(".")[0] for name in made} == {"thinker", "talker", "code2wav"}
    config = json.loads((of_omni.folder / "config.json").read_text())
    before = json.loads((omni / "config.json").read_text())
    assert config["talker_config"] == before["talker_config"]
    assert config["thinker_config"]["text_config"]["num_experts"] == 4
    assert of_omni.result.difference == 0
    (answer,) = triptych.infer(model=of_omni.folder, prompt="What?", max_new_tokens=3).predictions
    assert answer.error is None


def test_the_report_names_the_experts_that_each_modality_needs(of_omni: Pruned) -> None:
    report = of_omni.report()["coverage"]
    assert [need["modality"] for need in report["needs"]] == ["audio", "video", "mixed"]
    for need in report["needs"]:
        for place, layer in enumerate(need["kept"]):
            assert len(layer) == 4
            assert set(need["pruned"][place]) == set(layer) - set(of_omni.result.kept[place])
            others = {expert for other in report["needs"] if other is not need for expert in other["kept"][place]}
            assert set(need["alone"][place]) == set(layer) - others
    seen = {(each["column"], each["value"]): each["rows"] for each in report["seen"]}
    assert seen[("dataset", "video-set")] == 2
    assert {each.modality for each in of_omni.result.cost.perplexities} == {"audio", "video", "mixed"}  # type: ignore[union-attr]
    table = pq.read_table(of_omni.result.report / "experts.parquet").to_pylist()
    assert len(table) == 2 * 8 * (1 + 3 + 1 + 3)
    for row in table:
        assert row["kept"] == (row["expert"] in of_omni.result.kept[row["layer"]])
    given = {name: sum(row["tokens"] for row in table if row["by"] == name) for name in ("all", "modality", "dataset")}
    assert set(given.values()) == {2 * 2 * sum(of_omni.result.tokens.values())}
    page = (of_omni.result.report / "report.html").read_text()
    assert "S3 (mixed)" in page and "<script" not in page and "data:image/png" in page


def test_rows_without_video_lose_its_experts_and_the_report_warns_before(
    of_omni: Pruned, omni: Path, media_rows: dict[str, Path], tmp_path: Path
) -> None:
    told: list[str] = []
    found = triptych.prune(
        model=omni, audio=media_rows["audio"], calibration_samples=0, report=tmp_path / "report", tell=told.append
    )
    assert any("no calibration row has pictures" in each for each in told)
    advice = json.loads((tmp_path / "report" / "report.json").read_text())["coverage"]["advice"]
    assert any("--modality video" in each["command"] for each in advice)
    assert any("audio" in each and "perplexity is not measured" in each for each in told)
    needed = next(need for need in of_omni.report()["coverage"]["needs"] if need["modality"] == "video")
    gone = [set(layer) - set(kept) for layer, kept in zip(needed["kept"], found.kept, strict=True)]
    with_video = [set(layer) - set(kept) for layer, kept in zip(
        needed["kept"], triptych.prune(model=omni, scores=[of_omni.result.report], report=tmp_path / "all").kept,
        strict=True)]  # fmt: skip
    assert sum(map(len, gone)) > sum(map(len, with_video))


def test_a_thinker_alone_is_not_for_vllm(omni_thinker: Path, media_rows: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds a thinker alone"):
        pruned(tmp_path / "out", model=omni_thinker, audio=media_rows["audio"], layout="vllm")


def test_the_command_prints_what_it_did(of_text: Pruned, moe: Path, tmp_path: Path) -> None:
    made = cli("prune", "--model", moe, "--scores", of_text.result.report, "--output", tmp_path / "made", "--json")
    assert made.returncode == 0, made.stderr
    document = json.loads(made.stdout)
    assert document["kept"] == [list(layer) for layer in of_text.result.kept]
    shown = cli("prune", "--model", moe, "--scores", of_text.result.report, "--report", tmp_path / "report")
    assert "8 of 16 experts kept in 2 layers, by reap" in shown.stdout
    assert cli("prune", "--model", moe, "--report", tmp_path / "x").returncode == 2


def test_a_pruned_model_has_a_card_of_its_own(of_text: Pruned, tmp_path: Path) -> None:
    text, told = (of_text.folder / "README.md").read_text(), of_text.manifest()
    kept = len(told["layers"][0]["kept"])
    assert f"pruned to {kept} of {told['experts']} experts" in text and "| base model qwen3-moe | unknown |" in text
    assert str(of_text.folder.parent) not in text and "README.base.md" not in text
    assert "| calibrated on text | " in text

    own = "---\nlicense: apache-2.0\nbase_model: [some/base]\ntags: [moe]\nmodel-index: []\n---\nWER 1 %, measured."
    (tmp_path / "README.md").write_text(own)
    made = card_text({**told, "base_model": "hub/Name_1"}, tmp_path)
    put_card(tmp_path, made)
    assert (tmp_path / "README.base.md").read_text() == own and (tmp_path / "README.md").read_text() == made
    assert front_matter_of(tmp_path / "README.md") == {
        "base_model": "hub/Name_1", "license": "apache-2.0", "tags": ["triptych", "prune", "mixture-of-experts"],
    }  # fmt: skip
    assert r"hub/Name\_1, pruned to" in made and "WER" not in made and "`README.base.md`" in made
    put_card(tmp_path, None)
    assert not (tmp_path / "README.md").exists()
