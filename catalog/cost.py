"""What a pull would cost, from the numbers on a card: no host is asked.

    bytes    = samples x (bytes of the whole / samples of the whole); where nobody wrote down the bytes, by the hours:
               60 MB an hour of sound (LibriSpeech's FLAC), 500 MB an hour of video (about 1 Mbit/s), marked as rough
    hours    = samples x (hours of the whole / samples of the whole)
    requests = a listing and two reads for each file on the hub; one stream for each archive; one clip at a time where
               the source is a table of links or videos

Bytes are those of the samples; an archive that cannot be read in part costs more. A number is `None` where the card
lacks what it takes.
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
    """The cost of pulling `samples` samples: bytes over the network, requests, and hours of media that are stored.

    `rough` says that the bytes were taken from the hours.
    """

    samples: int | None
    bytes: int | None
    requests: int | None
    hours: float | None
    rough: bool = False


def estimate(card: Card, *, samples: int | None = None, configs: tuple[str, ...] = ()) -> Estimate:
    """The cost by the first source of the card, for the whole dataset or for the first `samples`."""
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
    """The scale of the configurations, added up where the card has each; else that of the dataset."""
    chosen = [card.configs[name].scale for name in configs if name in card.configs]
    if not chosen or not all(scale.samples or scale.hours for scale in chosen):
        return card.scale
    return Scale(
        hours=_sum([scale.hours for scale in chosen]),
        samples=_whole(_sum([scale.samples for scale in chosen])),
        bytes=_whole(_sum([scale.bytes for scale in chosen])),
    )


def requests_for(source: SourceCard, card: Card, samples: int | None, configs: tuple[str, ...]) -> int | None:
    """Requests of a pull; what a pattern of the hub stands for is only known to the hub and counts as one file."""
    if source.synthetic is not None or source.manual is not None:
        return 0
    opened = [file for group in groups(source.named_files, list(card.splits), configs) for file in group.files]
    if samples is not None:
        # The first group suffices for a small number.
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
