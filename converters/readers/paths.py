"""Path templates: how a card says which part of a path is the split, the speaker, the id.

`{split}/{speaker}/{chapter}/{id}.flac` matches the end of a path, segment by segment; `{name}` takes the characters of
one segment, `*` any of them. Templates cannot backtrack badly, whatever a user's card holds.
"""

from __future__ import annotations

import re
from functools import lru_cache

from ...errors import UsageError

_TOKEN = re.compile(r"\{([a-z_]+)\}|(\*)")


@lru_cache(maxsize=256)
def compile_template(template: str) -> re.Pattern[str]:
    """The regular expression of a template, anchored at a segment's start and the path's end."""
    segments = [_compile_segment(segment, template) for segment in template.strip("/").split("/")]
    return re.compile("(?:^|/)" + "/".join(segments) + "$")


def _compile_segment(segment: str, template: str) -> str:
    parts: list[str] = []
    position = 0
    wildcards = 0
    for token in _TOKEN.finditer(segment):
        parts.append(re.escape(segment[position : token.start()]))
        parts.append(f"(?P<{token[1]}>[^/]+?)" if token[1] else "[^/]*?")
        position = token.end()
        wildcards += 1
    if wildcards > 4:
        raise UsageError(f"path template {template!r}: at most four placeholders in one segment.")
    return "".join([*parts, re.escape(segment[position:])])


def match(template: str, path: str) -> dict[str, str] | None:
    """The named parts of `path`, or None where the template does not match."""
    found = compile_template(template).search(path)
    return found.groupdict() if found else None
