"""Long recordings in windows: where they are divided, and that each part of the sound has its own words."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import triptych
from support.imported import bring_in, noise, read_lines, sound
from support.stores import check_accounts
from triptych.converters.budget.windows import NotDivisible, texts_of, windows_of
from triptych.errors import ProblemsFound


def said(*times: float, each: float = 1.0) -> list[dict[str, Any]]:
    """Words that begin at these times."""
    return [{"text": f"w{n}", "start_s": start, "end_s": start + each} for n, start in enumerate(times)]


def bounds(words: Sequence[dict[str, Any]], end_s: float, longest_s: float = 10) -> list[tuple[float, float, int, int]]:
    found = windows_of(words, start_s=0, end_s=end_s, longest_s=longest_s)
    return [(window.start_s, window.end_s, window.first, window.last) for window in found]


class TestDivision:
    def test_a_window_ends_in_the_longest_pause_of_its_second_half(self) -> None:
        words = said(0, 1.2, 2.4, 3.6, 5, 7, 8.2, 9.2, 10.4)
        assert bounds(words, 12) == [(0, 6.5, 0, 5), (6.5, 12, 5, 9)]

    def test_a_pause_that_is_too_long_is_not_kept(self) -> None:
        words = said(0, 1, 40, 41)
        assert bounds(words, 43) == [(0, 4.5, 0, 2), (39.5, 43, 2, 4)]

    def test_every_word_is_in_one_window_and_no_window_is_too_long(self) -> None:
        draw = np.random.default_rng(3)
        for _ in range(50):
            times = np.cumsum(draw.uniform(0.3, 3, 200)).round(3)
            words = [{"text": "w", "start_s": float(t), "end_s": float(t) + 0.25} for t in times]
            found = windows_of(words, start_s=0, end_s=float(times[-1]) + 1, longest_s=10)
            assert [n for window in found for n in range(window.first, window.last)] == list(range(200))
            assert all(0 < round(window.end_s - window.start_s, 6) <= 10 for window in found)
            assert all(a.end_s <= b.start_s for a, b in pairwise(found))
            for window in found:
                inside = words[window.first : window.last]
                assert window.start_s <= inside[0]["start_s"] and inside[-1]["end_s"] <= window.end_s

    @pytest.mark.parametrize(
        ("words", "reason"),
        [
            ([], "no_word_times"),
            (said(5, 3), "words_out_of_order"),
            (said(0, 1, each=12), "words_out_of_order"),
            (said(0, each=20) + said(20.5), "no_pause"),
            (said(50), "words_out_of_order"),
        ],
    )
    def test_what_cannot_be_divided_is_refused(self, words: list[dict[str, Any]], reason: str) -> None:
        with pytest.raises(NotDivisible, match=reason):
            bounds(words, 30)


class TestTexts:
    @pytest.mark.parametrize(
        ("text", "words", "parts"),
        [
            ("one two three", ["one", "two", "three"], ["one ", "two ", "three"]),
            ('He said, "Go on!" Then', ["HE", "SAID", "GO", "ON", "THEN"],
             ["He ", "said, ", '"Go ', 'on!" ', "Then"]),
            ("今天，天气好。", ["今天", "天气", "好"], ["今天，", "天气", "好。"]),
            ("it's o'clock", ["it's", "o'clock"], ["it's ", "o'clock"]),
        ],
    )  # fmt: skip
    def test_signs_stay_with_the_word_that_they_touch(self, text: str, words: list[str], parts: list[str]) -> None:
        assert texts_of(text, [{"text": word} for word in words]) == parts

    @pytest.mark.parametrize("words", [["one"], ["one", "three"], ["on", "two"], ["one", "two", "more"]])
    def test_words_that_are_not_those_of_the_text_are_refused(self, words: list[str]) -> None:
        with pytest.raises(NotDivisible, match="words_differ_from_text"):
            texts_of("one two", [{"text": word} for word in words])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("windows")
    long = str(sound(folder / "long.flac", noise(40, seed=1)))
    words = said(2, 12, 20, 24, 31)
    rows: list[dict[str, Any]] = [
        {"id": "short", "audio": str(sound(folder / "short.flac", noise(1, seed=2))), "text": "w0"},
        {"id": "long", "audio": long, "text": "W0, w1 w2! w3 w4.", "words": words},
        {"id": "span", "audio": long, "text": "w1 w2", "words": words[1:3], "start_s": 11, "end_s": 23},
        {"id": "untimed", "audio": long, "text": "w0 w1"},
        {"id": "other", "audio": long, "text": "w0 w1", "words": words},
        {"id": "caption", "audio": long, "text": "Noise.", "task": "aac"},
    ]
    return bring_in(folder / "store", "x", [{"task": "asr", "language": "en"} | row for row in rows], folder)


def test_each_window_has_the_words_that_are_said_in_it(store: Path) -> None:
    result = triptych.export("msswift", task="sft", store=store, model="qwen2-audio", long="window", text="raw")
    rows = {row["id"]: row for row in read_lines(result.version.data)}
    assert {name: row["messages"][-1]["content"] for name, row in rows.items()} == {
        "x/all/short": "w0",
        "x/all/long#window1": "W0, w1",
        "x/all/long#window2": "w2! w3 w4.",
        "x/all/span": "w1 w2",
    }
    assert rows["x/all/long#window2"]["sample_id"] == "x/all/long"
    whole = noise(40, seed=1)
    parts = [soundfile.read(rows[f"x/all/long#window{n}"]["audios"][0], dtype="int16")[0] for n in (1, 2)]
    assert np.array_equal(np.concatenate(parts), whole) and len(parts[0]) == 16.5 * 16_000
    manifest = result.version.manifest
    assert manifest["counts"] == {
        "no_word_times": 1, "not_divisible": 1, "words_differ_from_text": 1, "written": 3
    }  # fmt: skip
    assert manifest["budget"]["cut_rows"] == 0 and manifest["budget"]["seconds"] == 53
    check_accounts(store)


def test_a_model_that_hears_everything_needs_no_windows(store: Path) -> None:
    result = triptych.export("msswift", task="sft", store=store, model="qwen3-omni", long="window", name="omni")
    assert result.version.manifest["counts"] == {"written": 6}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Long recordings with something that is said of the whole, and one whose id looks like that of a window."""
    folder = tmp_path_factory.mktemp("odd")
    long = str(sound(folder / "long.flac", noise(40, seed=1)))
    words = said(2, 12, 20, 24, 31)
    timed = {"audio": long, "text": "w0 w1 w2 w3 w4", "words": words}
    rows: list[dict[str, Any]] = [
        timed | {"id": "pair", "rejected": "w0 w1 w2 wrong w4", "label": "true"},
        timed | {"id": "answered", "answer": "w0 w1"},
        timed | {"id": "referenced", "reference": "W0 W1"},
        timed | {"id": "half-timed", "words": [*words[:-1], {"text": "w4", "start_s": None, "end_s": None}]},
        timed | {"id": "phones", "phones": [{"text": "ah", "start_s": None, "end_s": None}]},
        {"id": "pair#window2", "audio": str(sound(folder / "o.flac", noise(1, seed=2))), "text": "another"},
    ]
    return bring_in(folder / "store", "x", [{"task": "asr", "language": "en"} | row for row in rows], folder)


def test_the_other_answer_of_a_pair_is_never_beside_a_window(odd: Path) -> None:
    with pytest.raises(ProblemsFound, match="1 not_divisible"):
        triptych.export("msswift", task="kto", store=odd, where="id LIKE '%/pair'", model="qwen2-audio", long="window")


def test_what_is_said_of_the_whole_is_not_beside_a_window(odd: Path) -> None:
    """And a row that would have the id of another sample is not made: it would have that one's sound."""
    result = triptych.export("msswift", task="sft", store=odd, model="qwen2-audio", long="window")
    rows = {row["id"].removeprefix("x/all/"): row for row in read_lines(result.version.data)}
    assert {name: row["messages"][-1]["content"] for name, row in rows.items()} == {
        "pair#window1": "w0 w1",
        "pair#window2": "another",
        "phones#window1": "w0 w1",
        "phones#window2": "w2 w3 w4",
    }
    assert soundfile.info(rows["pair#window2"]["audios"][0]).duration == 1
    manifest = result.version.manifest
    assert manifest["counts"] == {"no_word_times": 1, "not_divisible": 2, "written": 3}
    assert manifest["expanded"]["parts_without_row"]["row_id_taken"] == 1
    check_accounts(odd)
