"""Error rates: words and characters as Qwen2-Audio's script compares them, and phones."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from triptych.errors import UsageError
from triptych.validators.metrics import chinese
from triptych.validators.metrics.choice import Settings, metric
from triptych.validators.metrics.edits import Edits, count_edits
from triptych.validators.metrics.metric import Metric, Pair
from triptych.validators.metrics.qwen2_audio import basic, words

PAIRS = Path(__file__).with_name("qwen2_audio_pairs.jsonl")
"""Made-up pairs with what Qwen2-Audio's evaluate_asr.py (595360e), with its own normalizers, counted in them."""


def counted(name: str, reference: str, hypothesis: str | None, language: str | None = None, **told: Any) -> list[float]:
    return [
        *metric(name, Settings(**told))
        .count(Pair(reference=reference, hypothesis=hypothesis, language=language))
        .counts
    ]


def summed(used: Metric, pairs: list[Pair]) -> list[float]:
    return [sum(each) for each in zip(*(used.count(pair).counts for pair in pairs), strict=True)]


@pytest.mark.parametrize(
    ("language", "reference", "hypothesis", "edits", "units"),
    [
        ("en", "I don't know", "<|en|>I do not know.", 0, 4),
        ("en", "uh the colour of twenty five dollars", "the color of $25", 0, 4),
        ("en", "it's twenty-five percent", "It is 25%", 0, 3),
        ("en", "can't won't", "cannot will not", 2, 4),
        ("en", "THE CAT SAT", "the cat sat down", 1, 3),
        ("en", "he said [laughter] hello (noise) there", "he said hello there", 0, 4),
        ("en", "one thousand two hundred", "1,200", 0, 1),
        ("fr", "C'est l'été, n'est-ce pas ?", "c'est l'ete n'est ce pas", 1, 8),
        ("fr", "J'ai 20 ans", "j'ai vingt ans", 1, 4),
        ("zh", "今天是2024年5月1日，温度25.5度", "今天是二零二四年五月一日温度二十五点五度", 0, 20),
        ("zh", "增长了12%", "增长了百分之十二", 0, 8),
        ("zh-CN", "你好 world", "你好world", 0, 7),
        ("cmn_hans_cn", "电话13800138000", "电话幺三八零零幺三八零零零", 2, 13),
        ("yue", "今日3点", "今日三點", 1, 4),
    ],
)
def test_published_rules(language: str, reference: str, hypothesis: str, edits: int, units: int) -> None:
    *made, length = counted("wer", reference, hypothesis, language)
    assert (sum(made), length) == (edits, units)


def test_a_rate_is_of_the_corpus_and_not_a_mean() -> None:
    used = metric("wer", Settings())
    pairs = [Pair(reference="a b c d", hypothesis="a b d"), Pair(reference="e f", hypothesis="e f g")]
    assert used.rate(summed(used, pairs)) == pytest.approx(2 / 6)
    assert used.rate(used.count(Pair(reference="", hypothesis="a")).counts) is None


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("价格3.5元", "价格三点五元"), ("1/2的人", "二分之一的人"), ("房间1234", "房间一二三四"),
        ("人口123人", "人口一百二十三人"), ("200个", "两百个"), ("22000个", "两万两千个"), ("1050元", "一千零五十元"),
        ("10", "十"), ("80年代", "八零年代"), ("3块5毛", "三块五毛"), ("010-62345678。", "零一零六二三四五六七八 "),
        ("P2P", "P2P"), ("二零二四", "二零二四"), ("0.5%", "百分之零点五"),
    ],
)  # fmt: skip
def test_chinese_numbers_are_read_aloud(written: str, read: str) -> None:
    assert chinese.normalize(written) == read


def test_counts_are_those_of_the_script() -> None:
    used = metric("wer", Settings())
    for line in PAIRS.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        pair = Pair(reference=row["reference"], hypothesis=row["hypothesis"], language=row["language"])
        *_, deletions, insertions, units = counts = used.count(pair).counts
        found = (sum(counts[:3]), units, units - deletions + insertions)
        assert found == (row["edits"], row["reference_units"], row["hypothesis_units"]), row


def random_texts(draw: random.Random, vocabulary: list[str], count: int) -> list[str]:
    return [" ".join(draw.choices(vocabulary, k=draw.randrange(12))) for _ in range(count)]


@pytest.mark.parametrize("count", [300, pytest.param(20_000, marks=pytest.mark.thorough)])
def test_texts_are_those_of_whispers_own_normalizers(count: int) -> None:
    """Ours leave out steps that cannot change a text: the result is the same."""
    from whisper_normalizer.basic import BasicTextNormalizer
    from whisper_normalizer.english import EnglishTextNormalizer

    whisper = EnglishTextNormalizer()
    others = (
        "the colour grey don't he'd been mr. dr st wanna um o'clock 's $20 20% % 1,200 3.5 10th ¢7 £ <x> [laugh] "
        "( noise) café œuvre ２０ x2 2x U.S. world! — don’t half a 0.5 and İ twenty-five"
    )
    vocabulary = [*sorted(whisper.standardize_numbers.words), *others.split()]
    theirs = BasicTextNormalizer()
    for text in random_texts(random.Random(3), vocabulary, count):
        assert basic(text) == theirs(text), text
        assert words(text, "en") == theirs(whisper(text)).split(), text


def test_words_that_later_releases_of_the_normalizer_replace_stay() -> None:
    assert words("kinda cause dunno", "en") == ["kinda", "cause", "dunno"]


def slow_edits(one: list[str], other: list[str]) -> Edits:
    """By the table of Wagner and Fischer: fewest edits, then fewest deletions."""
    row = [(count, 0, count) for count in range(len(other) + 1)]
    for wanted in one:
        before, row[0] = row[0], (row[0][0] + 1, row[0][1] + 1, 0)
        for place, had in enumerate(other, start=1):
            above, left = row[place], row[place - 1]
            best = min((before[0] + (wanted != had), *before[1:]), (above[0] + 1, above[1] + 1, above[2]),
                       (left[0] + 1, left[1], left[2] + 1))  # fmt: skip
            row[place], before = best, above
    total, deletions, insertions = row[-1]
    return Edits(total - deletions - insertions, deletions, insertions, len(one))


def test_edits_are_split_as_the_shortest_way_with_most_substitutions() -> None:
    draw = random.Random(5)
    for _ in range(500):
        one, other = (draw.choices(["a", "b", "cc"], k=draw.randrange(9)) for _ in range(2))
        assert count_edits(one, other) == slow_edits(one, other), (one, other)


def test_characters_have_spaces_between_words() -> None:
    assert counted("cer", "The cat.", "the bat", "en") == [1, 0, 0, 7]
    assert counted("cer", "今天 是", "今天是", "zh") == [0, 0, 0, 3]
    assert counted("cer", "これ は", "これは", "ja") == [0, 0, 0, 3]


@pytest.mark.parametrize(
    ("reference", "hypothesis", "kept", "without"),
    [
        ("sil sh iy hh ae", "sh iy hh ae", (1, 5), (0, 4)),
        ("sil sh iy", "sil sh iy d sil", (2, 3), (1, 2)),
        ("sh iy", "", (2, 2), (2, 2)),
    ],
)
def test_phones(reference: str, hypothesis: str, kept: tuple[int, int], without: tuple[int, int]) -> None:
    for ignore, wanted in ((False, kept), (True, without)):
        *edits, units = counted("per", reference, hypothesis, ignore_silence=ignore)
        assert (sum(edits), units) == wanted


def test_phones_are_folded_before_they_are_compared() -> None:
    assert counted("per", "h# sh ix hv eh dcl d q zh", "sil sh ih hh eh sil d sh", phones="39") == [0, 0, 0, 8]
    assert counted("per", "pcl p ao epi el pau", "p aa l", phones="39", ignore_silence=True) == [0, 0, 0, 3]
    assert counted("per", "ao", "aa", phones="48") == [1, 0, 0, 1]
    assert counted("per", "sh | ao", "sh ao", phones="39") == counted("per", "sh | ao", "sh ao") == [0, 0, 0, 2]
    with pytest.raises(UsageError, match="'xx' is no phone"):
        counted("per", "sh xx", "sh", phones="39")


@pytest.mark.parametrize(
    ("hypothesis", "reference", "without", "kept"),
    [
        ("sh iy hh ae", "sil sh iy hh ae", (0, 3), (0, 4)),
        ("sil sh iy", "sil sh iy hh ae d", (2, 2), (3, 3)),
        ("sil sh iy sil hh", "sil sh iy hh ae", (2, 3), (3, 5)),
        ("sil", "sil sil", (0, 0), (1, 1)),
    ],
)
def test_positions(hypothesis: str, reference: str, without: tuple[int, int], kept: tuple[int, int]) -> None:
    for ignore, wanted in ((True, without), (False, kept)):
        assert tuple(counted("position_accuracy", reference, hypothesis, ignore_silence=ignore)) == wanted
    assert metric("position_accuracy", Settings()).rate((0, 0)) == 0.0
