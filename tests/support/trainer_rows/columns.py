"""Columns: spellings of their names, media, tags, and those of templates."""

from __future__ import annotations

import base64

from support.trainer_rows.pieces import AUDIO, IMAGE, OTHER, VIDEO, Named, assistant, pair, spoken, system, user


def columns() -> Named:
    for name in ("messages", "conversation", "conversations", "Messages", "CONVERSATIONS"):
        yield f"column {name}", {name: pair("q")["messages"]}
    yield "messages and conversations", {**pair("q"), "conversations": pair("r")["messages"]}
    for name in ("query", "prompt", "input", "instruction", "question", "problem", "Question"):
        yield f"question {name}", {name: "q", "response": "y"}
    for name in (
        "response",
        "answer",
        "output",
        "targets",
        "target",
        "answer_key",
        "answers",
        "solution",
        "text",
        "completion",
        "content",
    ):
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


def media() -> Named:
    made = base64.b64encode(b"RIFF" * 40).decode()
    for name, value in {
        "text": AUDIO,
        "list": [AUDIO],
        "null": None,
        "empty": [],
        "empty text": "",
        "null inside": [AUDIO, None],
        "only null": [None],
        "number": 3,
        "numbers": [3],
        "object": {"path": AUDIO},
        "objects": [{"path": AUDIO}],
        "bytes object": [{"bytes": None, "path": AUDIO}],
        "lists": [[AUDIO]],
        "missing": ["$/none.wav"],
        "no sound": ["$/text.wav"],
        "folder": ["$/"],
        "relative": ["none/a.wav"],
        "home": ["~/none-a.wav"],
        "s3": ["s3://bucket/a.wav"],
        "file uri": ["file:///none/a.wav"],
        "space": [f" {AUDIO}"],
        "newline": [f"{AUDIO}\n"],
        "data uri": ["data:audio/wav;base64," + made],
        "base64": [made],
        "long": ["A" * 2004],
        "video": [VIDEO],
        "picture": [IMAGE],
        "empty inside": [AUDIO, ""],
    }.items():
        yield f"audios {name}", pair(audios=value)
    for kind, path in (("image", IMAGE), ("video", VIDEO)):
        for name, value in {
            "text": path,
            "list": [path],
            "null": None,
            "empty": [],
            "null inside": [path, None],
            "number": [3],
            "object": [{"path": path}],
            "bytes object": [{"bytes": None, "path": path}],
            "missing": ["$/none"],
            "one object": {"bytes": None, "path": path},
            "no object": [{"url": path}],
            "wrong": [AUDIO],
        }.items():
            yield f"{kind}s {name}", pair(f"<{kind}>q", **{f"{kind}s": value})


def tags() -> Named:
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


def further() -> Named:
    box = {"ref": ["a"], "bbox": [[1, 2, 3, 4]]}
    for name, value in {
        "box": box,
        "point": {"bbox": [[1, 2]]},
        "no box": {"ref": ["a"]},
        "three": {"bbox": [[1, 2, 3]]},
        "null": None,
        "empty": {},
        "no boxes": {"bbox": []},
        "turned": {"bbox": [[3, 4, 1, 2]]},
        "text": "box",
        "list": [[1, 2, 3, 4]],
        "box null": {"bbox": None},
        "number": {"bbox": [3]},
    }.items():
        yield f"objects {name}", pair("<image>q", images=[IMAGE], objects=value)
    tool = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {}}}
    for name, value in {
        "list": [tool],
        "json": f"[{str(tool).replace(chr(39), chr(34))}]",
        "null": None,
        "empty": [],
        "text": "a tool",
    }.items():
        yield f"tools {name}", {**pair("q"), "tools": value}
    for name, value in {"text": "asr", "null": None, "number": 3}.items():
        yield f"channel {name}", {**pair("q"), "channel": value}
    yield "chat template settings", {**pair("q"), "chat_template_kwargs": {"enable_thinking": False}}
    yield "chat template settings text", {**pair("q"), "chat_template_kwargs": "x"}
    yield "label", {**pair("q"), "label": 1}
