"""What a preflight warns of: each with what sets it off, and with what does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support import tiny_models
from triptych.trainers.data.training_row import TrainingRow
from triptych.trainers.data.turns import ASSISTANT, USER, Clip, Turn, Video
from triptych.trainers.models.families import QWEN2_AUDIO, TEXT
from triptych.trainers.runs.config.sections import RunConfig
from triptych.trainers.runs.preflight import overlap, samples, settings, texts
from triptych.trainers.runs.preflight.audio_gap import AudioGap, with_sound_of
from triptych.trainers.runs.preflight.rows import ShownRow, Stretch


def config(**sections: Any) -> RunConfig:
    return RunConfig.model_validate({"model": {"base_model": "m"}, "data": {"train": "talk"}, **sections})


def names(found: Any) -> list[str]:
    return [each.name for each in found]


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"training": {"lr": 1e-4}, "lora": {}}, None),
        ({"training": {"lr": 2e-3}, "lora": {}}, "training.lr is 0.002"),
        ({"training": {"lr": 1e-7}, "lora": {}}, "training.lr is 1e-07"),
        ({"training": {"lr": 2e-5}}, None),
        ({"training": {"lr": 1e-4}}, "training.lr is 0.0001"),
        ({"training": {"lr_pretrained": 1e-5}, "stages": [{"train": "projector", "lr": 1e-3, "steps": 2},
                                                           {"train": "all"}]}, None),
        ({"stages": [{"train": "all", "lr": 1e-3}]}, "stages[0].lr is 0.001"),
    ],
)  # fmt: skip
def test_learning_rates(sections: dict[str, Any], told: str | None) -> None:
    found = list(settings.learning_rates(config(**sections)))
    assert len(found) == (told is not None)
    assert not found or told in found[0].text


def test_a_warm_up_that_takes_half_of_the_run_or_all_of_it() -> None:
    assert not names(settings.warm_up(100, 3, 800))
    assert not names(settings.warm_up(1, 0, 8))
    assert "takes 60% of the run" in next(settings.warm_up(100, 60, 800)).text
    assert "never ends" in next(settings.warm_up(3, 10, 24)).text


def test_adapters_outside_the_language_model() -> None:
    assert not names(settings.adapters_elsewhere(config()))
    assert not names(settings.adapters_elsewhere(config(lora={"components": ["language_model", "experts"]})))
    found = names(settings.adapters_elsewhere(config(lora={"components": ["language_model", "audio_tower"]})))
    assert found == ["adapters_elsewhere"]


@pytest.mark.parametrize(
    ("dtype", "asked", "on_gpu", "has_bf16", "advice"),
    [
        ("bf16", "auto", True, True, None),
        ("fp32", "auto", False, True, None),
        ("fp16", "fp16", True, True, "model.dtype=bf16"),
        ("fp16", "auto", True, False, "a GPU with bf16"),
        ("fp32", "fp32", True, True, "model.dtype=bf16"),
        ("bf16", "bf16", False, True, "model.dtype=fp32"),
    ],
)
def test_number_formats(dtype: str, asked: str, on_gpu: bool, has_bf16: bool, advice: str | None) -> None:
    found = list(settings.number_format(dtype, asked=asked, on_gpu=on_gpu, has_bf16=has_bf16))
    assert len(found) == (advice is not None)
    assert not found or str(advice) in found[0].advice


def test_a_model_of_turns_without_a_template() -> None:
    assert names(settings.chat_template("Qwen/Qwen2-Audio-7B-Instruct", form="raw")) == ["chat_template"]
    assert not names(settings.chat_template("Qwen/Qwen2-Audio-7B-Instruct", form="chat"))
    assert not names(settings.chat_template("models-instruct/Qwen2-Audio-7B", form="raw"))


def test_memory_that_has_no_room() -> None:
    assert not names(settings.memory_room(89, 100, is_full=0.9, on_gpu=True))
    assert not names(settings.memory_room(89, None, is_full=0.9, on_gpu=True))
    assert names(settings.memory_room(91, 100, is_full=0.9, on_gpu=True)) == ["memory"]


def test_rows_that_are_left_out_and_padding() -> None:
    assert not names(samples.left_out({}, 5, 100))
    found = next(samples.left_out({"too_many_tokens": 2, "too_long": 1}, 5, 100))
    assert "3 of 8 rows" in found.text
    assert "data.max_tokens (now 100)" in found.advice
    assert not names(samples.padding(0.1, by_tokens=False))
    assert "batch_tokens" in next(samples.padding(0.11, by_tokens=False)).advice


def row(*trained: bool, media: int = 0) -> ShownRow:
    parts = [Stretch(text="x", tokens=1, is_trained=each, is_media=False) for each in trained]
    parts += [Stretch(text="sound", tokens=1, is_trained=False, is_media=True)] * media
    return ShownRow(id="1", stretches=tuple(parts))


def test_rows_of_which_next_to_nothing_is_trained_or_everything() -> None:
    usual = row(False, True, True)
    assert not names(samples.trained_tokens([usual], is_pretraining=False))
    assert names(samples.trained_tokens([usual, row(False, True)], is_pretraining=False)) == ["one_trained_token"]
    whole = row(True, True, media=1)
    assert names(samples.trained_tokens([usual, whole], is_pretraining=False)) == ["all_trained"]
    assert not names(samples.trained_tokens([usual, whole], is_pretraining=True))


def test_a_model_that_hears_and_rows_without_sound() -> None:
    assert names(samples.no_sound(QWEN2_AUDIO, {"image"})) == ["no_sound"]
    assert not names(samples.no_sound(QWEN2_AUDIO, {"audio"}))
    assert not names(samples.no_sound(TEXT, set()))


def test_sound_that_changes_no_loss() -> None:
    gap = AudioGap(rows=2, own=1.0, other=1.0, gap=0.0, own_is_better=0.0, is_heard=False)
    assert [each.level for each in samples.unheard(gap)] == ["error"]
    assert not names(samples.unheard(None))


class Tokenizer:
    """The bytes of a tiny model's tokenizer, with these tokens."""

    def __init__(self, *tokens: str) -> None:
        pytest.importorskip("transformers")
        self.made = tiny_models.byte_tokenizer(list(tokens))


def test_marks_that_are_no_tokens() -> None:
    marks = [f"<PH{number}>" for number in range(12)]
    answers = [" ".join(marks)]
    assert names(texts.split_texts(answers, Tokenizer().made)) == ["split_tokens"]
    assert not names(texts.split_texts(answers, Tokenizer(*marks).made))
    tags = ["".join(f"<t{number}>a</t{number}>" for number in range(12))]
    assert not names(texts.split_texts(tags, Tokenizer().made))  # tags that are closed are text
    assert not names(texts.split_texts(["<think> [laughter]"], Tokenizer().made))


def test_characters_that_are_spelled_in_bytes() -> None:
    found = list(texts.split_texts(["ðə kæt sæt ɒn ðə mæt"], Tokenizer().made))
    assert names(found) == ["split_characters"]
    assert "æ" in found[0].text
    assert not names(texts.split_texts(["the cat sat on the mat, naïvely it must be said"], Tokenizer().made))


def test_files_in_common_are_found_by_content(tmp_path: Path) -> None:
    paths = {name: tmp_path / name for name in ("a.wav", "b.wav", "c.wav")}
    for name, path in paths.items():
        path.write_bytes(b"same" if name != "c.wav" else b"else")
    a, b, c = map(str, paths.values())
    stored = f"{tmp_path}/{'0' * 64}.wav"
    assert overlap._same_media([a], [b, c]) == [b]
    assert overlap._same_media([stored, a], [f"/elsewhere/{'0' * 64}.wav"]) == [f"/elsewhere/{'0' * 64}.wav"]
    assert overlap._same_media([a, stored], [c]) == []


def heard(*media: Any) -> TrainingRow:
    return TrainingRow(id="1", where="x", turns=(Turn(USER, (*media, "What?")), Turn(ASSISTANT, ("That.",))))


def test_a_row_hears_what_another_hears() -> None:
    one, other = heard(Clip("a"), Clip("b")), heard(Clip("c"))
    made = with_sound_of(one, other)
    assert made is not None
    assert made.turns[0].parts == (Clip("c"), Clip("c"), "What?")
    assert made.turns[1] == one.turns[1]
    assert with_sound_of(one, heard(Clip("a"))) is None
    assert with_sound_of(one, heard()) is None
    assert with_sound_of(one, heard(Video("v", with_sound=True))) is None
    both = heard(Video("v", with_sound=True), Video("w"))
    made = with_sound_of(both, heard(Video("x"), Video("y", with_sound=True)))
    assert made is not None
    assert made.turns[0].parts == (Video("y", with_sound=True), Video("w"), "What?")
