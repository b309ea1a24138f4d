"""Changed sound: another speed, noise, gain; a pure function of samples and a recipe.

Samples are int16, mono. Speed is that of a tape (sox `speed`): pitch moves with it, and the sound lasts 1/speed as
long. Noise is added at a signal-to-noise ratio over the whole sound: its gain is
`rms(speech) / (rms(noise) * 10**(snr/20))`. A result that would clip is scaled down as a whole. Energies are sums of
integers and generated noise is made of the bytes of a hash, so that the same recipe gives the same samples on every
machine.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .streams import MediaError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Int16 = npt.NDArray[np.int16]

AUGMENT_FORM = "augmented-1"
"""It names what a recipe makes; the number rises when the same recipe gives other samples."""

LOUDEST = 32_767
_PINK_ROWS = 12
"""Octaves of pink noise: it is flat below 16,000 / 2 / 2**12 = 2 Hz."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is done to one sound, in this order.

    Attributes:
        speed: 1.1 is faster and higher by a tenth.
        snr_db: The ratio of the sound to the noise that is added, in dB; None: no noise.
        gain_db: How much louder it becomes, noise included, in dB.
    """

    speed: float = 1.0
    snr_db: float | None = None
    gain_db: float = 0.0

    def key(self) -> str:
        """What names it in the name of a cached file."""
        return f"{AUGMENT_FORM}|speed {self.speed:g}|snr {self.snr_db}|gain {self.gain_db:g}"


@dataclass(frozen=True, slots=True)
class Augmented:
    """The samples, and by how many dB they were scaled down so that none clips."""

    samples: Int16
    scaled_db: float = 0.0


def augment(samples: Int16, recipe: Recipe, noise: Int16 | None = None) -> Augmented:
    """Apply a recipe; `noise` is repeated or cut to the length of the result.

    Raises:
        MediaError: `silent`: sound or noise has no energy, so that there is no ratio between them.
    """
    import numpy as np

    mixed = at_speed(samples, recipe.speed).astype(np.float64)
    if recipe.snr_db is not None and noise is not None:
        added = np.resize(noise, len(mixed))
        speech_rms, noise_rms = rms(mixed.astype(np.int64)), rms(added)
        if not speech_rms or not noise_rms:
            raise MediaError("silent", "the sound is silent: no ratio to noise can be set" if noise_rms else _NO_NOISE)
        mixed += added * noise_gain(speech_rms, noise_rms, recipe.snr_db)
    if recipe.gain_db:
        mixed *= 10 ** (recipe.gain_db / 20)
    return _unclipped(mixed)


_NO_NOISE = "the noise is silent: no ratio to it can be set"


def _unclipped(mixed: npt.NDArray[np.float64]) -> Augmented:
    import numpy as np

    peak = float(np.abs(mixed).max(initial=0.0))
    fits = mixed.max(initial=0.0) < LOUDEST + 0.5 and mixed.min(initial=0.0) >= -LOUDEST - 1.5
    scaled = 1.0 if fits else LOUDEST / peak
    samples = np.clip(np.rint(mixed * scaled), -LOUDEST - 1, LOUDEST).astype(np.int16)
    return Augmented(samples, round(20 * math.log10(scaled), 2) if scaled < 1 else 0.0)


def noise_gain(speech_rms: float, noise_rms: float, snr_db: float) -> float:
    """The factor by which noise is multiplied for a signal-to-noise ratio in dB."""
    return speech_rms / (noise_rms * 10 ** (snr_db / 20))


def rms(samples: npt.NDArray[np.integer]) -> float:
    """The root mean square of samples; exact but for the root."""
    import numpy as np

    if not len(samples):
        return 0.0
    wide = samples.astype(np.int64)
    return math.sqrt(int((wide * wide).sum()) / len(wide))


def length_at_speed(samples: int, speed: float) -> int:
    """How many samples a sound of so many has at another speed."""
    return round(samples / speed)


def at_speed(samples: Int16, speed: float) -> Int16:
    """The sound played faster or slower, by resampling."""
    import numpy as np

    if speed == 1.0:
        return samples
    import soxr

    # The ratio alone counts: so many samples a second become a thousand.
    made = soxr.resample(samples.astype(np.float64), round(speed * 1000), 1000, quality="VHQ")
    length = length_at_speed(len(samples), speed)
    made = np.pad(made, (0, max(0, length - len(made))))[:length]
    played: Int16 = np.clip(np.rint(made), -LOUDEST - 1, LOUDEST).astype(np.int16)
    return played


def white_noise(length: int, seed: str) -> Int16:
    """Noise with the same power at every frequency."""
    import numpy as np

    return np.frombuffer(hashlib.shake_256(seed.encode()).digest(2 * length), dtype="<i2").astype(np.int16)


def pink_noise(length: int, seed: str) -> Int16:
    """Noise whose power falls by 3 dB an octave: the sum of white noises, each held twice as long as the one before."""
    import numpy as np

    total = np.zeros(length, np.int64)
    for row in range(_PINK_ROWS):
        held = 2**row
        total += np.repeat(white_noise(-(-length // held), f"{seed}:{row}"), held)[:length]
    return (total // _PINK_ROWS).astype(np.int16)


def babble(voices: list[Int16], length: int) -> Int16:
    """Several voices at once, equally loud, each repeated or cut to the length; the loudest sample is a half of full
    scale."""
    import numpy as np

    total = np.zeros(length, np.float64)
    for voice in voices:
        loudness = rms(voice)
        if loudness:
            total += np.resize(voice, length) / loudness
    peak = float(np.abs(total).max(initial=0.0))
    return np.rint(total * (LOUDEST / 2 / peak)).astype(np.int16) if peak else np.zeros(length, np.int16)
