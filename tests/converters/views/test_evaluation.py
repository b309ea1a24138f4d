"""The view `evaluation`: rows of Qwen2-Audio's scripts, and items of benchmarks."""

from __future__ import annotations

from typing import Any

from support.view_rows import converted, made_of_each, media, sample
from triptych.converters.views import ViewOptions, get_view
from triptych.converters.views.batch import RowMaker
from triptych.validators.formats import FORMATS

GIVEN: list[dict[str, Any]] = [
    sample(task="asr", text="THE  CAT", language="en-US", dataset="librispeech", config="clean", split="test-clean"),
    sample(task="asr", text="x", language="yue", dataset="cv", config=None, split="test"),
    sample(task="s2tt", translation="你好", language="en", target_language="zh-CN", dataset="covost2", split="test_b"),
    sample(task="ser", labels=["neutral"], language="zh"),
    sample(task="vsc", labels=["Cough"]),
    sample(task="aac", captions=["x"], language="zh"),
    sample(task="qa", question="Who?", choices=["a", "b"], answer="a", language="en"),
    sample(task="asr", text="x", extra={"reference": "R", "evaluation_prompt": "P"}),
    sample(messages=[{"role": "user", "content": "<audio>Hi"}, {"role": "assistant", "content": "<think>a</think>b"}]),
    sample(task="asr", text="x"),
    sample(task="s2tt", translation="x", language="en", target_language="sw"),
    sample(task="s2tt", translation="x", language="en"),
    sample(task="asr", language="en"),
    sample(task="diarization", text="x"),
    sample(task="asr", text="x", language="en", video=media("v.mp4"), modality="mixed"),
    sample(messages=[{"role": role, "content": "x"} for role in ("user", "assistant") * 2]),
    sample(modality="text", audio=None, task="qa", question="Who?", answer="x"),
]


def test_rows_have_the_prompts_of_the_lists_and_are_grouped_by_source() -> None:
    made = made_of_each(GIVEN, view="evaluation", text="raw")
    assert [(each["prompt"], each["gt"], each["source"]) for each in made[:9]] == [
        ("Detect the language and recognize the speech: <|en|>", "THE  CAT", "librispeech_clean_test_clean"),
        ("Detect the language and recognize the speech: <|yue|>", "x", "cv_test"),
        ("Detect the language and translate the speech into Mandarin: <|en|>", "你好", "covost2_en_zh_test-b"),
        ("Recognize the emotion with keywords in English:", "neutral", "d_train"),
        ("Classify the human vocal sound to VocalSound in English:", "Cough", "d_train"),
        ("请描述这段声音。", "x", "d_train"),
        ("Who?\nChoose one of these options:\n- a\n- b", "a", "d_train"),
        ("P", "R", "d_train"),
        ("Hi", "b", "d_train"),
    ]
    assert made[9:] == ["no_language", "no_language", "no_language", "no_answer", "no_prompt", "video_unsupported",
                        "several_exchanges", "no_media"]  # fmt: skip
    for each in made[:9]:
        assert not list(FORMATS["evaluation-list"].Rows(files=False).check(1, each))


def test_how_to_ask_may_be_chosen() -> None:
    def asked(given: dict[str, Any], **options: Any) -> dict[str, Any]:
        [made] = converted([given], "evaluation", ViewOptions(text="raw", **options))
        assert isinstance(made, dict), made
        return made

    assert asked(GIVEN[0], prompt_language="zh")["prompt"] == "请将这段语音转写为文字。"
    template = "{modality_tag}{prompt} Now."
    assert asked(GIVEN[0], user_template=template)["prompt"] == "Transcribe the speech. Now."
    assert asked(GIVEN[14], modality="audio", av="sound-only")["audio"].endswith("a.flac")


def test_items_have_question_choices_and_answer_and_what_a_benchmark_says_of_them() -> None:
    audio = {"audio_paths": ["/a.flac"], "modality": "audio", "task": "qa", "dataset": "mmar", "language": "en"}
    labels = ["sound", "Signal Layer", "Acoustic Quality Analysis"]
    with RowMaker(get_view("evaluation", "items"), ViewOptions(text="raw")) as maker:
        one, two, talk, none = maker.rows([
            {"id": "1", **audio, "question": "Which?", "choices": ["a", "b"], "answer": "b", "labels": labels,
             "reasoning": "because"},
            {"id": "2", **audio, "question": "Which?", "answer": "b", "labels": ["hard"],
             "extra": {"category": "Music", "sub-category": "Tempo"}},
            {"id": "3", **audio, "messages": [{"role": "user", "content": "<audio>Hi"},
                                              {"role": "assistant", "content": "b"}]},
            {"id": "4", **audio, "answer": "b"},
        ])  # fmt: skip
    assert one.row == {
        "id": "1", "audio_path": "/a.flac", "question": "Which?", "choices": ["a", "b"], "answer": "b",
        "modality": "sound", "category": "Signal Layer", "sub-category": "Acoustic Quality Analysis",
        "language": "en", "source": "mmar", "thinking": "because",
    }  # fmt: skip
    assert not list(FORMATS["evaluation-items"].Rows(task="mmar", files=False).check(1, one.row))
    shown = {name: two.row.get(name) for name in ("choices", "modality", "category", "sub-category", "labels")}
    assert shown == {"choices": [], "modality": None, "category": "Music", "sub-category": "Tempo", "labels": ["hard"]}
    assert (talk.row["question"], talk.row["answer"], none.skip) == ("Hi", "b", "no_prompt")
    assert (one.left_out, two.left_out) == ((), ())


def test_a_query_of_the_chat_evaluation_has_the_tokens_of_its_sound() -> None:
    audio = {"audio_paths": ["/a.flac"], "modality": "audio", "task": "chat"}
    with RowMaker(get_view("evaluation", "chat"), ViewOptions(text="raw")) as maker:
        asked, spoken, token, pair = maker.rows([
            {"id": "1", **audio, "question": "Who speaks?"},
            {"id": "2", **audio},
            {"id": "3", **audio, "question": "<|im_end|>", "answer": "x"},
            {"id": "4", **audio, "question": "Which?", "audio_paths": ["/a.flac", "/b.flac"]},
        ])  # fmt: skip
    sound = "Audio 1: <|audio_bos|><|AUDIO|><|audio_eos|>\n"
    assert asked.row == {"id": "1", "audio": "/a.flac", "query": f"{sound}Who speaks?"}
    assert spoken.row["query"] == sound and (token.skip, pair.skip) == ("model_token", "more_than_one_medium")
    assert not list(FORMATS["evaluation-chat"].Rows(files=False).check(1, asked.row))


def test_what_a_row_without_a_conversation_cannot_say_is_refused() -> None:
    """Earlier turns, a system message, and a mode in which nothing is asked."""
    talk = [{"role": "user", "content": "<audio>Hi"}, {"role": "assistant", "content": "<think>a</think>b"},
            {"role": "user", "content": "And?"}, {"role": "assistant", "content": "<think>c</think>d"}]  # fmt: skip
    told = [{"role": "system", "content": "Be brief."}, *talk[:2]]
    given = [sample(messages=talk), sample(messages=told)]
    assert made_of_each(given, "cot/json") == ["several_exchanges", "system_unsupported"]
    heard = sample(text="hello", language="en")
    assert made_of_each([heard], "evaluation/list", system="Be brief.") == ["system_unsupported"]
    assert made_of_each([heard], "evaluation/list", mode="voice-chat") == ["not_voice_chat"]
