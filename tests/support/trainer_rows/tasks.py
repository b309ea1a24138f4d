"""The rows of each task."""

from __future__ import annotations

from support.trainer_rows import columns, conversations
from support.trainer_rows.conversations import CONTENTS, turns
from support.trainer_rows.pieces import AUDIO, CALL, IMAGE, OTHER, VIDEO, Named, assistant, pair, spoken, system, user


def _sft() -> Named:
    yield "good", spoken()
    yield from turns(3)
    yield from conversations.roles()
    yield from conversations.contents()
    yield from conversations.messages()
    yield from columns.columns()
    yield from columns.media()
    yield from columns.tags()
    yield from columns.further()


def _grpo() -> Named:
    yield "good", {"messages": [user("<audio>q")], "audios": [AUDIO], "solution": "y"}
    for name, said in turns(2):
        yield name, {**said, "solution": "y"}
    for name, value in {"null": None, "empty": "", "list": ["y"], "number": 3}.items():
        yield f"solution {name}", {"messages": [user("<audio>q")], "audios": [AUDIO], "solution": value}
    yield "no solution", {"messages": [user("<audio>q")], "audios": [AUDIO]}
    yield "missing sound", {"messages": [user("<audio>q")], "audios": ["$/none.wav"], "solution": "y"}
    yield "parts beside a column", {"messages": [user(CONTENTS["sound"])], "audios": [OTHER], "solution": "y"}
    yield (
        "further columns",
        {"messages": [user("<audio>q")], "audios": [AUDIO], "solution": "y", "task": "asr", "language": "en"},
    )
    yield "question", {"query": "<audio>q", "audio": AUDIO, "solution": "y"}
    yield "question and answer", {"query": "<audio>q", "audio": AUDIO, "answer": "a", "solution": "y"}
    yield "tag in the answer", {"messages": [user("q"), assistant("<audio>y")], "audios": [AUDIO], "solution": "y"}
    yield "no tag", {"messages": [user("q")], "audios": [AUDIO], "solution": "y"}
    yield "no media", {"messages": [user("<audio>q")], "solution": "y"}
    yield "unknown role", {"messages": [{"role": "teacher", "content": "q"}], "solution": "y"}
    yield "null content", {"messages": [user(None)], "solution": "y"}
    yield "no messages", {"messages": [], "solution": "y"}


def _dpo() -> Named:
    yield "good", spoken(rejected_response="n")
    for name, value in {
        "equal": "y",
        "null": None,
        "empty": "",
        "number": 3,
        "list": [assistant("n")],
        "equal list": [assistant("y")],
        "user list": [user("n")],
        "user and answer": [assistant("n"), user("m"), assistant("o")],
        "empty list": [],
        "no role": [{"content": "n"}],
        "null content": [assistant(None)],
        "tag": "<audio>n",
        "object": assistant("n"),
        "two answers": [assistant("n"), assistant("m")],
        "unknown role": [{"role": "teacher", "content": "n"}],
        "from": [{"from": "gpt", "value": "n"}],
    }.items():
        yield f"rejected response {name}", spoken(rejected_response=value)
    yield "no rejected", spoken()
    for name, value in {
        "same": pair(answer="n")["messages"],
        "no tag": pair("q", "n")["messages"],
        "null": None,
        "empty": [],
        "text": "n",
        "equal": pair()["messages"],
        "unknown role": [user("<audio>q"), {"role": "teacher", "content": "n"}],
        "null content": [user("<audio>q"), assistant(None)],
        "from": [{"from": "human", "value": "<audio>q"}, {"from": "gpt", "value": "n"}],
        "alone": [assistant("n")],
        "question": [user("<audio>q")],
        "json": str(pair(answer="n")["messages"]),
        "system second": [user("q"), system("s"), assistant("n")],
    }.items():
        yield f"rejected messages {name}", spoken(rejected_messages=value)
        yield f"rejected messages {name} and sound", spoken(rejected_messages=value, rejected_audios=[AUDIO])
    yield "rejected sound", spoken(rejected_audios=[OTHER])
    yield "rejected missing sound", spoken(rejected_audios=["$/none.wav"])
    yield "rejected null sound", spoken(rejected_audios=None)
    yield "rejected sound text", spoken(rejected_audios=OTHER)
    yield "rejected image", pair("<image>q", images=[IMAGE], rejected_images=[IMAGE])
    yield "both", spoken(rejected_response="n", rejected_messages=pair(answer="m")["messages"])
    yield "margin", spoken(rejected_response="n", margin=0.5)
    yield "margin text", spoken(rejected_response="n", margin="x")
    yield (
        "several turns",
        {
            "messages": [user("<audio>q"), assistant("y"), user("r"), assistant("z")],
            "audios": [AUDIO],
            "rejected_response": "n",
        },
    )
    yield (
        "answer of the first turn",
        {
            "messages": [user("<audio>q"), assistant("y"), user("r"), assistant("z")],
            "audios": [AUDIO],
            "rejected_response": "y",
        },
    )
    yield (
        "tool turns",
        {
            "messages": [
                user("q"),
                {"role": "tool_call", "content": "c"},
                {"role": "tool_response", "content": "r"},
                assistant("y"),
            ],
            "rejected_response": "n",
        },
    )
    yield "no answer", {"messages": [user("<audio>q")], "audios": [AUDIO], "rejected_response": "n"}
    yield "two answers", {"messages": [user("q"), assistant("x"), assistant("y")], "rejected_response": "y"}
    yield "system", {"messages": [system("s"), *pair()["messages"]], "audios": [AUDIO], "rejected_response": "n"}
    yield "system second", {"messages": [user("q"), system("s"), assistant("y")], "rejected_response": "n"}
    yield "query", {"query": "<audio>q", "response": "y", "audio": AUDIO, "rejected_response": "n"}
    yield "query equal", {"query": "q", "response": "y", "rejected_response": "y"}
    yield "no messages", {"messages": [], "rejected_response": "n"}
    yield "missing sound", pair(audios=["$/none.wav"], rejected_response="n")
    yield "parts", {"messages": [user(CONTENTS["sound and text"]), assistant("y")], "rejected_response": "n"}
    yield (
        "parts in answer",
        {"messages": [user("q"), assistant([{"type": "text", "text": "y"}])], "rejected_response": "y"},
    )


def _kto() -> Named:
    yield "good", spoken(label=True)
    for name, value in {
        "false": False,
        "null": None,
        "number": 1,
        "zero": 0,
        "fraction": 0.5,
        "text": "false",
        "text true": "true",
        "empty": "",
        "list": [1],
        "empty list": [],
        "object": {"good": True},
    }.items():
        yield f"label {name}", spoken(label=value)
    yield "no label", spoken()
    for name, said in turns(2):
        yield name, {**said, "label": False}
    yield "no answer", {"messages": [user("<audio>q")], "audios": [AUDIO], "label": True}
    for name, value in {"empty": "", "null": None, "number": 3, "list": ["y"], "parts": CONTENTS["text"]}.items():
        yield f"answer {name}", {"messages": [user("<audio>q"), assistant(value)], "audios": [AUDIO], "label": True}
        yield f"question {name}", {"messages": [user(value), assistant("y")], "label": False}
    for name, value in {
        "same": pair(answer="n")["messages"],
        "equal": pair()["messages"],
        "null": None,
        "empty": [],
        "null content": [user("<audio>q"), assistant(None)],
    }.items():
        yield f"rejected messages {name}", spoken(label=True, rejected_messages=value)
    yield "missing sound", pair(audios=["$/none.wav"], label=True)
    yield "rejected too", spoken(label=True, rejected_response="n")
    yield "rejected equal", spoken(label=True, rejected_response="y")
    yield "rejected missing sound", spoken(label=True, rejected_audios=["$/none.wav"])
    yield "unknown role", {"messages": [user("q"), {"role": "teacher", "content": "y"}], "label": True}
    yield (
        "several turns",
        {"messages": [user("<audio>q"), assistant("y"), user("r"), assistant("z")], "audios": [AUDIO], "label": False},
    )
    yield "system second", {"messages": [user("q"), system("s"), assistant("y")], "label": True}
    yield "system", {"messages": [system("s"), *pair()["messages"]], "audios": [AUDIO], "label": True}
    yield "no tag", pair("q", audios=[AUDIO], label=True)
    yield "no media", pair(label=True)
    yield "two tags", pair("<audio><audio>q", audios=[AUDIO], label=True)
    yield "two sounds", pair("<audio>q <audio>", audios=[AUDIO, OTHER], label=False)
    yield "tag in the answer", pair("q", "<audio>y", audios=[AUDIO], label=True)
    yield "picture", pair("<image>q", images=[IMAGE], label=True)
    yield "video", pair("<video>q", videos=[VIDEO], label=False)
    yield "sound that is text", pair(audios="$/a.wav", label=True)
    yield "sounds null", pair("q", audios=None, label=True)
    yield "sound in parts", {"messages": [user(CONTENTS["sound and text"]), assistant("y")], "label": True}
    yield "query", {"query": "<audio>q", "response": "y", "audio": AUDIO, "label": True}
    yield "query without response", {"query": "<audio>q", "audio": AUDIO, "label": False}
    yield (
        "from and value",
        {
            "conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "y"}],
            "label": True,
        },
    )
    yield "no messages", {"messages": [], "label": True}
    yield (
        "tool turns",
        {
            "messages": [
                user("q"),
                {"role": "tool_call", "content": CALL},
                {"role": "tool_response", "content": "r"},
                assistant("y"),
            ],
            "label": True,
        },
    )
    yield "margin", spoken(label=True, margin="x")


def _pretrain() -> Named:
    yield "good", {"messages": [assistant("<audio>y")], "audios": [AUDIO]}
    yield from turns(2)
    yield "no tag", {"messages": [assistant("y")], "audios": [AUDIO]}
    yield "text", {"messages": [assistant("y")]}
    yield "missing sound", {"messages": [assistant("<audio>y")], "audios": ["$/none.wav"]}
    yield "response", {"response": "y"}


MAKERS = {"sft": _sft, "grpo": _grpo, "dpo": _dpo, "kto": _kto, "pretrain": _pretrain}
