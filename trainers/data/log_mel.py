"""Log-mel spectra as Whisper's extractor makes them, without the work of its zeros.

The extractor pads a clip to 30 s and transforms all of them. What lies behind the clip is silence, whose value is
known: here only the frames are transformed that the clip reaches. Both give the same numbers, as tests compare; the
steps are those of `WhisperFeatureExtractor` in transformers 5.23.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import UsageError

if TYPE_CHECKING:
    import torch

    from .sound import Samples

_RANGE, _SHIFT, _SCALE = 8.0, 4.0, 4.0
_LEAST = 1e-10
"""Of the power in a band, before its logarithm is taken."""


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    """The frames of one clip.

    Attributes:
        frames: Shape (bands, frames): those of the clip, and those behind it that its last samples reach.
        heard: How many frames are the clip's.
        silence: The value of every frame behind these.
    """

    frames: torch.Tensor
    heard: int
    silence: float


class LogMel:
    """Makes spectra; from the settings of a model's extractor."""

    def __init__(self, extractor: Any) -> None:
        import torch

        unknown = {
            "dither": getattr(extractor, "dither", 0.0) != 0.0,
            "padding_value": extractor.padding_value != 0.0,
            "do_normalize": bool(getattr(extractor, "do_normalize", False)),
            "feature_extractor_type": type(extractor).__name__ != "WhisperFeatureExtractor",
        }
        if any(unknown.values()):
            named = ", ".join(name for name, is_unknown in unknown.items() if is_unknown)
            raise UsageError(f"the extractor of the model has settings that are not known: {named}.")
        self.rate = int(extractor.sampling_rate)
        self.hop = int(extractor.hop_length)
        self.n_fft = int(extractor.n_fft)
        self.longest = int(extractor.n_samples)
        self._window = torch.hann_window(self.n_fft)
        self._filters = torch.from_numpy(extractor.mel_filters).to(torch.float32).T

    def padded(self, samples: Samples) -> Spectrum:
        """As the extractor makes them of a clip with zeros behind it, up to the longest that it takes."""
        import torch
        from torch.nn.functional import pad

        heard = -(-len(samples) // self.hop)
        reached = -(-(len(samples) + self.n_fft // 2) // self.hop)
        # Behind the last frame that is kept lies half a window of zeros, which its reflection at the end is made of.
        width = min(self.longest, reached * self.hop + self.n_fft)
        power = self._power(pad(torch.from_numpy(samples), (0, width - len(samples))))
        loudest = float(power.max())
        frames = self._scaled(power[:, :reached], loudest)
        silence = self._scaled(power.new_full((1, 1), _LEAST).log10(), loudest)
        return Spectrum(frames, heard, float(silence))

    def alone(self, samples: Samples) -> Spectrum:
        """As the extractor makes them of a clip that nothing is put behind; an incomplete frame is left out.

        The clip has more than half a window: its edges are reflected.
        """
        import torch

        power = self._power(torch.from_numpy(samples))
        frames = self._scaled(power, float(power.max()))
        return Spectrum(frames, frames.shape[1], 0.0)

    def _power(self, samples: torch.Tensor) -> torch.Tensor:
        import torch

        waves = torch.stft(samples, self.n_fft, self.hop, window=self._window, return_complex=True)
        power = self._filters @ (waves[:, :-1].abs() ** 2).contiguous()
        return power.clamp(min=_LEAST).log10()

    def _scaled(self, power: torch.Tensor, loudest: float) -> torch.Tensor:
        return (power.clamp(min=loudest - _RANGE) + _SHIFT) / _SCALE
