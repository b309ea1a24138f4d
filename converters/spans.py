"""Spans and channels: what a sample is of its media. Seconds from the media's start, channels from 0; null is all.

A span or a channel that was stated is kept, or its sample is refused: the text beside the whole file would be the text
of something else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..shards.media.media import StoredMedia
from ..shards.media.probe import MediaError, probe
from ..shards.media.sound import OVERSHOOT_S
from .candidate import Blob, RowError

TOLERANCE_S = 0.001
"""Manifests round durations; a span that misses the ends by no more than this is the whole recording."""

PADDING_S = 0.25
"""By how much decoders differ about the length of a lossy file: what an encoder adds is cut off or not."""

LENGTH_SHARE = 0.02
"""By how much of its length a file may differ from what a corpus states of it, if that is more than `PADDING_S`."""

CLIP_FACTOR = 1.5
"""A clip that is cut at key frames is longer than what was asked for."""

MediaFields = tuple[str, Mapping[str, Any]]

_LOSSLESS = re.compile("pcm_|flac|alac|float|double|alaw|ulaw|wavpack")
_SIDES: Mapping[str, tuple[int, ...]] = {
    **{letter: (number,) for number, letter in enumerate("abcdefgh")},
    **dict.fromkeys(("l", "left"), (0,)),
    **dict.fromkeys(("r", "right"), (1,)),
    **dict.fromkeys(("average", "mean", "mono", "mix", "all", "both"), ()),
}


def span(start: float, end: float | None, whole: float | None) -> tuple[float | None, float | None]:
    """`start_s` and `end_s` of a sample; `end` None means the recording's end, `whole` is its duration, if known."""
    reaches_end = end is None or (whole is not None and whole - TOLERANCE_S <= end <= whole + OVERSHOOT_S)
    if abs(start) <= TOLERANCE_S and reaches_end:
        return None, None
    # Rounding makes 0.1 + 0.2 come out as 0.3; a nanosecond is shorter than any audio sample.
    return round(start, 9) if abs(start) > TOLERANCE_S else 0.0, None if end is None else round(end, 9)


def stated_whole(stated_s: float | None, media: Sequence[MediaFields]) -> tuple[float, float] | None:
    """The span of a sample that is all of its media by a manifest, where the media has another length than it states.

    That the times of a manifest agree with each other says nothing of the file: it may be cut short, or another one.

    Args:
        stated_s: The length of the media by the manifest; None if it states none.
        media: Kind and probed fields of each.
    """
    if stated_s is None or [kind for kind, _ in media if kind != "image"] != ["audio"]:
        return None
    fields = next(fields for kind, fields in media if kind == "audio")
    length = fields.get("duration")
    slack = OVERSHOOT_S if _LOSSLESS.match(str(fields.get("codec"))) else PADDING_S
    return None if length is None or abs(float(length) - stated_s) <= slack else (0.0, round(stated_s, 9))


def span_suffix(start: float | None, end: float | None, channel: int | Sequence[int] | None = None) -> str:
    """What a span and a channel add to an id: `@1.5-3.25`, in milliseconds at the finest, and `@ch1`."""
    suffix = "" if start is None and end is None else f"@{_written(start or 0.0)}-{_written(end)}"
    return f"{suffix}@ch{channel}" if isinstance(channel, int) else suffix


def _written(second: float | None) -> str:
    return "" if second is None else f"{second:.3f}".rstrip("0").rstrip(".")


def declared(path: Path, field: str) -> float | None:
    """`duration` or `channels` from the file's header; None if unreadable: such a file is rejected later."""
    try:
        value = probe(path).fields.get(field)
    except MediaError:
        return None
    return None if value is None else float(value)


def channels_in(value: Any) -> list[int] | None:
    """The channels that a value names, letters and sides from 0; empty for all of them; None if it names none."""
    if isinstance(value, list | tuple):
        each = [channels_in(item) for item in value]
        return None if any(found is None for found in each) else sorted({n for found in each for n in found or ()})
    if isinstance(value, str):
        name = value.strip().lower()
        if name.isdecimal() and name.isascii():
            return [int(name)]
        return list(_SIDES[name]) if name in _SIDES else None
    is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return [int(value)] if is_whole and not isinstance(value, bool) else None


def sample_rate(medium: Blob) -> float | None:
    """The sample rate in the header of a sound, for spans that are counted in samples.

    Raises:
        RowError: The file cannot be read.
    """
    try:
        rate = probe(medium.data if medium.data is not None else medium.path or Path(medium.name)).fields.get(
            "sample_rate"
        )
    except MediaError as error:
        raise RowError(error.reason, error.detail) from None
    return None if rate is None else float(rate)


def settle(fields: Mapping[str, Any], media: Sequence[StoredMedia]) -> int | None:
    """The channel of a sample, null for all of its file, after a check that its media has the span and the channel.

    Raises:
        MediaError: `span_outside_media`, `no_such_channel` or `channel_unsupported`.
    """
    start, end, channel = (fields.get(name) for name in ("start_s", "end_s", "channel"))
    if not media:
        return None
    if start is not None or end is not None:
        _check_end(start or 0.0, end, media)
    if channel is None:
        return None
    count = next((item.fields.get("channels") for item in media if item.kind == "audio"), None)
    return channel_of(channel, [item.kind for item in media], count)


def check_clip(clip_s: float | None, media: Sequence[StoredMedia]) -> None:
    """Refuse a recording in the place of the clip that was to be cut from it: its label is of a piece of it.

    Raises:
        MediaError: `other_length`.
    """
    found = max((float(item.fields.get("duration") or 0.0) for item in media), default=0.0)
    if clip_s is not None and found > CLIP_FACTOR * clip_s + 1.0:
        raise MediaError(
            "other_length",
            f"the file lasts {found:.3f} s, but the clip {clip_s:g} s by its table: it is not that clip",
        )


def check_length(length_s: float | None, media: Sequence[StoredMedia]) -> None:
    """Refuse a sound that has another length than its corpus says: a file of the same name, but not the same file.

    Raises:
        MediaError: `other_length`.
    """
    found = next((item.fields.get("duration") for item in media if item.kind == "audio"), None)
    if length_s is None or found is None or abs(float(found) - length_s) <= max(PADDING_S, LENGTH_SHARE * length_s):
        return
    stated = f"the file lasts {float(found):.3f} s, but {length_s:g} s by its table"
    raise MediaError("other_length", f"{stated}: it is not the one that the row describes")


def _check_end(start: float, end: float | None, media: Sequence[StoredMedia]) -> None:
    """Refuse a span of which most is not there: its times are of another recording.

    One that only ends too late is stored; the cut and the checks, which decode, decide about it. So do the checks about
    spans of videos, which no view cuts.
    """
    lengths = [float(item.fields["duration"]) for item in media if item.kind == "audio" and item.fields.get("duration")]
    whole = max(lengths, default=None)
    if whole is None or (start < whole and (end is None or end - whole <= max((end - start) / 2, OVERSHOOT_S))):
        return
    raise MediaError(
        "span_outside_media",
        f"the span from {start:g} s to {'the end' if end is None else f'{end:g} s'} is not in the media, which lasts "
        f"{whole:.3f} s (in samples or milliseconds: --map COLUMN=start_sample, end_sample, start_ms ...; times of "
        "another recording, kept as text: --map COLUMN=extra)",
    )


def channel_of(channel: int | Sequence[int], kinds: Sequence[str], count: int | None) -> int | None:
    """The channel of a file that has `count` of them; null if those are all.

    Args:
        kinds: The kinds of the sample's media.

    Raises:
        MediaError: `no_such_channel` or `channel_unsupported`.
    """
    wanted = [channel] if isinstance(channel, int) else sorted(set(channel))
    shown = " and ".join(map(str, wanted))
    if [kind for kind in kinds if kind != "image"] != ["audio"]:
        detail = f"channel {shown}: a channel is taken from one audio file, and this sample has {', '.join(kinds)}"
        raise MediaError("channel_unsupported", f"{detail} (to keep the column as text: --map COLUMN=extra)")
    if count is None:
        raise MediaError("channel_unsupported", f"channel {shown}: the file does not say how many channels it has")
    if lacking := [number for number in wanted if not 0 <= number < count]:
        raise MediaError(
            "no_such_channel",
            f"channel {lacking[0]}: the file has {count}, counted from 0 "
            "(if the table counts from 1: --map COLUMN=channel_from_1; to keep the column as text: --map COLUMN=extra)",
        )
    if len(wanted) == count:
        return None
    if len(wanted) > 1:
        detail = f"channels {shown} of {count}: a sample is one channel or all of them"
        raise MediaError("channel_unsupported", detail)
    return wanted[0]
