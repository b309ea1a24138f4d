"""Measuring text: lengths, speed against the clip, and characters that no transcript should hold.

* `characters` counts code points that are not white space, so that scripts with and without spaces compare.
* `word_count` counts the pieces between white space; for scripts without spaces it means little.
* `characters_per_second` = characters / the clip's length in seconds; null where either is unknown or zero long.
* `control_characters` counts Unicode category Cc but tab, line feed and carriage return.
* `replacement_characters` counts U+FFFD, what a decoder leaves where bytes were not in the encoding it was told.
"""

from __future__ import annotations

import re
from typing import Any

REPLACEMENT = "\ufffd"
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def measure(text: str | None, *, clip_s: float | None) -> dict[str, Any]:
    """The columns of a text; `clip_s` is the length of the sound or film it belongs to."""
    if text is None:
        return {}
    pieces = text.split()
    characters = sum(map(len, pieces))
    return {
        "empty_text": not pieces,
        "characters": characters,
        "word_count": len(pieces),
        "characters_per_second": characters / clip_s if clip_s and clip_s > 0 else None,
        "control_characters": len(_CONTROL.findall(text)),
        "replacement_characters": text.count(REPLACEMENT),
    }
