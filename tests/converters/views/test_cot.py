"""The view `cot`: question, chain and answer, as a conversation and apart."""

from __future__ import annotations

from typing import Any

import pytest
from support.view_rows import converted, made_of_each, sample
from triptych.converters.export.options import ExportOptions
from triptych.converters.views import ViewOptions, get_view
from triptych.converters.views.statement import reasoning_for
from triptych.errors import UsageError
from triptych.validators.formats import FORMATS

SECTIONS = "<PLANNING>p</PLANNING>\n<Caption> c </Caption><REASONING>r\n\nr</REASONING>\n<SUMMARY>s</SUMMARY>"
CHAIN = ("<PLANNING>\np\n</PLANNING>\n<CAPTION>\nc\n</CAPTION>\n<REASONING>\nr\n\nr\n</REASONING>\n"
         "<SUMMARY>\ns\n</SUMMARY>")  # fmt: skip
TALK = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"},
        {"role": "user", "content": "<audio>Why?"},
        {"role": "assistant", "content": "<think>a\nb</think>\nc"}]  # fmt: skip


def asked(**fields: Any) -> dict[str, Any]:
    return sample(**{"task": "qa", "question": "What?", "language": "en"} | fields)


GIVEN = [
    asked(answer="Angry", reasoning="Because.\n\nOf it."),
    asked(answer=" <RESPONSE>\nAngry</RESPONSE>", reasoning=SECTIONS, choices=["Angry", "Sad"]),
    asked(answer=f"<THINK>{SECTIONS}</THINK><RESPONSE>Angry</RESPONSE>"),
    sample(messages=TALK),
    asked(answer="x", reasoning="<PLANNING>p</PLANNING> and more"),
    asked(answer="x", reasoning=SECTIONS.replace("> c <", "> <")),
    asked(answer="x", reasoning=f"{SECTIONS} and more"),
    asked(answer="x", reasoning=f"{SECTIONS}<PLANNING>q</PLANNING>"),
    asked(answer="x", reasoning="a <RESPONSE>b</RESPONSE>"),
    asked(answer="x <RESPONSE>y</RESPONSE>", reasoning="r"),
    asked(answer="x"),
    asked(reasoning="r"),
]
REASONS = ["broken_chain"] * 5 + ["broken_response", "no_reasoning", "no_answer"]


def test_an_answer_is_the_chain_in_think_and_the_response() -> None:
    plain, structured, whole, talk, *without = made_of_each(GIVEN, view="cot", text="raw")
    assert without == REASONS
    assert plain["messages"] == [
        {"role": "user", "content": "<audio>What?"},
        {"role": "assistant", "content": "<think>\nBecause.\n\nOf it.\n</think>\n\n<RESPONSE>\nAngry\n</RESPONSE>"},
    ]
    assert (plain["question"], plain["cot"], plain["answer"]) == ("What?", "Because.\n\nOf it.", "Angry")
    for made in (structured, whole):
        wanted = f"<think>\n{CHAIN}\n</think>\n\n<RESPONSE>\nAngry\n</RESPONSE>"
        assert made["messages"][-1]["content"] == wanted and made["cot"] == CHAIN
    assert structured["choices"] == ["Angry", "Sad"] and "choices" not in plain
    assert [turn["content"] for turn in talk["messages"][:3]] == ["Hi", "Yes?", "<audio>Why?"]
    assert talk["messages"][3]["content"] == "<think>\na\nb\n</think>\n\n<RESPONSE>\nc\n</RESPONSE>"
    assert talk["question"] == "Why?"
    for made in (plain, structured, whole, talk):
        found = list(FORMATS["cot-messages"].Rows(files=False).check(1, made))
        assert {each.code for each in found} <= {"plain_chain"}
    assert not list(FORMATS["cot-messages"].Rows(task="structured", files=False).check(1, structured))
    assert not [f for f in FORMATS["msswift"].Rows(files=False).check(1, structured) if f.severity == "error"]


def test_with_structure_a_plain_chain_has_no_row() -> None:
    own = [each | {"id": f"d/{number}"} for number, each in enumerate(GIVEN)]
    made = converted(own, "cot", ViewOptions(text="raw", own={"structure": True}))
    assert [each if isinstance(each, str) else "row" for each in made] == [
        "no_sections", "row", "row", "no_sections", *REASONS
    ]  # fmt: skip


def test_the_parts_are_apart_in_the_style_json() -> None:
    view = get_view("cot", "json")
    from triptych.converters.views.batch import RowMaker

    with RowMaker(view, ViewOptions(text="raw", own={"structure": False})) as maker:
        audio = {"audio_paths": ["/a.flac"], "modality": "audio", "task": "qa"}
        one, film, silent = maker.rows([
            {"id": "1", **audio, "question": "What?", "answer": "Angry", "reasoning": SECTIONS},
            {"id": "2", **audio, "video_paths": ["/v.mp4"], "question": "What?", "answer": "x", "reasoning": "r"},
            {"id": "3", **audio, "answer": "x", "reasoning": "r"},
        ])  # fmt: skip
    assert one.row == {"id": "1", "audio_feat": "/a.flac", "question": "What?", "cot": CHAIN, "answer": "Angry"}
    assert not list(FORMATS["cot-json"].Rows(task="structured", files=False).check(1, one.row))
    assert (film.skip, silent.skip) == ("video_unsupported", "no_prompt")


def test_the_chain_is_never_dropped() -> None:
    with pytest.raises(UsageError, match="are there for their reasoning"):
        reasoning_for(get_view("cot"), None, "drop")
    with pytest.raises(UsageError, match="has no option --structure"):
        ExportOptions(structure=True).of_view("msswift", ())
