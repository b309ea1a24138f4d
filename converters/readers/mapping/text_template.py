"""Text built from a row: `{youtube_id}_{start_time:06d}`.

A placeholder is the name of a column, then optionally, in this order:

    [a:b]      characters a to b, as in Python: `{videoID[:-14]}`
    |word      strip, lower, upper, stem (the last part of a path without its suffix), base (the last part of a path)
    :06d       an integer, zero-padded to this width (`59.0` counts as 59); `:d` and `:.3f` work too

A null in any placeholder makes the whole text null.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from ....errors import UsageError
from ...candidate import bad_cell
from ..tables.cells import as_text

Row = Mapping[str, Any]

_PLACEHOLDER = re.compile(r"\{([^{}\[\]|:]+)(?:\[(-?\d*):(-?\d*)\])?((?:\|[a-z]+)*)(?::(0?\d{0,2}d|\.\d{1,2}f))?\}")


def base(text: str) -> str:
    """The last part of a path with slashes or backslashes."""
    return text.replace("\\", "/").rstrip("/").rpartition("/")[2]


def stem(text: str) -> str:
    """The last part of a path without its suffix."""
    name, dot, _ = base(text).rpartition(".")
    return name if dot and name else base(text)


WORDS: dict[str, Callable[[str], str]] = {
    "strip": str.strip,
    "lower": str.lower,
    "upper": str.upper,
    "stem": stem,
    "base": base,
}


class Filling:
    """A text template over the columns of a row."""

    def __init__(self, template: str) -> None:
        self.template = template
        self.parts: list[str | _Placeholder] = []
        position = 0
        for token in _PLACEHOLDER.finditer(template):
            self.parts.append(template[position : token.start()])
            self.parts.append(_Placeholder(token, template))
            position = token.end()
        self.parts.append(template[position:])
        self.parts = [part for part in self.parts if part != ""]
        if any("{" in part or "}" in part for part in self.parts if isinstance(part, str)):
            raise UsageError(
                f"template {template!r}: a placeholder is {{column}}, {{column[1:4]}}, {{column|stem}}, {{column:06d}}."
            )

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(part.column for part in self.parts if isinstance(part, _Placeholder)))

    @property
    def is_one_column(self) -> bool:
        """Whether the template is exactly one placeholder."""
        return len(self.parts) == 1 and isinstance(self.parts[0], _Placeholder)

    def fill(self, row: Row, *, quote: Callable[[str], str] | None = None) -> str | None:
        """The text for this row, or None if the column of a placeholder is null or missing.

        Raises:
            RowError: A value is not a number although the template requires one.
        """
        texts: list[str] = []
        for part in self.parts:
            text = part if isinstance(part, str) else part.fill(row)
            if text is None:
                return None
            texts.append(quote(text) if quote and not isinstance(part, str) else text)
        return "".join(texts)


class _Placeholder:
    def __init__(self, token: re.Match[str], template: str) -> None:
        self.column = token[1]
        self.slice: slice | None = None
        if token[2] is not None:
            self.slice = slice(*(int(end) if end not in ("", "-") else None for end in (token[2], token[3])))
        unknown = [word for word in token[4].split("|")[1:] if word not in WORDS]
        if unknown:
            raise UsageError(f"template {template!r}: there is no |{unknown[0]}. Available: {', '.join(WORDS)}.")
        self.words = [WORDS[word] for word in token[4].split("|")[1:]]
        self.number = token[5]

    def fill(self, row: Row) -> str | None:
        value = row.get(self.column)
        text = value if isinstance(value, str) else as_text(value)
        if text is None or text == "":
            return None
        if self.slice:
            text = text[self.slice]
        for word in self.words:
            text = word(text)
        return self._as_number(text) if self.number else text

    def _as_number(self, text: str) -> str:
        try:
            number = float(text)
            return format(int(number) if self.number.endswith("d") else number, self.number)
        except (ValueError, OverflowError):
            raise bad_cell(self.column, text, "a number") from None


@lru_cache(maxsize=1024)
def filling(template: str) -> Filling:
    """The compiled template, cached.

    Raises:
        UsageError: The template is invalid.
    """
    return Filling(template)
