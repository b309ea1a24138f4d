"""Text measurements: lengths, speed relative to the clip, and characters that no transcript should contain.

* `characters` counts code points that are not white space, so that scripts with and without spaces are comparable.
* `word_count` counts the pieces between white space; it means little for scripts without spaces.
* `characters_per_second` = characters / the clip's length in seconds; null if either is unknown or the length is zero.
* `control_characters` counts Unicode category Cc except tab, line feed and carriage return.
* `replacement_characters` counts U+FFFD, which a decoder writes for bytes that are invalid in the given encoding.
"""

from __future__ import annotations

import re
from typing import Any

REPLACEMENT = "\ufffd"
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def measure(text: str | None, *, clip_s: float | None) -> dict[str, Any]:
    """Return the columns of a text; `clip_s` is the length of the audio or video it belongs to."""
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
