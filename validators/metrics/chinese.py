"""Chinese text as Qwen2-Audio's scorer compares it: numbers as they are read aloud, punctuation as spaces.

The rules are those of the normalizer that its scripts use with every switch off (speechio, chinese_text_normalization)
with their order and their habits: each kind of number is looked for in the whole text, and what is found is replaced
where the same characters stand first. Dates, amounts of money, telephone numbers, fractions, percentages, numbers
before a measure word, long strings of digits and all other numbers are read, in this order.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterator
from functools import cache

_DIGITS = "零一二三四五六七八九"
_UNITS = (("十", 1), ("百", 2), ("千", 3), ("万", 4), *zip("亿兆京垓秭穰沟涧正载", range(8, 48, 4), strict=True))
"""Units of numbers and their powers of ten; from 亿 on each is ten thousand times the one before."""
_POINT = "点"

_NUMBER = r"\d+(?:\.\d+)?"
_SCALE = "(?:亿|千万|百万|[万千百元块角毛分])"
_MEASURES = (
    "匹张座回场尾条个首阙阵网炮顶丘棵只支袭辆挑担颗壳窠曲墙群腔砣客贯扎捆刀令打手罗坡山岭江溪钟队单双对出口头脚板跳枝件贴针线管名"
    "位身堂课本页家户层丝毫厘分钱两斤铢石钧锱忽寸尺丈里寻常铺程撮勺合升斗盘碗碟叠桶笼盆盒杯斛锅簋篮罐瓶壶卮盏箩箱煲啖袋钵年月日季"
    "刻时周天秒旬纪岁世更夜春夏秋冬代伏辈丸泡粒幢堆根道面片块"
)  # fmt: skip
_MEASURE = f"(?:[{_MEASURES}]|[千微][克米])"
"""Words that count things; the other metric ones begin with one of the characters."""

_PUNCTUATION = (
    "！？｡。＂＃＄％＆＇（）＊＋，－／：；＜＝＞＠［＼］＾＿｀｛｜｝～｟｠｢｣､、〃《》「」『』【】〔〕〖〗〘〙〚〛〜〝〞〟〰〾〿–—‘’‛“”„‟…‧﹏·〈〉"
    + string.punctuation
)  # fmt: skip
_TO_SPACES = str.maketrans(dict.fromkeys(_PUNCTUATION, " "))


def number(digits: str) -> str:
    """A number as it is read: 两百零五, 三点五; 二 before 百, 千 and larger units is 两, a leading 一十 is 十."""
    whole, _, fraction = digits.partition(".")
    symbols = _grouped(whole) if len(whole) > 1 else [*spelled(whole)]
    if fraction:
        symbols += [_POINT, *spelled(fraction)]
    text = "".join(_with_pairs(symbols))
    if text.startswith(_POINT):
        return _DIGITS[0] + text
    return text[1:] if text.startswith("一十") else text


def spelled(digits: str) -> str:
    """Digits one by one: 一三八."""
    return "".join(_DIGITS[int(digit)] for digit in digits)


def _grouped(digits: str) -> list[str]:
    """The digits of a whole number with their units; zeros in front of a group are read as one."""
    told = digits.lstrip("0")
    if not told:
        return []
    if len(told) == 1:
        return [*([_DIGITS[0]] if len(digits) > 1 else []), _DIGITS[int(told)]]
    unit, power = next(each for each in reversed(_UNITS) if each[1] < len(told))
    return [*_grouped(digits[:-power]), unit, *_grouped(told[-power:])]


_LARGE = frozenset(unit for unit, power in _UNITS if power > 1)


def _with_pairs(symbols: list[str]) -> Iterator[str]:
    for place, symbol in enumerate(symbols):
        after = symbols[place + 1] if place + 1 < len(symbols) else ""
        is_pair = symbol == "二" and after in _LARGE and (place == 0 or symbols[place - 1] in _LARGE)
        yield "两" if is_pair else symbol


def _date(found: str) -> str:
    year, has_year, rest = found.rpartition("年")
    month, has_month, day = rest.rpartition("月")
    told = spelled(year) + has_year + (number(month) + has_month if has_month else "")
    return told + (number(day[:-1]) + day[-1] if day else "")


def _money(found: str) -> str:
    for each in re.findall(_NUMBER, found):
        found = found.replace(each, number(each))
    return found


def _telephone(found: str) -> str:
    return "".join(spelled(part) for part in re.split(r"[-\s]+", found.strip("+")))


def _fraction(found: str) -> str:
    numerator, _, denominator = found.partition("/")
    return f"{number(denominator)}分之{number(numerator)}"


def _percentage(found: str) -> str:
    return "百分之" + number(found.strip("%"))


_Rule = tuple[re.Pattern[str], Callable[[str], str]]


@cache
def _rules() -> tuple[_Rule, ...]:
    """Each kind of number: where it stands (the first group), and how it is read."""
    date = r"\D+((?:(?:[089]\d|(?:19|20)\d{2})年)?(?:\d{1,2}月(?:\d{1,2}[日号])?)?)"
    mobile = r"\D((?:\+?86 ?)?1(?:[38]\d|5[0-35-9]|7[678]|9[89])\d{8})\D"
    landline = r"\D((?:0(?:10|2[1-3]|[3-9]\d{2})-?)?[1-9]\d{6,7})\D"
    rules = [
        (date, _date),
        (rf"\D+({_NUMBER}[多余几]?{_SCALE}(?:\d{_SCALE}?)?)", _money),
        (mobile, _telephone),
        (landline, _telephone),
        (r"(\d+/\d+)", _fraction),
        (rf"({_NUMBER}%)", _percentage),
        (rf"({_NUMBER})[多余几]?{_MEASURE}", number),
        (r"(\d{4,32})", spelled),
        (rf"({_NUMBER})", number),
    ]
    return tuple((re.compile(pattern), read) for pattern, read in rules)


_LETTERS_AROUND_TWO = re.compile("[a-zA-Z]+二[a-zA-Z]+")
_HAS_DIGIT = re.compile(r"\d")


def read_aloud(text: str) -> str:
    """A text with its numbers in characters; `2` between Latin letters (P2P) stays one."""
    text = f"^{text}$"
    if _HAS_DIGIT.search(text):
        for pattern, read in _rules():
            if read is _percentage:
                text = text.replace("％", "%")
            for found in pattern.findall(text):
                text = text.replace(found, read(found), 1)
    if "二" in text:
        for found in _LETTERS_AROUND_TWO.findall(text):
            text = text.replace(found, found.replace("二", "2"), 1)
    return text.lstrip("^").rstrip("$")


def normalize(text: str) -> str:
    """Read numbers aloud and replace punctuation, Chinese and ASCII, by spaces."""
    return read_aloud(text).translate(_TO_SPACES)
