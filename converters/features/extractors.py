"""The published extractors of log-mel spectrograms, by model.

All are Whisper's: 16 kHz, windows of 400 samples (Hann), one every 160, Slaney's mel scale from 0 to 8,000 Hz, log10 of
the power with a floor of 8 below the loudest, scaled by (x + 4) / 4. They differ in the number of mel bins and in what
they do with the length of a clip.
Source: preprocessor_config.json of openai/whisper-small and whisper-large-v3, Qwen/Qwen2-Audio-7B-Instruct,
Qwen2.5-Omni-7B, Qwen3-Omni-30B-A3B-Instruct, and the processors of transformers 5.23.
"""

from __future__ import annotations

from dataclasses import dataclass

RATE = 16_000
WINDOW = 400
HOP = 160


@dataclass(frozen=True, slots=True)
class Extractor:
    """What an extractor does.

    Attributes:
        bins: Mel bins.
        longest_s: Seconds to which it pads a clip with silence and after which it cuts; None: a clip is taken as it is.
    """

    name: str
    bins: int
    longest_s: int | None

    def frames_of(self, samples: int) -> int:
        """The frames of a clip that are sound: of the last, an incomplete one counts where the clip is padded."""
        return samples // HOP if self.longest_s is None else -(-samples // HOP)


EXTRACTORS = {
    each.name: each
    for each in (
        Extractor("qwen3-omni", 128, None),
        Extractor("qwen2.5-omni", 128, 300),
        Extractor("qwen2-audio", 128, 30),
        Extractor("whisper", 80, 30),
        Extractor("whisper-large-v3", 128, 30),
    )
}
"""By the value of `--extractor`; `whisper` is every Whisper model but large-v3 and its turbo form."""
