"""Films whose frames carry their number: a grid of dark and light blocks that survives H.264, VP9 and MPEG-2.

The upper row of blocks is the frame's number, the lower row the clip's and a parity bit, so that a blend of two frames
or a decoder's repair is not taken for a frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

FPS = 20
WIDTH, HEIGHT = 64, 32
_BITS = 8
_BLOCK = WIDTH // _BITS
_DARK, _LIGHT = 40, 215


@dataclass(frozen=True)
class Seen:
    """The clip that a film shows, the numbers of its frames in order, and the time of each in the file."""

    clip: int
    numbers: list[int]
    times: list[float]


def frame_of(clip: int, number: int) -> np.ndarray:
    """A frame, (height, width) grey."""
    upper = [number >> bit & 1 for bit in range(_BITS)]
    lower = [clip >> bit & 1 for bit in range(_BITS - 1)]
    lower.append((sum(upper) + sum(lower)) % 2)
    rows = np.array([upper, lower], dtype=np.uint8)
    picture = np.kron(rows, np.ones((HEIGHT // 2, _BLOCK), dtype=np.uint8))
    return np.where(picture, _LIGHT, _DARK).astype(np.uint8)


def read_frame(picture: np.ndarray) -> tuple[int, int]:
    """Clip and number of a grey frame; AssertionError if its blocks are not a frame's."""
    blocks = picture.reshape(2, HEIGHT // 2, _BITS, _BLOCK)[:, 2:-2, :, 2:-2].mean(axis=(1, 3))
    assert np.all(np.minimum(abs(blocks - _DARK), abs(blocks - _LIGHT)) < 50), blocks.round()
    upper, lower = (blocks > (_DARK + _LIGHT) / 2).astype(int)
    assert (upper.sum() + lower[:-1].sum()) % 2 == lower[-1], "a frame with a wrong parity"
    clip = sum(int(bit) << place for place, bit in enumerate(lower[:-1]))
    return clip, sum(int(bit) << place for place, bit in enumerate(upper))


def watch(path: Path) -> Seen:
    """Decode a whole film and read its frames."""
    import av

    with av.open(str(path)) as container:
        frames = [(frame.time, frame.to_ndarray(format="gray")) for frame in container.decode(video=0)]
    read = [read_frame(picture[:HEIGHT, :WIDTH]) for _, picture in frames]
    clips = {clip for clip, _ in read}
    assert len(clips) == 1, f"{path.name} shows {len(clips)} clips"
    return Seen(clips.pop(), [number for _, number in read], [float(time or 0.0) for time, _ in frames])
