"""Path templates: how a card defines which part of a path is the split, the speaker, the id.

`{split}/{speaker}/{chapter}/{id}.flac` matches the end of a path, segment by segment; `{name}` captures characters
within one segment, `*` matches any; a name used twice must match the same characters. Templates cannot cause
catastrophic backtracking, whatever a user's card contains.
"""

from __future__ import annotations

import re
from functools import lru_cache

from ....errors import UsageError

_TOKEN = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}|(\*)")
_WILDCARDS = 4


@lru_cache(maxsize=256)
def compile_template(template: str) -> re.Pattern[str]:
    """The regular expression of a template, anchored at the start of a segment and the end of the path."""
    known: set[str] = set()
    segments = [_compile_segment(segment, template, known) for segment in template.strip("/").split("/")]
    return re.compile("(?:^|/)" + "/".join(segments) + "$")


def _compile_segment(segment: str, template: str, known: set[str]) -> str:
    parts: list[str] = []
    position = 0
    wildcards = 0
    for token in _TOKEN.finditer(segment):
        parts.append(re.escape(segment[position : token.start()]))
        parts.append(_compile_token(token, known))
        position = token.end()
        wildcards += 1
    if wildcards > _WILDCARDS:
        raise UsageError(f"path template {template!r}: at most four placeholders in one segment.")
    return "".join([*parts, re.escape(segment[position:])])


def _compile_token(token: re.Match[str], known: set[str]) -> str:
    name = token[1]
    if name is None:
        return "[^/]*?"
    if name in known:
        return f"(?P={name})"
    known.add(name)
    return f"(?P<{name}>[^/]+?)"


def match(template: str, path: str) -> dict[str, str] | None:
    """The named parts of `path`, or None if the template does not match."""
    found = compile_template(template).search(path)
    return found.groupdict() if found else None


def placeholders(template: str) -> tuple[str, ...]:
    """The distinct names in a template, in order."""
    return tuple(dict.fromkeys(token[1] for token in _TOKEN.finditer(template) if token[1]))
