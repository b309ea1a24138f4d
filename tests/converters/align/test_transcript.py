"""The words of a transcript: nothing is guessed, and times come back in the transcript's own spelling."""

from __future__ import annotations

import pytest
from triptych.converters.annotations.align.transcript import in_dictionary, in_own_spelling, words_of
from triptych.converters.candidate import RowError
from triptych.converters.readers.alignments.interval import Interval

DICTIONARY = {"hello", "world", "cold", "hearted", "twenty-one", "u.s.", "us", "don't", "'em", "em", "mr.", "mr", "it"}


def parts_of(text: str) -> list[list[str]]:
    return in_dictionary(words_of(text), DICTIONARY.__contains__)


@pytest.mark.parametrize(
    ("text", "parts", "shown"),
    [
        ("HELLO WORLD", [["hello"], ["world"]], ["HELLO", "WORLD"]),
        ("“Hello,” (world)!", [["hello"], ["world"]], ["Hello", "world"]),
        ("'Hello world.'", [["hello"], ["world"]], ["'Hello", "world.'"]),
        ("HELLO <COMMA> WORLD <PERIOD>", [["hello"], ["world"]], ["HELLO", "WORLD"]),
        ("hello — world ...", [["hello"], ["world"]], ["hello", "world"]),
        ("cold-hearted twenty-one", [["cold", "hearted"], ["twenty-one"]], ["cold-hearted", "twenty-one"]),
        ("U.S. us. Mr. it.", [["u.s."], ["us"], ["mr."], ["it"]], ["U.S.", "us", "Mr", "it"]),
        ("don’t 'em", [["don't"], ["'em"]], ["don’t", "'em"]),
    ],
)
def test_words_are_found_without_what_surrounds_them(text: str, parts: list[list[str]], shown: list[str]) -> None:
    assert parts_of(text) == parts
    assert [word.text for word in words_of(text)] == shown


@pytest.mark.parametrize("unknown", ["Avonlea", "5", "<unk>", "[noise]", "cold-Avonlea", "hello(2", "<s>", "naïve"])
def test_a_word_without_a_pronunciation_is_named(unknown: str) -> None:
    with pytest.raises(RowError) as refused:
        parts_of(f"hello {unknown} world")
    assert refused.value.reason == "unknown_word" and unknown in refused.value.detail


@pytest.mark.parametrize("text", ["...", " — ", "<COMMA>"])
def test_a_text_without_words_is_refused(text: str) -> None:
    with pytest.raises(RowError) as refused:
        words_of(text)
    assert refused.value.reason == "no_text"


def spelled(text: str, *found: str) -> list[tuple[str, float, float]]:
    spoken = [Interval(word, float(number), number + 0.5) for number, word in enumerate(found)]
    return [(each.text, each.start_s, each.end_s) for each in in_own_spelling(words_of(text), spoken)]


def test_times_of_parts_become_those_of_the_word() -> None:
    assert spelled("Cold-hearted, World", "cold", "hearted", "world") == [("Cold-hearted", 0, 1.5), ("World", 2, 2.5)]
    assert spelled("don’t", "do", "n't") == [("don’t", 0, 1.5)]


def test_text_without_spaces_keeps_the_aligners_words() -> None:
    assert [text for text, *_ in spelled("甚至 出现交易", "甚至", "出现", "交易")] == ["甚至", "出现", "交易"]


@pytest.mark.parametrize("found", [("hello",), ("hello", "word"), ("hello", "world", "it"), ("world", "hello"), ()])
def test_other_words_than_the_texts_are_refused(found: tuple[str, ...]) -> None:
    with pytest.raises(RowError) as refused:
        spelled("hello world", *found)
    assert refused.value.reason == "other_words"
