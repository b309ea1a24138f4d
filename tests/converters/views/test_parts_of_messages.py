"""Messages of typed parts: texts between tags, and each tag's medium."""

from __future__ import annotations

import json
from typing import Any

import pytest
from triptych.converters.views.base import ViewOptions
from triptych.converters.views.prepare import connect
from triptych.converters.views.values import not_finite_sql

MACROS = ("typed_messages", "trl_messages", "url_messages")


def made(macro: str, contents: list[str | None], **media: list[str] | None) -> list[Any]:
    """The contents of user turns, as a macro makes them."""
    call = f"{macro}($turns::STRUCT(role VARCHAR, content VARCHAR)[], $images, $videos, $audios, NULL)"
    given = {kind: media.get(kind) for kind in ("images", "videos", "audios")}
    sql = call.replace("$images", "$images::VARCHAR[]").replace("$videos", "$videos::VARCHAR[]")
    sql = sql.replace("$audios", "$audios::VARCHAR[]")
    turns = [{"role": "user", "content": content} for content in contents]
    row = connect(ViewOptions(), sql).execute(f"SELECT {sql}::VARCHAR", {"turns": turns, **given}).fetchone()
    assert row is not None
    return [message["content"] for message in json.loads(row[0])]


def text(said: str | None) -> dict[str, Any]:
    return {"type": "text", "text": said}


def sound(path: str) -> dict[str, Any]:
    return {"type": "audio", "audio": path}


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("<audio>", [sound("/a")]),
        ("<audio><audio>Which?", [sound("/a"), sound("/b"), text("Which?")]),
        ("one <audio> two <audio>", [text("one "), sound("/a"), text(" two "), sound("/b")]),
        ('"\\\n\x01\x03<audio>{"type":"text","text":""},', [text('"\\\n\x01\x03'), sound("/a"),
                                                           text('{"type":"text","text":""},')]),
        ("", [text("")]),
        ("a < b", [text("a < b")]),
    ],
)  # fmt: skip
def test_a_text_is_divided_at_its_tags(content: str, parts: list[Any]) -> None:
    assert made("typed_messages", [content], audios=["/a", "/b"]) == [parts]


def test_the_nth_tag_of_a_kind_is_its_nth_medium_in_every_turn() -> None:
    contents = ["<audio>x", "y<image><audio>", "<video>"]
    media = {"images": ["/i<audio>"], "videos": ['/v"<image>\\'], "audios": ["/a<video>", "/b"]}
    assert made("typed_messages", contents, **media) == [
        [sound("/a<video>"), text("x")],
        [text("y"), {"type": "image", "image": "/i<audio>"}, sound("/b")],
        [{"type": "video", "video": '/v"<image>\\'}],
    ]


@pytest.mark.parametrize("macro", MACROS)
def test_a_medium_after_contents_that_are_null_is_kept(macro: str) -> None:
    (_, (part,)) = made(macro, [None, "<audio>"], audios=["/a b"])
    assert json.dumps(part).count("/a") == 1


def test_urls_and_texts_without_tags() -> None:
    address = {"type": "audio_url", "audio_url": {"url": "file:///a%20b/%2525"}}
    assert made("url_messages", ["<audio>x", "y"], audios=["/a b/%25"]) == [[address, text("x")], "y"]
    assert made("trl_messages", ["<audio>x", "y"], audios=["/a"]) == [[sound("/a"), text("x")], "y"]


@pytest.mark.parametrize(
    ("value", "is_bad"),
    [
        ("NaN", True), ("[1, -Infinity]", True), ('{"a":1e400}', True), ('{"a":[0.5E+999]}', True), ("-1.5e309", True),
        ('{"a":"NaN, [1e400"}', False), ('{"nan":1e30}', False), ('[",inf","\\":nan"]', False), ("[1e-400]", False),
        ('{"a":",nan","b":Infinity}', True), ('["x" , nan]', True),
    ],
)  # fmt: skip
def test_numbers_that_json_lacks_are_found_outside_of_strings_only(value: str, is_bad: bool) -> None:
    test = not_finite_sql({"j": "JSON"})
    found = connect(ViewOptions(), "SELECT 1").execute(
        f"SELECT {test} FROM (SELECT $value AS j)", {"value": value}
    ).fetchone()  # fmt: skip
    assert found == ("not_finite" if is_bad else None,)
