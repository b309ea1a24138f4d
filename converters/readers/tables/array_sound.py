"""Sound that a table holds as its samples, as `datasets` writes what it has decoded: {array, sampling_rate}."""

from __future__ import annotations

from typing import Any

from ....shards.in_memory import encoded
from ...candidate import bad_cell


def array_sound(column: str, array: Any, sample_rate: Any) -> bytes:
    """The samples, or a list of them for each channel, as a WAV file of 32-bit floats, which holds them unchanged.

    Raises:
        RowError: They are no samples, or the rate is missing.
    """
    import numpy as np

    if not isinstance(sample_rate, int) or isinstance(sample_rate, bool) or sample_rate <= 0:
        raise bad_cell(f"{column}.sampling_rate", sample_rate, "the sample rate in Hz of the samples in array")
    try:
        samples = np.asarray(array, dtype=np.float32)
    except (TypeError, ValueError):
        raise bad_cell(f"{column}.array", array, "samples as numbers") from None
    if samples.ndim not in (1, 2) or not samples.size:
        raise bad_cell(f"{column}.array", array, "samples, or a list of them for each channel")
    return encoded(samples.T, sample_rate, form="WAV", subtype="FLOAT")
