"""Make one MS-SWIFT row from Python values, validated against the format's rules."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...validators.formats import FORMATS


def msswift_row(
    user: str,
    assistant: str | None = None,
    *,
    system: str | None = None,
    images: Sequence[str | Path] = (),
    videos: Sequence[str | Path] = (),
    audios: Sequence[str | Path] = (),
    solution: str | None = None,
) -> dict[str, Any]:
    """Make an SFT row, or a GRPO row if there is a `solution` but no `assistant` text.

    If the user turn has no tag, one tag per medium is put in front: images first, then videos, then audios. The media
    files are not checked for existence.

    Raises:
        UsageError: MS-SWIFT would drop the row, or tags and media do not match.

    Example:
        >>> msswift_row("What did the speaker say?", "Hello.", audios=["/a.wav"])["messages"][0]["content"]
        '<audio>What did the speaker say?'
    """
    media = {"images": images, "videos": videos, "audios": audios}
    if not any(f"<{kind[:-1]}>" in user for kind in media):
        user = "".join(f"<{kind[:-1]}>" * len(paths) for kind, paths in media.items()) + user
    turns = [("system", system), ("user", user), ("assistant", assistant)]
    row: dict[str, Any] = {"messages": [{"role": role, "content": text} for role, text in turns if text is not None]}
    row |= {kind: [str(path) for path in paths] for kind, paths in media.items() if paths}
    row |= {"solution": solution} if solution is not None else {}
    validator = FORMATS["msswift"].Rows(
        task="grpo" if assistant is None and solution is not None else "sft", files=False
    )
    fatal = ("media_without_tag", "tag_without_media")
    for finding in validator.check(1, row):
        if finding.severity == "error" or finding.code in fatal:
            raise UsageError(f"{finding.message}{f': {finding.value}' if finding.value else ''}.")
    return row
