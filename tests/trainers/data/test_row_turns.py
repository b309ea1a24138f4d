"""The turns of training rows: every form of rows, and what a model must not learn from."""

from __future__ import annotations

from typing import Any

import pytest
from triptych.trainers.data.bad_rows import BadRow
from triptych.trainers.data.row_turns import form_of, row_of
from triptych.trainers.data.training_row import TrainingRow
from triptych.trainers.data.turns import ASSISTANT, SYSTEM, USER, Clip, Picture, Turn, Video

A, B, V, P = "/root/a.flac", "/root/b c.flac", "/root/v.mp4", "/root/i.png"
ASKED = Turn(USER, (Clip(A), "Who?"))
ANN, BOB = Turn(ASSISTANT, ("Ann.",)), Turn(ASSISTANT, ("Bob.",))
CHAIN = Turn(ASSISTANT, ("<think>\nShe says so.\n</think>\n\n<RESPONSE>\nAnn.\n</RESPONSE>",))


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any, **fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **fields}


def human(text: str) -> dict[str, str]:
    return {"from": "human", "value": text}


def gpt(text: str) -> dict[str, str]:
    return {"from": "gpt", "value": text}


def part(path: str, kind: str = "audio") -> dict[str, str]:
    return {"type": kind, kind: path}


def text(said: str) -> dict[str, str]:
    return {"type": "text", "text": said}


def read(columns: dict[str, Any], **options: Any) -> TrainingRow:
    form = form_of({"id", *columns})
    assert form is not None
    return row_of({"id": "d/1", **columns}, form, where="e@v1", **options)


CHAT = [user("<audio>Who?"), assistant("Ann.")]


@pytest.mark.parametrize(
    ("columns", "turns"),
    [
        ({"messages": CHAT, "audios": [A]}, (ASKED, ANN)),
        ({"messages": [user("<video><audio>?<image>"), assistant("Ann.")], "audios": [A], "videos": [V],
          "images": [P]}, (Turn(USER, (Video(V), Clip(A), "?", Picture(P))), ANN)),
        ({"messages": [user("1"), assistant("2"), user("<audio><audio>3"), assistant("Ann.")], "audios": [A, B]},
         (Turn(USER, ("1",)), Turn(ASSISTANT, ("2",)), Turn(USER, (Clip(A), Clip(B), "3")), ANN)),
        ({"audio": A, "conversations": [human("<audio>Who?"), gpt("Ann.")]}, (ASKED, ANN)),
        ({"audio": [A, B], "conversations": [human("<audio> or <audio>?"), gpt("Ann.")]},
         (Turn(USER, (Clip(A), " or ", Clip(B), "?")), ANN)),
        ({"conversations": [{"from": "user", "value": f"<audio>{B}</audio>Who?"},
                            {"from": "assistant", "value": "Ann."}]}, (Turn(USER, (Clip(B), "Who?")), ANN)),
        ({"conversations": [human("<audio>Who?"), gpt("Ann.")], "system": "Be brief.", "audios": [A]},
         (Turn(SYSTEM, ("Be brief.",)), ASKED, ANN)),
        ({"messages": [user([part(A), text("Who?")]), assistant([text("Ann.")])]}, (ASKED, ANN)),
        ({"messages": [user([part(V, "video"), text("?")]), assistant("Ann.")]}, (Turn(USER, (Video(V), "?")), ANN)),
        ({"messages": [user([{"type": "audio_url", "audio_url": {"url": "file:///root/b%20c.flac"}}, text("Who?")]),
                       assistant("Ann.")]}, (Turn(USER, (Clip(B), "Who?")), ANN)),
        ({"prompt": [user([part(A), text("Who?")])], "completion": [assistant("Ann.")]}, (ASKED, ANN)),
        ({"instruction": "<audio>Who?", "input": "", "output": "Ann.", "audios": [A]}, (ASKED, ANN)),
        ({"instruction": "Where?", "input": "", "output": "Ann.", "history": [["<audio>Who?", "Bob."]], "audios": [A]},
         (ASKED, BOB, Turn(USER, ("Where?",)), ANN)),
        ({"audio_feat": A, "question": "Who?", "cot": "She says so.", "answer": "Ann."}, (ASKED, CHAIN)),
        ({"messages": [user("<audio>Who?"), assistant(*CHAIN.parts)], "audios": [A], "question": "Who?", "cot": "x",
          "answer": "Ann."}, (ASKED, CHAIN)),
        ({"messages": [user("<audio>Who?"), assistant("Bob.", loss=False), user("Who?"), assistant("Ann.", loss=True)],
          "audios": [A]}, (ASKED, Turn(ASSISTANT, ("Bob.",), is_learned=False), Turn(USER, ("Who?",)), ANN)),
    ],
    ids=str,
)  # fmt: skip
def test_every_form_of_rows_has_its_media_where_they_stand(columns: dict[str, Any], turns: tuple[Turn, ...]) -> None:
    found = read(columns)
    assert found.turns == turns and found.rejected is None and (found.id, found.where) == ("d/1", "e@v1 d/1")


@pytest.mark.parametrize(
    "columns",
    [
        {"messages": CHAT, "audios": [A], "rejected_response": "Bob."},
        {
            "prompt": [user("<audio>Who?")],
            "chosen": [assistant("Ann.")],
            "rejected": [assistant("Bob.")],
            "audios": [A],
        },
        {"prompt": [user([part(A), text("Who?")])], "chosen": [assistant("Ann.")], "rejected": [assistant("Bob.")]},
        {"conversations": [human("<audio>Who?")], "chosen": gpt("Ann."), "rejected": gpt("Bob."), "audios": [A]},
    ],
    ids=str,
)
def test_both_sides_of_a_pair_follow_the_same_turns(columns: dict[str, Any]) -> None:
    found = read(columns | {"dimension": "safety"})
    assert (found.turns, found.rejected) == ((ASKED, ANN), BOB)
    assert found.dimension == ("safety" if "prompt" in columns else None) or found.columns["dimension"] == "safety"


def test_the_sound_of_a_video_is_heard_with_it_where_the_export_says_so() -> None:
    columns = {"messages": [user("<video>?"), assistant("Ann.")], "videos": [V]}
    assert read(columns).media == (Video(V),)
    assert read(columns, sound_in_videos=True).media == (Video(V, with_sound=True),)


def test_a_text_to_learn_has_its_media_in_the_answer() -> None:
    columns = {"messages": [assistant("<audio>A dog barks.")], "audios": [A], "channel": "caps"}
    found = read(columns, is_pretraining=True)
    assert found.turns == (Turn(ASSISTANT, (Clip(A), "A dog barks.")),) and found.columns == {"channel": "caps"}


def chat(*messages: dict[str, Any], **columns: Any) -> dict[str, Any]:
    return {"messages": [*messages], **columns}


@pytest.mark.parametrize(
    ("columns", "reason", "told"),
    [
        (chat(*CHAT), "tags", "more <audio> tags than sounds"),
        (chat(*CHAT, audios=[A, B]), "tags", "1 more sounds than <audio> tags"),
        (chat(user("Who?"), assistant("Ann."), videos=[V]), "tags", "1 more videos"),
        (chat(user("<image>Who?"), assistant("Ann."), audios=[A]), "tags", "more <image> tags"),
        (chat(*CHAT, audios=[None]), "unread_media", "column audios"),
        (chat(*CHAT, audios=[A], tools="[]{}"), "tools_unsupported", "column tools"),
        (chat(*CHAT, audios=[A], objects={"bbox": [[1, 2]]}), "objects_unsupported", "column objects"),
        (chat(user("Who?")), "no_answer", "without an answer"),
        (chat(user("Who?"), assistant(" ")), "empty_answer", "turn 2"),
        (chat(user("Who?"), assistant(""), user("Who?"), assistant("Ann.")), "empty_answer", "turn 2"),
        (chat(user(" "), assistant("Ann.")), "empty_question", "turn 1"),
        (chat(assistant("Ann.")), "no_question", "pretrain"),
        (chat(user("Who?"), assistant("<audio>Ann."), audios=[A]), "media_in_answer", "turn 2"),
        (chat(user("Who?"), {"role": "system", "content": "x"}, assistant("Ann.")), "late_system", "turn 2"),
        (chat({"role": "system", "content": "x"}, *CHAT, audios=[A], system="y"), "two_systems", "column system"),
        (chat({"role": "system", "content": "<audio>"}, *CHAT, audios=[A, B]), "media_in_system", "system message"),
        (chat(user("Who?"), assistant("Ann.<|im_end|>")), "model_token", "<|im_end|>"),
        (chat(user("<|AUDIO|>"), assistant("Ann.")), "model_token", "<|AUDIO|>"),
        (chat(*CHAT, audios=[A], system="<|endoftext|>"), "model_token", "<|endoftext|>"),
        (chat(user("Who?"), {"role": "tool_call", "content": "{}"}, assistant("Ann.")), "unknown_role", "tool_call"),
        (chat(user("Who?"), assistant("Ann.", tool_calls=[{}])), "message_keys", "tool_calls"),
        (chat(user("Who?"), assistant("Ann.", loss_scale=0.5)), "loss_scale_unsupported", "0.5"),
        (chat({**user("Who?"), "loss": True}, assistant("Ann.")), "loss_unsupported", "role user"),
        (chat(user("Who?"), assistant("Ann.", loss=False)), "nothing_learned", "loss"),
        (chat(user([{"type": "audio", "audio": "data:xx"}]), assistant("Ann.")), "messages", "inside the row"),
        (chat(user([{"type": "smell"}]), assistant("Ann.")), "messages", "'smell'"),
        ({"messages": "Who?"}, "messages", "expected a list"),
        (chat(*CHAT, audios=[A], rejected_response="Ann."), "same_answers", "the same"),
        (chat(*CHAT, audios=[A], rejected_response=" "), "bad_rejected", "no text"),
        ({"prompt": [user("Who?")], "chosen": [], "rejected": [assistant("Bob.")]}, "chosen", "column chosen"),
        ({"audio_feat": A, "question": "Who?", "cot": "", "answer": "Ann."}, "no_chain", "column cot"),
    ],
    ids=str,
)  # fmt: skip
def test_a_row_that_must_not_be_learnt_is_refused_with_what_is_wrong(
    columns: dict[str, Any], reason: str, told: str
) -> None:
    with pytest.raises(BadRow) as caught:
        read(columns)
    assert caught.value.reason == reason and told in caught.value.detail
