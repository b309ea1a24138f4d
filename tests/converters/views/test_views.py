"""Views: the rows of every format, exactly as their consumers document and load them."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from support import places
from support.view_rows import (
    ROOT,
    UPPER,
    assistant,
    converted,
    made_of_each,
    media,
    row,
    rows_of,
    sample,
    user,
    with_paths,
)
from triptych.converters.export.render import _finite
from triptych.converters.views import STYLES, VIEWS, ViewOptions, get_view
from triptych.converters.views.batch import PATHS, RowMaker
from triptych.converters.views.elements.why_no_row import WHY_NO_ROW
from triptych.converters.views.prepare import WITH_LOSS, connect, with_prepared
from triptych.converters.views.prompts import TEMPLATE_FIELDS, check_template
from triptych.converters.views.statement import columns_of, describe, row_statement
from triptych.errors import UsageError
from triptych.shards.sample import SCHEMA
from triptych.validators.formats import FORMATS

WITH_PATHS = pa.schema([*SCHEMA, *((name, pa.list_(pa.string())) for name in PATHS)])


# ---- golden rows

VIDEO = sample(modality="video", audio=None, video=media("v.mp4"))
MIXED = sample(modality="mixed", video=media("v.mp4"))


ASKED: list[tuple[str, dict[str, Any]]] = [
    ("<audio>Transcribe the speech.", sample(task="asr", language="en", text="hello")),
    ("<audio>Transcribe the speech.", sample(text="hello")),
    ("<audio>Transcribe the speech.", sample(task="asr", language="xx", text="hello")),
    ("<audio>请将这段语音转写为文字。", sample(task="asr", language="zh-HK", text="hello")),
    ("<audio>请将这段语音转写为文字。", sample(task="asr", language="cmn_Hans", text="hello")),
    ("<video>Describe the video.", VIDEO | {"text": "hello"}),
    ("<video>请描述这段视频。", VIDEO | {"text": "hello", "language": "zh", "task": "captioning"}),
    ("<video><audio>Describe what you see and hear.", MIXED | {"text": "hello"}),
    ("<audio>Describe the sound.", sample(task="aac", captions=["hello", "other"])),
    ("<audio>Translate the speech into German.", sample(task="s2tt", target_language="de", translation="hello")),
    (
        "<audio>请将这段语音翻译成英语。",
        sample(task="s2tt", language="zh", target_language="en", translation="hello"),
    ),
    ("<audio>What emotion does the speaker express?", sample(task="ser", labels=["hello"])),
    ("<audio>Who speaks?", sample(question="Who speaks?", answer="hello")),
    (
        "<audio>Who speaks?\nChoose one of these options:\n- hello\n- nobody",
        sample(question="Who speaks?", choices=["hello", "nobody"], answer="hello"),
    ),
]


def test_sft_asks_for_the_task_and_the_assistant_answers() -> None:
    messages = [made["messages"] for made in made_of_each(fields for _, fields in ASKED)]
    assert messages == [[user(asked), assistant("hello")] for asked, _ in ASKED]


def test_an_sft_row_has_just_the_columns_that_ms_swift_reads() -> None:
    assert row(sample(text="hello", language="en")) == {
        "id": "d/train/1",
        "messages": [user("<audio>Transcribe the speech."), assistant("hello")],
        "audios": [f"{ROOT}/media/a.flac"],
    }


def test_grpo_ends_in_the_user_turn_and_carries_the_answer_beside_it() -> None:
    assert row(sample(task="asr", text="hello", language="en"), task="grpo") == {
        "id": "d/train/1",
        "messages": [user("<audio>Transcribe the speech.")],
        "audios": [f"{ROOT}/media/a.flac"],
        "solution": "hello",
        "task": "asr",
        "language": "en",
    }


def test_grpo_takes_the_last_answer_of_a_conversation() -> None:
    turns = [user("Who?"), assistant("Ann."), user("Where?"), assistant("Here.")]
    made = row(sample(messages=turns), task="grpo")
    assert made["messages"] == [user("<audio>Who?"), assistant("Ann."), user("Where?")]
    assert made["solution"] == "Here."


def test_a_conversation_keeps_its_own_tags_where_there_are_as_many_as_media() -> None:
    turns = [user("Hear this: <audio>"), assistant("Yes.")]
    twice, answered = [user("<audio><audio>"), assistant("Yes.")], [user("Hm"), assistant("<audio>")]
    kept, *others = made_of_each(sample(messages=each) for each in (turns, twice, answered))
    assert kept["messages"] == turns and others == ["tag_mismatch"] * 2


def test_the_system_prompt_stands_first_unless_the_conversation_has_one() -> None:
    own = [{"role": "system", "content": "Own."}, user("Who?"), assistant("Ann.")]
    given = [sample(text="x"), sample(messages=own), sample(messages=own[1:])]
    plain, kept, added = (made["messages"] for made in made_of_each(given, system="Be brief."))
    assert plain[0] == {"role": "system", "content": "Be brief."} and kept[0]["content"] == "Own."
    assert [turn["role"] for turn in added] == ["system", "user", "assistant"]


def test_the_user_template_places_fields_and_tags() -> None:
    made = sample(text="x", question="Who?", answer="Ann", speaker="7", language="en")
    assert row(made, user_template="{question} {modality_tag} ({speaker}) {{}}")["messages"][0] == user(
        "Who? <audio> (7) {}"
    )
    assert row(made, user_template="Say: {question}")["messages"][0] == user("<audio>Say: Who?")
    assert row(made, user_template="{modality_tag}{prompt} Please.")["messages"][0] == user("<audio>Who? Please.")


@pytest.mark.parametrize("template", ["{nosuch}", "{", "}", "{text!r}", "{text:>9}", "{}", "{0}", "{text.x}",
                                      "{modality_tag}{question}{modality_tag}"])  # fmt: skip
def test_a_template_that_cannot_be_filled_is_refused_with_what_can(template: str) -> None:
    with pytest.raises(UsageError):
        check_template(template)


def test_every_template_field_can_be_filled() -> None:
    template = "".join(f"[{{{name}}}]" for name in TEMPLATE_FIELDS)
    assert row(sample(text="x"), user_template=template, allow_answer_in_prompt=True)["messages"][0]["role"] == "user"


WITHOUT_ROW: list[tuple[str, dict[str, Any]]] = [
    ("no_media", sample(audio=None, text="x")),
    ("no_answer", sample(task="asr")),
    ("no_answer", sample(task="asr", text=" \n\t　")),
    ("no_prompt", sample(task="diarization", text="x")),
    ("no_prompt", sample(messages=[{"role": "system", "content": "x"}])),
    ("no_prompt", sample(modality="text", audio=None, task="qa", answer="x")),
    ("no_answer", sample(messages=[user("x")])),
    ("no_answer", sample(messages=[user("x"), assistant(" ")])),
    ("tag_mismatch", sample(text="an <audio> in a transcript")),
    ("tag_mismatch", sample(text="SAY <AUDIO> AGAIN", dataset=UPPER)),
    ("tag_mismatch", sample(question="<video>?", answer="x")),
    ("model_token", sample(text="yes<|im_end|>")),
    ("model_token", sample(question="<|audio_pad|>Who?", answer="x")),
    ("model_token", sample(messages=[user("<|AUDIO|>Hm"), assistant("Yes."), user("And?"), assistant("No.")])),
]


@pytest.mark.parametrize("task", ["sft", "grpo"])
def test_a_sample_without_a_row_has_a_reason(task: str) -> None:
    reasons = made_of_each((fields for _, fields in WITHOUT_ROW), task=task)
    assert reasons == [expected for expected, _ in WITHOUT_ROW]


def test_a_text_with_bars_of_its_own_is_a_text() -> None:
    assert row(sample(text="<|en|> a <| b |> <|HAPPY|>"))["messages"][-1] == assistant("<|en|> a <| b |> <|HAPPY|>")


def test_the_text_of_a_conversation_without_an_answer_is_not_its_question() -> None:
    turns = [user("Who?"), assistant("Ann."), user("Where?")]
    asked, answered = made_of_each([sample(messages=turns), sample(messages=[*turns, assistant("Here.")])], "unified")
    assert asked.get("text") is None and answered["text"] == "Here."


def test_unified_rows_have_five_keys() -> None:
    assert row(sample(text="HELLO"), view="unified", text="raw") == {
        "id": "d/train/1", "text": "HELLO", "audio": f"{ROOT}/media/a.flac", "modality": "audio",
    }  # fmt: skip
    given = [MIXED | {"captions": ["seen", "other"]}, sample(text=" ", labels=["a", "b"]),
             sample(image=media("i.png")), sample(more_media=[{"kind": "audio", "path": "media/b.flac"}])]  # fmt: skip
    caption, labels, *refused = made_of_each(given, "unified")
    assert (caption["text"], labels["text"]) == ("seen", "a, b")
    assert refused == ["image_unsupported", "more_than_one_medium"]


def test_a_linked_file_keeps_its_own_path() -> None:
    assert row(sample(text="x", audio={"path": "/elsewhere/a.wav"}))["audios"] == ["/elsewhere/a.wav"]


# ---- text


CLEANED: list[tuple[str, bool, str]] = [
    ("THERE'S IRON THEY SAY", True, "there's iron they say"),
    ("THE BBC SAYS", False, "THE BBC SAYS"),
    ("甚至 出现 交易 几乎 停滞 的 情况", False, "甚至出现交易几乎停滞的情况"),
    ("他 说 OK 吗", False, "他说 OK 吗"),
    ("AS IN <COMMA> SO <PERIOD>", True, "as in, so."),
    ("WHO <QUESTIONMARK> ME <EXCLAMATIONPOINT>", True, "who? me!"),
    ("  a \t b\u3000c\n", False, "a b c"),
]


@pytest.mark.parametrize("text", ["clean", "raw"])
def test_clean_undoes_the_habits_of_a_corpus(text: str) -> None:
    samples = [sample(text=raw, dataset=UPPER if upper else "d", task="asr") for raw, upper, _ in CLEANED]
    answers = [made["messages"][-1]["content"] for made in made_of_each(samples, text=text)]
    assert answers == [raw if text == "raw" else cleaned for raw, _, cleaned in CLEANED]


# ---- one DuckDB makes the rows of all conversions


def test_each_maker_has_the_options_of_its_own_request() -> None:
    options = [ViewOptions(task="sft", text=text, system=text) for text in ("raw", "clean", "lower")]
    with ExitStack() as stack:
        makers = [stack.enter_context(RowMaker(get_view("msswift"), each)) for each in options]
        for _ in range(2):
            made = [maker.rows([with_paths(sample(text="Hello  THERE"))])[0].row["messages"] for maker in makers]
            assert [(turns[0]["content"], turns[-1]["content"]) for turns in made] == [
                ("raw", "Hello  THERE"), ("clean", "Hello THERE"), ("lower", "hello there")
            ]  # fmt: skip


@pytest.mark.parametrize(("view", "task"), [("unified", None), ("msswift", "sft"), ("msswift", "grpo")])
def test_files_keep_the_types_of_built_in_views(view: str, task: str | None, tmp_path: Path) -> None:
    options = ViewOptions(task=task)
    extra = {"message_keys": '[{}, {"loss": true}]', "objects": '{"ref": ["a"], "bbox": [[1, 2]]}', "mine": "x"}
    talk = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]
    with connect(options) as connection:
        table = pa.Table.from_pylist([with_paths(sample(messages=talk, extra=extra))], schema=WITH_PATHS)
        connection.register("held", table)
        connection.execute(f"""
            CREATE TEMP VIEW samples_with_paths AS
            SELECT * REPLACE ({WITH_LOSS} AS messages), 'asr' AS effective_task, 'en' AS base_language, false AS upper,
                   NULL::VARCHAR AS sound, id AS prompt_of, 0 AS prompt_part
            FROM held""")
        statement = row_statement(get_view(view), task, {"_position": "1"})
        types = describe(connection, get_view(view), statement, options)
        made = connection.sql(with_prepared(statement, options)).to_arrow_table()
    assert ("loss BOOLEAN" in str(types)) == (view == "msswift")
    with duckdb.connect(":memory:") as connection:
        connection.register("made", made)
        connection.execute(f"COPY made TO '{tmp_path / 'rows.parquet'}'")
        described = connection.execute(f"DESCRIBE FROM '{tmp_path / 'rows.parquet'}'").fetchall()
    assert {name: type_ for name, type_, *_ in described} == {
        name: "VARCHAR" if type_ == "JSON" else type_
        for name, type_ in types.items()  # Arrow has no JSON of DuckDB's
    }


def test_a_number_that_json_lacks_takes_its_row_away() -> None:
    rows = "(FROM (VALUES ('a', NULL, 1.5::DOUBLE), ('b', NULL, 'inf'), ('c', 'rejected', 'nan')) t(id, _outcome, n))"
    with duckdb.connect(":memory:") as connection:
        found = connection.execute(f"SELECT id, _outcome FROM {_finite(connection, {'n': 'DOUBLE'}, rows)}").fetchall()
        assert found == [("a", None), ("b", "not_finite"), ("c", "rejected")]
        whole = f"(FROM {rows} WHERE id = 'a')"
        assert _finite(connection, {"n": "DOUBLE"}, whole) == whole == _finite(connection, {"n": "INTEGER"}, whole)


# ---- the list


def test_every_view_has_a_validator_of_its_own_name_and_every_validator_a_view() -> None:
    """A style has one of its own, unless its rows are the same; the rows that Croissant describes are unified."""
    own = {name: view for name, view in VIEWS.items() if name not in STYLES}
    styles = {f"{name}-{style}": view for name, views in STYLES.items() for style, view in views.items()}
    submissions = {"challenge"}  # `evaluate --submission` writes them, out of predictions
    assert {view.format for view in (own | styles).values()} == FORMATS.keys() - submissions
    for name, view in (own | styles).items():
        own_name = name.rpartition("-")[0] if name in styles else name
        formats = {"croissant": "unified"}
        formats |= {style: kind for style in styles for kind in ("phoneme", "lhotse") if style.startswith(kind)}
        if view.style is None or name not in styles:
            assert view.name == own_name
        assert view.format == formats.get(name, name)
        assert view.format is not None and set(view.tasks) <= set(FORMATS[view.format].TASKS)
        for task in view.tasks or (None,):
            assert set(view.media_columns or ()) <= set(columns_of(view, task))


def test_every_reason_of_a_view_is_explained() -> None:
    files = (places.ROOT / "converters" / "views").rglob("*.sql")
    texts = [file.read_text(encoding="utf-8") for file in files]
    codes = {code for text in texts for code in re.findall(r"(?:THEN|ELSE) '([a-z]+_[a-z_]+)'", text)}
    assert len(codes) > 40 and codes <= WHY_NO_ROW.keys()


@pytest.mark.parametrize("view", ["msswift", "conversation/sharegpt", "llamafactory/sharegpt"])
def test_the_loss_of_messages_stays_with_its_sample(view: str) -> None:
    """In whatever order samples come: one has keys for each message, others have none, or not for each."""
    keyed = {"messages": [user("u"), assistant("a")], "extra": {"message_keys": '[{"loss": false}, {"loss": true}]'}}
    scaled = {"messages": [user("u"), assistant("a")], "extra": {"message_keys": '[{"loss_scale": 0.5}, null]'}}
    short = {"messages": [user("u"), assistant("a")], "extra": {"message_keys": '[{"loss": false}]'}}
    bare = {"messages": [user("u"), assistant("a"), user("v"), assistant("b")]}
    of_text = {"modality": "text", "audio": None}
    options = ViewOptions(task="sft" if view == "msswift" else None)
    every = [keyed, scaled, short, bare]
    for kinds in (every[first:] + every[:first] for first in range(len(every))):
        given = [sample(**each, **of_text, id=f"d/train/{number}") for number, each in enumerate(kinds)]
        exported = rows_of(given, view, options)
        found, again = (
            [[(turn.get("loss"), turn.get("loss_scale")) for turn in row.get("messages") or row["conversations"]]
             for row in rows]
            for rows in ([exported[each["id"]] for each in given], converted(given, view, options))
        )  # fmt: skip
        assert again == found
        kept = {id(keyed): [(False, None), (True, None)], id(scaled): [(None, 0.5), (None, None)]}
        nothing = [[(None, None)] * len(each["messages"]) for each in kinds]
        if view == "llamafactory/sharegpt":
            assert found == nothing
        else:
            assert found == [kept.get(id(each), none) for each, none in zip(kinds, nothing, strict=True)]
