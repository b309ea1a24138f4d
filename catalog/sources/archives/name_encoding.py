"""The encoding of a zip's names that are not UTF-8: old Windows tools write them in the code page of their country.

Nothing in the archive says which, so it is told from all names together: by how many of their characters are ones that
text in that encoding consists of (kana and first-level kanji for Shift-JIS, first-level hanzi for GBK ...). Accented
letters between plain ones are DOS's own code page, as the format has it. Without a clear winner there is no answer: a
name decoded wrongly would be another file's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

_CLEAR = 0.5
_AHEAD = 0.25
"""The share of common characters that an encoding must have, and its lead over the next one."""

_LETTERS = frozenset("ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜáíóúñÑßªº")


def _shift_jis(pair: bytes) -> bool:
    kana = pair[0] in (0x82, 0x83) and pair[1] >= 0x40 and not (pair[0] == 0x82 and pair[1] < 0x9F)
    return kana or pair[0] == 0x81 or (b"\x88\x9f" <= pair <= b"\x98\x72")


def _gbk(pair: bytes) -> bool:
    return pair[1] >= 0xA1 and (0xB0 <= pair[0] <= 0xD7 or 0xA1 <= pair[0] <= 0xA3)


def _big5(pair: bytes) -> bool:
    return 0xA4 <= pair[0] <= 0xC6


def _korean(pair: bytes) -> bool:
    return pair[1] >= 0xA1 and 0xB0 <= pair[0] <= 0xC8


_COMMON: dict[str, Callable[[bytes], bool]] = {"cp932": _shift_jis, "gbk": _gbk, "big5": _big5, "cp949": _korean}


def encoding_of(names: Sequence[bytes]) -> str | None:
    """The encoding of these names, none of which is UTF-8; None if it cannot be told."""
    if all(map(_is_western, names)):
        return "cp437"
    shares = sorted(((_share(names, each), each) for each in _COMMON), reverse=True)
    (best, encoding), (second, _) = shares[:2]
    return encoding if best >= _CLEAR and best - second >= _AHEAD else None


def possible_encodings(names: Sequence[bytes]) -> str:
    """The encodings in which all these names can be read, for people."""
    fitting = [each for each in _COMMON if _share(names, each) >= 0]
    return " or ".join(fitting) or "one of the Western or Cyrillic code pages"


def _share(names: Sequence[bytes], encoding: str) -> float:
    """The share of common characters among those beyond ASCII; -1 if a name is not in that encoding."""
    common = count = 0
    for name in names:
        try:
            text = name.decode(encoding)
        except UnicodeDecodeError:
            return -1.0
        for letter in text:
            if letter.isascii():
                continue
            raw = letter.encode(encoding)
            count += 1
            common += len(raw) == 2 and _COMMON[encoding](raw)
    return common / count if count else -1.0


def _is_western(name: bytes) -> bool:
    """Whether every byte beyond ASCII is an accented letter of DOS's code page, alone among plain letters."""
    text = name.decode("cp437")
    for place, letter in enumerate(text):
        if letter.isascii():
            continue
        before, after = text[place - 1 : place], text[place + 1 : place + 2]
        if letter not in _LETTERS or not after.isascii() or after in {"\\", "|", "^", "`", "{", "}", "~", "@", "["}:
            return False
        if after.isupper() and not (before.isascii() and before.isupper()):
            return False
    return True
