"""Valid and broken rows for MS-SWIFT, by task: every rule of its validator, each in the forms that rows have it in.

The media are files of a folder, made by `make_media`: a sound of a second (`a.wav`), one of half a second (`b.wav`), a
silent video (`v.mp4`), a picture (`p.png`), and a text under the name of a sound (`text.wav`).
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from support import imported

Row = dict[str, Any]

CALL = '{"name": "f", "arguments": {}}'
AUDIO, OTHER, VIDEO, IMAGE = "$/a.wav", "$/b.wav", "$/v.mp4", "$/p.png"


def make_media(folder: Path) -> None:
    """Write the media that rows name."""
    folder.mkdir(parents=True, exist_ok=True)
    imported.sound(folder / "a.wav", imported.noise(1.0, seed=1))
    imported.sound(folder / "b.wav", imported.noise(0.5, seed=2))
    imported.video(folder / "v.mp4", seed=3)
    _picture(folder / "p.png")
    (folder / "text.wav").write_text("no sound")


def _picture(path: Path) -> None:
    import av

    with av.open(str(path), "w", format="image2") as container:
        stream: Any = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 56, 56, "rgb24"
        frame = av.VideoFrame.from_ndarray(np.full((56, 56, 3), 99, np.uint8), format="rgb24")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def rows_of(task: str, folder: Path) -> list[Row]:
    """The rows of a task; `id` says what is odd about each."""
    made = {f"{number:03d} {name}": row for number, (name, row) in enumerate(_MAKERS[task]())}
    return [{"id": name, **_placed(row, str(folder))} for name, row in made.items()]


def _placed(value: Any, folder: str) -> Any:
    """The value with the folder of the media in place of `$`."""
    if isinstance(value, str):
        return value.replace("$/", f"{folder}/")
    if isinstance(value, list):
        return [_placed(each, folder) for each in value]
    if isinstance(value, dict):
        return {key: _placed(each, folder) for key, each in value.items()}
    return value


Named = Iterator[tuple[str, Row]]


def user(content: Any) -> Row:
    return {"role": "user", "content": content}


def assistant(content: Any) -> Row:
    return {"role": "assistant", "content": content}


def system(content: Any) -> Row:
    return {"role": "system", "content": content}


def pair(question: Any = "<audio>q", answer: Any = "y", **columns: Any) -> Row:
    """A question with its answer."""
    return {"messages": [user(question), assistant(answer)], **columns}


def spoken(**columns: Any) -> Row:
    """A plain good row about one sound."""
    return pair(audios=[AUDIO], **columns)


ROLES = (
    "user", "human", "assistant", "gpt", "bot", "system", "tool", "tool_call", "tool-call", "function_call",
    "function-call", "tool_response", "tool-response", "function_response", "function-response", "observation",
    "observations", "teacher", "User", "ASSISTANT", "model", "", " user", None, 3,
)  # fmt: skip
_LETTERS = {"s": "system", "u": "user", "a": "assistant", "t": "tool_response", "c": "tool_call"}
CONTENTS: dict[str, Any] = {
    "text": "q", "empty": "", "null": None, "number": 3, "true": True, "object": {"text": "q"},
    "numbers": [1, 2], "texts": ["q"], "nothing": [], "part": [{"type": "text", "text": "q"}],
    "parts": [{"type": "text", "text": "q"}, {"type": "text", "text": "r"}],
    "no type": [{"text": "q"}], "type null": [{"type": None, "text": "q"}], "text null": [{"type": "text"}],
    "text number": [{"type": "text", "text": 3}], "sound": [{"type": "audio", "audio": AUDIO}],
    "sound url": [{"type": "audio_url", "audio_url": {"url": AUDIO}}],
    "sound url text": [{"type": "audio_url", "audio_url": AUDIO}],
    "sound under url": [{"type": "audio", "audio_url": AUDIO}], "sound path": [{"type": "audio", "path": AUDIO}],
    "sound null": [{"type": "audio", "audio": None}], "sound empty": [{"type": "audio", "audio": ""}],
    "sound no url": [{"type": "audio_url", "audio_url": {"path": AUDIO}}],
    "sound and text": [{"type": "audio", "audio": AUDIO}, {"type": "text", "text": "q"}],
    "two sounds": [{"type": "audio", "audio": AUDIO}, {"type": "audio", "audio": OTHER}],
    "picture": [{"type": "image", "image": IMAGE}, {"type": "text", "text": "q"}],
    "film": [{"type": "video", "video": VIDEO}, {"type": "text", "text": "q"}],
    "unknown part": [{"type": "document", "document": "q"}], "missing sound": [{"type": "audio", "audio": "$/none.wav"}],
    "anthropic picture": [{"type": "image", "source": {"type": "url", "url": IMAGE}}, {"type": "text", "text": "q"}],
    "anthropic other": [{"type": "tool_use", "name": "f", "id": "1"}, {"type": "document", "text": "q"}],
}  # fmt: skip


def _turns(longest: int) -> Named:
    """Every sequence of roles; then longer ones that agents and conversations have."""
    for length in range(1, longest + 1):
        for letters in itertools.product(_LETTERS, repeat=length):
            yield _conversation("".join(letters))
    for letters in (
        "uauaua",
        "suauaua",
        "suuaauaa",
        "uctca",
        "suctctua",
        "uctuctua",
        "ucctta",
        "uauaus",
        "suatua",
        "utua",
        "utuata",
        "uaaa",
        "uaua",
        "suuuaaa",
    ):
        yield _conversation(letters)


def _conversation(letters: str) -> tuple[str, Row]:
    said = [{"role": _LETTERS[letter], "content": f"{letter}{place}"} for place, letter in enumerate(letters)]
    said = [message | {"content": CALL} if message["role"] == "tool_call" else message for message in said]
    return f"turns {letters}", {"messages": said}


def _roles() -> Named:
    for role in ROLES:
        yield f"first role {role!r}", {"messages": [{"role": role, "content": "q"}, assistant("y")]}
        yield f"second role {role!r}", {"messages": [user("q"), {"role": role, "content": "y"}]}
        yield f"from {role!r}", {"conversations": [{"from": "human", "value": "q"}, {"from": role, "value": "y"}]}


def _contents() -> Named:
    for name, content in CONTENTS.items():
        yield f"asked {name}", {"messages": [user(content), assistant("y")]}
        yield f"answered {name}", {"messages": [user("q"), assistant(content)]}
    yield "system parts", {"messages": [system([{"type": "text", "text": "s"}]), *pair("q")["messages"]]}
    yield "parts beside a column", {"messages": [user(CONTENTS["sound"]), assistant("y")], "audios": [OTHER]}
    yield "parts beside another column", {"messages": [user(CONTENTS["sound"]), assistant("y")], "images": [IMAGE]}
    yield "parts beside an empty column", {"messages": [user(CONTENTS["sound"]), assistant("y")], "audios": []}


def _messages() -> Named:
    said = pair("q")["messages"]
    yield "no messages", {"text_only": "q"}
    for name, value in {
        "empty": [], "null": None, "empty text": "", "text": "hello", "number": 3, "object": {"role": "user"},
        "json": '[{"role": "user", "content": "q"}, {"role": "assistant", "content": "y"}]',
        "json loss": '[{"role": "user", "content": "q"}, {"role": "assistant", "content": "y", "loss": true}]',
        "json null": '[{"role": "user", "content": null}, {"role": "assistant", "content": "y"}]',
        "literal": str(said), "json text": '"hello"', "json number": "3", "broken": "[{'role': 'user'", "list of texts": ["q", "y"],
        "null among": [*said, None], "list answers": [user("q"), assistant("y"), assistant("z")], "no role": [user("q"), {"content": "y"}], "no content": [user("q"), {"role": "assistant"}],
        "neither": [{"text": "q"}, {"text": "y"}], "name": [user("q"), {**assistant("y"), "name": "n"}],
        "weight": [user("q"), {**assistant("y"), "weight": 1}], "tool call id": [user("q"), {**assistant("y"), "tool_call_id": "1"}],
        "loss": [user("q"), {**assistant("y"), "loss": False}], "loss text": [user("q"), {**assistant("y"), "loss": "false"}],
        "loss number": [user("q"), {**assistant("y"), "loss": 0.5}], "loss scale": [user("q"), {**assistant("y"), "loss_scale": 0.5}],
        "loss scale text": [user("q"), {**assistant("y"), "loss_scale": "high"}], "loss null": [user("q"), {**assistant("y"), "loss": None}],
        "loss asked": [{**user("q"), "loss": True}, assistant("y")],
        "both keys": [{"role": "user", "from": "human", "content": "q"}, assistant("y")],
        "value and content": [{"role": "user", "content": "q", "value": "v"}, assistant("y")],
        "pairs": [{"human": "q", "assistant": "y"}], "pairs user": [{"user": "q", "gpt": "y"}, {"user": "r", "gpt": "z"}],
        "pair without answer": [{"human": "q", "assistant": "y"}, {"human": "r"}], "pair null": [{"human": "q", "assistant": None}],
        "mixed keys": [{"from": "human", "value": "q"}, assistant("y")],
        "tool calls": [user("q"), {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]},
                       {"role": "tool", "tool_call_id": "1", "content": "r"}, assistant("y")],
        "tool calls text": [user("q"), {"role": "assistant", "content": "t", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]},
                            {"role": "tool", "content": "r", "name": "f"}, assistant("y")],
        "tool calls no name": [user("q"), {"role": "assistant", "content": None, "tool_calls": [{"function": {}}]}, assistant("y")],
        "tool calls asked": [{**user("q"), "tool_calls": [{"function": {"name": "f"}}]}, assistant("y")],
        "tool result object": [user("q"), {"role": "tool_call", "content": {"name": "f", "arguments": {}}},
                               {"role": "tool_response", "content": {"r": 1}}, assistant("y")],
        **{f"tool call {name}": [user("q"), {"role": "tool_call", "content": content}, assistant("y")] for name, content in {
            "text": "f()", "empty": "", "no name": '{"arguments": {}}', "no arguments": '{"name": "f"}', "list": "[]", "number": "3",
            "parameters": '{"name": "f", "parameters": {}}', "null arguments": '{"name": "f", "arguments": null}',
            "arguments text": '{"name": "f", "arguments": "{}"}', "arguments word": '{"name": "f", "arguments": "x"}',
            "literal": "{'name': 'f', 'arguments': {}}", "parts": [{"type": "text", "text": CALL}],
        }.items()},
        "tool answer parts": [user("q"), {"role": "tool_call", "content": CALL}, {"role": "tool", "content": [{"type": "text", "text": "r"}]}, assistant("y")],
        "tool after parts": [user([{"type": "text", "text": "q"}]), {"role": "tool", "content": "r"}, assistant("y")],
        "tool after two": [user("q"), user("r"), {"role": "tool", "content": "r"}, {"role": "tool", "content": "r"}, assistant("y")],
    }.items():  # fmt: skip
        yield f"messages {name}", {"messages": value}
    for name, value in {"text": "s", "empty": "", "null": None, "number": 3, "tag": "<audio>s"}.items():
        yield f"system column {name}", {**spoken(), "system": value}
        yield f"system twice {name}", {"messages": [system("first"), *said], "system": value}
    yield "system prompt column", {**pair("q"), "system_prompt": "s"}
    yield "both system columns", {**pair("q"), "system": "s", "system_prompt": "t"}
    yield "inner object", {"messages": {"messages": said}}


def _columns() -> Named:
    for name in ("messages", "conversation", "conversations", "Messages", "CONVERSATIONS"):
        yield f"column {name}", {name: pair("q")["messages"]}
    yield "messages and conversations", {**pair("q"), "conversations": pair("r")["messages"]}
    for name in ("query", "prompt", "input", "instruction", "question", "problem", "Question"):
        yield f"question {name}", {name: "q", "response": "y"}
    for name in ("response", "answer", "output", "targets", "target", "answer_key", "answers", "solution", "text",
                 "completion", "content"):  # fmt: skip
        yield f"answer {name}", {"query": "q", name: "y"}
    for name, value in {"null": None, "empty": "", "list": ["y", "z"], "empty list": [], "number": 3}.items():
        yield f"response {name}", {"query": "q", "response": value}
        yield f"query {name}", {"query": value, "response": "y"}
    yield "two questions", {"prompt": "q", "question": "r", "response": "y"}
    yield "two answers", {"query": "q", "answer": "y", "output": "z"}
    yield "two answers one solution", {"query": "q", "answer": "y", "solution": "z"}
    yield "history", {"query": "q", "response": "y", "history": [["a", "b"]]}
    yield "history text", {"query": "q", "response": "y", "history": "[['a', 'b']]"}
    yield "history broken", {"query": "q", "response": "y", "history": "[["}
    yield "only a question", {"query": "q"}
    yield "only an answer", {"response": "y"}
    yield "alpaca", {"instruction": "do", "input": "this", "output": "y"}
    yield "alpaca empty input", {"instruction": "do", "input": "", "output": "y"}
    yield "alpaca nulls", {"instruction": None, "input": None, "output": "y"}
    yield "alpaca empties", {"instruction": "", "input": "", "output": "y"}
    yield "alpaca no output", {"instruction": "do", "input": "this"}
    yield "alpaca number", {"instruction": 3, "input": None, "output": "y"}
    yield "alpaca sound", {"instruction": "<audio>do", "input": "", "output": "y", "audio": AUDIO}
    yield "question and sound", {"query": "<audio>q", "response": "y", "audios": AUDIO}
    for kind, path, other in (("audio", AUDIO, OTHER), ("image", IMAGE, IMAGE), ("video", VIDEO, VIDEO)):
        for name in (kind, f"{kind}s", kind.upper(), f"{kind.title()}s"):
            yield f"medium {name}", pair(f"<{kind}>q", **{name: path})
            yield f"media {name}", pair(f"<{kind}>q", **{name: [path]})
        yield f"two columns of {kind}", pair(f"<{kind}>q", **{kind: path, f"{kind}s": [other]})
        yield f"two spellings of {kind}", pair(f"<{kind}>q", **{kind.title(): path, kind: other})
    yield "further columns", {**spoken(), "language": "en", "dataset": "d", "extra": {"a": 1}, "task": "asr"}


def _media() -> Named:
    made = base64.b64encode(b"RIFF" * 40).decode()
    for name, value in {
        "text": AUDIO, "list": [AUDIO], "null": None, "empty": [], "empty text": "", "null inside": [AUDIO, None],
        "only null": [None], "number": 3, "numbers": [3], "object": {"path": AUDIO}, "objects": [{"path": AUDIO}],
        "bytes object": [{"bytes": None, "path": AUDIO}], "lists": [[AUDIO]], "missing": ["$/none.wav"],
        "no sound": ["$/text.wav"], "folder": ["$/"], "relative": ["none/a.wav"], "home": ["~/none-a.wav"],
        "s3": ["s3://bucket/a.wav"], "file uri": ["file:///none/a.wav"], "space": [f" {AUDIO}"], "newline": [f"{AUDIO}\n"],
        "data uri": ["data:audio/wav;base64," + made], "base64": [made], "long": ["A" * 2004], "video": [VIDEO],
        "picture": [IMAGE], "empty inside": [AUDIO, ""],
    }.items():  # fmt: skip
        yield f"audios {name}", pair(audios=value)
    for kind, path in (("image", IMAGE), ("video", VIDEO)):
        for name, value in {
            "text": path, "list": [path], "null": None, "empty": [], "null inside": [path, None], "number": [3],
            "object": [{"path": path}], "bytes object": [{"bytes": None, "path": path}], "missing": ["$/none"],
            "one object": {"bytes": None, "path": path}, "no object": [{"url": path}], "wrong": [AUDIO],
        }.items():  # fmt: skip
            yield f"{kind}s {name}", pair(f"<{kind}>q", **{f"{kind}s": value})


def _tags() -> Named:
    for kind, path in (("audio", AUDIO), ("video", VIDEO), ("image", IMAGE)):
        for tags in range(3):
            for items in range(3):
                row = pair(f"<{kind}>" * tags + "q", **{f"{kind}s": [path] * items})
                yield f"{tags} {kind} tags {items} media", row
        tag, media = f"<{kind}>", {f"{kind}s": [path]}
        yield f"{kind} tag in system", {"messages": [system(f"{tag}s"), *pair(f"{tag}q")["messages"]], **media}
        yield f"{kind} tag in answer", pair("q", f"{tag}y", **media)
        yield f"{kind} tag in both", pair(f"{tag}q", f"{tag}y", **media)
        yield f"{kind} tag later", {"messages": [user("q"), assistant("y"), user(f"{tag}r"), assistant("z")], **media}
        yield f"{kind} tag in capitals", pair(f"<{kind.upper()}>q", **media)
        yield f"{kind} tag in capitals alone", pair(f"<{kind.upper()}>q")
        yield f"{kind} learned alone", {"messages": [assistant(f"{tag}y")], **media}
    yield "all media", pair("<image><video><audio>q", images=[IMAGE], videos=[VIDEO], audios=[AUDIO])
    yield "all media no tags", pair("q", images=[IMAGE], videos=[VIDEO], audios=[AUDIO])
    yield (
        "tag per turn",
        {"messages": [user("<audio>q"), assistant("y"), user("<audio>r"), assistant("z")], "audios": [AUDIO, OTHER]},
    )
    yield (
        "second without tag",
        {"messages": [user("q"), assistant("y"), user("<audio>b"), assistant("z")], "audios": [AUDIO, OTHER]},
    )
    yield (
        "path in tag",
        {
            "conversations": [
                {"from": "user", "value": f"<audio>{AUDIO}</audio>go"},
                {"from": "assistant", "value": "y"},
            ]
        },
    )
    yield (
        "qwen row",
        {"audio": AUDIO, "conversations": [{"from": "human", "value": "<audio>\nQ"}, {"from": "gpt", "value": "y"}]},
    )
    for token in (
        "<|audio_pad|>",
        "<|AUDIO|>",
        "<|im_end|>",
        "<|im_start|>",
        "<|endoftext|>",
        "<|image_pad|>",
        "<|vision_start|>",
    ):
        yield f"token {token}", pair(f"<audio>q {token}", audios=[AUDIO])
        yield f"token in answer {token}", pair("<audio>q", f"y {token}", audios=[AUDIO])
    yield "image in a tag of its own", pair(f"<img>{IMAGE}</img>q")
    yield "tag for what to draw", {"messages": [user("q<start-image>"), assistant("y")]}


def _further() -> Named:
    box = {"ref": ["a"], "bbox": [[1, 2, 3, 4]]}
    for name, value in {
        "box": box, "point": {"bbox": [[1, 2]]}, "no box": {"ref": ["a"]}, "three": {"bbox": [[1, 2, 3]]},
        "null": None, "empty": {}, "no boxes": {"bbox": []}, "turned": {"bbox": [[3, 4, 1, 2]]}, "text": "box",
        "list": [[1, 2, 3, 4]], "box null": {"bbox": None}, "number": {"bbox": [3]},
    }.items():  # fmt: skip
        yield f"objects {name}", pair("<image>q", images=[IMAGE], objects=value)
    tool = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {}}}
    for name, value in {"list": [tool], "json": f"[{str(tool).replace(chr(39), chr(34))}]", "null": None, "empty": [],
                        "text": "a tool"}.items():  # fmt: skip
        yield f"tools {name}", {**pair("q"), "tools": value}
    for name, value in {"text": "asr", "null": None, "number": 3}.items():
        yield f"channel {name}", {**pair("q"), "channel": value}
    yield "chat template settings", {**pair("q"), "chat_template_kwargs": {"enable_thinking": False}}
    yield "chat template settings text", {**pair("q"), "chat_template_kwargs": "x"}
    yield "label", {**pair("q"), "label": 1}


def _sft() -> Named:
    yield "good", spoken()
    yield from _turns(3)
    yield from _roles()
    yield from _contents()
    yield from _messages()
    yield from _columns()
    yield from _media()
    yield from _tags()
    yield from _further()


def _grpo() -> Named:
    yield "good", {"messages": [user("<audio>q")], "audios": [AUDIO], "solution": "y"}
    for name, said in _turns(2):
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
        "equal": "y", "null": None, "empty": "", "number": 3, "list": [assistant("n")], "equal list": [assistant("y")],
        "user list": [user("n")], "user and answer": [assistant("n"), user("m"), assistant("o")], "empty list": [],
        "no role": [{"content": "n"}], "null content": [assistant(None)], "tag": "<audio>n", "object": assistant("n"),
        "two answers": [assistant("n"), assistant("m")], "unknown role": [{"role": "teacher", "content": "n"}],
        "from": [{"from": "gpt", "value": "n"}],
    }.items():  # fmt: skip
        yield f"rejected response {name}", spoken(rejected_response=value)
    yield "no rejected", spoken()
    for name, value in {
        "same": pair(answer="n")["messages"], "no tag": pair("q", "n")["messages"], "null": None, "empty": [],
        "text": "n", "equal": pair()["messages"], "unknown role": [user("<audio>q"), {"role": "teacher", "content": "n"}],
        "null content": [user("<audio>q"), assistant(None)], "from": [{"from": "human", "value": "<audio>q"}, {"from": "gpt", "value": "n"}],
        "alone": [assistant("n")], "question": [user("<audio>q")], "json": str(pair(answer="n")["messages"]),
        "system second": [user("q"), system("s"), assistant("n")],
    }.items():  # fmt: skip
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
        "text": "false",
        "empty": "",
        "list": [1],
    }.items():
        yield f"label {name}", spoken(label=value)
    yield "no label", spoken()
    yield "no answer", {"messages": [user("<audio>q")], "audios": [AUDIO], "label": True}
    yield "missing sound", pair(audios=["$/none.wav"], label=True)
    yield "rejected too", spoken(label=True, rejected_response="n")
    yield "rejected equal", spoken(label=True, rejected_response="y")
    yield "unknown role", {"messages": [user("q"), {"role": "teacher", "content": "y"}], "label": True}
    yield (
        "several turns",
        {"messages": [user("<audio>q"), assistant("y"), user("r"), assistant("z")], "audios": [AUDIO], "label": False},
    )
    yield "system second", {"messages": [user("q"), system("s"), assistant("y")], "label": True}


def _pretrain() -> Named:
    yield "good", {"messages": [assistant("<audio>y")], "audios": [AUDIO]}
    for name, row in _turns(2):
        yield name, row
    yield "no tag", {"messages": [assistant("y")], "audios": [AUDIO]}
    yield "text", {"messages": [assistant("y")]}
    yield "missing sound", {"messages": [assistant("<audio>y")], "audios": ["$/none.wav"]}
    yield "response", {"response": "y"}


_MAKERS = {"sft": _sft, "grpo": _grpo, "dpo": _dpo, "kto": _kto, "pretrain": _pretrain}
TASKS = tuple(_MAKERS)
