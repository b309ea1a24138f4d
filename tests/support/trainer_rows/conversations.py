"""Messages: sequences of turns, roles, contents, keys."""

from __future__ import annotations

import itertools
from typing import Any

from support.trainer_rows.pieces import (
    AUDIO,
    CALL,
    IMAGE,
    OTHER,
    VIDEO,
    Named,
    Row,
    assistant,
    pair,
    spoken,
    system,
    user,
)

ROLES = (
    "user",
    "human",
    "assistant",
    "gpt",
    "bot",
    "system",
    "tool",
    "tool_call",
    "tool-call",
    "function_call",
    "function-call",
    "tool_response",
    "tool-response",
    "function_response",
    "function-response",
    "observation",
    "observations",
    "teacher",
    "User",
    "ASSISTANT",
    "model",
    "",
    " user",
    None,
    3,
)
_LETTERS = {"s": "system", "u": "user", "a": "assistant", "t": "tool_response", "c": "tool_call"}
CONTENTS: dict[str, Any] = {
    "text": "q",
    "empty": "",
    "null": None,
    "number": 3,
    "true": True,
    "object": {"text": "q"},
    "numbers": [1, 2],
    "texts": ["q"],
    "nothing": [],
    "part": [{"type": "text", "text": "q"}],
    "parts": [{"type": "text", "text": "q"}, {"type": "text", "text": "r"}],
    "no type": [{"text": "q"}],
    "type null": [{"type": None, "text": "q"}],
    "text null": [{"type": "text"}],
    "text number": [{"type": "text", "text": 3}],
    "sound": [{"type": "audio", "audio": AUDIO}],
    "sound url": [{"type": "audio_url", "audio_url": {"url": AUDIO}}],
    "sound url text": [{"type": "audio_url", "audio_url": AUDIO}],
    "sound under url": [{"type": "audio", "audio_url": AUDIO}],
    "sound path": [{"type": "audio", "path": AUDIO}],
    "sound null": [{"type": "audio", "audio": None}],
    "sound empty": [{"type": "audio", "audio": ""}],
    "sound no url": [{"type": "audio_url", "audio_url": {"path": AUDIO}}],
    "sound and text": [{"type": "audio", "audio": AUDIO}, {"type": "text", "text": "q"}],
    "two sounds": [{"type": "audio", "audio": AUDIO}, {"type": "audio", "audio": OTHER}],
    "picture": [{"type": "image", "image": IMAGE}, {"type": "text", "text": "q"}],
    "film": [{"type": "video", "video": VIDEO}, {"type": "text", "text": "q"}],
    "unknown part": [{"type": "document", "document": "q"}],
    "missing sound": [{"type": "audio", "audio": "$/none.wav"}],
    "anthropic picture": [{"type": "image", "source": {"type": "url", "url": IMAGE}}, {"type": "text", "text": "q"}],
    "anthropic other": [{"type": "tool_use", "name": "f", "id": "1"}, {"type": "document", "text": "q"}],
}


def turns(longest: int) -> Named:
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


def roles() -> Named:
    for role in ROLES:
        yield f"first role {role!r}", {"messages": [{"role": role, "content": "q"}, assistant("y")]}
        yield f"second role {role!r}", {"messages": [user("q"), {"role": role, "content": "y"}]}
        yield f"from {role!r}", {"conversations": [{"from": "human", "value": "q"}, {"from": role, "value": "y"}]}


def contents() -> Named:
    for name, content in CONTENTS.items():
        yield f"asked {name}", {"messages": [user(content), assistant("y")]}
        yield f"answered {name}", {"messages": [user("q"), assistant(content)]}
    yield "system parts", {"messages": [system([{"type": "text", "text": "s"}]), *pair("q")["messages"]]}
    yield "parts beside a column", {"messages": [user(CONTENTS["sound"]), assistant("y")], "audios": [OTHER]}
    yield "parts beside another column", {"messages": [user(CONTENTS["sound"]), assistant("y")], "images": [IMAGE]}
    yield "parts beside an empty column", {"messages": [user(CONTENTS["sound"]), assistant("y")], "audios": []}


def messages() -> Named:
    said = pair("q")["messages"]
    yield "no messages", {"text_only": "q"}
    for name, value in {
        "empty": [],
        "null": None,
        "empty text": "",
        "text": "hello",
        "number": 3,
        "object": {"role": "user"},
        "json": '[{"role": "user", "content": "q"}, {"role": "assistant", "content": "y"}]',
        "json loss": '[{"role": "user", "content": "q"}, {"role": "assistant", "content": "y", "loss": true}]',
        "json null": '[{"role": "user", "content": null}, {"role": "assistant", "content": "y"}]',
        "literal": str(said),
        "json text": '"hello"',
        "json number": "3",
        "broken": "[{'role': 'user'",
        "list of texts": ["q", "y"],
        "null among": [*said, None],
        "list answers": [user("q"), assistant("y"), assistant("z")],
        "no role": [user("q"), {"content": "y"}],
        "no content": [user("q"), {"role": "assistant"}],
        "neither": [{"text": "q"}, {"text": "y"}],
        "name": [user("q"), {**assistant("y"), "name": "n"}],
        "weight": [user("q"), {**assistant("y"), "weight": 1}],
        "tool call id": [user("q"), {**assistant("y"), "tool_call_id": "1"}],
        "loss": [user("q"), {**assistant("y"), "loss": False}],
        "loss text": [user("q"), {**assistant("y"), "loss": "false"}],
        "loss number": [user("q"), {**assistant("y"), "loss": 0.5}],
        "loss scale": [user("q"), {**assistant("y"), "loss_scale": 0.5}],
        "loss scale text": [user("q"), {**assistant("y"), "loss_scale": "high"}],
        "loss null": [user("q"), {**assistant("y"), "loss": None}],
        "loss asked": [{**user("q"), "loss": True}, assistant("y")],
        "both keys": [{"role": "user", "from": "human", "content": "q"}, assistant("y")],
        "value and content": [{"role": "user", "content": "q", "value": "v"}, assistant("y")],
        "pairs": [{"human": "q", "assistant": "y"}],
        "pairs user": [{"user": "q", "gpt": "y"}, {"user": "r", "gpt": "z"}],
        "pair without answer": [{"human": "q", "assistant": "y"}, {"human": "r"}],
        "pair null": [{"human": "q", "assistant": None}],
        "mixed keys": [{"from": "human", "value": "q"}, assistant("y")],
        "tool calls": [
            user("q"),
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "1", "content": "r"},
            assistant("y"),
        ],
        "tool calls text": [
            user("q"),
            {"role": "assistant", "content": "t", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]},
            {"role": "tool", "content": "r", "name": "f"},
            assistant("y"),
        ],
        "tool calls no name": [
            user("q"),
            {"role": "assistant", "content": None, "tool_calls": [{"function": {}}]},
            assistant("y"),
        ],
        "tool calls asked": [{**user("q"), "tool_calls": [{"function": {"name": "f"}}]}, assistant("y")],
        "tool result object": [
            user("q"),
            {"role": "tool_call", "content": {"name": "f", "arguments": {}}},
            {"role": "tool_response", "content": {"r": 1}},
            assistant("y"),
        ],
        **{
            f"tool call {name}": [user("q"), {"role": "tool_call", "content": content}, assistant("y")]
            for name, content in {
                "text": "f()",
                "empty": "",
                "no name": '{"arguments": {}}',
                "no arguments": '{"name": "f"}',
                "list": "[]",
                "number": "3",
                "parameters": '{"name": "f", "parameters": {}}',
                "null arguments": '{"name": "f", "arguments": null}',
                "arguments text": '{"name": "f", "arguments": "{}"}',
                "arguments word": '{"name": "f", "arguments": "x"}',
                "literal": "{'name': 'f', 'arguments': {}}",
                "parts": [{"type": "text", "text": CALL}],
            }.items()
        },
        "tool answer parts": [
            user("q"),
            {"role": "tool_call", "content": CALL},
            {"role": "tool", "content": [{"type": "text", "text": "r"}]},
            assistant("y"),
        ],
        "tool after parts": [user([{"type": "text", "text": "q"}]), {"role": "tool", "content": "r"}, assistant("y")],
        "tool after two": [
            user("q"),
            user("r"),
            {"role": "tool", "content": "r"},
            {"role": "tool", "content": "r"},
            assistant("y"),
        ],
    }.items():
        yield f"messages {name}", {"messages": value}
    for name, value in {"text": "s", "empty": "", "null": None, "number": 3, "tag": "<audio>s"}.items():
        yield f"system column {name}", {**spoken(), "system": value}
        yield f"system twice {name}", {"messages": [system("first"), *said], "system": value}
    yield "system prompt column", {**pair("q"), "system_prompt": "s"}
    yield "both system columns", {**pair("q"), "system": "s", "system_prompt": "t"}
    yield "inner object", {"messages": {"messages": said}}
