"""The interface of aligners: clips with their texts in, times or a reason for each out.

An aligner takes 16 kHz mono sound and the words spoken in it. It returns the time of every word of the text, in order,
or a `RowError` that says why there is none: it never returns the times of some words. To add one, write a class like
those in `sphinx.py` and `mfa.py` and name it in `ALIGNERS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ...candidate import RowError
    from ...readers.alignments.interval import Interval

RATE = 16_000
"""The sample rate of every clip, in Hz."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One sample to align: the sound of exactly its span, as int16 mono, and the text spoken in it."""

    id: str
    sound: npt.NDArray[np.int16]
    text: str
    language: str
    speaker: str | None = None

    @property
    def seconds(self) -> float:
        return len(self.sound) / RATE


@dataclass(slots=True)
class Times:
    """The words of a clip in the spelling of its text, and its phones; seconds from the start of the clip."""

    words: list[Interval]
    phones: list[Interval] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AlignerSettings:
    """Which aligner, with which files; hashable, so that each process makes it once.

    Attributes:
        dictionary: A file of pronunciations, or for MFA the name of a dictionary.
        acoustic_model: The name or file of an acoustic model.
        jobs: Processes that an external program may use.
    """

    name: str
    dictionary: str | None = None
    acoustic_model: str | None = None
    jobs: int | None = None


class Aligner(Protocol):
    """What turns clips into times."""

    producer: str
    """Program, version and model: stored with every alignment."""

    part_clips: int
    """How many clips it takes at once."""

    in_workers: bool
    """Whether it runs in our worker processes; a program that starts its own does not."""

    def __init__(self, settings: AlignerSettings) -> None:
        """Raise UsageError if it is not installed, or cannot be used with these settings."""

    def align(self, clips: Sequence[Clip]) -> list[Times | RowError]:
        """The times of each clip, or the reason why it has none, in the order of the clips."""


ALIGNERS = {"pocketsphinx": ".sphinx:PocketSphinx", "mfa": ".mfa:MontrealForcedAligner"}
"""Name -> module in this package and its class."""


@lru_cache(maxsize=1)
def aligner_of(settings: AlignerSettings) -> Aligner:
    """Return the aligner, loading its model once a process.

    Raises:
        UsageError: It is not installed, or cannot be used with these settings.
    """
    module, _, name = ALIGNERS[settings.name].partition(":")
    aligner: Aligner = getattr(import_module(module, __package__), name)(settings)
    return aligner
