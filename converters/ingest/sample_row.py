"""The row of one candidate whose media is stored: dataset defaults, the reader's fields and the probed media fields."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from ...errors import DamagedError
from ...shards.media.media import MediaError, StoredMedia
from ...shards.sample import COLUMNS, MEDIA_KINDS, PANEL_OF_MODALITY, SCHEMA
from ...shards.store.rows_to_arrow import values_to_array
from ..candidate import Candidate
from ..spans import check_clip, check_length, settle, stated_whole

UNFIT = (pa.ArrowException, TypeError, ValueError, OverflowError)
"""What the conversion to Arrow raises for a value that does not fit its column."""

_FIELDS = frozenset(COLUMNS) - {"id", "dataset", "config", "split", "pulled_at", *MEDIA_KINDS, "more_media"}


def make_row(
    dataset: str,
    identity: str,
    candidate: Candidate,
    media: list[StoredMedia] | MediaError,
    defaults: Mapping[str, Any],
) -> dict[str, Any] | MediaError:
    """The columns of the sample schema that are not null; or what is wrong with its media, its span or its channel.

    Raises:
        DamagedError: The reader set a field that is not in the sample schema.
    """
    if isinstance(media, MediaError):
        return media
    unknown = candidate.fields.keys() - _FIELDS
    if unknown:
        raise DamagedError(f"{candidate.where}: the reader set fields unknown to the sample schema: {sorted(unknown)}.")
    row: dict[str, Any] = {**defaults, **candidate.fields}
    if (stated := stated_whole(candidate.stated_s, [(item.kind, item.fields) for item in media])) is not None:
        row["start_s"], row["end_s"] = stated
    try:
        if row.get("start_s") is None and row.get("end_s") is None:
            check_length(candidate.length_s, media)
            check_clip(candidate.clip_s, media)
        row["channel"] = settle(row, media)
    except MediaError as error:
        return error
    row.update(_media_columns(media))
    row["modality"], row["panel"] = _modality_and_panel(row, candidate, defaults)
    extra = {**(defaults.get("extra") or {}), **(candidate.fields.get("extra") or {})}
    row["extra"] = sorted((key, value) for key, value in extra.items() if value is not None) or None
    row.update(
        id=identity,
        dataset=dataset,
        config=candidate.config,
        split=candidate.split,
        source=candidate.uri,
        revision=candidate.revision,
        pulled_at=datetime.now(UTC),
    )
    return row


def text_size(value: Any) -> int:
    """The characters in a row, or in a value of it: lists and structs with all that they hold."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(text_size, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(text_size, value))
    return 0


def stamped(rows: pa.Table) -> pa.Table:
    """Rows with the time of their commit as `pulled_at`: what was measured or decided before is about other rows."""
    place = rows.schema.get_field_index("pulled_at")
    field = rows.schema.field(place)
    return rows.set_column(place, field, pa.repeat(pa.scalar(datetime.now(UTC), field.type), len(rows)))


def _media_columns(media: list[StoredMedia]) -> dict[str, Any]:
    """The first medium of each kind in its own column, the others in `more_media`, in tag order."""
    columns: dict[str, Any] = {}
    more = []
    for item in media:
        if item.kind not in columns:
            columns[item.kind] = item.fields
        else:
            fields = {key: item.fields.get(key) for key in ("path", "sha256", "duration")}
            more.append({"kind": item.kind, **fields})
    if more:
        columns["more_media"] = more
    return columns


def _modality_and_panel(
    row: Mapping[str, Any], candidate: Candidate, defaults: Mapping[str, Any]
) -> tuple[str, str | None]:
    """What the row or its dataset states, unless its media is sound alone; else what its media is."""
    stated, panel = row.get("modality"), row.get("panel")
    is_default = "modality" not in candidate.fields and stated == defaults.get("modality")
    if stated == "mixed" and is_default and _is_sound_alone(row):
        return "audio", PANEL_OF_MODALITY["audio"]
    modality = stated or _modality(row, candidate)
    # The panel that a dataset states is that of its own modality; a row of another one has that of its own.
    is_other = defaults.get("modality") not in (None, modality) and "panel" not in candidate.fields
    return modality, PANEL_OF_MODALITY.get(modality) if is_other or not panel else panel


def _is_sound_alone(row: Mapping[str, Any]) -> bool:
    return bool(row.get("audio")) and not row.get("video") and not row.get("image")


def _modality(row: Mapping[str, Any], candidate: Candidate) -> str:
    video = row.get("video")
    if video:
        # Where a column says `video` the picture was asked for; a file of any kind is all that it contains.
        whole = any(kind not in MEDIA_KINDS for kind, _ in candidate.media)
        return "mixed" if row.get("audio") or (whole and video.get("has_audio")) else "video"
    return "audio" if row.get("audio") else "text"


def describe_misfit(row: Mapping[str, Any], error: Exception) -> str:
    """Describe what does not fit the schema, naming the column; for a column in `extra`, its own name."""
    parts = [(name, row.get(name), SCHEMA.field(name).type) for name in SCHEMA.names if name != "extra"]
    parts += [(key, [(key, value)], SCHEMA.field("extra").type) for key, value in row.get("extra") or ()]
    for name, value, type_ in parts:
        try:
            values_to_array([value], type_)
        except UnicodeEncodeError as fault:
            found = fault.object[fault.start : fault.end]
            return f"column {name!r}: unpaired surrogate {found!r}, which is not valid Unicode text"
        except UNFIT as fault:
            return f"column {name!r}: {fault}"
    return str(error)
