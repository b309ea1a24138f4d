"""Rows for LLaMA-Factory, valid and broken, by kind of file: its entry in `dataset_info.json`, its task, its rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from support.trainer_rows.pieces import AUDIO, CALL, IMAGE, OTHER, VIDEO, Named, Row

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


TURNS = ("h", "g", "hh", "hg", "hgh", "hghg", "ghg", "shg", "sh", "s", "hsg", "hfog", "hfo", "hog", "hgg", "shghg")
"""Sequences of roles, by their first letters."""


def turns(letters: str) -> list[Row]:
    """The turns of a sequence of roles."""
    names = {"h": "human", "g": "gpt", "s": "system", "f": "function_call", "o": "observation"}
    return [{"from": names[each], "value": CALL if each == "f" else each} for each in letters]


def _sharegpt() -> Named:
    good = (human("<audio>q"), gpt("y"))
    yield "good", said(*good, audios=[AUDIO])
    yield "no media", said(human("q"), gpt("y"))
    for role in ("human", "gpt", "observation", "function_call", "system", "user", "assistant", "teacher", "", None):
        yield f"first role {role!r}", said({"from": role, "value": "q"}, gpt("y"))
        yield f"second role {role!r}", said(human("q"), {"from": role, "value": "y"})
    for letters in TURNS:
        yield f"turns {letters}", said(*turns(letters))
    yield "no turns", said()
    yield "no column of turns", {"audios": [], "images": [], "videos": [], "system": ""}
    for name, value in {"empty": "", "null": None, "number": 3, "list": [{"type": "text", "text": "q"}]}.items():
        yield f"asked {name}", said(human(value), gpt("y"))
        yield f"answered {name}", said(human("q"), gpt(value))
        yield f"system {name}", said(human("q"), gpt("y"), system=value)
    for name, turn in {"no value": {"from": "human"}, "text": "q", "null": None, "empty object": {}}.items():
        yield f"first turn {name}", said(turn, gpt("y"))
        yield f"second turn {name}", said(human("q"), turn)
    yield "no turn with a value", said({"from": "human"}, {"from": "gpt"})
    yield "no turn with a role", said({"value": "q"}, {"value": "y"})
    yield "all role and content", said({"role": "human", "content": "q"}, {"role": "gpt", "content": "y"})
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
        "uri": [f"file://{AUDIO}"],
        "address": ["https://example.invalid/a.wav"],
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
    for name, value in {
        "empty": "",
        "null": None,
        "number": 3,
        "zero": 0,
        "false": False,
        "spaces": "  ",
        "list": ["q"],
        "empty list": [],
        "object": {"a": "b"},
    }.items():
        yield f"instruction {name}", alpaca(value, "y")
        yield f"output {name}", alpaca("q", value)
        yield f"input {name}", alpaca("q", "y", input=value)
        yield f"instruction and input {name}", alpaca(value, "y", input=value)
    for name, value in {
        "one": [["a", "b"]],
        "two": [["a", "b"], ["c", "d"]],
        "null": None,
        "text": "a",
        "three": [["a", "b", "c"]],
        "single": [["a"]],
        "object": [{"a": "b"}],
        "flat": ["a", "b"],
        "letters": ["ab"],
        "pair is null": [None],
        "null inside": [["a", None]],
        "empty": [["", ""]],
        "sound": [["<audio>a", "b"]],
    }.items():
        yield f"history {name}", alpaca("q", "y", history=value, audios=[AUDIO] if name == "sound" else [])
    yield "tag in output", alpaca("q", "<audio>y", audios=[AUDIO])
    yield "tag in input and instruction", alpaca("<audio>q", "y", input="<audio>i", audios=[AUDIO, OTHER])
    for column in ("instruction", "input", "output", "history"):
        yield f"no column of {column}", {key: value for key, value in alpaca("q", "y").items() if key != column}

    def asked(*messages: Row, **columns: Any) -> Row:
        system, *others = messages if messages[0]["from"] == "system" else ({"value": ""}, *messages)
        texts = [message["value"] for message in others]
        history = [[texts[at], texts[at + 1]] for at in range(0, len(texts) - 2, 2)]
        whole = {"history": history, "system": system["value"], "audios": [AUDIO], **columns}
        return alpaca(texts[-2], texts[-1], **whole)

    yield from _media(asked, (gpt("y"),))


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
        "observation": {"from": "observation", "value": "n"},
        "system": {"from": "system", "value": "n"},
        "call": {"from": "function_call", "value": CALL},
        "no call": {"from": "function_call", "value": "n"},
        "value number": gpt(3),
        "value list": gpt(["n"]),
        "role null": {"from": None, "value": "n"},
        "no role": {"value": "n"},
        "role and content": {"role": "gpt", "content": "n"},
        "number": 3,
        "empty object": {},
        "empty list": [],
        "empty text": "",
        "spaces": gpt("  "),
        "tag in capitals": gpt("<AUDIO>n"),
        "token": gpt("<|audio_pad|>n"),
    }.items():
        yield f"rejected {name}", pair(human("<audio>q"), rejected=value)
        yield f"chosen {name}", pair(human("<audio>q"), chosen=value)
        yield f"both {name}", pair(human("<audio>q"), chosen=value, rejected=value)
    for letters in TURNS:
        yield f"turns {letters}", pair(*turns(letters), audios=[])
    yield "even turns", pair(human("<audio>q"), gpt("x"))
    yield "three turns", pair(human("<audio>q"), gpt("x"), human("r"))
    yield "no turns", pair(audios=[])
    yield "no column of turns", {key: value for key, value in pair().items() if key != "conversations"}
    yield "tags in both answers", pair(human("q"), chosen=gpt("<audio>y"), rejected=gpt("<audio>n"))
    yield (
        "tags in question and both answers",
        pair(human("<audio>q"), audios=[AUDIO, OTHER], chosen=gpt("<audio>y"), rejected=gpt("<audio>n")),
    )
    yield from _media(pair, ())


def _kto() -> Named:
    def row(label: Any, *messages: Row, **columns: Any) -> Row:
        return said(*(messages or (human("<audio>q"), gpt("y"))), **{"audios": [AUDIO], "label": label, **columns})

    for name, value in {
        "true": True,
        "false": False,
        "null": None,
        "number": 1,
        "zero": 0,
        "fraction": 0.5,
        "text": "true",
        "text false": "false",
        "empty": "",
        "list": [True],
        "object": {"good": True},
    }.items():
        yield f"label {name}", row(value)
    unlabelled = row(True)
    del unlabelled["label"]
    yield "no label", unlabelled
    for letters in TURNS:
        yield f"turns {letters}", row(True, *turns(letters), audios=[])
    yield "no turns", said(label=True)
    yield "odd turns", row(True, human("<audio>q"))
    yield "four turns", row(True, human("<audio>q"), gpt("y"), human("r"), gpt("z"))
    for name, value in {"empty": "", "null": None, "number": 3, "spaces": "  ", "list": ["y"]}.items():
        for label in (True, False):
            yield f"{name} answer {str(label).lower()}", row(label, human("<audio>q"), gpt(value))
        yield f"{name} question", row(True, human(value), gpt("y"), audios=[])
        yield f"{name} answer before", row(True, human("<audio>q"), gpt(value), human("r"), gpt("z"))
    yield "answer of another role", row(True, human("<audio>q"), {"from": "teacher", "value": "y"})
    yield "null answer of another role", row(True, human("<audio>q"), {"from": "teacher", "value": None})
    yield "answer without value", row(True, human("<audio>q"), {"from": "gpt"})
    yield "null turns before a null answer", row(True, human("<audio>q"), gpt(None), human("r"), gpt(None))
    yield "answer of a call", row(True, human("<audio>q"), {"from": "function_call", "value": CALL})
    yield "tag in the answer", row(True, human("q"), gpt("<audio>y"))
    yield "tag in an answer before", row(True, human("q"), gpt("<audio>y"), human("r"), gpt("z"))
    yield from _media(lambda *messages, **columns: row(True, *messages, **columns), (gpt("y"),))


def _media(made: Callable[..., Row], answer: tuple[Row, ...]) -> Named:
    """Rows whose tags or media are odd, ending with an answer where the form has it among the turns."""
    yield "media without tag", made(human("q"), *answer)
    yield "tag without media", made(human("<audio>q"), *answer, audios=[])
    yield "two tags", made(human("<audio><audio>q"), *answer)
    yield "two sounds", made(human("<audio>q <audio>"), *answer, audios=[AUDIO, OTHER])
    yield "sounds of two turns", made(human("<audio>q"), gpt("x"), human("<audio>r"), *answer, audios=[AUDIO, OTHER])
    yield "tag in the system message", made({"from": "system", "value": "<audio>s"}, human("q"), *answer)
    yield "system in its column", made(human("<audio>q"), *answer, system="s")
    yield "system that is a number", made(human("<audio>q"), *answer, system=3)
    yield "tag in capitals", made(human("<AUDIO>q"), *answer)
    yield "token in the question", made(human("<audio><|audio_pad|>q"), *answer)
    yield "video", made(human("<video>q"), *answer, audios=[], videos=[VIDEO])
    yield "picture", made(human("<image>q"), *answer, audios=[], images=[IMAGE])
    yield "all media", made(human("<image><video><audio>q"), *answer, images=[IMAGE], videos=[VIDEO])
    yield "media of another kind", made(human("<video>q"), *answer)
    yield "missing sound", made(human("<audio>q"), *answer, audios=["$/none.wav"])
    yield "sounds null", made(human("<audio>q"), *answer, audios=None)
    yield "sounds null inside", made(human("<audio>q"), *answer, audios=[None])
    yield "sounds text", made(human("<audio>q"), *answer, audios=AUDIO)
    yield "sounds number", made(human("<audio>q"), *answer, audios=3)
    yield "no column of sounds", {key: value for key, value in made(human("q"), *answer).items() if key != "audios"}


FILES = {
    "sharegpt": File("sft", SHAREGPT, list(_sharegpt())),
    "alpaca": File("sft", ALPACA, list(_alpaca())),
    "pairs": File("dpo", {**SHAREGPT, **PAIR}, list(_pairs())),
    "kto": File("kto", {**SHAREGPT, **KTO}, list(_kto())),
}
