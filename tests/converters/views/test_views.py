"""Views: the rows of every format, exactly as their consumers document and load them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from triptych.converters.export.render import _finite
from triptych.converters.export.select import CorpusFacts, ExportFilter, choose, place_media
from triptych.converters.views import VIEWS, ViewOptions, get_view, memory
from triptych.converters.views.batch import PATHS, RowMaker
from triptych.converters.views.prepare import WITH_LOSS, create_macros, create_prompts, with_prepared
from triptych.converters.views.prompts import TEMPLATE_FIELDS, check_template, tasks
from triptych.converters.views.statement import columns_of, describe, row_statement
from triptych.errors import UsageError
from triptych.shards.sample import SCHEMA
from triptych.validators.formats import FORMATS

ROOT = "/root of media"
WITH_PATHS = pa.schema([*SCHEMA, *((name, pa.list_(pa.string())) for name in PATHS)])
UPPER = "upper-corpus"
SPACES = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
TAGS = {"images": "<image>", "videos": "<video>", "audios": "<audio>"}


def media(name: str) -> dict[str, Any]:
    return {"path": f"media/{name}", "sha256": name}


def sample(**fields: Any) -> dict[str, Any]:
    """A sample with one sound, unless the fields say otherwise."""
    made = {"id": "d/train/1", "dataset": "d", "split": "train", "modality": "audio", "audio": media("a.flac")}
    return made | fields


def rows_of(samples: Sequence[Mapping[str, Any]], view: str, options: ViewOptions) -> dict[str, dict[str, Any] | str]:
    """The row of every sample by id, without null columns, or the reason why it has none: as `export` makes them."""
    table = pa.Table.from_pylist([{name: s.get(name) for name in SCHEMA.names} for s in samples], schema=SCHEMA)
    with duckdb.connect(":memory:") as connection:
        connection.register("held", table)
        connection.execute("CREATE VIEW samples AS SELECT *, NULL::VARCHAR AS assigned_split FROM held")
        connection.execute(
            "CREATE TABLE verdicts (dataset VARCHAR, id VARCHAR, verdict VARCHAR, judged_at TIMESTAMPTZ)"
        )
        connection.execute("CREATE TABLE annotations (dataset VARCHAR, id VARCHAR, key VARCHAR, time TIMESTAMPTZ)")
        connection.execute("CREATE TABLE missing (path VARCHAR)")
        connection.execute(
            "CREATE TABLE derived (dataset VARCHAR, id VARCHAR, audio_path VARCHAR, video_path VARCHAR, reason VARCHAR)"
        )
        facts = CorpusFacts(upper=[UPPER])
        create_macros(connection, options)
        choose(connection, ExportFilter(), facts=facts)
        place_media(connection, ExportFilter(), facts=facts, media_root=ROOT)
        create_prompts(connection)
        statement = row_statement(get_view(view), options.task, {"_outcome": "_outcome"})
        made = connection.sql(with_prepared(statement)).to_arrow_table().to_pylist()
    found: dict[str, dict[str, Any] | str] = {}
    for each in made:
        reason = each.pop("_outcome") or each["_skip"]
        del each["_skip"]
        found[each["id"]] = reason or {key: value for key, value in each.items() if value is not None}
    return found


def converted(samples: Sequence[Mapping[str, Any]], view: str, options: ViewOptions) -> list[dict[str, Any] | str]:
    """The same as `convert` makes them, of samples whose media is named where it lies."""
    made = _maker(view, options).rows([with_paths(each) for each in samples])
    return [each.skip or {key: value for key, value in each.row.items() if value is not None} for each in made]


@lru_cache(maxsize=8)
def _maker(view: str, options: ViewOptions) -> RowMaker:
    return RowMaker(get_view(view), options)


def with_paths(sample: Mapping[str, Any]) -> dict[str, Any]:
    """A sample as files give it: paths instead of stored media."""
    row = {name: value for name, value in sample.items() if value is not None}
    for kind in ("image", "video", "audio"):
        paths = [row[kind]["path"]] if kind in row else []
        paths += [each["path"] for each in row.get("more_media", []) if each["kind"] == kind]
        row.pop(kind, None)
        row[f"{kind}_paths"] = [path if path.startswith("/") else f"{ROOT}/{path}" for path in paths] or None
    return row


def made_of(sample: Mapping[str, Any], view: str, options: Mapping[str, Any]) -> dict[str, Any] | str:
    chosen = ViewOptions(**({"task": "sft"} if view == "msswift" else {}) | dict(options))
    made = rows_of([sample], view, chosen)[sample["id"]]
    if sample["dataset"] != UPPER:
        assert converted([sample], view, chosen) == [made]
    return made


def row(sample: Mapping[str, Any], view: str = "msswift", **options: Any) -> dict[str, Any]:
    """The row of one sample, the same by export and by conversion."""
    made = made_of(sample, view, options)
    assert isinstance(made, dict), made
    return made


def reason(sample: Mapping[str, Any], view: str = "msswift", **options: Any) -> str:
    """Why one sample has no row, the same by export and by conversion."""
    made = made_of(sample, view, options)
    assert isinstance(made, str), made
    return made


def user(content: str) -> dict[str, str]:
    return {"role": "user", "content": content}


def assistant(content: str) -> dict[str, str]:
    return {"role": "assistant", "content": content}


# ---- golden rows

VIDEO = sample(modality="video", audio=None, video=media("v.mp4"))
MIXED = sample(modality="mixed", video=media("v.mp4"))


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
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
    ],
)
def test_sft_asks_for_the_task_and_the_assistant_answers(asked: str, fields: dict[str, Any]) -> None:
    assert row(fields)["messages"] == [user(asked), assistant("hello")]


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
    assert row(sample(messages=turns))["messages"] == turns
    assert reason(sample(messages=[user("<audio><audio>"), assistant("Yes.")])) == "tag_mismatch"
    assert reason(sample(messages=[user("Hm"), assistant("<audio>")])) == "tag_mismatch"


def test_the_system_prompt_stands_first_unless_the_conversation_has_one() -> None:
    assert row(sample(text="x"), system="Be brief.")["messages"][0] == {"role": "system", "content": "Be brief."}
    own = [{"role": "system", "content": "Own."}, user("Who?"), assistant("Ann.")]
    assert row(sample(messages=own), system="Be brief.")["messages"][0]["content"] == "Own."
    held = row(sample(messages=own[1:]), system="Be brief.")["messages"]
    assert [turn["role"] for turn in held] == ["system", "user", "assistant"]


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


@pytest.mark.parametrize(
    ("expected", "fields"),
    [
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
    ],
)
@pytest.mark.parametrize("task", ["sft", "grpo"])
def test_a_sample_without_a_row_has_a_reason(expected: str, fields: dict[str, Any], task: str) -> None:
    assert reason(fields, task=task) == expected


def test_a_text_with_bars_of_its_own_is_a_text() -> None:
    assert row(sample(text="<|en|> a <| b |> <|HAPPY|>"))["messages"][-1] == assistant("<|en|> a <| b |> <|HAPPY|>")


def test_the_text_of_a_conversation_without_an_answer_is_not_its_question() -> None:
    turns = [user("Who?"), assistant("Ann."), user("Where?")]
    assert row(sample(messages=turns), view="unified").get("text") is None
    assert row(sample(messages=[*turns, assistant("Here.")]), view="unified")["text"] == "Here."


def test_unified_rows_have_five_keys() -> None:
    assert row(sample(text="HELLO"), view="unified", text="raw") == {
        "id": "d/train/1", "text": "HELLO", "audio": f"{ROOT}/media/a.flac", "modality": "audio",
    }  # fmt: skip
    assert row(MIXED | {"captions": ["seen", "other"]}, view="unified")["text"] == "seen"
    assert row(sample(text=" ", labels=["a", "b"]), view="unified")["text"] == "a, b"
    assert reason(sample(image=media("i.png")), view="unified") == "image_unsupported"
    more = [{"kind": "audio", "path": "media/b.flac"}]
    assert reason(sample(more_media=more), view="unified") == "more_than_one_medium"


def test_a_linked_file_keeps_its_own_path() -> None:
    assert row(sample(text="x", audio={"path": "/elsewhere/a.wav"}))["audios"] == ["/elsewhere/a.wav"]


# ---- text


@pytest.mark.parametrize(
    ("raw", "upper", "expected"),
    [
        ("THERE'S IRON THEY SAY", True, "there's iron they say"),
        ("THE BBC SAYS", False, "THE BBC SAYS"),
        ("甚至 出现 交易 几乎 停滞 的 情况", False, "甚至出现交易几乎停滞的情况"),
        ("他 说 OK 吗", False, "他说 OK 吗"),
        ("AS IN <COMMA> SO <PERIOD>", True, "as in, so."),
        ("WHO <QUESTIONMARK> ME <EXCLAMATIONPOINT>", True, "who? me!"),
        ("  a \t b\u3000c\n", False, "a b c"),
        ("", False, ""),
    ],
)
def test_clean_undoes_the_habits_of_a_corpus(raw: str, upper: bool, expected: str) -> None:
    dataset = UPPER if upper else "d"
    if expected:
        assert row(sample(text=raw, dataset=dataset, task="asr"))["messages"][-1]["content"] == expected
        assert row(sample(text=raw, dataset=dataset), text="raw")["messages"][-1]["content"] == raw


PIECES = st.sampled_from(
    ["<COMMA>", "<PERIOD>", "<audio>", "<video>", "<AUDIO>", "{text}", "{", "}}", "'", '"', "\\", "\\n", ";--", "$1",
     "%s", " ", "  ", "\t", "\n", "\u3000", "\x85", "\x1b[31m", "\x00", "\x7f", "你", "好", "。", "カ", "A", "Ü",
     "İ", "ß", "Σ", "ǅ", "hello", "WORLD", ".", ",", "?", "\U0001f600", "\u200b", "\u202e", "é", "e\u0301", "한"]
)  # fmt: skip
LETTERS = st.characters(codec="utf-8")
TEXTS = st.lists(PIECES | LETTERS, max_size=8).map("".join)


@settings(max_examples=20, deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=60))
def test_clean_of_clean_is_clean_loses_no_text_and_leaves_no_habit(texts: list[str]) -> None:
    with duckdb.connect(":memory:") as connection:
        create_macros(connection, ViewOptions())
        connection.register("held", pa.table({"t": texts, "n": range(len(texts))}))
        made = connection.execute("""
            SELECT t, c, clean_text(c, false), not_blank(t) IS NULL, not_blank(c) IS NULL
            FROM (SELECT *, clean_text(t, false) AS c FROM held) ORDER BY n""").fetchall()
    for text, cleaned, again, was_blank, is_blank in made:
        assert again == cleaned and is_blank == was_blank == (not text.strip(SPACES))
        assert "  " not in cleaned and cleaned == cleaned.strip(SPACES) and not re.search(r" [,.?!]|<COMMA>", cleaned)


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
    with memory.connect(options) as connection:
        table = pa.Table.from_pylist([with_paths(sample(messages=talk, extra=extra))], schema=WITH_PATHS)
        connection.register("held", table)
        connection.execute(f"""
            CREATE TEMP VIEW samples_with_paths AS
            SELECT * REPLACE ({WITH_LOSS} AS messages), 'asr' AS effective_task, 'en' AS base_language, false AS upper,
                   NULL::VARCHAR AS sound
            FROM held""")
        statement = row_statement(get_view(view), task, {"_position": "1"})
        types = describe(connection, get_view(view), statement)
        made = connection.sql(with_prepared(statement)).to_arrow_table()
    assert ("loss BOOLEAN" in str(types)) == (view == "msswift")
    with duckdb.connect(":memory:") as connection:
        connection.register("made", made)
        connection.execute(f"COPY made TO '{tmp_path / 'rows.parquet'}'")
        described = connection.execute(f"DESCRIBE FROM '{tmp_path / 'rows.parquet'}'").fetchall()
    assert {name: type_ for name, type_, *_ in described} == types


def test_a_number_that_json_lacks_takes_its_row_away() -> None:
    rows = "(FROM (VALUES ('a', NULL, 1.5::DOUBLE), ('b', NULL, 'inf'), ('c', 'rejected', 'nan')) t(id, _outcome, n))"
    with duckdb.connect(":memory:") as connection:
        found = connection.execute(f"SELECT id, _outcome FROM {_finite(connection, {'n': 'DOUBLE'}, rows)}").fetchall()
        assert found == [("a", None), ("b", "not_finite"), ("c", "rejected")]
        whole = f"(FROM {rows} WHERE id = 'a')"
        assert _finite(connection, {"n": "DOUBLE"}, whole) == whole == _finite(connection, {"n": "INTEGER"}, whole)


# ---- promises, over all samples

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


def _view_options() -> Iterator[tuple[str, str | None]]:
    for name, view in VIEWS.items():
        for task in view.tasks or (None,):
            yield name, task


@pytest.mark.parametrize(("view", "task"), list(_view_options()))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), phases=set(Phase) - {Phase.shrink})
@given(samples=st.lists(SAMPLES, min_size=1, max_size=30), options=OPTIONS)
def test_every_sample_has_a_row_that_keeps_the_promises_or_a_reason(
    view: str, task: str | None, samples: list[dict[str, Any]], options: tuple[str, str | None, str | None]
) -> None:
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


# ---- the list


def test_every_view_has_a_validator_of_its_own_name_and_every_validator_a_view() -> None:
    assert VIEWS.keys() == FORMATS.keys()
    for name, view in VIEWS.items():
        assert view.name == name and view.format == name
        assert set(view.tasks) <= set(FORMATS[name].TASKS)
        for task in view.tasks or (None,):
            assert set(view.media_columns or ()) <= set(columns_of(view, task))
