"""BLEU of a corpus by sacrebleu (Post, 2018): case counts, nothing is normalized, smoothing `exp`.

    bleu          the tokenizer is chosen by the target language of the row, else by that of its source's name, else by
                  the script of the reference
    bleu_source   as Qwen2-Audio's evaluate_st.py chooses it: by the last part but one of the source's name

The tokenizer is `zh` for Chinese, `ja-mecab` for Japanese, else `13a`. A row without a prediction has the tokens of its
reference, none of which match, and no length: neither precision nor brevity gain from it. Tokens of an order that no
prediction reaches stay out, since sacrebleu gives 0 for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from ...errors import UsageError
from .metric import Counted, Metric, Pair
from .qwen2_audio import EXTRA

DEFAULT = "13a"
ORDERS = 4
FIELDS = (
    "hypothesis_tokens", "reference_tokens", *(f"matches_{n}" for n in range(1, ORDERS + 1)),
    *(f"ngrams_{n}" for n in range(1, ORDERS + 1)), *(f"missing_ngrams_{n}" for n in range(1, ORDERS + 1)),
)  # fmt: skip
_KANA = re.compile("[\u3040-\u30ff]")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
_TOKENIZERS = {"zh": "zh", "cmn": "zh", "mandarin": "zh", "chinese": "zh", "ja": "ja-mecab", "japanese": "ja-mecab"}


def bleu() -> Metric:
    """BLEU, tokens by the target language of the row."""

    def choose(pair: Pair) -> str:
        if pair.target_language:
            return tokenizer_of(pair.target_language.lower().replace("_", "-").partition("-")[0])
        named = by_source(pair.source)
        return by_script(pair.reference) if named == DEFAULT else named

    return _metric("bleu", "the row's target language, else the source's name, else the script", choose)


def bleu_by_source() -> Metric:
    """BLEU, tokens by the name of the source, as Qwen2-Audio's script does."""
    return _metric("bleu_source", "the source's name", lambda pair: by_source(pair.source))


def by_source(source: str | None) -> str:
    """The tokenizer that Qwen2-Audio's script takes for a source: `covost2_en_zh_test` has zh."""
    parts = (source or "").split("_")
    return tokenizer_of(parts[-2]) if len(parts) > 1 else DEFAULT


def by_script(text: str) -> str:
    """The tokenizer of a text whose language nothing names."""
    return tokenizer_of("ja" if _KANA.search(text) else "zh" if _HAN.search(text) else "")


def tokenizer_of(language: str) -> str:
    return _TOKENIZERS.get(language, DEFAULT)


def _metric(name: str, chosen_by: str, choose: Callable[[Pair], str]) -> Metric:
    def count(pair: Pair) -> Counted:
        tokenizer = choose(pair)
        scorer = _scorer(tokenizer)
        if pair.hypothesis is None:
            own = scorer.sentence_score(pair.reference, [pair.reference])
            none = [0] * ORDERS
            return Counted((0, own.ref_len, *none, *none, *own.totals), tokenizer, pair.reference, "")
        score = scorer.sentence_score(pair.hypothesis, [pair.reference])
        counts = (score.sys_len, score.ref_len, *score.counts, *score.totals, *[0] * ORDERS)
        return Counted(counts, tokenizer, pair.reference, pair.hypothesis)

    details = {"tokens_by": chosen_by, "signature": f"nrefs:1|case:mixed|eff:no|smooth:exp|version:{_version()}"}
    return Metric(name=name, about="BLEU of the corpus, sacrebleu", fields=FIELDS, count=count, rate=corpus_bleu,
                  scale="points", of="chain", details=details)  # fmt: skip


def corpus_bleu(counts: Sequence[float]) -> float | None:
    """BLEU, 0 to 100, of summed counts; None where there is no reference."""
    length, reference, *rest = (int(each) for each in counts)
    if not reference:
        return None
    matches, ngrams, missing = rest[:ORDERS], rest[ORDERS : 2 * ORDERS], rest[2 * ORDERS :]
    told = [own + lost if own else 0 for own, lost in zip(ngrams, missing, strict=True)]
    return float(_sacrebleu().BLEU.compute_bleu(matches, told, length, reference, smooth_method="exp").score)


@cache
def _sacrebleu() -> Any:
    try:
        import sacrebleu
    except ImportError as error:
        raise UsageError("BLEU is counted by sacrebleu, which is not installed.", hint=EXTRA) from error
    return sacrebleu


def _version() -> str:
    return str(_sacrebleu().__version__)


@cache
def _scorer(tokenizer: str) -> Any:
    """Counts of single sentences; their own scores are not used."""
    try:
        return _sacrebleu().BLEU(tokenize=tokenizer, effective_order=True)
    except (ImportError, RuntimeError) as error:
        raise UsageError(
            f"sacrebleu's tokenizer {tokenizer} needs packages that are not installed.",
            hint="pip install 'sacrebleu[ja]'",
        ) from error
