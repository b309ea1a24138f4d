"""Configurations of training: what is read, what is refused, and how it is told."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from support.places import ROOT
from triptych.commands.reference import training_page
from triptych.errors import UsageError
from triptych.trainers import configs
from triptych.trainers.phoneme.config import PhonemeConfig
from triptych.trainers.preference.config import DpoConfig
from triptych.trainers.retrieval.config import ContrastiveConfig
from triptych.trainers.runs.config.read import Setting, config_text, keys_of, read_config
from triptych.trainers.runs.config.sections import RunConfig
from triptych.trainers.runs.options import TrainOptions, configuration

TEMPLATE = """
model:
  base_model: {model}
  dtype: bf16
training:
  batch_size: 1               # per device
  gradient_accumulation_steps: 8
  epochs: 3
  lr: 2e-5
  weight_decay: 0.01
  warmup_steps: 100
  max_grad_norm: 1.0
optimizer:
  name: adamw
  betas: [0.9, 0.95]
lora:
  r: 16
  alpha: 32
  dropout: 0.05
data:
{data}
  tokenizer: path/to/tokenizer
logging:
  logging_steps: 50
  save_steps: 2000
"""
SMALL: dict[str, Any] = {"model": {"base_model": "some/model"}, "data": {"train": "talk"}}

Read = Callable[..., Any]
_FOLDER = re.compile(r"^/\S*/(?=run\.yaml)")


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def call(text: str, *given: str) -> Any:
        path = tmp_path / "run.yaml"
        path.write_text(text, encoding="utf-8")
        settings = [Setting("--set", *each.split("=", 1), is_yaml=True) for each in given]
        return read_config(RunConfig, path, settings)

    return call


def refused(read: Read, text: str, *given: str) -> list[str]:
    with pytest.raises(UsageError) as raised:
        read(text, *given)
    return [_FOLDER.sub("", line) for line in raised.value.message.split("\n")]


def small(extra: str = "") -> str:
    return f"model: {{base_model: some/model}}\ndata: {{train: talk}}\n{extra}"


def test_every_key_of_the_template_is_read_or_answered(read: Read) -> None:
    text = TEMPLATE.format(model="Qwen/Qwen3-Omni-30B-A3B-Thinking", data="  train: cot@v2")
    found = read(text)
    config = found.config
    assert (config.training.lr, config.training.warmup_steps, config.optimizer.betas) == (2e-5, 100, (0.9, 0.95))
    assert (config.lora.r, config.lora.alpha, config.lora.dropout) == (16, 32, 0.05)
    assert (config.logging.save_steps, config.model.tokenizer) == (2000, Path("path/to/tokenizer"))
    assert [note.rpartition("/")[2] for note in found.notes] == [
        "run.yaml:22: data.tokenizer: data.tokenizer is now model.tokenizer"
    ]


def test_files_of_rows_are_answered_with_what_makes_an_export(read: Read) -> None:
    data = "  train_file: data/My Train.jsonl\n  val_file: data/val.json"
    train, val, model = refused(read, TEMPLATE.format(model="qwen3-ommi-thinking-30b", data=data) + "max: 1\n")[:3]
    assert train.startswith("run.yaml:21: data.train_file: a run reads published exports, not files.")
    assert "`triptych import jsonl data/My Train.jsonl --name my-train`" in train
    assert train.endswith("then data.train: my-train")
    assert val.startswith("run.yaml:22: data.val_file:")
    assert "`triptych import json data/val.json --name val`" in val
    assert model == "run.yaml:27: max: unknown key"


def test_a_model_that_no_hub_has_is_named_as_what_is_meant(read: Read) -> None:
    [line] = refused(read, small(), "model.base_model=qwen3-ommi-thinking-30b")
    assert line == "--set model.base_model=qwen3-ommi-thinking-30b: the hub has no 'qwen3-ommi-thinking-30b'; " \
                   "Qwen/Qwen3-Omni-30B-A3B-Thinking is meant"  # fmt: skip


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("training: {learning_rate: 1e-4}", "3: training.learning_rate: unknown key; did you mean training.lr?"),
        ("optimizer: {lr: 1}", "3: optimizer.lr: unknown key; did you mean training.lr?"),
        ("trainnig: {}", "3: trainnig: unknown key; did you mean training?"),
        ("lora:\n  rr: 3", "4: lora.rr: unknown key; did you mean lora.r?"),
        ("training: {lr: yes}", "3: training.lr: Input should be a valid number (got True)"),
        ("training: {lr: fast}", "3: training.lr: Input should be a valid number (got 'fast')"),
        ("training: {lr: -1}", "3: training.lr: Input should be greater than 0 (got -1)"),
        ("training: {lr: .nan}", "3: training.lr: Input should be a finite number (got nan)"),
        ("training: {epochs: 0.5}", "3: training.epochs: Input should be a valid integer (got 0.5)"),
        ("optimizer: {betas: [.9, .9, .9]}", "3: optimizer.betas: two numbers from 0 to below 1 are expected, "
         "such as [0.9, 0.95]"),
        ("lora:", "3: lora: the section is empty: write its keys, lora: {} for its defaults, or lora: none, or "
         "leave it out"),
        ("stages:\n  - {train: [tower], steps: 1}\n  - {train: all}", "4: stages.0.train.0: 'tower' is no part "
         "of a model; parts: all, encoder_top: N, audio_tower, projector, visual, visual_projector, language_model, "
         "experts, router, lm_head, new_tokens, ctc_head"),
        ("stages:\n  - {train: projector}\n  - {train: all}", "4: stages.0: how long is this stage? give epochs "
         "or steps; only the last may go on to the end"),
        ("stages: [{train: all}]\nlora: {}", "3: stages: stages train weights themselves: remove stages or the "
         "section lora"),
        ("training: {warmup_steps: 1, warmup_ratio: 0.1}", "3: training.warmup_ratio: training.warmup_steps "
         "says the same: give one of them"),
        ("evaluation: {export: e, steps: 7}", "3: evaluation.steps: 7 is no multiple of logging.save_steps, "
         "500: only what is saved can be the best checkpoint"),
        ("evaluation: {export: e, metric: rouges}", "3: evaluation.metric: 'rouges' is no metric of answers; "
         "metrics: wer, cer, per, position_accuracy, accuracy, answer, mmar, mmsu, bleu, bleu_source, rouge, "
         "bertscore"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_line_and_key(read: Read, text: str, told: str) -> None:
    assert refused(read, small(text)) == [f"run.yaml:{told}"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("model: &m {base_model: x}\ndata: *m", "1: anchors and aliases are not allowed in a configuration."),
        ("model: {}\nmodel: {}", "2: duplicate key 'model'."),
        ("a: !!python/object/apply:os.system [true]", "1: invalid YAML: could not determine a constructor for "
         "the tag 'tag:yaml.org,2002:python/object/apply:os.system'."),
        ("- a", " a configuration is a mapping of sections."),
    ],
)  # fmt: skip
def test_hostile_files_are_refused_before_they_are_read(read: Read, text: str, told: str) -> None:
    assert refused(read, text)[0].startswith(f"run.yaml:{told}")


def test_all_problems_are_told_at_once(read: Read) -> None:
    assert [line.split(": ", 2)[1] for line in refused(read, "training: {a: 1}\nlora: {b: 1}\n")] == [
        "model.base_model", "data.train", "training.a", "lora.b",
    ]  # fmt: skip


def test_what_is_set_replaces_the_file_and_its_alternative(read: Read) -> None:
    text = small("training: {lr: 1e-4, warmup_ratio: 0.1, batch_size: 4}\nlora: {r: 8}\n")
    config = read(text, "training.warmup_steps=10", "data.batch_tokens=1e3", "lora=none", "training.epochs=1e1").config
    assert (config.training.warmup_steps, config.data.batch_tokens, config.lora, config.training.epochs) == (
        10,
        1000,
        None,
        10,
    )
    assert read(small(), "lora.r=4").config.lora.r == 4
    assert refused(read, small(), "lora.r=0") == ["--set lora.r=0: Input should be greater than or equal to 1 (got 0)"]
    assert refused(read, small("stages: [{train: all}]"), "stages.0.lr=1") == [
        "--set stages.0.lr=1: stages is a list: set it as a whole, as --set 'stages=[...]'."
    ]


def test_a_configuration_that_is_written_reads_as_the_same(read: Read) -> None:
    text = small("training: {warmup_steps: 3, lr: 2e-5}\n")
    for given in ((), ("lora={}",), ("stages=[{train: [projector, {encoder_top: 2}], steps: 3}, {train: all}]",)):
        config = read(text, *given, "data.batch_tokens=50", "evaluation.export=e").config
        assert read(config_text(config)).config == config


def test_rates_of_parts_are_that_of_all_without_lora_and_stages() -> None:
    plain = RunConfig.model_validate({**SMALL, "training": {"lr": 3e-5, "lr_projector": 1e-3}})
    assert (plain.training.lr_projector, plain.training.lr_pretrained) == (1e-3, 3e-5)
    staged = RunConfig.model_validate({**SMALL, "stages": [{"train": "all"}], "training": {"lr": 3e-5}})
    assert (staged.training.lr_projector, staged.training.lr_pretrained) == (1e-4, 1e-5)
    with pytest.raises(ValidationError):
        RunConfig.model_validate({**SMALL, "training": {"lr": "high"}})


def test_options_set_keys_and_old_names_are_answered(tmp_path: Path) -> None:
    options = TrainOptions.of(model=tmp_path, output_dir="run", values={"training.lr": 1e-3, "lora": "{}"})
    config = configuration(RunConfig, options, "talk@v3").config
    assert (config.model.base_model, config.data.train, config.folder) == (str(tmp_path), "talk@v3", Path("run"))
    assert (config.training.lr, config.lora is not None) == (1e-3, True)
    with pytest.raises(UsageError, match="--set output_dir: --output-dir says the same"):
        configuration(RunConfig, TrainOptions.of(output_dir="a", values={"output_dir": "b"}), "talk")
    (tmp_path / "train.jsonl").touch()
    with pytest.raises(UsageError, match="a run reads published exports") as raised:
        TrainOptions.of(data_dir=tmp_path)
    assert str(raised.value.hint).startswith(f"triptych import jsonl {tmp_path}/train.jsonl --name mine")
    with pytest.raises(UsageError, match=r"holds no run: it has no config\.yaml"):
        configuration(RunConfig, TrainOptions.of(output_dir=tmp_path, resume=True))


@pytest.mark.parametrize("name", [name for name in configs.names() if name.endswith(".yaml") and "acc" not in name])
def test_shipped_configurations_are_read(name: str, tmp_path: Path) -> None:
    configs.write(name, tmp_path / "run.yaml")
    own = {"dpo.yaml": DpoConfig, "phoneme_lora.yaml": PhonemeConfig}
    model = ContrastiveConfig if "contrastive" in name else own.get(name, RunConfig)
    found = read_config(model, tmp_path / "run.yaml", [Setting("--output-dir", "output_dir", tmp_path)])
    assert not found.notes
    assert found.config.model.base_model.startswith("Qwen/")
    typed = next(line for line in configs.text_of(name).splitlines() if line.startswith("#   triptych export "))
    assert typed.endswith(f" --name {found.config.data.train}"), "the export that its first line makes is trained on"
    assert not configs.names()[name].endswith(" is")


def test_shipped_files_of_accelerate_are_parsed_by_accelerate(tmp_path: Path) -> None:
    from accelerate.commands.config.config_args import load_config_from_file

    for name, kind in (("accelerate", "FSDP"), ("accelerate_ddp", "MULTI_GPU")):
        configs.write(name, tmp_path / "a.yaml", force=True)
        assert load_config_from_file(str(tmp_path / "a.yaml")).distributed_type == kind


def test_shipped_scripts_can_be_run_and_other_names_are_answered(tmp_path: Path) -> None:
    configs.write("slurm/one_node", tmp_path / "job.sh")
    assert (tmp_path / "job.sh").stat().st_mode & 0o111
    with pytest.raises(UsageError, match="another file"):
        configs.write("full", tmp_path / "job.sh")
    with pytest.raises(UsageError) as raised:
        configs.text_of("qwen2_audio_laro.yaml")
    assert raised.value.hint == "did you mean qwen2_audio_lora.yaml or qwen3_omni_lora.yaml?"


def test_the_page_lists_every_key() -> None:
    page = (ROOT / "docs/reference/training-configuration.md").read_text()
    assert page == training_page(), "python -m triptych.commands.reference"
    assert [key for key in keys_of(RunConfig) if f"| `{key.rpartition('.')[2]}` |" not in page] == ["stages"]
