"""Convert Lhotse recordings, supervisions and cuts to rows: the audio file, the span in it, and the timed words."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Iterator, Mapping
from typing import Any

from ....shards.media.sound import OVERSHOOT_S
from ...candidate import Blob, Rejection, RowError
from ...spans import span
from ..tables.cells import Row, Rows

_OWN = frozenset({"id", "recording_id", "start", "duration", "text", "language", "speaker", "channel", "alignment",
                  "custom"})  # fmt: skip
OF_ANOTHER = "supervision.recording_id"
"""The recording that a supervision names, where its cut has another one."""
_ALIGNED = {"word": "words", "words": "words", "phone": "phones", "phones": "phones", "phoneme": "phones"}
_HARMLESS_TRANSFORMS = frozenset({"Resample"})
"""Transforms that only change the sample rate."""


def cut_rows(row: Row) -> Rows:
    """The rows of one cut: one per supervision, or one for a cut without supervisions."""
    cut = row.values
    try:
        recording = _recording_of(cut)
        zero, length = _seconds(cut, "start", default=0.0), _seconds(cut, "duration")
    except RowError as problem:
        yield _rejection(cut, row.where, problem)
        return
    supervisions = cut.get("supervisions") or []
    if not isinstance(supervisions, list) or not all(isinstance(item, dict) for item in supervisions):
        yield _rejection(cut, row.where, RowError("bad_value", "supervisions is not a list of objects"))
    elif not supervisions:
        bare = {"id": cut.get("id"), "start": zero, "duration": length, "channel": cut.get("channel")}
        yield from _cut_row(cut, bare, recording, 0.0, row.where)
    else:
        for supervision in supervisions:
            yield from _cut_row(cut, supervision, recording, zero, f"{row.where}#{supervision.get('id')}")


def _cut_row(
    cut: Mapping[str, Any], supervision: Mapping[str, Any], recording: Mapping[str, Any], zero: float, where: str
) -> Iterator[Row | Rejection]:
    try:
        _check_channel(cut, supervision)
        row = supervised(supervision, recording, zero=zero, where=where)
    except RowError as problem:
        yield _rejection(supervision, where, problem)
        return
    custom = cut.get("custom")
    row.values = {**_extra(custom if isinstance(custom, dict) else {}), **row.values}
    if cut.get("id") not in (None, row.values["id"]):
        row.values["cut_id"] = str(cut["id"])
    if supervision.get("recording_id") not in (None, recording.get("id")):
        row.values[OF_ANOTHER] = supervision["recording_id"]
    yield row


def _check_channel(cut: Mapping[str, Any], supervision: Mapping[str, Any]) -> None:
    own, of_cut = _channels(supervision.get("channel")), _channels(cut.get("channel"))
    if own is not None and of_cut is not None and not own <= of_cut:
        detail = f"it is on channel {supervision.get('channel')}, but its cut has channel {cut.get('channel')}"
        raise RowError("channel_conflict", detail)


def _rejection(record: Mapping[str, Any], where: str, problem: RowError) -> Rejection:
    return problem.rejection(where, candidate=str(record.get("id") or where))


def _recording_of(cut: Mapping[str, Any]) -> dict[str, Any]:
    if "tracks" in cut or cut.get("type") == "MixedCut":
        tracks = cut.get("tracks")
        count = len(tracks) if isinstance(tracks, list) else 0
        raise RowError("mixed_cut", f"its audio is a mix of {count} tracks, not a file: save it first (save_audios)")
    if cut.get("type") == "PaddingCut":
        raise RowError("padding_cut", "the cut is silence without a recording")
    recording = cut.get("recording")
    if not isinstance(recording, dict):
        raise RowError("no_media", "the cut has no recording (features alone are not media)")
    return recording


def unsupervised(row: Row) -> Row | Rejection:
    """The row of a recording without supervisions: one sample, without text."""
    recording = row.values
    try:
        bare = {"id": recording.get("id"), "start": 0.0, "duration": _seconds(recording, "duration")}
        return supervised(bare, recording, zero=0.0, where=row.where)
    except RowError as problem:
        return _rejection(recording, row.where, problem)


def supervised(supervision: Mapping[str, Any], recording: Mapping[str, Any], *, zero: float, where: str) -> Row:
    """The row of one supervision; its times are relative to `zero` seconds in the recording.

    Raises:
        RowError: The recording does not consist of readable files, or the record is invalid.
    """
    if not supervision.get("id"):
        raise RowError("no_id", "the record has no id")
    whole = _duration(recording)
    start, length = zero + _seconds(supervision, "start"), _seconds(supervision, "duration")
    end = start + length
    if length <= 0 or start < -OVERSHOOT_S or end <= 0 or (whole is not None and start >= whole):
        raise RowError("bad_value", f"{start:g} to {end:g} s is not a span of the recording")
    if whole is not None and whole < end <= whole + OVERSHOOT_S:
        end = whole
    start_s, end_s = span(max(start, 0.0), end, whole)
    media, channel = _media(recording, supervision.get("channel"))
    custom = supervision.get("custom")
    values: dict[str, Any] = _extra(custom if isinstance(custom, dict) else {})
    values |= _extra({key: value for key, value in supervision.items() if key not in _OWN})
    values |= {
        "id": str(supervision["id"]),
        "media": media,
        "file_channel": channel,
        "recording_id": recording.get("id"),
        "channel": supervision.get("channel"),
        "start_s": start_s,
        "end_s": end_s,
        **{name: supervision.get(name) for name in ("text", "language", "speaker")},
        **_alignments(supervision.get("alignment"), zero),
    }
    if recording.get("transforms"):
        values["transforms"] = recording["transforms"]
    values = {column: value for column, value in values.items() if value is not None}
    return Row(values, where, stated_s=whole if start_s is None and end_s is None else None)


def _extra(custom: Mapping[str, Any]) -> dict[str, Any]:
    """Custom fields under their own names; names that already have a meaning get the prefix `custom.`."""
    taken = {
        "media",
        "file_channel",
        "audio",
        "video",
        "image",
        "start_s",
        "end_s",
        "words",
        "phones",
        "start",
        "end",
        *_OWN,
    }
    return {f"custom.{key}" if str(key).lower() in taken else str(key): value for key, value in custom.items()}


def _media(recording: Mapping[str, Any], channel: Any) -> tuple[list[Any], list[int] | None]:
    """The files with the requested channels, as paths or bytes embedded in the manifest; and the channels in the file.

    None instead of channels means all those of the files.
    """
    transforms = recording.get("transforms") or []
    transforms = transforms if isinstance(transforms, list) else [transforms]
    names = {str(item.get("name")) if isinstance(item, dict) else str(item) for item in transforms}
    if names - _HARMLESS_TRANSFORMS:
        raise RowError("transformed_recording", f"the audio is transformed after loading ({', '.join(sorted(names))})")
    sources = recording.get("sources")
    if not isinstance(sources, list) or not sources or not all(isinstance(source, dict) for source in sources):
        raise RowError("no_media", "the recording has no sources")
    wanted = _channels(channel)
    if wanted is None:
        return [_source(source) for source in sources], None
    numbered = [(source, _numbers(source, wanted)) for source in sources]
    if missing := wanted.difference(*(numbers for _, numbers in numbered)):
        raise RowError("no_such_channel", f"no source of the recording has channel {min(missing)}")
    chosen = [(source, numbers) for source, numbers in numbered if wanted & set(numbers)]
    if len(chosen) > 1 and not all(wanted.issuperset(numbers) for _, numbers in chosen):
        raise RowError("channel_unsupported", f"channels {channel} are parts of several files: take one at a time")
    places = [place for place, number in enumerate(chosen[0][1]) if number in wanted]
    is_whole = len(chosen) > 1 or len(places) == len(chosen[0][1])
    return [_source(source) for source, _ in chosen], None if is_whole else places


def _channels(channel: Any) -> set[int] | None:
    """The channels that a supervision or a cut names; None if it names none."""
    listed = [] if channel is None else channel if isinstance(channel, list) else [channel]
    if not all(isinstance(number, int) and not isinstance(number, bool) for number in listed):
        raise RowError("bad_value", f"channels must be numbers, got {channel!r}")
    return set(listed) or None


def _numbers(source: Mapping[str, Any], wanted: set[int]) -> list[int]:
    """The recording's channels in a source, in the order of the file; without a list, the file's own numbers."""
    numbers = source.get("channels")
    if numbers is None:
        return list(range(max(wanted) + 2))
    if not isinstance(numbers, list) or not all(isinstance(number, int) for number in numbers):
        raise RowError("bad_value", f"the channels of a source must be numbers, got {numbers!r}")
    return numbers


def _source(source: Mapping[str, Any]) -> Any:
    kind, place = source.get("type"), source.get("source")
    if kind == "command":
        raise RowError("executable_entry", f"the audio comes from a command, which is never run: {str(place)[:80]}")
    if kind == "url":
        raise RowError("remote_media", f"download it first: {str(place)[:200]}")
    if kind == "file" and isinstance(place, str) and place:
        return place
    if kind == "memory" and isinstance(place, str):
        try:
            return Blob("memory", data=base64.b64decode(place, validate=True))
        except (binascii.Error, ValueError) as error:
            raise RowError("bad_value", f"the audio in the manifest is not valid base64 ({error})") from None
    raise RowError("unsupported_source", f"a source of type {kind!r}: {str(place)[:80]}")


def _alignments(alignment: Any, zero: float) -> dict[str, Any]:
    """Aligned words and phones in seconds of the recording; other kinds are kept unchanged, for `extra`."""
    if not isinstance(alignment, dict):
        return {}
    found: dict[str, Any] = {}
    for kind, items in alignment.items():
        field = _ALIGNED.get(str(kind))
        if field is None or field in found:
            found[f"alignment.{kind}"] = items
        elif isinstance(items, list):
            found[field] = [_aligned(item, zero) for item in items]
    return found


def _aligned(item: Any, zero: float) -> dict[str, Any]:
    """One `[symbol, start, duration, score]`, or the same as an object."""
    try:
        parts = [item[key] for key in ("symbol", "start", "duration")] if isinstance(item, dict) else list(item)[:3]
        symbol, start, length = str(parts[0]), zero + float(parts[1]), float(parts[2])
    except (KeyError, IndexError, TypeError, ValueError, OverflowError):
        raise RowError("bad_value", f"expected [symbol, start, duration], got {str(item)[:80]}") from None
    if length < 0 or not math.isfinite(start + length):
        raise RowError("bad_value", f"{symbol!r} is aligned to {start} + {length} s")
    return {"text": symbol, "start_s": round(start, 9), "end_s": round(start + length, 9)}


def _seconds(record: Mapping[str, Any], key: str, *, default: float | None = None) -> float:
    value = _number(record.get(key, default))
    if value is None:
        raise RowError("bad_value", f"{key} must be a number of seconds, got {str(record.get(key))[:80]}")
    return value


def _duration(recording: Mapping[str, Any]) -> float | None:
    return _number(recording.get("duration"))


def _number(value: Any) -> float | None:
    """A finite JSON number; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
