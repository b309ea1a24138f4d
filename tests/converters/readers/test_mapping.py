"""The mapping language of cards: templates, operations, and which columns stay in `extra`."""

from __future__ import annotations

from typing import Any

import pytest
from triptych.converters.candidate import RowError
from triptych.converters.readers.mapping.field_map import FieldMap, compile_value
from triptych.converters.readers.mapping.path_template import match
from triptych.converters.readers.mapping.text_template import filling
from triptych.errors import UsageError


@pytest.mark.parametrize(
    ("template", "row", "expected"),
    [
        ("{a}_{b}", {"a": "-x", "b": 3}, "-x_3"),
        ("{youtube_id}_{time_start:06d}", {"youtube_id": "-a_b", "time_start": "59.0"}, "-a_b_000059"),
        ("{videoID[:-14]}", {"videoID": "5-xGskbsBgI_000055_000065"}, "5-xGskbsBgI"),
        ("{videoID[-13:-7]:d}", {"videoID": "5-xGskbsBgI_000055_000065"}, "55"),
        ("{wav|stem|lower}", {"wav": "/home/x/F0003_0_COUGH.wav"}, "f0003_0_cough"),
        ("{wav|base}", {"wav": r"C:\data\a b.wav"}, "a b.wav"),
        ("{wav|stem}", {"wav": "dir.d/.hidden"}, ".hidden"),
        ("{start time}", {"start time": 1.5}, "1.5"),
        ("{a}/{b}", {"a": "x", "b": None}, None),
        ("{a}", {}, None),
    ],
)
def test_a_template_is_filled_from_the_row(template: str, row: dict[str, Any], expected: str | None) -> None:
    assert filling(template).fill(row) == expected


@pytest.mark.parametrize(
    ("spec", "row", "expected"),
    [
        ({"column": "t", "number": True}, {"t": "3,25"}, 3.25),
        ({"column": "t", "as": "time"}, {"t": "00:16:21,940"}, 981.94),
        ({"column": "t", "as": "time"}, {"t": "1:02.5"}, 62.5),
        ({"column": "t", "samples": 16000}, {"t": "8000"}, 0.5),
        ({"column": "t", "plus": 10}, {"t": "30"}, 40.0),
        ({"column": "t", "plus": "d"}, {"t": "1.5", "d": 2}, 3.5),
        ({"column": "t", "plus": "d"}, {"t": None, "d": 2}, None),
        (
            {"column": "t", "filled": {"column": "v", "json": True}},
            {"t": "Is <Object> or <LR>?", "v": '["a", "b"]'},
            "Is a or b?",
        ),
        ({"column": "t", "filled": "v"}, {"t": "Is 1 < 2 > 0?", "v": []}, "Is 1 < 2 > 0?"),
        ({"column": "t", "names": ["a", "b"]}, {"t": "1"}, "b"),
        ({"column": "t", "map": {0: "motion", 3: "yes/no"}}, {"t": 3}, "yes/no"),
        ({"column": "t", "literal": True}, {"t": "['low quality', 'a \"b\"']"}, ["low quality", 'a "b"']),
        ({"column": "t", "json": True, "item": 0}, {"t": "[4, 5]"}, 4),
        ({"column": "t", "split": ";", "join": "|"}, {"t": "a; b;;c"}, "a|b|c"),
        ({"column": "t", "then": ["strip", {"slice": [0, 11]}, "lower"]}, {"t": " -ABCDEFGHIJ_7 "}, "-abcdefghij"),
        ({"column": "t", "straight_quotes": True}, {"t": "‘Where’s “27”?’"}, "'Where's \"27\"?'"),
        ({"column": "t", "unlettered": True}, {"t": ["A. a cat", "B. a dog"]}, ["a cat", "a dog"]),
        ({"column": "t", "letter": True}, {"t": 2}, "C"),
        ({"column": "t", "choice_of": {"column": "c", "unlettered": True}}, {"t": "B", "c": ["A. x", "B. y"]}, "y"),
        ({"column": "t", "choice_of": "c"}, {"t": 0, "c": ["x", "y"]}, "x"),
        ({"column": "t", "choice_of": "c"}, {"t": "A", "c": ["B. x", "A. y"]}, "A. y"),
        ({"column": "t", "letter_of": "c"}, {"t": "y", "c": ["x", "y"]}, "B"),
        ({"column": "t", "choice_of": "c"}, {"t": "(B) The dog.", "c": ["a cat", "the dog"]}, "the dog"),
        ({"column": "t", "named_choice": "c"}, {"t": "B.", "c": ["x", "y"]}, "y"),
        ({"column": "t", "named_choice": "c"}, {"t": "It is a dog.", "c": ["x", "y"]}, "It is a dog."),
        ({"column": "t", "named_choice": "c"}, {"t": "B", "c": None}, "B"),
        ({"column": "t", "named_choice": "c"}, {"t": "1", "c": ["1", "2"]}, "1"),
        ({"column": "t", "remove": ["<sound>", "Be brief."]}, {"t": "<sound>\nWhy? Be brief."}, "Why?"),
        ({"column": "t", "remove": "<sound>"}, {"t": " <sound> "}, None),
        ({"column": "t", "question_part": True}, {"t": "Which?\nA. a cat\nB. a dog"}, "Which?"),
        ({"column": "t", "choices_part": True}, {"t": "Which?\nA. a cat\nB. a dog"}, ["a cat", "a dog"]),
        ({"column": "t", "choices_part": True}, {"t": "See (A). Which?\n(A) one (B) two"}, ["one", "two"]),
        ({"column": "t", "question_part": True}, {"t": "Which?\nA. x\nB. y\nBe brief."}, "Which?\nBe brief."),
        ({"column": "t", "choices_part": True}, {"t": "By A. Bach or C. Bach?"}, None),
        ({"column": "t", "choices_part": True}, {"t": "Which?\nA. x\nC. y"}, None),
        ({"column": "t", "choices_part": True}, {"t": "Which?\n(A) (B) y"}, None),
        ({"column": "t", "question_part": True}, {"t": "What is in (A)?"}, "What is in (A)?"),
        ({"column": "t", "choices_part": True}, {"t": None}, None),
        ({"column": "t", "tag": "THINK"}, {"t": "<THINK> a\nb </THINK>"}, "a\nb"),
        ({"column": "t", "tag": "THINK"}, {"t": "no tags"}, None),
        ({"const": "en"}, {}, "en"),
        (["a", "b", {"const": "c"}], {"a": "1", "b": None}, ["1", "c"]),
    ],
)
def test_a_value_is_what_its_operations_make_of_the_column(spec: Any, row: dict[str, Any], expected: Any) -> None:
    assert compile_value(spec).get(row) == expected


@pytest.mark.parametrize(
    ("spec", "row"),
    [
        ({"column": "t", "number": True}, {"t": "soon"}),
        ({"column": "t", "time": True}, {"t": "1:2:3:4"}),
        ({"column": "t", "plus": "d"}, {"t": 1, "d": None}),
        ({"column": "t", "plus": "d"}, {"t": 1, "d": "soon"}),
        ({"column": "t", "filled": "v"}, {"t": "Is <Object> or <LR>?", "v": ["a"]}),
        ({"column": "t", "filled": "v"}, {"t": "Is it?", "v": ["a"]}),
        ({"column": "t", "names": ["a"]}, {"t": 1}),
        ({"column": "t", "literal": True}, {"t": "__import__('os').getcwd()"}),
        ({"column": "t", "choice_of": "c"}, {"t": "C", "c": ["x"]}),
        ({"column": "t", "letter_of": "c"}, {"t": "z", "c": ["x"]}),
        ({"column": "t", "choice_of": "c"}, {"t": "A. the dog", "c": ["a cat", "the dog"]}),
        ({"column": "t", "named_choice": "c"}, {"t": "(C) a cow", "c": ["a cat", "the dog"]}),
    ],
)
def test_a_value_that_cannot_be_read_names_its_column(spec: Any, row: dict[str, Any]) -> None:
    with pytest.raises(RowError, match="column 't'"):
        compile_value(spec).get(row)


def test_a_printed_list_is_read_and_nothing_in_it_is_run(tmp_path: Any) -> None:
    target = tmp_path / "made"
    with pytest.raises(RowError):
        compile_value({"column": "t", "literal": True}).get({"t": f"[open({str(target)!r}, 'w')]"})
    assert not target.exists()


def test_extra_keeps_what_no_field_takes_whole() -> None:
    fields = FieldMap(
        {
            "text": {"column": "said", "straight_quotes": True},
            "labels": "kind",
            "speaker": "{id[:3]}",
            "start_s": {"column": "segment", "item": 0},
            "end_s": {"column": "segment", "item": 1},
            "extra": {"title": {"column": "name", "upper": True}},
        }
    )
    row = {"said": "it’s", "kind": "a", "id": "abc_1", "segment": [1, 2.5], "name": "n", "more": 4}
    assert fields.fields(row) == {
        "text": "it's",
        "labels": ["a"],
        "speaker": "abc",
        "start_s": 1.0,
        "end_s": 2.5,
        "extra": {"said": "it’s", "id": "abc_1", "segment": "[1, 2.5]", "more": "4", "title": "N"},
    }
    assert "said" not in fields.fields({**row, "said": "plain"})["extra"]


def test_a_span_that_runs_backwards_and_a_bare_class_number_are_refused() -> None:
    with pytest.raises(RowError, match="end after the start"):
        FieldMap({"start_s": "a", "end_s": "b"}).fields({"a": 2, "b": 1})
    with pytest.raises(RowError, match="class names"):
        FieldMap({"labels": "a"}).fields({"a": 3})


@pytest.mark.parametrize(
    "spec", [{"const": 1, "column": "a"}, {"split": ";"}, 7, {"column": "a", "split": 3}, "{a", "{a|b|c!}"]
)
def test_a_mapping_that_is_written_wrong_is_refused(spec: Any) -> None:
    with pytest.raises(UsageError):
        FieldMap({"text": spec})


def test_a_name_that_stands_twice_in_a_path_must_be_the_same_twice() -> None:
    template = "Videos/{video_id}/{video_id}_video.mp4"
    assert match(template, "x/Videos/-a/-a_video.mp4") == {"video_id": "-a"}
    assert match(template, "x/Videos/-a/-b_video.mp4") is None
