"""The mends of each format: what can be put right in a row without any doubt about what was meant.

A mend changes the row that it is given, for one problem. Whether it did is not taken on trust: `mend.py` validates the
row again.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote

from . import msswift_fixes as fixes
from .msswift_rows import KINDS, TAG_ANY_CASE

Mend = Callable[[dict[str, Any]], None]

_TURNS = ("messages", "conversations", "conversation", "prompt", "completion", "chosen", "rejected")
_LIKE_A_TAG = re.compile(r"<\s*/?\s*(?:image|video|audio)[^<>]*>", re.IGNORECASE)
_TEXT_KEYS = ("content", "value")
_USERS = ("user", "human")


def _turns(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name in _TURNS:
        value = row.get(name)
        for turn in value if isinstance(value, list) else [value]:
            if isinstance(turn, dict):
                yield turn


def _texts(row: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """Every text of a row, as the object that holds it and the key."""
    for turn in _turns(row):
        for key in _TEXT_KEYS:
            if isinstance(turn.get(key), str):
                yield turn, key
            elif isinstance(turn.get(key), list):
                yield from ((part, "text") for part in turn[key] if isinstance(part, dict) and "text" in part)
    yield from ((row, name) for name in ("instruction", "input", "output") if isinstance(row.get(name), str))


def _parts(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for turn in _turns(row):
        content = turn.get("content")
        yield from (part for part in content if isinstance(part, dict)) if isinstance(content, list) else ()


def lower_tags(row: dict[str, Any]) -> None:
    """`<AUDIO>` to `<audio>`."""
    for holder, key in _texts(row):
        for kind, pattern in TAG_ANY_CASE.items():
            if isinstance(holder[key], str):
                holder[key] = re.sub(pattern, f"<{kind[:-1]}>", holder[key])


def plain_paths(row: dict[str, Any]) -> None:
    """`file:///a%20b.wav` to `/a b.wav`, in columns of media."""
    for name in (*KINDS, *(kind[:-1] for kind in KINDS)):
        value = row.get(name)
        if isinstance(value, str):
            row[name] = _path(value)
        elif isinstance(value, list):
            row[name] = [_path(item) if isinstance(item, str) else item for item in value]


def _path(value: str) -> str:
    return unquote(value.removeprefix("file://")) if value.startswith("file:///") else value


def tags_of_the_only_question(row: dict[str, Any]) -> None:
    """The tags of media of one kind, of which no text has any, before the only question."""
    joined = "\n".join(str(holder[key]) for holder, key in _texts(row))
    questions = [turn for turn in _turns(row) if (turn.get("role") or turn.get("from")) in _USERS]
    if isinstance(row.get("instruction"), str) and not row.get("history"):
        questions, key = [row], "instruction"
    else:
        key = next((key for key in _TEXT_KEYS if questions and isinstance(questions[0].get(key), str)), "")
    if len(questions) != 1 or not key:
        return
    tags = Counter(_LIKE_A_TAG.findall(joined))
    named = {f"<{kind[:-1]}>": len(_media(row, kind)) for kind in KINDS}
    missing = [(kind, media) for kind in KINDS if (media := _media(row, kind)) and f"<{kind[:-1]}>" not in tags]
    # A tag without a medium, or one in another spelling, may be where the medium belongs.
    if len(missing) == 1 and all(count == named.get(tag) for tag, count in tags.items()):
        kind, media = missing[0]
        questions[0][key] = f"<{kind[:-1]}>" * len(media) + questions[0][key]


def _media(row: Mapping[str, Any], kind: str) -> list[Any]:
    value = row.get(kind, row.get(kind[:-1]))
    return [] if value is None else value if isinstance(value, list) else [value]


def loss_as_truth(row: dict[str, Any]) -> None:
    """`"loss": "false"` to `false`: any text counts as true."""
    for turn in _turns(row):
        if isinstance(turn.get("loss"), str) and turn["loss"].lower() in ("true", "false"):
            turn["loss"] = turn["loss"].lower() == "true"


def without_null_keys(row: dict[str, Any]) -> None:
    """Parts without the keys that have no value."""
    for part in _parts(row):
        for key in [key for key, value in part.items() if value is None]:
            del part[key]


def media_under_their_kind(row: dict[str, Any]) -> None:
    """`{"type": "audio", "audio_url": ...}`, `path` and `url` to `{"type": "audio", "audio": path}`."""
    for part in _parts(row):
        kind = str(part.get("type", "")).removesuffix("_url")
        if f"{kind}s" not in KINDS or isinstance(part.get(kind), str):
            continue
        keys = [key for key in (f"{kind}_url", "path", "url", "file") if part.get(key) is not None]
        value = part[keys[0]] if len(keys) == 1 else None
        value = value.get("url") if isinstance(value, dict) else value
        if isinstance(value, str) and set(part) == {"type", keys[0]}:
            part.clear()
            part |= {"type": kind, kind: _path(value)}


def media_as_urls(row: dict[str, Any]) -> None:
    """`{"type": "audio", "audio": "/a b.wav"}`, and absolute paths as URLs, to `file:///a%20b.wav`."""
    for part in _parts(row):
        kind = str(part.get("type", "")).removesuffix("_url")
        if f"{kind}s" not in KINDS:
            continue
        held = part.get(kind, part.get(f"{kind}_url"))
        url = held.get("url") if isinstance(held, dict) else held
        if isinstance(url, str) and url.startswith("/") and set(part) <= {"type", kind, f"{kind}_url"}:
            part.clear()
            part |= {"type": f"{kind}_url", f"{kind}_url": {"url": f"file://{quote(url)}"}}


_OF_TAGS: Mapping[str, Mend] = {"tag_case": lower_tags, "unsupported_uri": plain_paths}
_OF_TURNS: Mapping[str, Mend] = {**_OF_TAGS, "media_count": tags_of_the_only_question}
_OF_TYPED: Mapping[str, Mend] = {
    "null_key": without_null_keys, "medium_ignored": media_under_their_kind, "url_part": media_under_their_kind,
}  # fmt: skip

MENDS: Mapping[str, Mapping[str, Mend]] = {
    "msswift": {
        **_OF_TAGS,
        "media_without_tag": tags_of_the_only_question,
        "content_media_ignored": media_under_their_kind,
        "bad_loss": loss_as_truth,
        "unknown_role": fixes.roles_as_known,
        "content_part": fixes.typed_parts,
        "bad_loss_scale": fixes.numbers,
        "bad_label": fixes.label_as_truth,
        "bad_settings": fixes.settings_as_object,
        "null_media": fixes.media_without_nulls,
        "media_type": fixes.media_as_paths,
        "key_collision": fixes.one_of_equal_columns,
        "content_media_conflict": fixes.media_named_once,
    },
    "conversation-qwen2-audio": _OF_TURNS,
    "conversation-sharegpt": _OF_TURNS,
    "llamafactory-sharegpt": _OF_TURNS,
    "llamafactory-alpaca": _OF_TURNS,
    "llamafactory-ranking": _OF_TURNS,
    "llamafactory-kto": _OF_TURNS,
    "messages-openai": {"unknown_part": media_as_urls, "unsupported_url": media_as_urls},
    "messages-hf": _OF_TYPED,
    "messages-trl": _OF_TYPED,
}
"""Format -> code of a problem -> its mend. A format that is not listed has none."""
