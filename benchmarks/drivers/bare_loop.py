"""The least that decoding can cost: soundfile reads every file as float32 in WORKERS processes, and nothing else.

bare_loop.py LIST WORKERS      LIST has one path per line; each process takes every WORKERS-th file
"""

from __future__ import annotations

import json
import sys
from multiprocessing import get_context
from pathlib import Path


def decode(paths: list[str]) -> float:
    """Seconds of audio in these files."""
    import soundfile

    seconds = 0.0
    for path in paths:
        samples, sample_rate = soundfile.read(path, dtype="float32")
        seconds += len(samples) / sample_rate
    return seconds


def main() -> None:
    listing, workers = Path(sys.argv[1]), int(sys.argv[2])
    paths = listing.read_text(encoding="utf-8").splitlines()
    with get_context("fork").Pool(workers) as pool:
        seconds = sum(pool.map(decode, [paths[first::workers] for first in range(workers)], chunksize=1))
    print(json.dumps({"audio_seconds": seconds}))


if __name__ == "__main__":
    main()
