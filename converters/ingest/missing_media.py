"""Check that a candidate's media file exists before any of it is read."""

from __future__ import annotations

import os

from ...shards.media.media import MediaError
from ..candidate import Candidate


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
    except ValueError:
        return None
    return None
