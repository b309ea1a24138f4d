"""Transcripts as Qwen2-Audio's evaluation script (`eval_audio/evaluate_asr.py`) compares them, step by step.

    1. `<|...|>` becomes a space, runs of white space one space, none stands before ! , . ? ; : or at the start;
       Chinese loses all of it.
    2. English: Whisper's normalizer for English (fillers, contractions, numbers, spelling). Cantonese: simplified
       characters. Chinese: numbers are read aloud, punctuation becomes spaces; see chinese.py.
    3. All but Chinese: Whisper's basic normalizer: lower case, no text in brackets, symbols and punctuation as spaces.
    4. Words, at white space, without those of punctuation only, in lower case.
    5. Chinese and Cantonese: the characters of these words.

The script names the language of a data set; here each row has its own. Languages without rules have steps 1, 3 and 4.
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import cache, lru_cache
from itertools import chain, groupby

from ...errors import UsageError
from . import chinese

BY_CHARACTERS = frozenset({"zh", "yue"})
"""Languages that are compared by characters."""

EXTRA = "pip install 'triptych[metrics]'"

_TAG = re.compile(r"<\|.*?\|>")
_SPACES = re.compile(r"\s+")
_BEFORE_PUNCTUATION = re.compile(r" ?([!,.?;:])")
_BRACKETS = re.compile(r"[<\[][^>\]]*[>\]]")
_PARENTHESES = re.compile(r"\(([^)]+?)\)")


def rules_of(language: str | None) -> str:
    """The rules that a language has: en, zh, yue, or none, which is the empty text."""
    primary = (language or "").lower().replace("_", "-").partition("-")[0]
    return {"en": "en", "zh": "zh", "cmn": "zh", "yue": "yue"}.get(primary, "")


def without_tags(text: str, rules: str) -> str:
    """A text without the model's tags and superfluous white space: step 1."""
    text = _SPACES.sub(" ", _TAG.sub(" ", text))
    text = _BEFORE_PUNCTUATION.sub(r"\1", text).lstrip(" ")
    return _SPACES.sub("", text) if rules == "zh" else text


def normalized(text: str, language: str | None) -> str:
    """A text after steps 1 to 3."""
    rules = rules_of(language)
    text = without_tags(text, rules)
    if rules == "zh":
        return chinese.normalize(text)
    if rules == "yue":
        text = _to_simplified()(text)
    if rules == "en":
        text = _english()(text)
    return basic(text)


def words(text: str, language: str | None) -> list[str]:
    """The words of a text, or its characters in Chinese and Cantonese."""
    text = normalized(text, language)
    if not text.isascii():
        text = " ".join(token for token in text.split(" ") if not all(_is_punctuation(each) for each in token))
    found = text.lower().split()
    return [*"".join(found)] if rules_of(language) in BY_CHARACTERS else found


@cache
def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character)[0] == "P"


class _ToSpaces(dict[int, int | str]):
    """A table that replaces marks, symbols and punctuation by a space; it grows with the characters that it meets."""

    def __missing__(self, code: int) -> int | str:
        self[code] = " " if unicodedata.category(chr(code))[0] in "MSP" else code
        return self[code]


_SYMBOLS_TO_SPACES = _ToSpaces()


def basic(text: str) -> str:
    """Whisper's basic normalizer: lower case, no text in brackets, marks, symbols and punctuation as spaces."""
    text = _without_brackets(text.lower())
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return _SPACES.sub(" ", text.translate(_SYMBOLS_TO_SPACES).lower())


def _without_brackets(text: str) -> str:
    if "<" in text or "[" in text:
        text = _BRACKETS.sub("", text)
    return _PARENTHESES.sub("", text) if "(" in text else text


@cache
def _to_simplified() -> Callable[[str], str]:
    try:
        import zhconv
    except ImportError as error:
        raise UsageError(
            "Cantonese is compared in simplified characters: zhconv is not installed.", hint=EXTRA
        ) from error
    return lambda text: str(zhconv.convert(text, "zh-cn"))


_ADDED_LATER = (r"\bkinda\b", r"\bsorta\b", r"\bdunno\b", r"\bcause\b")
"""What releases of whisper-normalizer replace that Whisper's own normalizer, which the script holds, does not."""


@cache
def _english() -> Callable[[str], str]:
    try:
        with warnings.catch_warnings():
            # Python 3.12 and later tell users of a docstring of this package.
            warnings.simplefilter("ignore", SyntaxWarning)
            from whisper_normalizer.basic import remove_symbols_and_diacritics
            from whisper_normalizer.english import EnglishTextNormalizer
    except ImportError as error:
        raise UsageError(
            "English is compared as Whisper normalizes it: whisper-normalizer is not installed.", hint=EXTRA
        ) from error
    whisper = EnglishTextNormalizer()
    for pattern in _ADDED_LATER:
        whisper.replacers.pop(pattern, None)
    return _English(whisper, lambda text: str(remove_symbols_and_diacritics(text, keep=_KEPT)))


_KEPT = ".%$¢€£"
"""What the normalizer for English keeps until numbers are read."""
CACHED = 10_000
"""How many runs of number words are kept: `one` and `the first of two` come again and again."""
_DIGIT = re.compile(r"\d")
_IGNORED = re.compile(r"\b(hmm|mm|mhm|mmm|uh|um)\b")
_SPACE_APOSTROPHE = re.compile(r"\s+'")
_COMMA_IN_NUMBER = re.compile(r"(\d),(\d)")
_LAST_PERIOD = re.compile(r"\.([^0-9]|$)")
_SYMBOL_ALONE = re.compile(r"[.$¢€£]([^0-9])")
_PERCENT_ALONE = re.compile(r"([^0-9])%")


class _English:
    """Whisper's normalizer for English, without the steps that cannot change the text at hand.

    Its sixty replacements and its reading of numbers take ten times as long as all the rest, and most texts have
    neither: what is replaced is literal but for the bounds of words, and numbers begin at a digit or a word of a list.
    """

    def __init__(self, whisper: object, remove_symbols: Callable[[str], str]) -> None:
        replacers: Mapping[str, str] = whisper.replacers  # type: ignore[attr-defined]
        numbers = whisper.standardize_numbers  # type: ignore[attr-defined]
        self._replacers = [
            (pattern.replace(r"\b", ""), re.compile(pattern), said) for pattern, said in replacers.items()
        ]
        self._number_words: frozenset[str] = frozenset(numbers.words)
        self._begin_number = {*numbers.words, "half"} - {*numbers.following_prefixers, *numbers.suffixers, "and"}
        self._read_numbers: Callable[[str], str] = numbers
        self._read_run = lru_cache(CACHED)(lambda run: tuple(numbers(run).split()))
        self._spelling: Mapping[str, str] = whisper.standardize_spellings.mapping  # type: ignore[attr-defined]
        self._remove_symbols = remove_symbols
        self._ascii = {code: self._remove_symbols(chr(code)) for code in range(128)}

    def __call__(self, text: str) -> str:
        text = _IGNORED.sub("", _without_brackets(text.lower()))
        text = _SPACE_APOSTROPHE.sub("'", text)
        for part, pattern, said in self._replacers:
            if part in text:
                text = pattern.sub(said, text)
        text = _LAST_PERIOD.sub(r" \1", _COMMA_IN_NUMBER.sub(r"\1\2", text))
        text = text.translate(self._ascii) if text.isascii() else self._remove_symbols(text)
        text = " ".join([self._spelling.get(word, word) for word in self._with_digits(text)])
        text = _PERCENT_ALONE.sub(r"\1 ", _SYMBOL_ALONE.sub(r" \1", text))
        return _SPACES.sub(" ", text)

    def _with_digits(self, text: str) -> Iterable[str]:
        """The words of a text, numbers in digits: words that are part of none do not change how others are read."""
        words = text.split()
        if _DIGIT.search(text) or "half" in words:
            return self._read_numbers(text).split()
        if self._begin_number.isdisjoint(words):
            return words
        runs = groupby(words, self._number_words.__contains__)
        return chain.from_iterable(self._read_run(" ".join(run)) if is_number else run for is_number, run in runs)
