"""`SoundOptions`: the options of changed sound, of `export`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from ....errors import UsageError
from ....options import Option, Options
from .change import GAIN_STEPS, SNR_STEPS, SPEED_STEPS, SoundChange, read_range

SOUND = "What rows sound like"
MOST_COPIES = 100
"""Every copy is a file in the store: a larger number is a slip of the keyboard."""


@dataclass(frozen=True, kw_only=True)
class SoundOptions(Options):
    """Options of changed sound: made once, by content, as FLAC; the corpus's own media stays as it is."""

    noise: Annotated[
        str | None,
        Option("Add noise: white, pink, babble (voices of the store's clips), the clips of a dataset or a folder.",
               SOUND, metavar="SOURCE"),
    ] = None  # fmt: skip
    snr: Annotated[
        str | None, Option("The ratio of sound to noise in dB; default: 5..20.", SOUND, metavar="FROM..TO")
    ] = None
    speed: Annotated[
        str | None,
        Option("Play faster or slower, as a tape does: 0.9..1.1; durations and times of words follow.", SOUND,
               metavar="FROM..TO"),
    ] = None  # fmt: skip
    gain: Annotated[
        str | None, Option("Make louder or softer, in dB: -6..6; what would clip is scaled down.", SOUND,
                           metavar="FROM..TO")
    ] = None  # fmt: skip
    copies: Annotated[
        int, Option("Changed copies beside each row, which then stays as it is; default: the row itself is changed.",
                    SOUND, metavar="N", min=0, max=MOST_COPIES)
    ] = 0  # fmt: skip
    sample_rate: Annotated[
        int | None, Option("Resample sound that has another rate, in Hz: 16000.", SOUND, metavar="HZ", min=4000,
                           max=192_000)
    ] = None  # fmt: skip
    mono: Annotated[bool, Option("Mix sound that has several channels down to one.", SOUND)] = False

    def check(self) -> None:
        if self.snr is not None and self.noise is None:
            raise UsageError("--snr is the ratio to noise.", hint="add --noise pink")
        self.change()

    def change(self) -> SoundChange | None:
        """What is asked for; None: the sound stays as it is."""
        snr = self.snr or ("5..20" if self.noise is not None else None)
        change = SoundChange(
            self.noise,
            read_range(snr, SNR_STEPS, option="--snr", low=-20, high=100),
            read_range(self.speed, SPEED_STEPS, option="--speed", low=0.5, high=2),
            read_range(self.gain, GAIN_STEPS, option="--gain", low=-60, high=60),
            self.sample_rate,
            self.mono,
            self.copies,
        )
        if self.copies and not change.augments:
            raise UsageError("--copies N are copies with changed sound.", hint="add --noise, --speed or --gain")
        return change if change != SoundChange() else None
