"""Rows for LLaMA-Factory, valid and broken, by kind of file: its entry in `dataset_info.json`, its task, its rows."""

from __future__ import annotations

from typing import Any, NamedTuple

from support.trainer_rows.pieces import AUDIO, IMAGE, OTHER, VIDEO, Named, Row

MEDIA = {kind: kind for kind in ("images", "videos", "audios")}
SHAREGPT = {"formatting": "sharegpt", "columns": {"messages": "conversations", "system": "system", **MEDIA}}
ALPACA_COLUMNS = {"prompt": "instruction", "query": "input", "response": "output", "history": "history", **MEDIA}
ALPACA = {"formatting": "alpaca", "columns": {**ALPACA_COLUMNS, "system": "system"}}
PAIR = {"ranking": True, "columns": {**SHAREGPT["columns"], "chosen": "chosen", "rejected": "rejected"}}
KTO = {"columns": {**SHAREGPT["columns"], "kto_tag": "label"}}


class File(NamedTuple):
    """A kind of file."""

    task: str
    info: dict[str, Any]
    rows: list[tuple[str, Row]]


def human(value: Any) -> Row:
    return {"from": "human", "value": value}


def gpt(value: Any) -> Row:
    return {"from": "gpt", "value": value}


def said(*messages: Row, **columns: Any) -> Row:
    """A row with all its columns: a converter reads the columns that `dataset_info.json` names, present or not."""
    return {"conversations": [*messages], "system": "", "images": [], "videos": [], "audios": [], **columns}


def _sharegpt() -> Named:
    good = (human("<audio>q"), gpt("y"))
    yield "good", said(*good, audios=[AUDIO])
    yield "no media", said(human("q"), gpt("y"))
    for role in ("human", "gpt", "observation", "function_call", "system", "user", "assistant", "teacher", "", None):
        yield f"first role {role!r}", said({"from": role, "value": "q"}, gpt("y"))
        yield f"second role {role!r}", said(human("q"), {"from": role, "value": "y"})
    for letters in (
        "h",
        "g",
        "hh",
        "hg",
        "hgh",
        "hghg",
        "ghg",
        "shg",
        "sh",
        "s",
        "hsg",
        "hfog",
        "hfo",
        "hog",
        "hgg",
        "shghg",
    ):
        names = {"h": "human", "g": "gpt", "s": "system", "f": "function_call", "o": "observation"}
        call = '{"name": "f", "arguments": {}}'
        turns = [{"from": names[each], "value": call if each == "f" else each} for each in letters]
        yield f"turns {letters}", said(*turns)
    yield "no turns", said()
    yield "no column of turns", {"audios": [], "images": [], "videos": [], "system": ""}
    for name, value in {"empty": "", "null": None, "number": 3, "list": [{"type": "text", "text": "q"}]}.items():
        yield f"asked {name}", said(human(value), gpt("y"))
        yield f"answered {name}", said(human("q"), gpt(value))
        yield f"system {name}", said(human("q"), gpt("y"), system=value)
    yield "role and content", said({"role": "human", "content": "q"}, gpt("y"))
    yield "system twice", said({"from": "system", "value": "s"}, *good, audios=[AUDIO], system="t")
    for kind, path in (("audio", AUDIO), ("video", VIDEO), ("image", IMAGE)):
        for tags in range(3):
            for items in range(3):
                row = said(human(f"<{kind}>" * tags + "q"), gpt("y"), **{f"{kind}s": [path] * items})
                yield f"{tags} {kind} tags {items} media", row
        tag, media = f"<{kind}>", {f"{kind}s": [path]}
        yield f"{kind} tag in system", said({"from": "system", "value": f"{tag}s"}, human("q"), gpt("y"), **media)
        yield (
            f"{kind} tag in both system and turn",
            said({"from": "system", "value": f"{tag}s"}, human(f"{tag}q"), gpt("y"), **media),
        )
        yield f"{kind} tag in answer", said(human("q"), gpt(f"{tag}y"), **media)
        yield f"{kind} tag later", said(human("q"), gpt("y"), human(f"{tag}r"), gpt("z"), **media)
        yield f"{kind} tag in capitals", said(human(f"<{kind.upper()}>q"), gpt("y"), **media)
    for name, value in {
        "text": AUDIO,
        "null": None,
        "null inside": [AUDIO, None],
        "missing": ["$/none.wav"],
        "no sound": ["$/text.wav"],
        "relative": ["none/a.wav"],
        "empty text": "",
        "number": 3,
        "object": {"path": AUDIO},
        "space": [f" {AUDIO}"],
    }.items():
        yield f"audios {name}", said(*good, audios=value)
    yield "all media", said(human("<image><video><audio>q"), gpt("y"), images=[IMAGE], videos=[VIDEO], audios=[AUDIO])
    yield "two sounds", said(human("<audio>q"), gpt("y"), human("<audio>r"), gpt("z"), audios=[AUDIO, OTHER])
    yield "a column of one name", {**said(*good), "audio": AUDIO}
    yield "a missing column", {"conversations": [*good], "audios": [AUDIO]}
    for token in ("<|audio_pad|>", "<|im_end|>", "<|image_pad|>"):
        yield f"token {token}", said(human(f"<audio>q {token}"), gpt("y"), audios=[AUDIO])


def alpaca(instruction: Any, output: Any, **columns: Any) -> Row:
    """A row of the Alpaca form."""
    row = {
        "instruction": instruction,
        "input": "",
        "output": output,
        "history": [],
        "system": "",
        "images": [],
        "videos": [],
        "audios": [],
    }
    return {**row, **columns}


def _alpaca() -> Named:
    yield "good", alpaca("<audio>q", "y", audios=[AUDIO])
    yield "input", alpaca("<audio>q", "y", input="i", audios=[AUDIO])
    yield "only input", alpaca("", "y", input="<audio>i", audios=[AUDIO])
    for name, value in {"empty": "", "null": None, "number": 3, "list": ["q"]}.items():
        yield f"instruction {name}", alpaca(value, "y")
        yield f"output {name}", alpaca("q", value)
        yield f"input {name}", alpaca("q", "y", input=value)
    for name, value in {
        "one": [["a", "b"]],
        "null": None,
        "text": "a",
        "three": [["a", "b", "c"]],
        "object": [{"a": "b"}],
        "null inside": [["a", None]],
        "sound": [["<audio>a", "b"]],
    }.items():
        yield f"history {name}", alpaca("q", "y", history=value, audios=[AUDIO] if name == "sound" else [])
    yield "tag without media", alpaca("<audio>q", "y")
    yield "media without tag", alpaca("q", "y", audios=[AUDIO])
    yield "missing sound", alpaca("<audio>q", "y", audios=["$/none.wav"])


def _pairs() -> Named:
    def pair(*messages: Row, **columns: Any) -> Row:
        return said(*messages, **{"audios": [AUDIO], "chosen": gpt("y"), "rejected": gpt("n"), **columns})

    yield "good", pair(human("<audio>q"))
    yield "equal", pair(human("<audio>q"), rejected=gpt("y"))
    for name, value in {
        "null": None,
        "text": "n",
        "human": human("n"),
        "teacher": {"from": "teacher", "value": "n"},
        "empty": gpt(""),
        "value null": gpt(None),
        "no value": {"from": "gpt"},
        "list": [gpt("n")],
        "tag": gpt("<audio>n"),
    }.items():
        yield f"rejected {name}", pair(human("<audio>q"), rejected=value)
        yield f"chosen {name}", pair(human("<audio>q"), chosen=value)
    yield "even turns", pair(human("<audio>q"), gpt("x"))
    yield "three turns", pair(human("<audio>q"), gpt("x"), human("r"))
    yield "no turns", pair(audios=[])
    yield "tags in both answers", pair(human("q"), chosen=gpt("<audio>y"), rejected=gpt("<audio>n"))
    yield "media without tag", pair(human("q"))
    yield "missing sound", pair(human("<audio>q"), audios=["$/none.wav"])


def _kto() -> Named:
    def row(label: Any, *messages: Row, **columns: Any) -> Row:
        return said(*(messages or (human("<audio>q"), gpt("y"))), **{"audios": [AUDIO], "label": label, **columns})

    for name, value in {"true": True, "false": False, "null": None, "number": 1, "text": "true"}.items():
        yield f"label {name}", row(value)
    yield "odd turns", row(True, human("<audio>q"))
    yield "four turns", row(True, human("<audio>q"), gpt("y"), human("r"), gpt("z"))
    yield "empty answer", row(True, human("<audio>q"), gpt(""))
    yield "media without tag", row(True, human("q"), gpt("y"))


FILES = {
    "sharegpt": File("sft", SHAREGPT, list(_sharegpt())),
    "alpaca": File("sft", ALPACA, list(_alpaca())),
    "pairs": File("dpo", {**SHAREGPT, **PAIR}, list(_pairs())),
    "kto": File("kto", {**SHAREGPT, **KTO}, list(_kto())),
}
