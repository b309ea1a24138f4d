"""What is asked and answered: prompts by task, language and phrasing, and what is shown of a video with sound."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

import pytest
from support import prompts_page
from support.places import ROOT
from support.view_rows import UPPER, assistant, converted, made_of_each, media, rows_of, sample, user
from triptych.converters.export.options import ExportOptions
from triptych.converters.row_options import PROMPT_LANGUAGES, prompts_for, shown_av
from triptych.converters.views import ViewOptions
from triptych.converters.views.prompts import choice_introductions, phrasings_of, tables, tasks
from triptych.errors import UsageError

SPEECH = [sample(id=f"d/train/{number}", task="asr", text="x", language="en") for number in range(60)]
ASKED = phrasings_of("asr")["audio"]
FILM = {"audio": media("a.flac"), "video": media("v.mp4"), "modality": "mixed"}


def questions(made: dict[str, Any]) -> dict[str, str]:
    return {identity: each["messages"][0]["content"].removeprefix("<audio>") for identity, each in made.items()}


def test_every_task_of_the_cards_is_asked_in_every_language() -> None:
    cards = sorted((ROOT / "catalog" / "cards").glob("*.yaml"))
    listed = [re.search(r"^tasks: \[(.+)\]$", card.read_text(encoding="utf-8"), re.MULTILINE) for card in cards]
    assert cards and all(listed)
    assert {task for found in listed if found for task in found[1].split(", ")} <= set(tasks())
    banks = tables()["prompt_banks"].to_pylist()
    assert {bank["task"] for bank in banks} == set(tasks())
    for task in tasks():
        for shown in {bank["modality"] for bank in banks if bank["task"] == task}:
            asked = {bank["language"] for bank in banks if (bank["task"], bank["modality"]) == (task, shown)}
            assert asked == set(PROMPT_LANGUAGES), (task, shown)
    assert len(choice_introductions()) == len(PROMPT_LANGUAGES)
    names = tables()["target_names"].to_pylist()
    assert len({frozenset(n["code"] for n in names if n["language"] == each) for each in PROMPT_LANGUAGES}) == 1


def test_no_prompt_says_the_same_twice() -> None:
    for task in tasks():
        for by_language in phrasings_of(task).values():
            assert all(len(set(texts)) == len(texts) for texts in by_language.values()), task


def test_the_page_of_prompts_is_made_from_them() -> None:
    page = ROOT / "docs" / "reference" / "prompts.md"
    assert page.read_text(encoding="utf-8") == prompts_page.page(), "python tests/support/prompts_page.py > " + str(
        page
    )


def test_a_task_is_asked_in_the_language_of_the_sample_or_in_the_chosen_one() -> None:
    samples = [sample(task="asr", text="x", language=each) for each in ("en", "zh-HK", "de", "ja", "sw", None)]
    own = [ASKED[language][0] for language in ("en", "zh", "de", "ja", "en", "en")]
    assert own[:2] == ["Transcribe the speech.", "请将这段语音转写为文字。"]
    asked = [made["messages"][0]["content"].removeprefix("<audio>") for made in made_of_each(samples)]
    assert asked == own
    more = [sample(task="s2tt", translation="x", language="en", target_language="zh-CN"),
            sample(task="qa", question="Who?", choices=["a", "b"], answer="a", language="en")]  # fmt: skip
    made = converted([*samples, *more], "msswift", ViewOptions(task="sft", prompt_language="fr"))
    *spoken, translated, chosen = [each["messages"][0]["content"] for each in made if isinstance(each, dict)]
    assert spoken == ["<audio>Transcris la parole."] * len(samples)
    assert translated == "<audio>Traduis la parole. Langue cible : chinois."
    assert chosen == "<audio>Who?\nChoisis une de ces options :\n- a\n- b"


def test_each_task_has_the_field_that_answers_it() -> None:
    given = {
        "speaker": {"speaker": "id10001"}, "phoneme": {"phones": [{"text": "hh"}, {"text": "iy"}]},
        "classification": {"labels": ["joint_account"]}, "translation": {"text": "Hallo", "translation": "Hello"},
    }  # fmt: skip
    full = [sample(task=task, language="en", target_language="en", **held) for task, held in given.items()]
    made = made_of_each([*full, *(sample(task=task) for task in given)])
    assert [each["messages"][-1]["content"] for each in made[:4]] == ["id10001", "hh iy", "joint_account", "Hello"]
    assert made[3]["messages"][0]["content"] == "<audio>Translate into English: Hallo"
    assert made[4:] == ["no_answer"] * 4


def test_varied_prompts_are_chosen_by_the_seed_and_the_id_alone() -> None:
    varied = ViewOptions(task="sft", prompts="varied")
    asked = questions(rows_of(SPEECH, "msswift", varied))
    assert set(asked.values()) == set(ASKED["en"])
    assert questions(rows_of(SPEECH[:7], "msswift", varied)) == {each["id"]: asked[each["id"]] for each in SPEECH[:7]}
    turned = [each["messages"][0]["content"].removeprefix("<audio>") for each in converted(SPEECH, "msswift", varied)]
    assert turned == [asked[each["id"]] for each in SPEECH]
    other = converted(SPEECH, "msswift", ViewOptions(task="sft", prompts="varied", seed=1))
    assert [each["messages"][0]["content"].removeprefix("<audio>") for each in other] != turned


def test_several_rows_of_a_sample_are_asked_in_other_words() -> None:
    options = ViewOptions(task="sft", prompts="varied", prompts_per_sample=3)
    talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "x"}]
    given = [*SPEECH[:9], sample(id="d/train/talk", messages=talk),
             sample(id="d/train/qa", task="qa", question="Who?", answer="x"),
             sample(id="d/train/id", task="speaker", speaker="x", language="de")]  # fmt: skip
    made = rows_of(given, "msswift", options)
    parts: defaultdict[str, list[str]] = defaultdict(list)
    for identity, question in questions(made).items():
        parts[identity.partition("#")[0].rpartition("/")[2]].append(question)
    assert {name: len(asked) for name, asked in parts.items()} == {
        **{str(number): 3 for number in range(9)}, "talk": 1, "qa": 1, "id": 2,
    }  # fmt: skip
    assert all(len(set(asked)) == len(asked) for asked in parts.values())
    assert {"d/train/0", "d/train/0#prompt2", "d/train/0#prompt3"} <= made.keys()
    alone = questions(rows_of(given, "msswift", ViewOptions(task="sft", prompts="varied")))
    assert alone == {identity: asked for identity, asked in questions(made).items() if "#" not in identity}


def test_options_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(UsageError, match="contradict"):
        prompts_for("one", 2, None)
    with pytest.raises(UsageError, match=r"has no \{prompt\}"):
        prompts_for(None, 2, "{modality_tag}What?")
    assert prompts_for(None, 2, "{prompt} Please.") == "varied"
    for modality, av in (("audio", "in-video"), ("video", "in-video"), ("video", "sound-only"), ("av", "sound-only")):
        with pytest.raises(UsageError, match=f"--modality {modality} and --av {av} contradict"):
            shown_av(modality, av)
    assert shown_av("audio", "separate") == "sound-only" and shown_av("av", "in-video") == "in-video"
    assert ExportOptions().modality == "own"


TALK = [{"role": "user", "content": "<video><audio>What is it?"}, {"role": "assistant", "content": "x"}]


def test_a_video_is_shown_without_its_sound_and_asked_accordingly() -> None:
    samples = [
        sample(**FILM, task="captioning", captions=["x"]), sample(**FILM, task="asr", text="x"),
        sample(**FILM, messages=TALK), sample(**FILM, task="aac", text="x"), sample(task="asr", text="x"),
        sample(video=media("v.mp4"), audio=None, modality="video", task="captioning", captions=["x"]),
        sample(modality="text", audio=None, task="qa", question="Who?", answer="x"),
    ]  # fmt: skip
    made = made_of_each(samples, modality="video")
    asked = [each if isinstance(each, str) else each["messages"][0]["content"] for each in made]
    assert asked == [
        "<video>Describe the video.", "<video>Read the speaker's lips and write down what is said.",
        "<video>What is it?", "no_prompt", "no_video", "<video>Describe the video.", "Who?",
    ]  # fmt: skip
    assert all("audios" not in each for each in made if isinstance(each, dict))


def test_only_samples_with_picture_and_sound_are_shown_as_both() -> None:
    silent = {"video": media("v.mp4"), "audio": None, "modality": "video"}
    samples = [sample(**FILM, text="x", task="captioning"), sample(text="x", task="captioning"),
               sample(**silent, text="x", task="captioning")]  # fmt: skip
    both, sound, picture = made_of_each(samples, modality="av")
    assert both["messages"][0]["content"] == "<video><audio>Describe what you see and hear."
    assert (sound, picture) == ("no_video", "no_sound")
    alone, _, without = converted(samples, "msswift", ViewOptions(task="sft", modality="audio", av="sound-only"))
    assert isinstance(alone, dict) and "videos" not in alone and without == "no_sound"
    assert alone["messages"][0]["content"] == "<audio>Describe the sound."


def test_a_translation_into_no_language_or_of_nothing_is_not_asked_for() -> None:
    given = [sample(task="s2tt", text="a", translation="b", language="en"),
             sample(task="translation", translation="b", language="en", target_language="de")]  # fmt: skip
    assert made_of_each(given) == ["no_prompt", "no_prompt"]
    assert made_of_each(given, user_template="{modality_tag}{prompt} Please.") == ["no_prompt", "no_prompt"]


def test_the_phones_of_a_span_are_those_in_it_and_a_class_is_no_like() -> None:
    phones = [{"text": name, "start_s": at, "end_s": at + 1.0} for at, name in enumerate("abcd")]
    [part] = made_of_each([sample(task="phoneme", phones=phones, start_s=1.0, end_s=3.0)])
    assert part["messages"][-1]["content"] == "b c"
    kinds = [sample(task="classification", labels=["false"]), sample(question="Q", answer="A", labels=["false"])]
    named, liked = made_of_each(kinds, task="kto")
    assert named == "no_label" and liked["label"] is False


@pytest.mark.parametrize("text", ["clean", "lower", "raw"])
def test_an_answer_is_one_of_the_choices_as_they_are_listed(text: str) -> None:
    """Else a model is taught an answer that it was not offered, and a reward takes the right one for another."""
    listed = ["A  cat", "A  DOG", "\u4e2d \u6587"]
    asked = [sample(task="qa", question="Which?", choices=listed, answer=answer, dataset=of)
             for answer, of in ((listed[1], "d"), (listed[2], "d"), (listed[1], UPPER))]  # fmt: skip
    for row in made_of_each(asked, task="grpo", reasoning="column", text=text):
        assert row["solution"] in row["choices"] and f"- {row['solution']}\n" in row["messages"][-1]["content"] + "\n"
    for row in made_of_each(asked, view="hf", text=text):
        assert row["answer"] in row["choices"]
    turns = [user("<audio>A  DOG?"), assistant("A  DOG")]
    talk = sample(task="qa", choices=["A  DOG", "b"], messages=turns)
    assert made_of_each([talk], task="grpo", reasoning="column", text=text)[0]["choices"] == ["A  DOG", "b"]
