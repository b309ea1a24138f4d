"""BLEU and ROUGE-L."""

from __future__ import annotations

import random

import pytest
import sacrebleu
from triptych.errors import UsageError
from triptych.validators.metrics.bleu import by_script, by_source
from triptych.validators.metrics.choice import Settings, metric
from triptych.validators.metrics.metric import Pair


def bleu(references: list[str], hypotheses: list[str | None], language: str | None, name: str = "bleu") -> float:
    used = metric(name, Settings())
    pairs = [
        Pair(reference=one, hypothesis=other, target_language=language)
        for one, other in zip(references, hypotheses, strict=True)
    ]
    found = used.rate([sum(each) for each in zip(*(used.count(pair).counts for pair in pairs), strict=True)])
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("references", "hypotheses", "language", "score"),
    [
        (["今天天气很好"], ["今天天气真好"], "zh", 53.7285),
        (["今天天气很好"], ["今天天气真好"], None, 53.7285),
        (["The cat sat on the mat."], ["The cat sat on the mat ."], "de", 100.0),
        (["das ist gut"], ["Das ist gut"], "de", 0.0),
        (["the cat is on the mat", "there is a dog here"], ["the cat is on the mat today", "there is a dog"], "en",
         86.2779),
    ],
)  # fmt: skip
def test_published_scores(references: list[str], hypotheses: list[str | None], language: str, score: float) -> None:
    assert bleu(references, hypotheses, language) == pytest.approx(score, abs=1e-4)


def test_sums_of_sentences_are_the_corpus() -> None:
    draw = random.Random(2)
    words = ["the", "a", "cat,", "dog.", "sat", "on", "Mat!", "of", "3.5", "it's", "—", "(yes)"]
    references = [" ".join(draw.choices(words, k=draw.randrange(1, 15))) for _ in range(40)]
    hypotheses = [
        " ".join(word if draw.random() < 0.8 else draw.choice(words) for word in each.split()) + " "
        for each in references
    ]
    theirs = sacrebleu.corpus_bleu(hypotheses, [references], tokenize="13a").score
    assert bleu(references, [*hypotheses], "en") == theirs


def test_the_script_takes_its_tokens_from_the_name_of_the_source() -> None:
    named = ("covost_v2_en_zh_test", "covost2_en_de_test", "covost2_zh_en", "meld", None)
    assert [by_source(name) for name in named] == ["zh", "13a", "zh", "13a", "13a"]
    assert [by_script(text) for text in ("hello", "你好", "お好み")] == ["13a", "zh", "ja-mecab"]
    pair = Pair(reference="你好", hypothesis="你好", source="covost2_en_zh", target_language="zh")
    assert metric("bleu", Settings()).count(pair).unit == "zh"
    assert metric("bleu_source", Settings()).count(pair).unit == "13a"


def test_japanese_needs_a_tokenizer_of_its_own() -> None:
    pair = Pair(reference="これは", hypothesis="これ", target_language="ja")
    try:
        import MeCab  # noqa: F401
    except ImportError:
        with pytest.raises(UsageError, match="tokenizer ja-mecab needs packages"):
            metric("bleu", Settings()).count(pair)
    else:
        assert metric("bleu", Settings()).count(pair).unit == "ja-mecab"


def test_rouge_l() -> None:
    used = metric("rouge", Settings())
    found = used.count(Pair(reference="the cat sat on the mat", hypothesis="The cat is on the mat."))
    told = dict(zip(used.fields, found.counts, strict=True))
    assert told["common"] == 5 and told["f1"] == told["precision"] == told["recall"] == pytest.approx(0.8333, abs=1e-4)
    assert used.count(Pair(reference="天气很好", hypothesis="天气好")).counts[4:] == (3, 4, 3)
    assert used.count(Pair(reference="a", hypothesis=None)).counts[:2] == (0.0, 1)
