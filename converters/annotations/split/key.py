"""What keeps samples together: the key of a split, and the links that hold whatever the key is.

    speaker        the corpus's own speaker
    session        the first of these in `extra`: session, session_id, meeting_id, meeting, conversation_id,
                   recording_id, recording, chapter_id
    source_video   a video on YouTube, by its id in `extra` or in the address of the source; else the video's content
    COLUMN         a column of `samples`; `extra.NAME` is an entry of `extra`
    SQL            one expression over these columns

A value holds within its dataset, because corpora number their speakers from 1: `across` says that it does not. An id of
YouTube is the same everywhere.

Two samples of one medium (by content, in any place of the sample), of one video on YouTube, or of one recording
(`recording_id` or `recording`, within a dataset) are linked as well: they say the same, whoever speaks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ....shards.store.sql import quote

_SESSION = (
    "session", "session_id", "meeting_id", "meeting", "conversation_id", "recording_id", "recording", "chapter_id",
)  # fmt: skip
_RECORDING = ("recording_id", "recording")
_VIDEO = ("youtube_id", "ytid", "yt_id", "videoID", "video_id")
_EXTRA = re.compile(r"extra\.([^()'\"]+)")


def _extra(names: Sequence[str]) -> str:
    return f"coalesce({', '.join(f'nullif(trim(extra[{quote(name)}]), {quote(str())})' for name in names)})"


_YOUTUBE_ID = "[A-Za-z0-9_-]{11}"
_ADDRESS = f"(?:youtu\\.be/|youtube\\.com/(?:watch\\?v=|embed/|shorts/))({_YOUTUBE_ID})"
_FROM_ADDRESS = f"nullif(regexp_extract(source, '{_ADDRESS}', 1), '')"
_FROM_EXTRA = f"CASE WHEN regexp_full_match({_extra(_VIDEO)}, '{_YOUTUBE_ID}') THEN {_extra(_VIDEO)} END"
YOUTUBE = f"coalesce({_FROM_EXTRA}, {_FROM_ADDRESS})"
"""SQL for the id of a sample's video on YouTube."""

KEYS = {
    "speaker": "speaker",
    "session": _extra(_SESSION),
    "source_video": f"coalesce('youtube:' || {YOUTUBE}, {_extra(_VIDEO)}, video.sha256)",
}

_MEDIA = (
    "list_filter(list_concat([audio.sha256, video.sha256, image.sha256], "
    "coalesce([m.sha256 FOR m IN more_media], [])), lambda s: s IS NOT NULL)"
)
LINKS = (
    f"list_concat([('m|' || s) FOR s IN {_MEDIA}], list_filter(["
    f"'v|' || {YOUTUBE}, 'r|' || dataset || '|' || {_extra(_RECORDING)}], lambda s: s IS NOT NULL))"
)
"""SQL for the links of a sample, besides its key."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key.

    Attributes:
        text: As the user wrote it.
        value: SQL for the value of a sample, text or null.
        across: Whether equal values of two datasets are the same.
    """

    text: str
    value: str
    across: bool = False

    @property
    def sql(self) -> str:
        """SQL for the key of a sample: equal for samples that must stay together; null without a value."""
        value = f"nullif(trim(({self.value})::VARCHAR), '')"
        if self.across:
            return f"'k|' || {value}"
        # The id of a video on YouTube means the same in all datasets.
        scope = (
            "CASE WHEN starts_with(v, 'youtube:') THEN '' ELSE dataset END"
            if self.text == "source_video"
            else "dataset"
        )
        return f"list_transform([{value}], lambda v: 'k|' || {scope} || '|' || v)[1]"


def key_of(text: str, *, flag: str, across: bool = False) -> Key:
    """Read a key as users write it.

    Raises:
        UsageError: It is neither a column nor one deterministic SQL expression.
    """
    from ....shards.query import check_where
    from ....shards.sample import COLUMNS

    if text in KEYS:
        return Key(text, KEYS[text], across)
    if text in COLUMNS:
        return Key(text, f'"{text}"', across)
    if (match := _EXTRA.fullmatch(text)) is not None:
        return Key(text, f"extra[{quote(match[1])}]", across)
    return Key(text, check_where(text, flag=flag), across)
