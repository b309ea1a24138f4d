"""The rows of views of conversations: every style of conversation, llamafactory and messages."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pytest
from support.view_rows import ROOT, assistant, made_of_each, media, sample, user
from triptych.converters.views import STYLES, ViewOptions, get_view
from triptych.converters.views.elements.json_texts import _parted
from triptych.converters.views.prepare import create_macros
from triptych.errors import UsageError
from triptych.validators.formats import FORMATS

A, B, V = f"{ROOT}/media/a.flac", f"{ROOT}/media/b c.flac", f"{ROOT}/media/v.mp4"
ASKED = sample(text="hello", language="en")
TWO_SOUNDS = sample(
    messages=[user("One <audio> two <audio> three"), assistant("Both.")],
    more_media=[media("b c.flac") | {"kind": "audio"}],
)
CHAT = sample(
    messages=[{"role": "system", "content": "Be brief."}, user("<audio>Who?"), assistant("Ann."), user("Where?"),
              assistant("Here.")],
    chosen="Here.", rejected="There.",
)  # fmt: skip
FILM = sample(modality="mixed", video=media("v.mp4"), text="A dog barks.")
TEXT = sample(modality="text", audio=None, question="2 + 2?", answer="4")
CALL = sample(messages=[
    user("<audio>"), {"role": "tool_call", "content": '{"name": "f"}'}, {"role": "tool_response", "content": "3"},
    assistant("Three."),
])  # fmt: skip
SOUND_ALONE = sample(messages=[user("<audio>"), assistant("Hello to you.")])
PAIR = sample(question="Which?", answer="This.", rejected="That.")
LIKE = [ASKED, TWO_SOUNDS, CHAT, FILM, TEXT, CALL]


def human(text: str) -> dict[str, str]:
    return {"from": "human", "value": text}


def gpt(text: str) -> dict[str, str]:
    return {"from": "gpt", "value": text}


def made(view: str, samples: list[dict[str, Any]] = LIKE, **options: Any) -> list[Any]:
    """Rows without their ids, or the reasons against them."""
    rows = made_of_each(samples, view, **options)
    return [{key: value for key, value in each.items() if key != "id"} if isinstance(each, dict) else each
            for each in rows]  # fmt: skip


def test_qwen2_audio_rows_name_their_sounds_beside_the_turns() -> None:
    asked = [human("<audio>Transcribe the speech."), gpt("hello")]
    assert made("conversation/qwen2-audio") == [
        {"audio": [A], "conversations": asked},
        {"audio": [A, B], "conversations": [human("One <audio> two <audio> three"), gpt("Both.")]},
        {"audio": [A], "conversations": [{"from": "system", "value": "Be brief."}, human("<audio>Who?"), gpt("Ann."),
                                         human("Where?"), gpt("Here.")]},
        "video_unsupported", "no_media", "tools_unsupported",
    ]  # fmt: skip


def test_inline_rows_have_the_path_in_the_first_turn() -> None:
    several = sample(messages=CHAT["messages"][1:])
    late = sample(messages=[user("Ready?"), assistant("Yes."), user("<audio>Who?"), assistant("Ann.")])
    odd = sample(text="x", audio=media("a<b>.flac"))
    assert made("conversation/inline", [*LIKE, several, SOUND_ALONE, late, odd]) == [
        {"conversations": [{"from": "user", "value": f"<audio>{A}</audio>Transcribe the speech."},
                           {"from": "assistant", "value": "hello"}]},
        "more_than_one_medium", "system_unsupported", "video_unsupported", "no_media", "tools_unsupported",
        {"conversations": [{"from": "user", "value": f"<audio>{A}</audio>Who?"}, {"from": "assistant", "value": "Ann."},
                           {"from": "user", "value": "Where?"}, {"from": "assistant", "value": "Here."}]},
        "no_prompt", "sound_not_first", "path_unsupported",
    ]  # fmt: skip


SHAREGPT = [
    {"conversations": [human("<audio>Transcribe the speech."), gpt("hello")], "audios": [A]},
    {"conversations": [human("One <audio> two <audio> three"), gpt("Both.")], "audios": [A, B]},
    {"conversations": [human("<audio>Who?"), gpt("Ann."), human("Where?"), gpt("Here.")], "system": "Be brief.",
     "audios": [A]},
    {"conversations": [human("<video><audio>Describe what you see and hear."), gpt("A dog barks.")], "videos": [V],
     "audios": [A]},
    {"conversations": [human("2 + 2?"), gpt("4")]},
    {"conversations": [human("<audio>"), {"from": "function_call", "value": '{"name": "f"}'},
                       {"from": "observation", "value": "3"}, gpt("Three.")], "audios": [A]},
]  # fmt: skip


@pytest.mark.parametrize(
    "view", ["conversation/sharegpt", pytest.param("llamafactory/sharegpt", marks=pytest.mark.thorough)]
)
def test_sharegpt_rows_have_columns_for_system_and_media(view: str) -> None:
    two_calls = [*CALL["messages"][:2], *CALL["messages"][1:]]
    assert made(view, [*LIKE, sample(messages=two_calls)]) == [*SHAREGPT, "no_alternation"]


def test_alpaca_rows_have_earlier_exchanges_as_history() -> None:
    found = made("llamafactory/alpaca")
    assert found[2] == {"instruction": "Where?", "input": "", "output": "Here.", "history": [["<audio>Who?", "Ann."]],
                        "system": "Be brief.", "audios": [A]}  # fmt: skip
    assert found[4] == {"instruction": "2 + 2?", "input": "", "output": "4"}
    assert found[5] == "tools_unsupported"


def test_ranking_rows_end_with_the_question_and_have_two_answers() -> None:
    equal = PAIR | {"rejected": " This. "}
    tagged = PAIR | {"rejected": "<audio>"}
    alone = sample(task="qa", question="Which?", chosen="This.", rejected="That.")
    assert made("llamafactory/ranking", [CHAT, PAIR, ASKED, equal, tagged, alone], pairs=True) == [
        {"conversations": [human("<audio>Who?"), gpt("Ann."), human("Where?")], "chosen": gpt("Here."),
         "rejected": gpt("There."), "system": "Be brief.", "audios": [A]},
        {"conversations": [human("<audio>Which?")], "chosen": gpt("This."), "rejected": gpt("That."), "audios": [A]},
        "no_rejected", "same_answers", "tag_mismatch",
        {"conversations": [human("<audio>Which?")], "chosen": gpt("This."), "rejected": gpt("That."), "audios": [A]},
    ]  # fmt: skip


def text(value: str) -> dict[str, str]:
    return {"type": "text", "text": value}


def heard(path: str, kind: str = "audio") -> dict[str, str]:
    return {"type": kind, kind: path}


def test_hf_messages_have_parts_with_paths_and_no_null_keys() -> None:
    mark = sample(messages=[user("<audio>a\x1e\x1fb"), assistant("x")])
    turns = [user("<audio>a"), assistant("b"), user("c<audio>"), assistant("d")]
    later = sample(messages=turns, more_media=TWO_SOUNDS["more_media"])
    found = made("messages/hf", [*LIKE, mark, later])
    assert found[0]["messages"] == [
        {"role": "user", "content": [heard(A), text("Transcribe the speech.")]},
        {"role": "assistant", "content": [text("hello")]},
    ]
    assert found[1]["messages"][0]["content"] == [text("One "), heard(A), text(" two "), heard(B), text(" three")]
    assert found[2]["messages"][0] == {"role": "system", "content": [text("Be brief.")]}
    assert found[2]["messages"][3] == {"role": "user", "content": [text("Where?")]}
    assert found[3]["messages"][0]["content"][:2] == [heard(V, "video"), heard(A)]
    assert found[6]["messages"][0]["content"] == [heard(A), text("a\x1e\x1fb")]
    counted = found[7]["messages"]  # the media of later turns are counted over the conversation
    assert counted[0]["content"] == [heard(A), text("a")] and counted[2]["content"] == [text("c"), heard(B)]


@pytest.mark.parametrize("view", ["messages/hf", "messages/openai"])
def test_rows_are_the_same_where_no_other_sample_has_several_media(view: str) -> None:
    odd = [sample(question="<video>Which?", answer="x"), sample(question="<audio><audio>Which?", answer="x")]
    assert [made(view, [each])[0] for each in [*LIKE, *odd]] == made(view, [*LIKE, *odd])
    assert made(view, odd) == ["tag_mismatch", "tag_mismatch"]


def test_openai_messages_name_files_by_url() -> None:
    found = made("messages/openai")
    url = {"url": "file:///root%20of%20media/media/b%20c.flac"}
    assert found[1]["messages"][0]["content"][3] == {"type": "audio_url", "audio_url": url}
    assert found[3]["messages"][0]["content"][0]["type"] == "video_url"
    assert found[4]["messages"] == [user("2 + 2?"), assistant("4")]


def called(name: str, arguments: Any) -> dict[str, str]:
    return {"role": "tool_call", "content": json.dumps({"name": name, "arguments": arguments})}


def told(content: str) -> dict[str, str]:
    return {"role": "tool_response", "content": content}


LOOKED_UP = sample(
    messages=[user("<audio>"), assistant("Let me see."), called("now", {"city": "Bern"}), called("now", {"at": [1]}),
              told("3"), told('{"t": 4}'), called("stop", {}), told("ok"), assistant("Cold.")],
    extra={"tools": json.dumps([{"name": "now"}, {"type": "function", "function": {"name": "stop"}}])},
)  # fmt: skip


NO_CALLS = {
    "calls_without_answers": [[called("a", {})], [told("x")], [called("a", {}), called("b", {}), told("x")]],
    "bad_tool_call": [[{"role": "tool_call", "content": each}, told("x")]
                      for each in ("no", "[]", '{"name": 1}', '{"name": "a", "arguments": "x"}',
                                   '{"name": "a", "id": "7"}')],
    "media_of_tools": [[called("a", {}), told("<audio>")], [called("a", {"x": "<audio>"}), told("x")]],
}  # fmt: skip


def calls(*functions: dict[str, Any], first: int = 0) -> list[dict[str, Any]]:
    ids = [{"id": f"call_{first + n}"} if first else {} for n in range(len(functions))]
    return [{**each, "type": "function", "function": of} for each, of in zip(ids, functions, strict=True)]


def test_calls_of_tools_are_said_by_the_assistant_and_answered_one_by_one() -> None:
    bern, at, stop = {"city": "Bern"}, {"at": [1]}, {"type": "function", "function": {"name": "stop"}}
    served, *others = made(
        "messages/openai",
        [
            LOOKED_UP,
            *(sample(messages=[user("Say."), *each, assistant("x")]) for of in NO_CALLS.values() for each in of),
        ],
    )
    assert others == [code for code, of in NO_CALLS.items() for _ in of]
    texts = [{"name": "now", "arguments": '{"city":"Bern"}'}, {"name": "now", "arguments": '{"at":[1]}'}]
    assert served["messages"][1:] == [
        assistant("Let me see.") | {"tool_calls": calls(*texts, first=1)},
        {"role": "tool", "tool_call_id": "call_1", "content": "3"},
        {"role": "tool", "tool_call_id": "call_2", "content": '{"t": 4}'},
        {"role": "assistant", "content": None, "tool_calls": calls({"name": "stop", "arguments": "{}"}, first=3)},
        {"role": "tool", "tool_call_id": "call_3", "content": "ok"},
        assistant("Cold."),
    ]
    assert served["tools"] == [{"type": "function", "function": {"name": "now"}}, stop]
    objects = [{"name": "now", "arguments": bern}, {"name": "now", "arguments": at}]
    stopping = calls({"name": "stop", "arguments": {}})
    [typed] = made("messages/hf", [LOOKED_UP])
    assert typed["messages"][1:] == [
        {"role": "assistant", "content": [text("Let me see.")], "tool_calls": calls(*objects)},
        {"role": "tool", "name": "now", "content": [text("3")]},
        {"role": "tool", "name": "now", "content": [text('{"t": 4}')]},
        {"role": "assistant", "content": [], "tool_calls": stopping},
        {"role": "tool", "name": "stop", "content": [text("ok")]},
        {"role": "assistant", "content": [text("Cold.")]},
    ]
    empty = {"parts": [text(""), text("")]}
    [kept] = made("messages/hf", [sample(messages=[user("<audio>"), called("a", empty), told("x"), assistant("y")])])
    assert kept["messages"][1]["tool_calls"][0]["function"]["arguments"] == empty
    [asked] = made("messages/trl", [LOOKED_UP], task="completion")
    assert asked["prompt"][1:] == [
        assistant("Let me see.") | {"tool_calls": calls(*objects)},
        {"role": "tool", "name": "now", "content": "3"}, {"role": "tool", "name": "now", "content": '{"t": 4}'},
        assistant("") | {"tool_calls": stopping}, {"role": "tool", "name": "stop", "content": "ok"},
    ]  # fmt: skip
    assert asked["completion"] == [assistant("Cold.")]
    for view, kept in (("openai", served), ("hf", typed), ("trl", asked)):
        found = FORMATS[f"messages-{view}"].Rows(task="completion", files=False).check(1, kept)
        assert {each.code for each in found} - {"sound_not_heard", "json_text"} == (
            {"tool_call_not_shown"} if view != "openai" else set()
        )


def test_a_text_that_becomes_a_part_leaves_the_other_keys_of_its_message() -> None:
    connection = duckdb.connect()
    messages = [{"role": "tool", "tool_call_id": "call_1", "content": "3"}, user("x")]
    connection.execute("CREATE TABLE rows AS SELECT ?::JSON AS messages", [json.dumps(messages)])
    [[made]] = connection.execute(f"SELECT {_parted('messages')} FROM rows").fetchall()
    assert json.loads(made) == [messages[0] | {"content": [text("3")]}, messages[1]]


def test_trl_rows_have_the_keys_of_their_task() -> None:
    question = {"role": "user", "content": [heard(A), text("Which?")]}
    kept = {"prompt": [question]}
    assert made("messages/trl", [PAIR], task="sft") == [{"messages": [question, assistant("This.")]}]
    assert made("messages/trl", [PAIR], task="completion") == [kept | {"completion": [assistant("This.")]}]
    assert made("messages/trl", [PAIR, ASKED], task="dpo") == [
        kept | {"chosen": [assistant("This.")], "rejected": [assistant("That.")]}, "no_rejected",
    ]  # fmt: skip
    assert made("messages/trl", [PAIR], task="grpo") == [kept | {"solution": "This.", "task": "qa"}]
    liked = sample(question="Which?", answer="This.", extra={"kto_tag": "false"})
    assert made("messages/trl", [liked, ASKED], task="kto") == [
        kept | {"completion": [assistant("This.")], "label": False}, "no_label",
    ]  # fmt: skip


# ---- modes


@pytest.mark.parametrize(
    ("turns", "mode"),
    [
        (["<audio>"], "voice-chat"),
        (["<audio>What emotion?"], "analysis"),
        (["<audio>", "<audio>Translate."], "mixed"),
        ([" <audio>\n<audio> "], "voice-chat"),
        (["<audio>", "And now?"], "mixed"),
        (["<audio>What?", "And now?"], "analysis"),
        (["<video><audio>"], "mixed"),
        (["What?"], None),
    ],
)
def test_a_conversation_is_voice_chat_or_analysis_by_its_user_turns(turns: list[str], mode: str | None) -> None:
    connection = duckdb.connect()
    create_macros(connection, ViewOptions(), "mode_of")
    spoken = [turn for text in turns for turn in (user(text), assistant("x"))]
    assert connection.execute("SELECT mode_of($1)", [spoken]).fetchall() == [(mode,)]


def test_voice_chat_rows_answer_what_is_said_and_a_transcript_is_no_answer() -> None:
    spoken = [SOUND_ALONE, sample(task="qa", answer="Paris."), sample(task="chat", question=" <audio>", answer="Yes.")]
    described = [
        ASKED, sample(task="aac", captions=["a dog"]), sample(task="ser", labels=["happy"]),
        sample(task="s2tt", translation="hallo", target_language="de"),
        sample(task="qa", choices=["A", "B"], answer="A"),
    ]  # fmt: skip
    found = made("conversation/sharegpt", [*spoken, *described, CHAT, PAIR, FILM, TEXT], mode="voice-chat")
    assert [[turn["value"] for turn in each["conversations"]] for each in found[:3]] == [
        ["<audio>", "Hello to you."], ["<audio>", "Paris."], ["<audio>", "Yes."]
    ]  # fmt: skip
    assert found[3:] == ["not_voice_chat"] * 9
    assert made("conversation/sharegpt", spoken) == found[:3]


def test_analysis_rows_have_text_beside_every_sound() -> None:
    found = made("conversation/sharegpt", [ASKED, SOUND_ALONE, TEXT], mode="analysis")
    assert [each if isinstance(each, str) else "" for each in found] == ["", "not_analysis", ""]


# ---- styles


def test_a_style_is_a_view_of_its_own_and_the_first_is_the_default() -> None:
    for name, styles in ((name, STYLES[name]) for name in ("conversation", "llamafactory", "messages")):
        assert get_view(name) is next(iter(styles.values()))
        for style, view in styles.items():
            assert (view.name, view.style, get_view(name, style)) == (name, style, view)
            assert view.format == f"{name}-{style}"
    with pytest.raises(UsageError, match="sharegpt"):
        get_view("conversation", "shargpt")
