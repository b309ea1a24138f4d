"""Estimate the cost of a pull from the numbers on a card, without any network request.

    bytes    = samples x (total bytes / total samples); if the card has no bytes, derived from the hours and marked
               rough: 60 MB per hour of audio (LibriSpeech's FLAC), 500 MB per hour of video (about 1 Mbit/s)
    hours    = samples x (total hours / total samples)
    requests = a listing and two reads per file on the hub; one stream per archive; one request per clip if the
               source is a table of links or videos

The bytes count only the samples; an archive that cannot be read in part costs more. A value is `None` if the card
lacks the numbers for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .schema.card import Card, Scale
from .schema.files import groups
from .schema.source import SourceCard

BYTES_AN_HOUR = {"audio": 60_000_000, "video": 500_000_000, "mixed": 500_000_000}


@dataclass(frozen=True, slots=True)
class Estimate:
    """The cost of pulling `samples` samples: bytes downloaded, requests, and hours of media stored.

    `rough` means that the bytes were derived from the hours.
    """

    samples: int | None
    bytes: int | None
    requests: int | None
    hours: float | None
    rough: bool = False


def estimate(card: Card, *, samples: int | None = None, configs: tuple[str, ...] = ()) -> Estimate:
    """Estimate the cost with the card's first source, for the whole dataset or the first `samples` samples."""
    scale = scale_of(card, configs)
    count = samples if samples is not None else scale.samples
    if samples is not None and scale.samples is not None:
        count = min(samples, scale.samples)
    share = count / scale.samples if count is not None and scale.samples else None
    hours = scale.hours * share if scale.hours is not None and share is not None else None
    size = round(scale.bytes * share) if scale.bytes is not None and share is not None else None
    if samples is None:
        size, hours = scale.bytes, scale.hours
    rough = size is None and hours is not None and card.modality in BYTES_AN_HOUR
    if rough and hours is not None:
        size = round(hours * BYTES_AN_HOUR[card.modality])
    return Estimate(count, size, requests_for(card.sources[0], card, samples, configs), hours, rough)


def scale_of(card: Card, configs: tuple[str, ...]) -> Scale:
    """Return the summed scale of the configurations if the card gives it for each; else the dataset's."""
    chosen = [card.configs[name].scale for name in configs if name in card.configs]
    if not chosen or not all(scale.samples or scale.hours for scale in chosen):
        return card.scale
    return Scale(
        hours=_sum([scale.hours for scale in chosen]),
        samples=_whole(_sum([scale.samples for scale in chosen])),
        bytes=_whole(_sum([scale.bytes for scale in chosen])),
    )


def requests_for(source: SourceCard, card: Card, samples: int | None, configs: tuple[str, ...]) -> int | None:
    """Return the number of requests of a pull; a hub pattern counts as one file, as only the hub can expand it."""
    if source.synthetic is not None or source.manual is not None:
        return 0
    opened = [file for group in groups(source.named_files, list(card.splits), configs) for file in group.files]
    if samples is not None:
        # The first group is enough for a small number of samples.
        opened = list(next(iter(groups(source.named_files, list(card.splits), configs))).files) if opened else []
    files = sum(len(file.paths) for file in opened)
    if source.is_remote:
        return None if samples is None else files + samples
    return 1 + 2 * files if source.hub is not None else files


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
