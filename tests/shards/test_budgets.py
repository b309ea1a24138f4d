"""Budgets: the formulas against what the models' own processors counted, and text tokens against known ones."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest
from triptych.errors import UsageError
from triptych.shards.budgets import FORMULAS, MODELS, sample_budget_sql
from triptych.shards.budgets import text as text_of_budgets
from triptych.shards.budgets.text import TEMPLATES, Template, Tokenizer, open_tokenizer, text_counts

RECORDED = Path(__file__).parent / "budget_counts.tsv"
"""Headers of 240 real files and the counts of transformers 5.23, as `benchmarks/budgets.py --record` wrote them."""
SAMPLE = """
    SELECT NULL::STRUCT(frames BIGINT, sample_rate INT, duration DOUBLE) AS audio,
           NULL::STRUCT(frames BIGINT, fps DOUBLE, width INT, height INT, duration DOUBLE, has_audio BOOLEAN) AS video,
           NULL::STRUCT(width INT, height INT) AS image, NULL::STRUCT(kind VARCHAR, duration DOUBLE)[] AS more_media,
           NULL::DOUBLE AS start_s, NULL::DOUBLE AS end_s, 'audio' AS modality"""


@pytest.fixture(scope="module")
def formulas() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(FORMULAS)
        yield connection


def value(formulas: duckdb.DuckDBPyConnection, sql: str) -> Any:
    return formulas.execute(f"SELECT {sql}").fetchall()[0][0]


def budget(formulas: duckdb.DuckDBPyConnection, **columns: str) -> dict[str, Any]:
    replaced = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    found: dict[str, Any] = value(
        formulas, f"{sample_budget_sql()} FROM (SELECT * REPLACE ({replaced}) FROM ({SAMPLE}))"
    )
    return found


@pytest.mark.parametrize(
    ("formula", "tokens"),
    [
        ("encoded_qwen2_audio", {0: 0, 1: 0, 2: 0, 3: 1, 100: 25, 3000: 750}),
        ("encoded_qwen3_omni", {0: 0, 1: 1, 50: 7, 100: 13, 101: 14, 3000: 390}),
    ],
)
def test_encoders_give_as_many_tokens_as_their_code(
    formulas: duckdb.DuckDBPyConnection, formula: str, tokens: dict[int, int]
) -> None:
    assert {frames: value(formulas, f"{formula}({frames})") for frames in tokens} == tokens


def test_every_recorded_count_is_that_of_the_formulas(formulas: duckdb.DuckDBPyConnection) -> None:
    columns = "{'kind': 'VARCHAR', 'a': 'BIGINT', 'b': 'DOUBLE', 'width': 'INT', 'height': 'INT', 'one': 'BIGINT', " \
              "'two': 'BIGINT', 'three': 'BIGINT', 'four': 'BIGINT'}"  # fmt: skip
    formulas.execute(f"""
        CREATE OR REPLACE TEMP TABLE recorded AS
        SELECT * FROM read_csv('{RECORDED}', delim = '\t', header = true, nullstr = '-', columns = {columns})""")
    models = list(MODELS.values())
    clips = ", ".join(model.audio_sql("resampled_length(a, b::INT)") for model in models)
    films = ", ".join(
        f"{model.frames_sql('seen')}, {model.video_sql('seen', 'width', 'height')}" for model in models[1:]
    )
    sounds = formulas.execute(f"SELECT [one, two, three], [{clips}] FROM recorded WHERE kind = 'audio'").fetchall()
    videos = formulas.execute(f"""
        SELECT [one, two, three, four], [{films}]
        FROM (SELECT *, sampled_frames(a, b) AS seen FROM recorded WHERE kind = 'video')""").fetchall()
    assert (len(sounds), len(videos)) == (200, 40)
    assert [own for _, own in sounds] == [real for real, _ in sounds]
    assert [own for _, own in videos] == [real for real, _ in videos]


def test_extractors_cut_after_30_and_300_seconds_or_never(formulas: duckdb.DuckDBPyConnection) -> None:
    tokens = {
        model.name: [value(formulas, model.audio_sql(str(seconds * 16_000))) for seconds in (30, 31, 300, 301)]
        for model in MODELS.values()
    }
    assert tokens["qwen2-audio"] == [750, 750, 750, 750]
    assert tokens["qwen2.5-omni"] == [750, 775, 7500, 7500]
    assert tokens["qwen3-omni"] == [390, 403, 3900, 3913]


@pytest.mark.parametrize(
    "sql",
    [
        "audio_tokens_qwen3_omni(200)",
        "sampled_frames(1, 25.0)",
        "sampled_frames(100, 0.0)",
        "resampled_length(NULL, 16000)",
        "image_tokens_of(4020, 20, 28)",
        "video_tokens_of(10, NULL, 480, 28)",
    ],
)
def test_what_a_model_refuses_or_no_header_says_is_unknown(formulas: duckdb.DuckDBPyConnection, sql: str) -> None:
    assert value(formulas, sql) is None


def test_lengths_are_those_of_floating_point_as_the_resampler_counts(formulas: duckdb.DuckDBPyConnection) -> None:
    import math

    for rate in (8_000, 11_025, 22_050, 44_100, 48_000):
        for frames in (1, rate // 100, rate, rate * 7 + 3, rate * 441):
            assert value(formulas, f"resampled_length({frames}, {rate})") == math.ceil(frames * (16_000 / rate))


class TestSamples:
    def test_a_clip_and_its_span(self, formulas: duckdb.DuckDBPyConnection) -> None:
        audio = "{'frames': 80000, 'sample_rate': 8000, 'duration': 10.0}"
        whole, part = (budget(formulas, audio=audio, **span) for span in ({}, {"start_s": "1.0", "end_s": "2.5"}))
        assert (whole["seconds"], whole["qwen2_audio"]["audio_tokens"]) == (10, 250)
        assert (part["seconds"], part["qwen2_audio"]["audio_tokens"]) == (1.5, 37)
        assert whole["qwen3_omni"] == {"audio_tokens": 130, "image_tokens": 0, "video_frames": 0, "video_tokens": 0}

    def test_several_clips_are_added(self, formulas: duckdb.DuckDBPyConnection) -> None:
        audio = "{'frames': 16000, 'sample_rate': 16000, 'duration': 1.0}"
        found = budget(formulas, audio=audio, more_media="[{'kind': 'audio', 'duration': 2.0}]")
        assert (found["seconds"], found["qwen2_audio"]["audio_tokens"]) == (3, 75)
        unknown = budget(formulas, audio=audio, more_media="[{'kind': 'audio', 'duration': NULL::DOUBLE}]")
        assert unknown["qwen2_audio"]["audio_tokens"] is None

    def test_a_video_whose_sound_is_inside_it_has_no_known_number_of_audio_tokens(
        self, formulas: duckdb.DuckDBPyConnection
    ) -> None:
        video = "{'frames': 300, 'fps': 30.0, 'width': 640, 'height': 360, 'duration': 10.0, 'has_audio': true}"
        found = budget(formulas, video=video, modality="'mixed'")
        assert found["qwen3_omni"] == {
            "audio_tokens": None, "image_tokens": 0, "video_frames": 20, "video_tokens": 2200
        }  # fmt: skip
        assert budget(formulas, video=video, modality="'video'")["qwen3_omni"]["audio_tokens"] == 0
        assert found["qwen2_audio"]["video_tokens"] is None

    def test_a_text_is_no_media(self, formulas: duckdb.DuckDBPyConnection) -> None:
        found = budget(formulas, modality="'text'")
        assert found["seconds"] == 0 and found["qwen2_5_omni"]["audio_tokens"] == 0


# ---- texts


@pytest.fixture(scope="module")
def tokenizers() -> dict[str, Tokenizer]:
    pytest.importorskip("tiktoken", reason="the extra budgets is not installed")
    return {"qwen2-audio": open_tokenizer("qwen2-audio"), "qwen3-omni": open_tokenizer("qwen3-omni")}


@pytest.mark.parametrize(
    ("text", "count"),
    [
        # as the tokenizers of Qwen2.5 and Qwen3 give them: 9707 11 1879 0, 785 3974 13876 38835 13, 108386
        ("Hello, world!", 4),
        ("The quick brown fox.", 5),
        ("Describe this image in detail.", 6),
        ("你好", 1),
        ("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n", 14),
        ("cafe\u0301", 2),  # composed first, as "café"
        ("12345", 5),
    ],
)
def test_texts_have_as_many_tokens_as_known(tokenizers: dict[str, Tokenizer], text: str, count: int) -> None:
    assert tokenizers["qwen2-audio"].counts([text]) == [count]


def test_a_token_that_only_one_model_has_is_one_token_there(tokenizers: dict[str, Tokenizer]) -> None:
    counts = {name: tokenizer.counts(["<think>"])[0] for name, tokenizer in tokenizers.items()}
    assert counts["qwen3-omni"] == 1 and counts["qwen2-audio"] > 1


def test_a_text_that_the_expressions_cannot_split_is_unknown_alone(tokenizers: dict[str, Tokenizer]) -> None:
    assert tokenizers["qwen2-audio"].counts(["Hello, world!", " " * 1_000_000]) == [4, None]


def turns(*said: tuple[str, str]) -> Sequence[dict[str, str]]:
    return [{"role": role, "content": content} for role, content in said]


def test_a_template_writes_what_the_models_own_does() -> None:
    rendered = "".join(TEMPLATES["qwen2-audio"].pieces(turns(("user", "<audio>What's that sound?"))))
    assert rendered == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
        "Audio 1: <|audio_bos|><|AUDIO|><|audio_eos|>\nWhat's that sound?<|im_end|>\n<|im_start|>assistant\n"
    )
    talk = turns(("system", "Be brief."), ("user", "<audio>"), ("assistant", "Yes."), ("user", "<audio>And this?"))
    assert "".join(TEMPLATES["qwen2-audio"].pieces(talk)).count("Audio 2: ") == 1
    assert next(TEMPLATES["qwen3-omni"].pieces(turns(("user", "Hi"), ("assistant", "Ho")))).startswith(
        "<|im_start|>user"
    )


def test_the_media_of_a_conversation_are_no_text(tokenizers: dict[str, Tokenizer]) -> None:
    talks = [(turns(("user", text), ("assistant", "Ho")), False) for text in ("Hi", "<audio>Hi", "<video>Hi")]
    plain, heard, seen = text_counts("qwen3-omni", tokenizers["qwen3-omni"], talks)
    assert plain is not None and heard == plain + 2 and seen == plain + 2  # the two tokens around it
    [both] = text_counts("qwen3-omni", tokenizers["qwen3-omni"], [(talks[2][0], True)])
    assert both == plain + 4


TALK = turns(
    ("system", "Be brief."), ("user", "<audio>Say it."), ("assistant", " Noise. "), ("user", "Again?"),
    ("assistant", "Noise,\n\nonce more.\n"),
)  # fmt: skip
CHINESE = turns(("user", "<audio>请将这段语音转写为文字。"), ("assistant", "今天天气很好，我们去公园。"))


@pytest.mark.parametrize(
    ("model", "talk", "chinese"), [("qwen2-audio", 49, 46), ("qwen2.5-omni", 43, 40), ("qwen3-omni", 43, 29)]
)
def test_conversations_have_as_many_text_tokens_as_ms_swift_gives(
    tokenizers: dict[str, Tokenizer], model: str, talk: int, chinese: int
) -> None:
    # MS-SWIFT 4.6.0 with the models' vocabulary: the length of `input_ids` without the tokens of media
    assert text_counts(model, open_tokenizer(model), [(TALK, False), (CHINESE, False)]) == [talk, chinese]


def test_another_vocabulary_than_the_checked_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tiktoken", reason="the extra budgets is not installed")
    monkeypatch.setattr("triptych.shards.budgets.text.VOCABULARY_SHA256", "0" * 64)
    text_of_budgets._encoding.cache_clear()
    with pytest.raises(UsageError, match="not the vocabulary that counts were checked with"):
        open_tokenizer("qwen2-audio")


def test_a_tokenizer_of_the_users_takes_the_place_of_the_vocabulary(tmp_path: Path) -> None:
    library = pytest.importorskip("tokenizers", reason="the extra budgets is not installed")
    alphabet = sorted(library.pre_tokenizers.ByteLevel.alphabet())
    made = library.Tokenizer(library.models.BPE({symbol: number for number, symbol in enumerate(alphabet)}, []))
    made.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    file = tmp_path / "tokenizer.json"
    made.save(str(file))
    with pytest.raises(UsageError, match=r"has no token <\|im_start\|>"):
        open_tokenizer("qwen2-audio", tmp_path)
    made.add_special_tokens(["<|im_start|>", "<|im_end|>", *TEMPLATES["qwen2-audio"].placeholders])
    made.save(str(file))
    assert open_tokenizer("qwen2-audio", tmp_path).counts(["<|im_start|>é"]) == [3]
    file.write_text(json.dumps({"model": 1}))
    with pytest.raises(UsageError, match="is not a tokenizer"):
        open_tokenizer("qwen2-audio", file)
    with pytest.raises(UsageError, match="no such file"):
        open_tokenizer("qwen2-audio", tmp_path / "elsewhere")


def test_every_model_has_a_template() -> None:
    assert MODELS.keys() == TEMPLATES.keys()
    assert all(isinstance(template, Template) for template in TEMPLATES.values())
