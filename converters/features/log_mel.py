"""A log-mel spectrogram, with the numbers that the model's own extractor gives.

Only frames that are sound are kept: the silence to which a clip is padded says nothing. Values at its end are those of
the padded clip. Sums are of 64-bit floats; their logarithms have 32.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from ...shards.media.streams import MediaError
from .extractors import HOP, RATE, WINDOW, Extractor

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Floats = npt.NDArray[np.float32]

_FLOOR = 1e-10
_RANGE = 8.0
_BATCH = 3_000
"""Frames that are transformed at once: 30 s."""


def log_mel(samples: Floats, extractor: Extractor) -> Floats:
    """The spectrogram of a clip of mono sound at 16 kHz, of shape (frames, bins).

    Raises:
        MediaError: `too_short`: the extractor needs more than half a window; `longer_than_30_s`: it would cut the rest
            off.
    """
    import numpy as np

    if len(samples) <= WINDOW // 2 and (extractor.longest_s is None or not len(samples)):
        raise MediaError("too_short", f"{len(samples)} samples; {extractor.name} needs more than {WINDOW // 2}")
    padded = samples
    if extractor.longest_s is not None:
        longest = extractor.longest_s * RATE
        if len(samples) > longest:
            raise MediaError(f"longer_than_{extractor.longest_s}_s", f"{len(samples) / RATE:.3f} s")
        # Of the silence behind the clip only the part that windows of its last frames reach into can matter.
        padded = np.pad(padded, (0, min(longest - len(padded), 2 * WINDOW)))
    padded = np.pad(padded, WINDOW // 2, mode="reflect")
    count = (len(padded) - WINDOW) // HOP  # the last frame is dropped, as Whisper does
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:count]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    bank = _mel_bank(extractor.bins)
    logs = np.empty((count, extractor.bins), np.float32)
    for start in range(0, count, _BATCH):
        power = np.abs(np.fft.rfft(windows[start : start + _BATCH] * hann)) ** 2
        logs[start : start + _BATCH] = np.log10(np.maximum(power @ bank, _FLOOR))
    loudest = logs.max()
    kept: Floats = logs[: extractor.frames_of(len(samples))]
    scaled: Floats = (np.maximum(kept, loudest - np.float32(_RANGE)) + np.float32(4)) / np.float32(4)
    return scaled


@lru_cache
def _mel_bank(bins: int) -> npt.NDArray[np.float64]:
    """Triangular filters of equal energy on Slaney's mel scale, of shape (frequencies, bins).

    The scale is linear up to 1,000 Hz (15 mel) and logarithmic above: 27 mel are a factor of 6.4.
    Source: M. Slaney, Auditory Toolbox, 1998.
    """
    import numpy as np

    step = np.log(6.4) / 27
    mel = np.linspace(0.0, 15 + np.log(RATE / 2 / 1000) / step, bins + 2)
    edges = np.where(mel < 15, mel * 200 / 3, 1000 * np.exp(step * (mel - 15)))
    heard = np.linspace(0, RATE / 2, WINDOW // 2 + 1)
    widths = np.diff(edges)
    rising = (heard[:, None] - edges[:-2]) / widths[:-1]
    falling = (edges[2:] - heard[:, None]) / widths[1:]
    bank: npt.NDArray[np.float64] = np.maximum(0, np.minimum(rising, falling)) * (2 / (edges[2:] - edges[:-2]))
    return bank
