"""A JSON document read in pieces is what the standard library reads whole, and a broken one names the place."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from triptych.shards import json_stream
from triptych.shards.json_stream import JsonFault, read_items, read_members, read_values

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(params=[3, 7, 256 * 1024])
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(json_stream, "_CHUNK", request.param)
    return int(request.param)


def items(data: bytes, **options: Any) -> list[Any]:
    return [element.value for element in read_items(io.BytesIO(data), **options)]


@given(rows=st.lists(VALUES, max_size=5), indent=st.sampled_from([None, 1]), size=st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_pieces_of_any_size_give_what_the_whole_gives(rows: list[Any], indent: int | None, size: int) -> None:
    data = json.dumps({"skipped": rows, "at": {"here": rows}}, indent=indent, ensure_ascii=False).encode()
    before = json_stream._CHUNK
    json_stream._CHUNK = size
    try:
        assert items(data, at="at.here") == rows
        assert [e.value for e in read_values(io.BytesIO(data))] == [json.loads(data)]
    finally:
        json_stream._CHUNK = before


def test_what_a_path_leads_to(chunk: int) -> None:
    data = b'\xef\xbb\xbf {"z": {"q": ["]}\\""]}, "data": {"items": [1, 2]}, "many": [{"x": [3]}, {"x": [4, 5]}]}\n'
    assert items(data, at="data.items") == [1, 2]
    assert items(data, at="many.item.x") == [3, 4, 5]
    assert items(data, at="nowhere") == items(data) == []
    found = read_members(io.BytesIO(data), at="data")
    assert [(element.key, element.value, element.line) for element in found] == [("items", [1, 2], 1)]


def test_letters_and_numbers_stay_what_they_are(chunk: int) -> None:
    data = rb'[{"a": "\ud83d x", "b": 123456789012345678901234567890, "c": 1.10, "d": NaN, "e": -Infinity}]'
    found = {"a": "\ud83d x", "b": 123456789012345678901234567890, "c": 1.1, "d": None, "e": None}
    assert items(data) == [found]


@pytest.mark.parametrize(
    ("data", "count", "place", "said"),
    [
        (b'[1,\n 2,\n {"x": }]', 2, (3, 8), "Expecting value"),
        (b"[1] x", 1, (1, 5), "Extra data"),
        (b"[1,]", 1, (1, 4), "Expecting value"),
        (b"[1,\n2", 2, (2, 2), "Expecting ','"),
        (b"", 0, (1, 1), "Expecting value"),
        (b'[1,\n"a\xff", 3]', 1, (2, 3), "0xff"),
        (b"[1," + b"[" * 100_000, 1, (1, 4), "nested too deeply"),
        (b"[1, " + b"9" * 5000 + b"]", 1, (1, 5), "4300 digits"),
        (b'[{"a":1} {"b":2}]', 1, (1, 10), "Expecting ','"),
    ],
)
def test_a_broken_text_gives_what_stands_before_and_names_the_place(
    data: bytes, count: int, place: tuple[int, int], said: str
) -> None:
    found: list[Any] = []
    with pytest.raises(JsonFault, match=said) as caught:
        found.extend(iter_into(found, data))
    assert (len(found), (caught.value.line, caught.value.column)) == (count, place)
    assert caught.value.is_encoding == (said == "0xff")


def iter_into(found: list[Any], data: bytes) -> list[Any]:
    for element in read_items(io.BytesIO(data)):
        found.append(element.value)
    return []


def test_an_element_with_two_values_of_a_key_is_a_fault_and_no_end(chunk: int) -> None:
    data = b'[{"a": 1}, {"b": [{"a": "}", "a": "{"}], "c": 1}, {"a": {"k": 2, "k": 2}}]'
    found = list(read_items(io.BytesIO(data)))
    assert [element.value for element in found] == [{"a": 1}, None, {"a": {"k": 2}}]
    assert [bool(element.fault) for element in found] == [False, True, False]
    assert "the key 'a' stands twice in one object, with '}' and '{'" in found[1].fault
