"""What holds for the rows of all samples, whatever stands in their fields."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.view_rows import UPPER, converted, media, rows_of
from triptych.converters.views import VIEWS, ViewOptions
from triptych.converters.views.prepare import create_macros
from triptych.converters.views.prompts import tasks

SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
TAGS = {"images": "<image>", "videos": "<video>", "audios": "<audio>"}

PIECES = st.sampled_from(
    ["<COMMA>", "<PERIOD>", "<audio>", "<video>", "<AUDIO>", "{text}", "{", "}}", "'", '"', "\\", "\\n", ";--", "$1",
     "%s", " ", "  ", "\t", "\n", "\u3000", "\x85", "\x1b[31m", "\x00", "\x7f", "你", "好", "。", "カ", "A", "Ü",
     "İ", "ß", "Σ", "ǅ", "hello", "WORLD", ".", ",", "?", "\U0001f600", "\u200b", "\u202e", "é", "e\u0301", "한"]
)  # fmt: skip
LETTERS = st.characters(codec="utf-8")
TEXTS = st.lists(PIECES | LETTERS, max_size=8).map("".join)


@pytest.fixture(scope="module")
def cleaning() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        create_macros(connection, ViewOptions(), "clean_text not_blank")
        yield connection


MANY_TEXTS = given(texts=st.lists(TEXTS, min_size=1, max_size=60))


@settings(max_examples=8, deadline=None)
@MANY_TEXTS
def test_clean_of_clean_is_clean_loses_no_text_and_leaves_no_habit(
    cleaning: duckdb.DuckDBPyConnection, texts: list[str]
) -> None:
    check_cleaning(cleaning, texts)


@pytest.mark.thorough
@settings(max_examples=60, deadline=None)
@MANY_TEXTS
def test_clean_of_clean_is_clean_of_more_texts(cleaning: duckdb.DuckDBPyConnection, texts: list[str]) -> None:
    check_cleaning(cleaning, texts)


def check_cleaning(cleaning: duckdb.DuckDBPyConnection, texts: list[str]) -> None:
    cleaning.register("held", pa.table({"t": texts, "n": range(len(texts))}))
    made = cleaning.execute("""
        SELECT t, c, clean_text(c, false), not_blank(t) IS NULL, not_blank(c) IS NULL
        FROM (SELECT *, clean_text(t, false) AS c FROM held) ORDER BY n""").fetchall()
    for text, cleaned, again, was_blank, is_blank in made:
        assert again == cleaned and is_blank == was_blank == (not text.strip(SPACES))
        assert "  " not in cleaned and cleaned == cleaned.strip(SPACES) and not re.search(r" [,.?!]|<COMMA>", cleaned)


MAYBE = st.none() | TEXTS
LISTS = st.none() | st.lists(TEXTS, max_size=3)
TASKS = st.sampled_from([None, "", "nosuch", *tasks()])
LANGUAGES = st.sampled_from([None, "", "en", "EN-us", "zh", "zh-HK", "zh_CN", "cmn", "de", "fr", "ja", "yue", "x'y"])
ROLES = st.sampled_from(["user", "assistant", "user", "assistant", "system", "tool"])
MESSAGES = st.lists(st.fixed_dictionaries({"role": ROLES, "content": TEXTS}), max_size=4)
MEDIUM = st.none() | st.just(media("m")) | st.just({"path": "/linked/file"})
MORE = st.lists(
    st.fixed_dictionaries({"kind": st.sampled_from(["audio", "video", "image"]), "path": st.just("media/x")})
)
SAMPLES = st.fixed_dictionaries(
    {
        "dataset": st.sampled_from(["d", UPPER]),
        "modality": st.sampled_from(["audio", "video", "mixed", "text"]),
        "task": TASKS, "language": LANGUAGES, "target_language": LANGUAGES, "speaker": MAYBE,
        "text": MAYBE, "translation": MAYBE, "question": MAYBE, "answer": MAYBE, "reasoning": MAYBE,
        "choices": LISTS, "captions": LISTS, "labels": LISTS,
        "messages": st.none() | st.none() | MESSAGES,
        "audio": MEDIUM, "video": MEDIUM, "image": st.none() | MEDIUM, "more_media": st.none() | MORE,
    }
)  # fmt: skip
TEMPLATES = st.sampled_from(
    [None, None, "{modality_tag}{prompt}", "{question}{choices}", "é {{{text}}} '{speaker}' {labels} {task}", "plain"]
)
OPTIONS = st.tuples(st.sampled_from(["raw", "clean"]), st.sampled_from([None, 'It\'s {a} "system"\n']), TEMPLATES)


ALWAYS = (("unified", None), ("msswift", "sft"), ("conversation", None))
"""The other views select from the same prepared samples; they are tried in the longer form."""


def _view_options() -> Iterator[Any]:
    for name, view in VIEWS.items():
        for task in view.tasks or (None,):
            if name not in ("term-chunks", "phoneme"):  # of alignments, which these samples have not
                yield pytest.param(name, task)


QUICK = settings(
    max_examples=4, deadline=None, suppress_health_check=list(HealthCheck), phases=set(Phase) - {Phase.shrink}
)
GIVEN = given(samples=st.lists(SAMPLES, min_size=1, max_size=45), options=OPTIONS)
Options = tuple[str, str | None, str | None]


@pytest.mark.parametrize(("view", "task"), list(ALWAYS))
@QUICK
@GIVEN
def test_every_sample_has_a_row_that_keeps_the_promises_or_a_reason(
    view: str, task: str | None, samples: list[dict[str, Any]], options: Options
) -> None:
    check_rows(view, task, samples, options)


@pytest.mark.thorough
@pytest.mark.parametrize(("view", "task"), list(_view_options()))
@settings(QUICK, max_examples=8)
@GIVEN
def test_every_sample_of_more_has_a_row_of_every_view_or_a_reason(
    view: str, task: str | None, samples: list[dict[str, Any]], options: Options
) -> None:
    check_rows(view, task, samples, options)


def check_rows(view: str, task: str | None, samples: list[dict[str, Any]], options: Options) -> None:
    text, system, template = options
    chosen = ViewOptions(task, text, *((system, template) if task else (None, None)))
    for number, each in enumerate(samples):
        each |= {"id": f"{each['dataset']}/train/{number}", "split": "train", "pulled_at": datetime.now(UTC)}
    exported = rows_of(samples, view, chosen)
    assert exported.keys() == {each["id"] for each in samples}
    plain = [each for each in samples if each["dataset"] != UPPER]
    assert converted(plain, view, chosen) == [exported[each["id"]] for each in plain]
    if view == "msswift":
        for made in exported.values():
            if isinstance(made, dict):
                check_promises(made, task)


def check_promises(made: dict[str, Any], task: str | None) -> None:
    """As many tags as media, no empty list, no assistant turn at the end of a GRPO row; it is JSON."""
    turns = "".join(turn["content"] for turn in made["messages"])
    assert {column: turns.count(tag) for column, tag in TAGS.items()} == {k: len(made.get(k, [])) for k in TAGS}
    assert all(made[column] for column in TAGS if column in made)
    assert made["messages"][-1]["role"] == "assistant" or task == "grpo"
    assert task != "grpo" or made["solution"].strip(SPACES)
    assert json.loads(json.dumps(made)) == made
