"""Chains of thought: every rule of their form, and what a chat template leaves of them."""

from __future__ import annotations

from typing import Any

import pytest
from triptych.validators.formats import FORMATS
from triptych.validators.formats.cot.chain import options_in, rendered

SECTIONS = "<PLANNING>p</PLANNING><CAPTION>c</CAPTION>\n<REASONING>r</REASONING> <SUMMARY>s</SUMMARY>"
GOOD = f"<think>\n{SECTIONS}\n</think>\n\n<RESPONSE>\nThe answer is B.\n</RESPONSE>\n"
CHOICES = ["Mountain Canyon", "Open Grassland", "City Streets"]


def codes(said: Any, *, user: Any = "What?", task: str | None = "structured", **columns: Any) -> set[str]:
    messages = [{"role": "user", "content": user}, {"role": "assistant", "content": said}]
    row = {"messages": messages, **columns}
    return {found.code for found in FORMATS["cot-messages"].Rows(task=task, files=False).check(1, row)}


BROKEN: list[tuple[str, str, str]] = [
    # the outer pair once, closed
    (f"{SECTIONS}<RESPONSE>x</RESPONSE>", "no_think", "none"),
    (GOOD.replace("</think>", ""), "broken_think", "not closed"),
    (GOOD.replace("<think>", "<think></think>", 1).replace("</think>\n\n", "\n\n"), "text_between", "closed early"),
    (f"<think>x</think>{GOOD}", "several_think", "twice"),
    (GOOD.replace("<think>", "<THINK>").replace("</think>", "</THINK>"), "think_case", "not the token of Qwen3"),
    # four sections, each once, in order, apart, not empty
    (GOOD.replace("<CAPTION>c</CAPTION>", ""), "missing_section", "one of four"),
    (GOOD.replace("<SUMMARY>", "<CAPTION>d</CAPTION><SUMMARY>"), "repeated_section", "twice"),
    (GOOD.replace("</CAPTION>", ""), "broken_section", "not closed"),
    (GOOD.replace(SECTIONS, "<CAPTION>c</CAPTION><PLANNING>p</PLANNING><REASONING>r</REASONING><SUMMARY>s</SUMMARY>"),
     "section_order", "two changed places"),
    (GOOD.replace("</PLANNING><CAPTION>c</CAPTION>", "<CAPTION>c</CAPTION></PLANNING>"), "section_overlap", "inside"),
    (GOOD.replace(">r<", "> \n<"), "empty_section", "white space only"),
    (GOOD.replace(SECTIONS, "just thought"), "no_sections", "plain"),
    (GOOD.replace(SECTIONS, " "), "empty_chain", "nothing"),
    # white space only between the sections, and between the chain and the response
    (GOOD.replace("</PLANNING>", "</PLANNING>and"), "text_between", "between sections"),
    (GOOD.replace("<PLANNING>", "So: <PLANNING>"), "text_between", "before the sections"),
    (GOOD.replace("</think>", "</think>Then:"), "text_between", "before the response"),
    # the response is there, not empty, last
    (f"<think>{SECTIONS}</think>The answer is B.", "no_response", "none"),
    (GOOD.replace("The answer is B.", " "), "empty_response", "white space only"),
    (f"{GOOD} Thanks.", "response_not_last", "text after it"),
    (f"<RESPONSE>x</RESPONSE><think>{SECTIONS}</think>", "response_not_last", "first"),
    (f"<think>{SECTIONS}<RESPONSE>x</RESPONSE></think>", "response_in_think", "inside"),
    (GOOD.replace("</RESPONSE>", ""), "broken_response", "not closed"),
    (f"{GOOD}<RESPONSE>y</RESPONSE>", "several_response", "twice"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "code", "_why"), BROKEN, ids=[f"{code}: {why}" for _, code, why in BROKEN])
def test_each_fault_of_the_form_is_found(answer: str, code: str, _why: str) -> None:
    assert code in codes(answer)


def test_the_form_itself_has_no_fault_in_any_white_space() -> None:
    assert codes(GOOD) == codes(GOOD.replace("\n", "")) == set()
    assert codes(GOOD.replace(SECTIONS, "plain thought"), task=None) == {"plain_chain"}
    assert codes(GOOD, choices=CHOICES, answer="Open Grassland") == set()


NAMED: list[tuple[str, list[str], list[str]]] = [
    ("open grassland.", CHOICES, ["Open Grassland"]),
    ("The answer is Open Grassland", CHOICES, ["Open Grassland"]),
    ("Grassland", CHOICES, []),
    ("Open Grassland, not City Streets", CHOICES, ["Open Grassland", "City Streets"]),
    ("C", CHOICES, ["City Streets"]),
    ("(B) Open Grassland, for the streets are no canyon", CHOICES, ["Open Grassland"]),
    ("Mountain Canyon is unlikely. The answer is B.", CHOICES, ["Open Grassland"]),
    ("The answer is Z.", CHOICES, []),
    ("Yes, definitely not no", ["Yes", "No"], ["Yes", "No"]),
    ("a man and a woman", ["A man", "A woman"], ["A man", "A woman"]),
    ("The answer is A man", ["A woman", "A man"], ["A man"]),
    ("A man speaks", ["A woman", "A man"], ["A man"]),
    ("the first speaker", ["The first", "The second"], ["The first"]),
    ("an old man", ["man", "old man"], ["old man"]),
    ("答案是开阔草原。", ["山谷", "开阔草原"], ["开阔草原"]),
    ("答案：B", ["山谷", "开阔草原"], ["开阔草原"]),
]


@pytest.mark.parametrize(("response", "choices", "named"), NAMED, ids=[each[0] for each in NAMED])
def test_a_response_names_the_choices_that_it_says(response: str, choices: list[str], named: list[str]) -> None:
    assert options_in(response, choices) == named


def test_a_response_names_exactly_the_choice_that_is_the_answer() -> None:
    assert codes(GOOD, choices=CHOICES, answer="City Streets") == {"wrong_choice"}
    assert codes(GOOD, choices=CHOICES, answer="Desert") == {"key_not_a_choice"}
    both = GOOD.replace("The answer is B.", "Open Grassland or City Streets")
    assert codes(both, choices=CHOICES, answer="Open Grassland") == {"unclear_choice"}


def test_qwen3_omnis_template_keeps_a_chain_only_after_a_question_that_is_a_text() -> None:
    answer = "<think>\nr\n</think>\n\nans"
    listed = [{"role": "user", "content": [{"type": "text", "text": "q"}]}, {"role": "assistant", "content": answer}]
    assert rendered(listed) == ["ans"]
    told = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "ans"}]
    assert rendered(told) == ["<think>\n\n</think>\n\nans"]
    assert rendered([*told[:1], *listed[1:]]) == [answer]
    assert rendered([*told[:1], *listed[1:], *told]) == ["ans", "<think>\n\n</think>\n\nans"]
    assert codes(GOOD, user=[{"type": "audio", "audio": "/a.wav"}]) == {"list_content", "chain_lost"}
    again = [{"role": "user", "content": "q"}, {"role": "assistant", "content": GOOD}] * 2
    assert {f.code for f in FORMATS["cot-messages"].Rows(files=False).check(1, {"messages": again})} == {
        "earlier_chain"
    }


def test_rows_without_a_conversation_or_with_other_media_than_tags() -> None:
    rows = FORMATS["cot-messages"].Rows()
    assert [f.code for f in rows.check(1, {"messages": "x"})] == ["no_messages"]
    assert [f.code for f in rows.check(1, {"messages": [{"role": "user", "content": "x"}]})] == ["last_not_assistant"]
    assert codes(GOOD, audios=["/a.wav"]) == {"tag_mismatch"}
    assert codes(GOOD, user="<audio>What?", audios=["/a.wav"]) == set()
    assert "missing_file" in {
        f.code for f in rows.check(1, {"audios": ["/nosuch"], "messages": [
            {"role": "user", "content": "<audio>"}, {"role": "assistant", "content": GOOD}]})
    }  # fmt: skip


def test_the_parts_of_an_object_are_texts_without_outer_tags() -> None:
    row = {"id": "1", "audio_feat": "/a.npy", "question": "q", "cot": SECTIONS, "answer": "x"}

    def found(task: str | None = None, **changed: Any) -> set[str]:
        return {each.code for each in FORMATS["cot-json"].Rows(task=task, files=False).check(1, row | changed)}

    assert found() == found("structured") == set()
    assert found(cot="first, then") == {"plain_chain"} and found("structured", cot="so") == {"no_sections"}
    assert found(cot=f"<think>{SECTIONS}</think>") == {"outer_tag"} and found(answer=GOOD) == {"outer_tag"}
    assert found(cot="<think>first") == {"outer_tag"} and found(answer="x</RESPONSE>") == {"outer_tag"}
    assert found(cot=SECTIONS.replace("c<", " <")) == {"empty_section"}
    assert found(question=None) == {"missing_key"} and found(answer=3) == {"wrong_type"}
    assert found(answer=" ") == {"empty_text"} and found(text="x") == {"further_key"}
