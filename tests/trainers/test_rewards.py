"""The rewards that MS-SWIFT's GRPO loads: a file that stands alone, loaded as MS-SWIFT loads it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import triptych
from support.imported import bring_in, noise, read_lines, sound
from support.stores import cli
from triptych.converters.views.msswift import REWARDS
from triptych.errors import UsageError
from triptych.validators.metrics.edits import count_edits, error_rate, units_of


@pytest.fixture
def orms(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The registry of MS-SWIFT after the file was loaded, by its path and under a made-up name."""
    swift, rewards = ModuleType("swift"), ModuleType("swift.rewards")
    registry: dict[str, Any] = {"format": object}
    rewards.orms = registry  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "swift", swift)
    monkeypatch.setitem(sys.modules, "swift.rewards", rewards)
    spec = importlib.util.spec_from_file_location("_swift_external_1", REWARDS)
    assert spec is not None and spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    return registry


def rewards_of(orms: dict[str, Any], name: str, completions: list[str], **columns: Any) -> list[float | None]:
    """As MS-SWIFT calls it: with its arguments, the columns of the rows, and columns of its own."""
    made: list[float | None] = orms[name](args=object())(completions, prompt_id=["p"] * len(completions), **columns)
    return made


@pytest.mark.parametrize(
    ("choices", "key", "said", "reward"),
    [
        ("Mountain Canyon,Dense Forest,Open Grassland,City Streets", "Open Grassland", said, reward)
        for said, reward in [
            ("open grassland.", 1), ("The answer is Open Grassland", 1), ("Grassland", 0),
            ("Open Grassland, not Dense Forest", 0), ("C", 0), ("", 0),
            ("<think>Dense Forest?</think><answer>Open Grassland</answer>", 1),
            ("<think>Open Grassland", 0),
        ]
    ]
    + [("Yes,No", "Yes", "Yes, definitely not no", 0), ("A man,A woman", "A man", "a man and a woman", 0),
       ("The first,The second", "The first", "the first speaker", 1)],
)  # fmt: skip
def test_a_choice_is_named_and_no_other(orms: dict[str, Any], choices: str, key: str, said: str, reward: int) -> None:
    columns = {"solution": [key], "choices": [choices.split(",")], "task": ["qa"], "language": ["en"]}
    assert rewards_of(orms, "triptych_choice", [said], **columns) == [reward]
    assert rewards_of(orms, "triptych_answer", [said], **columns) == [reward]


def test_formats(orms: dict[str, Any]) -> None:
    well = "<think>a</think><answer>b</answer>"
    said = [well, "<think>a</think>\n<answer>b</answer>", well + "\n", " " + well,
            "<think>a</think> so <answer>b</answer>", "<answer>b</answer>", "<think></think><answer></answer>",
            well + "<answer>c</answer>"]  # fmt: skip
    assert rewards_of(orms, "triptych_format", said) == [1, 1, 0, 0, 0, 0, 1, 1]
    assert rewards_of(orms, "triptych_tagged", ["<answer>b</answer>", well]) == [1, 0]


def test_error_rates_by_language(orms: dict[str, Any]) -> None:
    said = ["The cat, is on the MAT.", "我爱北京", "", "so many more words than that here"]
    columns = {
        "solution": ["the cat sat on the mat", "我 愛 北京", "a b", "one"],
        "task": ["asr"] * 4,
        "language": ["en-US", "zh", "en", "en"],
    }
    assert rewards_of(orms, "triptych_answer", said, **columns) == pytest.approx([5 / 6, 3 / 4, 0, 0])
    assert rewards_of(orms, "triptych_wer", said[:1], solution=columns["solution"][:1]) == pytest.approx([5 / 6])
    assert rewards_of(orms, "triptych_cer", ["abd"], solution=["a b c"]) == pytest.approx([2 / 3])


def test_free_texts_equal_texts_and_rows_without_a_solution(orms: dict[str, Any]) -> None:
    said = ["the cat is on the mat", "Rain .", "rain"]
    columns = {"solution": ["the cat sat on the mat", "rain", None], "task": ["captioning", "qa", "qa"]}
    assert rewards_of(orms, "triptych_answer", said, **columns) == [pytest.approx(0.8333, abs=1e-4), 1, None]
    assert rewards_of(orms, "triptych_equal", ["a"], solution=["b"]) == [0]
    assert rewards_of(orms, "triptych_answer", ["a"]) == [None], "a file without the column"


def test_the_rates_are_those_of_the_metrics(orms: dict[str, Any]) -> None:
    for reference, said, language in [
        ("It's a well-known 'fact', isn't it?", "its a well-known fact isnt it", "en"),
        ("ＡＢＣ straße", "abc STRASSE", "de"),
        ("今日は、良い天気。", "今日いい天気", "ja"),
        ("a b c d", "x a b d d", None),
    ]:
        row = {"solution": [reference], "task": ["asr"], "language": [language]}
        expected = max(0.0, 1 - error_rate(reference, said, language))
        assert rewards_of(orms, "triptych_answer", [said], **row) == pytest.approx([expected])


def test_edits_are_counted_by_kind() -> None:
    counted = [count_edits(reference.split(), said.split()) for reference, said in [
        ("a b c", "a x c"), ("a b c", "a c"), ("a c", "a b c"), ("a b", "c d"), ("a b c", ""), ("", "a"), ("", ""),
    ]]  # fmt: skip
    assert [(each.substitutions, each.deletions, each.insertions) for each in counted] == [
        (1, 0, 0), (0, 1, 0), (0, 0, 1), (2, 0, 0), (0, 3, 0), (0, 0, 1), (0, 0, 0),
    ]  # fmt: skip
    assert [each.rate for each in counted] == [1 / 3, 1 / 3, 1 / 2, 1, 1, float("inf"), 0]
    assert units_of("Don't -- STOP, e-mail", "en") == ["don't", "stop", "e-mail"]


def test_the_command_of_an_export_names_the_file_and_rows_have_what_it_reads(tmp_path: Path) -> None:
    clip = str(sound(tmp_path / "clip.flac", noise(0.1)))
    row = {
        "id": "q",
        "audio": clip,
        "task": "qa",
        "question": "Which?",
        "answer": "A dog",
        "choices": ["A dog", "A cat"],
    }
    store = bring_in(tmp_path / "store", "asked", [row], tmp_path)
    result = triptych.export("msswift", task="grpo", store=store)
    assert f"--external_plugins {REWARDS} --reward_funcs triptych_answer" in (result.next_command or "")
    [row] = read_lines(result.version.data)
    assert (row["solution"], row["choices"], row["task"]) == ("A dog", ["A dog", "A cat"], "qa")
    assert triptych.exports.path(rewards=True) == REWARDS
    assert cli("exports", "path", "--rewards").stdout == f"{REWARDS}\n"
    with pytest.raises(UsageError, match="one version"):
        triptych.exports.path()
