"""Models in this process: nothing of a row is lost on its way in, and its answer does not depend on other rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from triptych.trainers.data.turns import ASSISTANT, SYSTEM, USER, Clip, Turn
from triptych.trainers.inference.backends.answers import Request, checked
from triptych.trainers.inference.backends.local_model import LocalModel
from triptych.trainers.inference.backends.model_inputs import UnaskableError, encode, render
from triptych.trainers.inference.questions import Question
from triptych.trainers.inference.token_draw import DecodingOptions, seed_of

SOUND = "<|audio_bos|><|AUDIO|><|audio_eos|>"
LENGTHS = (0.5, 16_100 / 16_000, 2.0, 1.3)
PROMPTS = ("Who speaks?", "What is heard in this clip, and where?", "?", "Say it in one word.")
OPENED: dict[tuple[Path, str], Any] = {}


def opened(folder: Path, *, template: str = "chat", **decoding: Any) -> LocalModel:
    """A model that is loaded once for all tests, with its own way of decoding."""
    model = LocalModel(folder, decoding=DecodingOptions.of(max_new_tokens=6, **decoding), template=template)
    model.loaded = OPENED.setdefault((folder, template), model.loaded)
    return model


def asked(prompt: str, *, before: Sequence[Turn] = ()) -> Question:
    return Question(id=prompt, turns=(*before, Turn(USER, (Clip("clip.wav"), prompt))))


def requests(noises: Callable[[float], Any], *, seed: int = 0) -> list[Request]:
    return [
        Request(asked(prompt), (noises(length),), seed_of(seed, prompt, 0))
        for prompt, length in zip(PROMPTS, LENGTHS, strict=True)
    ]


@pytest.fixture(params=["qwen2_audio", "omni_thinker"])
def folder(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("decoding", [{}, {"temperature": 0.9, "top_p": 0.95}, {"num_beams": 2}], ids=str)
def test_a_row_is_answered_the_same_alone_and_in_a_batch(
    folder: Path, decoding: dict[str, Any], noises: Callable[[float], Any]
) -> None:
    model = opened(folder, **decoding)
    together = model.answer(requests(noises))
    alone = [model.answer([each])[0] for each in requests(noises)]
    assert together == alone
    assert len({answer.text for answer in together}) > 1 and all(answer.text for answer in together)


def test_sampling_follows_the_seed_of_the_row(qwen2_audio: Path, noises: Callable[[float], Any]) -> None:
    model = opened(qwen2_audio, temperature=1.5)
    first = model.answer(requests(noises))
    assert model.answer(requests(noises)[::-1]) == first[::-1]
    assert all(one != other for one, other in zip(first, model.answer(requests(noises, seed=1)), strict=True))


def test_a_seeded_choice_is_a_draw_from_the_nucleus() -> None:
    torch = pytest.importorskip("torch")
    from triptych.trainers.inference.backends.token_choice import SeededChoice

    scores = torch.log(torch.tensor([[0.5, 0.3, 0.15, 0.05]])).repeat(4000, 1)
    drawn = SeededChoice(range(4000), temperature=1.0, top_p=0.8)(None, scores).argmax(dim=-1)
    shares = torch.bincount(drawn, minlength=4) / len(drawn)
    assert shares[2:].sum() == 0 and abs(float(shares[0]) - 0.5 / 0.8) < 0.03


@pytest.mark.parametrize(
    ("seconds", "qwen2_tokens", "omni_tokens"), [(0.03, 1, 1), (0.5, 12, 7), (1.0, 25, 13), (2.0, 50, 26)]
)
def test_each_clip_has_as_many_tokens_as_its_features_make(
    seconds: float, qwen2_tokens: int, omni_tokens: int, qwen2_audio: Path, omni_thinker: Path,
    noises: Callable[[float], Any],
) -> None:  # fmt: skip
    for folder, count in ((qwen2_audio, qwen2_tokens), (omni_thinker, omni_tokens)):
        loaded = opened(folder).loaded
        made = encode(loaded, asked("x"), [noises(seconds)])
        assert int((made["input_ids"] == loaded.processor.audio_token_id).sum()) == count


def test_the_instruct_model_is_asked_by_its_template_and_the_base_model_raw(qwen2_audio: Path) -> None:
    question = asked("What's that sound?")
    assert render(opened(qwen2_audio).loaded, question) == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
        f"Audio 1: {SOUND}\nWhat's that sound?<|im_end|>\n<|im_start|>assistant\n"
    )
    assert render(opened(qwen2_audio, template="raw").loaded, question) == f"{SOUND}What's that sound?"


def test_examples_stand_before_the_question_with_their_sounds(folder: Path, noises: Callable[[float], Any]) -> None:
    shots = (
        Turn(SYSTEM, ("Be brief.",)), Turn(USER, (Clip("dog.wav"), "What is it?")), Turn(ASSISTANT, ("A dog.",)),
        Turn(USER, ("No sound here?",)), Turn(ASSISTANT, ("None.",)),
    )  # fmt: skip
    question = asked("And this?", before=shots)
    model = opened(folder)
    text = render(model.loaded, question)
    places = [
        text.index(each) for each in ("Be brief.", "What is it?", "A dog.", "No sound here?", "None.", "And this")
    ]
    assert places == sorted(places) and text.count("You are a helpful assistant.") == 0
    [answer] = model.answer([Request(question, (noises(0.5), noises(1.0)), 0)])
    assert answer.text


def test_a_template_that_leaves_something_out_is_no_answer(omni_thinker: Path, noises: Callable[[float], Any]) -> None:
    model = opened(omni_thinker)
    template = model.loaded.processor.chat_template
    try:
        for broken, reason in (
            (template.replace("{{ part['text'] }}", ""), "leaves out 'Who speaks?'"),
            (template.replace("<|audio_pad|>", ""), "makes 0 places for 1 sounds"),
        ):
            model.loaded.processor.chat_template = broken
            [answer] = model.answer(requests(noises)[:1])
            assert answer.text is None and answer.error is not None and reason in answer.error
    finally:
        model.loaded.processor.chat_template = template


def test_a_clip_too_short_for_the_extractor_is_told_beside_others_that_are_answered(
    omni_thinker: Path, noises: Callable[[float], Any]
) -> None:
    short = Request(asked("short"), (noises(0.01),), 0)
    answers = opened(omni_thinker).answer([short, *requests(noises)[:1]])
    assert answers[0].error is not None and answers[0].error.startswith("too_short: 160 samples") and answers[1].text


def test_answers_end_at_stop_strings_and_say_when_they_were_cut(
    qwen2_audio: Path, noises: Callable[[float], Any]
) -> None:
    [first, *_] = opened(qwen2_audio).answer(requests(noises)[:1])
    assert first.finish == "length" and first.text is not None and len(first.text) > 2
    [ended] = opened(qwen2_audio, stop=(first.text[2],)).answer(requests(noises)[:1])
    assert ended.text == first.text[: first.text.index(first.text[2])] and ended.finish == "stop"


@pytest.mark.parametrize("said", ["<|audio_bos|>", "<|AUDIO|><|AUDIO|>", " <|audio_start|>\n"])
def test_an_answer_of_nothing_but_tokens_of_sound_is_an_error(said: str) -> None:
    for text in ("", said):
        answer = checked(text, said)
        assert answer.text is None and answer.error is not None and answer.error.startswith("only_sound_tokens")
    assert checked("", "<|im_end|>").text == "" and checked(f"{said} yes", said).text == f"{said} yes"


def test_a_text_model_hears_nothing(noises: Callable[[float], Any], one_thread: None) -> None:
    from support import models

    model = LocalModel(models.require(models.SMOLLM), decoding=DecodingOptions.of(max_new_tokens=8), template="chat")
    question = Question(id="1", turns=(Turn(USER, ("What is the capital of France? Answer in one word.",)),))
    [heard] = model.answer([Request(asked("x"), (noises(0.5),), 0)])
    assert heard.error is not None and heard.error.startswith("text_only")
    with pytest.raises(UnaskableError, match="text_only"):
        encode(model.loaded, asked("x"), [noises(0.5)])
    [said] = model.answer([Request(question, (), 0)])
    assert said.text is not None and "Paris" in said.text
