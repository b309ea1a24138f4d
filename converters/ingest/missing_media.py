"""Whether a candidate's media is there at all, asked before any of it is read."""

from __future__ import annotations

import os

from ...shards.media.media import MediaError
from ..candidate import Candidate


def find_absence(candidate: Candidate) -> MediaError | None:
    """That the candidate's first media file is not there, as storing it would say; None where it is, or lies in memory.

    Of several files the first that cannot be stored gives the reason, so that only the first is looked for.
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
    except ValueError:
        return None
    return None
