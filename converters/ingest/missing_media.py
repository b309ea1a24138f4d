"""Check that a candidate has the media that its task needs, and that its file exists, before any of it is read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ...shards.media.media import MediaError
from ...shards.sample import lacks_media, without_media
from ..candidate import Candidate


def check_needed(candidate: Candidate, defaults: Mapping[str, Any]) -> MediaError | None:
    """The error of a candidate whose task is about a sound or a video, and which has neither; None if it has it.

    Its text alone would be a sample that asks to transcribe nothing.
    """
    task = candidate.fields.get("task") or defaults.get("task")
    return MediaError("no_media", without_media(task)) if lacks_media(task, [k for k, _ in candidate.media]) else None


def check_first_file(candidate: Candidate) -> MediaError | None:
    """The error that storing the first media file would raise because it is missing; None if it exists or is in memory.

    Only the first file is checked: of several files, the first that cannot be stored gives the reason.
    """
    if not candidate.media:
        return None
    path = candidate.media[0][1].path
    if path is None:
        return None
    try:
        os.stat(path)  # noqa: PTH116 (a third of the time of Path.stat, for every row of a table)
    except OSError as error:
        return MediaError("missing_media", f"{path}: {error.strerror}")
    except ValueError as error:  # a path with a NUL character
        return MediaError("missing_media", f"{str(path)!r}: {error}")
    return None
