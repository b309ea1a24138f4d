"""The row of one candidate whose media is stored: dataset defaults, the reader's fields and the probed media fields."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ...errors import DamagedError
from ...shards.media.media import StoredMedia
from ...shards.sample import COLUMNS, MEDIA_KINDS, PANEL_OF_MODALITY
from ..candidate import Candidate

_FIELDS = frozenset(COLUMNS) - {"id", "dataset", "config", "split", "pulled_at", *MEDIA_KINDS, "more_media"}


def make_row(
    dataset: str, identity: str, candidate: Candidate, media: list[StoredMedia], defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """The columns of the sample schema that are not null.

    Raises:
        DamagedError: The reader set a field that is not in the sample schema.
    """
    unknown = candidate.fields.keys() - _FIELDS
    if unknown:
        raise DamagedError(f"{candidate.where}: the reader set fields unknown to the sample schema: {sorted(unknown)}.")
    row: dict[str, Any] = {**defaults, **candidate.fields}
    row.update(_media_columns(media))
    row["modality"] = row.get("modality") or _modality(row)
    row["panel"] = row.get("panel") or PANEL_OF_MODALITY.get(row["modality"])
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


def _modality(row: Mapping[str, Any]) -> str:
    if row.get("video"):
        return "mixed" if row.get("audio") else "video"
    return "audio" if row.get("audio") else "text"
