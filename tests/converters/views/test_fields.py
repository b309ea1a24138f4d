"""Reasoning, tasks and fields of samples: where the rows of a view put them, and which they leave out."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from triptych.converters.views import VIEWS, ViewOptions, get_view
from triptych.converters.views.batch import BatchRow, RowMaker
from triptych.converters.views.left_out import FIELDS
from triptych.shards.sample import COLUMNS

Row = dict[str, Any]


def sample(**fields: Any) -> Row:
    return {"id": "1", "modality": "audio", "audio_paths": ["/a.wav"], **fields}


def talk(*turns: str) -> list[Row]:
    """A conversation: user and assistant in turn."""
    return [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(turns)]


@cache
def maker(view: str, options: ViewOptions) -> RowMaker:
    return RowMaker(get_view(view), options)


def made_of_each(samples: list[Row], view: str = "msswift", **options: Any) -> list[BatchRow]:
    """The rows of many samples at once, under ids of their own: DuckDB binds the statement of a view for 0.1 s."""
    chosen = ({"task": "sft"} if view == "msswift" else {}) | options
    own = [each | {"id": str(number)} for number, each in enumerate(samples)]
    found = list(maker(view, ViewOptions(**chosen)).rows(own))
    assert len(found) == len(samples)
    return found


def made(sample: Row, view: str = "msswift", **options: Any) -> BatchRow:
    [row] = made_of_each([sample], view, **options)
    return row


def answer(made: BatchRow) -> str:
    """The last turn of the row."""
    return str(made.row["messages"][-1]["content"])


ASKED = {"question": "q?", "answer": "yes", "reasoning": "It says so."}
THOUGHT = "<think>It says so.</think>yes"


def test_reasoning_goes_where_it_is_asked_for() -> None:
    three = [ASKED, {"messages": talk("<audio>q?", THOUGHT)}, {"question": "q?", "answer": THOUGHT}]
    given = [sample(**fields) for fields in three]
    assert [answer(each) for each in made_of_each(given)] == [THOUGHT] * 3
    assert [answer(each) for each in made_of_each(given, reasoning="drop")] == ["yes"] * 3
    columns = made_of_each(given, reasoning="column")
    assert [(answer(each), each.row["reasoning"]) for each in columns] == [("yes", "It says so.")] * 3
    solved = made_of_each(given, task="grpo", reasoning="column")
    assert [(each.row["solution"], each.row["reasoning"]) for each in solved] == [("yes", "It says so.")] * 3


def test_an_answer_that_thinks_itself_keeps_its_own_reasoning_and_an_empty_thought_gets_that_of_the_field() -> None:
    given = [
        sample(question="q?", answer=text, reasoning="why") for text in ("<think>own</think>yes", "<think> </think>yes")
    ]
    assert [answer(each) for each in made_of_each(given)] == ["<think>own</think>yes", "<think>why</think>yes"]
    columns = made_of_each(given, reasoning="column")
    assert [(answer(each), each.row["reasoning"], each.left_out) for each in columns] == [
        ("yes", "own", ("reasoning",)), ("yes", "why", ())
    ]  # fmt: skip


def test_a_text_for_pretraining_carries_no_reasoning_that_is_a_field() -> None:
    given = [sample(text="t", reasoning="why"), sample(text="<think>a</think>t")]
    kept, dropped = (made_of_each(given, task="pretrain", reasoning=each) for each in ("think", "drop"))
    assert [each.left_out for each in kept] == [("reasoning",), ()]
    assert [each.left_out for each in dropped] == [("reasoning",)] * 2


def test_an_answer_is_made_of_the_labels_and_captions_that_are_there() -> None:
    given = [sample(task="tagging", labels=["", "rain", " ", "wind"]), sample(task="aac", captions=[" ", "It rains."])]
    assert [answer(each) for each in made_of_each(given)] == ["rain, wind", "It rains."]


SOLUTIONS = {
    "<THINK>a\nb</THINK>\n\n  yes\n": "yes",
    "the template opened it</think>yes": "yes",
    "<think>a</think>yes<think>b</think>": "yes",
    "<think></think>yes": "yes",
    "1 < 2": "1 < 2",
    "<think>cut off": None,
    "<think>only thought</think>": None,
}


def test_a_solution_never_holds_reasoning() -> None:
    given = [sample(messages=talk("<audio>q", text)) for text in SOLUTIONS]
    rows = made_of_each(given, task="grpo", reasoning="column")
    assert [row.row.get("solution") for row in rows] == list(SOLUTIONS.values())
    assert [row.skip for row in rows] == [None if solution else "no_answer" for solution in SOLUTIONS.values()]


def test_dropped_reasoning_is_dropped_from_every_answer() -> None:
    messages = talk("<audio>q", "<think>a</think>first", "and?", "<think>b</think>second")
    row = made(sample(messages=messages), reasoning="drop")
    assert row.row["messages"] == talk("<audio>q", "first", "and?", "second")
    assert row.left_out == ("reasoning",)


def test_the_answer_that_came_with_a_conversation_is_the_solution_of_a_reward() -> None:
    drafted = sample(messages=talk("<audio>q", "a draft"), answer="dog")
    assert made(drafted, task="grpo", reasoning="column").row["solution"] == "dog"
    assert made(drafted, task="grpo", reasoning="column").left_out == ()
    kept = made(drafted)
    assert answer(kept) == "a draft" and kept.left_out == ("answer",)


def test_a_conversation_of_several_exchanges_is_a_chat() -> None:
    given = [
        sample(messages=talk("<audio>q", "a", "q", "a")),
        sample(messages=[{"role": "system", "content": "s"}, *talk("q", "a")], question="q", answer="a"),
        sample(messages=talk("<audio>q", "a", "q", "a"), task="asr"),
    ]
    rows = made_of_each(given, task="grpo", reasoning="column")
    assert [each.row["task"] for each in rows] == ["chat", "qa", "asr"]


HEARD = {"audio": {"path": "/a.wav", "frames": 16_000, "sample_rate": 16_000, "channels": 1}}
LEFT_OUT: list[tuple[str, Row, tuple[str, ...]]] = [
    ("msswift", {"text": "t", "speaker": "s"}, ("speaker",)),
    ("msswift", {"text": "t", "question": "q?", "answer": "a", "choices": ["a", "b"]}, ("text",)),
    ("msswift", {"task": "aac", "captions": ["one", "two"]}, ("captions",)),
    ("msswift", {"task": "aac", "captions": ["one"]}, ()),
    ("msswift", {"task": "s2tt", "translation": "t", "target_language": "de", "text": "x"}, ("text",)),
    ("msswift", {"messages": talk("<audio>q", "a"), "question": "q", "answer": "a"}, ()),
    ("msswift", {"text": "t", "extra": {"message_keys": '[{"name": "x"}, {"loss": false}]'}},
     ("messages.loss", "messages.name")),
    ("msswift", {"text": "t", "extra": {"objects": '{"bbox": [[1, 2, 3]]}', "tools": "[]"}}, ("objects",)),
    ("unified", {"text": "t", "language": "en", "words": [{"text": "t", "start_s": 0.0, "end_s": 1.0}]},
     ("language", "words")),
    ("unified", {"text": "t", "extra": {"path": "p"}}, ()),
    ("unified", {"captions": ["one", "two"]}, ("captions",)),
    ("msswift", {"text": "t", "question": " ", "translation": "\u3000", "choices": ["", None]}, ()),
    ("msswift", {"task": "aac", "text": " ", "captions": ["", "one"]}, ()),
    ("msswift", {"question": "q?", "answer": "<think>a</think>b", "reasoning": "a"}, ()),
    ("msswift", {"question": "q?", "answer": "<think>a</think>b", "reasoning": "c"}, ("reasoning",)),
    ("unified", {"text": "\n", "captions": ["", "one"], "answer": " "}, ()),
    ("nemo", {"text": "t", "translation": "x", "target_language": "de", **HEARD}, ("target_language", "translation")),
    ("nemo", {"task": "s2tt", "text": "t", "translation": "x", "language": "en", "target_language": "de", **HEARD},
     ("text",)),
]  # fmt: skip


@pytest.mark.parametrize("view", ["msswift", "unified", "nemo"])
def test_a_field_is_in_the_row_or_counted(view: str) -> None:
    cases = [(fields, left_out) for of, fields, left_out in LEFT_OUT if of == view]
    rows = made_of_each([sample(**fields) for fields, _ in cases], view)
    assert [(row.skip, tuple(sorted(row.left_out))) for row in rows] == [(None, left_out) for _, left_out in cases]


def test_a_column_of_the_corpus_that_is_called_like_a_field_is_not_that_field() -> None:
    """The number of the choice, beside the answer that the row has."""
    row = made(sample(question="What?", choices=["a", "b"], answer="b", extra={"answer": "1", "topic": "x"}, task="qa"))
    assert set(row.left_out) == {"extra.answer", "topic"}


def test_every_column_of_the_sample_is_a_field_or_accounted_for_elsewhere() -> None:
    """A new column is one of `FIELDS`, or is told in another way: provenance, media, spans."""
    elsewhere = {
        "id", "dataset", "config", "split", "panel", "modality", "task", "audio", "video", "image", "more_media",
        "start_s", "end_s", "channel", "extra", "license", "source", "revision", "pulled_at",
    }  # fmt: skip
    assert set(COLUMNS) - elsewhere == set(FIELDS)


@pytest.mark.parametrize("view", [name for name in VIEWS if name not in ("term-chunks", "phoneme")])  # of alignments
def test_no_view_needs_more_than_the_sample_has(view: str) -> None:
    """A text is enough; a chain of thought needs one, an evaluation names the language that it asks for, manifests have
    the length of the sound, and a pair has two sides."""
    length = {"audio": {"path": "/a.wav", "frames": 16_000, "sample_rate": 16_000, "channels": 1}}
    needed: dict[str, dict[str, Any]] = {"cot": {"reasoning": "r"}, "evaluation": {"language": "en"}}
    if view == "preference":
        options = ViewOptions(own={"dimension": "safety"})
        (row,) = RowMaker(get_view(view), options).rows([sample(text="t", rejected="u")])
    else:
        row = made(sample(text="t", **needed.get(view, length)), view)
    assert row.skip is None and row.left_out == ()
